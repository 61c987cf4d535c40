//! Marks by which resources that take no tags are found again: tags of others of the stack.

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use futures::future::try_join_all;

use super::super::tagged::Tagged;
use super::SETTLES;
use crate::engine::{Keeping, Observed, Progress, ProviderError, Resource, given_key, keeping_tag, retry_until, tag};

/// What a service says while a new resource of its own is not known to it everywhere yet (E9), and to what is gone.
const UNKNOWN: [&str; 2] = ["InvalidParameterException", "ResourceNotFoundException"];

/// Sets and takes off the marks, over the tagging API.
pub(super) struct Marks {
    pub(super) tagging: Tagged,
}

#[async_trait]
impl Keeping for Marks {
    async fn remember(
        &self,
        resource: &Resource,
        arns: &BTreeSet<String>,
        progress: &Progress,
    ) -> Result<(), ProviderError> {
        let Some(name) = keeping_tag(&resource.type_name, &resource.physical_id) else { return Ok(()) };
        let given = resource.tags.get(tag::GIVEN).cloned();
        let given = given.map(|given| (given_key(&resource.type_name, &resource.physical_id), given));
        let tags = &HashMap::from_iter(given.into_iter().chain([name]));
        let marks = arns.iter().map(|arn| async move {
            let settling = |error: &ProviderError| unknown(error).then_some("it is too new to be tagged");
            let tag = || self.tagging.tag(arn, tags.clone());
            retry_until("what keeps it to take a tag", SETTLES, progress, settling, tag).await
        });
        try_join_all(marks).await.map(drop)
    }

    async fn forget(&self, observed: &Observed, arns: &BTreeSet<String>) -> Result<(), ProviderError> {
        let Some((key, _)) = keeping_tag(&observed.type_name, &observed.physical_id) else { return Ok(()) };
        let keys = &vec![key, given_key(&observed.type_name, &observed.physical_id)];
        let marks = arns.iter().map(|arn| async move {
            match self.tagging.untag(arn, keys.clone()).await {
                Err(error) if unknown(&error) => Ok(()),
                untagged => untagged,
            }
        });
        try_join_all(marks).await.map(drop)
    }
}

fn unknown(error: &ProviderError) -> bool {
    UNKNOWN.iter().any(|code| error.is(code))
}
