//! Which object of a list that AWS gives back is which of the template's: AWS fills in fields, and may have an order of its own.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Of each observed object that has a partner, by its index, the wanted one's. Those that have the most in common first, and of several
/// the one in the same place.
pub(super) fn partners(observed: &[Value], wanted: &[Value]) -> BTreeMap<usize, usize> {
    let objects = |list: &[Value]| list.iter().all(Value::is_object);
    if !objects(observed) || !objects(wanted) {
        return BTreeMap::new();
    }
    let mut pairs: Vec<(usize, bool, usize, usize)> = Vec::new();
    for (there, found) in observed.iter().enumerate() {
        let fits =
            wanted.iter().enumerate().map(|(here, wanted)| (in_common(found, wanted), there == here, there, here));
        pairs.extend(fits.filter(|(common, same_place, ..)| *common > 0 || *same_place));
    }
    pairs.sort_by_key(|(common, same_place, ..)| std::cmp::Reverse((*common, *same_place)));
    let (mut partners, mut taken) = (BTreeMap::new(), BTreeSet::new());
    for (_, _, there, here) in pairs {
        if !partners.contains_key(&there) && taken.insert(here) {
            partners.insert(there, here);
        }
    }
    partners
}

/// How many values are the same in both, however deep they lie.
fn in_common(observed: &Value, wanted: &Value) -> usize {
    match (observed, wanted) {
        (Value::Object(observed), Value::Object(wanted)) => {
            let both = wanted.iter().filter_map(|(name, value)| Some((observed.get(name)?, value)));
            both.map(|(observed, wanted)| in_common(observed, wanted)).sum()
        }
        (Value::Array(observed), Value::Array(wanted)) => {
            observed.iter().zip(wanted).map(|(observed, wanted)| in_common(observed, wanted)).sum()
        }
        _ => usize::from(plain(observed) == plain(wanted)),
    }
}

/// A number or a boolean may stand as text.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn paired(observed: Value, wanted: Value) -> Vec<(usize, usize)> {
        partners(observed.as_array().unwrap(), wanted.as_array().unwrap()).into_iter().collect()
    }

    #[test]
    fn those_with_the_most_in_common_are_partners_and_of_equals_those_in_the_same_place() {
        let (small, big) = (json!({"Port": "80"}), json!({"Port": 80, "From": {"Cidr": "a"}}));
        let filled = json!({"Port": 80, "From": {"Cidr": "b"}, "Id": 1});
        assert_eq!(paired(json!([big, filled]), json!([small, big])), [(0, 1), (1, 0)]);
        assert_eq!(paired(json!([filled, filled]), json!([small, small])), [(0, 0), (1, 1)]);
        assert_eq!(paired(json!([{"Port": 1}, filled]), json!([{"Port": 2}])), [(0, 0)], "the place tells it");
    }

    #[test]
    fn what_are_no_objects_have_no_partners() {
        assert_eq!(paired(json!(["a", "b"]), json!(["b", "a"])), []);
    }
}
