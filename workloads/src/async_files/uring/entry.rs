//! Entries of the submission queue, one for each step of an item.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;

use io_uring::types::{DestinationSlot, Fd, Fixed};
use io_uring::{opcode, squeue};

use super::ring::Buffers;
use super::task::{Step, Task};
use crate::async_files::plan::{Item, Plan};

/// Room for one item in flight. Its number is the item's direct descriptor and the user data of its operations.
#[derive(Default)]
pub struct Slot {
    /// The item, while there is one.
    pub task: Option<Task>,
    /// Its buffer, from the first transfer to the last.
    pub buffer: Option<u32>,
    /// The path that an open submits; the kernel copies it on submission.
    path: CString,
}

/// The entry for a step; `None` where there is nothing to submit. It points into the slot and its buffer.
pub fn build(
    plan: &Plan,
    number: u32,
    item: Item,
    step: Step,
    slot: &mut Slot,
    buffers: &mut Buffers,
) -> Option<squeue::Entry> {
    // The file of blocks is registered twice: for reading as number 0, for writing as number 1.
    let file = Fixed(if plan.blocks.is_none() {
        number
    } else {
        u32::from(!item.read)
    });
    let buffer = slot.buffer.unwrap_or(0);
    let registered = buffers.registered();
    Some(match step {
        Step::Open => {
            // No path from a directory or a command line has a NUL byte.
            slot.path = CString::new(plan.path(item).as_os_str().as_bytes()).unwrap_or_default();
            let destination = DestinationSlot::try_from_slot_target(number).ok();
            opcode::OpenAt::new(Fd(libc::AT_FDCWD), slot.path.as_ptr())
                .file_index(destination)
                .flags(plan.open_flags(item.read).bits())
                .build()
        }
        Step::Read(offset, length) => {
            let pointer = buffers.bytes(buffer)[..length].as_mut_ptr();
            if registered {
                opcode::ReadFixed::new(file, pointer, length as u32, 0)
                    .offset(offset)
                    .build()
            } else {
                opcode::Read::new(file, pointer, length as u32)
                    .offset(offset)
                    .build()
            }
        }
        Step::Write(offset, length) => {
            let bytes = &mut buffers.bytes(buffer)[..length];
            plan.content.fill(item.file as u64, offset, bytes);
            if registered {
                opcode::WriteFixed::new(file, bytes.as_ptr(), length as u32, 0)
                    .offset(offset)
                    .build()
            } else {
                opcode::Write::new(file, bytes.as_ptr(), length as u32)
                    .offset(offset)
                    .build()
            }
        }
        Step::Sync => opcode::Fsync::new(file).build(),
        Step::Poll => {
            let events = if item.read {
                libc::POLLIN
            } else {
                libc::POLLOUT
            };
            opcode::PollAdd::new(file, events as u32).build()
        }
        Step::Close => opcode::Close::new(file).build(),
        Step::Done => return None,
    })
}
