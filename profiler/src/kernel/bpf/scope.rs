//! Bringing processes into scope that the probes did not see begin.

use std::{
    io::{self, Read as _},
    os::fd::{AsFd as _, AsRawFd as _, OwnedFd},
    ptr,
};

use aya::{
    Btf, Ebpf,
    maps::Map,
    programs::{Iter, ProgramError},
};
use ioprof_ebpf::abi::{names, task::TaskState};

use super::{error::one_line, map, program::program, verifier::Verifier};
use crate::{
    error::Error,
    kernel::system::{
        process::{has_ended, numbers, pidfd_open, wait_until_asleep},
        tree::Tree,
    },
};

/// The state in which a process comes into scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryState {
    /// A child of ioprof that waits to be released: what it does before it executes its program is not counted.
    Waiting,
    /// Running, maybe inside a call.
    Running,
    /// The same, where its workload has a first process already.
    RunningToo,
    /// Running, and its first thread waits for ioprof's signal to begin: that call is not counted.
    Paused,
}

/// Verifies the programs that walk over all tasks.
pub fn load_iterators(ebpf: &mut Ebpf, btf: &Btf, verifier: &Verifier) -> Result<(), Error> {
    for name in [
        names::SEED_THREADS,
        names::RETIRE_THREADS,
        names::SETTLE_THREADS,
    ] {
        load(ebpf, btf, verifier, name).map_err(|error| missing(name, &error))?;
    }
    Ok(())
}

/// Verifies the one that looks at the inodes with dirty pages, by calling back for each: kernels without the compiler
/// for BPF programs refuse that.
pub fn load_examiner(ebpf: &mut Ebpf, btf: &Btf, verifier: &Verifier) -> Result<(), ProgramError> {
    load(ebpf, btf, verifier, names::EXAMINE_DIRTY)
}

fn load(
    ebpf: &mut Ebpf,
    btf: &Btf,
    verifier: &Verifier,
    name: &'static str,
) -> Result<(), ProgramError> {
    verifier.verify(name, program(ebpf, name)?, |program| {
        let iterator: &mut Iter = program.try_into()?;
        iterator.load("task", btf)
    })
}

fn missing(probe: &'static str, error: &dyn std::error::Error) -> Error {
    Error::ProbeMissing {
        probe,
        reason: one_line(error),
    }
}

/// Gives the first thread of a process its record, and then the others.
///
/// A process is named by a descriptor of it: its number may be another's by now, and may mean another process in the
/// kernel's eyes, where ioprof runs in a PID namespace.
pub fn add_process(
    ebpf: &mut Ebpf,
    (pid, process): (i32, &OwnedFd),
    workload: u32,
    entry: EntryState,
) -> Result<(), Error> {
    let state = entering(workload, entry);
    put(ebpf, process, &state).map_err(|error| match error.raw_os_error() {
        Some(libc::ESRCH | libc::ENOENT) => Error::NoProcess { pid },
        _ => map_error(&error),
    })?;
    seed_threads(ebpf)
}

/// Brings all processes into scope that exist below those that are, and returns the workloads of those that it found.
///
/// What a process in scope makes is given its record by the kernel's side, so that only what was made before is sought:
/// until a search that began behind the last record finds nothing. Not within the window, where that side counts, too.
pub fn add_tree(ebpf: &mut Ebpf, tree: &mut Tree) -> Result<Vec<u32>, Error> {
    let mut workloads = Vec::new();
    loop {
        let found = tree.grow()?;
        if found.is_empty() {
            return Ok(workloads);
        }
        for below in found {
            let Some(process) = below.open() else {
                continue;
            };
            let state = entering(below.workload, EntryState::RunningToo);
            match update(ebpf, &process, &state, BPF_NOEXIST) {
                Ok(()) => {}
                Err(error) => match error.raw_os_error() {
                    // It was made after its parent had come into scope.
                    Some(libc::EEXIST) => {}
                    Some(libc::ESRCH | libc::ENOENT) => continue,
                    _ => return Err(map_error(&error)),
                },
            }
            workloads.push(below.workload);
        }
        seed_threads(ebpf)?;
    }
}

/// The record of the first thread of a process that comes into scope.
fn entering(workload: u32, entry: EntryState) -> TaskState {
    TaskState {
        workload,
        flags: match entry {
            EntryState::Waiting => TaskState::WAITING,
            EntryState::Running | EntryState::RunningToo => TaskState::MAY_BE_IN_CALL,
            EntryState::Paused => TaskState::CHILD_RETURN,
        },
        is_new: 1,
        is_of_first: u32::from(entry != EntryState::RunningToo),
        ..TaskState::default()
    }
}

/// Gives the other threads of processes in scope their records.
fn seed_threads(ebpf: &mut Ebpf) -> Result<(), Error> {
    // A thread that the first pass had not reached may have made another that it had passed already;
    // what is made from then on inherits, so that two passes reach all.
    for _ in 0..2 {
        walk(ebpf, names::SEED_THREADS)?;
    }
    Ok(())
}

/// Lets the tasks in scope begin that have not done so by themselves, once the window is open.
pub fn begin_threads(ebpf: &mut Ebpf) -> Result<(), Error> {
    walk(ebpf, names::SEED_THREADS)
}

