//! The probes: what each is for, how it is attached, and what became of it.

use aya::{
    Btf, Ebpf,
    programs::{
        BtfTracePoint, Program, ProgramError,
        perf_event::{PerfEventConfig, PerfEventScope, SamplePolicy, SoftwareEvent},
    },
    util::online_cpus,
};

use super::{Settings, btf::KernelTypes, one_line, tasks};
use crate::{error::Error, model::ledger::Verdict};

/// A program of the object and what it is attached to.
#[derive(Clone, Copy, Debug)]
pub struct Probe {
    /// The program in the object.
    pub program: &'static str,
    /// The tracepoint, or what perf calls the event.
    pub tracepoint: &'static str,
    /// The perf event that it is instead of a tracepoint.
    pub event: Option<SoftwareEvent>,
    /// What is lost without it.
    pub feature: Feature,
}

/// What hangs on a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// DisabledProbes it nothing is right.
    Required,
    /// DisabledProbes it there is nothing to say of block requests.
    Block,
    /// DisabledProbes it there is nothing to say of where the time went.
    Time,
    /// DisabledProbes it there is nothing to say of page faults.
    Faults,
    /// DisabledProbes it nobody knows which faults are on pages of files.
    FaultsOnFiles,
    /// DisabledProbes it nobody knows which faults made a page dirty.
    DirtyingFaults,
    /// DisabledProbes it minor faults have no duration; it is there on demand only.
    MinorFaultTime,
    /// DisabledProbes it there is nothing to say of io_uring.
    IoUring,
    /// DisabledProbes it there is nothing to say of dirty pages, and what is written later is nobody's.
    Writeback,
    /// DisabledProbes it what threads of the kernel read is nobody's.
    Readers,
    /// It stands in for another that this kernel does not have.
    InsteadOf(&'static str),
}

impl Feature {
    /// Whether what hangs on it is found by reading the kernel's memory by address.
    fn reads_memory(self, types: &KernelTypes) -> bool {
        match self {
            Self::Writeback | Self::Readers | Self::FaultsOnFiles | Self::DirtyingFaults => true,
            // How a request was executed is found in the ring, to which the arguments lead by their types or not.
            Self::IoUring => !types.completes_by_cqe(),
            _ => false,
        }
    }
}

/// All probes, in the order in which they are attached: what ends something before what begins it, so that
/// nothing begun is left without its end.
pub const PROBES: &[Probe] = &[
    probe("process_exit", "sched_process_exit", Feature::Required),
    probe("process_fork", "sched_process_fork", Feature::Required),
    probe("syscall_exit", "sys_exit", Feature::Required),
    probe("syscall_enter", "sys_enter", Feature::Required),
    probe("switch", "sched_switch", Feature::Time),
    probe("waking", "sched_waking", Feature::Time),
    probe("throttle", "balance_dirty_pages", Feature::Time),
    probe("block_complete", "block_rq_complete", Feature::Block),
    probe("block_merge", "block_rq_merge", Feature::Block),
    probe("block_requeue", "block_rq_requeue", Feature::Block),
    probe("block_issue", "block_rq_issue", Feature::Block),
    probe("block_backmerge", "block_bio_backmerge", Feature::Block),
    probe("block_frontmerge", "block_bio_frontmerge", Feature::Block),
    probe(
        "cached_folio",
        "mm_filemap_add_to_page_cache",
        Feature::Readers,
    ),
    probe("dirty_folio", "writeback_dirty_folio", Feature::Writeback),
    probe(BLOCK_START, "block_io_start", Feature::Block),
    probe(
        "block_getrq",
        "block_getrq",
        Feature::InsteadOf(BLOCK_START),
    ),
    event(
        "fault_major",
        "major-faults",
        SoftwareEvent::PageFaultsMaj,
        Feature::Faults,
    ),
    event(
        "fault_minor",
        "minor-faults",
        SoftwareEvent::PageFaultsMin,
        Feature::MinorFaultTime,
    ),
    probe(
        "fault_dirties",
        "writeback_dirty_folio",
        Feature::DirtyingFaults,
    ),
    probe(
        "fault_around",
        "mm_filemap_map_pages",
        Feature::FaultsOnFiles,
    ),
    probe("fault_file", "mm_filemap_fault", Feature::FaultsOnFiles),
    probe("fault_kernel", "page_fault_kernel", Feature::Faults),
    probe("fault_user", "page_fault_user", Feature::Faults),
    probe("uring_complete", "io_uring_complete", Feature::IoUring),
    probe("uring_work", "io_uring_queue_async_work", Feature::IoUring),
    probe("uring_poll", "io_uring_poll_arm", Feature::IoUring),
    probe("uring_refuse", "io_uring_req_failed", Feature::IoUring),
    probe(URING_SUBMIT, "io_uring_submit_req", Feature::IoUring),
    probe(
        "uring_submit_sqe",
        "io_uring_submit_sqe",
        Feature::InsteadOf(URING_SUBMIT),
    ),
];

