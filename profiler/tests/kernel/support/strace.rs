//! What strace counts for a command.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    process::{Command, Stdio},
};

use super::{folder, requirements::tool};

/// Calls and failed calls, by name.
pub type Counts = BTreeMap<String, (u64, u64)>;

/// `strace -f -c COMMAND`, its stdout a pipe that is read to the end.
pub fn counts(command: &[OsString]) -> Counts {
    let folder = folder();
    let table = folder.path().join("counts");
    let mut strace = tool("strace");
    strace.args(["-f", "-qq", "-c", "-U", "name,calls,errors", "-o"]);
    let done = piped(strace.arg(&table).args(command));
    assert!(done.status.success(), "{done:?}");
    let table = std::fs::read_to_string(&table).expect("strace has written its table");
    let counts = parse(&table);
    assert!(counts.contains_key("execve"), "{table}");
    counts
}

/// The table of `strace -c -U name,calls,errors`.
pub fn parse(table: &str) -> Counts {
    table.lines().filter_map(row).collect()
}

/// Runs a command whose stdout is a pipe, as it is under both.
pub fn piped(command: &mut Command) -> std::process::Output {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .output()
        .unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"))
}

/// A row of the table; the column of errors is empty where there are none.
fn row(line: &str) -> Option<(String, (u64, u64))> {
    let mut words = line.split_whitespace();
    let name = words.next()?;
    let calls = words.next()?.parse().ok()?;
    let errors = words.next().map_or(Some(0), |word| word.parse().ok())?;
    (name != "total").then(|| (name.to_owned(), (calls, errors)))
}
