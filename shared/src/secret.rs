//! A text that must never be shown: it has no `Display`, and its `Debug` says nothing.

use std::fmt;

/// A secret text, such as TMDb's key. Only [`Secret::reveal`] gives it out.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text`, without the blanks and line ends around it that pasting brings along.
    pub fn new(text: &str) -> Self {
        Self(text.trim().to_owned())
    }

    /// The text itself, for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_shows_nothing_of_it() {
        let secret = Secret::new(" 0123456789abcdef\n");
        assert_eq!(secret.reveal(), "0123456789abcdef");
        assert_eq!(format!("{secret:?}"), "Secret(***)");
    }
}
