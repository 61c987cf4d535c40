//! What resources of the template put into lists of others: a policy into its user. It is no drift of those, and an update leaves it there.

use serde_json::{Value, json};

use super::stack::{Look, Stack};
use super::{Observed, Provider, Put, Resource};

impl Stack<'_> {
    /// All that these resources put into others.
    pub(super) fn puts<'r>(&self, resources: impl Iterator<Item = &'r Resource>) -> Vec<Put> {
        let with_providers = resources.filter_map(|one| Some((one, self.providers.get(&one.type_name)?)));
        with_providers.flat_map(|(one, provider)| provider.puts(one)).collect()
    }

    /// Takes out of what is there what others put into it.
    pub(super) fn leave_to_others(&self, looks: &mut [Look]) {
        let puts = self.puts(looks.iter().map(|look| &look.resource));
        for Look { resource, observed } in looks {
            if let Some(observed) = observed {
                take_out(resource, observed, &puts);
            }
        }
    }
}

/// The resource with what others put into it, and what is there without that: it is no difference, and goes along where a list is sent
/// whole.
pub(super) fn leave_in(
    provider: &dyn Provider,
    resource: &Resource,
    observed: &Observed,
    puts: &[Put],
) -> (Resource, Observed) {
    let mut held = provider.held_against(resource, observed.clone());
    let taken = take_out(resource, &mut held, puts);
    if taken.is_empty() {
        return (resource.clone(), held);
    }
    let mut bare = resource.clone();
    taken.iter().for_each(|put| bare.properties[put.property] = json!([]));
    // As AWS has it: held against an item of the resource's own it may lack fields.
    let whole = provider.held_against(&bare, observed.clone());
    let mut wanted = resource.clone();
    for Put { property, item, .. } in taken {
        let found = whole.properties.get(property).and_then(Value::as_array).into_iter().flatten();
        let mut list = wanted.properties.get(property).and_then(Value::as_array).cloned().unwrap_or_default();
        list.extend(found.filter(|one| covers(one, item)).cloned());
        wanted.properties[*property] = list.into();
    }
    (wanted, held)
}

/// Takes out of what is there what others put into it, unless the resource wants it itself, and tells what that was.
fn take_out<'p>(resource: &Resource, observed: &mut Observed, puts: &'p [Put]) -> Vec<&'p Put> {
    let mut is_taken = |put: &&'p Put| {
        let Put { type_name, physical_id, property, item } = put;
        let is_it = |one: &Value| covers(one, item);
        let wanted = resource.properties.get(property).and_then(Value::as_array);
        let here = *type_name == resource.type_name && *physical_id == resource.physical_id;
        let left = here && !wanted.is_some_and(|wanted| wanted.iter().any(is_it));
        let found = observed.properties.get_mut(property).and_then(Value::as_array_mut);
        found.filter(|_| left).is_some_and(|found| found.extract_if(.., |one| is_it(one)).count() > 0)
    };
    puts.iter().filter(|put| is_taken(put)).collect()
}

/// Whether `one` is `item`, or an object with all of its fields.
fn covers(one: &Value, item: &Value) -> bool {
    match (one, item) {
        (Value::Object(one), Value::Object(item)) => item.iter().all(|(name, value)| one.get(name) == Some(value)),
        _ => one == item,
    }
}
