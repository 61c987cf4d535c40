//! The names that an expression uses, found without evaluating it.

use std::collections::BTreeMap;

use super::{Expression, FindInMap, Kind, SubPart};
use crate::template::diagnostics::Position;

/// A name that is used.
#[derive(Debug, Clone, Copy)]
pub(in crate::template) enum Use<'a> {
    /// A parameter, a pseudo parameter or a resource.
    Ref(&'a str),
    /// A resource, for one of its attributes.
    GetAtt(&'a str),
    Condition(&'a str),
    Mapping(&'a FindInMap),
}

/// Which branches of `Fn::If` are looked into.
#[derive(Debug, Clone, Copy)]
pub(in crate::template) enum Branches<'a> {
    /// Both: what may ever be used.
    Both,
    /// Neither: what is used whatever the parameters are.
    Neither,
    /// The one that the conditions' values choose.
    Chosen(&'a BTreeMap<String, bool>),
}

impl Expression {
    /// Calls `found` with each name that is used, and its place.
    pub fn uses<'a>(&'a self, branches: Branches<'_>, found: &mut dyn FnMut(Use<'a>, Position)) {
        match &self.kind {
            Kind::Literal(_) | Kind::Broken => {}
            Kind::List(items) => items.iter().for_each(|item| item.uses(branches, found)),
            Kind::Object(entries) => entries.iter().for_each(|(_, value)| value.uses(branches, found)),
            Kind::Ref(name) => found(Use::Ref(name), self.position),
            Kind::GetAtt { resource, attribute } => {
                found(Use::GetAtt(resource), self.position);
                attribute.uses(branches, found);
            }
            Kind::Sub { parts, variables } => {
                for part in parts {
                    match part {
                        SubPart::Ref(name, position) => found(Use::Ref(name), *position),
                        SubPart::GetAtt(name, _, position) => found(Use::GetAtt(name), *position),
                        SubPart::Text(_) | SubPart::Variable(_) => {}
                    }
                }
                variables.iter().for_each(|(_, value)| value.uses(branches, found));
            }
            Kind::Join { list: value, .. } | Kind::Split { text: value, .. } | Kind::Base64(value) => {
                value.uses(branches, found);
            }
            Kind::Select { index, list } => {
                index.uses(branches, found);
                list.uses(branches, found);
            }
            Kind::If { condition, then, otherwise } => {
                found(Use::Condition(condition), self.position);
                let chosen = match branches {
                    Branches::Both => [Some(then), Some(otherwise)],
                    Branches::Neither => [None, None],
                    Branches::Chosen(conditions) => match conditions.get(condition) {
                        Some(true) => [Some(then), None],
                        Some(false) => [None, Some(otherwise)],
                        None => [None, None],
                    },
                };
                chosen.into_iter().flatten().for_each(|branch| branch.uses(branches, found));
            }
            Kind::FindInMap(lookup) => {
                found(Use::Mapping(lookup), self.position);
                lookup.map.uses(branches, found);
                lookup.first.uses(branches, found);
                lookup.second.uses(branches, found);
                if let Some(default) = &lookup.default {
                    default.uses(branches, found);
                }
            }
        }
    }
}
