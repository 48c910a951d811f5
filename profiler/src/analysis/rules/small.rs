//! SMALL001: a file is gone through by small reads or writes.

use super::{
    buffer, one_byte,
    subject::{Outcome, Subject},
};

const ADVICE: &str = "read and write by 64 KiB or more: setvbuf(3), BufReader::with_capacity, bufio.NewReaderSize, \
                      open(..., buffering=), bs= of dd";

/// The rule.
pub fn rule(subject: &Subject<'_>) -> Outcome {
    buffer::rule(subject, ADVICE, |moved| !one_byte::is_one_byte(moved))
}
