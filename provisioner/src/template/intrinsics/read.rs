//! Nodes to expressions: recognises the functions, checks their arguments' form, refuses what is not supported by name.

use std::collections::HashSet;

use serde_json::Value;

use super::sub::{Piece, pieces};
use super::{Expression, FindInMap, Kind, SubPart};
use crate::template::diagnostics::{Diagnostic, Position};
use crate::template::node::{Content, Entry, Key, Node};
use crate::template::source::Source;
use crate::template::text::suggest;

/// The functions that a value may have.
const FUNCTIONS: [&str; 10] = [
    "Ref",
    "Fn::GetAtt",
    "Fn::Sub",
    "Fn::Join",
    "Fn::Split",
    "Fn::Select",
    "Fn::If",
    "Fn::FindInMap",
    "Fn::Base64",
    "Condition",
];

/// The functions that only a condition may have.
const CONDITION_FUNCTIONS: [&str; 4] = ["Fn::Equals", "Fn::And", "Fn::Or", "Fn::Not"];

/// CloudFormation's other functions, each with the way out.
const UNSUPPORTED: [(&str, &str); 12] = [
    ("Fn::ImportValue", "there are no exports without CloudFormation: make the value a parameter"),
    ("Fn::GetAZs", "make the zones a parameter of type CommaDelimitedList"),
    ("Fn::Cidr", "write the blocks out, or make them a parameter of type CommaDelimitedList"),
    ("Fn::Transform", "there are no macros without CloudFormation: write out what the macro makes"),
    ("Fn::ForEach", "write the copies out"),
    ("Fn::Length", "write the number, or make it a parameter"),
    ("Fn::ToJsonString", "write the JSON as text, with Fn::Sub where it has names"),
    ("Fn::Contains", "it belongs to Rules, which are not supported: use AllowedValues"),
    ("Fn::EachMemberEquals", "it belongs to Rules, which are not supported: use AllowedValues"),
    ("Fn::EachMemberIn", "it belongs to Rules, which are not supported: use AllowedValues"),
    ("Fn::RefAll", "it belongs to Rules, which are not supported: use AllowedValues"),
    ("Fn::ValueOf", "it belongs to Rules, which are not supported: use AllowedValues"),
];

/// Reads values; what is wrong is collected, and stands as [`Kind::Broken`] in what is read.
pub(in crate::template) struct Reader<'a> {
    source: Source<'a>,
    /// All that was found wrong so far.
    pub problems: Vec<Diagnostic>,
}

impl<'a> Reader<'a> {
    pub fn new(text: &'a str) -> Self {
        Self { source: Source::new(text), problems: Vec::new() }
    }

    /// Notes a problem of the thing at `path`.
    pub fn report(&mut self, path: &str, position: Position, message: impl Into<String>, help: impl Into<String>) {
        self.problems.push(Diagnostic::new(path, message).at(position).help(help));
    }

    /// A value with its functions.
    pub fn value(&mut self, node: &Node, path: &str) -> Expression {
        let kind = match &node.content {
            Content::List(items) => Kind::List(self.items(items, path)),
            Content::Map(entries) => self.mapping(entries, path),
            Content::Null => {
                self.report(path, node.position, "the value is empty", "write a value, or take the key out");
                Kind::Broken
            }
            _ => Kind::Literal(node.to_json()),
        };
        Expression { position: node.position, kind }
    }

    fn items(&mut self, items: &[Node], path: &str) -> Vec<Expression> {
        items.iter().enumerate().map(|(index, item)| self.value(item, &format!("{path}.{index}"))).collect()
    }

    fn mapping(&mut self, entries: &[Entry], path: &str) -> Kind {
        if let [Entry { key, value }] = entries
            && (key.text == "Ref" || key.text.starts_with("Fn::"))
        {
            return self.function(key, value, path).unwrap_or(Kind::Broken);
        }
        if let Some(entry) = entries.iter().find(|entry| entry.key.text.starts_with("Fn::")) {
            let name = &entry.key.text;
            if !self.refused_by_name(&entry.key, path) {
                self.report(
                    path,
                    entry.key.position,
                    format!("{name} stands beside other keys"),
                    "a function is the only key of its mapping",
                );
            }
            return Kind::Broken;
        }
        Kind::Object(self.entries(entries, path))
    }

    fn entries(&mut self, entries: &[Entry], path: &str) -> Vec<(Key, Expression)> {
        let entries = entries.iter().map(|entry| {
            let path = format!("{path}.{}", entry.key.text);
            (entry.key.clone(), self.value(&entry.value, &path))
        });
        let mut entries: Vec<_> = entries.collect();
        // Of a key that stands twice, which is told already, the last counts.
        let mut seen = HashSet::new();
        entries.reverse();
        entries.retain(|(key, _)| seen.insert(key.text.clone()));
        entries.reverse();
        entries
    }

