//! Attaching the probes.

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
    error::one_line,
    probes::{Feature, PROBES, Probe, ProbeSelection, is_there},
    program::program,
    scope,
    verdict::{AttachedProbe, AttachedProbes, Verdict},
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
    btf: &Btf,
    types: &KernelTypes,
    selection: &ProbeSelection,
) -> Result<AttachedProbes, Error> {
    let verified = PROBES.iter().map(|probe| AttachedProbe {
        probe,
        verdict: prepare(ebpf, btf, types, selection, probe),
        runs: None,
    });
    let mut probes: Vec<_> = verified.collect();
    for AttachedProbe { probe, verdict, .. } in &mut probes {
        if *verdict == Verdict::Attached {
            *verdict = verdict_of(attach_verified(ebpf, probe));
        }
        if let (Feature::Required, Some(reason)) = (probe.feature, verdict.reason_missing()) {
            return Err(Error::ProbeMissing {
                probe: probe.program,
                reason: reason.to_owned(),
            });
        }
    }
    Ok(AttachedProbes::new(probes))
}

/// Has the kernel verify a probe, where it is to be attached; [`Verdict::Attached`] where it can be.
fn prepare(
    ebpf: &mut Ebpf,
    btf: &Btf,
    types: &KernelTypes,
    selection: &ProbeSelection,
    probe: &Probe,
) -> Verdict {
    let absent = |reason: &str| Verdict::Absent {
        reason: reason.into(),
    };
    let not_needed = |reason| Verdict::NotNeeded { reason };
    match probe.feature {
        Feature::InsteadOf(other) if selection.includes_program(other, types) => {
            not_needed(format!("{other} is there"))
        }
        _ if !is_there(probe, types) => absent("this kernel has no such tracepoint"),
        _ if !selection.includes(probe, types) => absent("left out by --without-probe"),
        Feature::MinorFaultTime if !selection.minor_fault_time => {
            not_needed("--minor-fault-time was not given".into())
        }
        feature if feature.reads_memory(types) && !types.may_read => {
            absent("this kernel is locked down and lets no probe read its memory")
        }
        _ if !types.has_arguments(probe.tracepoint) => {
            absent("this kernel's tracepoint has other arguments")
        }
        // Without the examiner, --sync would wait for dirty pages that were truncated.
        Feature::Writeback => {
            let examiner = scope::load_examiner(ebpf, btf);
            verdict_of(examiner.and_then(|()| verify(ebpf, btf, probe)))
        }
        _ => verdict_of(verify(ebpf, btf, probe)),
    }
}

fn verify(ebpf: &mut Ebpf, btf: &Btf, probe: &Probe) -> Result<(), ProgramError> {
    match program(ebpf, probe.program)? {
        Program::PerfEvent(program) => program.load(),
        program => <&mut BtfTracePoint>::try_from(program)?.load(probe.tracepoint, btf),
    }
}

/// Attaches a probe that was verified; an event on every CPU, as the kernel has none for all of them.
fn attach_verified(ebpf: &mut Ebpf, probe: &Probe) -> Result<(), ProgramError> {
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
            <&mut BtfTracePoint>::try_from(program)?.attach()?;
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
    verdict_of(verify(ebpf, btf, probe).and_then(|()| attach_verified(ebpf, probe)))
}
