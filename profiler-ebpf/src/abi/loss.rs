//! What can be lost, each with its counter: nothing that goes wrong in the kernel stays silent.

/// The kinds of loss; the number is the index into the `LOSSES` array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Loss {
    /// A new task of a workload could not be given its record: its calls are not counted.
    TaskRefused = 0,
    /// A call returned that was never seen to begin, by a thread that was not inside one at attach.
    ExitUnmatched = 1,
    /// The table of errors by number is full: the error is counted in the call's total only.
    ErrorsFull = 2,
    /// No histogram block was left: the value is in count, sum and extremes only.
    HistogramFull = 3,
    /// The table of requests in flight is full: the request is not counted.
    RequestsFull = 4,
    /// The table of (workload, device, operation) is full: the request is not counted.
    SlotsFull = 5,
    /// A call began before the end of the one before it was seen.
    ExitMissed = 6,
    /// A request completed that was queued before the window.
    RequestUnmatched = 7,
    /// The table of files is full: what was done to the file counts in the row of all others.
    FilesFull = 8,
    /// The table of io_uring requests is full: the request is not counted.
    UringFull = 9,
    /// The table of asynchronous operations is full: the operation is counted, its completion has no latency.
    AioFull = 10,
    /// The table of inodes with dirty pages is full: what others write of the inode is not the workload's.
    DirtyInodesFull = 11,
    /// The table of further owners of dirty pages is full: what one workload more made dirty in an inode counts for all
    /// other processes.
    DirtyOwnersFull = 12,
    /// The bytes of requests that were queued before the window.
    UnmatchedBytes = 13,
}

impl Loss {
    /// All kinds, in the order of their numbers, with the name the report uses.
    pub const ALL: [(Self, &'static str); 14] = [
        (Self::TaskRefused, "task_refused"),
        (Self::ExitUnmatched, "exit_unmatched"),
        (Self::ErrorsFull, "errors_full"),
        (Self::HistogramFull, "histogram_full"),
        (Self::RequestsFull, "requests_full"),
        (Self::SlotsFull, "slots_full"),
        (Self::ExitMissed, "exit_missed"),
        (Self::RequestUnmatched, "request_unmatched"),
        (Self::FilesFull, "files_full"),
        (Self::UringFull, "uring_full"),
        (Self::AioFull, "aio_full"),
        (Self::DirtyInodesFull, "dirty_inodes_full"),
        (Self::DirtyOwnersFull, "dirty_owners_full"),
        (Self::UnmatchedBytes, "unmatched_bytes"),
    ];
}
