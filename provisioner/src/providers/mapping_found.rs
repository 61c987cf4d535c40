//! A mapping as Lambda tells of it.

use std::collections::BTreeMap;

use aws_sdk_lambda::types::EventSourceMappingConfiguration;
use serde_json::{Value, json};

use super::fields::Fields;
use super::mapping_settings::properties;
use super::observed::as_wanted;
use super::tagged::Tags;
use crate::engine::{Observed, Resource, State, tag};

/// `function name<-source ARN`: the same for a function's name, its ARN, and its ARN without the account.
pub(super) fn key(function: &str, source: &str) -> String {
    format!("{}<-{source}", function_name(function))
}

/// The name in a function's ARN, with its version or alias; a name is itself.
pub(super) fn function_name(function: &str) -> &str {
    function.rsplit_once(":function:").map_or(function, |(_, name)| name)
}

pub(super) fn is_being_deleted(mapping: &EventSourceMappingConfiguration) -> bool {
    mapping.state() == Some("Deleting")
}

pub(super) fn attributes(mapping: &EventSourceMappingConfiguration, arn: &str) -> BTreeMap<String, Value> {
    let uuid = mapping.uuid().unwrap_or_default();
    [("Ref", uuid), ("Id", uuid), ("EventSourceMappingArn", arn)]
        .map(|(name, value)| (name.to_owned(), value.into()))
        .into()
}

pub(super) fn handle(mapping: &EventSourceMappingConfiguration, arn: &str) -> Value {
    json!({"UUID": mapping.uuid(), "Arn": arn})
}

pub(super) fn state(mapping: &EventSourceMappingConfiguration, tags: &BTreeMap<String, String>) -> State {
    match (mapping.state().unwrap_or_default(), tags.get(tag::PAUSED)) {
        ("Disabled" | "Disabling", Some(reason)) => State::Paused(reason.clone()),
        ("Enabled" | "Disabled", _) => State::Ready(mapping.state().unwrap_or_default().to_owned()),
        (other, _) => State::Changing(other.to_owned()),
    }
}

/// The ARN that the mapping's own answer gives, else what follows from the function's account and region.
pub(super) fn tagging_arn(mapping: &EventSourceMappingConfiguration) -> String {
    let of_function = mapping.function_arn().unwrap_or_default();
    let stem = of_function.split(":function:").next().unwrap_or_default();
    let told = mapping.event_source_mapping_arn().map(str::to_owned);
    told.unwrap_or_else(|| format!("{stem}:event-source-mapping:{}", mapping.uuid().unwrap_or_default()))
}

/// The answer of GetEventSourceMapping, as far as a wait needs it.
pub(super) fn configuration(
    found: aws_sdk_lambda::operation::get_event_source_mapping::GetEventSourceMappingOutput,
) -> EventSourceMappingConfiguration {
    EventSourceMappingConfiguration::builder().set_uuid(found.uuid).set_state(found.state).build()
}

/// A paused mapping is reported as enabled as the template says, and another spelling of the same function as the template's.
pub(super) fn observed(
    resource: &Resource,
    mapping: &EventSourceMappingConfiguration,
    tags: BTreeMap<String, String>,
) -> Observed {
    let state = state(mapping, &tags);
    let arn = tagging_arn(mapping);
    let wanted = Fields(&resource.properties);
    let mut properties = properties(mapping);
    let source = mapping.event_source_arn().unwrap_or_default();
    if matches!(state, State::Paused(_)) {
        properties["Enabled"] = wanted.get("Enabled").cloned().unwrap_or_else(|| true.into());
    }
    let is_same = key(mapping.function_arn().unwrap_or_default(), source) == resource.physical_id;
    if let Some(function) = wanted.get("FunctionName").filter(|_| is_same) {
        properties["FunctionName"] = function.clone();
    }
    Observed {
        properties,
        attributes: attributes(mapping, &arn),
        handle: handle(mapping, &arn),
        state,
        tags,
        ..as_wanted(resource)
    }
}

/// Whether tags that may be a moment old do: the mapping runs, so there is no pause to tell from drift, and they are as wanted.
pub(super) fn nothing_hangs_on(tags: &Tags, mapping: &EventSourceMappingConfiguration, resource: &Resource) -> bool {
    mapping.state() == Some("Enabled") && resource.tags.iter().all(|(key, value)| tags.get(key) == Some(value))
}

pub(super) fn uuid_of(observed: &Observed) -> String {
    Fields(&observed.handle).text("UUID").unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e31_a_function_is_the_same_by_name_and_by_arn() {
        let arn = "arn:aws:lambda:eu-central-1:123456789012:function:crawler";
        assert_eq!(key(arn, "q"), key("crawler", "q"));
        assert_eq!(key(&format!("{arn}:live"), "q"), "crawler:live<-q");
    }

    #[test]
    fn e41_a_disabled_mapping_is_paused_only_with_a_reason_written_down() {
        let mapping = EventSourceMappingConfiguration::builder().state("Disabled").build();
        let reason = [(tag::PAUSED.to_owned(), "TMDb is down".to_owned())].into();
        assert_eq!(state(&mapping, &reason), State::Paused("TMDb is down".into()));
        assert_eq!(state(&mapping, &BTreeMap::new()), State::Ready("Disabled".into()));
    }
}
