//! What the tagging API tells of a stack's resources, of whatever type, in one question.
//!
//! It lags: it tells of what was deleted for a while longer, and of a new tag a while later. So it says where to look, and spares a
//! look only where nothing hangs on the last minute.

use std::collections::{BTreeMap, HashMap};

use aws_config::SdkConfig;
use aws_sdk_resourcegroupstagging::Client;
use aws_sdk_resourcegroupstagging::types::{FailureInfo, TagFilter};

use super::errors::failed;
use crate::engine::{ProviderError, tag};

pub(super) type Tags = BTreeMap<String, String>;

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
