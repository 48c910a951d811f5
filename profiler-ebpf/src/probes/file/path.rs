//! The path of a file, read once, when the file is first seen.

use aya_ebpf::{btf_maps::Array, helpers::generated::bpf_probe_read_kernel_str, macros::btf_map};
use ioprof_ebpf::abi::{
    file::{PATH_BYTES, PATH_DEPTH, Path},
    layout::MAX_PATHS,
};

use crate::probes::base::{
    map::next,
    memory::{self, constant, read},
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
/// Exported, as the verifier then looks at it by itself, and not once for each of its callers.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn keep_path(mut dentry: u64, mut mount: u64) -> u64 {
    let Some(number) = next(&PATHS_USED) else {
        return 0;
    };
    let Some(first) = PATHS.get_ptr_mut(number as u32) else {
        return 0;
    };
    let mut path = first;
    let mut root = root_of(mount, dentry);
    // SAFETY: the value is in the map, and no other program has its number yet.
    unsafe {
        (*first).flags = flags(dentry, mount, root);
        (*first).namespace = namespace_of(mount);
        if (*first).flags & Path::PLACELESS != 0 {
            add_name(first, dentry);
            return number;
        }
    }
    for _ in 0..PATH_DEPTH {
        if dentry == root {
            let parent: u64 = read(mount, &memory::OFF_MOUNT_PARENT);
            if mount == 0 || parent == mount {
                // SAFETY: as above.
                unsafe { (*first).flags &= !Path::TRUNCATED };
                break;
            }
            dentry = read(mount, &memory::OFF_MOUNT_MOUNTPOINT);
            mount = parent;
            root = root_of(mount, dentry);
            continue;
        }
        let parent: u64 = read(dentry, &memory::OFF_DENTRY_PARENT);
        // Outside the mount, or in no tree at all.
        if parent == dentry {
            break;
        }
        match add_name(path, dentry) {
            Added::Name => {}
            Added::Last => match part_after(path) {
                Some(next) => path = next,
                None => break,
            },
            Added::Nothing => break,
        }
        dentry = parent;
    }
    number
}

/// What there is to say of a path before it is read.
#[inline(always)]
fn flags(dentry: u64, mount: u64, root: u64) -> u32 {
    let mut flags = Path::TRUNCATED;
    if read::<u64>(dentry, &memory::OFF_DENTRY_HASHED) == 0 {
        flags |= Path::DELETED;
    }
    if mount == 0 {
        flags |= Path::IN_FILE_SYSTEM;
    }
    if dentry != root && read::<u64>(dentry, &memory::OFF_DENTRY_PARENT) == dentry {
        flags |= Path::PLACELESS;
    }
    flags
}

/// A further part of a path, where there is room.
#[inline(always)]
fn part_after(path: *mut Path) -> Option<*mut Path> {
    let number = next(&PATHS_USED)? as u32;
    let part = PATHS.get_ptr_mut(number)?;
    // SAFETY: the value is in the map, and is this path's.
    unsafe { (*path).next = number };
    Some(part)
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
fn add_name(path: *mut Path, dentry: u64) -> Added {
    if !memory::may_read() {
        return Added::Nothing;
    }
    let name: u64 = read(dentry, &memory::OFF_DENTRY_NAME);
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
        let length = length.wrapping_add(bytes as u32);
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
fn namespace_of(mount: u64) -> u32 {
    if mount == 0 {
        return 0;
    }
    // Of the mounts of the kernel's own it is no address.
    let namespace: u64 = read(mount, &memory::OFF_MOUNT_NAMESPACE);
    read(namespace, &memory::OFF_NAMESPACE_NUMBER)
}

/// The directory entry at the root of a mount; where there is no mount, at that of the file system of an entry.
#[inline(always)]
fn root_of(mount: u64, dentry: u64) -> u64 {
    if mount == 0 {
        let superblock: u64 = read(dentry, &memory::OFF_DENTRY_SB);
        return read(superblock, &memory::OFF_SB_ROOT);
    }
    let vfsmount = mount.wrapping_add(constant(&memory::OFF_MOUNT_MNT).into());
    read(vfsmount, &memory::OFF_VFSMOUNT_ROOT)
}
