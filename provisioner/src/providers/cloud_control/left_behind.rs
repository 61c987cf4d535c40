//! What a template left behind of types that it no longer names: found by its tags, whatever it is, and deleted through Cloud
//! Control.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use aws_config::SdkConfig;
use serde_json::{Value, json};

use super::super::observed::listed;
use super::super::tagged::{Tagged, Tags};
use super::identifier_of;
use super::requests::Requests;
use super::tagging::TYPE_TAG;
use crate::engine::{
    DeleteOptions, Difference, Grant, Limit, Observed, Permissions, Progress, Provider, ProviderError, Resource,
    Schema, Scope,
};

/// How long a request of a type whose schema is not at hand may take.
const LIMIT: Limit = Limit::seconds(7200);

/// Resources of any type but those that the template names.
pub(super) struct LeftBehind {
    tagging: Tagged,
    requests: Requests,
    /// Types that providers of their own find.
    named: BTreeSet<String>,
    schema: Schema,
}

impl LeftBehind {
    pub(super) fn new<'n>(config: &SdkConfig, requests: Requests, named: impl IntoIterator<Item = &'n str>) -> Self {
        let named = named.into_iter().map(str::to_owned).collect();
        let schema = Schema::new("AWS::CloudControl::Any", vec![], &[]);
        Self { tagging: Tagged::new(config), requests, named, schema }
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

/// Whether an identifier is that of the ARN: all its parts stand in it, between `:` and `/`.
fn is_of(identifier: &str, arn: &str) -> bool {
    let whole = |part: &str| {
        arn.match_indices(part).any(|(at, _)| {
            let before = arn[..at].chars().next_back();
            let after = arn[at + part.len()..].chars().next();
            [before, after].into_iter().all(|mark| mark.is_none_or(|mark| ":/".contains(mark)))
        })
    };
    !identifier.is_empty() && identifier.split('|').all(whole)
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
        let identifier = identifier_of(observed);
        self.requests.delete(&observed.type_name, &identifier, LIMIT, progress).await
    }

    async fn find(&self, scope: &Scope, _named: &BTreeSet<String>) -> Result<Vec<Observed>, ProviderError> {
        let mut found = Vec::new();
        for (type_name, tagged) in self.tagged(scope).await? {
            let there = self.requests.list(&type_name, None).await?;
            for (arn, tags) in tagged {
                let Some(described) = there.iter().find(|there| is_of(&there.identifier, &arn)) else { continue };
                let handle = json!({"Identifier": described.identifier});
                let resource = listed(&type_name, described.identifier.clone(), tags, BTreeMap::new());
                found.push(Observed { handle, ..resource });
            }
        }
        Ok(found)
    }

    fn is_slow(&self) -> bool {
        true
    }

    fn permissions(&self) -> Permissions<'_> {
        Permissions {
            read: vec!["tag:GetResources", "cloudformation:ListResources"],
            write: vec![],
            delete: vec!["cloudformation:DeleteResource", "cloudformation:GetResourceRequestStatus"],
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
    fn an_identifier_is_found_whole_in_its_arn() {
        let arn = "arn:aws:cloudwatch:us-east-1:000000000000:alarm:old-work";
        assert!(is_of("old-work", arn) && is_of(arn, arn));
        assert!(!is_of("work", arn) && !is_of("old", arn) && !is_of("", arn));
        assert!(is_of("group|night", "arn:aws:scheduler:us-east-1:000000000000:schedule/group/night"));
    }
}
