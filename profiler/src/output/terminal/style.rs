//! Emphasis on a terminal, and its width.

use std::{io::IsTerminal, os::fd::AsFd};

use super::line::WIDTH;

/// How text is emphasised, and how wide it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    colour: bool,
    width: usize,
}

/// Lines that are longer are hard to follow.
const WIDEST: usize = 200;

impl Style {
    /// Without any emphasis.
    pub const PLAIN: Self = Self {
        colour: false,
        width: WIDTH,
    };

    /// On a terminal its width, and colour unless the user does not want it; see no-color.org.
    pub fn of(stream: &(impl IsTerminal + AsFd)) -> Self {
        if !stream.is_terminal() {
            return Self::PLAIN;
        }
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let columns = rustix::termios::tcgetwinsize(stream).map_or(0, |size| size.ws_col);
        Self {
            colour: !unwanted,
            ..Self::PLAIN.of_width(columns.into())
        }
    }

    /// The same for so many columns: no less than all tables need.
    pub fn of_width(self, columns: usize) -> Self {
        Self {
            width: columns.clamp(WIDTH, WIDEST),
            ..self
        }
    }

    /// The columns that are left beyond those that all tables need.
    pub const fn spare(self) -> usize {
        self.width.saturating_sub(WIDTH)
    }

    fn wrapped(self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    /// A heading.
    pub fn heading(self, text: &str) -> String {
        self.wrapped("1", text)
    }

    /// What must not be missed.
    pub fn alarm(self, text: &str) -> String {
        self.wrapped("1;31", text)
    }

    /// What can be.
    pub fn faint(self, text: &str) -> String {
        self.wrapped("2", text)
    }
}
