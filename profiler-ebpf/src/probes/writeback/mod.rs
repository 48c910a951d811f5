//! Dirty pages and who made them dirty, cached pages and who had them read.

pub mod dirty;
pub mod further;
pub mod outstanding;
pub mod reader;
