//! Emphasis on a terminal.

/// How text is emphasised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    colour: bool,
}

impl Style {
    /// Without any emphasis.
    pub const PLAIN: Self = Self { colour: false };

    /// Colour on a terminal, unless the user does not want it; see no-color.org.
    pub fn of(is_terminal: bool) -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            colour: is_terminal && !unwanted,
        }
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
