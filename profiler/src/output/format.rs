//! Numbers and lists as a person reads them.

use super::text::width;

/// 1,234,567.
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (left, digit) in (1..=digits.len()).rev().zip(digits.chars()) {
        if !text.is_empty() && left.is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A byte count in the largest binary unit that leaves at least 1, to three digits.
pub fn bytes(value: u64) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    scaled(value, 1024.0, &UNITS)
}

/// A time span in the largest unit up to seconds that leaves at least 1, to three digits.
pub fn time(nanoseconds: u64) -> String {
    const UNITS: [&str; 4] = ["ns", "us", "ms", "s"];
    scaled(nanoseconds, 1000.0, &UNITS)
}

#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
fn scaled(value: u64, step: f64, units: &[&str]) -> String {
    let mut scaled = value as f64;
    let mut text = format!("{value} {}", units[0]);
    for unit in &units[1..] {
        // Not 1000 of one unit where rounding makes it 1.00 of the next.
        if scaled < step - 0.5 {
            break;
        }
        scaled /= step;
        text = format!("{} {unit}", digits(scaled));
    }
    text
}

/// A number to three digits, without a fraction from 100 on. One that is too large to be of a real report is told
/// by its power of ten.
pub fn digits(value: f64) -> String {
    let decimals = match value {
        _ if value >= 1e15 => return format!("{value:.2e}"),
        _ if value >= 99.95 => 0,
        _ if value >= 9.995 => 1,
        _ => 2,
    };
    format!("{value:.decimals$}")
}

/// A part of 1 as a percentage.
pub fn percent(part: f64) -> String {
    format!("{} %", digits(part * 100.0))
}

/// Words as a shell would take them, so that they can be copied.
pub fn command_line(words: &[String]) -> String {
    words
        .iter()
        .map(|word| {
            let plain = |c: char| c.is_alphanumeric() || "-_./=:,+@%^".contains(c);
            if !word.is_empty() && word.chars().all(plain) {
                word.clone()
            } else {
                format!("'{}'", word.replace('\'', "'\\''"))
            }
        })
        .collect::<Vec<_>>()
        .join(" ")
}

/// Parts joined by commas, in lines of at most `most` columns, all but the first indented.
pub fn wrapped(parts: &[String], most: usize, indent: &str) -> String {
    let mut lines = vec![String::new()];
    for (after, part) in (0..parts.len()).rev().zip(parts) {
        let comma = if after > 0 { "," } else { "" };
        let part = format!("{part}{comma}");
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(&part),
            Some(line) if width(line).saturating_add(width(&part)) < most => {
                line.push_str(&format!(" {part}"));
            }
            _ => lines.push(format!("{indent}{part}")),
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_and_a_unit() {
        assert_eq!(count(0), "0");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1024), "1.00 KiB");
        assert_eq!(bytes(1_048_575), "1.00 MiB");
        assert_eq!(bytes(u64::MAX), "16.0 EiB");
        assert_eq!(time(999), "999 ns");
        assert_eq!(time(999_999), "1.00 ms");
        assert_eq!(time(12_340_000_000), "12.3 s");
        assert_eq!(time(7_200_000_000_000), "7200 s");
        assert_eq!(percent(0.0123), "1.23 %");
    }

    #[test]
    fn lists_break_at_commas() {
        let parts = ["aaaa", "bbbb", "cc"].map(String::from);
        assert_eq!(wrapped(&parts, 12, "  "), "aaaa, bbbb,\n  cc");
        assert_eq!(wrapped(&parts, 80, "  "), "aaaa, bbbb, cc");
    }

    #[test]
    fn a_command_line_can_be_copied() {
        let words = ["ls", "a b", "it's", ""].map(String::from);
        assert_eq!(command_line(&words), "ls 'a b' 'it'\\''s' ''");
    }
}
