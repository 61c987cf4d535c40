//! Two resources of one type under one name would be one thing at AWS, which each `up` makes now the one and now the other.

use std::collections::HashMap;

use super::Findings;
use super::view::View;
use crate::engine::Resource;

pub(super) fn check(view: &View<'_>, findings: &mut Findings) {
    let mut first_of = HashMap::new();
    // Of two alternatives one is not made, and what is known only after apply may differ.
    let is_certain = |resource: &&Resource| {
        let named = resource.after_apply.is_empty() || !named_at(resource).is_empty();
        named && view.stack.bound.is_certain(&resource.logical_id)
    };
    for resource in view.resources.iter().filter(is_certain) {
        let Resource { type_name, physical_id, logical_id, .. } = resource;
        let Some(first) = first_of.insert((type_name, physical_id), resource) else { continue };
        let place = view.stack.problem(first, &named_at(first), "").position;
        let place = place.map(|at| format!(" in line {}, column {}", at.line, at.column)).unwrap_or_default();
        let what = format!("{physical_id:?} is {}{place}: two resources would be one {type_name}", first.logical_id);
        let help = format!("give {logical_id} or {} another name, or take one out", first.logical_id);
        findings.errors.push(view.stack.problem(resource, &named_at(resource), what).help(help));
    }
}

/// The pointer of the property that gives the name; of the resource where several do.
fn named_at(resource: &Resource) -> String {
    let names = resource.properties.as_object().into_iter().flatten();
    let mut names = names.filter(|(_, value)| value.as_str() == Some(&resource.physical_id));
    names.next().map(|(name, _)| format!("/{name}")).unwrap_or_default()
}
