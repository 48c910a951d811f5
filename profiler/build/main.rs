//! Embeds the eBPF object: the committed one, or the one that `IOPROF_EBPF_OBJECT` names; and what `ioprof
//! --version` tells of where the binary comes from.

mod commit;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use sha2::{Digest as _, Sha256};

/// The sources of the binary, below the workspace's folder.
const SOURCES: &[&str] = &[
    "Cargo.lock",
    "Cargo.toml",
    "profiler-ebpf/Cargo.toml",
    "profiler-ebpf/src",
    "profiler/Cargo.toml",
    "profiler/build",
    "profiler/ebpf",
    "profiler/src",
    "workloads/Cargo.toml",
    "workloads/src",
];

fn main() {
    println!("cargo::rerun-if-changed=build");
    embed_object();
    let (commit, date) = commit_of_sources().unwrap_or_else(|| (unknown(), unknown()));
    tell("IOPROF_COMMIT", &commit);
    tell("IOPROF_COMMIT_DATE", &date);
    tell("IOPROF_RUSTC", &compiler());
    for (name, variable) in [("IOPROF_TARGET", "TARGET"), ("IOPROF_PROFILE", "PROFILE")] {
        tell(name, &env::var(variable).unwrap_or_else(|_| unknown()));
    }
}

fn unknown() -> String {
    "unknown".to_owned()
}

fn tell(name: &str, value: &str) {
    println!("cargo::rustc-env={name}={value}");
}

fn embed_object() {
    println!("cargo::rerun-if-env-changed=IOPROF_EBPF_OBJECT");
    let committed = PathBuf::from("ebpf/ioprof.bpf.o");
    let object = env::var_os("IOPROF_EBPF_OBJECT").map_or(committed, PathBuf::from);
    let read = object
        .canonicalize()
        .and_then(|path| Ok((fs::read(&path)?, path)));
    let Ok((bytes, object)) = read else {
        println!(
            "cargo::error=no eBPF object at {}: build it with `cargo xtask ebpf`",
            object.display()
        );
        return;
    };
    watch(&object);
    println!("cargo::rerun-if-changed=ebpf/record.json");
    tell("IOPROF_OBJECT", &object.display().to_string());
    let hash = Sha256::digest(bytes);
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    tell("IOPROF_OBJECT_SHA256", &hex);
}

/// The commit of this checkout, and its date; none outside of a checkout, such as in an unpacked archive.
fn commit_of_sources() -> Option<(String, String)> {
    let checkout = commit::Checkout::at(Path::new(".."))?;
    let sources = SOURCES.iter().map(|path| Path::new("..").join(path));
    for path in checkout.moves_with_head().into_iter().chain(sources) {
        // A missing file would count as changed each time.
        if path.exists() {
            watch(&path);
        }
    }
    Some((checkout.commit(SOURCES)?, checkout.date()?))
}

fn watch(path: &Path) {
    println!("cargo::rerun-if-changed={}", path.display());
}

/// The compiler's own line.
fn compiler() -> String {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let asked = Command::new(rustc).arg("--version").output();
    asked
        .ok()
        .filter(|answer| answer.status.success())
        .and_then(|answer| String::from_utf8(answer.stdout).ok())
        .map_or_else(unknown, |line| line.trim().to_owned())
}
