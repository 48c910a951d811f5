//! The gates of a comparison as the XML that JUnit writes: each is a test case.

use super::{
    comparison::{decided, figures},
    text::visible,
};
use crate::analysis::compare::{Outcome, Verdict};

/// A suite with a case for each gate; one that is undecided and does not fail is skipped.
pub fn comparison(gates: &[(String, Verdict)], text: &str) -> String {
    let is_skipped = |verdict: &Verdict| verdict.passes && verdict.condition == Outcome::Undecided;
    let failures = gates.iter().filter(|(_, verdict)| !verdict.passes).count();
    let skipped = gates
        .iter()
        .filter(|(_, verdict)| is_skipped(verdict))
        .count();
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite name=\"ioprof compare\" tests=\"{}\" \
         failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\">\n",
        gates.len()
    );
    for (gate, verdict) in gates {
        let name = escaped(&visible(gate));
        let message = escaped(&visible(&decided(gate, verdict)));
        let inner = if !verdict.passes {
            format!("<failure message=\"{message}\"/>")
        } else if is_skipped(verdict) {
            format!("<skipped message=\"{message}\"/>")
        } else {
            format!(
                "<system-out>{}</system-out>",
                escaped(&visible(&figures(verdict)))
            )
        };
        xml.push_str(&format!(
            "<testcase classname=\"ioprof.gate\" name=\"{name}\">{inner}</testcase>\n"
        ));
    }
    let lines: Vec<_> = text.lines().map(|line| escaped(&visible(line))).collect();
    xml.push_str(&format!(
        "<system-out>{}\n</system-out>\n",
        lines.join("\n")
    ));
    xml.push_str("</testsuite>\n</testsuites>\n");
    xml
}

/// What is visible has no character that XML does not take but these.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(passes: bool, condition: Outcome) -> Verdict {
        Verdict {
            passes,
            condition,
            count: None,
            time: None,
        }
    }

    #[test]
    fn each_gate_is_a_case_and_an_undecided_one_is_skipped() {
        let gates = [
            ("a<=1".to_owned(), verdict(true, Outcome::Holds)),
            ("b\u{1b}<=\"1\"".to_owned(), verdict(false, Outcome::Fails)),
            ("c<=+5%".to_owned(), verdict(false, Outcome::Undecided)),
            ("d>+5%:fail".to_owned(), verdict(true, Outcome::Undecided)),
        ];
        let xml = comparison(&gates, "x & y\nz");
        assert!(
            xml.contains("tests=\"4\" failures=\"2\" errors=\"0\" skipped=\"1\""),
            "{xml}"
        );
        assert!(
            xml.contains(r#"name="b\x1b&lt;=&quot;1&quot;"><failure "#),
            "{xml}"
        );
        assert!(xml.contains("name=\"d&gt;+5%:fail\"><skipped "), "{xml}");
        assert!(
            xml.contains("<system-out>x &amp; y\nz\n</system-out>"),
            "{xml}"
        );
        assert_eq!(xml.matches("<testcase ").count(), 4);
    }
}
