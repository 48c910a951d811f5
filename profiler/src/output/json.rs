//! Reports, comparisons and sweeps as JSON.

use serde::Serialize;

use super::text::is_visible;
use crate::{
    analysis::{
        compare::{Comparison, Verdict},
        sweep::Sweep,
        tune_system::SystemTuning,
    },
    model::{
        calibration::Calibration,
        report::{Host, Kind, Report},
        tune::Tuning,
    },
    text::Text,
};

/// The identifier of the format of comparisons.
pub const COMPARISON: &str = "ioprof.compare.v1";

/// The identifier of the format of sweeps.
pub const SWEEP: &str = "ioprof.sweep.v1";

/// What the runs of all settings have come to, and how they were made. What is not known is null, never 0.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Swept<'a> {
    /// The identifier of this format.
    pub schema: &'static str,
    /// The version of ioprof that measured.
    pub ioprof_version: &'static str,
    /// Where.
    pub host: &'a Host,
    /// When it began, in UTC.
    pub started_at: Text,
    /// Nanoseconds that all of it took.
    pub duration_ns: u64,
    /// One of ioprof's own workloads, or a command of the user's.
    pub kind: Kind,
    /// The command as it was given, or the workload with the options that all settings have.
    pub command: &'a [Text],
    /// The state of the page cache that each run begins with, as of the workload's option `--cache`; of a command
    /// `evicted` where there are files of `--evict`, else `as-is`: what was left of the run before. Null where that is varied.
    pub cache: Option<&'a str>,
    /// Whether each setting ran once before, unmeasured.
    pub warm_up: bool,
    /// The signal that ended the sweep early.
    pub stopped_by: Option<&'static str>,
    /// The rest.
    #[serde(flatten)]
    pub sweep: &'a Sweep,
}

/// A sweep; docs/sweep.md describes it.
pub fn sweep(swept: &Swept<'_>) -> Vec<u8> {
    escaped(swept)
}

/// What differs between the reports of two sides, and the gates.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Compared<'a> {
    /// The identifier of this format.
    schema: &'static str,
    /// The files of the first side.
    before: &'a [Text],
    /// The files of the second.
    after: &'a [Text],
    #[serde(flatten)]
    comparison: &'a Comparison,
    /// The gates, in the order in which they were given.
    gates: Vec<Gate<'a>>,
}

/// A gate and how it came out.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Gate<'a> {
    /// As it was given.
    gate: &'a str,
    #[serde(flatten)]
    verdict: &'a Verdict,
}

/// A comparison of files, with its gates; docs/compare.md describes it.
pub fn comparison(
    comparison: &Comparison,
    gates: &[(String, Verdict)],
    [before, after]: [&[Text]; 2],
) -> Vec<u8> {
    let gates = gates
        .iter()
        .map(|(gate, verdict)| Gate { gate, verdict })
        .collect();
    escaped(&Compared {
        schema: COMPARISON,
        before,
        after,
        comparison,
        gates,
    })
}

/// The whole report, indented, with a newline at its end; docs/report.schema.json describes it.
///
/// What a terminal would act on is escaped, more than JSON requires: users may look at the file with cat(1).
pub fn render(report: &Report) -> Vec<u8> {
    escaped(report)
}

/// A calibration; docs/calibration.schema.json describes it.
pub fn calibration(calibration: &Calibration) -> Vec<u8> {
    escaped(calibration)
}

/// What a search for settings found; docs/tune.schema.json describes it.
pub fn tuning(tuning: &Tuning) -> Vec<u8> {
    escaped(tuning)
}

/// Settings of the system; docs/tune-system.schema.json describes it.
pub fn tune_system(tuning: &SystemTuning) -> Vec<u8> {
    escaped(tuning)
}

fn escaped(value: &impl Serialize) -> Vec<u8> {
    // Serialising the model cannot fail: its keys are strings, and its numbers finite.
    let json = serde_json::to_string_pretty(value).unwrap_or_default();
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        // Outside of strings JSON has nothing but line ends and what is visible.
        if character == '\n' || is_visible(character) {
            escaped.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                escaped.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    escaped.push('\n');
    escaped.into_bytes()
}
