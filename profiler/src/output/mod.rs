//! A report in, text or bytes out: nothing here reads a clock, a file or the kernel.
#![warn(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    reason = "a report may come from anywhere, and an overflow would end the program"
)]

pub mod comparison;
pub mod format;
pub mod json;
pub mod junit;
pub mod limits;
pub mod markdown;
pub mod terminal;
pub mod text;
