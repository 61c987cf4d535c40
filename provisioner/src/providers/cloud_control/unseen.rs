//! What AWS takes and never gives back: a digest of what was given, remembered by a tag, tells that the template has another value now.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::tagging::Before;
use crate::digest::hex;
use crate::engine::{Property, Resource, Schema, Shape, canonical};
use crate::template::property_of;

/// How many bytes of a digest are remembered.
const BYTES: usize = 4;

/// What follows from the values within a property of the template's that AWS never gives back. None where there are none, and where one
/// is a secret: a tag can be read by many, and a short text be guessed from its digest.
pub(super) fn digest_of(name: &str, resource: &Resource, schema: &Schema) -> Option<String> {
    if resource.secret.iter().any(|pointer| property_of(pointer) == Some(name)) {
        return None;
    }
    let property = schema.property(name)?;
    let part = unseen_part(property, resource.properties.get(name)?)?;
    Some(hex(part.to_string(), BYTES))
}

/// The properties in which an earlier run gave AWS another value than the template has. One that is known only after apply is not told
/// here: the tag that remembers it is another then.
pub(super) fn changed<'b>(
    before: &'b BTreeMap<&str, Before<'_>>,
    resource: &Resource,
    schema: &Schema,
) -> impl Iterator<Item = &'b str> {
    let known = |name: &str| resource.after_apply.keys().all(|pointer| property_of(pointer) != Some(name));
    let unseen = before.iter().filter_map(|(name, before)| Some((*name, before.unseen?)));
    unseen
        .filter(move |(name, before)| {
            known(name) && digest_of(name, resource, schema).is_some_and(|now| now != **before)
        })
        .map(|(name, _)| name)
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
