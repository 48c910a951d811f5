//! Which layer may name which.

use super::paths::{module, named};

/// A module with those below it that are no layers of their own, and what it may name besides itself.
struct Layer {
    source: &'static str,
    module: &'static str,
    may_name: &'static [&'static str],
}

const fn layer(
    source: &'static str,
    module: &'static str,
    may_name: &'static [&'static str],
) -> Layer {
    Layer {
        source,
        module,
        may_name,
    }
}

const PROFILER: &str = "profiler/src/";
const EBPF: &str = "profiler-ebpf/src/";

/// All, from the lowest.
const LAYERS: &[Layer] = &[
    layer(PROFILER, "text", &[]),
    layer(PROFILER, "transfer", &[]),
    layer(PROFILER, "error", &["text"]),
    layer(PROFILER, "model", &["text", "transfer"]),
    layer(PROFILER, "analysis", &["text", "transfer", "model"]),
    layer(
        PROFILER,
        "output",
        &["text", "transfer", "model", "analysis"],
    ),
    layer(PROFILER, "kernel::opcode", &[]),
    layer(PROFILER, "kernel::syscall", &[]),
    layer(PROFILER, "kernel::system", &["text", "error"]),
    layer(PROFILER, "kernel::bpf::statistics", &[]),
    layer(
        PROFILER,
        "kernel::helper",
        &["error", "kernel::system", "kernel::bpf::statistics"],
    ),
    layer(
        PROFILER,
        "kernel::bpf",
        &[
            "text",
            "error",
            "kernel::syscall",
            "kernel::system",
            "kernel::helper",
        ],
    ),
    layer(PROFILER, "kernel", &["text", "error"]),
    layer(PROFILER, "version", &["kernel"]),
    layer(
        PROFILER,
        "collector",
        &["text", "transfer", "error", "model", "kernel"],
    ),
    layer(PROFILER, "cli", ALL),
    layer(PROFILER, "launch", ALL),
    layer(PROFILER, "commands", ALL),
    layer(EBPF, "histogram", &[]),
    layer(EBPF, "abi", &["histogram"]),
    layer(EBPF, "probes::base", &[]),
    layer(EBPF, "probes::task", &["probes::base"]),
    layer(EBPF, "probes::file", &["probes::base"]),
    layer(
        EBPF,
        "probes::writeback",
        &["probes::base", "probes::file", "probes::task"],
    ),
    layer(
        EBPF,
        "probes::block",
        &[
            "probes::base",
            "probes::file",
            "probes::task",
            "probes::writeback",
        ],
    ),
    layer(
        EBPF,
        "probes::syscall",
        &["probes::base", "probes::file", "probes::task"],
    ),
    layer(
        EBPF,
        "probes::fault",
        &["probes::base", "probes::file", "probes::task"],
    ),
    layer(
        EBPF,
        "probes::io_uring",
        &[
            "probes::base",
            "probes::file",
            "probes::task",
            "probes::syscall",
        ],
    ),
    layer(EBPF, "probes::baseline", &[]),
    // Programs about tasks stand on top of what belongs to a task.
    layer(EBPF, "probes::task::iterators", ALL),
    layer(EBPF, "probes::task::lifecycle", ALL),
];

/// The roots of crates, and what only lists modules.
const TOPS: [&str; 3] = ["main", "lib", "probes"];

/// What the topmost may name.
const ALL: &[&str] = &[""];

/// Crates that only some modules of the profiler may name.
const CRATES: &[(&str, &[&str])] = &[
    ("aya", &["kernel::bpf"]),
    ("aya_log", &["kernel::bpf"]),
    ("ioprof_ebpf", &["kernel", "collector"]),
];

