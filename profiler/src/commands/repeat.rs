//! `ioprof run --repeat`: the same run again and again, or two commands in turns.

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use super::{
    deliver::print,
    run::once,
    series::{Next, Series},
};
use crate::{
    analysis::compare::{compare, repeated},
    cli::Run,
    error::Error,
    launch::{destination::Destination, targets::with_all_options},
    model::report::Report,
    output::{
        format::{count, time},
        terminal::{self, Style},
        text::line,
    },
    text::Text,
};

/// A run.
struct Turn {
    /// Whether it is of the command of `--interleave`.
    side: Side,
    /// Of how many of its side it is which, from 1.
    number: u32,
    run: Run,
}

/// Of two commands that take turns.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    /// There is one command.
    Only,
    /// That of `--interleave`.
    Before,
    /// The other.
    After,
}

impl Side {
    const fn word(self) -> &'static str {
        match self {
            Self::Only => "",
            Self::Before => "before",
            Self::After => "after",
        }
    }
}

/// Runs as often as is asked for, then tells what the runs have in common, or how the two commands differ.
///
/// # Errors
///
/// Where the command line is wrong. Failures of a run are told by that.
pub fn repeat(run: Run) -> Result<ExitCode, Error> {
    let turns = turns(run)?;
    let times = turns
        .iter()
        .filter(|turn| turn.side != Side::Before)
        .count();
    let mut series = Series::begin()?;
    let mut reports: Vec<(Side, Text, Report)> = Vec::new();
    for Turn { side, number, run } in turns {
        let name = run.options.common.output.as_deref().map(Text::of);
        let report = match series.next()? {
            Next::Copy(report) => return once(run, Some(report)),
            Next::Over(report) => report,
        };
        let Some(report) = report else {
            break;
        };
        say(side, number, times, &report);
        reports.push((side, name.unwrap_or_default(), *report));
    }
    if let Some(text) = summary(&reports) {
        print(&mut io::stderr(), &text);
    }
    series.end()
}

/// The runs in their order.
fn turns(run: Run) -> Result<Vec<Turn>, Error> {
    let run = with_all_options(run)?;
    let times = run.repeat.unwrap_or(1);
    if let Some(path) = run
        .options
        .common
        .output
        .as_deref()
        .filter(|path| !Destination::may_be_numbered(path))
    {
        return Err(Error::NotNumbered {
            path: path.to_owned(),
        });
    }
    let other = run.interleave.as_deref().map(words).transpose()?;
    let of = |side: Side, number: u32| {
        let mut run = run.clone();
        (run.repeat, run.interleave) = (None, None);
        if let (Side::Before, Some(words)) = (side, &other) {
            words.clone_into(&mut run.command);
        }
        let output = &mut run.options.common.output;
        *output = output.take().map(|path| numbered(&path, side, number));
        Turn { side, number, run }
    };
    let turns = (1..=times).flat_map(|number| match other {
        Some(_) => vec![of(Side::Before, number), of(Side::After, number)],
        None => vec![of(Side::Only, number)],
    });
    Ok(turns.collect())
}

/// The words of a command, as a shell divides them.
fn words(command: &str) -> Result<Vec<OsString>, Error> {
    let words = shlex::split(command).filter(|words| !words.is_empty());
    let words = words.ok_or_else(|| Error::NoWords {
        command: command.into(),
    })?;
    Ok(words.into_iter().map(OsString::from).collect())
}

/// `run.json` is `run.3.json`, or `run.before.3.json`.
fn numbered(path: &Path, side: Side, number: u32) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    if side != Side::Only {
        name.push(".");
        name.push(side.word());
    }
    name.push(format!(".{number}"));
    if let Some(end) = path.extension() {
        name.push(".");
        name.push(end);
    }
    path.with_file_name(name)
}

fn say(side: Side, number: u32, times: usize, report: &Report) {
    let walls: Vec<_> = report
        .workloads
        .iter()
        .map(|one| time(one.span_ns()))
        .collect();
    let side = match side {
        Side::Only => String::new(),
        side => format!(" {}", side.word()),
    };
    let text = format!(
        "ioprof: run {number} of {}{side}: {}",
        count(times as u64),
        walls.join(", ")
    );
    print(&mut io::stderr(), &line(&text));
}

