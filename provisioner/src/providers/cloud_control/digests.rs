//! What AWS never gives back, and what it cannot change and may give back in other words: a digest of what was given, remembered by a
//! tag, tells whether the template has another value now.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::tagging::Before;
use crate::digest::hex;
use crate::engine::{OnChange, Property, Resource, Schema, Shape, canonical};
use crate::template::property_of;

/// How many bytes of a digest are remembered.
const BYTES: usize = 4;

/// What follows from the values within a property of the template's that AWS never gives back, or from all of one that AWS cannot change.
/// None where there are none, and where one is a secret: a tag can be read by many, and a short text be guessed from its digest.
pub(super) fn digest_of(name: &str, resource: &Resource, schema: &Schema) -> Option<String> {
    if resource.secret.iter().any(|pointer| property_of(pointer) == Some(name)) {
        return None;
    }
    let property = schema.property(name)?;
    let value = resource.properties.get(name)?;
    let told = match (unseen_part(property, value), property.on_change) {
        (unseen, OnChange::Update) => unseen?.to_string(),
        (unseen, OnChange::Replace) => format!("{}{}", canonical(value, &property.shape), unseen.unwrap_or_default()),
    };
    Some(hex(told, BYTES))
}

/// The properties in which an earlier run gave AWS another value that it does not give back.
pub(super) fn changed<'b>(
    before: &'b BTreeMap<&str, Before<'_>>,
    resource: &Resource,
    schema: &Schema,
) -> impl Iterator<Item = &'b str> {
    let is_hidden = |name: &str| {
        let property = schema.property(name).zip(resource.properties.get(name));
        property.is_some_and(|(property, value)| unseen_part(property, value).is_some())
    };
    remembered(before, resource, schema).filter(move |(name, same)| !same && is_hidden(name)).map(|(name, _)| name)
}

/// The properties that AWS cannot change, and that the template gives as an earlier run did: whatever words AWS has for them, nothing is
/// replaced for those.
pub(super) fn unchanged<'b>(
    before: &'b BTreeMap<&str, Before<'_>>,
    resource: &Resource,
    schema: &Schema,
) -> impl Iterator<Item = &'b str> {
    let is_fixed = |name: &str| schema.property(name).is_some_and(|property| property.on_change == OnChange::Replace);
    remembered(before, resource, schema).filter(move |(name, same)| *same && is_fixed(name)).map(|(name, _)| name)
}

/// The properties that AWS cannot change and does not tell the template's value of, and that no earlier run gave: what is there was made
/// without them.
pub(super) fn added<'s>(
    before: &BTreeMap<&str, Before<'_>>,
    resource: &Resource,
    there: &Value,
    schema: &'s Schema,
) -> impl Iterator<Item = &'s str> {
    let is_added = |property: &&Property| {
        let name = property.name.as_str();
        let Some(wanted) = resource.properties.get(name).filter(|_| !before.contains_key(name)) else { return false };
        let same = |value: &Value| canonical(value, &property.shape) == canonical(wanted, &property.shape);
        unseen_part(property, wanted).is_some() && !there.get(name).is_some_and(same)
    };
    let fixed = schema.properties.iter().filter(|property| property.on_change == OnChange::Replace);
    fixed.filter(is_added).map(|property| property.name.as_str())
}

/// Those of which a digest is remembered, and whether it is that of the template's value. One that is known only after apply is not told
/// here: the tag that remembers it is another then.
fn remembered<'b>(
    before: &'b BTreeMap<&str, Before<'_>>,
    resource: &Resource,
    schema: &Schema,
) -> impl Iterator<Item = (&'b str, bool)> {
    let known = |name: &str| resource.after_apply.keys().all(|pointer| property_of(pointer) != Some(name));
    let told = before.iter().filter_map(|(name, before)| Some((*name, before.values?)));
    told.filter(move |(name, _)| known(name))
        .filter_map(|(name, before)| Some((name, digest_of(name, resource, schema)? == before)))
}

fn unseen_part(property: &Property, value: &Value) -> Option<Value> {
    if property.unseen {
        return Some(canonical(value, &property.shape));
    }
    inner_part(&property.shape, value)
}

fn inner_part(shape: &Shape, value: &Value) -> Option<Value> {
    match (shape, value) {
        (Shape::Object(properties), Value::Object(fields)) => {
            let parts = properties.iter().filter_map(|property| {
                Some((property.name.clone(), unseen_part(property, fields.get(&property.name)?)?))
            });
            some(parts.collect())
        }
        (Shape::Map(of), Value::Object(fields)) => {
            let parts = fields.iter().filter_map(|(key, field)| Some((key.clone(), inner_part(of, field)?)));
            some(parts.collect())
        }
        (Shape::List(of) | Shape::Set(of), Value::Array(items)) => {
            let parts: Vec<Value> = items.iter().filter_map(|item| inner_part(of, item)).collect();
            (!parts.is_empty()).then_some(Value::Array(parts))
        }
        _ => None,
    }
}

fn some(parts: Map<String, Value>) -> Option<Value> {
    (!parts.is_empty()).then_some(Value::Object(parts))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_aws_cannot_change_is_told_by_what_the_template_gave_before() {
        let hidden = Property { unseen: true, ..Property::new("Password", Shape::Text).replaces() };
        let properties =
            vec![Property::new("Name", Shape::Text).replaces(), Property::new("Size", Shape::Integer), hidden];
        let schema = Schema::new("AWS::Some::Database", properties, &[]);
        let resource = |name: &str, password: &str| {
            let properties = json!({"Name": name, "Size": 1, "Password": password});
            Resource::sample("AWS::Some::Database", "Db", "db", properties)
        };
        let first = resource("a", "p");
        let digests = ["Name", "Size", "Password"].map(|name| (name, digest_of(name, &first, &schema)));
        assert_eq!(digests[1].1, None, "AWS gives it back, and changes it");
        let before = digests.iter().map(|(name, digest)| (*name, Before { fields: None, values: digest.as_deref() }));
        let before: BTreeMap<&str, Before<'_>> = before.collect();
        let told = |now: &Resource| {
            let changed: Vec<&str> = changed(&before, now, &schema).collect();
            (changed, unchanged(&before, now, &schema).collect::<Vec<_>>())
        };
        assert_eq!(told(&first), (vec![], vec!["Name", "Password"]));
        assert_eq!(told(&resource("b", "q")), (vec!["Password"], vec![]), "a name is held against what AWS gives back");
        let added = |before: &BTreeMap<&str, Before<'_>>, there: Value| -> Vec<&str> {
            added(before, &first, &there, &schema).collect()
        };
        let without = [("Size", Before::default())].into();
        assert_eq!(added(&without, json!({"Name": "other"})), ["Password"], "a name shows by itself");
        assert_eq!(added(&without, json!({"Password": "p"})), Vec::<&str>::new(), "AWS has it");
        assert_eq!(added(&before, json!({})), Vec::<&str>::new());
        let mut secret = resource("a", "p");
        secret.secret.insert("/Name".into());
        secret.after_apply.insert("/Password".into(), "Other.Ref".into());
        assert_eq!(told(&secret), (vec![], vec![]));
    }
}
