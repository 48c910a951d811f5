//! What the workloads have done so far.

use super::{io_uring, syscall};
use crate::{
    kernel::{
        opcode::{aio_name, uring_name},
        snapshot::SoFar,
        syscall::operation_name,
    },
    model::progress::{Moved, Progress},
    transfer::of_opcode,
};

/// What they have done so far, all together.
pub fn progress(so_far: &SoFar) -> Progress {
    let mut progress = Progress {
        in_flight: so_far.in_flight,
        ..Progress::default()
    };
    let (mut moved, mut is_known) = (Moved::default(), true);
    for (operation, stats) in &so_far.calls {
        let name = operation_name(*operation);
        if let Some(direction) = syscall::direction(&name, so_far.knows_files) {
            moved.add(direction, stats.bytes);
        }
        // What was moved by requests that nobody saw is not known.
        is_known &= so_far.uring.is_some() || name != "io_uring_enter";
        *progress.time_ns.entry(name.into_owned()).or_default() += stats.latency.sum;
    }
    for (opcode, stats) in so_far.uring.iter().flatten() {
        let name = uring_name(*opcode);
        match io_uring::direction(&name, stats) {
            Some(direction) => moved.add(direction, stats.results),
            None => is_known &= of_opcode(&name).is_none(),
        }
        let name = format!("io_uring {name}");
        *progress.time_ns.entry(name).or_default() += stats.latency.sum;
    }
    for (opcode, stats) in &so_far.aio {
        if let Some(direction) = of_opcode(&aio_name(*opcode)) {
            moved.add(direction, stats.results);
            is_known &= stats.unseen == 0;
        }
    }
    progress.moved = is_known.then_some(moved);
    progress
}
