//! Settings of a built-in workload, as `ioprof tune` has compared them.

use serde::Serialize;

use crate::text::Text;

/// The identifier of the format.
pub const SCHEMA: &str = "ioprof.tune.v1";

/// What a search has found.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Tuning {
    /// The identifier of this format.
    pub schema: Text,
    /// The version of ioprof that searched.
    pub ioprof_version: Text,
    /// When it began, in UTC.
    pub started_at: Text,
    /// How long it took.
    pub duration_ns: u64,
    /// Whether it came to its end: a signal ends it early.
    pub complete: bool,
    /// The release of the kernel, as uname(2) has it.
    pub kernel: Text,
    /// The workload: async, mmap, batch or copy.
    pub workload: Text,
    /// What was searched for.
    pub target: Target,
    /// What all runs have in common.
    pub conditions: Conditions,
    /// The settings that differ from the default, of the best that was tried; empty where that is the default.
    pub best: Vec<Setting>,
    /// Whether the best keeps the p99 that was asked for; null where none was.
    pub meets_target: Option<bool>,
    /// What the best gains over the default.
    pub gain: Gain,
    /// Whether the best is what to use; where not, it is the default.
    pub recommended: bool,
    /// The command line to use, from the workload's name on.
    pub command: Vec<Text>,
    /// How many settings there are, the default not counted.
    pub settings_possible: u64,
    /// The rounds of the search.
    pub rounds: Vec<Round>,
    /// How often the last settings and the default were run in turns, on which the gain is based.
    pub final_rounds: u64,
    /// What was tried: the default first, then the best first.
    pub tried: Vec<Tried>,
    /// What the best did as a part of what the device can do; null where it was not calibrated, or where the two cannot
    /// be compared.
    pub ceiling: Option<ShareOfDevice>,
}

/// What is searched for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Target {
    /// The most bytes in a second.
    #[default]
    Throughput,
    /// The least CPU time for a byte, at 95 % of the highest throughput or more.
    Cpu,
    /// The most bytes in a second, of the settings whose p99 is at most this.
    P99 {
        /// The limit.
        limit_ns: u64,
    },
}

/// What all runs have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Conditions {
    /// The state of the page cache before each run, as `--cache` takes it.
    pub cache: Text,
    /// The options that the user gave.
    pub given: Vec<Text>,
    /// The options by which the search chose the size of the data set; empty where the user gave them.
    pub data_set: Vec<Text>,
    /// The folder of the data set.
    pub folder: Text,
    /// The most that a run of the default moved.
    pub bytes_per_run: u64,
}

/// A setting that is not the default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Setting {
    /// The option, without dashes.
    pub name: Text,
    /// Its value; null of an option without one.
    pub value: Option<Text>,
}

/// A round of the search: fewer settings each time, which are run more often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Round {
    /// How many settings took part, the default not counted.
    pub settings: u64,
    /// How often each was to be run in it; the last round may have been ended by the time.
    pub runs: u64,
}

/// Settings that were tried.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Tried {
    /// Those that differ from the default.
    pub settings: Vec<Setting>,
    /// In how many rounds of the search they were.
    pub rounds: u64,
    /// Whether they were in the final rounds.
    pub is_final: bool,
    /// What they came to; null where they cannot be run.
    pub outcome: Option<Outcome>,
    /// Why they cannot be run; null where they can.
    pub refused: Option<Text>,
}

/// What settings came to: medians of their runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Outcome {
    /// How many runs; those of the final rounds alone, where there are any.
    pub runs: u64,
    /// How many of them were ended before they were done, as they took three times as long as the default.
    pub cut_off: u64,
    /// Bytes in a second.
    pub bytes_per_second: f64,
    /// CPU time for a byte, in user mode and in the kernel; null where no byte was moved.
    pub cpu_ns_per_byte: Option<f64>,
    /// 99 % of the calls were not longer, over all runs: the longest of those of reads, writes and syncs.
    pub p99_ns: Option<u64>,
    /// The operation that this p99 is of.
    pub p99_of: Option<Text>,
}

/// What the best gains over the default, of the target's figure: more bytes in a second, or less CPU time for a byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Gain {
    /// The median of the final rounds, as a part of the default's; below 0 where the best is worse. Null where there are
    /// none.
    pub change: Option<f64>,
    /// The bounds of its interval; null where there are too few rounds.
    pub interval: Option<Bounds>,
    /// What the interval says.
    pub verdict: Verdict,
}

/// A confidence interval of 95 %, over all settings of the final rounds together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Bounds {
    /// The lower bound.
    pub low: f64,
    /// The upper bound.
    pub high: f64,
}

/// What an interval says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is above 0.
    Better,
    /// It is not: the default is as good, or better.
    NoBetter,
    /// There is none.
    #[default]
    TooFewRounds,
}

/// What the best did, as a part of what the device can do by its calibration.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ShareOfDevice {
    /// The device.
    pub device: Text,
    /// When the calibration began, in UTC.
    pub calibrated_at: Text,
    /// What is compared: reads or writes.
    pub operation: super::calibration::Operation,
    /// In which order.
    pub pattern: super::calibration::Pattern,
    /// Bytes of a request.
    pub size_bytes: u64,
    /// What the device can do of these, in bytes in a second.
    pub ceiling_bytes_per_second: f64,
    /// The part of it that the best did.
    pub share: f64,
}
