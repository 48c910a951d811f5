//! Numbers and lists for people.

use super::text::width;
use crate::text::Text;

pub use ioprof_workloads::display::{bytes, count, digits, time};

/// A part of 1 as a percentage.
pub fn percent(part: f64) -> String {
    format!("{} %", digits(part * 100.0))
}

/// A change as a part, with its sign.
pub fn signed_percent(part: f64) -> String {
    let sign = if part < 0.0 { '-' } else { '+' };
    format!("{sign}{}", percent(part.abs()))
}

/// So many of something, in words for one and for several.
pub fn counted(number: u64, one: &str, several: &str) -> String {
    let words = if number == 1 { one } else { several };
    format!("{} {words}", count(number))
}

/// Words quoted for a shell, so that they can be copied.
pub fn command_line(words: &[Text]) -> String {
    words
        .iter()
        .map(|word| {
            let word = word.to_string();
            let plain = |c: char| c.is_alphanumeric() || "-_./=:,+@%^".contains(c);
            if !word.is_empty() && word.chars().all(plain) {
                word
            } else {
                format!("'{}'", word.replace('\'', "'\\''"))
            }
        })
        .collect::<Vec<_>>()
        .join(" ")
}

/// Parts joined by commas, in lines of at most `most` columns, all but the first indented.
pub fn wrapped(parts: &[String], most: usize, indent: &str) -> String {
    let with_comma = |(after, part): (usize, &String)| match after {
        0 => part.clone(),
        _ => format!("{part},"),
    };
    let parts = (0..parts.len()).rev().zip(parts).map(with_comma);
    filled(parts, most, indent)
}

/// Words in lines of at most `most` columns, all but the first indented.
pub fn filled<W: AsRef<str>>(words: impl Iterator<Item = W>, most: usize, indent: &str) -> String {
    let mut lines = vec![String::new()];
    for word in words {
        let word = word.as_ref();
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if width(line).saturating_add(width(word)) < most => {
                line.push_str(&format!(" {word}"));
            }
            _ => lines.push(format!("{indent}{word}")),
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_can_be_read() {
        assert_eq!(count(0), "0");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(percent(0.0123), "1.23 %");
        let files = |number| counted(number, "file", "files");
        assert_eq!(
            [0, 1, 2000].map(files),
            ["0 files", "1 file", "2,000 files"]
        );
    }

    #[test]
    fn lists_break_at_commas() {
        let parts = ["aaaa", "bbbb", "cc"].map(String::from);
        assert_eq!(wrapped(&parts, 12, "  "), "aaaa, bbbb,\n  cc");
        assert_eq!(wrapped(&parts, 80, "  "), "aaaa, bbbb, cc");
    }

    #[test]
    fn a_command_line_can_be_copied() {
        let words = ["ls", "a b", "it's", ""].map(Text::from);
        assert_eq!(command_line(&words), "ls 'a b' 'it'\\''s' ''");
    }
}
