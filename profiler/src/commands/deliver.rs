//! Printing and writing the report of a run.

use std::{
    fs::File,
    io::{self, Write as _},
    path::Path,
    process::ExitCode,
};

use ioprof_workloads::Interrupt;
use nix::sys::signal::Signal;

use crate::{
    cli::Common,
    error::Error,
    launch::{destination::Destination, history::History},
    model::report::Report,
    output::{
        format::command_line,
        json,
        terminal::{self, Style, View},
        text::line,
    },
    text::Text,
};

/// Prints the report for reading to stderr, as perf stat does, or hands it over in a file; keeps it for `ioprof report`, and
/// writes it where the user wants it.
///
/// # Errors
///
/// Where it cannot be written. That it cannot be kept is no error, but told.
pub fn deliver(
    report: &Report,
    common: &Common,
    destination: Destination,
    hand_over: Option<File>,
) -> Result<(), Error> {
    let json = json::render(report);
    let kept = (!common.no_save).then(|| History::of_this_user().and_then(|all| all.save(&json)));
    let stderr = io::stderr();
    let style = Style::of(&stderr);
    let mut text = String::new();
    if let Some(Err(reason)) = &kept {
        let message = format!("ioprof: the report is not kept: {reason}; try --no-save");
        text.push_str(&line(&message));
    }
    if hand_over.is_none() {
        let kept = kept.and_then(Result::ok);
        let kept = kept.map(Text::of);
        text.push_str(&shown(report, common, destination.name().or(kept), style));
    }
    print(&mut stderr.lock(), &text);
    destination.write(&json)?;
    // Last: where it cannot be written, no other run is to follow.
    let handed_over = hand_over.map_or(Ok(()), |mut file| file.write_all(&json));
    handed_over.map_err(Error::system("handing the report over"))
}

/// What the user wants to see of the report, and where the rest of it is.
fn shown(report: &Report, common: &Common, file: Option<Text>, style: Style) -> String {
    let view = common.shown.view();
    let mut text = terminal::render(report, &view, style);
    if view == View::Screen {
        text.push_str(&rest(file.as_ref(), style));
    }
    text
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

/// Prints what is for reading to stdout; to stderr, where JSON goes to stdout.
pub fn show(output: Option<&Path>, text: impl FnOnce(Style) -> String) {
    if output.is_some_and(Destination::is_stdout) {
        let stderr = io::stderr();
        print(&mut stderr.lock(), &text(Style::of(&stderr)));
    } else {
        let stdout = io::stdout();
        print(&mut stdout.lock(), &text(Style::of(&stdout)));
    }
}

/// Tells what a signal has stopped; the exit status.
pub fn stopped(interrupt: &Interrupt, what: &str) -> ExitCode {
    let number = interrupt.signal().unwrap_or_default();
    let name = Signal::try_from(number).map_or("a signal", Signal::as_str);
    print(&mut io::stderr(), &format!("ioprof: {name}: {what}\n"));
    ExitCode::from(128 + u8::try_from(number).unwrap_or(0))
}

/// Where the rest of a report is, of which the first screen was shown.
pub fn rest(file: Option<&Text>, style: Style) -> String {
    let rest = match file {
        Some(file) => format!("All of it: ioprof report --full {}", operand(file)),
        None => "All of it: --full; to keep it: -o FILE".to_owned(),
    };
    format!("{}\n", style.faint(&rest))
}

/// A file as a shell takes it: of a home only what is below it may be quoted.
fn operand(file: &Text) -> String {
    let name = file.to_string();
    match name.strip_prefix("~/") {
        Some(below) => format!("~/{}", command_line(&[below.into()])),
        None => command_line(std::slice::from_ref(file)),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn the_command_that_shows_the_rest_can_be_copied() {
        for (file, operand) in [
            ("a b.json", "'a b.json'"),
            ("~/.local/1.json", "~/.local/1.json"),
            ("~/a b/1.json", "~/'a b/1.json'"),
        ] {
            let rest = rest(Some(&file.into()), Style::PLAIN);
            assert_eq!(rest, format!("All of it: ioprof report --full {operand}\n"));
        }
    }

    #[test]
    fn a_report_that_cannot_be_written_is_not_handed_over() {
        let sample = include_str!("../../tests/fixtures/sqlite.json");
        let report = serde_json::from_str(sample).expect("the fixture is a report");
        let common = Common {
            no_save: true,
            ..Common::default()
        };
        for (path, is_written) in [("/dev/full", false), ("/dev/null", true)] {
            let destination = Destination::open(Some(Path::new(path))).expect("it can be opened");
            let file = tempfile::NamedTempFile::new().expect("a temporary file");
            let handed_over = file.reopen().expect("it is there");
            let delivered = deliver(&report, &common, destination, Some(handed_over));
            assert_eq!(delivered.is_ok(), is_written, "{path}");
            let mut bytes = Vec::new();
            let read = file.as_file().read_to_end(&mut bytes);
            assert_eq!(read.expect("it is read") > 0, is_written, "{path}");
        }
    }
}
