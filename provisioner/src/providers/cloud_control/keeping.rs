//! Marks by which resources that take no tags are found again: tags of others of the stack.

use std::collections::BTreeSet;

use futures::future::try_join_all;

use super::super::tagged::Tagged;
use super::SETTLES;
use crate::engine::{Observed, Progress, ProviderError, Resource, keepers, keeping_tag, retry_until};

/// What a service says while a new resource of its own is not known to it everywhere yet (E9), and to what is gone.
const UNKNOWN: [&str; 2] = ["InvalidParameterException", "ResourceNotFoundException"];

/// Sets and takes off the marks, over the tagging API.
#[derive(Clone)]
pub(super) struct Keeping {
    tagging: Tagged,
}

impl Keeping {
    pub(super) fn new(tagging: Tagged) -> Self {
        Self { tagging }
    }

    /// Lets its keepers remember a resource.
    pub(super) async fn remember(&self, resource: &Resource, progress: &Progress) -> Result<(), ProviderError> {
        let Some((key, value)) = keeping_tag(&resource.type_name, &resource.physical_id) else { return Ok(()) };
        let (key, value) = (&key, &value);
        let marks = keepers(&resource.tags).into_iter().map(|arn| async move {
            let settling = |error: &ProviderError| unknown(error).then_some("it is too new to be tagged");
            let tag = || self.tagging.tag(&arn, key, value);
            retry_until("what keeps it to take a tag", SETTLES, progress, settling, tag).await
        });
        try_join_all(marks).await.map(drop)
    }

    /// Lets these keepers forget it; one that is gone has.
    pub(super) async fn forget(&self, observed: &Observed, arns: BTreeSet<String>) -> Result<(), ProviderError> {
        let Some((key, _)) = keeping_tag(&observed.type_name, &observed.physical_id) else { return Ok(()) };
        let key = &key;
        let marks = arns.into_iter().map(|arn| async move {
            match self.tagging.untag(&arn, key).await {
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
