//! The options of `ioprof tune`.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{
    Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, Subcommand, ValueHint,
    parser::ValueSource,
};
use ioprof_workloads::{AsyncOptions, BatchOptions, CopyOptions, MmapOptions};

use crate::model::tune::Target;

/// `ioprof tune`.
#[derive(Debug, Subcommand)]
pub enum Tune {
    /// Search depth, block size, engine, threads, and direct or buffered I/O of `async`
    #[command(after_help = HELP)]
    Async(Search<AsyncOptions>),
    /// Search window, block size, prefaulting and huge pages of `mmap`
    #[command(after_help = HELP)]
    Mmap(Search<MmapOptions>),
    /// Search the threads of `batch`
    #[command(after_help = HELP)]
    Batch(Search<BatchOptions>),
    /// Search method and block size of `copy`
    #[command(after_help = HELP)]
    Copy(Search<CopyOptions>),
    /// Try settings of the kernel for a command: scheduler, read-ahead, dirty limits, access times.
    #[command(
        override_usage = "ioprof tune system [OPTIONS] PATH\n       \
                          ioprof tune system --apply [OPTIONS] PATH -- COMMAND [ARGUMENT ...]",
        after_help = super::tune_system::HELP
    )]
    System(super::TuneSystem),
}

const HELP: &str = "\
Options of the workload that are given stay as they are; the others of those named above are searched.
The data set is made once, in a folder that is removed at the end. Its size is chosen so that a run of
the default takes about half a second, unless it is given. Without --cache, the contents of files are
evicted before each run (cold-data). Nothing else should use the device meanwhile. Ctrl-C stops it, and
shows the best so far.

Examples:
  ioprof tune async --dir /srv
  ioprof tune async --access random --block-size 4K --direct --target p99=1ms
  ioprof tune copy --target cpu";

/// A search, and the options of its workload.
#[derive(Debug, Args)]
pub struct Search<W: Args> {
    /// The options of the search.
    #[command(flatten)]
    pub options: SearchOptions,
    /// Those of the workload.
    #[command(flatten)]
    pub workload: Given<W>,
}

/// The options of a search.
#[derive(Clone, Debug, Args)]
pub struct SearchOptions {
    /// What is searched for: the highest throughput; the least CPU time for a byte at 95 % of that; or the highest
    /// throughput whose p99 is at most a limit, such as p99=5ms.
    #[arg(long, value_name = "throughput|cpu|p99=TIME", default_value = "throughput", value_parser = target)]
    pub target: Target,
    /// End the search after this many seconds.
    #[arg(long, value_name = "SECONDS", default_value = "100", value_parser = super::seconds)]
    pub time: Duration,
    /// Leave these options of the workload at their default.
    #[arg(long, value_name = "OPTION", value_delimiter = ',')]
    pub fix: Vec<String>,
    /// Write the result as JSON to FILE. If FILE is `-`, to stdout: the text goes to stderr then.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
}

fn target(text: &str) -> Result<Target, String> {
    match text {
        "throughput" => return Ok(Target::Throughput),
        "cpu" => return Ok(Target::Cpu),
        _ => {}
    }
    let limit = text.strip_prefix("p99=").ok_or_else(|| {
        "there are throughput, cpu, and p99 with a limit, as in p99=5ms".to_owned()
    })?;
    let digits = limit.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match &limit[digits.len()..] {
        "ns" => 1.0,
        "us" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        _ => return Err("a time with its unit is needed, as in p99=5ms, of ns, us, ms, s".into()),
    };
    let limit_ns = digits
        .parse::<f64>()
        .map_or(f64::NAN, |number| number * unit);
    if (1.0..=1e15).contains(&limit_ns) {
        Ok(Target::P99 {
            limit_ns: limit_ns as u64,
        })
    } else {
        Err("a time above 0 is needed, as in p99=5ms".into())
    }
}

