//! What the properties in a type's schema look like, and what a change of each does.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::transform::Transform;
use super::type_schema::texts;
use crate::engine::{Absent, OnChange, Property, Shape};

/// How deep objects are followed into each other; beyond it, and where a schema contains itself, a value is compared as JSON.
const DEEPEST: usize = 12;

/// Lists that AWS gives back in an order of its own, though the schemas do not say so.
const UNORDERED: [(&str, &[&str]); 3] = [
    (
        "AWS::CloudFront::Distribution",
        &[
            "Aliases",
            "AllowedMethods",
            "CachedMethods",
            "Headers",
            "Locations",
            "OriginSSLProtocols",
            "QueryStringCacheKeys",
            "TrustedKeyGroups",
            "TrustedSigners",
            "WhitelistedNames",
        ],
    ),
    (
        "AWS::Cognito::UserPool",
        &[
            "AliasAttributes",
            "AutoVerifiedAttributes",
            "EnabledMfas",
            "RecoveryMechanisms",
            "Schema",
            "UsernameAttributes",
        ],
    ),
    ("AWS::DynamoDB::Table", &["GlobalSecondaryIndexes", "LocalSecondaryIndexes", "NonKeyAttributes"]),
];

fn is_unordered(type_name: &str, list: &str) -> bool {
    UNORDERED.iter().any(|(of, lists)| *of == type_name && lists.contains(&list))
}

/// Reads the properties of one schema.
pub(super) struct Reader<'s> {
    pub(super) type_name: &'s str,
    pub(super) root: &'s Value,
    pub(super) replaces: Vec<String>,
    pub(super) read_only: &'s BTreeSet<&'s str>,
    pub(super) write_only: BTreeSet<String>,
    pub(super) transforms: &'s BTreeMap<String, Option<Transform>>,
}

impl Reader<'_> {
    pub(super) fn properties(&self, object: &Value, pointer: &str, depth: usize) -> Vec<Property> {
        let required = texts(object.get("required"));
        let properties = object.get("properties").and_then(Value::as_object).into_iter().flatten();
        let properties = properties.map(|(name, part)| (name, format!("{pointer}/{name}"), part));
        properties
            .filter(|(_, pointer, _)| !self.read_only.contains(pointer.as_str()))
            .map(|(name, pointer, part)| Property {
                name: name.clone(),
                shape: self.shape(name, part, &pointer, depth + 1),
                required: required.contains(&name.as_str()),
                on_change: match self.replaces.contains(&pointer) {
                    true => OnChange::Replace,
                    false => OnChange::Update,
                },
                absent: default(resolved(self.root, part)),
                by_name: false,
                or_json_text: false,
                loses_when_lowered: false,
                unseen: self.is_unseen(&of_items(&pointer)),
            })
            .collect()
    }

    /// Whether AWS does not give it back, or as nobody knows what: where that would replace what is there, it is held against what the
    /// template gave before.
    fn is_unseen(&self, pointer: &str) -> bool {
        let replaces = |fixed: &String| {
            let inside = pointer.strip_prefix(of_items(fixed).as_str());
            inside.is_some_and(|inside| inside.is_empty() || inside.starts_with('/'))
        };
        let is_unknown = self.transforms.get(pointer).is_some_and(Option::is_none);
        self.write_only.contains(pointer) || (is_unknown && self.replaces.iter().any(replaces))
    }

    fn shape(&self, name: &str, part: &Value, pointer: &str, depth: usize) -> Shape {
        let part = resolved(self.root, part);
        if depth > DEEPEST {
            return Shape::Any;
        }
        match part.get("type") {
            Some(Value::String(word)) => match word.as_str() {
                "string" => Shape::Text,
                "integer" => Shape::Integer,
                "number" => Shape::Number,
                "boolean" => Shape::Boolean,
                "array" => self.list(name, part, pointer, depth),
                _ => self.object(name, part, pointer, depth),
            },
            Some(Value::Array(words)) if words.iter().any(|word| word == "object") => document(name),
            None if part.get("properties").is_some() => self.object(name, part, pointer, depth),
            _ => Shape::Any,
        }
    }

    fn list(&self, name: &str, part: &Value, pointer: &str, depth: usize) -> Shape {
        let items = part.get("items").unwrap_or(&Value::Null);
        let of = self.shape(name, items, &format!("{pointer}/*"), depth + 1);
        let flag = |name: &str| part.get(name).and_then(Value::as_bool);
        let is_set = match flag("insertionOrder") {
            Some(ordered) => !ordered,
            None => flag("uniqueItems") == Some(true) || is_unordered(self.type_name, name),
        };
        if is_set { Shape::set(of) } else { Shape::list(of) }
    }

    fn object(&self, name: &str, part: &Value, pointer: &str, depth: usize) -> Shape {
        if part.get("properties").and_then(Value::as_object).is_some_and(|properties| !properties.is_empty()) {
            return Shape::Object(self.properties(part, pointer, depth));
        }
        let patterns = part.get("patternProperties").and_then(Value::as_object);
        match patterns.and_then(|patterns| patterns.values().next()) {
            Some(of) => Shape::map(self.shape(name, of, &format!("{pointer}/*"), depth + 1)),
            None => document(name),
        }
    }
}