/// What a file names and may not, with the line of each.
pub fn check(file: &str, text: &str) -> Vec<(usize, String)> {
    let Some(source) = [PROFILER, EBPF]
        .into_iter()
        .find(|source| file.starts_with(source))
    else {
        return Vec::new();
    };
    let module = module(&file[source.len()..]);
    let crates: &[_] = if source == PROFILER { CRATES } else { &[] };
    let names: Vec<_> = crates.iter().map(|(name, _)| *name).collect();
    let own = layer_of(source, &module);
    let mut found = Vec::new();
    if own.is_none() && !TOPS.contains(&module.as_str()) {
        found.push((
            1,
            format!("no layer has {module}: give it one in {}", file!()),
        ));
    }
    for named in named(text, &module, &names) {
        let root = named.path.split("::").next().unwrap_or_default();
        if let Some((name, allowed)) = crates.iter().find(|(name, _)| *name == root) {
            if !allowed.iter().any(|allowed| is_in(&module, allowed)) {
                found.push((
                    named.line,
                    format!("`{name}` here: only {} may name it", allowed.join(" and ")),
                ));
            }
        } else if let (Some(own), Some(other)) = (own, layer_of(source, &named.path))
            && !is_in(other.module, own.module)
            && !own
                .may_name
                .iter()
                .any(|allowed| is_in(other.module, allowed))
        {
            found.push((
                named.line,
                format!(
                    "`{}` here: {} may not name {}",
                    named.path, own.module, other.module
                ),
            ));
        }
    }
    found
}

/// The innermost layer that a path is in.
fn layer_of(source: &str, path: &str) -> Option<&'static Layer> {
    LAYERS
        .iter()
        .filter(|layer| layer.source == source && is_in(path, layer.module))
        .max_by_key(|layer| layer.module.len())
}

/// Whether a path is that of a module, or below it.
fn is_in(path: &str, module: &str) -> bool {
    path.strip_prefix(module)
        .is_some_and(|rest| module.is_empty() || rest.is_empty() || rest.starts_with("::"))
}

#[cfg(test)]
mod tests {
    use super::check;

    fn refused(file: &str, text: &str) -> bool {
        !check(file, text).is_empty()
    }

    #[test]
    fn only_kernel_bpf_knows_aya() {
        assert!(!refused("profiler/src/kernel/bpf/map.rs", "use aya::Ebpf;"));
        assert!(refused(
            "profiler/src/kernel/session.rs",
            "fn f(e: aya::Ebpf) {}"
        ));
        assert!(refused("profiler/src/kernel/bpfish.rs", "use aya::Ebpf;"));
        assert!(!refused("profiler/tests/kernel/abi.rs", "use aya::Ebpf;"));
        assert!(refused(
            "profiler/src/output/json.rs",
            "use ioprof_ebpf::abi;"
        ));
        assert!(!refused(
            "profiler/src/collector/block.rs",
            "use ioprof_ebpf::abi;"
        ));
    }

    #[test]
    fn layers_name_what_is_below_them() {
        let model = "use crate::{error::Error, model::block::Block};";
        assert!(refused("profiler/src/kernel/session.rs", model));
        assert!(!refused("profiler/src/collector/block.rs", model));
        assert!(!refused("profiler/src/commands/run.rs", model));
        assert!(refused(
            "profiler/src/model/block.rs",
            "use crate::kernel::Snapshot;"
        ));
        assert!(refused(
            "profiler/src/output/json.rs",
            "use crate::collector::report;"
        ));
    }

    #[test]
    fn the_kernels_parts_are_layers_too() {
        assert!(!refused(
            "profiler/src/kernel/snapshot/mod.rs",
            "use super::bpf::map;"
        ));
        assert!(!refused(
            "profiler/src/kernel/bpf/scope.rs",
            "use crate::kernel::system::process;"
        ));
        assert!(refused(
            "profiler/src/kernel/system/process.rs",
            "use crate::kernel::bpf::map;"
        ));
        assert!(refused(
            "profiler/src/kernel/bpf/map.rs",
            "use crate::kernel::snapshot;"
        ));
    }

    #[test]
    fn a_new_module_takes_a_layer() {
        assert!(refused("profiler/src/new.rs", ""));
        assert!(!refused("profiler/src/main.rs", ""));
    }

    #[test]
    fn the_base_of_the_probes_knows_no_subject() {
        let subject = "use crate::probes::{base::memory, task::state};";
        assert!(refused("profiler-ebpf/src/probes/base/map.rs", subject));
        assert!(!refused(
            "profiler-ebpf/src/probes/block/programs.rs",
            subject
        ));
    }
}
