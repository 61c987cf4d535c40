//! YAML text to a tree of nodes.
//!
//! Owns CloudFormation's dialect: the tags of the short forms (`!Ref X` becomes `Ref: X`), YAML 1.1's words for true and
//! false, and the refusal of what CloudFormation has not (aliases, merge keys, several documents). A plain scalar is a number
//! only where JSON would write that number with the same characters: a date, a version `3.10`, an account id with a leading
//! zero and `1e3` stay the text that they are.

use std::collections::HashSet;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag};

use super::diagnostics::{Diagnostic, Position};
use super::node::{Content, Entry, Key, MAX_DEPTH, Node};

/// The tree of a YAML text, and the keys that stand twice in it; else all that is wrong, up to the place after which nothing
/// can be read.
pub(super) fn read(text: &str) -> Result<(Node, Vec<Diagnostic>), Vec<Diagnostic>> {
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| builder.stopped(syntax_error(&error, text)))?;
        builder.take(event, position(span)).map_err(|problem| builder.stopped(problem))?;
    }
    builder.finish()
}

fn position(span: Span) -> Position {
    Position { line: span.start.line(), column: span.start.col() + 1 }
}

fn syntax_error(error: &ScanError, text: &str) -> Diagnostic {
    let found = Position { line: error.marker().line(), column: error.marker().col() + 1 };
    let at = found.min(end(text));
    if error.info().contains("unknown anchor") {
        return alias_refused(at);
    }
    let problem = Diagnostic::new("", format!("is not YAML: {}", error.info())).at(at);
    match error.info() {
        info if info.contains("tabs disallowed") => problem.help("indent with blanks"),
        info if info.contains("invalid indentation") => {
            problem.help("indent every line of a bracketed or quoted text deeper than its key")
        }
        info if info.contains("mapping values are not allowed") => {
            problem.help("quote a text that has ': ' in it, and check the line's indentation")
        }
        _ => problem.help("check quotes, brackets and indentation at this place and just before it"),
    }
}

/// The end of the last line that says something.
fn end(text: &str) -> Position {
    let last = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).last();
    last.map_or(Position { line: 1, column: 1 }, |(index, line)| Position {
        line: index + 1,
        column: line.chars().count() + 1,
    })
}

fn alias_refused(at: Position) -> Diagnostic {
    Diagnostic::new("", "YAML aliases are not supported")
        .at(at)
        .help("write the value out, or make it a parameter or a mapping")
}

/// A list or mapping whose end has not been seen.
struct Open {
    position: Position,
    tag: Option<Tag>,
    kind: OpenKind,
}

enum OpenKind {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, seen: HashSet<String>, key: Option<Key> },
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    root: Option<Node>,
    problems: Vec<Diagnostic>,
}

impl Builder {
    /// The problems so far with the one that ended the reading.
    fn stopped(&mut self, last: Diagnostic) -> Vec<Diagnostic> {
        let mut problems = std::mem::take(&mut self.problems);
        problems.push(last);
        problems
    }

    fn finish(self) -> Result<(Node, Vec<Diagnostic>), Vec<Diagnostic>> {
        match self.root {
            Some(root) => Ok((root, self.problems)),
            None => Err(vec![
                Diagnostic::new("", "the template is empty")
                    .at(Position { line: 1, column: 1 })
                    .help("a template has at least 'Resources' with one resource"),
            ]),
        }
    }

