//! Printing and writing the report of a run.

use std::io;

use crate::{
    error::Error,
    launch::destination::Destination,
    model::report::Report,
    output::{
        json,
        terminal::{self, Style, View},
    },
};

/// Writes the report where the user wants it, and prints it for reading to stderr, as perf stat does.
///
/// # Errors
///
/// Where it cannot be written.
pub fn deliver(report: &Report, view: &View, destination: Destination) -> Result<(), Error> {
    let stderr = io::stderr();
    let style = Style::of(&stderr);
    let mut text = terminal::render(report, view, style);
    if *view == View::Screen {
        let file = destination.name();
        text.push_str(&rest(
            &file.unwrap_or_else(|| "FILE (as written with -o)".into()),
            style,
        ));
    }
    print(&mut stderr.lock(), &text);
    destination.write(&json::render(report))
}

/// Tells the user that the probes are attached.
pub fn say_ready(pids: &[i32]) {
    let pids: Vec<_> = pids.iter().map(ToString::to_string).collect();
    let line = format!("ioprof: profiling {}; Ctrl-C ends it\n", pids.join(", "));
    print(&mut io::stderr(), &line);
}

/// Tells the user of processes that exist below those that are profiled, and are not.
pub fn say_left_out(processes: usize) {
    let (are, them) = match processes {
        1 => ("process exists", "it"),
        _ => ("processes exist", "them"),
    };
    let line = format!("ioprof: {processes} {are} below, not in scope; --tree takes {them}\n");
    print(&mut io::stderr(), &line);
}

/// Prints; a reader that has gone, such as `head`, is no error.
pub fn print(to: &mut impl io::Write, text: &str) {
    let _ = to.write_all(text.as_bytes()).and_then(|()| to.flush());
}

/// Where the rest of a report is, of which the first screen was shown.
pub fn rest(file: &str, style: Style) -> String {
    format!(
        "{}\n",
        style.faint(&format!("All of it: ioprof report --full {file}"))
    )
}
