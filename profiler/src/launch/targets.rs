//! From the words of the command line to the targets of a run.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use clap::{
    Args as _, FromArgMatches as _, Parser,
    error::{ContextKind, ContextValue},
};
use ioprof_workloads::Workload;
use nix::{
    fcntl::{AT_FDCWD, AtFlags},
    unistd::{AccessFlags, faccessat, geteuid},
};

use super::user::User;
use crate::{
    cli::{Run, RunOptions, Shown},
    error::Error,
    model::report::Kind,
    text::Text,
};

/// A command or a workload to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its name in the report.
    pub name: Text,
    /// Built-in, or a command.
    pub kind: Kind,
    /// The file to execute.
    pub program: PathBuf,
    /// Its arguments, the first its own name.
    pub argv: Vec<OsString>,
    /// The user it runs as; none for the user that ioprof runs as.
    pub user: Option<User>,
}

/// Parses one workload with its options, to find mistakes before anything starts.
#[derive(Parser)]
#[command(name = "ioprof workload")]
struct OneWorkload {
    #[command(subcommand)]
    workload: Workload,
}

/// What `ioprof run` is to run, and how.
///
/// # Errors
///
/// Where a workload or a command does not exist, or an option is wrong.
pub fn targets(run: Run) -> Result<(Vec<Target>, RunOptions), Error> {
    if let Some(name) = run.command.first() {
        let user = named_user(&run.options)?;
        let program = match &user {
            Some(user) => user.act_as(|| find(name))??,
            None => find(name)?,
        };
        let target = Target {
            name: Text::of(Path::new(name).file_name().unwrap_or(name)),
            kind: Kind::Command,
            program,
            argv: run.command,
            user,
        };
        return Ok((vec![target], run.options));
    }
    let Run { words, options, .. } = with_all_options(run)?;
    let user = named_user(&options)?.or_else(User::caller);
    let mut own =
        std::env::current_exe().map_err(Error::system("finding the program's own file"))?;
    if let Some(user) = &user
        && user.act_as(|| may_execute(&own).is_err())?
    {
        // Works although the user may not enter the program's folder.
        own = PathBuf::from("/proc/self/exe");
    }
    let targets = segments(words)?
        .into_iter()
        .map(|segment| builtin(&own, user.as_ref(), segment))
        .collect::<Result<Vec<_>, _>>()?;
    if targets.is_empty() {
        return Err(Error::NothingToRun {
            names: Workload::NAMES.join(", "),
        });
    }
    Ok((targets, options))
}

/// The run with the options that stand behind its workloads among the others.
///
/// # Errors
///
/// Where one of them is wrong.
pub fn with_all_options(run: Run) -> Result<Run, Error> {
    let (words, trailing) = split_options(run.words, &FLAGS, &VALUED);
    let options = merge(run.options, &trailing)?;
    Ok(Run {
        words,
        options,
        ..run
    })
}

/// The user that `--user` names.
fn named_user(options: &RunOptions) -> Result<Option<User>, Error> {
    options.user.as_deref().map(User::named).transpose()
}

/// The workload of these words, which are its name and its options.
///
/// # Errors
///
/// Where it has no such option, or not with such a value.
pub fn workload(segment: &[OsString]) -> Result<Workload, clap::Error> {
    let command = [OsString::from("ioprof workload")];
    let parsed = OneWorkload::try_parse_from(command.iter().chain(segment));
    parsed.map(|parsed| parsed.workload)
}

/// Whether built-in workloads run as root.
pub fn runs_as_root(options: &RunOptions) -> bool {
    match &options.user {
        Some(name) => name == "root",
        None => geteuid().is_root() && User::caller().is_none(),
    }
}

