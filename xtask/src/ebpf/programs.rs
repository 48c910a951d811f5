//! The programs of an object that are attached to events.

use object::Endianness;
use object::read::elf::ElfFile64;
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SymbolKind};

use crate::error::{Error, Result};

/// The sections of programs at tracepoints and at perf's events; iterators are in others.
const SECTIONS: [&str; 2] = ["tp_btf/", "perf_event"];

/// Empty programs, which the cost of the others is set against.
const BASELINE: &str = "baseline_";

/// The names of the probes in an object, sorted.
pub fn names(object: &[u8]) -> Result<Vec<String>> {
    let malformed = |error| Error::malformed("the eBPF object", error);
    let file = ElfFile64::<Endianness>::parse(object).map_err(malformed)?;
    let is_probe = |section| {
        file.section_by_index(section)
            .and_then(|section| section.name())
            .is_ok_and(|name| SECTIONS.iter().any(|begin| name.starts_with(begin)))
    };
    let mut names: Vec<_> = file
        .symbols()
        .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.is_global())
        .filter(|symbol| symbol.section_index().is_some_and(is_probe))
        .filter_map(|symbol| Some(symbol.name().ok()?.to_owned()))
        .filter(|name| !name.starts_with(BASELINE))
        .collect();
    names.sort_unstable();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn the_probes_of_the_committed_object_are_those_at_events() {
        let object = include_bytes!("../../../profiler/ebpf/ioprof.bpf.o");
        let names = names(object).expect("an object");
        for name in ["block_complete", "fault_minor", "syscall_enter"] {
            assert!(names.iter().any(|known| known == name), "{name}");
        }
        for name in ["baseline_enter", "seed_threads", "memcpy"] {
            assert!(names.iter().all(|known| known != name), "{name}");
        }
    }
}
