//! The kernel side of ioprof: what both sides compile.
//!
//! The types here cross from the probes to user space through BPF maps. They hold integers only, with
//! explicit padding and size assertions, so that every bit pattern is a valid value and nothing reads
//! uninitialised memory. The probes themselves are in the binary of this package and exist only for the
//! BPF target.
#![no_std]

pub mod abi;
pub mod histogram;
