//! The path of a file, read once, when the file is first seen.

use aya_ebpf::{btf_maps::Array, helpers::generated::bpf_probe_read_kernel_str, macros::btf_map};
use ioprof_ebpf::abi::{
    file::{PATH_BYTES, PATH_DEPTH, Path},
    layout::MAX_PATHS,
};

use crate::probes::base::{
    map::next,
    memory::{self, Slot, constant, read},
};

/// The paths, by their number.
#[btf_map]
static PATHS: Array<Path, { MAX_PATHS as usize }> = Array::new();

/// How many numbers were handed out: a long path takes several.
#[btf_map]
static PATHS_USED: Array<u64, 1> = Array::new();

/// Keeps the path of an open file, and returns its number; 0 where there is no room.
#[inline(always)]
pub fn of_file(file: u64) -> u64 {
    let vfsmount: u64 = read(file, &memory::OFF_FILE_MNT);
    let mount = vfsmount.wrapping_sub(constant(&memory::OFF_MOUNT_MNT).into());
    keep_path(read(file, &memory::OFF_FILE_DENTRY), mount)
}

/// Keeps the path of a file of which only the inode is known, from the root of its file system on: any of its
/// names, where it has several.
#[inline(always)]
pub fn of_inode(inode: u64) -> u64 {
    let alias: u64 = read(inode, &memory::OFF_INODE_ALIASES);
    if alias == 0 {
        return 0;
    }
    let dentry = alias.wrapping_sub(constant(&memory::OFF_DENTRY_ALIAS).into());
    keep_path(dentry, 0)
}

/// Keeps the names from a directory entry up to the root: that of all mounts, or, where no mount is given,
/// that of the file system.
///
/// Exported, as the verifier then looks at it by itself, and not once for each of its callers; and so is a step of the way,
/// which it would otherwise look at once for every step. Together they have little of the stack.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn keep_path(dentry: u64, mount: u64) -> u64 {
    let number = path_begins(dentry, mount);
    let mut part = number;
    for _ in 0..PATH_DEPTH {
        if part == 0 {
            break;
        }
        part = path_goes_up(part);
    }
    number
}

/// Begins a path: its number, or 0 where there is no room.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn path_begins(dentry: u64, mount: u64) -> u64 {
    let Some(number) = next(&PATHS_USED) else {
        return 0;
    };
    let Some(path) = PATHS.get_ptr_mut(number as u32) else {
        return 0;
    };
    // SAFETY: the value is in the map, and no other program has its number yet.
    unsafe {
        let mut slot = Slot::new();
        (*path).flags = flags(&mut slot, dentry, mount);
        (*path).namespace = namespace_of(&mut slot, mount);
        (*path).first = number as u32;
        (*path).dentry = dentry;
        (*path).mount = mount;
    }
    number
}

/// Goes up by a name, or out of a mount: the number of the part to go on with, or 0 at the end.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn path_goes_up(part: u64) -> u64 {
    let Some(path) = PATHS.get_ptr_mut(part as u32) else {
        return 0;
    };
    let mut slot = Slot::new();
    // SAFETY: the value is in the map, and is this path's.
    unsafe {
        let (dentry, mount) = ((*path).dentry, (*path).mount);
        if dentry == root_of(&mut slot, mount, dentry) {
            let parent = slot.read(mount, &memory::OFF_MOUNT_PARENT);
            if mount == 0 || parent == mount {
                is_whole(path);
                return 0;
            }
            (*path).mount = parent;
            (*path).dentry = slot.read(mount, &memory::OFF_MOUNT_MOUNTPOINT);
            return part;
        }
        let parent = slot.read(dentry, &memory::OFF_DENTRY_PARENT);
        (*path).dentry = parent;
        // Outside the mount, or in no tree at all: that has a name alone.
        let is_last = parent == dentry;
        if is_last && (*path).flags & Path::PLACELESS == 0 {
            return 0;
        }
        match add_name(&mut slot, path, dentry) {
            Added::Name if !is_last => part,
            Added::Last if !is_last => part_after(path),
            _ => 0,
        }
    }
}

