//! The tree of a template's text: what was written, and where. Knows YAML's kinds of values, and nothing of CloudFormation.

use serde_json::{Number, Value};

use super::diagnostics::{Diagnostic, Position};

/// How deep lists and mappings may stand in one another.
pub(super) const MAX_DEPTH: usize = 64;

/// A value with its place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub position: Position,
    pub content: Content,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Content {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key of a mapping with its value. Keys of one mapping differ.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub key: Key,
    pub value: Node,
}

/// A key with its place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Key {
    pub text: String,
    pub position: Position,
}

impl Content {
    /// A number where JSON would write it with the same characters, else the text that it is.
    pub fn number_or_text(text: &str) -> Self {
        match text.parse::<Number>() {
            Ok(number) if number.to_string() == text => Self::Number(number),
            _ => Self::Text(text.to_owned()),
        }
    }
}

impl Diagnostic {
    /// A key that its mapping has already.
    pub(super) fn duplicate_key(key: &str, position: Position) -> Self {
        Self::new("", format!("the key '{key}' stands twice in one mapping"))
            .at(position)
            .help("keep one of them: only the last would count")
    }

    /// A list or mapping inside too many others.
    pub(super) fn too_deep(limit: usize, position: Position) -> Self {
        Self::new("", format!("more than {limit} lists and mappings stand in one another"))
            .at(position)
            .help("nest less deeply")
    }
}

impl Node {
    /// The kind of value, in words that follow "is".
    pub fn kind(&self) -> &'static str {
        match self.content {
            Content::Null => "empty",
            Content::Bool(_) => "true or false",
            Content::Number(_) => "a number",
            Content::Text(_) => "text",
            Content::List(_) => "a list",
            Content::Map(_) => "a mapping",
        }
    }

    /// The text, where the value was written as text.
    pub fn as_text(&self) -> Option<&str> {
        match &self.content {
            Content::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Text, a number or a boolean as text, as CloudFormation takes one for the other.
    pub fn scalar(&self) -> Option<String> {
        match &self.content {
            Content::Text(text) => Some(text.clone()),
            Content::Number(number) => Some(number.to_string()),
            Content::Bool(flag) => Some(flag.to_string()),
            _ => None,
        }
    }

    /// The entries of a mapping.
    pub fn as_map(&self) -> Option<&[Entry]> {
        match &self.content {
            Content::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The items of a list.
    pub fn as_list(&self) -> Option<&[Node]> {
        match &self.content {
            Content::List(items) => Some(items),
            _ => None,
        }
    }

    /// The value without places, intrinsic functions in their long form.
    pub fn to_json(&self) -> Value {
        match &self.content {
            Content::Null => Value::Null,
            Content::Bool(flag) => Value::Bool(*flag),
            Content::Number(number) => Value::Number(number.clone()),
            Content::Text(text) => Value::String(text.clone()),
            Content::List(items) => items.iter().map(Node::to_json).collect(),
            Content::Map(entries) => {
                entries.iter().map(|entry| (entry.key.text.clone(), entry.value.to_json())).collect()
            }
        }
    }
}
