//! Who has pages of which inode read: a read may be submitted by a thread of the kernel, where a control group
//! throttles it or a device encrypts.

use core::ffi::c_void;

use aya_ebpf::{
    btf_maps::LruHashMap,
    macros::{btf_map, btf_tracepoint},
    programs::BtfTracePointContext,
};
use ioprof_ebpf::abi::{file::FileKey, layout::MAX_READ_INODES, turn::Twice};

use crate::probes::{
    base::{
        memory::{self, field},
        turn,
    },
    file::{identity::Identity, read_ahead},
    task::state,
};

/// By the address of the inode: which file that is, with the workload that read it last. The reader of one that is
/// evicted is unknown.
#[btf_map]
static READERS: LruHashMap<u64, FileKey, { MAX_READ_INODES as usize }> = LruHashMap::new();

#[btf_tracepoint(function = "mm_filemap_add_to_page_cache")]
fn cached_folio(ctx: BtfTracePointContext) {
    let folio: *const c_void = ctx.arg(0);
    let submitter = state::submitter();
    if submitter.workload == 0 {
        return;
    }
    let Some(_turn) = turn::of_event(&ctx, Twice::CachedFolio) else {
        return;
    };
    // SAFETY: `folio` is the argument of the tracepoint, and the rest is loaded from it; a record stays valid for the run of
    // the program, and is the running task's own.
    unsafe {
        let mapping: *const c_void = field(folio, &memory::OFF_FOLIO_MAPPING);
        if mapping.is_null() {
            return;
        }
        let inode: *const c_void = field(mapping, &memory::OFF_MAPPING_HOST);
        if inode.is_null() {
            return;
        }
        let file = Identity::of(inode);
        if let Some(state) = submitter.state {
            read_ahead::bring(&mut *state, folio, &file);
        }
        let reader = file.with(submitter.workload);
        let address = inode as u64;
        if READERS.get(&address).is_none_or(|known| *known != reader) {
            // Where there is no room, the owner of what is read is unknown.
            let _ = READERS.insert(&address, &reader, 0);
        }
    }
}

/// The workload that had pages of a file read last, by the address of its inode; 0 where none is known.
#[inline(always)]
pub fn of_file(inode: u64, file: &Identity) -> u32 {
    // SAFETY: the memory of an entry stays the map's, also where it gives way to another meanwhile.
    let Some(reader) = (unsafe { READERS.get(&inode) }) else {
        return 0;
    };
    if *reader == file.with(reader.workload) {
        reader.workload
    } else {
        0
    }
}
