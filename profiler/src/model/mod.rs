//! Plain data: what was measured, in the shape in which the report tells it.
//!
//! A report may come from anywhere, so what is computed here ends with a result whatever the numbers are: sums stay
//! at the largest number there is. What contradicts itself is refused by [`read`].
#![warn(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    reason = "a report may come from anywhere, and an overflow would end the program"
)]

pub mod aio;
pub mod block;
pub mod device;
pub mod fault;
pub mod file;
pub mod histogram;
pub mod io_uring;
pub mod ledger;
pub mod off_cpu;
pub mod page_cache;
pub mod read;
pub mod report;
pub mod self_report;
pub mod sum;
pub mod syscall;
pub mod transferred;
pub mod writeback;
