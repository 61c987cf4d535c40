//! Tags as a type writes them, and what the template gave, remembered by one of them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::type_schema::TagProperty;

/// The names of the properties that the template gave: one of these that it no longer gives is removed.
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

/// The names of the properties, as many as a tag's value holds.
pub(super) fn given(properties: &Value) -> String {
    let mut names: Vec<&str> = properties.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    let mut told = String::new();
    for name in names {
        if told.len() + name.len() < LONGEST {
            told += if told.is_empty() { "" } else { " " };
            told += name;
        }
    }
    told
}

/// What an earlier run's tag tells.
pub(super) fn given_names(tags: &Tags) -> BTreeSet<&str> {
    tags.get(GIVEN_TAG).into_iter().flat_map(|names| names.split(' ')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_the_same_in_and_out_in_both_shapes() {
        let tags: Tags = [("a".to_owned(), "1".to_owned())].into();
        for is_map in [true, false] {
            let property = TagProperty { name: "Tags".into(), is_map };
            assert_eq!(tags_in(&json!({"Tags": tags_out(&tags, &property)}), &property), tags);
        }
    }

    #[test]
    fn given_names_fit_into_a_tag() {
        let many: Map<String, Value> = (0..40).map(|i| (format!("Property{i:02}"), Value::Null)).collect();
        let told = given(&Value::Object(many));
        assert!(told.len() <= LONGEST, "{}", told.len());
        assert!(given_names(&[(GIVEN_TAG.to_owned(), told)].into()).contains("Property00"));
    }
}
