//! BYTE001: a file is gone through a byte at a time.

use super::{
    buffer::{self, Moved},
    subject::{Outcome, Subject},
};

const ADVICE: &str = "put a buffer between: getc(3) and fread(3) in place of read(2), BufReader, bufio.Reader, \
                      open(...) without buffering=0";

/// The rule.
pub fn rule(subject: &Subject<'_>) -> Outcome {
    buffer::rule(subject, ADVICE, is_one_byte)
}

/// Whether a call moves hardly more than a byte.
pub const fn is_one_byte(moved: &Moved<'_>) -> bool {
    moved.bytes <= moved.calls.saturating_mul(2)
}
