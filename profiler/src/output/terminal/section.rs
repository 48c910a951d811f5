//! The sections of a report.

use clap::ValueEnum;

/// A section, by the name it has on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Section {
    /// What each workload is, and the sums of what it did.
    Summary,
    /// What is wrong, with the figures that show it.
    Findings,
    /// Where the time of its threads went.
    Time,
    /// What each of its processes and threads did.
    Processes,
    /// Its system calls.
    Calls,
    /// How the page cache served it.
    Cache,
    /// Its files.
    Files,
    /// What it did by io_uring.
    IoUring,
    /// What it did by io_submit.
    Aio,
    /// Its requests to devices.
    Block,
    /// What a built-in workload reports of itself.
    SelfReport,
    /// The devices, for all processes.
    Devices,
    /// What was lost or is missing, and the kernel's own counters.
    Ledger,
}

impl Section {
    /// All of them, in the order in which they are shown.
    pub const ALL: &[Self] = &[
        Self::Summary,
        Self::Findings,
        Self::Time,
        Self::Processes,
        Self::Calls,
        Self::Cache,
        Self::Files,
        Self::IoUring,
        Self::Aio,
        Self::Block,
        Self::SelfReport,
        Self::Devices,
        Self::Ledger,
    ];
}
