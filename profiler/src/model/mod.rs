//! Plain data: what was measured, in the shape in which the report tells it.

pub mod asynchronous;
pub mod file;
pub mod histogram;
pub mod ledger;
pub mod report;
pub mod time;
