//! What the tagging API tells of a stack's resources, of whatever type, in one question.
//!
//! It lags: it tells of what was deleted for a while longer, and of a new tag a while later. So it says where to look, and spares a
//! look only where nothing hangs on the last minute.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_sdk_resourcegroupstagging::Client;
use aws_sdk_resourcegroupstagging::types::{FailureInfo, TagFilter};

use super::errors::failed;
use crate::engine::{ProviderError, Scope, tag};

pub(super) type Tags = BTreeMap<String, String>;

/// Much longer than the tagging API lags.
const LAG: Duration = Duration::from_secs(3600);

/// Whether what was made or changed then may be too new for the tagging API to tell of it; `None` where nobody says when it was.
pub(super) fn is_new(seconds: Option<i64>) -> bool {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let since = |then: i64| now.saturating_sub(Duration::from_secs(then.unsigned_abs()));
    seconds.is_none_or(|then| since(then) < LAG)
}

/// The tagging API of an account and region.
#[derive(Clone)]
pub(super) struct Tagged {
    client: Client,
}

impl Tagged {
    pub(super) fn new(config: &SdkConfig) -> Self {
        Self { client: Client::new(config) }
    }

    /// ARNs of a stack's resources with their tags: those that carry `also`, of these types (of all where none is named).
    pub(super) async fn of_stack(
        &self,
        stack: &str,
        region: &str,
        also: Option<&str>,
        types: &[&str],
    ) -> Result<Vec<(String, Tags)>, ProviderError> {
        let filter = |key: &str, value: &str| TagFilter::builder().key(key).values(value).build();
        let asked = self.client.get_resources().tag_filters(filter(tag::STACK, stack));
        let mut asked = asked.tag_filters(filter(tag::REGION, region));
        if let Some(key) = also {
            asked = asked.tag_filters(TagFilter::builder().key(key).build());
        }
        for name in types {
            asked = asked.resource_type_filters(*name);
        }
        let pages = asked.into_paginator().items().send();
        let found: Vec<_> = pages.try_collect().await.map_err(failed("tag:GetResources"))?;
        let tags = |mapping: &aws_sdk_resourcegroupstagging::types::ResourceTagMapping| {
            mapping.tags().iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect()
        };
        Ok(found.iter().map(|mapping| (mapping.resource_arn().unwrap_or_default().to_owned(), tags(mapping))).collect())
    }

    /// The ARNs of what it tells of a stack, of one type. Asked for beside a listing that gives no tags: to ask for the tags of each that
    /// is listed would be throttled in an account of hundreds (E28).
    pub(super) async fn arns(&self, scope: &Scope, kind: &str) -> Result<BTreeSet<String>, ProviderError> {
        let told = self.of_stack(&scope.stack, &scope.region, None, &[kind]).await?;
        Ok(told.into_iter().map(|(arn, _)| arn.trim_end_matches(":*").to_owned()).collect())
    }

    /// Sets tags of the resource of an ARN.
    pub(super) async fn tag(&self, arn: &str, tags: HashMap<String, String>) -> Result<(), ProviderError> {
        let call = self.client.tag_resources().resource_arn_list(arn).set_tags(Some(tags));
        let answer = call.send().await.map_err(failed("tag:TagResources"))?;
        refused("tag:TagResources", answer.failed_resources_map())
    }

    /// Takes tags off.
    pub(super) async fn untag(&self, arn: &str, keys: Vec<String>) -> Result<(), ProviderError> {
        let call = self.client.untag_resources().resource_arn_list(arn).set_tag_keys(Some(keys));
        let answer = call.send().await.map_err(failed("tag:UntagResources"))?;
        refused("tag:UntagResources", answer.failed_resources_map())
    }
}

/// The tagging API succeeds, and tells which resources failed.
fn refused(operation: &str, failures: Option<&HashMap<String, FailureInfo>>) -> Result<(), ProviderError> {
    match failures.into_iter().flatten().next() {
        Some((arn, failure)) => Err(ProviderError::Api {
            operation: operation.to_owned(),
            code: failure
                .error_code()
                .map_or_else(|| failure.status_code().to_string(), |code| code.as_str().to_owned()),
            message: format!("{arn}: {}", failure.error_message().unwrap_or_default()),
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_younger_than_the_tagging_api_lags_or_of_no_known_age_is_new() {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() as i64;
        assert!(is_new(None) && is_new(Some(now - 60)) && is_new(Some(now + 60)));
        assert!(!is_new(Some(now - 7200)) && !is_new(Some(0)));
    }
}
