//! The table of all settings, and why each is slower.

use super::{VALUE, ended};
use crate::{
    analysis::{
        Activity,
        compare::{Amount, Certainty, Span},
        sweep::{Beside, Compared, Setting, Sweep},
    },
    output::{
        format::{count, digits},
        terminal::{line::WIDTH, style::Style, table::Table},
        text::{shortened, width},
    },
    text::Text,
};

/// The columns that are left out of a table that is too wide, the first one first.
const SPARE: [&str; 3] = ["p50 us", "calls", "ampl."];

/// Whether the table has how much of all that is longer, and how many of the columns that can be spared it lacks: the first
/// that fits is shown, else the last.
const LAYOUTS: [(bool, usize); 5] = [(true, 0), (false, 0), (false, 1), (false, 2), (false, 3)];

/// The settings of these places.
pub fn table(sweep: &Sweep, shown: &[usize], style: Style) -> String {
    let most = WIDTH.saturating_add(style.spare());
    let of = |(with_share, spare)| {
        let without = SPARE.get(..spare).unwrap_or_default();
        rendered(sweep, shown, (with_share, without))
    };
    let fits = |layout: &(bool, usize)| {
        let plain = of(*layout).render(Style::PLAIN);
        plain.lines().all(|line| width(line) <= most)
    };
    let mut layouts = LAYOUTS.into_iter();
    let layout = layouts.find(fits).unwrap_or((false, SPARE.len()));
    of(layout).render(style)
}

fn rendered(sweep: &Sweep, shown: &[usize], (with_share, without): (bool, &[&str])) -> Table {
    let rate = match sweep.compared_by {
        Compared::BytesPerSecond => "MiB/s",
        Compared::WallTime => "wall ms",
    };
    let names = sweep.parameters.iter();
    let names = names.map(|one| shortened(&one.name, VALUE));
    let figures = [
        rate,
        "p50 us",
        "p99 us",
        "CPU ns/B",
        "calls",
        "ampl.",
        "slower by",
    ];
    let kept = |name: &&str| !without.contains(name);
    let header = std::iter::once(String::new()).chain(names);
    let header = header.chain(
        figures
            .iter()
            .filter(|one| kept(one))
            .map(ToString::to_string),
    );
    let header: Vec<_> = header.collect();
    let header: Vec<_> = header.iter().map(String::as_str).collect();
    let mut table = Table::new(1, &header);
    for place in shown {
        let Some(setting) = sweep.settings.get(*place) else {
            continue;
        };
        let mark = match (Some(*place) == sweep.knee, setting.is_on_front) {
            (true, true) => "K*",
            (true, false) => "K",
            (false, true) => "*",
            (false, false) => "",
        };
        let values = sweep.parameters.iter().map(|parameter| {
            let value = setting.values.get(&parameter.name);
            let value = Text::from(value.map_or("", String::as_str)).to_string();
            shortened(&value, VALUE)
        });
        let cells = figures
            .iter()
            .zip(cells(setting, sweep.compared_by, with_share));
        let cells = cells.filter(|(name, _)| kept(name)).map(|(_, cell)| cell);
        table.row(std::iter::once(mark.to_owned()).chain(values).chain(cells));
    }
    table
}

fn cells(setting: &Setting, by: Compared, with_share: bool) -> [String; 7] {
    let unknown = |figure: Option<String>| figure.unwrap_or_else(|| "-".into());
    let mark = match setting.beside_best.as_ref().map(|one| one.verdict) {
        Some(Certainty::Differs) | None => "",
        Some(_) => "~",
    };
    let rate = match by {
        Compared::BytesPerSecond => setting.bytes_per_second.map(|rate| rate / 1_048_576.0),
        Compared::WallTime => setting.wall_ns.map(|ns| ns as f64 / 1e6),
    };
    let us = |ns: Option<u64>| ns.map(|ns| digits(ns as f64 / 1e3));
    let why = match (setting.failed, &setting.beside_best) {
        (Some(exit), _) => ended(exit),
        (None, Some(beside)) => reason(beside, with_share),
        (None, None) if setting.wall_ns.is_some() => "best".into(),
        _ => String::new(),
    };
    [
        unknown(rate.map(|rate| format!("{mark}{}", digits(rate)))),
        unknown(us(setting.p50_ns)),
        unknown(us(setting.p99_ns)),
        unknown(setting.cpu_ns_per_byte.map(digits)),
        unknown(setting.calls.map(calls)),
        unknown(setting.amplification.map(digits)),
        why,
    ]
}

/// How many; at least so many, where runs differ.
fn calls(span: Span) -> String {
    match (span.min, span.varies()) {
        (Amount::Count(least), true) => format!(">={}", count(least)),
        (Amount::Count(all), false) => count(all),
        _ => "-".into(),
    }
}

/// What most of the longer time went into; nothing where it may be chance.
fn reason(beside: &Beside, with_share: bool) -> String {
    if beside.verdict != Certainty::Differs {
        return String::new();
    }
    match parts(beside).first() {
        None => "?".into(),
        Some((part, share, _)) if with_share => format!("{part} {}", whole_percent(*share)),
        Some((part, ..)) => part.clone(),
    }
}

fn whole_percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// The parts that are longer: in a word, as a part of all that is, and in nanoseconds.
pub fn parts(beside: &Beside) -> Vec<(String, f64, u64)> {
    let parts = beside.parts.iter().flatten();
    let longer: Vec<_> = parts.filter(|part| part.more_ns > 0).collect();
    let all = longer
        .iter()
        .fold(0.0, |sum, part| sum + part.more_ns as f64);
    let told = longer.into_iter().map(|part| {
        let activity = Activity::ALL.into_iter().find(|one| one.key() == part.part);
        let word = activity.map_or_else(|| part.part.clone(), |one| one.word().to_owned());
        (word, part.more_ns as f64 / all, part.more_ns.unsigned_abs())
    });
    told.collect()
}
