//! Two resources that would be one thing at AWS, which each `up` makes now the one and now the other: of one type under one name, or
//! two policies in one place.

use std::collections::HashMap;

use serde_json::Value;

use super::Findings;
use super::view::{View, text};
use crate::engine::Resource;

const QUEUE_POLICY: &str = "AWS::SQS::QueuePolicy";
const POLICY: &str = "AWS::IAM::Policy";
const ROLE: &str = "AWS::IAM::Role";

/// What a resource is at AWS, and where the template says so.
struct Thing {
    /// `"films-jobs" is`, before who it is.
    what: String,
    one: String,
    pointer: String,
    /// Whether another name would be of no use.
    joins: bool,
}

pub(super) fn check(view: &View<'_>, findings: &mut Findings) {
    let mut first_of: HashMap<(String, String), (&Resource, String)> = HashMap::new();
    // Of two alternatives one is not made.
    let certain = view.resources.iter().filter(|resource| view.stack.bound.is_certain(&resource.logical_id));
    for resource in certain {
        let mut told = false;
        for Thing { what, one, pointer, joins } in things(resource) {
            let same = first_of.insert((one.clone(), what.clone()), (resource, pointer.clone()));
            let other = same.filter(|(first, _)| !told && first.logical_id != resource.logical_id);
            let Some((first, at)) = other else { continue };
            let place = view.stack.problem(first, &at, "").position;
            let place = place.map(|at| format!(" in line {}, column {}", at.line, at.column)).unwrap_or_default();
            let (ours, first) = (&resource.logical_id, &first.logical_id);
            let what = format!("{what} {first}{place}: two resources would be one {one}");
            let help = match joins {
                true => format!("join {ours} and {first}, or take one out"),
                false => format!("give {ours} or {first} another name, or take one out"),
            };
            findings.errors.push(view.stack.problem(resource, &pointer, what).help(help));
            told = true;
        }
    }
}

/// A policy is known by where it is, all else by its name. What is known only after apply may differ.
fn things(resource: &Resource) -> Vec<Thing> {
    let policy = |what: String, pointer: &str, joins| Thing {
        what: format!("the policy {what} is given by"),
        one: "policy".into(),
        pointer: pointer.into(),
        joins,
    };
    let in_role = |name: &str, role: &str, pointer: &str| policy(format!("{name:?} of {role}"), pointer, false);
    let on_queue = |url: &str| policy(format!("of {}", url.rsplit('/').next().unwrap_or(url)), "/Queues", true);
    match resource.type_name.as_str() {
        QUEUE_POLICY => list(resource, "/Queues").filter_map(Value::as_str).map(on_queue).collect(),
        POLICY => {
            let Some(name) = text(resource, "/PolicyName") else { return Vec::new() };
            let roles = list(resource, "/Roles").filter_map(Value::as_str);
            roles.map(|role| in_role(name, role, "/Roles")).collect()
        }
        ROLE => {
            let inline = list(resource, "/Policies").filter_map(|policy| policy.get("PolicyName")?.as_str());
            let inline = inline.map(|name| in_role(name, &resource.physical_id, "/Policies"));
            itself(resource).into_iter().chain(inline).collect()
        }
        _ => itself(resource).into_iter().collect(),
    }
}

fn itself(resource: &Resource) -> Option<Thing> {
    let pointer = named_at(resource);
    (resource.after_apply.is_empty() || !pointer.is_empty()).then(|| Thing {
        what: format!("{:?} is", resource.physical_id),
        one: resource.type_name.clone(),
        pointer,
        joins: false,
    })
}

/// The pointer of the property that gives the name; of the resource where several do.
fn named_at(resource: &Resource) -> String {
    let names = resource.properties.as_object().into_iter().flatten();
    let mut names = names.filter(|(_, value)| value.as_str() == Some(&resource.physical_id));
    names.next().map(|(name, _)| format!("/{name}")).unwrap_or_default()
}

fn list<'r>(resource: &'r Resource, pointer: &str) -> impl Iterator<Item = &'r Value> {
    resource.properties.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}