fn builtin(own: &Path, user: Option<&User>, segment: Vec<OsString>) -> Result<Target, Error> {
    let parsed =
        workload(&segment).map_err(|error| of_run(&error).unwrap_or_else(|| error.into()))?;
    let argv = [OsString::from("ioprof"), "workload".into()]
        .into_iter()
        .chain(segment)
        .collect();
    Ok(Target {
        name: parsed.name().into(),
        kind: Kind::Builtin,
        program: own.to_owned(),
        argv,
        user: user.cloned(),
    })
}

/// What is wrong where a workload has no such option, and `run` has it.
fn of_run(error: &clap::Error) -> Option<Error> {
    let Some(ContextValue::String(option)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    let name = option.strip_prefix("--")?;
    let run = Run::augment_args(clap::Command::new("ioprof run"));
    let mut options = run.get_arguments().filter_map(clap::Arg::get_long);
    options
        .any(|long| long == name)
        .then(|| Error::OptionOfRun {
            option: option.as_str().into(),
        })
}

/// One list of words for each workload: its name, and its options up to the next name.
fn segments(words: Vec<OsString>) -> Result<Vec<Vec<OsString>>, Error> {
    let is_name = |word: &OsStr| Workload::NAMES.iter().any(|name| *name == word);
    let mut segments: Vec<Vec<OsString>> = Vec::new();
    for word in words {
        if is_name(&word) {
            segments.push(vec![word]);
        } else if let Some(segment) = segments.last_mut() {
            // A word that belongs to no option is an unknown workload.
            let takes_no_word =
                segment.len() == 1 || !segment.last().is_some_and(|last| is_option(last));
            if takes_no_word && !is_option(&word) {
                return Err(unknown(&word));
            }
            segment.push(word);
        } else {
            return Err(unknown(&word));
        }
    }
    Ok(segments)
}

fn is_option(word: &OsStr) -> bool {
    word.as_bytes().starts_with(b"-")
}

fn unknown(word: &OsStr) -> Error {
    Error::UnknownWorkload {
        name: Text::of(word),
        names: Workload::NAMES.join(", "),
    }
}

/// The options of `run` that may stand behind a workload: without a value, and with one.
const FLAGS: [&str; 4] = ["--parallel", "--wait-all", "--sync", "--minor-fault-time"];
const VALUED: [&str; 5] = ["-o", "--output", "--user", "--evict", "--without-probe"];

/// Takes options out of the words behind the first workload: those without a value, and those with one.
pub fn split_options(
    words: Vec<OsString>,
    flags: &[&str],
    valued: &[&str],
) -> (Vec<OsString>, Vec<OsString>) {
    let has_value = |text: &str| {
        valued.iter().any(|name| match name.strip_prefix("--") {
            Some(_) => text
                .strip_prefix(name)
                .is_some_and(|rest| rest.starts_with('=')),
            None => text.len() > name.len() && text.starts_with(name),
        })
    };
    let (mut rest, mut taken) = (Vec::new(), Vec::new());
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let text = word.to_string_lossy();
        if flags.contains(&&*text) || has_value(&text) {
            taken.push(word);
        } else if valued.contains(&&*text) {
            taken.push(word);
            taken.extend(words.next());
        } else {
            rest.push(word);
        }
    }
    (rest, taken)
}

fn merge(first: RunOptions, trailing: &[OsString]) -> Result<RunOptions, Error> {
    let parser = RunOptions::augment_args(clap::Command::new("ioprof run").no_binary_name(true));
    let matches = parser.try_get_matches_from(trailing)?;
    let second = RunOptions::from_arg_matches(&matches)?;
    Ok(RunOptions {
        parallel: first.parallel || second.parallel,
        wait_all: first.wait_all || second.wait_all,
        user: second.user.or(first.user),
        evict: [first.evict, second.evict].concat(),
        common: crate::cli::Common {
            output: second.common.output.or(first.common.output),
            drain: second.common.drain.or(first.common.drain),
            fail_on: second.common.fail_on.or(first.common.fail_on),
            sync: first.common.sync || second.common.sync,
            no_save: first.common.no_save || second.common.no_save,
            shown: Shown {
                full: first.common.shown.full || second.common.shown.full,
                section: [first.common.shown.section, second.common.shown.section].concat(),
            },
            without_probe: [first.common.without_probe, second.common.without_probe].concat(),
            minor_fault_time: first.common.minor_fault_time || second.common.minor_fault_time,
        },
    })
}

