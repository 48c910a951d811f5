//! What a search for settings found.

use super::{line::WIDTH, style::Style, table::Table};
use crate::{
    model::tune::{Bounds, Gain, Outcome, Setting, ShareOfDevice, Target, Tried, Tuning, Verdict},
    output::{
        format::{bytes, command_line, count, digits, filled, percent, signed_percent, time},
        text::shortened,
    },
    text::Text,
};

/// So many rows are shown of what was tried.
const ROWS: usize = 9;
/// So many of the settings that cannot be run are told.
const REFUSED: usize = 2;

/// What to use, what it gains, and what was tried, in 80 columns.
pub fn render(tuning: &Tuning, style: Style) -> String {
    let mut text = String::new();
    if !tuning.complete {
        text.push_str(&style.alarm("Not complete: a signal ended the search."));
        text.push('\n');
    }
    let default = tuning.tried.first().and_then(|one| one.outcome.as_ref());
    let best = tuning.tried.get(1).and_then(|one| one.outcome.as_ref());
    match best {
        Some(best) => text.push_str(&verdict(tuning, best, default)),
        None => text.push_str(&paragraph(&format!(
            "{}: no settings but the default could be run",
            tuning.workload
        ))),
    }
    text.push_str(&commands(&tuning.command));
    text.push('\n');
    text.push_str(&table(&tuning.tried).render(style));
    text.push('\n');
    text.push_str(&notes(tuning));
    text
}

fn verdict(tuning: &Tuning, best: &Outcome, default: Option<&Outcome>) -> String {
    let settings = options(&tuning.best);
    let workload = &tuning.workload;
    let fails = tuning.meets_target == Some(false);
    let mut text = match (tuning.target, tuning.recommended, tuning.gain.verdict) {
        (Target::P99 { limit_ns }, _, _) if fails => paragraph(&format!(
            "{workload}: nothing that was tried keeps a p99 of {}; the closest is {}",
            time(limit_ns),
            match (tuning.recommended, default) {
                (false, Some(_)) => "the default".to_owned(),
                _ => settings,
            }
        )),
        (_, true, _) => paragraph(&format!("{workload}: use {settings}")),
        (_, false, Verdict::TooFewRounds) => {
            paragraph(&format!("{workload}: the best so far is {settings}"))
        }
        (_, false, _) => paragraph(&format!(
            "{workload}: nothing that was tried is better than the default; the best was {settings}"
        )),
    };
    text.push_str(&paragraph(&figures(tuning, best, default)));
    text
}

/// What the best came to, beside the default.
fn figures(tuning: &Tuning, best: &Outcome, default: Option<&Outcome>) -> String {
    let rate = format!("{}/s", bytes(best.bytes_per_second as u64));
    let p99 = |of: &Outcome| of.p99_ns.map_or_else(|| "unknown".into(), time);
    let gain = gain(tuning.target, tuning.gain);
    match tuning.target {
        Target::Throughput => format!("  {rate}, {gain}"),
        Target::Cpu => format!("  {} of CPU time a byte at {rate}, {gain}", cpu(best)),
        Target::P99 { .. } => {
            let of_default = default.map_or_else(|| "unknown".into(), p99);
            let of = best.p99_of.as_ref().map(|name| format!(" ({name})"));
            format!(
                "  p99 {}{}, of the default {of_default}; {rate}, {gain}",
                p99(best),
                of.unwrap_or_default()
            )
        }
    }
}

fn gain(target: Target, gain: Gain) -> String {
    let Some(change) = gain.change else {
        return "~ no final round tells what it gains".to_owned();
    };
    let (more, less) = match target {
        Target::Cpu => ("less", "more"),
        Target::Throughput | Target::P99 { .. } => ("more", "less"),
    };
    let direction = if change < 0.0 { less } else { more };
    let told = format!("{} {direction} than the default", percent(change.abs()));
    match gain.interval {
        None => format!("~ {told}; too few rounds to tell whether that is chance"),
        Some(Bounds { low, high }) => {
            let mark = if low <= 0.0 && high >= 0.0 { "~ " } else { "" };
            // Less CPU time is a gain.
            let [low, high] = match target {
                Target::Cpu => [-high, -low],
                Target::Throughput | Target::P99 { .. } => [low, high],
            };
            format!(
                "{mark}{told} (95 % interval: {} to {})",
                signed_percent(low),
                signed_percent(high)
            )
        }
    }
}

fn cpu(of: &Outcome) -> String {
    of.cpu_ns_per_byte
        .map_or_else(|| "-".into(), |ns| format!("{} ns", digits(ns)))
}

