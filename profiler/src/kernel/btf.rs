//! What the running kernel's BTF says: where fields are, which flags mean what, which tracepoints there are.

use std::path::Path;

use btf_rs::{Btf, Type};
use ioprof_ebpf::abi::fields::{ABSENT, FIELDS, REGISTERS};

use super::proc;
use crate::error::Error;

/// Where the kernel describes its types.
pub const PATH: &str = "/sys/kernel/btf/vmlinux";

/// The registers that hold the number of a system call and its second to fifth argument, as fields of
/// `struct pt_regs`; syscall(2) lists them by architecture.
#[cfg(target_arch = "x86_64")]
const CALL_REGISTERS: [&str; 5] = ["orig_ax", "si", "dx", "r10", "r8"];

/// Fields that not every architecture or kernel has. The probes ask before they read them, or have no
/// tracepoint to run at where they are missing.
const OPTIONAL: [&str; 8] = [
    "OFF_TASK_STATUS",
    "OFF_FOLIO_FLAGS",
    "OFF_FOLIO_FLAGS_1",
    "OFF_FOLIO_MAPPING",
    "OFF_FOLIO_ORDER",
    "OFF_BTRFS_BIO",
    "OFF_BTRFS_BIO_INODE",
    "OFF_BTRFS_INODE",
];

/// Flags that the probes must know, by their enumeration and the name of the bit in it.
const FLAGS: [(&str, &str, &str); 4] = [
    ("REQ_PREFLUSH", "req_flag_bits", "__REQ_PREFLUSH"),
    ("REQ_META", "req_flag_bits", "__REQ_META"),
    ("REQ_IDLE", "req_flag_bits", "__REQ_IDLE"),
    ("FOLIO_IS_LARGE", "pageflags", "PG_head"),
];

/// What the probes must be told before they are loaded.
pub struct KernelTypes {
    /// Symbol of a constant, and its value.
    pub constants: Vec<(&'static str, u32)>,
    btf: Btf,
}

impl KernelTypes {
    /// Reads the BTF at `path`.
    ///
    /// # Errors
    ///
    /// [`Error::NoBtf`] where there is none, [`Error::Btf`] where it is not what is expected.
    pub fn read(path: &Path) -> Result<Self, Error> {
        if !path.exists() {
            return Err(Error::NoBtf {
                path: path.to_owned(),
            });
        }
        let btf = Btf::from_file(path).map_err(refused)?;
        let missing = |structure: &str, path: &str| Error::Btf {
            reason: format!("{structure} has no {path}"),
        };
        let mut constants = Vec::new();
        for field in FIELDS {
            let found = match offset(&btf, field.structure, field.path) {
                Some(offset) => offset,
                None if OPTIONAL.contains(&field.symbol) => ABSENT,
                None => return Err(missing(field.structure, field.path)),
            };
            constants.push((field.symbol, found));
        }
        for (symbol, register) in REGISTERS.into_iter().zip(CALL_REGISTERS) {
            let found = offset(&btf, "pt_regs", register);
            constants.push((symbol, found.ok_or_else(|| missing("pt_regs", register))?));
        }
        for (symbol, flags, name) in FLAGS {
            let bit = enumerator(&btf, flags, name).ok_or_else(|| missing(flags, name))?;
            constants.push((symbol, 1 << bit));
        }
        Ok(Self { constants, btf })
    }

    /// The lower half of the address of the function that ends a bio of btrfs; 0 where it or the types around it are not known, as
    /// where btrfs is a module.
    pub fn btrfs_end(&self) -> u32 {
        let is_known = self
            .constants
            .iter()
            .filter(|(symbol, _)| symbol.starts_with("OFF_BTRFS"))
            .all(|(_, offset)| *offset != ABSENT);
        if is_known {
            proc::kernel_symbol("btrfs_simple_end_io").map_or(0, |address| address as u32)
        } else {
            0
        }
    }

    /// Whether the kernel has the tracepoint: BTF has a typedef `btf_trace_NAME` for each that can be
    /// attached to.
    pub fn has_tracepoint(&self, name: &str) -> bool {
        self.btf
            .resolve_ids_by_name(&format!("btf_trace_{name}"))
            .is_ok_and(|found| !found.is_empty())
    }
}

fn refused(error: btf_rs::Error) -> Error {
    Error::Btf {
        reason: error.to_string(),
    }
}

/// The offset in bytes of a field, `path` entering embedded structures at each dot, and unnamed ones freely.
fn offset(btf: &Btf, structure: &str, path: &str) -> Option<u32> {
    let types = btf.resolve_types_by_name(structure).ok()?;
    let mut members = types.into_iter().find_map(|found| match found {
        Type::Struct(found) => Some(found.members),
        _ => None,
    })?;
    let mut bits = 0;
    for name in path.split('.') {
        let (at, inner) = member(btf, &members, name)?;
        bits += at;
        members = inner;
    }
    Some(bits / 8)
}

/// The offset in bits of a member, and its own members where it is a structure.
fn member(btf: &Btf, members: &[btf_rs::Member], name: &str) -> Option<(u32, Vec<btf_rs::Member>)> {
    members.iter().find_map(|member| {
        let inner = match btf.resolve_chained_type(member) {
            Ok(Type::Struct(found) | Type::Union(found)) => found.members,
            _ => Vec::new(),
        };
        let own = btf.resolve_name(member).unwrap_or_default();
        if own == name {
            return Some((member.bit_offset(), inner));
        }
        if !own.is_empty() {
            return None;
        }
        let (at, inner) = self::member(btf, &inner, name)?;
        Some((member.bit_offset() + at, inner))
    })
}

/// The value of an enumerator.
fn enumerator(btf: &Btf, name: &str, member: &str) -> Option<u32> {
    btf.resolve_types_by_name(name)
        .ok()?
        .into_iter()
        .find_map(|found| match found {
            Type::Enum(found) => found
                .members
                .iter()
                .find(|value| btf.resolve_name(*value).is_ok_and(|own| own == member))
                .map(btf_rs::EnumMember::val),
            _ => None,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_btf_is_refused_with_a_reason() {
        let missing = KernelTypes::read(Path::new("/nonexistent"));
        assert!(matches!(missing, Err(Error::NoBtf { .. })));
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), b"not BTF at all, but longer than a header").expect("written");
        let wrong = KernelTypes::read(file.path());
        assert!(matches!(wrong, Err(Error::Btf { .. })));
    }
}
