//! Which buckets there are, and whose.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_s3::Client;

use super::errors::failed;
use super::observed;
use crate::engine::{Grant, ProviderError, Scope};

/// How many buckets' tags are read side by side.
const WIDTH: usize = 16;

type Tags = BTreeMap<String, String>;

/// Every bucket of the region that carries the stack's tags, but those of these names.
pub(super) async fn owned_buckets(
    s3: &Client,
    scope: &Scope,
    but: &BTreeSet<String>,
) -> Result<Vec<(String, Tags)>, ProviderError> {
    let pages = s3.list_buckets().bucket_region(&scope.region).into_paginator().send();
    let pages: Vec<_> = pages.try_collect().await.map_err(failed("s3:ListBuckets"))?;
    let names = pages.into_iter().flat_map(|page| page.buckets.unwrap_or_default()).filter_map(|bucket| bucket.name);
    let names = names.filter(|name| !but.contains(name));
    let looks = names.map(|name| async move {
        match bucket_tags(s3, &name).await {
            // Others' buckets may refuse to tell their tags; they are not ours.
            Err(ProviderError::Denied { .. } | ProviderError::Refused { .. }) => Ok(None),
            tags => Ok::<_, ProviderError>(tags?.filter(|tags| scope.owns(tags)).map(|tags| (name, tags))),
        }
    });
    observed::found(looks, WIDTH).await
}

/// All tags of a bucket, or `None` where there is no such bucket.
pub(super) async fn bucket_tags(s3: &Client, bucket: &str) -> Result<Option<Tags>, ProviderError> {
    let asked = s3.get_bucket_tagging().bucket(bucket).send().await;
    match asked.map_err(failed("s3:GetBucketTagging")) {
        Ok(answer) => Ok(Some(answer.tag_set.into_iter().map(|tag| (tag.key, tag.value)).collect())),
        Err(error) if error.is("NoSuchTagSet") => Ok(Some(Tags::new())),
        Err(error) if error.is("NoSuchBucket") => Ok(None),
        Err(error) => Err(not_readable(bucket, error)),
    }
}

/// A refused read of a bucket: names are the world's (E53).
fn not_readable(bucket: &str, error: ProviderError) -> ProviderError {
    match error {
        ProviderError::Denied { operation, message } => ProviderError::Denied {
            operation,
            message: format!("{message} (the bucket {bucket} is another account's, or this right is missing)"),
        },
        error if error.is("PermanentRedirect") || error.is("AuthorizationHeaderMalformed") || error.is("301") => {
            ProviderError::refused(
                format!("the bucket {bucket} is in another region"),
                "give --region as the bucket's, or another BucketName",
            )
        }
        error => error,
    }
}

/// What a listing of all buckets with their tags needs.
pub(super) fn find_buckets(scope: &Scope) -> Vec<Grant> {
    let all = format!("arn:{}:s3:::*", scope.partition);
    vec![Grant::anywhere(&["s3:ListAllMyBuckets"]), Grant::on(all, &["s3:GetBucketTagging"])]
}
