//! The probes of ioprof: everything that runs in the kernel.
//!
//! Off the BPF target this is an empty program, so that the whole workspace builds with a stable toolchain.
#![cfg_attr(target_arch = "bpf", no_std, no_main)]
#![cfg_attr(
    target_arch = "bpf",
    feature(asm_experimental_arch, core_intrinsics),
    allow(
        internal_features,
        reason = "the target declares no atomic types, though the machine has them"
    )
)]
#![cfg_attr(
    target_arch = "bpf",
    expect(
        clippy::multiple_unsafe_ops_per_block,
        reason = "a probe walks from one argument through the kernel's memory: the comment is of the walk"
    ),
    expect(
        clippy::needless_borrows_for_generic_args,
        reason = "a key that is passed by value is copied on the stack once more, which has 512 bytes"
    )
)]

#[cfg(target_arch = "bpf")]
mod probes;

#[cfg(not(target_arch = "bpf"))]
fn main() {}
