//! The only place that knows aya: loads the probes, brings processes into scope, reads the maps.

pub mod asynchronous;
mod baseline;
pub mod btf;
mod descriptors;
mod files;
mod helper;
mod histograms;
mod maps;
mod mounts;
#[cfg(feature = "mute")]
mod mute;
mod object;
mod overhead;
pub mod privileges;
pub mod probes;
pub mod proc;
mod requests;
mod series;
mod session;
mod stack;
pub mod syscalls;
mod tasks;

pub use baseline::Baseline;
pub use files::File;
pub use helper::{Helper, sync_file_system};
pub use histograms::Buckets;
pub use maps::{Call, Faults, Requests, Snapshot};
pub use mounts::Mounts;
pub use object::RECORD as OBJECT_RECORD;
pub use overhead::{Cost, Overhead};
pub use session::{Session, Settings};
pub use stack::Stack;
pub use tasks::{Origin, pidfd_open};

/// An error with all its causes in one line, without the verifier's pages.
pub fn one_line(error: &dyn std::error::Error) -> String {
    let mut causes = vec![error.to_string()];
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !causes.iter().any(|known| known.contains(&text)) {
            causes.push(text);
        }
        next = cause.source();
    }
    let all = causes.join(": ");
    let line = match all.split_once("Verifier output:") {
        Some((before, log)) => verifiers_last_word(log).unwrap_or(before),
        None => &all,
    };
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What the verifier minds, which stands last but for its statistics.
fn verifiers_last_word(log: &str) -> Option<&str> {
    let statistics = [
        "processed",
        "verification time",
        "stack depth",
        "subprog ",
        "insns ",
    ];
    log.lines()
        .rev()
        .find(|line| !line.is_empty() && !statistics.iter().any(|words| line.starts_with(words)))
}
