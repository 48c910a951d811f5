//! Numbers and text of unknown origin, as they are displayed in reports of workloads and of ioprof.

use std::borrow::Cow;
use std::fmt::Write;

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

/// A number to three digits, without a fraction from 100 on. One that is too large for a real report is given with its
/// power of ten.
pub fn digits(value: f64) -> String {
    let decimals = match value {
        _ if value >= 1e15 => return format!("{value:.2e}"),
        _ if value >= 99.95 => 0,
        _ if value >= 9.995 => 1,
        _ => 2,
    };
    format!("{value:.decimals$}")
}

/// Text with every character that is not visible replaced by the bytes of its UTF-8, each `\xNN`, so that a terminal has
/// nothing to act on.
pub fn visible(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_visible) {
        return text.into();
    }
    let mut escaped = String::new();
    for character in text.chars() {
        if is_visible(character) {
            escaped.push(character);
            continue;
        }
        for byte in character.encode_utf8(&mut [0; 4]).bytes() {
            // Writing to a String cannot fail.
            let _ = write!(escaped, "\\x{byte:02x}");
        }
    }
    escaped.into()
}

/// Whether a character is displayed as itself and changes nothing around it.
///
/// Those that are not: control characters, what changes the direction of text, spaces other than the plain one, and
/// everything invisible. The standard library knows what is not printable; the others are listed.
pub fn is_visible(character: char) -> bool {
    if character.is_ascii() {
        return !character.is_ascii_control();
    }
    // Behind another, since a mark that joins what is before it is escaped at the beginning.
    let mut text = [b' '; 5];
    let length = character.encode_utf8(&mut text[1..]).len();
    let text = str::from_utf8(&text[..=length]).unwrap_or_default();
    text.escape_debug().eq([' ', character]) && !is_ignorable(character)
}

/// Letters and marks that nothing is drawn for: `Default_Ignorable_Code_Point` of Unicode, without those that are not
/// printable.
const fn is_ignorable(character: char) -> bool {
    matches!(
        character,
        '\u{34f}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{e0100}'..='\u{e01ef}'
    )
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_and_a_unit() {
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1024), "1.00 KiB");
        assert_eq!(bytes(1_048_575), "1.00 MiB");
        assert_eq!(bytes(u64::MAX), "16.0 EiB");
        assert_eq!(time(999), "999 ns");
        assert_eq!(time(999_999), "1.00 ms");
        assert_eq!(time(12_340_000_000), "12.3 s");
        assert_eq!(time(7_200_000_000_000), "7200 s");
    }

    #[test]
    fn a_terminal_is_given_nothing_to_act_on() {
        assert_eq!(visible("a\u{1b}[31mb\n"), r"a\x1b[31mb\x0a");
        assert_eq!(visible("x\u{7f}y\t"), r"x\x7fy\x09");
        assert_eq!(visible("\u{9b}2J"), r"\xc2\x9b2J");
        for hidden in [
            '\0',
            '\r',
            '\u{85}',
            '\u{a0}',
            '\u{ad}',
            '\u{34f}',
            '\u{61c}',
            '\u{200b}',
            '\u{200d}',
            '\u{200f}',
            '\u{2028}',
            '\u{202a}',
            '\u{202e}',
            '\u{2066}',
            '\u{2069}',
            '\u{3000}',
            '\u{3164}',
            '\u{e000}',
            '\u{fe0f}',
            '\u{feff}',
            '\u{e0001}',
            '\u{10ffff}',
        ] {
            assert!(!is_visible(hidden), "{hidden:?}");
        }
    }

    #[test]
    fn what_can_be_read_stays_as_it_is() {
        for plain in [
            "gr\u{fc}n",
            "a b'\"\\",
            "\u{65e5}\u{672c}",
            "e\u{301}",
            "\u{939}\u{93f}",
        ] {
            assert_eq!(visible(plain), plain);
        }
    }
}
