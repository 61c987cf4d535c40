//! Tags as a type writes them, and what the template gave, remembered by one of them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::digests::digest_of;
use super::type_schema::TagProperty;
use crate::digest::hex;
use crate::engine::{Resource, Schema, flag_key, remember, remembered, remembers_all, tag, tags_of};

/// The resource's type: by it one is deleted that no template names any more.
pub(super) const TYPE_TAG: &str = "provision:type";

/// Between two properties in a tag's value.
const BETWEEN: &str = " ";

/// A tag of this length has room for a property more, whatever its name.
const ROOMY: usize = 128;

type Tags = BTreeMap<String, String>;

/// All tags among a resource's properties.
pub(super) fn tags_in(properties: &Value, property: &TagProperty) -> Tags {
    properties.get(&property.name).map(tags_of).unwrap_or_default()
}

/// Tags in the type's own shape.
pub(super) fn tags_out(tags: &Tags, property: &TagProperty) -> Value {
    match (property.is_map, &property.flag) {
        (true, _) => {
            Value::Object(tags.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect::<Map<_, _>>())
        }
        (false, None) => tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect(),
        (false, Some(flag)) => {
            let flags: BTreeSet<String> = tags.keys().map(|key| flag_key(key, flag)).collect();
            let own = tags.iter().filter(|(key, _)| !flags.contains(*key));
            // What the template says nothing of, a mark of ours, goes to no instance.
            let is_set = |key: &str| tags.get(&flag_key(key, flag)).is_some_and(|value| value == "true");
            own.map(|(key, value)| json!({"Key": key, "Value": value, flag: is_set(key)})).collect()
        }
    }
}

/// What an earlier run gave for a property.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Before<'t> {
    /// What tells the names of the fields within it.
    pub(super) fields: Option<&'t str>,
    /// What tells the values that AWS does not give back, or cannot change.
    pub(super) values: Option<&'t str>,
}

/// Lets the tags remember what the template gives: `AlarmName Metrics=1f0a Definition=77c2:20b1c9e4`.
pub(super) fn remember_properties(resource: &mut Resource, schema: &Schema) {
    let properties = resource.properties.as_object().into_iter().flatten();
    let mut given: Vec<String> = properties.map(|(name, value)| one(name, value, resource, schema)).collect();
    given.sort_unstable();
    remember(&mut resource.tags, tag::GIVEN, &given, BETWEEN);
}

fn one(name: &str, value: &Value, resource: &Resource, schema: &Schema) -> String {
    match (fields_digest(value), digest_of(name, resource, schema)) {
        (None, None) => name.to_owned(),
        (Some(fields), None) => format!("{name}={fields}"),
        (fields, Some(values)) => format!("{name}={}:{values}", fields.unwrap_or_default()),
    }
}

/// What follows from the names of all fields within a value, and from nothing else; none where there are none.
pub(super) fn fields_digest(value: &Value) -> Option<String> {
    let mut names = BTreeSet::new();
    fields("", value, &mut names);
    let all = names.into_iter().collect::<Vec<_>>().join("\n");
    (!all.is_empty()).then(|| hex(all, 2))
}

fn fields(path: &str, value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(inner) => inner.iter().for_each(|(name, value)| {
            let path = format!("{path}/{name}");
            fields(&path, value, names);
            names.insert(path);
        }),
        // Each item by itself: a field that left one of them may stand in another.
        Value::Array(items) => {
            names.extend(items.iter().filter_map(fields_digest).map(|item| format!("{path}/{item}")))
        }
        _ => {}
    }
}

/// Whether tags tell each property that an earlier run of this stack gave. What takes no tags has one of its keeper's, and names that have
/// no room in that are forgotten.
pub(super) fn tells_all_given(tags: &Tags, resource: &Resource, is_untracked: bool) -> bool {
    if is_untracked {
        return tags.get(tag::GIVEN).is_some_and(|given| !given.is_empty() && given.len() <= ROOMY);
    }
    let same = |key: &str| tags.get(key) == resource.tags.get(key);
    remembers_all(tags, tag::GIVEN) && same(tag::STACK) && same(tag::REGION)
}