/// As options of a command line; a word where there are none.
fn options(settings: &[Setting]) -> String {
    let words = settings.iter().flat_map(|setting| {
        let name = Text::from(format!("--{}", setting.name.as_str()));
        [Some(name), setting.value.clone()].into_iter().flatten()
    });
    let words: Vec<Text> = words.collect();
    if words.is_empty() {
        return "the default".to_owned();
    }
    command_line(&words)
}

fn commands(command: &[Text]) -> String {
    let words = command_line(command);
    format!("  ioprof workload {words}\n  sudo ioprof run {words}\n")
}

fn table(tried: &[Tried]) -> Table {
    let mut names: Vec<&Text> = Vec::new();
    for setting in tried.iter().flat_map(|one| &one.settings) {
        if !names.contains(&&setting.name) {
            names.push(&setting.name);
        }
    }
    names.sort();
    let shown = names.iter().map(|name| name.as_str());
    let columns = ["runs", "bytes/s", "CPU/byte", "p99"];
    let header: Vec<&str> = shown.chain(columns).collect();
    let mut table = Table::new(names.len(), &header);
    let rows = tried
        .iter()
        .filter_map(|one| Some((one, one.outcome.as_ref()?)));
    for (one, outcome) in rows.take(ROWS) {
        let cells = names.iter().map(|name| {
            let set = one.settings.iter().find(|setting| setting.name == **name);
            let value = set.map(|set| set.value.as_ref().map_or("yes", Text::as_str));
            value.unwrap_or("-").to_owned()
        });
        // What was cut off is slower than that.
        let mark = if outcome.cut_off > 0 { "<" } else { "" };
        table.row(cells.chain([
            count(outcome.runs),
            format!("{mark}{}", bytes(outcome.bytes_per_second as u64)),
            cpu(outcome),
            outcome.p99_ns.map_or_else(|| "-".into(), time),
        ]));
    }
    table
}

fn notes(tuning: &Tuning) -> String {
    let mut notes = Vec::new();
    let known = tuning.tried.iter().filter(|one| one.outcome.is_some());
    let left_out = known.count().saturating_sub(ROWS);
    if left_out > 0 {
        notes.push(format!(
            "... {} more are in the JSON (-o FILE)",
            count(left_out as u64)
        ));
    }
    notes.push(rounds(tuning));
    let conditions = &tuning.conditions;
    let data = match conditions.data_set.is_empty() {
        true => String::new(),
        false => format!(", {}", command_line(&conditions.data_set)),
    };
    notes.push(format!(
        "- is the default; each run: {} at most{data}, in {}, --cache {}",
        bytes(conditions.bytes_per_run),
        shortened(&conditions.folder.to_string(), WIDTH / 2),
        conditions.cache
    ));
    notes.extend(tuning.ceiling.as_ref().map(ceiling));
    let refused = tuning.tried.iter().filter_map(|one| {
        let reason = shortened(&one.refused.as_ref()?.to_string(), WIDTH);
        Some(format!(
            "{} cannot be run: {reason}",
            options(&one.settings)
        ))
    });
    notes.extend(refused.take(REFUSED));
    notes.iter().map(|note| paragraph(note)).collect()
}

fn rounds(tuning: &Tuning) -> String {
    let tried = tuning.tried.len().saturating_sub(1) as u64;
    let times = |runs: u64| match runs {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        runs => format!("{} times", count(runs)),
    };
    let rounds = tuning.rounds.iter();
    let rounds: Vec<_> = rounds
        .map(|round| format!("{} {}", count(round.settings), times(round.runs)))
        .collect();
    let last = tuning.tried.iter().skip(1).filter(|one| one.is_final);
    let last = last.count() as u64;
    let finals = match tuning.final_rounds {
        0 => String::new(),
        finals => format!(
            "; then the default and the best {}, in turns, {}",
            count(last),
            times(finals)
        ),
    };
    format!(
        "tried {} of {} settings: {}{finals}",
        count(tried),
        count(tuning.settings_possible),
        rounds.join(", ")
    )
}

fn ceiling(of: &ShareOfDevice) -> String {
    format!(
        "{} of what {} can do for {} {} of {}: {}/s",
        percent(of.share),
        of.device,
        of.pattern.word(),
        of.operation.plural(),
        bytes(of.size_bytes),
        bytes(of.ceiling_bytes_per_second as u64)
    )
}

fn paragraph(text: &str) -> String {
    let indent = if text.starts_with("  ") { "    " } else { "  " };
    let filled = filled(
        text.trim_start().split(' '),
        WIDTH.saturating_sub(2),
        indent,
    );
    let lead = if text.starts_with("  ") { "  " } else { "" };
    format!("{lead}{filled}\n")
}
