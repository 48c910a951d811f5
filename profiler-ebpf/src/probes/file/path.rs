//! The path of a file, read once, when the file is first seen.

use aya_ebpf::{btf_maps::Array, helpers::generated::bpf_probe_read_kernel_str, macros::btf_map};
use ioprof_ebpf::abi::{
    file::{PATH_BYTES, PATH_DEPTH, Path},
    layout::MAX_FILES,
};

use crate::probes::base::{
    atomic,
    memory::{self, constant, read},
};

/// The paths, by their number.
#[btf_map]
static PATHS: Array<Path, { MAX_FILES as usize }> = Array::new();

/// How many numbers were handed out.
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
    let Some(used) = PATHS_USED.get_ptr_mut(0) else {
        return 0;
    };
    // SAFETY: the counter is in the map.
    let number = unsafe { atomic::add(used, 1) } + 1;
    let Some(path) = PATHS.get_ptr_mut(number as u32) else {
        return 0;
    };
    let mut flags = Path::TRUNCATED;
    if read::<u64>(dentry, &memory::OFF_DENTRY_HASHED) == 0 {
        flags |= Path::DELETED;
    }
    if mount == 0 {
        flags |= Path::IN_FILE_SYSTEM;
    }
    let mut root = root_of(mount);
    for _ in 0..PATH_DEPTH {
        let parent: u64 = read(dentry, &memory::OFF_DENTRY_PARENT);
        if dentry == root {
            let parent: u64 = read(mount, &memory::OFF_MOUNT_PARENT);
            if parent == mount {
                flags &= !Path::TRUNCATED;
                break;
            }
            dentry = read(mount, &memory::OFF_MOUNT_MOUNTPOINT);
            mount = parent;
            root = root_of(mount);
        } else if parent == dentry {
            flags &= !Path::TRUNCATED;
            break;
        } else {
            if !add_name(path, dentry) {
                break;
            }
            dentry = parent;
        }
    }
    // SAFETY: the value is in the map, and no other program has its number yet.
    unsafe { (*path).flags = flags };
    number
}

/// Adds the name of a directory entry; false where it does not fit. The length is kept in the map alone: in a
/// register, the verifier would tell apart every length that the names before may come to.
#[inline(always)]
fn add_name(path: *mut Path, dentry: u64) -> bool {
    if !memory::may_read() {
        return false;
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
            return false;
        }
        let length = length.wrapping_add(bytes as u32);
        (&raw mut (*path).length).write_volatile(length);
        length < PATH_BYTES as u32
    }
}

/// The directory entry at the root of a mount; none where there is no mount.
#[inline(always)]
fn root_of(mount: u64) -> u64 {
    if mount == 0 {
        return 0;
    }
    let vfsmount = mount.wrapping_add(constant(&memory::OFF_MOUNT_MNT).into());
    read(vfsmount, &memory::OFF_VFSMOUNT_ROOT)
}
