//! What the runs of all settings have come to: the best first, then each setting in a row.

mod table;

use self::table::{parts, table};
use super::{line::paragraph, style::Style};
use crate::{
    analysis::{
        compare::Certainty,
        sweep::{CacheState, Compared, Operations, Parameter, Places, Run, Setting, Sweep},
    },
    model::report::{Exit, Kind},
    output::{
        format::{bytes, count, percent, time},
        json::Swept,
        text::shortened,
    },
    text::Text,
};

/// So many rows are shown where not all are asked for.
const ROWS: usize = 20;
/// The widest value of a parameter.
const VALUE: usize = 12;
/// Parts of the longer time that are shown of a setting, each at least this part of all that grew.
const PARTS: usize = 3;
const LEAST: f64 = 0.05;

/// A run that is over: which of how many, by what setting, and how it went.
pub fn progress(
    (what, number, of): (&str, usize, usize),
    (parameters, places): (&[Parameter], &Places),
    (run, failed): (&Run, Option<Exit>),
) -> String {
    let values = parameters.iter().zip(places).map(|(parameter, place)| {
        let value = parameter.values.get(*place).map_or("", String::as_str);
        format!("{}={value}", parameter.name)
    });
    let values: Vec<_> = values.collect();
    let failed = failed.map_or_else(String::new, |exit| {
        format!(", {}: this setting is left out", ended(exit))
    });
    let moved = match run.bytes {
        Some(moved) if moved > 0 => format!(", {}", bytes(moved)),
        _ => String::new(),
    };
    format!(
        "ioprof: {what} {number} of {of}: {}: {}{moved}{failed}",
        values.join(" "),
        time(run.wall_ns)
    )
}

fn ended(exit: Exit) -> String {
    match exit {
        Exit::Code(code) => format!("exit {code}"),
        Exit::Signal(signal) => format!("signal {signal}"),
    }
}

/// The whole of it; the rows that matter where not all are asked for.
pub fn render(swept: &Swept<'_>, name: &Text, full: bool, style: Style) -> String {
    let sweep = swept.sweep;
    let mut text = String::new();
    for warning in warnings(swept) {
        let lines = paragraph(&warning);
        text.push_str(&format!("{}\n", style.alarm(lines.trim_end())));
    }
    text.push_str(&paragraph(&verdict(sweep, name)));
    text.push_str(&paragraph(&how(swept)));
    let shown = shown(sweep, full);
    text.push_str(&table(sweep, &shown, style));
    if full {
        text.push_str(&reasons(sweep));
    }
    for note in notes(sweep, shown.len()) {
        let lines = paragraph(&note);
        text.push_str(&format!("{}\n", style.faint(lines.trim_end())));
    }
    text
}

fn warnings(swept: &Swept<'_>) -> Vec<String> {
    let sweep = swept.sweep;
    let runs = || sweep.settings.iter().flat_map(|one| &one.runs);
    let all = sweep.rounds.saturating_mul(sweep.settings.len() as u64);
    let mut warnings = Vec::new();
    if !sweep.is_complete {
        let why = swept.stopped_by.unwrap_or("a run could not be made");
        warnings.push(format!(
            "INCOMPLETE: {why}, after {} of {} runs",
            count(runs().count() as u64),
            count(all)
        ));
    }
    let in_doubt = runs().filter(|run| run.in_doubt).count();
    if in_doubt > 0 {
        warnings.push(format!(
            "FIGURES IN DOUBT: the ledger of {} of {} runs has an alarm",
            count(in_doubt as u64),
            count(runs().count() as u64)
        ));
    }
    if sweep.is_cache_mixed {
        let cached = runs().filter(|run| run.cache_state == Some(CacheState::AllCached));
        warnings.push(format!(
            "MIXED CACHE STATE: {} of {} runs found all they read in the page cache, others did not",
            count(cached.count() as u64),
            count(runs().count() as u64)
        ));
    }
    warnings
}

fn named(setting: &Setting, parameters: &[Parameter]) -> String {
    let values = parameters.iter().map(|parameter| {
        let value = setting.values.get(&parameter.name);
        let value = value.map_or("", String::as_str);
        format!("{}={}", parameter.name, shortened(value, VALUE))
    });
    let values: Vec<_> = values.collect();
    Text::from(values.join(" ")).to_string()
}

fn pace(setting: &Setting, by: Compared) -> String {
    match (by, setting.bytes_per_second, setting.wall_ns) {
        (Compared::BytesPerSecond, Some(rate), _) => format!("{}/s", bytes(rate.round() as u64)),
        (_, _, Some(wall)) => time(wall),
        _ => "?".into(),
    }
}

