//! The section `Mappings`: tables of two keys. Knows nothing of who looks things up in them.

use indexmap::IndexMap;
use serde_json::Value;

use super::diagnostics::Diagnostic;
use super::intrinsics::Reader;
use super::node::{Content, Node};
use super::text::suggest;

type Table = IndexMap<String, IndexMap<String, Value>>;

/// The mappings of a template by name.
#[derive(Debug, Clone, Default)]
pub(super) struct Mappings(IndexMap<String, Table>);

impl Mappings {
    /// Reads the section.
    pub fn read(section: &Node, reader: &mut Reader<'_>) -> Self {
        let mut mappings = IndexMap::new();
        for (name, node) in entries(section, "Mappings", reader) {
            let path = format!("Mappings.{name}");
            let mut table = Table::new();
            for (first, row) in entries(node, &path, reader) {
                let path = format!("{path}.{first}");
                let mut cells = IndexMap::new();
                for (second, value) in entries(row, &path, reader) {
                    if is_cell(value) {
                        cells.insert(second.to_owned(), value.to_json());
                    } else {
                        let message =
                            format!("a value of a mapping is text or a list of texts, but this is {}", value.kind());
                        reader.report(
                            &format!("{path}.{second}"),
                            value.position,
                            message,
                            "functions cannot stand in Mappings",
                        );
                    }
                }
                table.insert(first.to_owned(), cells);
            }
            mappings.insert(name.to_owned(), table);
        }
        Self(mappings)
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// What is missing of a lookup as far as its keys are known.
    pub fn missing(&self, map: &str, first: Option<&str>, second: Option<&str>) -> Option<Diagnostic> {
        match (first, second) {
            (Some(first), Some(second)) => self.find(map, first, second).err(),
            (Some(first), None) => self.row(map, first).err(),
            (None, _) => self.table(map).err(),
        }
    }

    /// The value under two keys; without one, which of the names is unknown.
    pub fn find(&self, map: &str, first: &str, second: &str) -> Result<&Value, Diagnostic> {
        let row = self.row(map, first)?;
        row.get(second).ok_or_else(|| {
            Diagnostic::new("", format!("the mapping '{map}' has no key '{second}' under '{first}'")).help(suggest(
                second,
                row.keys().map(String::as_str),
                "keys in it",
            ))
        })
    }

    fn row(&self, map: &str, first: &str) -> Result<&IndexMap<String, Value>, Diagnostic> {
        let table = self.table(map)?;
        table.get(first).ok_or_else(|| {
            Diagnostic::new("", format!("the mapping '{map}' has no key '{first}'")).help(suggest(
                first,
                table.keys().map(String::as_str),
                "keys in it",
            ))
        })
    }

    fn table(&self, map: &str) -> Result<&Table, Diagnostic> {
        self.0.get(map).ok_or_else(|| {
            Diagnostic::new("", format!("there is no mapping '{map}'")).help(suggest(map, self.names(), "mappings"))
        })
    }
}

fn is_cell(node: &Node) -> bool {
    match &node.content {
        Content::List(items) => items.iter().all(|item| item.scalar().is_some()),
        _ => node.scalar().is_some(),
    }
}

fn entries<'n>(node: &'n Node, path: &str, reader: &mut Reader<'_>) -> Vec<(&'n str, &'n Node)> {
    let Some(entries) = node.as_map() else {
        let message = format!("must be a mapping, but is {}", node.kind());
        reader.report(path, node.position, message, "write name: {first key: {second key: value}}");
        return Vec::new();
    };
    let mut usable = Vec::new();
    for entry in entries {
        if !reader.refused_by_name(&entry.key, path) {
            usable.push((entry.key.text.as_str(), &entry.value));
        }
    }
    usable
}
