//! The edges of an event-source mapping: whether it may be made, and the states it goes through.

use std::{collections::HashMap, time::Duration};

use serde_json::{Value, json};

use super::{
    super::{
        forward::{Answer, Passing},
        refusal::Refusal,
    },
    Edges, conflict,
};

impl Edges {
    pub(super) fn mapping_in_use(&mut self, passing: &Passing) -> Option<Refusal> {
        let changes =
            matches!(passing.operation.name.as_str(), "UpdateEventSourceMapping" | "DeleteEventSourceMapping");
        let (state, left) = self.mappings.get_mut(&passing.operation.resource).filter(|_| changes)?;
        let message = format!("Cannot change the event source mapping because it is in use: {state}");
        let busy = *left > 0;
        // A client that only tries again, without reading, comes through too.
        *left = left.saturating_sub(1);
        busy.then(|| Refusal::new(400, "ResourceInUseException", message))
    }

    pub(super) fn show_mapping_state(&mut self, passing: &Passing, answer: &mut Answer, reads: usize) {
        let id = passing.operation.resource.clone();
        let begun = match passing.operation.name.as_str() {
            _ if !answer.status.is_success() => None,
            "CreateEventSourceMapping" => Some((uuid(answer), "Creating")),
            "UpdateEventSourceMapping" => Some((id.clone(), "Updating")),
            "DeleteEventSourceMapping" => {
                self.saved.insert(("GetEventSourceMapping".into(), id.clone()), answer.body.clone());
                Some((id.clone(), "Deleting"))
            }
            _ => None,
        };
        if let Some((id, state)) = begun {
            self.mappings.insert(id, (state, reads));
            answer.rewrite(|json| json["State"] = json!(state));
            return;
        }
        if passing.operation.name == "GetEventSourceMapping"
            && self.mappings.get(&id).is_some_and(|(state, left)| *state == "Deleting" && *left > 0)
        {
            self.show_saved_answer(passing, answer);
        }
        let unsettled = |mapping: &mut Value, mappings: &mut HashMap<String, (&'static str, usize)>| {
            let known = mapping["UUID"].as_str().and_then(|id| mappings.get_mut(id));
            if let Some((state, left)) = known.filter(|(_, left)| *left > 0) {
                *left -= 1;
                mapping["State"] = json!(*state);
            }
        };
        match passing.operation.name.as_str() {
            "GetEventSourceMapping" => answer.rewrite(|json| unsettled(json, &mut self.mappings)),
            "ListEventSourceMappings" => answer.rewrite(|json| {
                let all = json.get_mut("EventSourceMappings").and_then(Value::as_array_mut);
                all.into_iter().flatten().for_each(|mapping| unsettled(mapping, &mut self.mappings));
            }),
            _ => {}
        }
    }

    pub(super) fn hide_new_mapping(&mut self, passing: &Passing, answer: &mut Answer, reads: usize) {
        match passing.operation.name.as_str() {
            "CreateEventSourceMapping" => {
                self.hidden.insert(uuid(answer), reads);
            }
            "ListEventSourceMappings" => answer.rewrite(|json| {
                let Some(all) = json.get_mut("EventSourceMappings").and_then(Value::as_array_mut) else { return };
                all.retain(|mapping| {
                    let left = mapping["UUID"].as_str().and_then(|id| self.hidden.get_mut(id));
                    left.filter(|left| **left > 0).map(|left| *left -= 1).is_none()
                });
            }),
            _ => {}
        }
    }

    pub(super) fn policy_not_effective(&self, passing: &Passing, span: Duration) -> Option<Refusal> {
        let puts = self
            .done
            .iter()
            .filter(|((operation, _), _)| matches!(operation.as_str(), "PutRolePolicy" | "AttachRolePolicy"));
        let young = passing.operation.name == "CreateEventSourceMapping"
            && puts.map(|(_, at)| at.elapsed()).any(|age| age < span);
        let message = "The provided execution role does not have permissions to call ReceiveMessage on SQS";
        young.then(|| Refusal::new(400, "InvalidParameterValueException", message))
    }
}

fn uuid(answer: &Answer) -> String {
    let json: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    json["UUID"].as_str().unwrap_or_default().to_owned()
}

pub(super) fn duplicate_mapping(passing: &Passing, answers: &[Value]) -> Option<Refusal> {
    let mapping = answers.first()?["EventSourceMappings"].as_array()?.first()?;
    let (arn, function) = (passing.field("EventSourceArn"), passing.field("FunctionName"));
    let id = mapping["UUID"].as_str().unwrap_or_default();
    Some(conflict(format!(
        "An event source mapping with SQS arn (\" {arn} \") and function (\" {function} \") already exists. \
         Please update or delete the existing mapping with UUID {id}"
    )))
}

pub(super) fn visibility_below_timeout(answers: &[Value]) -> Option<Refusal> {
    let [_, function, queue] = answers else { return None };
    let timeout = function["Timeout"].as_u64()?;
    let visibility: u64 = queue["Attributes"]["VisibilityTimeout"].as_str()?.parse().ok()?;
    let message =
        format!("Queue visibility timeout: {visibility} seconds is less than Function timeout: {timeout} seconds");
    (visibility < timeout).then(|| Refusal::new(400, "InvalidParameterValueException", message))
}
