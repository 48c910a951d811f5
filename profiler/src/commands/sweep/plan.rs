//! What a sweep runs, by its command line: all of it is checked before anything runs.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
    path::{Path, PathBuf},
};

use clap::{ArgAction, Args as _, FromArgMatches as _, Subcommand as _, ValueEnum as _};
use ioprof_workloads::{Workload, options::CacheState};

use crate::{
    analysis::sweep::{Parameter, Places, Template, Trial, rounds, rounds_that_tell, settings},
    cli::{Common, Run, RunOptions, Sweep, SweepOptions},
    error::Error,
    launch::targets::{runs_as_root, split_options, targets, workload},
    model::report::Kind,
    text::Text,
};

/// What a sweep runs, and how.
pub struct Plan {
    /// What is varied.
    pub parameters: Vec<Parameter>,
    /// All settings.
    pub settings: Vec<Places>,
    /// The run of each setting.
    pub runs: Vec<Run>,
    /// How often each is measured.
    pub rounds: u64,
    /// Whether each runs once before.
    pub warm_up: bool,
    /// Whether all is shown.
    pub full: bool,
    /// Where the JSON goes.
    pub output: Option<PathBuf>,
    /// A command or a workload.
    pub kind: Kind,
    /// The command as given, or the workload with the options that all have.
    pub command: Vec<Text>,
    /// Its name.
    pub name: Text,
    /// The state of the page cache; none where it is varied.
    pub cache: Option<String>,
}

/// The options that may stand behind a workload: without a value, and with one.
const FLAGS: [&str; 2] = ["--full", "--no-warm-up"];
const VALUED: [&str; 6] = ["-o", "--output", "--user", "--evict", "--param", "--repeat"];

/// The state of the page cache that each run of a workload begins with where none is asked for: `cold` would evict the cache
/// of the whole machine.
const CACHE: &str = "cold-data";
/// That of a command where files are evicted.
pub const EVICTED: &str = "evicted";
/// The option for it.
const CACHE_OPTION: &str = "cache";

fn refused(reason: impl Into<String>) -> Error {
    Error::Sweep {
        reason: reason.into(),
    }
}

impl Plan {
    /// Of a command line.
    ///
    /// # Errors
    ///
    /// Where it is wrong.
    pub fn of(arguments: Sweep) -> Result<Self, Error> {
        let Sweep {
            options,
            words,
            command,
        } = arguments;
        let (words, behind) = split_options(words, &FLAGS, &VALUED);
        let options = merged(options, &behind)?;
        let parse = |text: &String| {
            let parsed = Parameter::parse(text);
            parsed.map_err(|reason| refused(format!("--param {text}: {reason}")))
        };
        let parameters = options.parameters.iter().map(parse);
        let parameters = parameters.collect::<Result<Vec<_>, _>>()?;
        if parameters.is_empty() {
            return Err(refused(
                "nothing is varied: name a parameter, as in --param bs=4k..1m",
            ));
        }
        let settings =
            settings(&parameters).map_err(|reason| refused(format!("--param: {reason}")))?;
        let subject = match (command.is_empty(), words.is_empty()) {
            (true, true) => {
                return Err(refused(format!(
                    "nothing to run: name a workload ({}), or a command behind --, as in: ioprof sweep --param \
                     bs=4K..1M -- dd if=data of=/dev/null bs={{bs}}",
                    Workload::NAMES.join(", ")
                )));
            }
            (false, _) => Subject::of_command(&command, &parameters, &settings)?,
            (true, false) => Subject::of_workload(words, &parameters, &settings)?,
        };
        let run = |(words, command)| Run {
            options: RunOptions {
                user: options.user.clone(),
                evict: options.evict.clone(),
                common: Common {
                    // What a run leaves dirty is not written during the next one.
                    sync: true,
                    // They would replace the last reports that somebody wants to see again.
                    no_save: true,
                    ..Common::default()
                },
                ..RunOptions::default()
            },
            repeat: None,
            interleave: None,
            words,
            command,
        };
        let runs: Vec<_> = subject.runs.into_iter().map(run).collect();
        for run in &runs {
            // A program or a user that does not exist is found before anything runs.
            targets(run.clone())?;
        }
        if let Some(path) = options.evict.iter().find(|path| !path.exists()) {
            let path = Text::of(path);
            return Err(refused(format!("--evict {path}: there is no such file")));
        }
        let rounds = match options.repeat {
            Some(times) => times.into(),
            None => rounds_that_tell(settings.len()),
        };
        Ok(Self {
            runs,
            parameters,
            settings,
            rounds,
            warm_up: !options.no_warm_up,
            full: options.full,
            output: options.output,
            kind: subject.kind,
            command: subject.command,
            name: subject.name,
            cache: match (subject.kind, &options.evict[..]) {
                (Kind::Command, [_, ..]) => Some(EVICTED.into()),
                _ => subject.cache,
            },
        })
    }
}

