//! Settings of the system: what would be tried, or what came of it.

use super::{
    line::{WIDTH, paragraph},
    style::Style,
    table::Table,
};
use crate::{
    analysis::tune_system::{
        Cache, ERROR, Helping, Name, Permanent, Setting, SystemTuning, Timed, Tried, alpha,
    },
    output::{
        comparison::interval,
        format::{bytes, command_line, count, signed_percent, time},
        text::{shortened, shortened_before},
    },
};

/// Columns of a mount point or a device, of a value, and of a setting.
const NAME: usize = 18;
const VALUE: usize = 14;
const LABEL: usize = 30;

/// All of it, in 80 columns; lines to be copied are as long as they are.
pub fn render(tuning: &SystemTuning, style: Style) -> String {
    let mut text = head(tuning);
    let tried = || {
        let settings = tuning.settings.iter();
        settings.filter(|setting| !setting.tried.is_empty())
    };
    if tried().next().is_some() {
        text.push('\n');
        text.push_str(&if tuning.applied {
            results(tuning, style)
        } else {
            values(tried()).render(style)
        });
    }
    text.push_str(&left_alone(tuning, style));
    text.push_str(&notes(tuning));
    text.push_str(&if tuning.applied {
        end(tuning, style)
    } else {
        let firsts = tried().filter_map(|setting| setting.tried.first());
        let firsts: Vec<_> = firsts.map(|tried| &tried.permanent).collect();
        lines(
            "Lines that make such a value permanent, here the first:",
            &firsts,
            style,
        )
    });
    text
}

fn head(tuning: &SystemTuning) -> String {
    let mounted = tuning
        .mount_point
        .as_ref()
        .map_or_else(String::new, |point| {
            format!(
                ", mounted at {}",
                shortened_before(&point.to_string(), WIDTH / 2)
            )
        });
    let below: Vec<_> = tuning.below.iter().map(ToString::to_string).collect();
    let below = match &below[..] {
        [] => String::new(),
        some => format!(", made of {}", some.join(", ")),
    };
    let place = format!(
        "{} is on {}, {}{mounted}{below}",
        shortened_before(&tuning.path.to_string(), WIDTH / 2),
        tuning.device,
        tuning.file_system
    );
    let what = if tuning.applied && tuning.runs == 0 {
        "There is no value to try; nothing was changed or run".to_owned()
    } else if tuning.applied {
        let cache = match tuning.cache {
            Cache::AsIs => "as it was",
            Cache::Cold => "without the files below the path",
        };
        format!(
            "{}: {} runs in {}, {} of each value, page cache {cache}",
            shortened(&command_line(&tuning.command), WIDTH / 2),
            count(tuning.runs),
            time(tuning.duration_ns),
            count(tuning.rounds)
        )
    } else {
        "Nothing is changed: --apply tries these values and puts everything back".to_owned()
    };
    paragraph(&place) + &paragraph(&what)
}

/// The name of a setting with what it is of.
fn name(setting: &Setting) -> String {
    let of = shortened_before(&setting.of.to_string(), NAME);
    let told = setting.name.told();
    match setting.name {
        Name::DirtyRatio | Name::DirtyBackgroundRatio => format!("{of}.{told}"),
        Name::Atime => format!("{told} of {of}"),
        Name::Scheduler | Name::NrRequests | Name::ReadAheadKb => format!("{of} {told}"),
    }
}

fn found(setting: &Setting) -> String {
    let found = setting.found.as_ref();
    found.map_or_else(
        || "?".to_owned(),
        |found| shortened(&found.to_string(), VALUE),
    )
}

/// A value; that of a limit in bytes is told as such.
fn value(setting: &Setting, tried: &Tried) -> String {
    let file = tried.file.as_ref().map(ToString::to_string);
    let is_bytes = file.is_some_and(|file| file.ends_with("_bytes"));
    let value = tried.value.to_string();
    match (setting.name, value.parse()) {
        (Name::DirtyRatio | Name::DirtyBackgroundRatio, Ok(number)) if is_bytes => bytes(number),
        _ => shortened(&value, VALUE),
    }
}

fn values<'a>(settings: impl Iterator<Item = &'a Setting>) -> Table {
    let mut table = Table::new(3, &["setting", "now", "would be tried"]);
    for setting in settings {
        let values = setting.tried.iter().map(|tried| value(setting, tried));
        let values = values.collect::<Vec<_>>().join(", ");
        table.row([name(setting), found(setting), values]);
    }
    table
}

fn results(tuning: &SystemTuning, style: Style) -> String {
    let header = ["setting", "median", "change", "interval", ""];
    let mut table = Table::new(1, &header);
    let tried = tuning.settings.iter().filter(|one| !one.tried.is_empty());
    for setting in tried {
        let timed = setting.tried.iter().find_map(|one| one.timed.as_ref());
        let before = timed.map_or_else(String::new, |timed| time(timed.before_ns));
        let none = String::new;
        let of = shortened(&name(setting), LABEL);
        table.row([of, none(), none(), none(), none()]);
        let now = format!("  {}", found(setting));
        table.row([now, before, none(), none(), "now".into()]);
        for one in &setting.tried {
            let label = format!("  {}", value(setting, one));
            table.row(match (&one.refused, &one.timed) {
                (None, Some(timed)) => cells(label, timed),
                _ => [label, "refused".into(), none(), none(), none()],
            });
        }
    }
    if let Some(together) = &tuning.together {
        table.row(cells("the best of each together".into(), together));
    }
    table.render(style)
}

