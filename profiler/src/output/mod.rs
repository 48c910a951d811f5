//! A report in, text or bytes out: nothing here reads a clock, a file or the kernel.

pub mod format;
pub mod json;
pub mod terminal;