impl Plan {
    /// All runs: their rounds, none where they are not measured, and the places of their settings.
    pub fn turns(&self) -> Vec<(Option<u64>, usize)> {
        let settings = self.settings.len();
        let warm_up = if self.warm_up { settings } else { 0 };
        let rounds = rounds(settings, usize::try_from(self.rounds).unwrap_or(0));
        let measured = (1..).zip(rounds).flat_map(|(round, order)| {
            order.into_iter().map(move |setting| (Some(round), setting))
        });
        (0..warm_up)
            .map(|setting| (None, setting))
            .chain(measured)
            .collect()
    }

    /// Of each setting that it has not run.
    pub fn trials(&self) -> Vec<Trial> {
        let trial = |places: &Places| Trial {
            places: places.clone(),
            ..Trial::default()
        };
        self.settings.iter().map(trial).collect()
    }

    /// What is about to be done.
    pub fn told(&self) -> String {
        format!(
            "ioprof: {} runs of {} settings; Ctrl-C stops and shows what there is",
            self.turns().len(),
            self.settings.len()
        )
    }

    /// Whether a run evicts more from the page cache than files of its own.
    pub fn drops_all_caches(&self) -> bool {
        let has = |run: &Run| {
            let workload = workload(&run.words);
            workload.is_ok_and(|workload| workload.cache() == CacheState::Cold)
                && runs_as_root(&run.options)
        };
        self.runs.iter().any(has)
    }
}

/// The options before the workload and behind it.
fn merged(first: SweepOptions, behind: &[OsString]) -> Result<SweepOptions, Error> {
    let parser =
        SweepOptions::augment_args(clap::Command::new("ioprof sweep").no_binary_name(true));
    let second = SweepOptions::from_arg_matches(&parser.try_get_matches_from(behind)?)?;
    Ok(SweepOptions {
        parameters: [first.parameters, second.parameters].concat(),
        repeat: second.repeat.or(first.repeat),
        no_warm_up: first.no_warm_up || second.no_warm_up,
        user: second.user.or(first.user),
        evict: [first.evict, second.evict].concat(),
        full: first.full || second.full,
        output: second.output.or(first.output),
    })
}

/// What is run.
struct Subject {
    kind: Kind,
    name: Text,
    command: Vec<Text>,
    cache: Option<String>,
    /// For each setting the words of its workload, and its command.
    runs: Vec<(Vec<OsString>, Vec<OsString>)>,
}

impl Subject {
    fn of_command(
        words: &[OsString],
        parameters: &[Parameter],
        settings: &[Places],
    ) -> Result<Self, Error> {
        let bytes = words.iter().map(|word| word.as_bytes());
        let template = Template::parse(bytes, parameters).map_err(refused)?;
        let filled = |setting: &Places| {
            let words = template.filled(parameters, setting).into_iter();
            (Vec::new(), words.map(OsString::from_vec).collect())
        };
        let name = words.first().map_or(OsStr::new(""), |name| name);
        Ok(Self {
            kind: Kind::Command,
            name: Text::of(Path::new(name).file_name().unwrap_or(name)),
            command: words.iter().map(Text::of).collect(),
            cache: Some("as-is".into()),
            runs: settings.iter().map(filled).collect(),
        })
    }