/// The path that a part belongs to has been read to the root.
#[inline(always)]
fn is_whole(part: *mut Path) {
    // SAFETY: both values are in the map.
    unsafe {
        if let Some(first) = PATHS.get_ptr_mut((*part).first) {
            (*first).flags &= !Path::TRUNCATED;
        }
    }
}

/// What there is to say of a path before it is read.
#[inline(always)]
fn flags(slot: &mut Slot, dentry: u64, mount: u64) -> u32 {
    let mut flags = Path::TRUNCATED;
    if slot.read(dentry, &memory::OFF_DENTRY_HASHED) == 0 {
        flags |= Path::DELETED;
    }
    if mount == 0 {
        flags |= Path::IN_FILE_SYSTEM;
    }
    let parent = slot.read(dentry, &memory::OFF_DENTRY_PARENT);
    if parent == dentry && dentry != root_of(slot, mount, dentry) {
        flags |= Path::PLACELESS;
    }
    flags
}

/// A further part of a path, which goes on where this one has come to: its number, or 0 where there is no room.
#[inline(always)]
fn part_after(path: *mut Path) -> u64 {
    let Some(number) = next(&PATHS_USED) else {
        return 0;
    };
    let Some(part) = PATHS.get_ptr_mut(number as u32) else {
        return 0;
    };
    // SAFETY: both values are in the map, and are this path's.
    unsafe {
        (*path).next = number as u32;
        (*part).first = (*path).first;
        (*part).dentry = (*path).dentry;
        (*part).mount = (*path).mount;
    }
    number
}

/// What became of a name.
#[derive(PartialEq, Eq)]
#[repr(u32)]
enum Added {
    /// It could not be read.
    Nothing,
    /// It was added.
    Name,
    /// It was added, and the part is full.
    Last,
}

/// Adds the name of a directory entry. The length is kept in the map alone: in a
/// register, the verifier would tell apart every length that the names before may come to.
#[inline(always)]
fn add_name(slot: &mut Slot, path: *mut Path, dentry: u64) -> Added {
    if !memory::may_read() {
        return Added::Nothing;
    }
    let name = slot.read(dentry, &memory::OFF_DENTRY_NAME);
    // SAFETY: the value is in the map. What is masked, and the size behind it, lie within the array; the helper
    // checks the name's address.
    unsafe {
        let length = (&raw mut (*path).length).read_volatile();
        let to = (&raw mut (*path).names)
            .cast::<u8>()
            .add(length as usize & (PATH_BYTES - 1));
        let bytes = bpf_probe_read_kernel_str(to.cast(), PATH_BYTES as u32, name as *const _);
        if bytes <= 0 {
            return Added::Nothing;
        }
        let length = (&raw mut (*path).length)
            .read_volatile()
            .wrapping_add(bytes as u32);
        (&raw mut (*path).length).write_volatile(length);
        if length < PATH_BYTES as u32 {
            Added::Name
        } else {
            Added::Last
        }
    }
}

/// The number of the mount namespace that a mount is in; 0 where it is in none.
#[inline(always)]
fn namespace_of(slot: &mut Slot, mount: u64) -> u32 {
    if mount == 0 {
        return 0;
    }
    // Of the mounts of the kernel's own it is no address.
    let namespace = slot.read(mount, &memory::OFF_MOUNT_NAMESPACE);
    slot.read(namespace, &memory::OFF_NAMESPACE_NUMBER) as u32
}

/// The directory entry at the root of a mount; where there is no mount, at that of the file system of an entry.
#[inline(always)]
fn root_of(slot: &mut Slot, mount: u64, dentry: u64) -> u64 {
    if mount == 0 {
        let superblock = slot.read(dentry, &memory::OFF_DENTRY_SB);
        return slot.read(superblock, &memory::OFF_SB_ROOT);
    }
    let vfsmount = mount.wrapping_add(constant(&memory::OFF_MOUNT_MNT).into());
    slot.read(vfsmount, &memory::OFF_VFSMOUNT_ROOT)
}
