//! Takes the debugging sections out of an object, and leaves the type information that the kernel reads.

use object::build::elf::{Builder, SectionData};
use object::elf::SHT_STRTAB;

use crate::error::{Error, Result};

/// The object without DWARF: several times smaller, and with no path of the machine that built it.
pub fn strip(object: &[u8]) -> Result<Vec<u8>> {
    let malformed = |error: object::build::Error| Error::malformed("the eBPF object", error);
    let mut builder = Builder::read(object).map_err(malformed)?;
    for section in &mut builder.sections {
        section.delete |= is_debug(&section.name);
    }
    // Goes with them: what relocates them, and symbols that point into them.
    builder.delete_orphans();
    for section in &mut builder.sections {
        if let SectionData::Relocation(relocations) = &section.data {
            section.delete |= relocations.is_empty();
        }
    }
    // LLVM keeps both kinds of names in one section; the writer wants one for each.
    if !builder
        .sections
        .iter()
        .any(|section| matches!(section.data, SectionData::SectionString))
    {
        let names = builder.sections.add();
        names.name = ".shstrtab".into();
        names.sh_type = SHT_STRTAB;
        names.data = SectionData::SectionString;
    }
    let mut stripped = Vec::new();
    builder.write(&mut stripped).map_err(malformed)?;
    Ok(stripped)
}

fn is_debug(section: &[u8]) -> bool {
    [".debug_", ".rel.debug_", ".rela.debug_"]
        .iter()
        .any(|prefix| section.starts_with(prefix.as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use object::build::elf::Builder;

    use super::{is_debug, strip};

    #[test]
    fn the_committed_object_has_its_types_and_no_dwarf() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../profiler/ebpf/ioprof.bpf.o");
        let committed = std::fs::read(path).expect("the object");
        let builder = Builder::read(committed.as_slice()).expect("an ELF file");
        let has = |name: &str| builder.sections.iter().any(|s| *s.name == *name.as_bytes());
        assert!(has(".BTF") && has(".BTF.ext") && has(".symtab"));
        assert!(
            !builder
                .sections
                .iter()
                .any(|section| is_debug(&section.name))
        );
        assert_eq!(strip(&committed).expect("stripped"), committed);
    }

    #[test]
    fn only_dwarf_goes() {
        assert!(is_debug(b".debug_info"));
        assert!(is_debug(b".rel.debug_line"));
        for kept in [
            ".BTF",
            ".BTF.ext",
            ".rel.BTF.ext",
            ".rodata",
            "license",
            ".symtab",
        ] {
            assert!(!is_debug(kept.as_bytes()), "{kept}");
        }
    }
}