/// What an earlier run's tags tell of each property.
pub(super) fn given_before(tags: &Tags) -> BTreeMap<&str, Before<'_>> {
    let told = |one| {
        let (name, digests) = str::split_once(one, '=').unwrap_or((one, ""));
        let (fields, values) = digests.split_once(':').unwrap_or((digests, ""));
        let some = |digest: &'_ str| !digest.is_empty();
        (name, Before { fields: Some(fields).filter(|one| some(one)), values: Some(values).filter(|one| some(one)) })
    };
    remembered(tags, tag::GIVEN, BETWEEN).map(told).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Property, Shape};

    #[test]
    fn tags_are_the_same_in_and_out_in_both_shapes() {
        let tags: Tags = [("a".to_owned(), "1".to_owned())].into();
        for is_map in [true, false] {
            let property = TagProperty { name: "Tags".into(), is_map, fixed: false, flag: None };
            assert_eq!(tags_in(&json!({"Tags": tags_out(&tags, &property)}), &property), tags);
        }
    }

    #[test]
    fn a_flag_of_the_templates_tags_is_kept_and_ours_have_none() {
        let property = TagProperty { name: "Tags".into(), is_map: false, fixed: false, flag: Some("Copied".into()) };
        let given = json!({"Tags": [{"Key": "team", "Value": "data", "Copied": true}, {"Key": "x", "Value": "y", "Copied": false}]});
        let mut tags = tags_in(&given, &property);
        tags.insert(tag::STACK.into(), "films".into());
        let out = tags_out(&tags, &property);
        let item = |key: &str, value: &str, copied: bool| json!({"Key": key, "Value": value, "Copied": copied});
        assert_eq!(out, json!([item(tag::STACK, "films", false), item("team", "data", true), item("x", "y", false)]));
    }

    fn resource(properties: Value) -> Resource {
        Resource::sample("AWS::Some::Machine", "Machine", "machine", properties)
    }

    fn schema() -> Schema {
        let unseen = |name: &str, shape| Property { unseen: true, ..Property::new(name, shape) };
        let user = Shape::Object(vec![Property::new("Name", Shape::Text), unseen("Password", Shape::Text)]);
        let properties = vec![
            Property::new("Name", Shape::Text),
            unseen("Definition", Shape::Json),
            Property::new("Users", Shape::set(user)),
        ];
        Schema::new("AWS::Some::Machine", properties, &[])
    }

    fn remembers(mut resource: Resource) -> Tags {
        remember_properties(&mut resource, &schema());
        resource.tags
    }

    #[test]
    fn the_fields_within_a_property_are_told_by_their_names_alone() {
        let of = |value: Value| remembers(resource(json!({"Name": "n", "Target": value})))[tag::GIVEN].clone();
        let told = of(json!({"Arn": "a", "Retry": {"Most": 1}, "Inputs": [{"A": 1}, {"B": 1}]}));
        assert!(told.starts_with("Name Target=") && told.len() == "Name Target=1f0a".len(), "{told}");
        assert_eq!(told, of(json!({"Retry": {"Most": 2}, "Inputs": [{"B": 2}, {"A": 2}], "Arn": "b"})));
        assert_ne!(told, of(json!({"Retry": {"Most": 1}, "Inputs": [{"A": 1}, {"A": 1, "B": 1}], "Arn": "a"})));
        assert_ne!(told, of(json!({"Arn": "a", "Retry": {}, "Inputs": [{"A": 1}, {"B": 1}]})));
        assert_eq!(of(json!(["a"])), "Name Target");
    }

    #[test]
    fn what_aws_does_not_give_back_is_told_by_its_values_but_for_secrets() {
        let with = |start: &str, password: &str| json!({"Definition": {"StartAt": start}, "Name": "n", "Users": [{"Name": start, "Password": password}]});
        let of = |start: &str, password: &str| remembers(resource(with(start, password)));
        let before = of("a", "p");
        let told = given_before(&before);
        assert!(told["Name"] == Before::default() && told["Definition"].fields.is_some(), "{told:?}");
        let (other, third) = (of("b", "p"), of("a", "q"));
        assert_ne!(given_before(&other)["Definition"].values, told["Definition"].values);
        assert_eq!(given_before(&other)["Users"], told["Users"], "a name is given back");
        assert_ne!(given_before(&third)["Users"].values, told["Users"].values);
        let mut secret = resource(with("a", "p"));
        secret.secret.insert("/Users/0/Password".into());
        let kept = remembers(secret);
        assert_eq!(given_before(&kept)["Users"].values, None, "a digest could tell it");
        assert_eq!(given_before(&kept)["Definition"], told["Definition"]);
    }
}
