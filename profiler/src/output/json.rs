//! The report as JSON.

use super::text::is_visible;
use crate::model::report::Report;

/// The whole report, indented, with a newline at its end; docs/report.schema.json describes it.
///
/// What a terminal would act on is escaped, more than JSON requires: users may look at the file with cat(1).
pub fn render(report: &Report) -> Vec<u8> {
    // Serialising the model cannot fail: its keys are strings, and its numbers finite.
    let json = serde_json::to_string_pretty(report).unwrap_or_default();
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
