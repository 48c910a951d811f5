//! The probes: what each is for, what it is attached to, and which of them a run goes without.

use aya::programs::perf_event::SoftwareEvent;
use ioprof_ebpf::abi::names;

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
    /// Which programs the first process of a workload executes.
    Programs,
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

/// All probes, in the order in which they are attached. It means nothing: events count once all are.
pub const PROBES: &[Probe] = &[
    probe(names::PROCESS_EXIT, "sched_process_exit", Feature::Required),
    probe(names::TASK_NEW, "task_newtask", Feature::Required),
    probe(names::SYSCALL_EXIT, "sys_exit", Feature::Required),
    probe(names::SYSCALL_ENTER, "sys_enter", Feature::Required),
    probe(names::PROCESS_EXEC, "sched_process_exec", Feature::Programs),
    probe(names::SWITCH, "sched_switch", Feature::Time),
    probe(names::WAKING, "sched_waking", Feature::Time),
    probe(names::THROTTLE, "balance_dirty_pages", Feature::Time),
    probe(names::BIO_COMPLETE, "block_bio_complete", Feature::Block),
    probe(names::BIO_QUEUE, "block_bio_queue", Feature::Block),
    probe(names::BLOCK_COMPLETE, "block_rq_complete", Feature::Block),
    probe(names::BLOCK_MERGE, "block_rq_merge", Feature::Block),
    probe(names::BLOCK_REQUEUE, "block_rq_requeue", Feature::Block),
    probe(names::BLOCK_ISSUE, "block_rq_issue", Feature::Block),
    probe(
        names::BLOCK_BACKMERGE,
        "block_bio_backmerge",
        Feature::Block,
    ),
    probe(
        names::BLOCK_FRONTMERGE,
        "block_bio_frontmerge",
        Feature::Block,
    ),
    probe(
        names::CACHED_FOLIO,
        "mm_filemap_add_to_page_cache",
        Feature::Readers,
    ),
    probe(
        names::DIRTY_FOLIO,
        "writeback_dirty_folio",
        Feature::Writeback,
    ),
    probe(names::BLOCK_START, "block_io_start", Feature::Block),
    probe(
        names::BLOCK_GETRQ,
        "block_getrq",
        Feature::InsteadOf(names::BLOCK_START),
    ),
    event(
        names::FAULT_MAJOR,
        "major-faults",
        SoftwareEvent::PageFaultsMaj,
        Feature::Faults,
    ),
    event(
        names::FAULT_MINOR,
        "minor-faults",
        SoftwareEvent::PageFaultsMin,
        Feature::MinorFaultTime,
    ),
    probe(
        names::FAULT_DIRTIES,
        "writeback_dirty_folio",
        Feature::DirtyingFaults,
    ),
    probe(
        names::FAULT_AROUND,
        "mm_filemap_map_pages",
        Feature::FaultsOnFiles,
    ),
    probe(
        names::FAULT_FILE,
        "mm_filemap_fault",
        Feature::FaultsOnFiles,
    ),
    probe(names::FAULT_KERNEL, "page_fault_kernel", Feature::Faults),
    probe(names::FAULT_USER, "page_fault_user", Feature::Faults),
    probe(names::URING_COMPLETE, "io_uring_complete", Feature::IoUring),
    probe(
        names::URING_WORK,
        "io_uring_queue_async_work",
        Feature::IoUring,
    ),
    probe(names::URING_POLL, "io_uring_poll_arm", Feature::IoUring),
    probe(names::URING_REFUSE, "io_uring_req_failed", Feature::IoUring),
    probe(names::URING_SUBMIT, "io_uring_submit_req", Feature::IoUring),
    probe(
        names::URING_SUBMIT_SQE,
        "io_uring_submit_sqe",
        Feature::InsteadOf(names::URING_SUBMIT),
    ),
];

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
        !self.includes_program(names::BLOCK_START, types)
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
