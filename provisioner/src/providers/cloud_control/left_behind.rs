//! What a template left behind: of types that it no longer names or that cannot be listed, found by its tags, and of kinds without
//! tags, found by those of their keepers. It is deleted through Cloud Control.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use futures::future::try_join_all;
use serde_json::{Value, json};

use super::super::fields::Fields;
use super::super::observed::listed;
use super::super::tagged::{Tagged, Tags};
use super::found::Described;
use super::holding;
use super::requests::Requests;
use super::tagging::TYPE_TAG;
use crate::engine::{
    DeleteOptions, Difference, Grant, Limit, Observed, Permissions, Progress, Provider, ProviderError, Resource,
    Schema, Scope, all_kept, keep_by, tag,
};

/// How long a request of a type whose schema is not at hand may take.
const LIMIT: Limit = Limit::seconds(7200);

/// GetResource's codes for an identifier of another form than the type's, and ListResources' for a type that it cannot list. Others,
/// of a limit that was met say, tell nothing of the resource.
const OTHER_FORM: [&str; 10] = [
    "InvalidRequest",
    "InvalidRequestException",
    "ValidationException",
    "ResourceNotFoundException",
    "GeneralServiceException",
    "NotFound",
    "TypeNotFoundException",
    "UnsupportedActionException",
    "HandlerFailureException",
    "HandlerInternalFailureException",
];

/// Resources of any type but those that providers of their own find.
pub(super) struct LeftBehind {
    tagging: Tagged,
    requests: Requests,
    /// Types of the template that providers of their own find.
    named: BTreeSet<String>,
    /// Types of the template that cannot be listed: what cannot be identified may be the template's own.
    unlisted: BTreeSet<String>,
    schema: Schema,
}

impl LeftBehind {
    pub(super) fn new(
        tagging: Tagged,
        requests: Requests,
        named: BTreeSet<String>,
        unlisted: BTreeSet<String>,
    ) -> Self {
        let schema = Schema::new("AWS::CloudControl::Any", vec![], &[]);
        Self { tagging, requests, named, unlisted, schema }
    }

    /// ARNs with their tags, by type. The tagging API tells of what was deleted for a while longer.
    async fn tagged(&self, scope: &Scope) -> Result<BTreeMap<String, Vec<(String, Tags)>>, ProviderError> {
        let found = self.tagging.of_stack(&scope.stack, &scope.region, Some(TYPE_TAG), &[]).await?;
        let mut by_type: BTreeMap<String, Vec<(String, Tags)>> = BTreeMap::new();
        for (arn, tags) in found {
            let Some(type_name) = tags.get(TYPE_TAG).filter(|name| !self.named.contains(*name)).cloned() else {
                continue;
            };
            by_type.entry(type_name).or_default().push((arn, tags));
        }
        Ok(by_type)
    }
}

/// What may be the primary identifier of the resource of an ARN: the ARN itself, or the end of it.
fn likely(arn: &str) -> Vec<&str> {
    let ends = arn.match_indices([':', '/']).skip(4).map(|(at, _)| &arn[at + 1..]);
    // The shortest first: most types go by a name.
    ends.collect::<Vec<_>>().into_iter().rev().chain([arn]).filter(|part| !part.is_empty()).collect()
}

/// Whether the parts of an identifier stand in the ARN, in this order, between `:` and `/`.
fn is_of(identifier: &str, arn: &str) -> bool {
    let mut parts = arn.split([':', '/']);
    identifier == arn || identifier.split('|').all(|wanted| parts.any(|part| part == wanted))
}

/// Whether properties have these tags of ours, in whichever of CloudFormation's shapes: it is told of a name, but never of whose it is.
fn carry(properties: &Value, tags: &Tags) -> bool {
    let ours = |key: &&str| tags.get(*key).is_some_and(|value| has_tag(properties, key, value));
    [tag::STACK, tag::REGION, tag::LOGICAL_ID].iter().all(ours)
}

