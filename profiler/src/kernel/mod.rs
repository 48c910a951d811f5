//! All that speaks with the kernel: `bpf` loads the probes and is the only part that knows aya, `snapshot` reads
//! what they counted, `system` reads /proc and /sys, and `session` puts these together to one measurement.

pub mod bpf;
mod helper;
pub mod opcode;
mod session;
pub mod snapshot;
pub mod syscall;
pub mod system;

pub use helper::{Helper, close_all_but, ignore_signals, sync_file_system};
pub use session::{Session, Settings};
