//! Colour, where the reader's terminal has it. Meaning is in the words; colour only helps to find them.

/// Whether to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Text alone.
    Plain,
    /// With ANSI colours.
    Colour,
}

impl Style {
    /// Something that comes, or is well.
    pub fn good(self, text: &str) -> String {
        self.paint("32", text)
    }
    /// Something that changes, or wants a look.
    pub fn warn(self, text: &str) -> String {
        self.paint("33", text)
    }
    /// Something that goes, or is wrong.
    pub fn bad(self, text: &str) -> String {
        self.paint("31", text)
    }
    /// A heading.
    pub fn strong(self, text: &str) -> String {
        self.paint("1", text)
    }
    /// What can be passed over.
    pub fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Colour => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        }
    }
}
