//! The embedded eBPF object.

/// Aligns the object for the loader.
#[repr(C, align(8))]
struct Aligned<T: ?Sized>(T);

static ALIGNED: &Aligned<[u8]> = &Aligned(*include_bytes!(env!("IOPROF_OBJECT")));

/// The bytes of the object.
pub fn bytes() -> &'static [u8] {
    &ALIGNED.0
}

/// How it was built: its hash, the hash of its sources, and the toolchain, as JSON.
pub const RECORD: &str = include_str!("../../../ebpf/record.json");

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use ioprof_ebpf::abi::names;
    use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SymbolKind};

    /// The symbols of a kind in the sections that are wanted.
    fn symbols(kind: SymbolKind, wanted: impl Fn(&str) -> bool) -> BTreeSet<String> {
        let object = object::File::parse(super::bytes()).expect("the object is ELF");
        object
            .symbols()
            .filter(|symbol| symbol.kind() == kind && symbol.is_global())
            .filter(|symbol| {
                let section = symbol.section_index();
                section
                    .and_then(|index| object.section_by_index(index).ok())
                    .is_some_and(|section| section.name().is_ok_and(&wanted))
            })
            .map(|symbol| symbol.name().expect("a name").to_owned())
            .collect()
    }

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn the_object_has_the_maps_that_are_named() {
        let mut maps = symbols(SymbolKind::Data, |section| section == ".maps");
        // That of the probes' messages is aya-log's.
        maps.retain(|map| !map.starts_with("AYA_LOG"));
        assert_eq!(maps, set(names::MAPS));
    }

    #[test]
    fn the_object_has_the_programs_that_are_named() {
        // What the verifier looks at by itself is in .text.
        let programs = symbols(SymbolKind::Text, |section| section != ".text");
        assert_eq!(programs, set(names::PROGRAMS));
    }

    #[test]
    fn the_object_has_the_constants_that_are_named() {
        let constants = symbols(SymbolKind::Data, |section| section.starts_with(".rodata"));
        let missing: Vec<_> = names::CONSTANTS
            .iter()
            .filter(|name| !constants.contains(**name))
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
