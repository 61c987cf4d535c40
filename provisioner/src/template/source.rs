//! The template's text, and where in it something stands. Knows nothing of what the text says.

use super::diagnostics::Position;

/// A text with the beginnings of its lines.
pub(super) struct Source<'a> {
    text: &'a str,
    lines: Vec<usize>,
}

impl<'a> Source<'a> {
    pub fn new(text: &'a str) -> Self {
        let after_breaks = text.match_indices('\n').map(|(index, _)| index + 1);
        Self { text, lines: std::iter::once(0).chain(after_breaks).collect() }
    }

    /// The place of a byte of the text.
    pub fn position(&self, offset: usize) -> Position {
        let line = self.lines.partition_point(|start| *start <= offset);
        let start = self.lines[line - 1];
        Position { line, column: self.text[start..offset].chars().count() + 1 }
    }

    /// The byte of a place; `None` where the text has no such place.
    pub fn offset(&self, position: Position) -> Option<usize> {
        let start = *self.lines.get(position.line.checked_sub(1)?)?;
        let line = &self.text[start..];
        let (within, _) = line.char_indices().nth(position.column.checked_sub(1)?)?;
        Some(start + within)
    }

    /// Where `needle` stands next from a byte on, not further than `window` bytes.
    pub fn find(&self, needle: &str, from: usize, window: usize) -> Option<usize> {
        let end = self.text.floor_char_boundary(from.saturating_add(window));
        self.text.get(from..end)?.find(needle).map(|at| from + at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_bytes_agree() {
        let source = Source::new("ab\nçd: ${X}\n");
        let place = Position { line: 2, column: 5 };
        let offset = source.offset(place).unwrap();
        assert_eq!(source.find("${X}", 0, 100), Some(offset));
        assert_eq!(source.position(offset), place);
        assert_eq!(source.offset(Position { line: 9, column: 1 }), None);
    }

    #[test]
    fn nothing_is_found_beyond_the_window() {
        assert_eq!(Source::new("aaaaX").find("X", 0, 3), None);
    }
}
