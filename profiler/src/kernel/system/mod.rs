//! Processes, devices and the machine, by /proc, /sys and system calls.

pub mod capabilities;
pub mod device;
mod device_stack;
pub mod disk;
pub mod evict;
pub mod file_systems;
pub mod handle;
pub mod lead;
mod listing;
pub mod machine;
mod mounts;
pub mod namespace;
pub mod process;
pub mod tree;
pub mod tunable;

pub use device_stack::DeviceTopology;
pub use mounts::{MountedAs, Mounts};
