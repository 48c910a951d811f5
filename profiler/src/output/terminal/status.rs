//! A line of what the workloads do now.

use std::time::Duration;

use crate::{
    model::progress::{Moved, Progress},
    output::{
        format::{bytes, count},
        text::width,
    },
};

/// What was done between two readings, `between` apart, as many parts of it as there are columns for; `elapsed` is the time
/// since the beginning.
pub fn render(
    (before, now): (&Progress, &Progress),
    between: Duration,
    elapsed: Duration,
    columns: usize,
) -> String {
    let mut line = format!("ioprof: {} s", count(elapsed.as_secs()));
    let moved = moved(before.moved, now.moved, between);
    let in_flight = now.in_flight.map_or_else(|| "?".into(), count);
    let call = busiest(before, now).map(|call| format!("most time in {call}"));
    let parts = moved.into_iter().chain([format!("{in_flight} in flight")]);
    for part in parts.chain(call) {
        let longer = format!("{line}, {part}");
        if width(&longer) > columns {
            break;
        }
        line = longer;
    }
    match width(&line) > columns {
        true => String::new(),
        false => line,
    }
}

/// What was moved in each second.
fn moved(before: Option<Moved>, now: Option<Moved>, between: Duration) -> Vec<String> {
    let Some((before, now)) = before.zip(now) else {
        return vec!["read ?".into(), "written ?".into()];
    };
    let rate = |verb: &str, before: u64, now: u64| {
        let rate = per_second(now.saturating_sub(before), between);
        format!("{verb} {}/s", bytes(rate))
    };
    let mut parts = vec![
        rate("read", before.read_bytes, now.read_bytes),
        rate("written", before.written_bytes, now.written_bytes),
    ];
    if now.copied_bytes > 0 {
        parts.push(rate("copied", before.copied_bytes, now.copied_bytes));
    }
    parts
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a rate is for reading, and none is negative"
)]
fn per_second(bytes: u64, between: Duration) -> u64 {
    (bytes as f64 / between.as_secs_f64().max(f64::MIN_POSITIVE)) as u64
}

/// The call that most time went into: in calls that have returned meanwhile.
fn busiest<'a>(before: &Progress, now: &'a Progress) -> Option<&'a str> {
    let since = |(name, ns): (&'a String, &u64)| {
        let before = before.time_ns.get(name).copied().unwrap_or(0);
        (ns.saturating_sub(before), name.as_str())
    };
    let most = now.time_ns.iter().map(since).max()?;
    (most.0 > 0).then_some(most.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn progress(read_bytes: u64, in_flight: u64, times: &[(&str, u64)]) -> Progress {
        Progress {
            moved: Some(Moved {
                read_bytes,
                ..Moved::default()
            }),
            in_flight: Some(in_flight),
            time_ns: times
                .iter()
                .map(|(name, ns)| ((*name).to_owned(), *ns))
                .collect(),
        }
    }

    #[test]
    fn what_is_told_is_of_the_time_since_the_reading_before() {
        let before = progress(1 << 20, 9, &[("read", 900), ("fsync", 10)]);
        let now = progress(3 << 20, 4, &[("read", 910), ("fsync", 50), ("write", 5)]);
        let line = render((&before, &now), SECOND / 2, 12 * SECOND, 80);
        assert_eq!(
            line,
            "ioprof: 12 s, read 4.00 MiB/s, written 0 B/s, 4 in flight, most time in fsync"
        );
        let line = render((&now, &now), SECOND, 12 * SECOND, 80);
        assert_eq!(line, "ioprof: 12 s, read 0 B/s, written 0 B/s, 4 in flight");
    }

    #[test]
    fn a_narrow_terminal_has_the_first_parts() {
        let (before, now) = (progress(0, 0, &[]), progress(5, 0, &[("read", 1)]));
        for columns in 0..100 {
            let line = render((&before, &now), SECOND, SECOND, columns);
            assert!(width(&line) <= columns, "{line}");
            let whole = render((&before, &now), SECOND, SECOND, 100);
            assert!(whole.starts_with(&line), "{line}");
        }
    }

    #[test]
    fn what_is_unknown_is_no_figure() {
        let unknown = Progress::default();
        let line = render((&unknown, &unknown), SECOND, 3 * SECOND, 80);
        assert_eq!(line, "ioprof: 3 s, read ?, written ?, ? in flight");
    }

    #[test]
    fn copies_are_told_where_there_are_any() {
        let mut now = progress(0, 0, &[]);
        now.moved = Some(Moved {
            copied_bytes: 2048,
            ..Moved::default()
        });
        let line = render((&progress(0, 0, &[]), &now), 2 * SECOND, 2 * SECOND, 80);
        assert!(line.contains("copied 1.00 KiB/s"), "{line}");
    }
}
