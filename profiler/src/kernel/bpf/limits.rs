//! How many descriptors the probes and their maps take, and how many there may be.

use std::io;

use aya::{Ebpf, util::online_cpus};
use ioprof_ebpf::abi::turn::Twice;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::{btf::KernelTypes, probes::PROBES};
use crate::error::Error;

/// Room for what else is opened: pipes, the files of /proc and /sys, the iterators over tasks.
const OTHERS: u64 = 32;

/// Raises the soft limit to the hard one, and returns it. Existing children keep theirs.
pub fn raise_limit() -> u64 {
    const LIMIT: Resource = Resource::RLIMIT_NOFILE;
    let Ok((soft, hard)) = getrlimit(LIMIT) else {
        return u64::MAX;
    };
    match setrlimit(LIMIT, hard, hard) {
        Ok(()) => hard,
        Err(_) => soft,
    }
}

/// Checks that the descriptors still to be opened fit, once the maps are created.
///
/// # Errors
///
/// [`Error::TooFewDescriptors`] where they do not.
pub fn check(ebpf: &Ebpf, types: &KernelTypes, limit: u64) -> Result<(), Error> {
    let maps = ebpf.maps().count() as u64;
    let needed = others_open().saturating_sub(maps) + needed(maps) + of_second_copies(types);
    if needed > limit {
        return Err(Error::TooFewDescriptors { needed, limit });
    }
    Ok(())
}

/// The error where not even the maps could be created.
pub fn too_few() -> Error {
    let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft);
    Error::TooFewDescriptors {
        // There are about as many maps as programs.
        needed: needed(PROBES.len() as u64),
        limit,
    }
}

/// A map has one, a program one and its link another; an event has a link on each CPU.
fn needed(maps: u64) -> u64 {
    let events = PROBES.iter().filter(|probe| probe.event.is_some()).count();
    let cpus = online_cpus().map_or(1, |cpus| cpus.len());
    maps + (2 * PROBES.len() + 2 * events * cpus) as u64 + OTHERS
}

/// Where programs are attached twice, the other copy takes as many again, and the file of its counters.
fn of_second_copies(types: &KernelTypes) -> u64 {
    types.preemption.map_or(0, |_| 3 * Twice::ALL.len() as u64)
}

/// The open descriptors of this process.
fn others_open() -> u64 {
    std::fs::read_dir("/proc/self/fd").map_or(0, |open| open.count() as u64)
}

/// Whether an error is caused by too many open descriptors.
pub fn are_used_up(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let number = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::raw_os_error);
        if number == Some(libc::EMFILE) {
            return true;
        }
        next = error.source();
    }
    false
}
