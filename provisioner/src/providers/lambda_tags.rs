//! Tags of what Lambda has: functions and mappings alike are tagged by their ARN.

use std::collections::BTreeMap;

use aws_sdk_lambda::Client;

use super::errors::{failed, none_if};
use super::tags::TagChanges;
use crate::engine::ProviderError;

/// All tags, or `None` where there is nothing of that ARN.
pub(super) async fn tags_of(lambda: &Client, arn: &str) -> Result<Option<BTreeMap<String, String>>, ProviderError> {
    let asked = lambda.list_tags().resource(arn).send().await.map_err(failed("lambda:ListTags"));
    let answer = none_if("ResourceNotFoundException", asked)?;
    Ok(answer.map(|answer| answer.tags.unwrap_or_default().into_iter().collect()))
}

/// Sends what is to set and what is to take away, and nothing where there is nothing.
pub(super) async fn set_tags(lambda: &Client, arn: &str, changes: TagChanges) -> Result<(), ProviderError> {
    if !changes.removed.is_empty() {
        let call = lambda.untag_resource().resource(arn).set_tag_keys(Some(changes.removed));
        call.send().await.map_err(failed("lambda:UntagResource"))?;
    }
    if !changes.set.is_empty() {
        let call = lambda.tag_resource().resource(arn).set_tags(Some(changes.set.into_iter().collect()));
        call.send().await.map_err(failed("lambda:TagResource"))?;
    }
    Ok(())
}
