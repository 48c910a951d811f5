//! The probes of ioprof: everything that runs in the kernel.
//!
//! Off the BPF target this is an empty program, so that the whole workspace builds with a stable toolchain.
#![cfg_attr(target_arch = "bpf", no_std, no_main)]
#![cfg_attr(
    target_arch = "bpf",
    feature(core_intrinsics),
    allow(
        internal_features,
        reason = "the target declares no atomic types, though the machine has them"
    )
)]

#[cfg(target_arch = "bpf")]
mod probes;

#[cfg(not(target_arch = "bpf"))]
fn main() {}
