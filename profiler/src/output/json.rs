//! The report as JSON.

use crate::model::report::Report;

/// The whole report, indented, with a newline at its end; docs/report.schema.json describes it.
pub fn render(report: &Report) -> Vec<u8> {
    // Nothing in the model can fail to be written: its keys are strings, and its numbers finite.
    let mut json = serde_json::to_vec_pretty(report).unwrap_or_default();
    json.push(b'\n');
    json
}
