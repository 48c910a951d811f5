//! The embedded eBPF object.

use ioprof_ebpf::abi::names;

/// Aligns the object for the loader.
#[repr(C, align(8))]
struct Aligned<T: ?Sized>(T);

static ALIGNED: &Aligned<[u8]> = &Aligned(*include_bytes!(env!("IOPROF_OBJECT")));

/// The bytes of the object.
pub fn bytes() -> &'static [u8] {
    &ALIGNED.0
}

/// An instruction that calls what has this number: of a helper, or, with the flag, of a function of the kernel
/// (`BPF_PSEUDO_KFUNC_CALL` of include/uapi/linux/bpf.h).
const fn call(number: i32, is_function: bool) -> u64 {
    let flag = if is_function { 0x2000 } else { 0 };
    (number.cast_unsigned() as u64) << 32 | flag | 0x85
}

/// `r0 = 0`.
const NOTHING: u64 = 0xb7;

/// `r0 = NUMBER`.
const fn set(number: i32) -> u64 {
    (number.cast_unsigned() as u64) << 32 | NOTHING
}

/// The numbers of the functions by which programs keep the kernel from preempting them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preemption {
    /// `bpf_preempt_disable`.
    pub disable: i32,
    /// `bpf_preempt_enable`.
    pub enable: i32,
}

/// The object for a kernel that has this number for its `bpf_rdonly_cast`, or has none: see [`names::CAST`]; and that may
/// preempt programs, or does not. In whole words, which instructions are in the file, too.
pub fn for_kernel(cast: Option<i32>, preemption: Option<Preemption>) -> Vec<u64> {
    let function = |number: Option<i32>| number.map_or(NOTHING, |number| call(number, true));
    let disable = preemption.map(|functions| functions.disable);
    let enable = preemption.map(|functions| functions.enable);
    let replaced = [
        (call(names::CAST, false), function(cast)),
        (call(names::DISABLE_PREEMPTION, false), function(disable)),
        (call(names::ENABLE_PREEMPTION, false), function(enable)),
        (
            set(names::MAY_BE_PREEMPTED),
            set(preemption.is_some().into()),
        ),
    ];
    let words = bytes().chunks(size_of::<u64>()).map(|chunk| {
        let mut word = [0; size_of::<u64>()];
        word[..chunk.len()].copy_from_slice(chunk);
        u64::from_le_bytes(word)
    });
    words
        .map(|word| {
            let found = replaced
                .iter()
                .find(|(placeholder, _)| *placeholder == word);
            found.map_or(word, |(_, with)| *with)
        })
        .collect()
}

/// How it was built: its hash, the hash of its sources, and the toolchain, as JSON.
pub const RECORD: &str = include_str!("../../../ebpf/record.json");

#[cfg(test)]
mod tests {
    use ioprof_ebpf::abi::fields::TYPES;

    use super::*;

    use std::collections::BTreeSet;

    use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SymbolKind};

    /// The symbols of a kind in the sections that are wanted.
    fn symbols(kind: SymbolKind, wanted: impl Fn(&str) -> bool) -> BTreeSet<String> {
        let object = object::File::parse(bytes()).expect("the object is ELF");
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
        let types = TYPES.iter().map(|named| named.symbol);
        let missing: Vec<_> = names::CONSTANTS
            .iter()
            .copied()
            .chain(types)
            .filter(|name| !constants.contains(*name))
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
