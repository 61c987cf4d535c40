//! YAML text to a tree of nodes.
//!
//! Owns CloudFormation's dialect: the tags of the short forms (`!Ref X` becomes `Ref: X`), YAML 1.1's words for true and
//! false, and the refusal of what CloudFormation has not (aliases, merge keys, several documents). A plain scalar is a number
//! only where JSON would write that number with the same characters: a date, a version `3.10`, an account id with a leading
//! zero and `1e3` stay the text that they are.

use std::collections::HashSet;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag};

use super::aliases::{Anchors, merged};
use super::diagnostics::{Diagnostic, Position};
use super::node::{Content, Entry, Key, MAX_DEPTH, Node};

/// The tree of a YAML text, and what is wrong with it although it can be read; else all that is wrong, up to the place after
/// which nothing can be read.
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
    anchor: usize,
    kind: OpenKind,
}

enum OpenKind {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, merges: Vec<Node>, seen: HashSet<String>, key: Option<Slot> },
}

/// What the next value of a mapping is for.
enum Slot {
    Key(Key),
    Merge,
}

impl Open {
    fn wants_key(&self) -> bool {
        matches!(self.kind, OpenKind::Map { key: None, .. })
    }
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    root: Option<Node>,
    anchors: Anchors,
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
            Event::Alias(anchor) => self.alias(anchor, at),
            Event::Scalar(text, style, anchor, tag) => {
                if self.open.last().is_some_and(Open::wants_key) {
                    self.key(text.into_owned(), style, at);
                } else {
                    let node = self.scalar(&text, style, tag.as_deref(), at);
                    self.anchors.keep(anchor, &node);
                    self.put(node);
                }
                Ok(())
            }
            Event::SequenceStart(anchor, tag) => self.open(at, tag.as_deref(), anchor, OpenKind::List(Vec::new())),
            Event::MappingStart(anchor, tag) => {
                let kind = OpenKind::Map { entries: Vec::new(), merges: Vec::new(), seen: HashSet::new(), key: None };
                self.open(at, tag.as_deref(), anchor, kind)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.close();
                Ok(())
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => {
                Ok(())
            }
        }
    }

    fn open(&mut self, position: Position, tag: Option<&Tag>, anchor: usize, kind: OpenKind) -> Result<(), Diagnostic> {
        if self.open.last().is_some_and(Open::wants_key) {
            return Err(Diagnostic::new("", "a key of a mapping must be text")
                .at(position)
                .help("quote a text that begins with a bracket, as in '{{name}}'"));
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(Diagnostic::too_deep(MAX_DEPTH, position));
        }
        self.open.push(Open { position, tag: tag.cloned(), anchor, kind });
        Ok(())
    }

    fn close(&mut self) {
        let Some(open) = self.open.pop() else {
            return;
        };
        let content = match open.kind {
            OpenKind::List(items) => Content::List(items),
            OpenKind::Map { mut entries, merges, mut seen, .. } => {
                entries.extend(merges.into_iter().flat_map(|value| merged(value, &mut seen)));
                Content::Map(entries)
            }
        };
        let node = self.tagged(Node { position: open.position, content }, open.tag.as_ref());
        self.anchors.keep(open.anchor, &node);
        self.put(node);
    }

    /// Refused, and read as what it stands for.
    fn alias(&mut self, anchor: usize, at: Position) -> Result<(), Diagnostic> {
        let value = self.anchors.value(anchor, self.open.len()).ok_or_else(|| alias_refused(at))?;
        if self.open.last().is_some_and(Open::wants_key) {
            return Err(alias_refused(at));
        }
        self.problems.push(alias_refused(at));
        self.put(value);
        Ok(())
    }

    fn key(&mut self, text: String, style: ScalarStyle, at: Position) {
        let Some(Open { kind: OpenKind::Map { seen, key, .. }, .. }) = self.open.last_mut() else { return };
        if text == "<<" && style == ScalarStyle::Plain {
            let problem = Diagnostic::new("", "YAML merge keys are not supported").at(at);
            self.problems.push(problem.help("write the merged keys out"));
            *key = Some(Slot::Merge);
            return;
        }
        if !seen.insert(text.clone()) {
            self.problems.push(Diagnostic::duplicate_key(&text, at));
        }
        *key = Some(Slot::Key(Key { text, position: at }));
    }

    /// Puts a whole value where it belongs: into the innermost open list or mapping, or at the root.
    fn put(&mut self, value: Node) {
        match self.open.last_mut().map(|open| &mut open.kind) {
            None => self.root = Some(value),
            Some(OpenKind::List(items)) => items.push(value),
            Some(OpenKind::Map { entries, merges, key, .. }) => match key.take() {
                Some(Slot::Key(key)) => entries.push(Entry { key, value }),
                Some(Slot::Merge) => merges.push(value),
                None => {}
            },
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, position: Position) -> Node {
        // A function's tag says that its argument is text: `!Ref 404` names a thing called "404".
        let as_text =
            style != ScalarStyle::Plain || tag.is_some_and(|tag| !tag.is_yaml_core_schema() || tag.suffix == "str");
        let content = if as_text { Content::Text(text.to_owned()) } else { plain(text) };
        self.tagged(Node { position, content }, tag)
    }

    /// Applies a tag: a short form becomes the long form, with the tag's place as the key's. One that CloudFormation has not is
    /// refused, and left off.
    fn tagged(&mut self, node: Node, tag: Option<&Tag>) -> Node {
        let Some(tag) = tag else { return node };
        let position = node.position;
        if let Some(problem) = refused(tag) {
            self.problems.push(problem.at(position));
            return node;
        }
        // `! x`, the tag without a name, only says that x is text.
        if tag.is_yaml_core_schema() || (tag.suffix == "!" && tag.handle.is_empty()) {
            return node;
        }
        let name = match tag.suffix.as_str() {
            "Ref" | "Condition" => tag.suffix.clone(),
            other => format!("Fn::{other}"),
        };
        Node { position, content: Content::Map(vec![Entry { key: Key { text: name, position }, value: node }]) }
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

/// Why a tag is none of CloudFormation's, if so.
fn refused(tag: &Tag) -> Option<Diagnostic> {
    let Tag { handle, suffix } = tag;
    if tag.is_yaml_core_schema() {
        let known = ["str", "int", "float", "bool", "null", "seq", "map"].contains(&suffix.as_str());
        let problem = || Diagnostic::new("", format!("the YAML tag '!!{suffix}' is not supported"));
        return (!known).then(|| problem().help("write the value as text"));
    }
    let problem = || Diagnostic::new("", format!("the YAML tag '!<{handle}{suffix}>' is not supported"));
    let known = handle == "!" || (suffix == "!" && handle.is_empty());
    (!known).then(|| problem().help("the short forms are tags of one exclamation mark, as !Ref"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn first_problem(text: &str) -> (Option<Position>, String) {
        let mut problems = read(text).map_or_else(|problems| problems, |(_, problems)| problems);
        let problem = problems.remove(0);
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
    fn what_can_be_read_all_the_same_is_read_as_what_it_means() {
        let text = "a: &x {b: 1, c: 2}\nd: *x\ne: {<<: *x, c: 3}\nf: {<<: [*x, {g: 4}]}\ng: !!binary eA==\n";
        let (root, problems) = read(text).unwrap();
        let meant = json!({
            "a": {"b": 1, "c": 2}, "d": {"b": 1, "c": 2}, "e": {"c": 3, "b": 1},
            "f": {"b": 1, "c": 2, "g": 4}, "g": "eA==",
        });
        assert_eq!(root.to_json(), meant);
        let lines: Vec<_> = problems.iter().map(|problem| problem.position.unwrap().line).collect();
        assert_eq!(lines, [2, 3, 3, 4, 4, 5]);
    }

    #[test]
    fn aliases_end_the_reading_where_they_would_be_too_much() {
        let doubled = (1..40)
            .fold("a0: &a0 [x, x]\n".to_owned(), |text, n| format!("{text}a{n}: &a{n} [*a{}, *a{}]\n", n - 1, n - 1));
        assert!(read(&doubled).is_err());
        let nested = (1..100).fold("a0: &a0 [x]\n".to_owned(), |text, n| format!("{text}a{n}: &a{n} [*a{}]\n", n - 1));
        assert!(read(&nested).is_err());
        assert!(read("a: &a [*a]\n").is_err());
        assert!(read("a: &a x\n*a : 1\n").is_err());
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