/// The probe that sees a request as it is made; kernels before 6.5 do not have its tracepoint.
const BLOCK_START: &str = "block_start";
/// The probe that sees an io_uring request submitted; older kernels have another name for its tracepoint.
const URING_SUBMIT: &str = "uring_submit";

/// A probe at a tracepoint.
pub const fn probe(program: &'static str, tracepoint: &'static str, feature: Feature) -> Probe {
    Probe {
        program,
        tracepoint,
        event: None,
        feature,
    }
}

const fn event(
    program: &'static str,
    name: &'static str,
    event: SoftwareEvent,
    feature: Feature,
) -> Probe {
    Probe {
        event: Some(event),
        ..probe(program, name, feature)
    }
}

/// Which probes this run goes without, by the user's wish.
#[derive(Clone, Debug, Default)]
pub struct DisabledProbes(pub Vec<String>);

impl DisabledProbes {
    /// Whether the kernel has the tracepoint and the user wants it.
    pub fn leaves(&self, probe: &Probe, types: &KernelTypes) -> bool {
        is_there(probe, types) && !self.0.iter().any(|name| name == probe.tracepoint)
    }

    /// Whether requests must be recognised by their bios.
    pub fn queued_by_bio(&self, types: &KernelTypes) -> bool {
        !self.leaves_program(BLOCK_START, types)
    }

    fn leaves_program(&self, program: &str, types: &KernelTypes) -> bool {
        PROBES
            .iter()
            .any(|probe| probe.program == program && self.leaves(probe, types))
    }
}

/// Whether the kernel has what a probe is attached to. All have the software events.
fn is_there(probe: &Probe, types: &KernelTypes) -> bool {
    probe.event.is_some() || types.has_tracepoint(probe.tracepoint)
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
    settings: &Settings,
    before_requests: impl FnOnce(),
) -> Result<Vec<Verdict>, Error> {
    let mut verdicts: Vec<_> = PROBES
        .iter()
        .map(|probe| prepare(ebpf, btf, types, settings, probe))
        .collect();
    let mut before_requests = Some(before_requests);
    for (probe, verdict) in PROBES.iter().zip(&mut verdicts) {
        if probe.program == BLOCK_START
            && let Some(ready) = before_requests.take()
        {
            ready();
        }
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
    stand_in(&mut verdicts);
    Ok(verdicts)
}

/// A probe whose work another does is not missing.
fn stand_in(verdicts: &mut [Verdict]) {
    for (at, probe) in PROBES.iter().enumerate() {
        let Feature::InsteadOf(other) = probe.feature else {
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
    settings: &Settings,
    probe: &Probe,
) -> Verdict {
    let without = &settings.without;
    let absent = |reason: &str| Verdict::Absent {
        reason: reason.into(),
    };
    let not_needed = |reason| Verdict::NotNeeded { reason };
    match probe.feature {
        Feature::InsteadOf(other) if without.leaves_program(other, types) => {
            not_needed(format!("{other} is there"))
        }
        _ if !is_there(probe, types) => absent("this kernel has no such tracepoint"),
        _ if !without.leaves(probe, types) => absent("left out by --without-probe"),
        Feature::MinorFaultTime if !settings.minor_fault_time => {
            not_needed("--minor-fault-time was not given".into())
        }
        feature if feature.reads_memory(types) && !types.may_read => {
            absent("this kernel is locked down and lets no probe read its memory")
        }
        _ if !types.has_arguments(probe.tracepoint) => {
            absent("this kernel's tracepoint has other arguments")
        }
        // Dirty pages that were truncated would be waited for if nobody looked.
        Feature::Writeback => {
            let examiner = tasks::load_examiner(ebpf, btf);
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

/// Detaches programs; those that are not attached stay as they are.
pub fn detach(ebpf: &mut Ebpf, names: &[&str]) {
    for name in names {
        if let Ok(Program::BtfTracePoint(program)) = program(ebpf, name) {
            // It fails where the program was never loaded.
            let _ = program.unload();
        }
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
        assert!(at("fault_major") < at("fault_file"));
        assert!(at("fault_file") < at("fault_user"));
        assert!(at("process_exit") < at("process_fork"));
        assert!(at("uring_complete") < at("uring_submit"));
    }
}
