//! What is wrong with a run, by its own figures.

use serde::{Deserialize, Serialize};
use serde_json::Number;

use crate::text::Text;

/// How much is at stake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Less than 5 % of the workload's wall time without the wait for a CPU.
    Info,
    /// From 5 % on.
    Warning,
    /// From 30 % on.
    Critical,
}

/// How certain a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// Events were lost, or counters disagree with the kernel's.
    Low,
    /// The figures are complete. How the time overlaps with that of other threads is not known.
    Medium,
    /// The figures are complete, and there is one thread.
    High,
}

/// A figure of this report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Evidence {
    /// Where it stands in this report: a JSON pointer (RFC 6901).
    pub pointer: Text,
    /// The figure that stands there.
    pub value: Number,
}

/// What a finding is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Place {
    /// The file's path; null where it is about no single file.
    pub file: Option<Text>,
    /// The system call; null where it is about several.
    pub call: Option<Text>,
    /// The device; null where it is about none.
    pub device: Option<Text>,
}

/// The wall time that a cure would save.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Gain {
    /// Nanoseconds that it saves at least; null where that is not known.
    pub low_ns: Option<u64>,
    /// Nanoseconds that it saves at most; null where that is not known.
    pub high_ns: Option<u64>,
    /// How that was computed, or how to find out.
    pub method: Text,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Finding {
    /// The rule, by a name that stays the same: docs/findings/ has a page for each.
    pub id: Text,
    /// By the time at stake, which is what a cure saves at most, or its cost where that is not known: `info` below 5 % of
    /// the workload's wall time, `warning` from there, `critical` from 30 %. What was a wait for a CPU is in neither.
    pub severity: Severity,
    /// How certain it is: `low` where events were lost or counters disagree with the kernel's, `medium` where it is not
    /// known how threads overlap.
    pub confidence: Confidence,
    /// The workload's name.
    pub workload: Text,
    /// In a sentence, with the figures.
    pub summary: Text,
    /// What it is about.
    #[serde(rename = "where")]
    pub place: Place,
    /// Nanoseconds of all threads together that it took, at most.
    pub cost_ns: u64,
    /// What a cure would save.
    pub gain: Gain,
    /// The figures that it follows from.
    pub evidence: Vec<Evidence>,
    /// What to do.
    pub advice: Text,
    /// A command that shows whether it is cured; null where there is none.
    pub verify: Option<Text>,
}

/// A rule that was looked at and does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RuledOut {
    /// The rule.
    pub id: Text,
    /// The workload's name.
    pub workload: Text,
    /// The figures that speak against it; empty where nothing of the kind was done.
    pub evidence: Vec<Evidence>,
}

/// A rule that this report cannot decide.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Undecided {
    /// The rule.
    pub id: Text,
    /// The workload's name.
    pub workload: Text,
    /// What is missing.
    pub reason: Text,
}