fn summary(reports: &[(Side, Text, Report)]) -> Option<String> {
    let stderr = io::stderr();
    let style = Style::of(&stderr);
    let of = |side: Side| {
        let of_side = reports.iter().filter(move |(of, ..)| *of == side);
        let of_side = of_side.map(|(_, name, report)| (name.clone(), report.clone()));
        of_side.unzip::<_, _, Vec<_>, Vec<_>>()
    };
    let (names, only) = of(Side::Only);
    if let Ok(repeated) = repeated(&only) {
        return Some(terminal::repeated::render(&repeated, &names, style));
    }
    let ((of_before, before), (of_after, after)) = (of(Side::Before), of(Side::After));
    let comparison = compare(&before, &after).ok()?;
    let names = [of_before.as_slice(), of_after.as_slice()];
    Some(terminal::compare::render(
        &comparison,
        &[],
        names,
        false,
        style,
    ))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    fn run(words: &[&str]) -> Run {
        match Cli::try_parse_from([&["ioprof", "run"], words].concat()) {
            Ok(Cli {
                command: Some(Command::Run(run)),
                ..
            }) => run,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_run_has_a_file_of_its_own() {
        for (path, side, expected) in [
            ("a/run.json", Side::Only, "a/run.3.json"),
            ("run.json", Side::Before, "run.before.3.json"),
            ("/x/run", Side::After, "/x/run.after.3"),
            ("a.b/.json", Side::Only, "a.b/.json.3"),
        ] {
            assert_eq!(numbered(Path::new(path), side, 3), Path::new(expected));
        }
    }

    #[test]
    fn two_commands_take_turns() {
        let words = [
            "--repeat",
            "2",
            "--interleave",
            "cp 'a b' c",
            "-o",
            "x.json",
            "--",
            "cp",
            "d",
            "e",
        ];
        let turns = turns(run(&words)).expect("they are understood");
        let told = turns.iter().map(|turn| {
            let output = turn.run.options.common.output.as_deref();
            let output = output.map(|path| path.display().to_string());
            (
                output.unwrap_or_default(),
                turn.run.command.join(OsString::from("|").as_os_str()),
            )
        });
        let told: Vec<_> = told.collect();
        let expected = [
            ("x.before.1.json", "cp|a b|c"),
            ("x.after.1.json", "cp|d|e"),
            ("x.before.2.json", "cp|a b|c"),
            ("x.after.2.json", "cp|d|e"),
        ];
        assert_eq!(
            told,
            expected.map(|(file, words)| (file.to_owned(), words.into()))
        );
        assert!(turns.iter().all(|turn| turn.run.repeat.is_none()));
    }

    #[test]
    fn what_stands_behind_a_workload_is_numbered_too() {
        let words = ["--repeat", "2", "async", "-o", "x.json", "--seed", "3"];
        let turns = turns(run(&words)).expect("they are understood");
        let outputs = turns.iter().map(|turn| {
            assert_eq!(turn.run.words, ["async", "--seed", "3"]);
            turn.run.options.common.output.clone()
        });
        let expected = ["x.1.json", "x.2.json"].map(|name| Some(PathBuf::from(name)));
        assert_eq!(outputs.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_cannot_be_repeated_is_refused() {
        let refused = |words: &[&str]| turns(run(words)).err().map(|error| error.to_string());
        let words = ["--repeat", "2", "-o", "-", "--", "true"];
        assert!(refused(&words).is_some_and(|said| said.contains("-o FILE")));
        let words = ["--repeat", "2", "async", "-o", "-"];
        assert!(refused(&words).is_some_and(|said| said.contains("-o FILE")));
        let folder = tempfile::tempdir().expect("a temporary folder");
        let fifo = folder.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("it can be made");
        let paths = [folder.path(), &fifo].map(|path| path.to_str().expect("it is plain"));
        for path in paths.into_iter().chain(["/dev/null", "/dev/stderr"]) {
            let said = refused(&["--repeat", "2", "-o", path, "--", "true"]);
            let said = said.unwrap_or_else(|| panic!("{path} is refused"));
            assert!(said.contains(path) && said.lines().count() == 1, "{said}");
        }
        for command in ["", "  ", "echo 'a"] {
            let words = ["--interleave", command, "--", "true"];
            assert!(refused(&words).is_some_and(|said| said.contains("--interleave")));
        }
    }
}
