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

/// Attaches every probe that this kernel has; what became of each, in the order of [`PROBES`].
///
/// # Errors
///
/// Where a probe that everything hangs on cannot be attached.
pub fn attach(
    ebpf: &mut Ebpf,
    btf: &Btf,
    types: &KernelTypes,
    without: &Without,
) -> Result<Vec<Verdict>, Error> {
    let mut verdicts = Vec::new();
    for probe in PROBES {
        let verdict = if without.leaves(probe, types) {
            match probe.need {
                Need::InsteadOf(other) if !without.made_by_bio(types) => Verdict::NotNeeded {
                    reason: format!("{other} is there"),
                },
                _ => attach_one(ebpf, btf, probe),
            }
        } else if types.has_tracepoint(probe.tracepoint) {
            Verdict::Absent {
                reason: "left out by --without-probe".into(),
            }
        } else {
            Verdict::Absent {
                reason: "this kernel has no such tracepoint".into(),
            }
        };
        if let (Need::Required, Some(reason)) = (probe.need, verdict.reason_missing()) {
            return Err(Error::ProbeMissing {
                probe: probe.program,
                reason: reason.to_owned(),
            });
        }
        verdicts.push(verdict);
    }
    Ok(verdicts)
}

/// Verifies and attaches one probe.
pub fn attach_one(ebpf: &mut Ebpf, btf: &Btf, probe: &Probe) -> Verdict {
    let attached = || -> Result<(), ProgramError> {
        let program: &mut BtfTracePoint = program(ebpf, probe.program)?.try_into()?;
        program.load(probe.tracepoint, btf)?;
        program.attach()?;
        Ok(())
    }();
    match attached {
        Ok(()) => Verdict::Attached,
        Err(error) => Verdict::Refused {
            reason: one_line(&error),
        },
    }
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
