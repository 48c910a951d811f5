//! Text from outside, as a terminal may show it.
//!
//! Names of files, processes and devices, command lines, messages of probes, reasons of errors and whatever else a
//! report has may hold anything. What reaches a terminal has gone through [`visible`]: a report in
//! [`super::terminal::render`], everything else in [`line()`].

use std::borrow::Cow;

use unicode_width::UnicodeWidthChar as _;

use crate::text::push_escaped;

/// A text in which every character shows as itself: others stand there as the bytes of their UTF-8, each `\xNN`.
///
/// That is how a name's bytes that are no UTF-8 are written, too, so that one rule leads back to the name.
pub fn visible(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_visible) {
        return text.into();
    }
    let mut shown = String::new();
    for character in text.chars() {
        if is_visible(character) {
            shown.push(character);
        } else {
            push_escaped(&mut shown, character.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
    shown.into()
}

/// A message as one line.
pub fn line(message: &impl ToString) -> String {
    format!("{}\n", visible(&message.to_string()))
}

/// Whether a character shows as itself and changes nothing around it.
///
/// Those that do not are control characters, what changes the direction of text, spaces other than the plain one,
/// and all that is not seen: the standard library knows what is not printable, and those it lets pass are listed.
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

/// Letters and marks that nothing is drawn for: `Default_Ignorable_Code_Point` of Unicode, without what is not
/// printable anyway.
const fn is_ignorable(character: char) -> bool {
    matches!(
        character,
        '\u{34f}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{e0100}'..='\u{e01ef}'
    )
}

/// How many columns a text takes.
pub fn width(text: &str) -> usize {
    text.chars().map(columns).fold(0, usize::saturating_add)
}

fn columns(character: char) -> usize {
    character.width().unwrap_or(0)
}

/// The beginning of a text that is too wide, with dots for the rest.
pub fn shortened(text: &str, most: usize) -> String {
    if width(text) <= most {
        return text.to_owned();
    }
    let kept = fitting(text.chars(), most);
    format!("{}...", kept.into_iter().collect::<String>())
}

/// The end of a text that is too wide, with dots for the beginning.
pub fn shortened_before(text: &str, most: usize) -> String {
    if width(text) <= most {
        return text.to_owned();
    }
    let kept = fitting(text.chars().rev(), most);
    format!("...{}", kept.into_iter().rev().collect::<String>())
}

/// As many characters as leave room for the dots.
fn fitting(characters: impl Iterator<Item = char>, most: usize) -> Vec<char> {
    let mut left = most.saturating_sub(3);
    let fits = |character: &char| match left.checked_sub(columns(*character)) {
        Some(rest) => {
            left = rest;
            true
        }
        None => false,
    };
    characters.take_while(fits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text;

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

    #[test]
    fn a_name_can_be_had_back_from_what_is_shown() {
        for name in [
            &b"a\x1b\xff\\x41"[..],
            b"\\\x1b",
            "\u{202e}\\x".as_bytes(),
            b"plain",
        ] {
            let shown = visible(&text::of_bytes(name)).into_owned();
            assert!(shown.is_ascii(), "{shown:?}");
            assert_eq!(text::bytes(&shown), name);
        }
    }

    #[test]
    fn columns_are_counted_and_not_characters() {
        assert_eq!(width("\u{65e5}\u{672c}e\u{301}"), 5);
        assert_eq!(
            shortened("\u{65e5}\u{672c}\u{8a9e}", 6),
            "\u{65e5}\u{672c}\u{8a9e}"
        );
        assert_eq!(shortened("\u{65e5}\u{672c}\u{8a9e}", 5), "\u{65e5}...");
        assert_eq!(
            shortened_before("\u{65e5}\u{672c}\u{8a9e}", 5),
            "...\u{8a9e}"
        );
        assert_eq!(shortened_before("abcdefgh", 6), "...fgh");
    }
}
