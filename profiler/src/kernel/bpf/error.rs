//! Errors of aya and of the verifier, in one line.

use std::error::Error;

/// An error with all its causes in one line, without the verifier's pages.
pub fn one_line(error: &dyn Error) -> String {
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

/// The verifier's objection: its last line but for the statistics.
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
