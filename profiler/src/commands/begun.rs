//! When a measurement began, and how long it has taken.

use std::time::Instant;

use crate::text::Text;

/// The beginning of a measurement.
#[derive(Clone, Copy, Debug)]
pub struct Begun {
    at: jiff::Timestamp,
    instant: Instant,
}

impl Begun {
    /// Now.
    pub fn now() -> Self {
        Self {
            at: jiff::Timestamp::now(),
            instant: Instant::now(),
        }
    }

    /// When that was, in UTC.
    pub fn in_utc(&self) -> Text {
        let text = self.at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        text.into()
    }

    /// Nanoseconds since.
    pub fn elapsed_ns(&self) -> u64 {
        u64::try_from(self.instant.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}
