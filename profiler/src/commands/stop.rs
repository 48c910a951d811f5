//! What the signals that ask a run to stop mean.

use std::time::{Duration, Instant};

/// Two signals within this time mean it. A program that people talk to, as a shell or a debugger, handles each Ctrl-C itself,
/// and gets one again and again while it is well.
pub const TWICE: Duration = Duration::from_secs(2);

/// What is to be done at a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The command gets it, too.
    PassOn,
    /// The command is killed.
    Kill,
}

/// The signals that have come.
#[derive(Debug, Default)]
pub struct Stops {
    last: Option<Instant>,
    is_told: bool,
}

impl Stops {
    /// Whether there was any.
    pub const fn any(&self) -> bool {
        self.last.is_some()
    }

    /// Whether one has come just now: what has ended since has ended by it.
    pub fn is_recent(&self, now: Instant) -> bool {
        let last = self.last.map(|last| now.duration_since(last));
        last.is_some_and(|since| since < TWICE)
    }

    /// Takes one in that comes now.
    pub fn answer(&mut self, now: Instant) -> Answer {
        let before = self.last.replace(now);
        match before.map(|before| now.duration_since(before)) {
            Some(since) if since < TWICE => Answer::Kill,
            _ => Answer::PassOn,
        }
    }

    /// When it is to be told that two of them kill what goes on: once, and not where the first may have done.
    pub fn telling_at(&self) -> Option<Instant> {
        let last = self.last.filter(|_| !self.is_told)?;
        last.checked_add(TWICE)
    }

    /// That has been told.
    pub const fn tell(&mut self) {
        self.is_told = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_signals_kill_where_they_come_at_once() {
        let begin = Instant::now();
        let mut stops = Stops::default();
        assert!(!stops.any());
        let hour = 3_600_000;
        for (at, expected) in [
            (0, Answer::PassOn),
            (2000, Answer::PassOn),
            (hour, Answer::PassOn),
            (hour + 1999, Answer::Kill),
            (hour + 2000, Answer::Kill),
            (2 * hour, Answer::PassOn),
        ] {
            let answer = stops.answer(begin + Duration::from_millis(at));
            assert_eq!(answer, expected, "{at} ms");
            assert!(stops.any());
        }
        assert!(stops.is_recent(begin + Duration::from_millis(2 * hour + 1999)));
        assert!(!stops.is_recent(begin + Duration::from_millis(2 * hour + 2000)));
    }

    #[test]
    fn it_is_told_once_that_they_do_and_after_the_first() {
        let begin = Instant::now();
        let mut stops = Stops::default();
        assert_eq!(stops.telling_at(), None);
        stops.answer(begin);
        assert_eq!(stops.telling_at(), Some(begin + TWICE));
        stops.tell();
        stops.answer(begin + 2 * TWICE);
        assert_eq!(stops.telling_at(), None);
    }
}
