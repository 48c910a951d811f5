//! ioprof: where the I/O time and the device bytes of a workload went, from the system call to the device.
//!
//! Data flows one way: `kernel` loads the probes and reads their maps, `collector` turns what they counted into the
//! plain data of `model`, `analysis` draws conclusions from it, `output` renders both. `launch` starts what is
//! profiled; `commands` puts the parts together, and nothing depends on them. `error`, `text` and `transfer` are below
//! all others.

#![warn(clippy::print_stdout, clippy::print_stderr)]

pub mod analysis;
pub mod cli;
pub mod collector;
#[allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "commands answer on the terminal"
)]
pub mod commands;
#[cfg(test)]
mod coverage_page;
pub mod error;
pub mod kernel;
mod launch;
pub mod model;
pub mod output;
#[cfg(test)]
mod schema;
pub mod text;
pub mod transfer;
pub mod version;