    fn take(&mut self, event: Event<'_>, at: Position) -> Result<(), Diagnostic> {
        match event {
            Event::DocumentStart(_) if self.root.is_some() => Err(Diagnostic::new("", "a second document begins here")
                .at(at)
                .help("a template is one YAML document: keep what follows '---' in a file of its own")),
            Event::Alias(_) => Err(alias_refused(at)),
            Event::Scalar(text, style, _, tag) => {
                let key_wanted = matches!(self.open.last(), Some(Open { kind: OpenKind::Map { key: None, .. }, .. }));
                if key_wanted {
                    self.key(text.into_owned(), style, at)
                } else {
                    let node = self.scalar(&text, style, tag.as_deref(), at)?;
                    self.put(node)
                }
            }
            Event::SequenceStart(_, tag) => self.open(at, tag.as_deref(), OpenKind::List(Vec::new())),
            Event::MappingStart(_, tag) => {
                self.open(at, tag.as_deref(), OpenKind::Map { entries: Vec::new(), seen: HashSet::new(), key: None })
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => {
                Ok(())
            }
        }
    }

    fn open(&mut self, position: Position, tag: Option<&Tag>, kind: OpenKind) -> Result<(), Diagnostic> {
        if matches!(self.open.last(), Some(Open { kind: OpenKind::Map { key: None, .. }, .. })) {
            return Err(Diagnostic::new("", "a key of a mapping must be text")
                .at(position)
                .help("quote a text that begins with a bracket, as in '{{name}}'"));
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(Diagnostic::too_deep(MAX_DEPTH, position));
        }
        self.open.push(Open { position, tag: tag.cloned(), kind });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Diagnostic> {
        let Some(open) = self.open.pop() else {
            return Ok(());
        };
        let content = match open.kind {
            OpenKind::List(items) => Content::List(items),
            OpenKind::Map { entries, .. } => Content::Map(entries),
        };
        let node = Node { position: open.position, content };
        let node = tagged(node, open.tag.as_ref())?;
        self.put(node)
    }

    fn key(&mut self, text: String, style: ScalarStyle, at: Position) -> Result<(), Diagnostic> {
        if text == "<<" && style == ScalarStyle::Plain {
            return Err(Diagnostic::new("", "YAML merge keys are not supported")
                .at(at)
                .help("write the merged keys out"));
        }
        if let Some(Open { kind: OpenKind::Map { seen, key, .. }, .. }) = self.open.last_mut() {
            if !seen.insert(text.clone()) {
                self.problems.push(Diagnostic::duplicate_key(&text, at));
            }
            *key = Some(Key { text, position: at });
        }
        Ok(())
    }

    /// Puts a whole value where it belongs: into the innermost open list or mapping, or at the root.
    fn put(&mut self, value: Node) -> Result<(), Diagnostic> {
        match self.open.last_mut().map(|open| &mut open.kind) {
            None => self.root = Some(value),
            Some(OpenKind::List(items)) => items.push(value),
            Some(OpenKind::Map { entries, key, .. }) => {
                if let Some(key) = key.take() {
                    entries.push(Entry { key, value });
                }
            }
        }
        Ok(())
    }

    fn scalar(
        &self,
        text: &str,
        style: ScalarStyle,
        tag: Option<&Tag>,
        position: Position,
    ) -> Result<Node, Diagnostic> {
        // A function's tag says that its argument is text: `!Ref 404` names a thing called "404".
        let as_text =
            style != ScalarStyle::Plain || tag.is_some_and(|tag| !tag.is_yaml_core_schema() || tag.suffix == "str");
        let content = if as_text { Content::Text(text.to_owned()) } else { plain(text) };
        tagged(Node { position, content }, tag)
    }
}

/// What a plain scalar means.
fn plain(text: &str) -> Content {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Content::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Content::Bool(true),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Content::Bool(false),
        _ => Content::number_or_text(text),
    }
}

/// Applies a tag: a short form becomes the long form, with the tag's place as the key's.
fn tagged(node: Node, tag: Option<&Tag>) -> Result<Node, Diagnostic> {
    let Some(tag) = tag else { return Ok(node) };
    let position = node.position;
    if tag.is_yaml_core_schema() {
        return match tag.suffix.as_str() {
            "str" | "int" | "float" | "bool" | "null" | "seq" | "map" => Ok(node),
            other => Err(Diagnostic::new("", format!("the YAML tag '!!{other}' is not supported"))
                .at(position)
                .help("write the value as text")),
        };
    }
    // `! x`, the tag without a name, only says that x is text.
    if tag.suffix == "!" && tag.handle.is_empty() {
        return Ok(node);
    }
    if tag.handle != "!" {
        return Err(Diagnostic::new("", format!("the YAML tag '!<{}{}>' is not supported", tag.handle, tag.suffix))
            .at(position)
            .help("the short forms are tags of one exclamation mark, as !Ref"));
    }
    let name = match tag.suffix.as_str() {
        "Ref" | "Condition" => tag.suffix.clone(),
        other => format!("Fn::{other}"),
    };
    Ok(Node { position, content: Content::Map(vec![Entry { key: Key { text: name, position }, value: node }]) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn first_problem(text: &str) -> (Option<Position>, String) {
        let problem = read(text).expect_err("must be refused").remove(0);
        (problem.position, problem.message)
    }

    fn at(line: usize, column: usize) -> Option<Position> {
        Some(Position { line, column })
    }

    #[test]
    fn short_forms_become_long_forms() {
        let text = "a: !Ref X\nb: !GetAtt A.B\nc: !Sub [x, {y: !Ref Z}]\nd: !Condition C\n";
        assert_eq!(
            read(text).unwrap().0.to_json(),
            json!({
                "a": {"Ref": "X"}, "b": {"Fn::GetAtt": "A.B"},
                "c": {"Fn::Sub": ["x", {"y": {"Ref": "Z"}}]}, "d": {"Condition": "C"},
            })
        );
    }

    #[test]
    fn only_what_json_writes_alike_is_a_number() {
        let text = "[1, -2, 2.5, 012345678901, 2012-10-17, 3.10, 1e3, 0x1F, 1_000, 12:30, '5', 99999999999999999999]";
        assert_eq!(
            read(text).unwrap().0.to_json(),
            json!([
                1,
                -2,
                2.5,
                "012345678901",
                "2012-10-17",
                "3.10",
                "1e3",
                "0x1F",
                "1_000",
                "12:30",
                "5",
                "99999999999999999999"
            ])
        );
    }

    #[test]
    fn yaml_1_1_words_are_booleans_and_quoted_ones_are_not() {
        assert_eq!(
            read("[yes, No, on, OFF, true, 'yes', \"no\", !!str true, y, ~, ]").unwrap().0.to_json(),
            json!([true, false, true, false, true, "yes", "no", "true", "y", null])
        );
    }

    #[test]
    fn a_tag_makes_its_argument_text() {
        assert_eq!(read("!Ref 404").unwrap().0.to_json(), json!({"Ref": "404"}));
    }

    #[test]
    fn duplicate_keys_are_all_found() {
        let problems = read("a: 1\nb: 2\na: 3\nb: 4\n").unwrap().1;
        let places: Vec<_> = problems.iter().map(|p| p.position).collect();
        assert_eq!(places, [at(3, 1), at(4, 1)]);
    }

    #[test]
    fn what_cloudformation_has_not_is_refused_by_name() {
        assert_eq!(first_problem("a: &x 1\nb: *x\n"), (at(2, 4), "YAML aliases are not supported".into()));
        assert_eq!(first_problem("a:\n  <<: {b: 1}\n"), (at(2, 3), "YAML merge keys are not supported".into()));
        assert_eq!(first_problem("a: 1\n---\nb: 2\n").0, at(2, 1));
        assert_eq!(first_problem("a: !!binary eA==\n").0, at(1, 4));
        assert_eq!(first_problem("[a]: 1\n").1, "a key of a mapping must be text");
        assert_eq!(first_problem("").1, "the template is empty");
    }

    #[test]
    fn deep_nesting_is_refused_with_its_place() {
        let text = "[".repeat(MAX_DEPTH + 1) + &"]".repeat(MAX_DEPTH + 1);
        assert_eq!(first_problem(&text).0, at(1, MAX_DEPTH + 1));
        assert!(read(&"[".repeat(100_000)).is_err());
        assert!(read(&"- ".repeat(100_000)).is_err());
    }

    #[test]
    fn a_cut_text_names_its_place() {
        assert_eq!(first_problem("a: [1, 2\n\n").0, at(1, 9));
        assert_eq!(first_problem("a:\n\tb: 1\n").0.unwrap().line, 2);
    }
}
