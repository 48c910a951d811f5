//! Text of unknown origin: names of files, processes and devices, command lines, messages, whatever a report has.

use std::{
    borrow::{Borrow, Cow},
    ffi::OsStr,
    fmt,
    os::unix::ffi::OsStrExt as _,
};

use ioprof_workloads::display::visible;
use serde::{Deserialize, Serialize};

/// Text of unknown origin. It is displayed so that a terminal has nothing to act on: a character that is not visible
/// as the bytes of its UTF-8, each `\xNN`. It is compared and serialised as it is.
///
/// The bytes of a name are had back from its text, displayed or not: a byte that is no UTF-8 is `\xNN`, and a
/// backslash before an `x` is `\x5c`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(
        inline,
        description = r"A byte that is not UTF-8 is \xNN, and a backslash before an x is \x5c."
    )
)]
#[serde(transparent)]
pub struct Text(String);

impl Text {
    /// The text of a name.
    pub fn of(name: impl AsRef<OsStr>) -> Self {
        Self::of_bytes(name.as_ref().as_bytes())
    }

    /// The text of a name's bytes.
    pub fn of_bytes(name: &[u8]) -> Self {
        let mut text = String::new();
        for chunk in name.utf8_chunks() {
            text.push_str(&chunk.valid().replace(r"\x", r"\x5cx"));
            for byte in chunk.invalid() {
                text.push_str(&format!("\\x{byte:02x}"));
            }
        }
        Self(text)
    }

    /// The text as it is: not for a terminal.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The bytes that the text stands for: each `\xNN` is one.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut rest = self.0.as_bytes();
        while let Some((first, after)) = rest.split_first() {
            let (byte, after) = escaped(rest).unwrap_or((*first, after));
            bytes.push(byte);
            rest = after;
        }
        bytes
    }
}

impl fmt::Display for Text {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&visible(&self.0))
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<Cow<'_, str>> for Text {
    fn from(text: Cow<'_, str>) -> Self {
        Self(text.into_owned())
    }
}

// Equal, ordered and hashed as the string.
impl Borrow<str> for Text {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

/// The byte that stands escaped at the beginning of a text, and what follows it.
fn escaped(text: &[u8]) -> Option<(u8, &[u8])> {
    let (digits, rest) = text.strip_prefix(br"\x")?.split_first_chunk::<2>()?;
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = digit(digits[0])?
        .checked_mul(16)?
        .checked_add(digit(digits[1])?)?;
    Some((u8::try_from(byte).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_utf8_is_escaped_and_all_else_is_not() {
        assert_eq!(Text::of("plain"), "plain");
        assert_eq!(Text::of("gr\u{fc}n \u{1b}[31m\n"), "gr\u{fc}n \u{1b}[31m\n");
        assert_eq!(Text::of_bytes(b"a\xff\xc3b"), r"a\xff\xc3b");
        assert_eq!(Text::of_bytes(br"C:\dir\x41"), r"C:\dir\x5cx41");
        assert_eq!(Text::of_bytes(b"\\\xff"), r"\\xff");
    }

    #[test]
    fn a_name_can_be_had_back_from_what_is_displayed() {
        for name in [
            &b"a\x1b\xff\\x41"[..],
            b"\\\x1b",
            "\u{202e}\\x".as_bytes(),
            b"plain",
        ] {
            let displayed = Text::of_bytes(name).to_string();
            assert!(displayed.is_ascii(), "{displayed:?}");
            assert_eq!(Text::from(displayed).bytes(), name);
        }
    }

    proptest! {
        #[test]
        fn bytes_are_had_back(name in prop::collection::vec(
            prop_oneof![any::<u8>(), Just(b'\\'), Just(b'x'), Just(b'4')], 0..64
        )) {
            prop_assert_eq!(Text::of_bytes(&name).bytes(), name);
        }
    }
}
