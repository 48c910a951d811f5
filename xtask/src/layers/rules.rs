//! Which layer may name which.

use super::paths::{module, named};

/// A folder of sources, its layers from the lowest, and the crates that only some of them may name.
///
/// A line is a module with those below it that are no layers of their own, and what it may name besides itself; a `*`
/// is everything.
struct Sources {
    folder: &'static str,
    layers: &'static str,
    crates: &'static [(&'static str, &'static [&'static str])],
    /// Modules without a layer: the roots of crates, and what only lists modules.
    roots: &'static [&'static str],
}

const SOURCES: [Sources; 2] = [
    Sources {
        folder: "profiler/src/",
        layers: "
            text:
            transfer:
            error: text
            model: text transfer
            analysis: text transfer model
            output: text transfer model analysis
            kernel::opcode:
            kernel::syscall: transfer
            kernel::system: text error
            kernel::bpf::statistics:
            kernel::helper: error kernel::system kernel::bpf::statistics
            kernel::bpf: text error kernel::syscall kernel::system kernel::helper
            kernel: text error
            version: kernel
            collector: text transfer error model kernel
            launch: *
            commands: *
            schema: *
            coverage_page: *
            cli: *
        ",
        crates: &[
            ("aya", &["kernel::bpf"]),
            ("aya_log", &["kernel::bpf"]),
            ("ioprof_ebpf", &["transfer", "kernel", "collector"]),
        ],
        roots: &["main", "lib"],
    },
    Sources {
        folder: "profiler-ebpf/src/",
        layers: "
            histogram:
            abi: histogram
            probes::base:
            probes::baseline:
            probes::task: probes::base
            probes::file: probes::base
            probes::writeback: probes::base probes::task probes::file
            probes::block: probes::base probes::task probes::file probes::writeback probes::io_uring
            probes::fault: probes::base probes::task probes::file
            probes::syscall: probes::base probes::task probes::file
            probes::io_uring: probes::base probes::task probes::file probes::syscall
            probes::task::iterators: *
            probes::task::lifecycle: *
        ",
        crates: &[],
        roots: &["main", "lib", "probes"],
    },
];

/// What a file names and may not, with the line of each.
pub fn check(file: &str, text: &str) -> Vec<(usize, String)> {
    let Some(sources) = SOURCES
        .iter()
        .find(|sources| file.starts_with(sources.folder))
    else {
        return Vec::new();
    };
    let module = module(&file[sources.folder.len()..]);
    let Some((own, may_name)) = sources.layer_of(&module) else {
        if sources.roots.contains(&module.as_str()) {
            return Vec::new();
        }
        return vec![(
            1,
            format!("{module} has no layer: give it one in {}", file!()),
        )];
    };
    let crates: Vec<_> = sources.crates.iter().map(|(name, _)| *name).collect();
    let mut found = Vec::new();
    for named in named(text, &module, &crates) {
        let root = named.path.split("::").next().unwrap_or_default();
        let confined = sources.crates.iter().find(|(name, _)| *name == root);
        let (other, allowed) = match (confined, sources.layer_of(&named.path)) {
            (Some((_, allowed)), _) => (root, allowed.iter().any(|one| is_in(&module, one))),
            (None, Some((other, _))) => {
                let mut allowed = may_name.split_whitespace();
                let allowed = allowed.any(|one| one == "*" || is_in(other, one));
                (other, allowed || is_in(other, own))
            }
            (None, None) => continue,
        };
        if !allowed {
            found.push((
                named.line,
                format!("`{}` here: {own} may not name {other}", named.path),
            ));
        }
    }
    found
}

impl Sources {
    /// The innermost layer that a path is in, and what that may name.
    fn layer_of(&self, path: &str) -> Option<(&str, &str)> {
        self.layers
            .lines()
            .filter_map(|line| {
                let line = line.trim();
                let alone = || Some((line.strip_suffix(':')?, ""));
                line.split_once(": ").or_else(alone)
            })
            .filter(|(module, _)| is_in(path, module))
            .max_by_key(|(module, _)| module.len())
    }
}

/// Whether a path is that of a module, or below it.
fn is_in(path: &str, module: &str) -> bool {
    path.strip_prefix(module)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
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
