//! Plain data: what was measured, in the form of the report. Doc comments of its fields are the descriptions in
//! docs/report.schema.json.
//!
//! A report is untrusted, so what is computed here has a result for all numbers: sums saturate. [`read`] rejects what
//! contradicts itself.
#![warn(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    reason = "a report may come from anywhere, and an overflow would end the program"
)]

pub mod aio;
pub mod block;
pub mod calibration;
pub mod coverage;
pub mod device;
pub mod fault;
pub mod file;
pub mod finding;
pub mod histogram;
pub mod io_uring;
pub mod ledger;
pub mod off_cpu;
pub mod page_cache;
pub mod progress;
pub mod read;
pub mod report;
pub mod row;
pub mod self_report;
pub mod sum;
pub mod syscall;
pub mod transferred;
pub mod tune;
pub mod under_way;
pub mod writeback;
