//! Second copies of the probes that the kernel may preempt: `probes/base/turn.rs` of the probes has why.

use std::{
    collections::HashMap,
    io,
    os::fd::{AsFd as _, AsRawFd as _, FromRawFd as _, OwnedFd},
    ptr,
    sync::{Mutex, PoisonError},
};

use aya::programs::{BtfTracePoint, ProgramError, ProgramFd};
use ioprof_ebpf::abi::turn::{SECOND, Turns, Twice};

/// `BPF_LINK_CREATE` of include/uapi/linux/bpf.h.
const BPF_LINK_CREATE: libc::c_long = 28;

/// `BPF_TRACE_RAW_TP` of `enum bpf_attach_type` there.
const BPF_TRACE_RAW_TP: u32 = 23;

/// The first copies of the programs that are attached twice, and the links of both, which the kernel keeps until this is
/// dropped; the second copies are aya's.
#[derive(Debug, Default)]
pub struct FirstCopies {
    is_needed: bool,
    programs: Mutex<HashMap<&'static str, ProgramFd>>,
    links: Vec<OwnedFd>,
}

impl FirstCopies {
    /// None as yet, and none at all where the kernel does not preempt programs.
    pub fn new(is_needed: bool) -> Self {
        Self {
            is_needed,
            ..Self::default()
        }
    }

    /// Takes what has been loaded for the first copy of a program, if it needs one: aya may then load the second.
    pub fn take(
        &self,
        name: &'static str,
        program: &mut BtfTracePoint,
    ) -> Result<bool, ProgramError> {
        if !self.is_needed || number(name).is_none() {
            return Ok(false);
        }
        let first = program.fd()?.try_clone().map_err(ProgramError::IOError)?;
        program.unload()?;
        let mut programs = self.programs.lock().unwrap_or_else(PoisonError::into_inner);
        programs.insert(name, first);
        Ok(true)
    }

    /// Attaches both copies of a program, the first before the second, as the kernel then runs them; false where there is
    /// one copy.
    pub fn attach(&mut self, name: &str, second: &BtfTracePoint) -> Result<bool, ProgramError> {
        let programs = self.programs.get_mut();
        let programs = programs.unwrap_or_else(PoisonError::into_inner);
        let Some(first) = programs.get(name) else {
            return Ok(false);
        };
        let attach = |program, cookie| link(program, cookie).map_err(ProgramError::IOError);
        // Where the second cannot be attached, the first does not stay.
        let links = [attach(first, 0)?, attach(second.fd()?, SECOND)?];
        self.links.extend(links);
        Ok(true)
    }

    /// Does something with the first copy of a program, where there is one.
    pub fn with<T>(&self, name: &str, look: impl FnOnce(&ProgramFd) -> T) -> Option<T> {
        let programs = self.programs.lock().unwrap_or_else(PoisonError::into_inner);
        programs.get(name).map(look)
    }
}

/// The number of a program that can be attached twice.
pub fn number(name: &str) -> Option<u32> {
    let found = Twice::ALL.iter().find(|(_, known)| *known == name);
    found.map(|(program, _)| *program as u32)
}

/// The events that neither copy of a program has counted, by the runs of each that the kernel skipped.
///
/// An event is lost where the first copy did not count it and the second did not take it over. Each such is also one that
/// the second was skipped for. The former includes calls of processes in no workload, which the second leaves alone as the
/// first would; the latter what the first had counted, where no mark of it was found later. So there are
/// at most as many as the lesser of the two.
pub fn lost(first: u64, second: u64, turns: Turns) -> u64 {
    let not_by_first = first.saturating_add(turns.first_refused);
    let not_by_second = second
        .saturating_add(turns.second_refused)
        .saturating_sub(turns.second_not_needed);
    not_by_first
        .saturating_sub(turns.taken_over)
        .min(not_by_second)
}

/// What happened between two readings.
pub fn since(before: Turns, now: Turns) -> Turns {
    Turns {
        taken_over: now.taken_over.saturating_sub(before.taken_over),
        first_refused: now.first_refused.saturating_sub(before.first_refused),
        second_refused: now.second_refused.saturating_sub(before.second_refused),
        second_not_needed: now
            .second_not_needed
            .saturating_sub(before.second_not_needed),
    }
}

/// The part of `union bpf_attr` that attaches a program to its tracepoint.
#[repr(C)]
struct Request {
    program: u32,
    target: u32,
    kind: u32,
    flags: u32,
    target_type: u32,
    padding: u32,
    cookie: u64,
}

/// Attaches a program to its tracepoint with a cookie; aya passes none.
fn link(program: &ProgramFd, cookie: u64) -> io::Result<OwnedFd> {
    let request = Request {
        program: program.as_fd().as_raw_fd().cast_unsigned(),
        target: 0,
        kind: BPF_TRACE_RAW_TP,
        flags: 0,
        target_type: 0,
        padding: 0,
        cookie,
    };
    // SAFETY: the request is as large as is said, and lives through the call.
    let link = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            BPF_LINK_CREATE,
            ptr::from_ref(&request),
            size_of::<Request>(),
        )
    };
    match i32::try_from(link) {
        // SAFETY: the kernel has just opened it for this process, and nobody else has it.
        Ok(link) if link >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(link) }),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_lost_where_both_copies_were_skipped() {
        let turns = |taken_over, first_refused, second_refused| Turns {
            taken_over,
            first_refused,
            second_refused,
            second_not_needed: 0,
        };
        // Each that the first was skipped for has been taken over.
        assert_eq!(lost(7, 0, turns(7, 0, 0)), 0);
        // The second was skipped twice, once after the first had counted the event.
        assert_eq!(lost(7, 2, turns(6, 0, 0)), 1);
        // Calls of processes that are in no workload: the second leaves them alone as the first would.
        assert_eq!(lost(7, 0, turns(3, 0, 0)), 0);
        // It was skipped for an event that the first had counted, and the first for a process in no workload.
        let not_needed = Turns {
            second_not_needed: 1,
            ..Turns::default()
        };
        assert_eq!(lost(1, 1, not_needed), 0);
        // Interrupts within the turn of the other copy, which was then skipped itself.
        assert_eq!(lost(0, 1, turns(0, 1, 0)), 1);
        assert_eq!(lost(1, 0, turns(0, 0, 1)), 1);
    }

    #[test]
    fn every_program_of_two_copies_is_a_probe_at_a_tracepoint() {
        for (_, name) in Twice::ALL {
            let mut probes = super::super::probes::PROBES.iter();
            let probe = probes.find(|probe| probe.program == *name);
            assert!(probe.is_some_and(|probe| probe.event.is_none()), "{name}");
        }
    }
}
