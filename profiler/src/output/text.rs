//! Text for a terminal: escaping, width and shortening.
//!
//! A report's texts are [`crate::text::Text`], which is displayed escaped; all other messages go through [`line()`].

use unicode_width::UnicodeWidthChar as _;

// Escaped bytes are written as those of names are in `crate::text`, so that one rule leads back to the name.
pub use ioprof_workloads::display::{is_visible, visible};

/// A message as one line.
pub fn line(message: &impl ToString) -> String {
    format!("{}\n", visible(&message.to_string()))
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
