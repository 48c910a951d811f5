//! The table of files: a row for each workload and inode, found by the inode.

use aya_ebpf::{btf_maps::HashMap, helpers::bpf_probe_read_kernel, macros::btf_map};
use ioprof_ebpf::abi::{
    file::{FileKey, FileStats, MAX_FILES},
    loss::Loss,
};

use super::{
    kernel::{self, constant},
    loss,
    syscall::NO_EXIST,
};

#[btf_map(name = "FILES")]
static FILES: HashMap<FileKey, FileStats, { MAX_FILES as usize }> = HashMap::new();

/// Reads a field of the structure at an address that the verifier does not know the type of; 0 where that
/// is refused.
#[inline(always)]
pub fn read<T: Copy + Default>(address: u64, offset: &'static u32) -> T {
    let address = address.wrapping_add(constant(offset).into()) as *const T;
    // SAFETY: the helper checks the address.
    unsafe { bpf_probe_read_kernel(address) }.unwrap_or_default()
}

/// The row of a file, made where there is none yet; that of all others where there is no room.
///
/// `inode` is the address of its `struct inode`.
#[inline(always)]
pub fn of_inode(workload: u32, inode: u64) -> Option<*mut FileStats> {
    let superblock: u64 = read(inode, &kernel::OFF_INODE_SB);
    let key = FileKey {
        workload,
        device: read(superblock, &kernel::OFF_SB_DEV),
        inode: read(inode, &kernel::OFF_INODE_NUMBER),
        generation: read(inode, &kernel::OFF_INODE_GENERATION),
        padding: 0,
    };
    of_key(&key, || read(inode, &kernel::OFF_INODE_MODE))
}

/// The row of a file whose key is known; `mode` is asked where the row is new.
#[inline(always)]
pub fn of_key(key: &FileKey, mode: impl FnOnce() -> u16) -> Option<*mut FileStats> {
    if let Some(stats) = FILES.get_ptr_mut(key) {
        return Some(stats);
    }
    let mode = mode();
    let stats = FileStats {
        mode: mode.into(),
        ..FileStats::default()
    };
    let _ = FILES.insert(key, &stats, NO_EXIST);
    FILES.get_ptr_mut(key).or_else(|| {
        loss::count(Loss::FilesFull);
        FILES.get_ptr_mut(&FileKey::others(key.workload))
    })
}
