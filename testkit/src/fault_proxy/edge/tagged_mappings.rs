//! What the tagging API tells of event-source mappings: the emulator leaves them out, AWS lists every kind that has tags.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    super::forward::{Answer, Passing},
    Edges,
};

/// The tags of each mapping, by its ARN, as far as they went through the proxy.
pub(super) type TaggedMappings = BTreeMap<String, BTreeMap<String, String>>;

const TYPE: &str = "lambda:event-source-mapping";

impl Edges {
    pub(super) fn tell_of_mappings(&mut self, passing: &Passing, answer: &mut Answer) {
        if !answer.status.is_success() {
            return;
        }
        let body: Value = serde_json::from_slice(&passing.body).unwrap_or_default();
        let resource = &passing.operation.resource;
        match passing.operation.name.as_str() {
            "CreateEventSourceMapping" => {
                let made: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
                let arn = made["EventSourceMappingArn"].as_str().unwrap_or_default().to_owned();
                self.tagged_mappings.insert(arn, texts(&body["Tags"]));
            }
            "DeleteEventSourceMapping" => self.tagged_mappings.retain(|arn, _| !arn.ends_with(resource)),
            "TagResource" => {
                if let Some(tags) = self.tagged_mappings.get_mut(resource) {
                    tags.extend(texts(&body["Tags"]));
                }
            }
            "GetResources" if asks_for_mappings(&body) => {
                let told: Vec<Value> =
                    self.tagged_mappings.iter().filter(|(_, tags)| match_filters(tags, &body)).map(told).collect();
                answer.rewrite(|json| {
                    if let Some(list) = json["ResourceTagMappingList"].as_array_mut() {
                        list.extend(told);
                    }
                });
            }
            _ => {}
        }
    }
}

fn texts(map: &Value) -> BTreeMap<String, String> {
    let pairs = map.as_object().into_iter().flatten();
    pairs.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

fn asks_for_mappings(body: &Value) -> bool {
    let types = body["ResourceTypeFilters"].as_array();
    types.is_none_or(|types| types.is_empty() || types.iter().any(|name| name == TYPE || name == "lambda"))
}

fn match_filters(tags: &BTreeMap<String, String>, body: &Value) -> bool {
    body["TagFilters"].as_array().into_iter().flatten().all(|filter| {
        let value = filter["Key"].as_str().and_then(|key| tags.get(key));
        let values = filter["Values"].as_array().filter(|values| !values.is_empty());
        value.is_some_and(|value| values.is_none_or(|values| values.iter().any(|wanted| wanted == value)))
    })
}

fn told((arn, tags): (&String, &BTreeMap<String, String>)) -> Value {
    let tags: Vec<_> = tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    json!({"ResourceARN": arn, "Tags": tags})
}
