//! A resource's properties against its type's schema, before any call.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Property, Schema, Shape};
use crate::template::{Diagnostic, Position, nearest, pointer_to};

/// Every property that the type does not have, that has the wrong shape, or that is missing, each with its place.
///
/// `positions` maps JSON pointers into `properties` to places in the file, `at` is the resource's own.
pub fn validate(
    logical_id: &str,
    properties: &Value,
    schema: &Schema,
    positions: &BTreeMap<String, Position>,
    at: Option<Position>,
) -> Vec<Diagnostic> {
    // Properties that could not be read are told already.
    if properties.is_null() {
        return Vec::new();
    }
    let mut check = Check {
        path: format!("Resources.{logical_id}.Properties"),
        type_name: &schema.type_name,
        unmade: &schema.unmade,
        positions,
        at,
        found: vec![],
    };
    check.object("", properties, &schema.properties);
    check.found
}

struct Check<'a> {
    path: String,
    type_name: &'a str,
    unmade: &'a [String],
    positions: &'a BTreeMap<String, Position>,
    at: Option<Position>,
    found: Vec<Diagnostic>,
}

impl Check<'_> {
    fn object(&mut self, pointer: &str, value: &Value, properties: &[Property]) {
        let Value::Object(map) = value else {
            return self.wrong(pointer, value, "an object");
        };
        for (name, item) in map {
            let inner = pointer_to(pointer, name);
            match properties.iter().find(|property| property.name == *name) {
                Some(property) => self.value(&inner, item, &property.shape),
                None => self.unknown(&inner, name, properties),
            }
        }
        for property in properties.iter().filter(|property| property.required && !map.contains_key(&property.name)) {
            let message = format!("{} needs the property {}", self.type_name, property.name);
            self.push(pointer, message, format!("add {} here", property.name));
        }
    }

    fn value(&mut self, pointer: &str, value: &Value, shape: &Shape) {
        // Null stands for a value that is known only after apply.
        if value.is_null() {
            return;
        }
        match shape {
            Shape::Text if value.is_object() || value.is_array() => self.wrong(pointer, value, "text"),
            Shape::Integer if !super::canonical::canonical(value, shape).is_i64() => {
                self.wrong(pointer, value, "a whole number");
            }
            Shape::Number if !super::canonical::canonical(value, shape).is_number() => {
                self.wrong(pointer, value, "a number");
            }
            Shape::Boolean if !super::canonical::canonical(value, shape).is_boolean() => {
                self.wrong(pointer, value, "true or false");
            }
            Shape::Time if super::canonical::time(value).is_none() => {
                self.wrong(pointer, value, "a time as in 2030-01-01T00:00:00Z");
            }
            Shape::Policy if !super::canonical::canonical(value, shape).is_object() => {
                self.wrong(pointer, value, "a policy document");
            }
            Shape::List(of) | Shape::Set(of) => self.items(pointer, value, of),
            Shape::Map(of) => self.map(pointer, value, of),
            Shape::Object(properties) => self.object(pointer, value, properties),
            Shape::TextOr(of) if value.is_object() || value.is_array() => self.value(pointer, value, of),
            Shape::Tags => self.tags(pointer, value, None),
            Shape::FlaggedTags(flag) => self.tags(pointer, value, Some(flag)),
            _ => {}
        }
    }

    fn items(&mut self, pointer: &str, value: &Value, of: &Shape) {
        let Value::Array(items) = value else {
            return self.wrong(pointer, value, "a list");
        };
        for (index, item) in items.iter().enumerate() {
            self.value(&format!("{pointer}/{index}"), item, of);
        }
    }

    fn map(&mut self, pointer: &str, value: &Value, of: &Shape) {
        let Value::Object(map) = value else {
            return self.wrong(pointer, value, "an object");
        };
        for (key, item) in map {
            self.value(&pointer_to(pointer, key), item, of);
        }
    }

    /// A list of keys and values, or an object of them where the type wants one.
    fn tags(&mut self, pointer: &str, value: &Value, flag: Option<&str>) {
        match value {
            Value::Object(_) => self.map(pointer, value, &Shape::Text),
            _ => {
                let texts = ["Key", "Value"].map(|name| Property::new(name, Shape::Text).required());
                let flag = flag.map(|name| Property::new(name, Shape::Boolean).required());
                self.items(pointer, value, &Shape::Object(texts.into_iter().chain(flag).collect()));
            }
        }
    }

    fn unknown(&mut self, pointer: &str, name: &str, properties: &[Property]) {
        if self.unmade.iter().any(|unmade| unmade == name) {
            let message = format!("{name} of {} is not made here, though CloudFormation knows it", self.type_name);
            return self.push(pointer, message, "take it out, and set it by another tool".into());
        }
        let is_that = |property: &Property| property.name == name;
        let inside = properties.iter().find(|property| property.shape.properties().iter().any(is_that));
        let nearest = nearest(name, properties.iter().map(|property| property.name.as_str()));
        let help = match (inside, nearest) {
            (Some(inside), _) => format!("it belongs into {}", inside.name),
            (None, Some(near)) => format!("did you mean {near}?"),
            (None, None) => {
                let names: Vec<_> = properties.iter().map(|property| property.name.as_str()).collect();
                format!("take it out; known here: {}", names.join(", "))
            }
        };
        self.push(pointer, format!("{} has no property {name}", self.type_name), help);
    }

    fn wrong(&mut self, pointer: &str, value: &Value, wanted: &str) {
        let kind = match value {
            Value::Null => "nothing",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::String(_) => "text",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        self.push(pointer, format!("expected {wanted}, found {kind}"), format!("write {wanted} here"));
    }

    fn push(&mut self, pointer: &str, message: String, help: String) {
        let path = format!("{}{}", self.path, pointer.replace('/', "."));
        let at = self.position(pointer);
        self.found.push(Diagnostic::new(path, message).at(at).help(help));
    }

    /// The place of the pointer, or of the nearest thing around it that has one.
    fn position(&self, pointer: &str) -> Option<Position> {
        let mut pointer = pointer;
        loop {
            if let Some(position) = self.positions.get(pointer) {
                return Some(*position);
            }
            match pointer.rfind('/') {
                Some(cut) => pointer = &pointer[..cut],
                None => return self.at,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn messages(properties: Value) -> Vec<String> {
        let code = ["S3Bucket", "S3Key"].map(|name| Property::new(name, Shape::Text));
        let schema = Schema::new(
            "AWS::SQS::Queue",
            vec![
                Property::new("VisibilityTimeout", Shape::Integer),
                Property::new(
                    "RedrivePolicy",
                    Shape::Object(vec![Property::new("maxReceiveCount", Shape::Integer).required()]),
                ),
                Property::new("Tags", Shape::Tags),
                Property::new("Code", Shape::TextOr(Box::new(Shape::Object(code.into())))),
            ],
            &[],
        )
        .without(&["RedriveTags"]);
        let place = Position { line: 7, column: 3 };
        let positions = [("/VisibilityTimeuot".to_owned(), place)].into();
        validate("Jobs", &properties, &schema, &positions, Some(Position { line: 1, column: 1 }))
            .into_iter()
            .map(|found| {
                let line = found.position.map_or(0, |position| position.line);
                format!("{line} {}: {} ({})", found.path, found.message, found.help.unwrap_or_default())
            })
            .collect()
    }

    #[test]
    fn an_unknown_property_is_named_with_its_place_and_the_nearest() {
        assert_eq!(
            messages(json!({"VisibilityTimeuot": 60})),
            [
                "7 Resources.Jobs.Properties.VisibilityTimeuot: AWS::SQS::Queue has no property VisibilityTimeuot (did you mean VisibilityTimeout?)"
            ]
        );
    }

    #[test]
    fn what_cloudformation_knows_and_is_not_made_here_is_no_mistake_in_writing() {
        let found = messages(json!({"RedriveTags": []}));
        assert!(found[0].contains("RedriveTags of AWS::SQS::Queue is not made here"), "{found:?}");
    }

    #[test]
    fn a_wrong_shape_and_a_missing_property_are_named() {
        let found = messages(json!({"VisibilityTimeout": "soon", "RedrivePolicy": {}}));
        assert!(found[0].contains("expected a whole number, found text"), "{found:?}");
        assert!(found[1].contains("needs the property maxReceiveCount"), "{found:?}");
    }

    #[test]
    fn a_property_in_the_wrong_place_is_sent_where_it_belongs() {
        let found = messages(json!({"maxReceiveCount": 5, "Timeout": 6}));
        assert!(found[0].ends_with("(it belongs into RedrivePolicy)"), "{found:?}");
        assert!(found[1].ends_with("(did you mean VisibilityTimeout?)"), "{found:?}");
    }

    #[test]
    fn a_tag_has_a_key_and_a_value_and_nothing_else() {
        let found = messages(json!({"Tags": [{"Key": "a", "Value": 1, "Valeu": 2}, {"Key": "b"}]}));
        assert!(found[0].contains("Tags.0.Valeu: AWS::SQS::Queue has no property Valeu"), "{found:?}");
        assert!(found[1].contains("Tags.1: AWS::SQS::Queue needs the property Value"), "{found:?}");
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn what_may_be_text_or_an_object_is_checked_as_what_it_is() {
        assert!(messages(json!({"Code": "a.zip"})).is_empty());
        let found = messages(json!({"Code": {"S3Key": "a", "S3Buckt": "b"}}));
        assert!(found[0].contains("Code.S3Buckt: AWS::SQS::Queue has no property S3Buckt (did you mean S3Bucket?)"));
        assert!(messages(json!({"Code": ["a.zip"]}))[0].contains("expected an object, found a list"));
    }
}
