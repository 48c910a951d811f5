//! Numbers and names as a person reads them.

/// 1,234,567.
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
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
    let mut unit = 0;
    // Not 1000 of one unit where rounding makes it 1.00 of the next.
    while scaled >= step - 0.5 && unit + 1 < units.len() {
        scaled /= step;
        unit += 1;
    }
    if unit == 0 {
        format!("{value} {}", units[0])
    } else {
        format!("{} {}", digits(scaled), units[unit])
    }
}

/// A number to three digits, without a fraction from 100 on.
pub fn digits(value: f64) -> String {
    let decimals = match value {
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

/// Text from outside with what a terminal would act on made visible.
pub fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|character| {
            let acted_on = character.is_control() || is_format(character);
            let escaped = acted_on.then(|| character.escape_default());
            let plain = (!acted_on).then_some(character);
            escaped.into_iter().flatten().chain(plain)
        })
        .collect()
}

/// Characters that are not shown, but change how those around them are: zero-width and bidirectional ones.
const fn is_format(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Words as a shell would take them, so that they can be copied.
pub fn command_line(words: &[String]) -> String {
    words
        .iter()
        .map(|word| {
            let plain = |c: char| c.is_alphanumeric() || "-_./=:,+@%^".contains(c);
            let word = printable(word);
            if !word.is_empty() && word.chars().all(plain) {
                word
            } else {
                format!("'{}'", word.replace('\'', "'\\''"))
            }
        })
        .collect::<Vec<_>>()
        .join(" ")
}

/// Parts joined by commas, in lines of at most `width` characters, all but the first indented.
pub fn wrapped(parts: &[String], width: usize, indent: &str) -> String {
    let mut lines = vec![String::new()];
    for (at, part) in parts.iter().enumerate() {
        let comma = if at + 1 < parts.len() { "," } else { "" };
        let last = lines.len() - 1;
        let line = &mut lines[last];
        if line.is_empty() {
            line.push_str(&format!("{part}{comma}"));
        } else if line.chars().count() + 1 + part.chars().count() + comma.len() <= width {
            line.push_str(&format!(" {part}{comma}"));
        } else {
            lines.push(format!("{indent}{part}{comma}"));
        }
    }
    lines.join("\n")
}

/// The beginning of a text that is too long, with dots for the rest.
pub fn shortened(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(3)).collect();
    format!("{kept}...")
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
    fn a_terminal_is_given_nothing_to_act_on() {
        assert_eq!(printable("a\u{1b}[31mb\n"), "a\\u{1b}[31mb\\n");
        assert_eq!(printable("x\u{202e}y"), "x\\u{202e}y");
        assert_eq!(printable("gr\u{fc}n"), "gr\u{fc}n");
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
