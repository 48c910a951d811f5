//! What /proc, /sys and the system calls for it say of processes, devices and the machine.

pub mod capabilities;
pub mod device;
mod device_stack;
pub mod machine;
mod mounts;
pub mod process;

pub use device_stack::DeviceTopology;
pub use mounts::Mounts;
