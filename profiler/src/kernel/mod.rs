//! The only place that knows aya: loads the probes, brings processes into scope, reads the maps.

pub mod btf;
mod floor;
mod maps;
mod object;
mod own_cost;
pub mod privileges;
pub mod probes;
pub mod proc;
mod session;
pub mod syscalls;
mod tasks;

pub use floor::Floor;
pub use maps::{Requests, Snapshot};
pub use object::RECORD as OBJECT_RECORD;
pub use own_cost::OwnCost;
pub use session::{Session, Settings};
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
    let line = all
        .split_once("Verifier output:")
        .map_or(all.as_str(), |(before, log)| {
            // The verifier's last words say what it minds.
            return log
                .lines()
                .rev()
                .find(|line| {
                    !line.is_empty()
                        && !line.starts_with("processed")
                        && !line.contains("verification time")
                })
                .map_or(before, |last| last);
        });
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}
