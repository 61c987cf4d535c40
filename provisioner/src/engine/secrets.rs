//! Secrets that AWS takes and never gives back: whether the template has another one now, nothing tells. They go with any other change of
//! their resource, and alone where that is asked for.

use std::collections::BTreeSet;

use super::plan::{Change, Plan};
use super::stack::Stack;
use super::{Action, Difference, OnChange, Property, Shape};
use crate::template::property_of;

impl Stack<'_> {
    /// Those of resources that the plan leaves as they are: logical ids, each with a property.
    pub fn unseen_secrets(&self, plan: &Plan) -> Vec<(String, String)> {
        let untouched = plan.changes.iter().filter(|change| change.action == Action::None);
        let of = |change: &Change| {
            let id = change.logical_id.clone();
            self.unseen_in(change).into_iter().map(move |name| (id.clone(), name)).collect::<Vec<_>>()
        };
        untouched.flat_map(of).collect()
    }

    /// Lets the plan send them, though they may be the same.
    pub fn resend_secrets(&self, plan: &mut Plan) {
        for change in plan.changes.iter_mut().filter(|change| change.action == Action::None) {
            for name in self.unseen_in(change) {
                let after = change.resource.as_ref().and_then(|resource| resource.properties.get(&name).cloned());
                let on_change = OnChange::Update;
                let sent = Difference { path: name, before: None, after, after_apply: None, on_change, secret: true };
                change.differences.push(sent);
                change.action = Action::Update;
            }
        }
    }

    /// The properties that hold one and can be changed.
    fn unseen_in(&self, change: &Change) -> BTreeSet<String> {
        let (Some(provider), Some(resource)) = (self.providers.get(&change.type_name), &change.resource) else {
            return BTreeSet::new();
        };
        let named = resource.secret.iter().filter_map(|pointer| property_of(pointer));
        let unseen = |name: &&str| {
            let property = provider.schema().property(name);
            property.is_some_and(|property| property.on_change == OnChange::Update && holds_unseen(property))
        };
        named.filter(unseen).map(str::to_owned).collect()
    }
}

fn holds_unseen(property: &Property) -> bool {
    property.unseen || within(&property.shape)
}

fn within(shape: &Shape) -> bool {
    match shape {
        Shape::Object(properties) => properties.iter().any(holds_unseen),
        Shape::List(of) | Shape::Set(of) | Shape::Map(of) | Shape::TextOr(of) => within(of),
        _ => false,
    }
}
