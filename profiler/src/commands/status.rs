//! A line on stderr, if that is a terminal: what the run does now, while it takes longer than a moment.
//!
//! The terminal is the command's, too. So the line is behind the cursor, in the row below, and the cursor stays where the
//! command left it; its text is not overwritten. There is no line while a program has the terminal in another mode, as
//! editors and shells that edit a line do, or is in the foreground in our place.

use std::{
    io::{self, IsTerminal as _, Stderr},
    time::{Duration, Instant},
};

use nix::unistd;
use rustix::termios::{LocalModes, tcgetattr, tcgetwinsize};

use super::deliver::print;
use crate::{
    model::progress::{Moved, Progress},
    output::terminal::{Style, status},
};

/// How long a run takes that has a line.
const FIRST: Duration = Duration::from_secs(2);

/// How often it is drawn anew.
const EACH: Duration = Duration::from_millis(500);

/// How wide a terminal is that does not tell.
const COLUMNS: usize = 80;

/// Makes sure that there is a row below: one down, which scrolls where there is none, and up again.
const ROOM: &str = "\x1bD\x1b[A";

/// Takes away what is behind the cursor.
const CLEAR: &str = "\x1b[J";

/// The line.
pub struct StatusLine {
    stderr: Stderr,
    began: Instant,
    drawn: Instant,
    is_shown: bool,
    before: Progress,
}

impl StatusLine {
    /// For a run that begins now; none where nobody would see it, or the terminal knows no other row than the last.
    pub fn begin() -> Option<Self> {
        let stderr = io::stderr();
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        if !stderr.is_terminal() || is_dumb {
            return None;
        }
        let now = Instant::now();
        Some(Self {
            stderr,
            began: now,
            drawn: now,
            is_shown: false,
            before: Progress {
                moved: Some(Moved::default()),
                ..Progress::default()
            },
        })
    }

    /// Whether it is time to draw it, and nobody else has the terminal.
    pub fn is_due(&self) -> bool {
        self.began.elapsed() >= FIRST && self.drawn.elapsed() >= EACH && self.may_be_drawn()
    }

    /// Draws what was done since it was drawn last.
    pub fn draw(&mut self, now: Progress) {
        let between = self.drawn.elapsed();
        let columns = tcgetwinsize(&self.stderr).map_or(0, |size| size.ws_col.into());
        let columns = if columns == 0 { COLUMNS } else { columns };
        let line = status::render((&self.before, &now), between, self.began.elapsed(), columns);
        let line = Style::of(&self.stderr).faint(&line);
        print(
            &mut self.stderr.lock(),
            &format!("{CLEAR}{ROOM}\x1b7\x1b[B\r{line}\x1b8"),
        );
        (self.drawn, self.before, self.is_shown) = (Instant::now(), now, true);
    }

    fn may_be_drawn(&self) -> bool {
        // A terminal that does not control this process has no foreground for it.
        let is_behind =
            unistd::tcgetpgrp(&self.stderr).is_ok_and(|group| group != unistd::getpgrp());
        let is_plain = tcgetattr(&self.stderr).is_ok_and(|modes| {
            let plain = LocalModes::ICANON | LocalModes::ECHO;
            modes.local_modes.contains(plain)
        });
        is_plain && !is_behind
    }
}

impl Drop for StatusLine {
    fn drop(&mut self) {
        if self.is_shown && self.may_be_drawn() {
            print(&mut self.stderr.lock(), CLEAR);
        }
    }
}
