//! Requests that post more completions than the last. Those do not name their request: they are known by the number that
//! the program gave it.

use core::ffi::c_void;

use aya_ebpf::{btf_maps::HashMap, macros::btf_map};
use ioprof_ebpf::abi::{
    fields::ABSENT,
    io_uring::{UringPost, UringPoster, UringRequest},
    layout::{MAX_URING_REQUESTS, uring_index},
    opcodes::{Moves, Set},
};

use super::{URING_STATS, find};
use crate::probes::base::{
    atomic,
    memory::{self, constant, field},
};

/// Requests under way that may post more completions than the last.
#[btf_map]
static URING_POSTERS: HashMap<UringPost, UringPoster, { MAX_URING_REQUESTS as usize }> =
    HashMap::new();

/// `IORING_OP_READ_MULTISHOT`, which always may.
const READ_MULTISHOT: u32 = 49;
/// `IORING_RECV_MULTISHOT` and `IORING_RECVSEND_BUNDLE`, by which what sends and receives may.
const MORE_THAN_ONE: u8 = 1 << 1 | 1 << 4;
/// `IORING_OP_SENDMSG`, `IORING_OP_RECVMSG`, `IORING_OP_SEND` and `IORING_OP_RECV`.
const MESSAGES: Set = Set::of(&[9, 10, 26, 27]);

/// Whether a request is one of those.
///
/// # Safety
///
/// `request` is a BTF pointer to a `struct io_kiocb`.
#[inline(always)]
pub unsafe fn may_post(request: *const c_void, opcode: u32) -> bool {
    if opcode == READ_MULTISHOT {
        return true;
    }
    if !MESSAGES.has(opcode) || constant(&memory::OFF_MESSAGE_FLAGS) == ABSENT {
        return false;
    }
    // SAFETY: by the caller's promise; a request begins with what its opcode keeps in it.
    unsafe { field::<u8>(request, &memory::OFF_MESSAGE_FLAGS) & MORE_THAN_ONE != 0 }
}

/// Remembers such a request.
///
/// # Safety
///
/// `request` is a BTF pointer to a `struct io_kiocb`.
#[inline(always)]
pub unsafe fn begin(request: *const c_void, new: &UringRequest) {
    if constant(&memory::OFF_KIOCB_USER_DATA) == ABSENT {
        return;
    }
    let key = UringPost {
        ring: new.ring,
        // SAFETY: by the caller's promise.
        user_data: unsafe { field(request, &memory::OFF_KIOCB_USER_DATA) },
    };
    let poster = UringPoster {
        request: request as u64,
        is_shared: 0,
    };
    if let Some(other) = URING_POSTERS.get_ptr_mut(&key) {
        // SAFETY: the entries stay valid for the run of the program.
        unsafe {
            if (*other).request != poster.request
                && let Some(entry) = find((*other).request, new.ring)
            {
                (*other).is_shared = 1;
                cannot_tell((*entry).workload, (*entry).opcode);
                cannot_tell(new.workload, new.opcode);
                return;
            }
        }
    }
    if URING_POSTERS.insert(&key, &poster, 0).is_err() {
        cannot_tell(new.workload, new.opcode);
    }
}

/// The bytes of an opcode are not known from now on.
#[inline(always)]
fn cannot_tell(workload: u32, opcode: u32) {
    if let Some(stats) = URING_STATS.get_ptr_mut(uring_index(workload, opcode)) {
        // SAFETY: the value is in the map.
        unsafe { atomic::add(&raw mut (*stats).untold, 1) };
    }
}

/// Forgets such a request, whose last completion has this number.
#[inline(always)]
pub fn end(ring: u64, user_data: u64) {
    // It is not there where there was no room, or another request had the number.
    let _ = URING_POSTERS.remove(&UringPost { ring, user_data });
}

/// The address of the request whose completion has this number, though not its last; 0 where it is not known.
#[inline(always)]
pub fn poster(ring: u64, user_data: u64) -> u64 {
    let found = URING_POSTERS.get_ptr_mut(&UringPost { ring, user_data });
    // SAFETY: the entry stays valid for the run of the program.
    found.map_or(0, |found| unsafe {
        if (*found).is_shared == 0 {
            (*found).request
        } else {
            0
        }
    })
}

const _: () = assert!(
    Set::that(Moves::Read).has(READ_MULTISHOT),
    "the table says that it moves bytes"
);
