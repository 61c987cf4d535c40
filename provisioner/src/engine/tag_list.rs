//! `Tags` as CloudFormation writes them, as a map.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::template::{pointer_to, property_of};

/// Where what is noted of a part of `Tags` is noted of a tag: `/Tags/team` for `/Tags/0/Value`. Any other pointer stays.
pub(super) fn tag_pointer(tags: &Value, pointer: String) -> String {
    let item = pointer.split('/').nth(2).filter(|_| property_of(&pointer) == Some("Tags"));
    let item = item.and_then(|index| tags.as_array()?.get(index.parse::<usize>().ok()?));
    item.and_then(|item| item.get("Key")).map_or(pointer, |key| pointer_to("/Tags", &text(key)))
}

/// The tags in a list of `Key` and `Value`, or (for a parameter) in an object. What a list's item says besides, `PropagateAtLaunch` of an
/// AutoScalingGroup, is a tag of its own here: see [`flag_key`].
pub fn tags_of(tags: &Value) -> BTreeMap<String, String> {
    match tags {
        Value::Array(list) => list.iter().flat_map(tags_of_item).collect(),
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), text(value))).collect(),
        _ => BTreeMap::new(),
    }
}

/// The key under which a flag of the tag `key` stands among the tags: `team:PropagateAtLaunch`.
pub fn flag_key(key: &str, flag: &str) -> String {
    format!("{key}:{flag}")
}

fn tags_of_item(item: &Value) -> Vec<(String, String)> {
    let (Some(key), Some(value)) = (item.get("Key").map(text), item.get("Value").map(text)) else { return Vec::new() };
    let flags = item.as_object().into_iter().flatten().filter(|(name, _)| !["Key", "Value"].contains(&name.as_str()));
    let mut tags: Vec<_> = flags.map(|(name, flag)| (flag_key(&key, name), text(flag))).collect();
    tags.push((key, value));
    tags
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_noted_of_an_item_is_noted_of_its_tag() {
        let tags = json!([{"Key": "a", "Value": 1}, {"Key": "b/c", "Value": null}]);
        let of = |pointer: &str| tag_pointer(&tags, pointer.to_owned());
        assert_eq!([of("/Tags/0/Key"), of("/Tags/1/Value")], ["/Tags/a", "/Tags/b~1c"]);
        assert_eq!([of("/Tags/2/Value"), of("/Other/0/Value")], ["/Tags/2/Value", "/Other/0/Value"]);
        assert_eq!(tag_pointer(&json!({"a": 1}), "/Tags/a".to_owned()), "/Tags/a");
    }

    #[test]
    fn a_list_and_an_object_are_the_same_tags_and_a_flag_is_one_beside_its_own() {
        let of = |tags: Value| tags_of(&tags).into_iter().collect::<Vec<_>>();
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(of(json!([{"Key": "n", "Value": 1}, {"Key": "odd"}])), [pair("n", "1")]);
        assert_eq!(of(json!({"n": 1})), [pair("n", "1")]);
        let flagged = json!([{"Key": "n", "Value": "1", "PropagateAtLaunch": true}]);
        assert_eq!(of(flagged), [pair("n", "1"), pair("n:PropagateAtLaunch", "true")]);
    }
}
