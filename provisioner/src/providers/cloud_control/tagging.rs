//! Tags as a type writes them, and what the template gave, remembered by one of them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::type_schema::TagProperty;

/// The names of the properties that the template gave, each with what tells the names of the fields within it: one of these that it no
/// longer gives is removed.
pub(super) const GIVEN_TAG: &str = "provision:given";

/// The resource's type: by it one is deleted that no template names any more.
pub(super) const TYPE_TAG: &str = "provision:type";

/// AWS takes no longer value of a tag.
const LONGEST: usize = 256;

type Tags = BTreeMap<String, String>;

/// All tags among a resource's properties.
pub(super) fn tags_in(properties: &Value, property: &TagProperty) -> Tags {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match properties.get(&property.name) {
        Some(Value::Object(map)) => map.iter().map(|(key, value)| (key.clone(), text(value))).collect(),
        Some(Value::Array(list)) => {
            list.iter().filter_map(|tag| Some((text(tag.get("Key")?), text(tag.get("Value")?)))).collect()
        }
        _ => Tags::new(),
    }
}

/// Tags in the type's own shape.
pub(super) fn tags_out(tags: &Tags, property: &TagProperty) -> Value {
    match property.is_map {
        true => {
            Value::Object(tags.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect::<Map<_, _>>())
        }
        false => tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect(),
    }
}

/// The names of the properties, as many as a tag's value holds: `AlarmName Metrics=1f0a`.
pub(super) fn given(properties: &Value) -> String {
    let mut given: Vec<String> =
        properties.as_object().into_iter().flatten().map(|(name, value)| one(name, value)).collect();
    given.sort_unstable();
    let mut told = String::new();
    for one in given {
        if told.len() + one.len() < LONGEST {
            told += if told.is_empty() { "" } else { " " };
            told += &one;
        }
    }
    told
}

fn one(name: &str, value: &Value) -> String {
    fields_digest(value).map_or_else(|| name.to_owned(), |digest| format!("{name}={digest}"))
}

/// What follows from the names of all fields within a value, and from nothing else; none where there are none.
pub(super) fn fields_digest(value: &Value) -> Option<String> {
    let mut names = BTreeSet::new();
    fields("", value, &mut names);
    let all = names.into_iter().collect::<Vec<_>>().join("\n");
    (!all.is_empty()).then(|| Sha256::digest(all).iter().take(2).map(|byte| format!("{byte:02x}")).collect())
}

fn fields(path: &str, value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(inner) => inner.iter().for_each(|(name, value)| {
            let path = format!("{path}/{name}");
            fields(&path, value, names);
            names.insert(path);
        }),
        Value::Array(items) => items.iter().for_each(|item| fields(path, item, names)),
        _ => {}
    }
}

/// What an earlier run's tag tells: the properties, each with what tells its fields.
pub(super) fn given_names(tags: &Tags) -> BTreeMap<&str, Option<&str>> {
    let given = tags.get(GIVEN_TAG).into_iter().flat_map(|given| given.split(' '));
    given.map(|one| one.split_once('=').map_or((one, None), |(name, digest)| (name, Some(digest)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_the_same_in_and_out_in_both_shapes() {
        let tags: Tags = [("a".to_owned(), "1".to_owned())].into();
        for is_map in [true, false] {
            let property = TagProperty { name: "Tags".into(), is_map, fixed: false };
            assert_eq!(tags_in(&json!({"Tags": tags_out(&tags, &property)}), &property), tags);
        }
    }

    #[test]
    fn given_names_fit_into_a_tag() {
        let many: Map<String, Value> = (0..40).map(|i| (format!("Property{i:02}"), Value::Null)).collect();
        let told = given(&Value::Object(many));
        assert!(told.len() <= LONGEST, "{}", told.len());
        assert!(given_names(&[(GIVEN_TAG.to_owned(), told)].into()).contains_key("Property00"));
    }

    #[test]
    fn the_fields_within_a_property_are_told_by_their_names_alone() {
        let of = |value: Value| given(&json!({"Name": "n", "Target": value}));
        let told = of(json!({"Arn": "a", "Retry": {"Most": 1}, "Inputs": [{"A": 1}, {"B": 1}]}));
        assert!(told.starts_with("Name Target=") && told.len() == "Name Target=1f0a".len(), "{told}");
        assert_eq!(told, of(json!({"Retry": {"Most": 2}, "Inputs": [{"B": 2, "A": 2}], "Arn": "b"})));
        assert_ne!(told, of(json!({"Arn": "a", "Retry": {}, "Inputs": [{"A": 1}, {"B": 1}]})));
        assert_eq!(of(json!(["a"])), "Name Target");
    }
}