    fn function(&mut self, key: &Key, argument: &Node, path: &str) -> Option<Kind> {
        match key.text.as_str() {
            "Ref" => self.reference(argument, path),
            "Fn::GetAtt" => self.get_att(argument, path),
            "Fn::Sub" => self.sub(argument, path),
            "Fn::Join" => {
                let [delimiter, list] = self.arguments(key, argument, path, "[delimiter, [values]]")?;
                Some(Kind::Join {
                    delimiter: self.text(key, "delimiter", delimiter, path)?,
                    list: self.boxed(list, path),
                })
            }
            "Fn::Split" => {
                let [delimiter, text] = self.arguments(key, argument, path, "[delimiter, text]")?;
                Some(Kind::Split {
                    delimiter: self.text(key, "delimiter", delimiter, path)?,
                    text: self.boxed(text, path),
                })
            }
            "Fn::Select" => {
                let [index, list] = self.arguments(key, argument, path, "[index, [values]]")?;
                Some(Kind::Select { index: self.boxed(index, path), list: self.boxed(list, path) })
            }
            "Fn::If" => {
                let [condition, then, otherwise] =
                    self.arguments(key, argument, path, "[condition, value if true, value if false]")?;
                Some(Kind::If {
                    condition: self.text(key, "condition", condition, path)?,
                    then: self.boxed(then, path),
                    otherwise: self.boxed(otherwise, path),
                })
            }
            "Fn::FindInMap" => self.find_in_map(key, argument, path),
            "Fn::Base64" => Some(Kind::Base64(self.boxed(argument, path))),
            _ => {
                self.unknown_function(key, path);
                None
            }
        }
    }

    fn boxed(&mut self, node: &Node, path: &str) -> Box<Expression> {
        Box::new(self.value(node, path))
    }

    fn reference(&mut self, argument: &Node, path: &str) -> Option<Kind> {
        match argument.scalar() {
            Some(name) => Some(Kind::Ref(name)),
            None => {
                self.report(
                    path,
                    argument.position,
                    format!("Ref takes a name, but its argument is {}", argument.kind()),
                    "write the name of a parameter or a resource",
                );
                None
            }
        }
    }

    fn get_att(&mut self, argument: &Node, path: &str) -> Option<Kind> {
        let parts = match &argument.content {
            Content::Text(text) => text.split_once('.').map(|(resource, attribute)| {
                let attribute = Value::String(attribute.to_owned());
                (resource.to_owned(), Expression::literal(argument.position, attribute))
            }),
            Content::List(items) => match items.as_slice() {
                [resource, attribute] => {
                    resource.as_text().map(|resource| (resource.to_owned(), self.value(attribute, path)))
                }
                _ => None,
            },
            _ => None,
        };
        match parts {
            Some((resource, attribute)) if !resource.is_empty() => {
                Some(Kind::GetAtt { resource, attribute: Box::new(attribute) })
            }
            _ => {
                self.report(
                    path,
                    argument.position,
                    "Fn::GetAtt takes a resource and one of its attributes",
                    "write 'Resource.Attribute' or [Resource, Attribute]",
                );
                None
            }
        }
    }

    fn sub(&mut self, argument: &Node, path: &str) -> Option<Kind> {
        let (text, variables) = match &argument.content {
            Content::Text(_) => (argument, Vec::new()),
            Content::List(items) => match items.as_slice() {
                [text, Node { content: Content::Map(entries), .. }] => (text, self.entries(entries, path)),
                _ => return self.not_a_sub(argument, path),
            },
            _ => return self.not_a_sub(argument, path),
        };
        let Some(template) = text.as_text() else {
            return self.not_a_sub(text, path);
        };
        let mut cursor = Cursor::new(&self.source, text, template);
        let mut parts = Vec::new();
        for piece in pieces(template) {
            match piece {
                Piece::Text(text) => parts.push(SubPart::Text(text.to_owned())),
                Piece::Literal(name) => parts.push(SubPart::Text(format!("${{{name}}}"))),
                Piece::Name(name) => {
                    let position = cursor.next(&self.source, name);
                    parts.push(named_part(name, &variables, position));
                }
                Piece::Invalid(inner) => {
                    let position = cursor.next(&self.source, inner);
                    self.report(
                        path,
                        position,
                        format!("'${{{inner}}}' is no name that Fn::Sub could put in"),
                        match inner.trim() {
                            "" => "write a name between the braces".to_owned(),
                            inner => format!("write '${{!{inner}}}' where the braces are meant to stay"),
                        },
                    );
                }
            }
        }
        Some(Kind::Sub { parts, variables })
    }

