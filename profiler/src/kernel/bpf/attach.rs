//! Attaching the probes.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    thread,
};

use aya::{
    Btf, Ebpf,
    programs::{
        BtfTracePoint, Program, ProgramError,
        perf_event::{PerfEventConfig, PerfEventScope, SamplePolicy},
    },
    util::online_cpus,
};

use super::{
    btf::KernelTypes,
    copies::FirstCopies,
    error::one_line,
    probes::{Feature, PROBES, Probe, ProbeSelection, is_there},
    program::program,
    scope,
    verdict::{AttachedProbe, AttachedProbes, Verdict},
    verifier::Verifier,
};
use crate::error::Error;

/// Verifies and attaches every probe that this kernel has and the user selected. Nothing counts before the window is
/// opened.
///
/// # Errors
///
/// Where a required probe cannot be attached.
pub fn attach(
    ebpf: &mut Ebpf,
    (btf, verifier): (&Btf, &Verifier),
    types: &KernelTypes,
    selection: &ProbeSelection,
) -> Result<(AttachedProbes, FirstCopies), Error> {
    let mut copies = FirstCopies::new(types.preemption.is_some());
    let mut probes: Vec<_> = PROBES
        .iter()
        .map(|probe| AttachedProbe {
            probe,
            verdict: left_out(types, selection, probe).unwrap_or(Verdict::Attached),
            runs: None,
        })
        .collect();
    let wanted = probes.iter_mut();
    verify_all(
        ebpf,
        (btf, verifier),
        &copies,
        wanted.filter(|probe| probe.verdict == Verdict::Attached),
    );
    // Without the examiner, --sync would wait for dirty pages that were truncated.
    let writeback = probes.iter_mut().find(|probe| {
        probe.probe.feature == Feature::Writeback && probe.verdict == Verdict::Attached
    });
    if let Some(probe) = writeback {
        probe.verdict = verdict_of(scope::load_examiner(ebpf, btf, verifier));
    }
    for AttachedProbe { probe, verdict, .. } in &mut probes {
        if *verdict == Verdict::Attached {
            *verdict = verdict_of(attach_verified(ebpf, probe, &mut copies));
        }
        if let (Feature::Required, Some(reason)) = (probe.feature, verdict.reason_missing()) {
            return Err(Error::ProbeMissing {
                probe: probe.program,
                reason: reason.to_owned(),
            });
        }
    }
    Ok((AttachedProbes::new(probes), copies))
}

/// Why a probe is not to be attached; none where it is.
fn left_out(types: &KernelTypes, selection: &ProbeSelection, probe: &Probe) -> Option<Verdict> {
    let absent = |reason: &str| Verdict::Absent {
        reason: reason.into(),
    };
    let not_needed = |reason| Verdict::NotNeeded { reason };
    match probe.feature {
        Feature::InsteadOf(other) if selection.includes_program(other, types) => {
            Some(not_needed(format!("{other} is there")))
        }
        _ if !is_there(probe, types) => Some(absent("this kernel has no such tracepoint")),
        _ if !selection.includes(probe, types) => Some(absent("left out by --without-probe")),
        Feature::MinorFaultTime if !selection.minor_fault_time => {
            Some(not_needed("--minor-fault-time was not given".into()))
        }
        feature if feature.reads_memory(types) && !types.may_read => Some(absent(
            "this kernel is locked down and lets no probe read its memory",
        )),
        _ if !types.has_arguments(probe.tracepoint) => {
            Some(absent("this kernel's tracepoint has other arguments"))
        }
        _ => None,
    }
}

/// Has the kernel verify probes, on all CPUs: that is most of what a start takes, and no two have anything to do with each
/// other.
fn verify_all<'a>(
    ebpf: &mut Ebpf,
    (btf, verifier): (&Btf, &Verifier),
    copies: &FirstCopies,
    probes: impl Iterator<Item = &'a mut AttachedProbe>,
) {
    let mut programs: HashMap<_, _> = ebpf.programs_mut().collect();
    let mut jobs: Vec<_> = probes
        .map(|probe| {
            let program = programs.remove(probe.probe.program);
            (probe, program)
        })
        .collect();
    let others = thread::available_parallelism().map_or(0, |cpus| cpus.get() - 1);
    let jobs = Mutex::new(jobs.iter_mut());
    let next = || jobs.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || {
        while let Some((AttachedProbe { probe, verdict, .. }, program)) = next() {
            let program = program.as_mut().ok_or(ProgramError::NotLoaded);
            *verdict = verdict_of(
                program.and_then(|program| verify(program, (btf, verifier), probe, copies)),
            );
        }
    };
    thread::scope(|scope| {
        for _ in 0..others {
            // Where there is no room for a thread, the others do it.
            let _ = thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
}

fn verify(
    program: &mut Program,
    (btf, verifier): (&Btf, &Verifier),
    probe: &Probe,
    copies: &FirstCopies,
) -> Result<(), ProgramError> {
    verifier.verify(probe.program, program, |program| match program {
        Program::PerfEvent(program) => program.load(),
        program => {
            let program: &mut BtfTracePoint = program.try_into()?;
            program.load(probe.tracepoint, btf)?;
            if copies.take(probe.program, program)? {
                program.load(probe.tracepoint, btf)?;
            }
            Ok(())
        }
    })
}

/// Attaches a probe that was verified; an event on every CPU, as the kernel has none for all of them.
fn attach_verified(
    ebpf: &mut Ebpf,
    probe: &Probe,
    copies: &mut FirstCopies,
) -> Result<(), ProgramError> {
    #[cfg(feature = "mute")]
    if super::mute::is_muted(probe.program) {
        return Ok(());
    }
    match (program(ebpf, probe.program)?, probe.event) {
        (Program::PerfEvent(program), Some(event)) => {
            for cpu in online_cpus().map_err(|(_, error)| ProgramError::IOError(error))? {
                program.attach(
                    PerfEventConfig::Software(event),
                    PerfEventScope::AllProcessesOneCpu { cpu },
                    SamplePolicy::Period(1),
                    false,
                )?;
            }
        }
        (program, _) => {
            let program: &mut BtfTracePoint = program.try_into()?;
            if !copies.attach(probe.program, program)? {
                program.attach()?;
            }
        }
    }
    Ok(())
}

fn verdict_of(done: Result<(), ProgramError>) -> Verdict {
    match done {
        Ok(()) => Verdict::Attached,
        Err(error) => Verdict::Refused {
            reason: one_line(&error),
        },
    }
}

/// Verifies and attaches one probe.
pub fn attach_one(ebpf: &mut Ebpf, btf: &Btf, probe: &Probe) -> Verdict {
    let (verifier, mut copies) = (Verifier::default(), FirstCopies::default());
    let verified = program(ebpf, probe.program)
        .and_then(|program| verify(program, (btf, &verifier), probe, &copies));
    verdict_of(verified.and_then(|()| attach_verified(ebpf, probe, &mut copies)))
}
