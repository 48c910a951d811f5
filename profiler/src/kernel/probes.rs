//! The probes: what each is for, how it is attached, and what became of it.

use aya::{
    Btf, Ebpf,
    programs::{BtfTracePoint, Program, ProgramError},
};

use super::{btf::KernelTypes, one_line};
use crate::{error::Error, model::ledger::Verdict};

/// A program of the object and the tracepoint it belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Probe {
    /// The program in the object.
    pub program: &'static str,
    /// The tracepoint.
    pub tracepoint: &'static str,
    /// What is lost without it.
    pub need: Need,
}

/// What hangs on a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Without it nothing is right.
    Required,
    /// Without it there is nothing to say of block requests.
    Block,
    /// Without it there is nothing to say of dirty pages, and what is written later is nobody's.
    Writeback,
    /// Without it what threads of the kernel read is nobody's.
    Readers,
    /// It stands in for another that this kernel does not have.
    InsteadOf(&'static str),
}

/// All probes, in the order in which they are attached: what ends something before what begins it, so that
/// nothing begun is left without its end.
pub const PROBES: &[Probe] = &[
    probe("process_exit", "sched_process_exit", Need::Required),
    probe("process_fork", "sched_process_fork", Need::Required),
    probe("syscall_exit", "sys_exit", Need::Required),
    probe("syscall_enter", "sys_enter", Need::Required),
    probe("block_complete", "block_rq_complete", Need::Block),
    probe("block_merge", "block_rq_merge", Need::Block),
    probe("block_requeue", "block_rq_requeue", Need::Block),
    probe("block_issue", "block_rq_issue", Need::Block),
    probe("block_backmerge", "block_bio_backmerge", Need::Block),
    probe("block_frontmerge", "block_bio_frontmerge", Need::Block),
    probe(
        "cached_folio",
        "mm_filemap_add_to_page_cache",
        Need::Readers,
    ),
    probe("dirty_folio", "writeback_dirty_folio", Need::Writeback),
    probe(BLOCK_START, "block_io_start", Need::Block),
    probe("block_getrq", "block_getrq", Need::InsteadOf(BLOCK_START)),
];

/// The probe that sees a request as it is made; kernels before 6.5 do not have its tracepoint.
const BLOCK_START: &str = "block_start";

const fn probe(program: &'static str, tracepoint: &'static str, need: Need) -> Probe {
    Probe {
        program,
        tracepoint,
        need,
    }
}

/// Which probes this run goes without, by the user's wish.
#[derive(Clone, Debug, Default)]
pub struct Without(pub Vec<String>);

impl Without {
    /// Whether the kernel has the tracepoint and the user wants it.
    pub fn leaves(&self, probe: &Probe, types: &KernelTypes) -> bool {
        types.has_tracepoint(probe.tracepoint)
            && !self.0.iter().any(|name| name == probe.tracepoint)
    }

    /// Whether requests must be recognised by their bios.
    pub fn made_by_bio(&self, types: &KernelTypes) -> bool {
        !PROBES
            .iter()
            .any(|probe| probe.program == BLOCK_START && self.leaves(probe, types))
    }
}

/// Verifies and attaches every probe that this kernel has; what became of each, in the order of [`PROBES`].
/// `before_requests` is called when all is ready for the first request to be counted.
///
/// # Errors
///
/// Where a probe that everything hangs on cannot be attached.
pub fn attach(
    ebpf: &mut Ebpf,
    btf: &Btf,
    types: &KernelTypes,
    without: &Without,
    before_requests: impl FnOnce(),
) -> Result<Vec<Verdict>, Error> {
    let mut verdicts: Vec<_> = PROBES
        .iter()
        .map(|probe| prepare(ebpf, btf, types, without, probe))
        .collect();
    let mut before_requests = Some(before_requests);
    for (probe, verdict) in PROBES.iter().zip(&mut verdicts) {
        if probe.program == BLOCK_START
            && let Some(ready) = before_requests.take()
        {
            ready();
        }
        if *verdict == Verdict::Attached
            && let Err(error) = program_of(ebpf, probe).and_then(|program| program.attach())
        {
            *verdict = refused(&error);
        }
        if let (Need::Required, Some(reason)) = (probe.need, verdict.reason_missing()) {
            return Err(Error::ProbeMissing {
                probe: probe.program,
                reason: reason.to_owned(),
            });
        }
    }
    stand_in(&mut verdicts);
    Ok(verdicts)
}

/// A probe whose work another does is not missing.
fn stand_in(verdicts: &mut [Verdict]) {
    for (at, probe) in PROBES.iter().enumerate() {
        let Need::InsteadOf(other) = probe.need else {
            continue;
        };
        if verdicts[at] == Verdict::Attached
            && let Some(replaced) = PROBES.iter().position(|probe| probe.program == other)
        {
            verdicts[replaced] = Verdict::NotNeeded {
                reason: format!("{} does its work", probe.program),
            };
        }
    }
}

/// Has the kernel verify a probe, where it is to be attached; [`Verdict::Attached`] where it can be.
fn prepare(
    ebpf: &mut Ebpf,
    btf: &Btf,
    types: &KernelTypes,
    without: &Without,
    probe: &Probe,
) -> Verdict {
    if !types.has_tracepoint(probe.tracepoint) {
        return Verdict::Absent {
            reason: "this kernel has no such tracepoint".into(),
        };
    }
    if !without.leaves(probe, types) {
        return Verdict::Absent {
            reason: "left out by --without-probe".into(),
        };
    }
    match probe.need {
        Need::InsteadOf(other) if !without.made_by_bio(types) => Verdict::NotNeeded {
            reason: format!("{other} is there"),
        },
        _ => verify(ebpf, btf, probe),
    }
}

fn verify(ebpf: &mut Ebpf, btf: &Btf, probe: &Probe) -> Verdict {
    let loaded = program_of(ebpf, probe).and_then(|program| program.load(probe.tracepoint, btf));
    loaded.map_or_else(|error| refused(&error), |()| Verdict::Attached)
}

fn refused(error: &ProgramError) -> Verdict {
    Verdict::Refused {
        reason: one_line(error),
    }
}

fn program_of<'a>(
    ebpf: &'a mut Ebpf,
    probe: &Probe,
) -> Result<&'a mut BtfTracePoint, ProgramError> {
    program(ebpf, probe.program)?.try_into()
}

/// Verifies and attaches one probe.
pub fn attach_one(ebpf: &mut Ebpf, btf: &Btf, probe: &Probe) -> Verdict {
    let verdict = verify(ebpf, btf, probe);
    if verdict != Verdict::Attached {
        return verdict;
    }
    let attached = program_of(ebpf, probe).and_then(|program| program.attach());
    attached.map_or_else(|error| refused(&error), |_| verdict)
}

/// A program of the object by its name.
pub fn program<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut Program, ProgramError> {
    ebpf.program_mut(name).ok_or(ProgramError::NotLoaded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_something_comes_before_what_begins_it() {
        let at = |name| PROBES.iter().position(|probe| probe.program == name);
        assert!(at("syscall_exit") < at("syscall_enter"));
        assert!(at("block_complete") < at("block_issue"));
        assert!(at("block_issue") < at("block_start"));
        assert!(at("process_exit") < at("process_fork"));
    }
}
