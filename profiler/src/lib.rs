//! ioprof: where the I/O time and the device bytes of a workload went, from the system call to the device.
//!
//! Data flows one way: `kernel` loads the probes and reads their maps, `collector` turns what they counted
//! into the plain data of `model`, `output` renders that. `commands` puts the parts together; nothing
//! depends on them.

pub mod cli;
pub mod collector;
pub mod commands;
pub mod error;
pub mod kernel;
pub mod model;
pub mod output;
pub mod text;
pub mod transfer;
pub mod version;
