//! Names as text: those of the kernel are bytes, a report's are Unicode.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};

/// The text of a name, from which its bytes can be had back: a byte that is no UTF-8 is `\xNN`, and a backslash
/// before an `x` is `\x5c`. Everything else stands for itself, control characters included: showing them is
/// [`crate::output::text`]'s business.
pub fn of(name: impl AsRef<OsStr>) -> String {
    of_bytes(name.as_ref().as_bytes())
}

/// The same of bytes.
pub fn of_bytes(name: &[u8]) -> String {
    let mut text = String::new();
    for chunk in name.utf8_chunks() {
        text.push_str(&chunk.valid().replace(r"\x", r"\x5cx"));
        push_escaped(&mut text, chunk.invalid());
    }
    text
}

/// Bytes as `\xNN`.
pub fn push_escaped(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        text.push_str(&format!("\\x{byte:02x}"));
    }
}

/// The bytes that a text stands for: each `\xNN` is one.
pub fn bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        match escaped(rest) {
            Some((byte, after)) => {
                bytes.push(byte);
                rest = after;
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    bytes
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
        assert_eq!(of("plain"), "plain");
        assert_eq!(of("gr\u{fc}n \u{1b}[31m\n"), "gr\u{fc}n \u{1b}[31m\n");
        assert_eq!(of_bytes(b"a\xff\xc3b"), r"a\xff\xc3b");
        assert_eq!(of_bytes(br"C:\dir\x41"), r"C:\dir\x5cx41");
        assert_eq!(of_bytes(b"\\\xff"), r"\\xff");
    }

    proptest! {
        #[test]
        fn bytes_are_had_back(name in prop::collection::vec(
            prop_oneof![any::<u8>(), Just(b'\\'), Just(b'x'), Just(b'4')], 0..64
        )) {
            prop_assert_eq!(bytes(&of_bytes(&name)), name);
        }
    }
}
