//! The command line of `ioprof compare`.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

/// What stands below its options.
pub const HELP: &str = "\
A gate is METRIC, then <=, >= or ==, then a limit: a number, or a percentage with its sign, of the
first side's figure. It has to be shown to hold. METRIC>LIMIT:fail or METRIC<LIMIT:fail fails only
where that is shown. Metrics are named as in the rows; --full lists all. Times take percentages,
and are decided where their interval decides them; that takes several reports on each side.

Exit status: 0, or 3 if a gate fails. 2: a gate or the sides are wrong. 125: a report cannot be read.

Examples:
  ioprof compare before.json after.json --gate 'fdatasync.calls<=-90%'
  ioprof compare --gate 'wall>+5%:fail' before.*.json -- after.*.json";

/// `ioprof compare`.
#[derive(Debug, Args)]
pub struct Compare {
    /// The report before the change, as written with -o, and that after it; or those before it, and behind -- those after.
    /// A folder stands for its files that end in .json. Options go before --.
    #[arg(value_name = "REPORT", value_hint = ValueHint::AnyPath, required = true)]
    pub reports: Vec<PathBuf>,
    /// The reports after the change.
    #[arg(last = true, value_name = "AFTER", value_hint = ValueHint::AnyPath)]
    pub after: Vec<PathBuf>,
    /// Exit with 3 unless this holds, such as 'fdatasync.calls<=-90%', or, with :fail, if it is shown, such as
    /// 'wall>+5%:fail'. May be given several times.
    #[arg(long, value_name = "EXPR")]
    pub gate: Vec<String>,
    /// The form of the comparison.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Show all counts, also the equal ones.
    #[arg(long)]
    pub full: bool,
}

/// The forms of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For a comment on a change.
    Markdown,
    /// For programs.
    Json,
    /// For CI: each gate is a test case.
    Junit,
}
