//! The version: the commit, the embedded eBPF object, and the compilers of both.

use std::fmt::Write as _;

use serde::Deserialize;

use crate::kernel::bpf::OBJECT_RECORD;

/// The version's number.
pub const NUMBER: &str = env!("CARGO_PKG_VERSION");

/// The commit, with `-dirty` behind it where the sources were not as committed; or "unknown".
const COMMIT: &str = env!("IOPROF_COMMIT");

/// The date of the commit, as in 2026-11-22; or "unknown".
pub const DATE: &str = env!("IOPROF_COMMIT_DATE");

/// The hash of the embedded object.
const OBJECT_SHA256: &str = env!("IOPROF_OBJECT_SHA256");

/// How many digits of a commit's hash a line has.
const SHORT: usize = 12;

/// The record beside the committed object.
#[derive(Deserialize)]
struct Record {
    sources_sha256: String,
    object_sha256: String,
    rustc: String,
    llvm: String,
    bpf_linker: String,
}

/// `--version`: one line.
pub fn line() -> String {
    format!("ioprof {NUMBER} (commit {})", short(COMMIT))
}

/// `--version --verbose`: a line for each fact.
pub fn verbose() -> String {
    let mut text = format!("ioprof {NUMBER}\n");
    let mut line = |what: &str, is: &str| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{what:<20} {is}");
    };
    line("commit", COMMIT);
    line("commit date", DATE);
    line("compiler", env!("IOPROF_RUSTC"));
    let build = concat!(env!("IOPROF_TARGET"), ", ", env!("IOPROF_PROFILE"));
    line("target", build);
    line("eBPF object", &format!("sha256 {OBJECT_SHA256}"));
    match serde_json::from_str::<Record>(OBJECT_RECORD) {
        Ok(record) if record.object_sha256 == OBJECT_SHA256 => {
            line("eBPF sources", &format!("sha256 {}", record.sources_sha256));
            line("eBPF compiler", &record.rustc);
            line("eBPF LLVM", &record.llvm);
            line("eBPF linker", &format!("bpf-linker {}", record.bpf_linker));
        }
        // `IOPROF_EBPF_OBJECT` named another one at build time.
        _ => line(
            "eBPF compiler",
            "unknown: the object is not the recorded one",
        ),
    }
    text
}

/// The beginning of a commit's hash, and whether it is dirty.
fn short(commit: &str) -> String {
    let (hash, rest) = commit.split_once('-').unwrap_or((commit, ""));
    let hash = hash.get(..SHORT).unwrap_or(hash);
    if rest.is_empty() {
        hash.to_owned()
    } else {
        format!("{hash}-{rest}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_shortened_and_stays_dirty() {
        let hash = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!(short(hash), "0123456789ab");
        assert_eq!(short(&format!("{hash}-dirty")), "0123456789ab-dirty");
        assert_eq!(short("unknown"), "unknown");
    }
}
