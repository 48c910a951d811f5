//! Turns what the probes counted into the report, with a file for each subject.

mod aio;
mod block;
mod call_cost;
mod context;
pub mod coverage;
mod depth;
mod device;
mod fault;
mod file;
mod file_group;
mod histogram;
mod incomplete;
mod io_uring;
mod ledger;
mod name;
mod off_cpu;
mod page_cache;
mod progress;
mod report;
mod row;
mod self_report;
mod syscall;
mod under_way;
mod writeback;

pub use ledger::loss_kinds;
pub use progress::progress;
pub use report::{CpuTime, WorkloadInfo, report};