/// JSON of the user's own; a policy by its name.
fn document(name: &str) -> Shape {
    match name.ends_with("PolicyDocument") || name == "KeyPolicy" || name == "ResourcePolicy" {
        true => Shape::Policy,
        false => Shape::Json,
    }
}

fn default(part: &Value) -> Absent {
    match part.get("default") {
        Some(value) if !value.is_object() && !value.is_array() => Absent::Default(value.clone()),
        // Of what the template does not give, a read tells only what it gave before.
        _ => Absent::Removed,
    }
}

/// A pointer without the `*` for a list's items, which some schemas write and others do not.
pub(super) fn of_items(pointer: &str) -> String {
    pointer.replace("/*", "")
}

/// A schema's part, its reference followed.
pub(super) fn resolved<'s>(root: &'s Value, part: &'s Value) -> &'s Value {
    let mut part = part;
    for _ in 0..DEEPEST {
        let target =
            part.get("$ref").and_then(Value::as_str).and_then(|target| root.pointer(target.strip_prefix('#')?));
        match target {
            Some(target) => part = target,
            None => break,
        }
    }
    part
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::type_schema::TypeSchema;
    use super::*;

    /// A type with these properties beside its identifier.
    fn schema(properties: Value) -> Value {
        let mut schema = json!({
            "properties": properties, "primaryIdentifier": ["/properties/Arn"], "readOnlyProperties": ["/properties/Arn"],
            "handlers": {"create": {}, "read": {}, "delete": {}, "list": {}},
        });
        schema["properties"]["Tags"] = json!({"type": "array"});
        schema
    }

    #[test]
    fn a_list_whose_order_aws_does_not_keep_is_a_set() {
        let shape = |type_name: &str, list: Value| {
            let schema = schema(json!({"Subscription": list, "NonKeyAttributes": list}));
            let found = TypeSchema::parse(type_name, &schema).unwrap().schema;
            ["Subscription", "NonKeyAttributes"]
                .map(|name| matches!(found.property(name).unwrap().shape, Shape::Set(_)))
        };
        let list = |ordered: Value, unique: Value| json!({"type": "array", "insertionOrder": ordered, "uniqueItems": unique, "items": {"type": "string"}});
        let topic = "AWS::SNS::Topic";
        assert_eq!(shape(topic, list(false.into(), Value::Null)), [true, true]);
        assert_eq!(shape(topic, list(true.into(), true.into())), [false, false]);
        assert_eq!(shape(topic, list(Value::Null, true.into())), [true, true]);
        assert_eq!(shape(topic, list(Value::Null, Value::Null)), [false, false]);
        assert_eq!(shape("AWS::DynamoDB::Table", list(Value::Null, false.into())), [false, true]);
    }

    #[test]
    fn what_aws_writes_in_a_way_that_is_not_understood_is_not_compared_where_that_would_replace() {
        let text = json!({"type": "string"});
        let inner = json!({"type": "object", "properties": {"KeyId": text}});
        let mut schema = schema(json!({"KeyId": text, "Name": text, "Port": text, "Fixed": inner}));
        schema["createOnlyProperties"] = json!(["/properties/KeyId", "/properties/Name", "/properties/Fixed"]);
        schema["propertyTransform"] = json!({
            "/properties/KeyId": "\"arn:.*\"", "/properties/Name": "$lowercase(Name)", "/properties/Port": "Port * 2",
            "/properties/Fixed/KeyId": "\"arn:.*\"",
        });
        let found = TypeSchema::parse("AWS::Some::Thing", &schema).unwrap();
        let unseen = |path: &str| found.schema.property_at(path).unwrap().unseen;
        assert_eq!(["KeyId", "Fixed.KeyId", "Name", "Port", "Fixed"].map(unseen), [true, true, false, false, false]);
        assert!(found.write_only.is_empty(), "it need not go with every change");
    }
}