/// Takes a process of one thread out of scope again, which is about to wait for ioprof's signal to go on: what was
/// counted for it so far is kept.
pub fn retire_process(
    ebpf: &mut Ebpf,
    (pid, process): (i32, &OwnedFd),
    workload: u32,
) -> Result<(), Error> {
    // Nobody else wakes it: what it did is settled while it sleeps.
    wait_until_asleep(pid)?;
    map::fill(ebpf, names::RETIRING, [workload])?;
    walk(ebpf, names::RETIRE_THREADS)?;
    // A waiting task of no workload: its calls and requests are not counted.
    let state = TaskState {
        workload: 0,
        flags: TaskState::WAITING,
        ..TaskState::default()
    };
    put(ebpf, process, &state).map_err(|error| map_error(&error))
}

/// Counts what the living tasks did that is still to be counted, once the window is closed.
pub fn settle_threads(ebpf: &mut Ebpf) -> Result<(), Error> {
    walk(ebpf, names::SETTLE_THREADS)
}

/// Has the probes look at the inodes with dirty pages once more, before they are read.
pub fn examine_dirty(ebpf: &mut Ebpf) -> Result<(), Error> {
    walk(ebpf, names::EXAMINE_DIRTY)
}

/// Whether this process may run an iterator: the one that looks for threads of those in scope finds none that
/// it does not know.
pub fn can_walk(ebpf: &mut Ebpf) -> bool {
    walk(ebpf, names::SEED_THREADS).is_ok()
}

/// Runs an iterator over all tasks.
fn walk(ebpf: &mut Ebpf, name: &'static str) -> Result<(), Error> {
    let run = || -> Result<(), Box<dyn std::error::Error>> {
        let iterator: &mut Iter = program(ebpf, name)?.try_into()?;
        let link = iterator.attach()?;
        let mut walk = iterator.take_link(link)?.into_file()?;
        // Reading drives the program over the tasks; it writes nothing.
        walk.read_to_end(&mut Vec::new())?;
        Ok(())
    }();
    run.map_err(|error| missing(name, &*error))
}

/// Whether a process in scope still runs, by asking for the record of each that /proc shows. The counts of threads
/// alone do not tell: one that was about to end when it came into scope is not seen to end.
pub fn any_process_lives(ebpf: &Ebpf) -> Result<bool, Error> {
    for pid in numbers().map_err(Error::system("reading /proc"))? {
        // It may have ended in this moment.
        let Ok(process) = pidfd_open(pid) else {
            continue;
        };
        if has_record(ebpf, &process).map_err(|error| map_error(&error))? && !has_ended(&process) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The part of `union bpf_attr` that BPF_MAP_LOOKUP_ELEM and BPF_MAP_UPDATE_ELEM read; see bpf(2).
#[repr(C)]
struct Element {
    map: u32,
    padding: u32,
    key: u64,
    value: u64,
    flags: u64,
}

/// The flag of BPF_MAP_UPDATE_ELEM by which it puts nothing where there is something.
const BPF_NOEXIST: u64 = 1;

/// Puts a record into task storage.
pub fn put(ebpf: &Ebpf, process: &OwnedFd, state: &TaskState) -> io::Result<()> {
    update(ebpf, process, state, 0)
}

fn update(ebpf: &Ebpf, process: &OwnedFd, state: &TaskState, flags: u64) -> io::Result<()> {
    const BPF_MAP_UPDATE_ELEM: libc::c_long = 2;
    let mut value = *state;
    call(
        ebpf,
        (BPF_MAP_UPDATE_ELEM, flags),
        process,
        Some(&mut value),
    )
}

/// The record of the first thread of a process.
pub fn record(ebpf: &Ebpf, process: &OwnedFd) -> io::Result<TaskState> {
    const BPF_MAP_LOOKUP_ELEM: libc::c_long = 1;
    let mut state = TaskState::default();
    call(ebpf, (BPF_MAP_LOOKUP_ELEM, 0), process, Some(&mut state))?;
    Ok(state)
}

/// Takes the first thread of a process out of scope.
pub fn take_out(ebpf: &Ebpf, process: &OwnedFd) -> io::Result<()> {
    const BPF_MAP_DELETE_ELEM: libc::c_long = 3;
    call(ebpf, (BPF_MAP_DELETE_ELEM, 0), process, None)
}

/// Whether the first thread of a process has a record.
fn has_record(ebpf: &Ebpf, process: &OwnedFd) -> io::Result<bool> {
    match record(ebpf, process) {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Does something with a record in task storage, whose keys are descriptors of processes to user space; aya has
/// no type for such a map. Without a value to delete it.
fn call(
    ebpf: &Ebpf,
    (command, flags): (libc::c_long, u64),
    process: &OwnedFd,
    value: Option<&mut TaskState>,
) -> io::Result<()> {
    let Some(Map::Unsupported(map)) = ebpf.map(names::TASKS) else {
        return Err(io::Error::other("it is not in the object"));
    };
    let key = process.as_raw_fd();
    let request = Element {
        map: map.fd().as_fd().as_raw_fd().cast_unsigned(),
        padding: 0,
        key: ptr::from_ref(&key) as u64,
        value: value.map_or(0, |value| ptr::from_mut(value) as u64),
        flags,
    };
    // SAFETY: the request points to a key and, if any, a value of the map's sizes, which live through the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            ptr::from_ref(&request),
            size_of::<Element>(),
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn map_error(error: &io::Error) -> Error {
    Error::Map {
        map: names::TASKS,
        reason: error.to_string(),
    }
}