/// The options of a workload, and those that are on the command line.
#[derive(Clone, Debug)]
pub struct Given<W> {
    /// All options.
    pub options: W,
    /// The names of those that are given, without dashes, and the words that give them.
    pub given: Vec<(String, Vec<OsString>)>,
}

impl<W> Given<W> {
    /// Whether one of these is given.
    pub fn has(&self, names: &[&str]) -> bool {
        self.given
            .iter()
            .any(|(given, _)| names.contains(&given.as_str()))
    }
}

impl<W: Args> Args for Given<W> {
    fn augment_args(command: Command) -> Command {
        W::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        W::augment_args_for_update(command)
    }
}

impl<W: Args> FromArgMatches for Given<W> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let all = W::augment_args(Command::new("workload"));
        let given = all.get_arguments().filter_map(|one| words(one, matches));
        Ok(Self {
            given: given.collect(),
            options: W::from_arg_matches(matches)?,
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The name of an option, and the words by which it is on the command line; none where it is not.
fn words(option: &Arg, matches: &ArgMatches) -> Option<(String, Vec<OsString>)> {
    let (id, name) = (option.get_id().as_str(), option.get_long()?);
    if matches.value_source(id) != Some(ValueSource::CommandLine) {
        return None;
    }
    let mut words = vec![OsString::from(format!("--{name}"))];
    if !matches!(option.get_action(), ArgAction::SetTrue) {
        let values: Vec<_> = matches.get_raw(id)?.map(ToOwned::to_owned).collect();
        let value = values.join(",".as_ref());
        // Behind a space it would be taken for an option.
        if value.as_encoded_bytes().starts_with(b"-") {
            words[0].push("=");
            words[0].push(value);
        } else {
            words.push(value);
        }
    }
    Some((name.to_owned(), words))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Whole {
        #[command(subcommand)]
        tune: Tune,
    }

    fn parsed(words: &[&str]) -> Result<Tune, clap::Error> {
        Whole::try_parse_from([&["tune"], words].concat()).map(|whole| whole.tune)
    }

    #[test]
    fn what_is_given_is_known_with_its_words() {
        let words = [
            "mmap",
            "--time",
            "5",
            "--pattern",
            "scan,update",
            "--huge",
            "--dir=-x",
            "--cache",
            "warm",
        ];
        let Ok(Tune::Mmap(search)) = parsed(&words) else {
            panic!("it is a search");
        };
        assert_eq!(search.options.time, Duration::from_secs(5));
        let mut given: Vec<_> = search
            .workload
            .given
            .iter()
            .map(|(_, words)| words)
            .collect();
        given.sort();
        let expected: [&[&str]; 4] = [
            &["--cache", "warm"],
            &["--dir=-x"],
            &["--huge"],
            &["--pattern", "scan,update"],
        ];
        assert!(given.iter().copied().eq(expected.iter()), "{given:?}");
        assert!(search.workload.options.huge);
    }

    #[test]
    fn a_target_has_its_unit() {
        let of = |text: &str| target(text);
        assert_eq!(
            of("p99=5ms"),
            Ok(Target::P99 {
                limit_ns: 5_000_000
            })
        );
        assert_eq!(of("p99=1.5us"), Ok(Target::P99 { limit_ns: 1500 }));
        assert_eq!(of("cpu"), Ok(Target::Cpu));
        for (wrong, told) in [
            ("p99=5", "unit"),
            ("p99=", "unit"),
            ("p99=ms", "above 0"),
            ("p99=-1ms", "above 0"),
            ("p99=1h", "unit"),
            ("p95=1ms", "throughput, cpu"),
            ("", "throughput, cpu"),
        ] {
            let said = of(wrong).expect_err(wrong);
            assert!(said.contains(told), "{wrong}: {said}");
        }
    }

    #[test]
    fn an_option_of_another_workload_is_refused() {
        for words in [&["copy", "--depth", "4"][..], &["batch", "--window", "1M"]] {
            assert!(parsed(words).is_err());
        }
    }
}