/// The knee, and the best beside it.
fn verdict(sweep: &Sweep, name: &Text) -> String {
    let setting = |place: Option<usize>| sweep.settings.get(place?);
    let (Some(best), Some(knee)) = (setting(sweep.best), setting(sweep.knee)) else {
        return format!("{name}: no setting was measured");
    };
    let told = |one: &Setting| {
        let values = named(one, &sweep.parameters);
        format!("{values} with {}", pace(one, sweep.compared_by))
    };
    if sweep.best == sweep.knee {
        return format!("{name}: best, and knee, {}", told(best));
    }
    format!("{name}: knee {}; best {}", told(knee), told(best))
}

/// How it was measured.
fn how(swept: &Swept<'_>) -> String {
    let sweep = swept.sweep;
    let runs = match sweep.rounds {
        1 => "1 run".to_owned(),
        runs => format!("{} runs", count(runs)),
    };
    let warm_up = match swept.warm_up {
        true => " after 1 to warm up",
        false => "",
    };
    let cache = match (swept.kind, swept.cache) {
        (Kind::Builtin, Some(state)) => format!("--cache {state}"),
        (Kind::Builtin, None) => "the page cache as varied".into(),
        (_, Some("evicted")) => "files of --evict evicted before each".into(),
        _ => "the page cache as the run before left it".into(),
    };
    let latencies = match sweep.latencies_of {
        Operations::Reads => "reads",
        Operations::Writes => "writes",
    };
    format!(
        "{} settings in turns, {runs} of each{warm_up}; {cache}; latencies of {latencies}",
        count(sweep.settings.len() as u64)
    )
}

/// The places of the settings that are shown.
fn shown(sweep: &Sweep, full: bool) -> Vec<usize> {
    let all = 0..sweep.settings.len();
    if full || sweep.settings.len() <= ROWS {
        return all.collect();
    }
    let is_marked = |place: &usize| {
        let setting = sweep.settings.get(*place);
        [sweep.best, sweep.knee].contains(&Some(*place))
            || setting.is_some_and(|one| one.is_on_front || one.failed.is_some())
    };
    let mut shown: Vec<_> = all.clone().filter(is_marked).take(ROWS).collect();
    let mut others: Vec<_> = all.filter(|place| !shown.contains(place)).collect();
    others.sort_by_key(|place| {
        let beside = sweep
            .settings
            .get(*place)
            .and_then(|one| one.beside_best.as_ref());
        beside.map_or(u64::MAX, |one| one.longer_ns)
    });
    let left = ROWS.saturating_sub(shown.len());
    shown.extend(others.into_iter().take(left));
    shown.sort_unstable();
    shown
}

/// What each slower setting takes longer for.
fn reasons(sweep: &Sweep) -> String {
    let mut text = String::new();
    for setting in &sweep.settings {
        let Some(beside) = &setting.beside_best else {
            continue;
        };
        if beside.verdict != Certainty::Differs {
            continue;
        }
        let parts = parts(beside).into_iter().take(PARTS);
        let parts = parts.filter(|(_, share, _)| *share >= LEAST);
        let parts: Vec<_> = parts
            .map(|(word, _, ns)| format!("{word} +{}", time(ns)))
            .collect();
        let change = beside.change.map_or_else(String::new, |change| {
            let bound = |part: f64| percent(-part);
            format!(", {} to {} slower", bound(change.high), bound(change.low))
        });
        let line = format!(
            "{}: +{}{change}: {}",
            named(setting, &sweep.parameters),
            time(beside.longer_ns),
            parts.join(", ")
        );
        text.push_str(&paragraph(&line));
    }
    text
}

fn notes(sweep: &Sweep, shown: usize) -> Vec<String> {
    let mut notes = Vec::new();
    let rate = match sweep.compared_by {
        Compared::BytesPerSecond => "faster",
        Compared::WallTime => "sooner done",
    };
    let any = |of: &dyn Fn(&Setting) -> bool| sweep.settings.iter().any(of);
    let mut words = Vec::new();
    if sweep.knee.is_some() {
        words.push("K knee: the least setting within 5 % of the best".to_owned());
    }
    if any(&|one| one.is_on_front) {
        words.push(format!(
            "* Pareto front: none is {rate} and has a shorter p99"
        ));
    }
    let is_unsure = |one: &Setting| {
        let verdict = one.beside_best.as_ref().map(|one| one.verdict);
        verdict.is_some_and(|verdict| verdict != Certainty::Differs)
    };
    if any(&is_unsure) {
        let needed = sweep.runs_needed.map_or_else(String::new, |runs| {
            format!(" ({} runs of each may)", count(runs))
        });
        words.push(format!("~ not told from the best{needed}"));
    }
    if !words.is_empty() {
        notes.push(words.join("; "));
    }
    if sweep.compared_by == Compared::WallTime && sweep.best.is_some() {
        notes.push(
            "compared by wall time: a run moved no bytes of files by calls, or how many is not known"
                .into(),
        );
    }
    let left = sweep.settings.len().saturating_sub(shown);
    if left > 0 {
        notes.push(format!(
            "{} slower settings left out; --full shows all",
            count(left as u64)
        ));
    }
    notes
}

#[cfg(test)]
mod tests;
