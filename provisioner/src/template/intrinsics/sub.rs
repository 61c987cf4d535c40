//! The text of `Fn::Sub`, cut into pieces. Knows the syntax of `${...}`, and nothing of what the names stand for.

/// A piece of the text.
#[derive(Debug, PartialEq)]
pub(super) enum Piece<'a> {
    Text(&'a str),
    /// `${!Literal}`, which stays as `${Literal}`.
    Literal(&'a str),
    /// `${Name}` or `${Name.Attribute}`.
    Name(&'a str),
    /// `${...}` with what can be no name.
    Invalid(&'a str),
}

/// The pieces of a text, in order. A `${` without its end is text.
pub(super) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((start, end)) = next_name(rest) {
        if start > 0 {
            pieces.push(Piece::Text(&rest[..start]));
        }
        let inner = &rest[start + 2..end];
        pieces.push(match inner.strip_prefix('!') {
            Some(literal) => Piece::Literal(literal),
            None if is_name(inner.trim()) => Piece::Name(inner.trim()),
            None => Piece::Invalid(inner),
        });
        rest = &rest[end + 1..];
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    pieces
}

/// Where the next `${` and its `}` stand.
fn next_name(text: &str) -> Option<(usize, usize)> {
    let start = text.find("${")?;
    let end = text[start..].find('}')?;
    Some((start, start + end))
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "_.:".contains(c))
}

#[cfg(test)]
mod tests {
    use super::Piece::{Invalid, Literal, Name, Text};
    use super::*;

    #[test]
    fn a_text_is_cut_at_its_names() {
        assert_eq!(
            pieces("arn:${AWS::Partition}:x/${Queue.QueueName}-é"),
            [Text("arn:"), Name("AWS::Partition"), Text(":x/"), Name("Queue.QueueName"), Text("-é")]
        );
    }

    #[test]
    fn an_exclamation_mark_keeps_the_braces() {
        assert_eq!(pieces("${!HOME}$$ {}"), [Literal("HOME"), Text("$$ {}")]);
    }

    #[test]
    fn what_can_be_no_name_is_told_apart() {
        assert_eq!(pieces("${A:-b}${}"), [Invalid("A:-b"), Invalid("")]);
    }

    #[test]
    fn an_open_brace_without_end_is_text() {
        assert_eq!(pieces("a${b"), [Text("a${b")]);
        assert_eq!(pieces("${"), [Text("${")]);
    }
}
