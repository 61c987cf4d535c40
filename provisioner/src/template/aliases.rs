//! What YAML's aliases and merge keys stand for. CloudFormation has neither, and each is told; but all else that is told of a
//! template should be of what its author meant.

use std::collections::{HashMap, HashSet};

use super::node::{Content, Entry, MAX_DEPTH, Node};

/// Values that aliases may repeat in all: a few lines of aliases of aliases would else be more than any memory.
const MOST_COPIED: usize = 10_000;

/// The values that have an anchor, by the number that the parser gives it.
#[derive(Default)]
pub(super) struct Anchors {
    values: HashMap<usize, Node>,
    copied: usize,
}

impl Anchors {
    /// Keeps a value; 0 is no anchor.
    pub fn keep(&mut self, anchor: usize, value: &Node) {
        if anchor > 0 {
            self.values.insert(anchor, value.clone());
        }
    }

    /// What the anchor names, to stand inside so many lists and mappings; none where it is not whole yet, or would be too much.
    pub fn value(&mut self, anchor: usize, inside: usize) -> Option<Node> {
        let value = self.values.get(&anchor)?;
        self.copied += size(value);
        (self.copied <= MOST_COPIED && inside + depth(value) <= MAX_DEPTH).then(|| value.clone())
    }
}

/// The entries that a merge key adds to a mapping that has those of `seen`: of one mapping, or of a list of them.
pub(super) fn merged(value: Node, seen: &mut HashSet<String>) -> Vec<Entry> {
    match value.content {
        Content::Map(entries) => entries.into_iter().filter(|entry| seen.insert(entry.key.text.clone())).collect(),
        Content::List(items) => items.into_iter().flat_map(|item| merged(item, seen)).collect(),
        _ => Vec::new(),
    }
}

fn size(value: &Node) -> usize {
    1 + within(value).map(size).sum::<usize>()
}

fn depth(value: &Node) -> usize {
    match value.content {
        Content::List(_) | Content::Map(_) => 1 + within(value).map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn within(value: &Node) -> impl Iterator<Item = &Node> {
    let items = value.as_list().into_iter().flatten();
    items.chain(value.as_map().into_iter().flatten().map(|entry| &entry.value))
}
