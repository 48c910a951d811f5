//! `ioprof compare` on what is a report but for some values, with any text as a gate.

use ioprof::{
    analysis::{
        compare::{Comparison, Fails, Gate, Outcome, compare, repeated},
        judge,
    },
    output::{
        json, junit, markdown,
        terminal::{self, Style},
    },
    text::Text,
};

use crate::{assert_visible, values::changed};

/// How many runs each side has, a gate up to the first line end, and what is changed of the first run of the second side.
pub fn compared(data: &[u8]) {
    let Some((runs, data)) = data.split_first() else {
        return;
    };
    let end = data.iter().position(|byte| *byte == b'\n');
    let (gate, data) = data.split_at(end.unwrap_or(data.len()));
    let text = String::from_utf8_lossy(gate);
    let gate = Gate::parse(&text);
    let changes = data.get(1..).unwrap_or_default();
    let (Some((mut sample, _)), Some((mut other, _))) = (changed(&[]), changed(changes)) else {
        return;
    };
    judge(&mut sample);
    judge(&mut other);
    // Of several runs on both sides there are intervals.
    let [first, second] = [runs & 7, runs >> 3 & 7].map(|runs| usize::from(runs) + 1);
    let before = vec![sample.clone(); first];
    let mut after = vec![sample; second];
    after[0] = other;
    let Ok(comparison) = compare(&before, &after) else {
        return;
    };
    for timing in comparison.timings() {
        for interval in [timing.difference_ns, timing.change].into_iter().flatten() {
            assert!(interval.low <= interval.high, "{timing:?}");
        }
    }
    let gates = gate
        .iter()
        .filter_map(|gate| decided(gate, &text, &comparison));
    let gates: Vec<_> = gates.collect();
    let names = [
        vec![Text::from(&*text); first],
        vec![Text::from(&*text); second],
    ];
    let names = names.each_ref().map(Vec::as_slice);
    for full in [false, true] {
        let shown = terminal::compare::render(&comparison, &gates, names, full, Style::PLAIN);
        assert_visible(&shown);
        assert_visible(&markdown::comparison(&comparison, &gates, full));
        assert_visible(&junit::comparison(&gates, &shown));
    }
    let written = json::comparison(&comparison, &gates, names);
    assert_visible(str::from_utf8(&written).expect("JSON is UTF-8"));
    let repeated = repeated(&after).expect("they have as many workloads");
    assert_visible(&terminal::repeated::render(
        &repeated,
        names[1],
        Style::PLAIN,
    ));
}

/// What a gate says, which is not the contrary of what it says in its other form.
fn decided(
    gate: &Gate,
    text: &str,
    comparison: &Comparison,
) -> Option<(String, ioprof::analysis::compare::Verdict)> {
    let verdict = gate.decide(comparison, |_| true).ok()?;
    let form = |fails| Gate {
        fails,
        ..gate.clone()
    };
    let passes = |gate: &Gate| gate.decide(comparison, |_| true).map(|one| one.passes);
    let shown = passes(&form(Fails::UnlessShown)).expect("its metric is known");
    let refuted = passes(&form(Fails::IfRefuted)).expect("its metric is known");
    assert!(refuted || !shown, "{text}: {verdict:?}");
    assert_eq!(
        shown != refuted,
        verdict.condition == Outcome::Undecided,
        "{text}: {verdict:?}"
    );
    Some((text.to_owned(), verdict))
}