fn cells(label: String, timed: &Timed) -> [String; 5] {
    let change = timed.change.map_or_else(String::new, signed_percent);
    let between = timed.interval.map_or_else(String::new, interval);
    let verdict = match timed.verdict {
        Helping::Helps => "helps",
        Helping::Hinders => "hinders",
        Helping::NotSignificant | Helping::TooFewRuns => "~",
    };
    [label, time(timed.after_ns), change, between, verdict.into()]
}

fn left_alone(tuning: &SystemTuning, style: Style) -> String {
    let lines = tuning.settings.iter().filter_map(|setting| {
        let why = setting.left_alone.as_ref()?;
        let found = setting.found.as_ref();
        let found = found.map_or_else(String::new, |found| format!(" {found}"));
        Some(paragraph(&format!("{}{found}: {why}", name(setting))))
    });
    let lines: String = lines.collect();
    if lines.is_empty() {
        return lines;
    }
    format!("\n{}\n{lines}", style.heading("left alone:"))
}

fn notes(tuning: &SystemTuning) -> String {
    let mut notes = Vec::new();
    let has = |name: Name| {
        let mut settings = tuning.settings.iter();
        settings.any(|setting| setting.name == name && !setting.tried.is_empty())
    };
    if has(Name::ReadAheadKb) && tuning.cache == Cache::AsIs {
        notes.push(
            "read_ahead_kb counts for what is not in the page cache: --cache cold takes the \
             files below the path out of it before each run"
                .to_owned(),
        );
    }
    if has(Name::DirtyRatio) || has(Name::DirtyBackgroundRatio) {
        notes.push(
            "A limit of dirty pages may only put writing off until the command has ended: let it \
             end with sync(1) where that is to count"
                .to_owned(),
        );
    }
    if let Some(left) = tuning.pages_left.filter(|left| *left > 0) {
        notes.push(format!(
            "{} pages of the files below the path stayed in the page cache: somebody has them \
             mapped or open for writing",
            count(left)
        ));
    }
    let refused = tuning.settings.iter().flat_map(|setting| {
        let refused = setting.tried.iter().filter_map(move |one| {
            let why = one.refused.as_ref()?;
            Some(format!("{} {}: refused, {why}", name(setting), one.value))
        });
        refused.collect::<Vec<_>>()
    });
    notes.extend(refused);
    notes.extend(significance(tuning));
    let notes = notes.iter().map(|note| paragraph(note));
    let notes: String = notes.collect();
    if notes.is_empty() {
        return notes;
    }
    format!("\n{notes}")
}

/// What `~` and the intervals mean.
fn significance(tuning: &SystemTuning) -> Option<String> {
    let timed = || {
        let tried = tuning.settings.iter().flat_map(|setting| &setting.tried);
        tried.filter_map(|one| one.timed.as_ref())
    };
    let few = timed().find(|timed| timed.verdict == Helping::TooFewRuns);
    if let Some(few) = few {
        return Some(format!(
            "~ too few runs tell nothing of this many values: --repeat {} or more",
            few.fewest_runs
        ));
    }
    timed().next()?;
    let tried = tuning.settings.iter().flat_map(|setting| &setting.tried);
    let of_one = (1.0 - alpha(tried.count())) * 100.0;
    Some(format!(
        "~ no difference can be told. Each interval is one of {of_one:.1} %, so that all of them \
         are right with {:.0} %",
        (1.0 - ERROR) * 100.0
    ))
}

fn end(tuning: &SystemTuning, style: Style) -> String {
    if tuning.runs == 0 {
        return String::new();
    }
    let helping = || tuning.settings.iter().filter_map(Setting::best);
    let kept = tuning.settings.iter().filter(|setting| setting.kept);
    let kept = kept.filter_map(|setting| {
        let best = setting.best()?;
        Some(format!("{} {}", name(setting), best.value))
    });
    let kept: Vec<_> = kept.collect();
    let said = if kept.is_empty() {
        "All settings are as they were.".to_owned()
    } else {
        format!(
            "Left until the next start: {}. All other settings are as they were.",
            kept.join(", ")
        )
    };
    let mut text = format!("\n{}", paragraph(&said));
    let permanent: Vec<_> = helping().map(|one| &one.permanent).collect();
    if permanent.is_empty() {
        text.push_str("No value is shown to help.\n");
    }
    text.push_str(&lines(
        "Lines that make what helps permanent:",
        &permanent,
        style,
    ));
    text
}

/// The lines, each file once.
fn lines(heading: &str, all: &[&Permanent], style: Style) -> String {
    let mut files: Vec<_> = all.iter().map(|one| &one.file).collect();
    files.dedup();
    if files.is_empty() {
        return String::new();
    }
    let mut text = format!("\n{}\n", style.heading(heading));
    for file in files {
        let of_file = || all.iter().filter(|one| one.file == *file);
        text.push_str(&format!("{file}\n"));
        for line in of_file().flat_map(|one| &one.lines) {
            text.push_str(&format!("  {line}\n"));
        }
        if let Some(then) = of_file().find_map(|one| one.then.as_ref()) {
            text.push_str(&paragraph(&format!("then: {then}")));
        }
    }
    text
}

#[cfg(test)]
mod tests;
