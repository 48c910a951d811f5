//! Look-ups in BTF: of the kernel and of its modules.

use std::{fs::File, io, os::fd::AsRawFd as _, path::Path};

use btf_rs::{Backend, Btf, Type};
use nix::sys::memfd::{MFdFlags, memfd_create};

/// Modules with structures that the probes look into, where they are none of the kernel's own parts.
const MODULES: [&str; 8] = [
    "btrfs", "dm_crypt", "dm_mod", "loop", "md_mod", "overlay", "raid1", "raid10",
];

/// Parses BTF in place, in a memory copy: parsed into values it takes ten times as much. Kernels before 6.16 do not
/// let their file be mapped. Where no copy can be made, it is parsed into values.
pub fn parse(path: &Path) -> Result<Btf, btf_rs::Error> {
    let in_place = || -> Option<Btf> {
        let copy = memfd_create(c"btf", MFdFlags::MFD_CLOEXEC).ok()?;
        let mut copy = File::from(copy);
        io::copy(&mut File::open(path).ok()?, &mut copy).ok()?;
        let name = format!("/proc/self/fd/{}", copy.as_raw_fd());
        Btf::from_file_with_backend(name, Backend::Mmap).ok()
    };
    in_place().map_or_else(|| Btf::from_file(path), Ok)
}

/// The BTF of the modules that are loaded by now, beside that of the kernel at `path`. A module that is loaded later is not
/// known.
pub fn modules(path: &Path, kernel: &Btf) -> Vec<Btf> {
    MODULES
        .iter()
        .filter_map(|module| Btf::from_split_file(path.with_file_name(module), kernel).ok())
        .collect()
}

/// The number of a structure.
pub fn number(btf: &Btf, structure: &str) -> Option<u32> {
    let found = btf.resolve_ids_by_name(structure).ok()?;
    let is_structure = |id: &u32| matches!(btf.resolve_type_by_id(*id), Ok(Type::Struct(_)));
    found.into_iter().find(is_structure)
}

/// The size of a structure in bytes.
pub fn size(btf: &Btf, structure: &str) -> Option<u32> {
    match btf.resolve_type_by_id(number(btf, structure)?).ok()? {
        Type::Struct(found) => found.size().try_into().ok(),
        _ => None,
    }
}

/// The offset in bits of a field by the first of its names that this kernel knows, of the structure likewise.
pub fn offset(btf: &Btf, structures: &str, names: &str) -> Option<u32> {
    structures.split('|').find_map(|structure| {
        names
            .split('|')
            .find_map(|path| offset_of(btf, structure, path))
    })
}

/// The offset in bits of a field, `path` entering embedded structures at each dot, and unnamed ones freely.
fn offset_of(btf: &Btf, structure: &str, path: &str) -> Option<u32> {
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
    Some(bits)
}

/// The offset in bits of a member, and its own members where it is a structure.
fn member(btf: &Btf, members: &[btf_rs::Member], name: &str) -> Option<(u32, Vec<btf_rs::Member>)> {
    members.iter().find_map(|member| {
        let inner = members_of(btf, btf.resolve_chained_type(member).ok());
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

/// The members of a structure, const or not; none of what is no structure.
fn members_of(btf: &Btf, found: Option<Type>) -> Vec<btf_rs::Member> {
    match found {
        Some(Type::Struct(found) | Type::Union(found)) => found.members,
        Some(Type::Const(found)) => members_of(btf, btf.resolve_chained_type(&found).ok()),
        _ => Vec::new(),
    }
}

/// The enumerators of an enumeration, with their values.
pub fn enumerators(path: &Path, name: &str) -> Option<Vec<(String, u32)>> {
    let btf = parse(path).ok()?;
    let found = btf.resolve_types_by_name(name).ok()?;
    found.into_iter().find_map(|found| match found {
        Type::Enum(found) => found
            .members
            .iter()
            .map(|value| Some((btf.resolve_name(value).ok()?, value.val())))
            .collect(),
        _ => None,
    })
}

/// The value of an enumerator.
pub fn enumerator(btf: &Btf, name: &str, member: &str) -> Option<u32> {
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
