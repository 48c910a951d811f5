//! Who has pages of which inode read: a read may be submitted by a thread of the kernel, where a control group
//! throttles it or a device encrypts.

use core::ffi::c_void;

use aya_ebpf::{
    btf_maps::LruHashMap,
    macros::{btf_map, btf_tracepoint},
    programs::BtfTracePointContext,
};
use ioprof_ebpf::abi::{layout::MAX_READ_INODES, writeback::Reader};

use crate::probes::{
    base::memory::{self, field},
    task::state,
};

/// By the address of the inode. The reader of one that is evicted is unknown.
#[btf_map]
static READERS: LruHashMap<u64, Reader, { MAX_READ_INODES as usize }> = LruHashMap::new();

#[btf_tracepoint(function = "mm_filemap_add_to_page_cache")]
fn cached_folio(ctx: BtfTracePointContext) {
    let folio: *const c_void = ctx.arg(0);
    let workload = state::workload_of_current();
    if workload == 0 {
        return;
    }
    // SAFETY: `folio` is the argument of the tracepoint, and the rest is loaded from it.
    unsafe {
        let mapping: *const c_void = field(folio, &memory::OFF_FOLIO_MAPPING);
        if mapping.is_null() {
            return;
        }
        let inode: *const c_void = field(mapping, &memory::OFF_MAPPING_HOST);
        if inode.is_null() {
            return;
        }
        let reader = Reader {
            inode: field(inode, &memory::OFF_INODE_NUMBER),
            generation: field(inode, &memory::OFF_INODE_GENERATION),
            workload,
        };
        let address = inode as u64;
        if READERS.get(&address).is_none_or(|known| *known != reader) {
            // Where there is no room, the owner of what is read is unknown.
            let _ = READERS.insert(&address, &reader, 0);
        }
    }
}

/// The workload that had pages of an inode read last; 0 where none is known.
#[inline(always)]
pub fn of_inode(inode: u64) -> u32 {
    // SAFETY: the entry stays valid for the run of the program.
    let Some(reader) = (unsafe { READERS.get(&inode) }) else {
        return 0;
    };
    let is_same = reader.inode == memory::read::<u64>(inode, &memory::OFF_INODE_NUMBER)
        && reader.generation == memory::read::<u32>(inode, &memory::OFF_INODE_GENERATION);
    if is_same { reader.workload } else { 0 }
}
