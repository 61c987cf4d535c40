//! JSON text to a tree of nodes. Owns JSON's strictness: no comments, no commas too many, no key twice.

use std::collections::HashSet;

use jsonc_parser::ast::{ObjectProp, Value};
use jsonc_parser::common::Ranged as _;
use jsonc_parser::{CollectOptions, CommentCollectionStrategy, ParseOptions, parse_to_ast};

use super::diagnostics::{Diagnostic, Position};
use super::node::{Content, Entry, Key, MAX_DEPTH, Node};
use super::source::Source;

const STRICT: ParseOptions = ParseOptions {
    allow_comments: false,
    allow_loose_object_property_names: false,
    allow_trailing_commas: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// Whether a text is meant to be JSON.
pub(super) fn is_json(text: &str) -> bool {
    text.trim_start().starts_with('{')
}

/// The tree of a JSON text, and the keys that stand twice in it; else what keeps it from being read.
pub(super) fn read(text: &str) -> Result<(Node, Vec<Diagnostic>), Vec<Diagnostic>> {
    let collect = CollectOptions { comments: CommentCollectionStrategy::Off, tokens: false };
    let mut tree = Tree { source: Source::new(text), problems: Vec::new(), is_whole: true };
    let parsed = parse_to_ast(text, &collect, &STRICT).map_err(|error| {
        let reason = error.kind().to_string().to_lowercase();
        let at = tree.source.position(error.range().start);
        let help = "check quotes, commas and brackets at this place and just before it";
        vec![Diagnostic::new("", format!("is not JSON: {reason}")).at(at).help(help)]
    })?;
    let root = parsed.value.map(|value| tree.node(&value, 0));
    match root {
        Some(root) if tree.is_whole => Ok((root, tree.problems)),
        _ => Err(tree.problems),
    }
}

struct Tree<'a> {
    source: Source<'a>,
    problems: Vec<Diagnostic>,
    is_whole: bool,
}

impl Tree<'_> {
    fn node(&mut self, value: &Value<'_>, depth: usize) -> Node {
        let position = self.source.position(value.start());
        let content = match value {
            Value::NullKeyword(_) => Content::Null,
            Value::BooleanLit(flag) => Content::Bool(flag.value),
            Value::NumberLit(number) => Content::number_or_text(number.value),
            Value::StringLit(text) => Content::Text(text.value.to_string()),
            Value::Array(_) | Value::Object(_) if depth >= MAX_DEPTH => self.too_deep(position),
            Value::Array(array) => {
                Content::List(array.elements.iter().map(|item| self.node(item, depth + 1)).collect())
            }
            Value::Object(object) => self.map(&object.properties, depth + 1),
        };
        Node { position, content }
    }

    fn map(&mut self, properties: &[ObjectProp<'_>], depth: usize) -> Content {
        let mut seen = HashSet::new();
        let mut entries = Vec::with_capacity(properties.len());
        for property in properties {
            let text = property.name.as_str().to_owned();
            let position = self.source.position(property.start());
            if !seen.insert(property.name.as_str()) {
                self.problems.push(Diagnostic::duplicate_key(&text, position));
            }
            entries.push(Entry { key: Key { text, position }, value: self.node(&property.value, depth) });
        }
        Content::Map(entries)
    }

    fn too_deep(&mut self, position: Position) -> Content {
        self.problems.push(Diagnostic::too_deep(MAX_DEPTH, position));
        self.is_whole = false;
        Content::Null
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_with_tabs_and_escapes_is_read() {
        let text = "{\n\t\"a\": \"b\\/c \\ud83d\\ude00\\u00e9\",\n\t\"l\": [1,\t2.50, true, null, 1e3]\n}";
        let expected = json!({"a": "b/c \u{1f600}é", "l": [1, "2.50", true, null, "1e3"]});
        assert_eq!(read(text).unwrap().0.to_json(), expected);
    }

    #[test]
    fn places_are_those_of_keys_and_values() {
        let (node, _) = read("{\"é\": 1,\n \"b\": [2]}").unwrap();
        let entries = node.as_map().unwrap();
        assert_eq!(entries[0].value.position, Position { line: 1, column: 7 });
        assert_eq!(entries[1].key.position, Position { line: 2, column: 2 });
        assert_eq!(entries[1].value.position, Position { line: 2, column: 7 });
    }

    #[test]
    fn what_is_not_json_is_refused_with_its_place() {
        let problem = |text: &str| read(text).unwrap_err().remove(0);
        assert_eq!(problem("{\"a\": 1,}").position.map(|at| at.line), Some(1));
        let (_, twice) = read("{\"a\": 1,\n \"a\": 2}").unwrap();
        assert_eq!(twice[0].message, "the key 'a' stands twice in one mapping");
        assert!(problem("{\n // no\n}").message.contains("comments"));
        assert!(read("{\"a\": 1").is_err());
        assert!(read(&"{\"a\":".repeat(50_000)).is_err());
        let deep = "[".repeat(MAX_DEPTH) + &"]".repeat(MAX_DEPTH);
        assert!(read(&format!("{{\"a\": {deep}}}")).is_err());
    }
}
