//! The rules on what is a report but for some values: every figure that they name stands where they say.

use ioprof::{analysis::judge, model::report::Report};
use serde_json::Value;

use crate::values::changed;

/// A changed report, see [`changed`].
pub fn mutated(data: &[u8]) {
    if let Some((mut report, _)) = changed(data) {
        check(&mut report);
    }
}

fn check(report: &mut Report) {
    judge(report);
    let json = serde_json::to_value(&*report).expect("a report is JSON");
    for one in report.evidence() {
        let there = json.pointer(one.pointer.as_str());
        assert_eq!(there, Some(&Value::from(one.value.clone())), "{one:?}");
    }
    for one in &report.findings {
        assert!(one.gain.low_ns <= one.gain.high_ns, "{one:?}");
    }
}