fn has_tag(properties: &Value, key: &str, value: &str) -> bool {
    match properties {
        Value::Array(items) => items.iter().any(|item| {
            let is = item.get("Key").is_some_and(|found| found == key);
            (is && item.get("Value").is_some_and(|found| found == value)) || has_tag(item, key, value)
        }),
        Value::Object(fields) => {
            fields.get(key).is_some_and(|found| found == value)
                || fields.values().any(|inner| has_tag(inner, key, value))
        }
        _ => false,
    }
}

impl LeftBehind {
    /// What carries these tags; an error where it cannot be told, none where it is gone.
    async fn identify(&self, type_name: &str, arn: &str, tags: &Tags) -> Result<Option<Described>, ProviderError> {
        for identifier in likely(arn) {
            if let Some(ours) = self.ours(type_name, identifier, tags).await? {
                return Ok(Some(ours));
            }
        }
        for listed in self.requests.list(type_name, None).await?.iter().filter(|one| is_of(&one.identifier, arn)) {
            if let Some(ours) = self.ours(type_name, &listed.identifier, tags).await? {
                return Ok(Some(ours));
            }
        }
        Ok(None)
    }

    /// The resource of this name, if there is one and it carries the tags itself.
    async fn ours(&self, type_name: &str, identifier: &str, tags: &Tags) -> Result<Option<Described>, ProviderError> {
        match self.requests.get(type_name, identifier).await {
            Ok(found) => Ok(found.filter(|found| carry(&found.properties, tags))),
            Err(error) if is_of_another_form(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn is_of_another_form(error: &ProviderError) -> bool {
    error.code().is_some_and(|code| OTHER_FORM.contains(&code))
}

#[async_trait]
impl Provider for LeftBehind {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn physical_id(&self, logical_id: &str, _properties: &Value, _scope: &Scope) -> Result<String, ProviderError> {
        Ok(logical_id.to_owned())
    }

    fn attributes(&self, _physical_id: &str, _properties: &Value, _scope: &Scope) -> BTreeMap<String, Value> {
        BTreeMap::new()
    }

    async fn read(&self, _resource: &Resource) -> Result<Option<Observed>, ProviderError> {
        Ok(None)
    }

    async fn create(&self, resource: &Resource, _progress: &Progress) -> Result<Observed, ProviderError> {
        Err(only_deletes(resource))
    }

    async fn update(
        &self,
        resource: &Resource,
        _observed: &Observed,
        _differences: &[Difference],
        _progress: &Progress,
    ) -> Result<Observed, ProviderError> {
        Err(only_deletes(resource))
    }

    async fn delete(
        &self,
        observed: &Observed,
        _options: DeleteOptions,
        progress: &Progress,
    ) -> Result<(), ProviderError> {
        let Some(identifier) = Fields(&observed.handle).text("Identifier") else {
            return Err(ProviderError::refused(
                format!("Cloud Control does not tell which {} this is", observed.type_name),
                "delete it yourself; by its tags it is this stack's and no longer in the template",
            ));
        };
        self.requests.delete(&observed.type_name, &identifier, LIMIT, progress).await
    }

    async fn find(&self, scope: &Scope, _named: &BTreeSet<String>) -> Result<Vec<Observed>, ProviderError> {
        let mut found = Vec::new();
        for (type_name, tagged) in self.tagged(scope).await? {
            for (arn, tags) in tagged {
                let (name, handle) = match self.identify(&type_name, &arn, &tags).await {
                    Ok(Some(Described { identifier, properties })) => {
                        (identifier.clone(), json!({"Identifier": identifier, "Properties": properties}))
                    }
                    Ok(None) => continue,
                    Err(error) if is_of_another_form(&error) && self.unlisted.contains(&type_name) => continue,
                    // Some types are listed only within another resource. What is ours is told even where it cannot be deleted.
                    Err(error) if is_of_another_form(&error) => (arn, json!({})),
                    Err(error) => return Err(error),
                };
                found.push(Observed { handle, ..listed(&type_name, name, tags, BTreeMap::new()) });
            }
        }
        Ok(found)
    }

    /// The marks tell it; only what they tell and the template does not name, by type and name, is asked for.
    async fn find_on(&self, parents: &[&Observed], named: &BTreeSet<String>) -> Result<Vec<Observed>, ProviderError> {
        let is_named = |type_name: &str, name: &str| named.contains(&format!("{type_name} {name}"));
        let left = all_kept(parents).into_iter().filter(|((type_name, name), _)| !is_named(type_name, name));
        let looks = left.map(|((type_name, name), arns)| async move {
            let there = self.requests.get(&type_name, &name).await?.is_some();
            let mut tags = Tags::new();
            keep_by(&mut tags, &arns);
            let handle = json!({"Identifier": name});
            Ok(there.then(|| Observed { handle, ..listed(&type_name, name, tags, BTreeMap::new()) }))
        });
        Ok(try_join_all(looks).await?.into_iter().flatten().collect())
    }

    fn leaves(&self, observed: &Observed) -> Option<&'static str> {
        holding::leaves(&observed.type_name, &observed.handle["Properties"])
    }

    /// As every type that goes over Cloud Control.
    fn teardown_rank(&self) -> Option<u8> {
        None
    }

    fn is_slow(&self) -> bool {
        true
    }

    fn permissions(&self) -> Permissions<'_> {
        Permissions {
            read: vec!["tag:GetResources", "cloudformation:GetResource", "cloudformation:ListResources"],
            write: vec![],
            delete: vec!["cloudformation:DeleteResource", "cloudformation:GetResourceRequestStatus"],
            ..Permissions::default()
        }
    }

    fn find_permissions(&self, _scope: &Scope) -> Vec<Grant> {
        vec![Grant::anywhere(&["tag:GetResources"])]
    }
}

fn only_deletes(resource: &Resource) -> ProviderError {
    ProviderError::refused(format!("{} has no provider", resource.type_name), "run the command again")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_of_an_arn_by_whole_parts_in_their_order() {
        let arn = "arn:aws:cloudwatch:us-east-1:000000000000:alarm:old-work";
        assert!(is_of("old-work", arn) && is_of(arn, arn));
        assert!(!is_of("work", arn) && !is_of("old", arn) && !is_of("", arn));
        let schedule = "arn:aws:scheduler:us-east-1:000000000000:schedule/group/night";
        assert!(is_of("group|night", schedule) && !is_of("night|group", schedule));
        assert_eq!(likely(schedule), ["night", "group/night", "schedule/group/night", schedule]);
        assert_eq!(
            likely("arn:aws:sns:us-east-1:000000000000:told"),
            ["told", "arn:aws:sns:us-east-1:000000000000:told"]
        );
    }

    #[test]
    fn only_an_answer_about_the_identifier_lets_the_search_go_on() {
        let error = |code: &str| ProviderError::Api {
            operation: "cloudformation:GetResource".into(),
            code: code.into(),
            message: "told".into(),
        };
        assert!(is_of_another_form(&error("ValidationException")));
        assert!(is_of_another_form(&error("UnsupportedActionException")));
        assert!(!is_of_another_form(&error("ThrottlingException")));
        assert!(!is_of_another_form(&error("ServiceInternalErrorException")));
    }

    #[test]
    fn what_has_the_name_and_not_the_tags_is_somebody_elses() {
        let tags: Tags = [(tag::STACK, "films"), (tag::REGION, "eu-west-1"), (tag::LOGICAL_ID, "Old")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into();
        let listed: Vec<_> = tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
        assert!(carry(&json!({"Name": "x", "Tags": listed}), &tags));
        assert!(carry(&json!({"Tags": tags}), &tags));
        assert!(!carry(&json!({"Name": "x", "Tags": [{"Key": tag::STACK, "Value": "films"}]}), &tags));
        assert!(!carry(&json!({"Name": "x"}), &tags));
    }
}