/// The file of a command, found as execvp(3) finds it.
pub fn find(command: &OsStr) -> Result<PathBuf, Error> {
    let name = || Text::of(command);
    let candidates: Vec<PathBuf> = if command.as_bytes().contains(&b'/') {
        vec![command.into()]
    } else {
        let path = std::env::var_os("PATH").unwrap_or_else(|| "/bin:/usr/bin".into());
        std::env::split_paths(&path)
            .map(|folder| folder.join(command))
            .collect()
    };
    let mut refusal = None;
    for candidate in candidates.iter().filter(|candidate| candidate.is_file()) {
        match may_execute(candidate) {
            Ok(()) => return Ok(candidate.clone()),
            Err(error) => refusal = Some(error),
        }
    }
    Err(match refusal {
        Some(error) => Error::CommandNotExecutable {
            command: name(),
            source: error.into(),
        },
        None => Error::CommandNotFound { command: name() },
    })
}

/// Whether the effective user may execute a file.
fn may_execute(file: &Path) -> nix::Result<()> {
    faccessat(AT_FDCWD, file, AccessFlags::X_OK, AtFlags::AT_EACCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    #[test]
    fn each_workload_has_the_options_behind_it() {
        let all = words(&[
            "async",
            "--seed",
            "3",
            "--parallel",
            "mmap",
            "-o",
            "x",
            "--user",
            "y",
            "--output=z",
            "-ov",
        ]);
        let (rest, taken) = split_options(all, &FLAGS, &VALUED);
        let expected = ["--parallel", "-o", "x", "--user", "y", "--output=z", "-ov"];
        assert_eq!(taken, words(&expected));
        let segments = segments(rest).expect("two workloads");
        assert_eq!(
            segments,
            [words(&["async", "--seed", "3"]), words(&["mmap"])]
        );
    }

    #[test]
    fn an_option_that_stands_before_the_workloads_is_told_so() {
        for option in [
            "--repeat",
            "--full",
            "--no-save",
            "--fail-on=any",
            "--drain=1",
            "--section=ledger",
        ] {
            let (name, _) = option.split_once('=').unwrap_or((option, ""));
            let wrong = builtin(Path::new("ioprof"), None, words(&["async", option]));
            let said = wrong.err().map(|error| error.to_string());
            let expected = format!("{name} goes before the workload, as in: ioprof run {name} ");
            assert!(
                said.as_ref()
                    .is_some_and(|said| said.starts_with(&expected)),
                "{said:?}"
            );
        }
        let wrong = builtin(Path::new("ioprof"), None, words(&["async", "--none"]));
        assert!(!matches!(wrong, Err(Error::OptionOfRun { .. })));
    }

    #[test]
    fn a_word_that_is_no_workload_is_named() {
        for wrong in [
            &["asynk"][..],
            &["async", "mmapp"],
            &["async", "--seed", "3", "x"],
        ] {
            let refused = segments(words(wrong));
            assert!(
                matches!(refused, Err(Error::UnknownWorkload { .. })),
                "{wrong:?}"
            );
        }
    }

    #[test]
    fn commands_are_found_as_a_shell_finds_them() {
        assert!(
            find(OsStr::new("sh"))
                .expect("there is a shell")
                .ends_with("sh")
        );
        let missing = find(OsStr::new("no-such-command-at-all"));
        assert_eq!(missing.expect_err("it does not exist").exit_status(), 127);
        let plain = tempfile::NamedTempFile::new().expect("a temporary file");
        let refused = find(plain.path().as_os_str());
        assert_eq!(refused.expect_err("it is no program").exit_status(), 126);
    }
}
