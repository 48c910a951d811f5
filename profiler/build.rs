//! Embeds the eBPF object: the committed one, or the one that `IOPROF_EBPF_OBJECT` names.

use std::{env, path::PathBuf};

fn main() {
    println!("cargo::rerun-if-env-changed=IOPROF_EBPF_OBJECT");
    let committed = PathBuf::from("ebpf/ioprof.bpf.o");
    let object = env::var_os("IOPROF_EBPF_OBJECT").map_or(committed, PathBuf::from);
    let Ok(object) = object.canonicalize() else {
        println!(
            "cargo::error=no eBPF object at {}: build it with `cargo xtask ebpf`",
            object.display()
        );
        return;
    };
    println!("cargo::rerun-if-changed={}", object.display());
    println!("cargo::rerun-if-changed=ebpf/record.json");
    println!("cargo::rustc-env=IOPROF_OBJECT={}", object.display());
}