    fn of_workload(
        mut words: Vec<OsString>,
        parameters: &[Parameter],
        settings: &[Places],
    ) -> Result<Self, Error> {
        let unknown = |name: &OsStr| Error::UnknownWorkload {
            name: Text::of(name),
            names: Workload::NAMES.join(", "),
        };
        let first = words.first().map_or(OsStr::new(""), |first| first);
        let name = Workload::NAMES.iter().find(|name| **name == first);
        let name = *name.ok_or_else(|| unknown(first))?;
        let all = Workload::augment_subcommands(clap::Command::new("ioprof workload"));
        let of_workload = all.find_subcommand(name).ok_or_else(|| unknown(first))?;
        let kinds = parameters
            .iter()
            .map(|parameter| option(of_workload, parameter, &words))
            .collect::<Result<Vec<_>, _>>()?;
        let is_varied = parameters.iter().any(|one| one.name == CACHE_OPTION);
        if !is_varied && !names(&words, CACHE_OPTION) {
            words.push(format!("--{CACHE_OPTION}={CACHE}").into());
        }
        let filled = |setting: &Places| {
            let mut words = words.clone();
            for ((parameter, place), is_flag) in parameters.iter().zip(setting).zip(&kinds) {
                let value = parameter.values.get(*place).map_or("", String::as_str);
                match (is_flag, value) {
                    (true, YES) => words.push(format!("--{}", parameter.name).into()),
                    (true, _) => {}
                    (false, value) => words.push(format!("--{}={value}", parameter.name).into()),
                }
            }
            match workload(&words) {
                Ok(workload) => Ok((words, workload)),
                Err(error) => Err(refused(first_line(&error))),
            }
        };
        let runs = settings.iter().map(filled).collect::<Result<Vec<_>, _>>()?;
        let cache = runs.first().and_then(|(_, workload)| {
            let value = workload.cache().to_possible_value()?;
            Some(value.get_name().to_owned())
        });
        Ok(Self {
            kind: Kind::Builtin,
            name: name.into(),
            command: words.iter().map(Text::of).collect(),
            cache: cache.filter(|_| !is_varied),
            runs: runs
                .into_iter()
                .map(|(words, _)| (words, Vec::new()))
                .collect(),
        })
    }
}

/// The values of an option that takes none.
const YES: &str = "yes";
const NO: &str = "no";

/// Whether a parameter is an option without a value.
fn option(
    workload: &clap::Command,
    parameter: &Parameter,
    words: &[OsString],
) -> Result<bool, Error> {
    let name = &parameter.name;
    let options = || workload.get_arguments().filter(|one| !one.is_hide_set());
    let Some(found) = options().find(|one| one.get_long() == Some(name)) else {
        let known = options().filter_map(clap::Arg::get_long);
        return Err(refused(format!(
            "--param {name}: {} has no option --{name}; it has {}",
            workload.get_name(),
            known.collect::<Vec<_>>().join(", ")
        )));
    };
    if names(words, name) {
        return Err(refused(format!(
            "--param {name}: --{name} is among the options, too; name it once"
        )));
    }
    let is_flag = matches!(found.get_action(), ArgAction::SetTrue);
    let is_right = |value: &String| value == YES || value == NO;
    if is_flag && !parameter.values.iter().all(is_right) {
        return Err(refused(format!(
            "--param {name}: --{name} takes no value; sweep it by --param {name}={YES},{NO}"
        )));
    }
    Ok(is_flag)
}

/// Whether an option is among words.
fn names(words: &[OsString], option: &str) -> bool {
    let is = |word: &OsString| {
        let rest = word.as_bytes().strip_prefix(b"--");
        let rest = rest.and_then(|rest| rest.strip_prefix(option.as_bytes()));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"="))
    };
    words.iter().any(is)
}

/// What clap says is wrong, without the usage below it.
fn first_line(error: &clap::Error) -> String {
    let said = error.render().to_string();
    let first = said.lines().next().unwrap_or_default();
    first.strip_prefix("error: ").unwrap_or(first).to_owned()
}
