//! The probes: what each is for, what it is attached to, and which of them a run goes without.

use aya::programs::perf_event::SoftwareEvent;

use super::btf::KernelTypes;

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

/// The part of the report that needs a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// All of it: without the probe nothing is right.
    Required,
    /// Block requests.
    Block,
    /// Where the time went.
    Time,
    /// Page faults.
    Faults,
    /// Which faults are on pages of files.
    FaultsOnFiles,
    /// Which faults made a page dirty.
    DirtyingFaults,
    /// The duration of minor faults; attached on demand only.
    MinorFaultTime,
    /// io_uring.
    IoUring,
    /// Dirty pages: without the probe, what is written later has no owner.
    Writeback,
    /// Whom kernel threads read for: without the probe, what they read has no owner.
    Readers,
    /// What another probe is for, which this kernel does not have.
    InsteadOf(&'static str),
}

impl Feature {
    /// Whether its probes read the kernel's memory by address.
    pub fn reads_memory(self, types: &KernelTypes) -> bool {
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
    probe(SYSCALL_EXIT, "sys_exit", Feature::Required),
    probe(SYSCALL_ENTER, "sys_enter", Feature::Required),
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
    probe(URING_COMPLETE, "io_uring_complete", Feature::IoUring),
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

/// The probe that sees a request as it is queued; kernels before 6.5 do not have its tracepoint.
pub const BLOCK_START: &str = "block_start";
/// The probe that sees an io_uring request submitted; older kernels have another name for its tracepoint.
const URING_SUBMIT: &str = "uring_submit";
const SYSCALL_ENTER: &str = "syscall_enter";
const SYSCALL_EXIT: &str = "syscall_exit";
const URING_COMPLETE: &str = "uring_complete";

/// The programs that add to the files that threads used last. They are detached before these are settled.
pub const FILE_USERS: [&str; 3] = [SYSCALL_ENTER, SYSCALL_EXIT, URING_COMPLETE];

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

/// Which probes a run attaches, by the user's options.
#[derive(Clone, Debug, Default)]
pub struct ProbeSelection {
    /// The tracepoints to go without.
    pub without: Vec<String>,
    /// Whether minor page faults are timed, which costs every process.
    pub minor_fault_time: bool,
}

impl ProbeSelection {
    /// Whether the kernel has the tracepoint and the user did not exclude it.
    pub fn includes(&self, probe: &Probe, types: &KernelTypes) -> bool {
        is_there(probe, types) && !self.without.iter().any(|name| name == probe.tracepoint)
    }

    /// Whether requests must be recognised by their bios.
    pub fn queued_by_bio(&self, types: &KernelTypes) -> bool {
        !self.includes_program(BLOCK_START, types)
    }

    /// The same of a probe by its program.
    pub fn includes_program(&self, program: &str, types: &KernelTypes) -> bool {
        PROBES
            .iter()
            .any(|probe| probe.program == program && self.includes(probe, types))
    }
}

/// Whether the kernel has what a probe is attached to. All have the software events.
pub fn is_there(probe: &Probe, types: &KernelTypes) -> bool {
    probe.event.is_some() || types.has_tracepoint(probe.tracepoint)
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
