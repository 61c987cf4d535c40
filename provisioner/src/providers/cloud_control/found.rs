//! A resource as Cloud Control describes it, and as much of that as can be compared with a template.

use std::collections::BTreeMap;

use aws_sdk_cloudcontrol::types::ResourceDescription;
use serde_json::{Map, Value};

use super::partners::partners;
use super::tagging::{Before, fields_digest};
use super::transform::Transform;

/// What AWS has.
#[derive(Clone, Debug)]
pub(super) struct Described {
    /// The primary identifier, its parts joined by `|`.
    pub(super) identifier: String,
    /// All properties in CloudFormation's shape; of a listing perhaps only some.
    pub(super) properties: Value,
}

/// One of Cloud Control's descriptions; properties that are no JSON are none.
pub(super) fn described(description: ResourceDescription) -> Option<Described> {
    let properties = description.properties.as_deref().and_then(|text| serde_json::from_str(text).ok());
    Some(Described {
        identifier: description.identifier?,
        properties: properties.unwrap_or_else(|| Value::Object(Map::new())),
    })
}

/// Of the properties that AWS has, those that the template gives or gave: AWS fills in a great many more, also within a property. Where
/// an earlier run gave a property other fields than the template does now, all of it is compared, as nobody knows which of them left.
pub(super) fn within(
    observed: &Value,
    wanted: &Value,
    given_before: &BTreeMap<&str, Before<'_>>,
    transforms: &BTreeMap<String, Option<Transform>>,
) -> Value {
    let empty = Map::new();
    let (observed, wanted) = (observed.as_object().unwrap_or(&empty), wanted.as_object().unwrap_or(&empty));
    let kept = observed.iter().filter_map(|(name, value)| match wanted.get(name) {
        Some(wanted) => {
            let before = given_before.get(name.as_str()).and_then(|before| before.fields);
            let cuts = before.is_none() || before == fields_digest(wanted).as_deref();
            Some((name.clone(), Sight { cuts, transforms }.seen(value, wanted, &format!("/{name}"))))
        }
        None => given_before.contains_key(name.as_str()).then(|| (name.clone(), value.clone())),
    });
    Value::Object(kept.collect())
}

/// How AWS's values are looked at.
struct Sight<'s> {
    /// Whether the fields of objects that the template's do not have are AWS's own.
    cuts: bool,
    transforms: &'s BTreeMap<String, Option<Transform>>,
}

impl Sight<'_> {
    /// The observed value in the template's own words where it means the same. An object that the template gives as text, or gives
    /// empty, is compared as it is.
    fn seen(&self, observed: &Value, wanted: &Value, pointer: &str) -> Value {
        match (observed, wanted) {
            (Value::Object(observed), Value::Object(wanted)) if !wanted.is_empty() => {
                let fields = observed.iter().filter_map(|(name, value)| match wanted.get(name) {
                    Some(wanted) => Some((name.clone(), self.seen(value, wanted, &format!("{pointer}/{name}")))),
                    None => (!self.cuts).then(|| (name.clone(), value.clone())),
                });
                Value::Object(fields.collect())
            }
            (Value::Array(observed), Value::Array(wanted)) => {
                let partners = partners(observed, wanted);
                let items = observed.iter().enumerate();
                let items = items.map(|(index, item)| match partners.get(&index) {
                    Some(partner) => self.seen(item, &wanted[*partner], pointer),
                    None => item.clone(),
                });
                items.collect()
            }
            _ => {
                let transform = self.transforms.get(pointer).and_then(Option::as_ref);
                let same = transform.is_some_and(|transform| transform.makes(wanted, observed));
                if same { wanted.clone() } else { observed.clone() }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn within(observed: &Value, wanted: &Value, given_before: &BTreeMap<&str, Before<'_>>) -> Value {
        super::within(observed, wanted, given_before, &BTreeMap::new())
    }

    #[test]
    fn what_aws_fills_in_is_not_compared_and_what_the_template_gave_before_is() {
        let observed = json!({
            "AlarmName": "a", "Arn": "arn", "Dimensions": [{"Name": "q", "Value": "x", "Extra": 1}],
            "OKActions": ["t"], "Period": 60,
        });
        let wanted = json!({"AlarmName": "b", "Dimensions": [{"Name": "q", "Value": "y"}]});
        assert_eq!(
            within(&observed, &wanted, &[("OKActions", Before::default())].into()),
            json!({"AlarmName": "a", "Dimensions": [{"Name": "q", "Value": "x"}], "OKActions": ["t"]})
        );
    }

    #[test]
    fn what_aws_fills_into_one_object_of_a_list_is_not_compared_though_another_gives_it() {
        let wanted = json!({"ContainerDefinitions": [{"Name": "app", "Essential": true}, {"Name": "sidecar"}]});
        let (app, sidecar) = (json!({"Name": "app", "Essential": true}), json!({"Name": "sidecar", "Essential": true}));
        let compared = |list: Value| within(&json!({"ContainerDefinitions": list}), &wanted, &BTreeMap::new());
        assert_eq!(compared(json!([app, sidecar])), wanted);
        let turned = compared(json!([sidecar, app]));
        assert_eq!(turned, json!({"ContainerDefinitions": [{"Name": "sidecar"}, app]}), "a set, in AWS's order");
        let more = compared(json!([app, sidecar, {"Name": "third"}]));
        assert_eq!(more["ContainerDefinitions"][2], json!({"Name": "third"}));
        let other = compared(json!([{"Name": "app", "Essential": false}, sidecar]));
        assert_eq!(other["ContainerDefinitions"][0]["Essential"], false);
    }

    #[test]
    fn a_property_that_had_other_fields_before_is_compared_whole() {
        let observed = json!({"Target": {"Arn": "a", "Input": "left", "Filled": 1}});
        let wanted = json!({"Target": {"Arn": "a"}});
        let given = |digest: &Option<String>| {
            within(&observed, &wanted, &[("Target", Before { fields: digest.as_deref(), values: None })].into())
        };
        assert_eq!(given(&fields_digest(&json!({"Arn": "", "Input": ""}))), observed);
        assert_eq!(given(&fields_digest(&wanted["Target"])), wanted);
    }

    #[test]
    fn what_aws_writes_in_another_way_is_what_the_template_says() {
        let lower = |name: &str| Transform::parse(&format!("$lowercase({name})"), name);
        let transforms = [("/Engine", lower("Engine")), ("/Users/Name", lower("Name"))];
        let transforms: BTreeMap<String, _> = transforms.map(|(at, how)| (at.to_owned(), how)).into();
        let wanted = json!({"Engine": "MySQL", "Users": [{"Name": "A"}], "Other": "X"});
        let observed = json!({"Engine": "mysql", "Users": [{"Name": "a", "Id": 1}], "Other": "x"});
        let mut seen = wanted.clone();
        seen["Other"] = "x".into();
        assert_eq!(super::within(&observed, &wanted, &BTreeMap::new(), &transforms), seen);
        let before = [("Users", Before { fields: Some("else"), values: None })].into();
        seen["Users"][0]["Id"] = 1.into();
        assert_eq!(super::within(&observed, &wanted, &before, &transforms), seen, "whole, and in the same words");
    }
}