    fn not_a_sub(&mut self, argument: &Node, path: &str) -> Option<Kind> {
        self.report(
            path,
            argument.position,
            "Fn::Sub takes a text, or a list of a text and a mapping",
            "write 'text with ${Name}' or ['text with ${Name}', {Name: value}]",
        );
        None
    }

    fn find_in_map(&mut self, key: &Key, argument: &Node, path: &str) -> Option<Kind> {
        let (names, default) = match argument.as_list() {
            Some([names @ .., last]) if names.len() == 3 => match last.as_map() {
                Some([Entry { key, value }]) if key.text == "DefaultValue" => (names, Some(self.value(value, path))),
                _ => {
                    self.report(
                        path,
                        last.position,
                        "the fourth argument of Fn::FindInMap is no default",
                        "write {DefaultValue: value}",
                    );
                    return None;
                }
            },
            _ => {
                let [_, _, _] = self.arguments(key, argument, path, "[mapping, first key, second key]")?;
                (argument.as_list()?, None)
            }
        };
        Some(Kind::FindInMap(Box::new(FindInMap {
            map: self.value(&names[0], path),
            first: self.value(&names[1], path),
            second: self.value(&names[2], path),
            default,
        })))
    }

    /// The arguments of a function that takes a list of a fixed length; `form` shows it.
    pub fn arguments<'n, const N: usize>(
        &mut self,
        key: &Key,
        argument: &'n Node,
        path: &str,
        form: &str,
    ) -> Option<&'n [Node; N]> {
        let found = argument.as_list().and_then(|items| items.try_into().ok());
        if found.is_none() {
            let given = match argument.as_list() {
                Some(items) => format!("{} were given", items.len()),
                None => format!("its argument is {}", argument.kind()),
            };
            self.report(
                path,
                argument.position,
                format!("{} takes a list of {N}, but {given}", key.text),
                format!("write {}: {form}", key.text),
            );
        }
        found
    }

    /// An argument that must be written as text.
    fn text(&mut self, key: &Key, what: &str, node: &Node, path: &str) -> Option<String> {
        let text = node.scalar();
        if text.is_none() {
            self.report(
                path,
                node.position,
                format!("the {what} of {} is {}", key.text, node.kind()),
                format!("write the {what} as text"),
            );
        }
        text
    }

    /// Refuses a function of CloudFormation's that is not supported; false where it is not such a one.
    pub fn refused_by_name(&mut self, key: &Key, path: &str) -> bool {
        let found = UNSUPPORTED
            .iter()
            .find(|(name, _)| key.text == *name || (*name == "Fn::ForEach" && key.text.starts_with("Fn::ForEach::")));
        if let Some((name, help)) = found {
            self.report(path, key.position, format!("{name} is not supported"), *help);
        }
        found.is_some()
    }

    fn unknown_function(&mut self, key: &Key, path: &str) {
        if self.refused_by_name(key, path) {
            return;
        }
        if CONDITION_FUNCTIONS.contains(&key.text.as_str()) {
            self.report(
                path,
                key.position,
                format!("{} stands outside of Conditions", key.text),
                "name the condition under Conditions, and use Fn::If with that name here",
            );
            return;
        }
        let known = FUNCTIONS.into_iter().chain(CONDITION_FUNCTIONS);
        let help = suggest(&key.text, known, "functions");
        self.report(path, key.position, format!("there is no function {}", key.text), help);
    }
}

fn named_part(name: &str, variables: &[(Key, Expression)], position: Position) -> SubPart {
    if variables.iter().any(|(key, _)| key.text == name) {
        return SubPart::Variable(name.to_owned());
    }
    match name.split_once('.') {
        Some((resource, attribute)) => SubPart::GetAtt(resource.to_owned(), attribute.to_owned(), position),
        None => SubPart::Ref(name.to_owned(), position),
    }
}

/// Finds the places of the names of one text, one after another. After a miss (the text was written with escapes) every
/// name has the text's own place.
struct Cursor {
    start: Position,
    offset: Option<usize>,
    window: usize,
}

impl Cursor {
    fn new(source: &Source<'_>, node: &Node, text: &str) -> Self {
        Self {
            start: node.position,
            offset: source.offset(node.position),
            // The source is longer than the text by its lines' indentation.
            window: text.len() + 80 * text.lines().count() + 200,
        }
    }

    fn next(&mut self, source: &Source<'_>, name: &str) -> Position {
        let needle = format!("${{{name}}}");
        let found = self.offset.and_then(|offset| source.find(&needle, offset, self.window));
        self.offset = found.map(|offset| offset + needle.len());
        found.map_or(self.start, |offset| source.position(offset))
    }
}
