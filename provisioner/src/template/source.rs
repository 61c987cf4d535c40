//! The template's text, and where in it something stands. Knows nothing of what the text says.

use super::diagnostics::Position;

/// A line may be as long as the text: its characters are counted once, in blocks of so many bytes.
const BLOCK: usize = 1024;

/// A text with the beginnings of its lines.
pub(super) struct Source<'a> {
    text: &'a str,
    lines: Vec<usize>,
    /// The first character of each block: its byte, and the characters before it.
    blocks: Vec<(usize, usize)>,
}

impl<'a> Source<'a> {
    pub fn new(text: &'a str) -> Self {
        let after_breaks = text.match_indices('\n').map(|(index, _)| index + 1);
        let mut blocks = vec![(0, 0)];
        for end in (BLOCK..=text.len()).step_by(BLOCK) {
            let (start, before) = blocks[blocks.len() - 1];
            let end = text.floor_char_boundary(end);
            blocks.push((end, before + text[start..end].chars().count()));
        }
        Self { text, lines: std::iter::once(0).chain(after_breaks).collect(), blocks }
    }

    /// The place of a byte of the text; of the text's end for a byte beyond it.
    pub fn position(&self, offset: usize) -> Position {
        let offset = self.text.floor_char_boundary(offset);
        let line = self.lines.partition_point(|start| *start <= offset);
        let column = self.characters_before(offset) - self.characters_before(self.lines[line - 1]) + 1;
        Position { line, column }
    }

    /// The byte of a place; `None` where the text has no such place.
    pub fn offset(&self, position: Position) -> Option<usize> {
        let start = *self.lines.get(position.line.checked_sub(1)?)?;
        let character = self.characters_before(start) + position.column.checked_sub(1)?;
        let block = self.blocks.partition_point(|(_, before)| *before <= character);
        let (byte, before) = self.blocks[block - 1];
        let (within, _) = self.text[byte..].char_indices().nth(character - before)?;
        Some(byte + within)
    }

    /// Where `needle` stands next from a byte on, not further than `window` bytes.
    pub fn find(&self, needle: &str, from: usize, window: usize) -> Option<usize> {
        let end = self.text.floor_char_boundary(from.saturating_add(window));
        self.text.get(from..end)?.find(needle).map(|at| from + at)
    }

    fn characters_before(&self, offset: usize) -> usize {
        let block = self.blocks.partition_point(|(byte, _)| *byte <= offset);
        let (byte, before) = self.blocks[block - 1];
        before + self.text[byte..offset].chars().count()
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
    fn places_of_a_long_line_agree_too() {
        let text = format!("é\n{}", "aéx".repeat(5000));
        let source = Source::new(&text);
        for column in [1, 1023, 1024, 1025, 7777, 15_000] {
            let place = Position { line: 2, column };
            assert_eq!(source.position(source.offset(place).unwrap()), place);
        }
        assert_eq!(source.offset(Position { line: 2, column: 15_001 }), None);
        assert_eq!(source.position(usize::MAX), Position { line: 2, column: 15_001 });
    }

    #[test]
    fn nothing_is_found_beyond_the_window() {
        assert_eq!(Source::new("aaaaX").find("X", 0, 3), None);
    }
}
