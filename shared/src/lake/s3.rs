//! A lake in an S3 bucket.
//!
//! By aws-sdk-s3 and not by the crate object_store: the provisioner makes the bucket with that SDK already, so there is one S3 client,
//! one HTTP stack and one chain of credentials (aws-config's, with SSO and profiles) in the whole project.

use std::{error::Error, ops::Range, path::Path, time::Duration};

use async_trait::async_trait;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    primitives::ByteStream,
    types::Object,
};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream, stream::BoxStream};
use jiff::Timestamp;
use tokio::time::sleep;

use super::{Entry, Lake, LakeError, Put, PutMode};

/// Times that a write which meets another of the same key is tried again, and the first pause before it.
const CONFLICTS: u32 = 5;
const CONFLICT: Duration = Duration::from_millis(50);

/// Our own code for a request that was never sent, for want of credentials.
const UNSIGNED: &str = "Unsigned";
/// What S3 says of credentials that it does not take.
const OF_CREDENTIALS: [&str; 7] = [
    UNSIGNED,
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
];

/// A lake in a bucket.
#[derive(Clone, Debug)]
pub struct S3Lake {
    client: Client,
    bucket: String,
}

impl S3Lake {
    /// The lake in `bucket`.
    pub fn new(client: Client, bucket: impl Into<String>) -> Self {
        Self { client, bucket: bucket.into() }
    }

    /// Reads an object or a range of it; `nothing` are the error codes that say there is none.
    async fn read(&self, key: &str, range: Option<String>, nothing: &[&str]) -> Result<Option<Bytes>, LakeError> {
        let request = self.client.get_object().bucket(&self.bucket).key(key);
        let answer = match request.set_range(range).send().await {
            Ok(answer) => answer,
            Err(error) if error.code().is_some_and(|code| nothing.contains(&code)) => {
                return Ok(None);
            }
            Err(error) => return Err(self.error("read", key, error)),
        };
        let body = answer.body.collect().await;
        let body = body.map_err(|error| self.failed("read", key, error, None))?;
        Ok(Some(body.into_bytes()))
    }

    fn error<E>(&self, operation: &'static str, key: &str, error: SdkError<E>) -> LakeError
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let code = error.code().map(str::to_owned);
        let unsigned = std::iter::successors(error.source(), |cause| (*cause).source())
            .any(|cause| cause.is::<CredentialsError>());
        let code = if unsigned { Some(UNSIGNED.to_owned()) } else { code };
        self.failed(operation, key, said(&error), code.as_deref())
    }

    fn failed(
        &self,
        operation: &'static str,
        key: &str,
        source: impl Into<Box<dyn Error + Send + Sync>>,
        code: Option<&str>,
    ) -> LakeError {
        LakeError {
            operation,
            uri: self.uri(),
            key: key.to_owned(),
            hint: match code {
                Some("NoSuchBucket") => {
                    "there is no such bucket: check its name and region, or make it with `provision up`"
                }
                Some("AccessDenied" | "403") => {
                    "these credentials may not do this: check the role's and the bucket's policy"
                }
                Some(code) if OF_CREDENTIALS.contains(&code) => {
                    "sign in again, or choose other credentials: AWS_PROFILE, aws sso login"
                }
                _ => "check the network and the credentials, then try again",
            },
            is_no_lake: code == Some("NoSuchBucket"),
            denied: code.is_some_and(|code| ["AccessDenied", "403"].contains(&code) || OF_CREDENTIALS.contains(&code)),
            source: source.into(),
        }
    }

    fn entry(&self, object: Object) -> Result<Entry, LakeError> {
        let key = object.key.unwrap_or_default();
        let modified = object
            .last_modified
            .and_then(|time| Timestamp::from_second(time.secs()).ok())
            .ok_or_else(|| self.failed("list", &key, "the listing gives no time", None))?;
        Ok(Entry { size: object.size.unwrap_or_default().unsigned_abs(), key, modified, etag: object.e_tag })
    }
}

/// What S3 answered, or else why it did not: an SDK error alone says "service error" or "dispatch failure".
fn said<E>(error: &SdkError<E>) -> String
where
    E: ProvideErrorMetadata + Error + 'static,
{
    if let (Some(code), Some(message)) = (error.code(), error.message()) {
        return format!("{code}: {message}");
    }
    let mut cause: &dyn Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    format!("{error}: {cause}")
}

#[async_trait]
impl Lake for S3Lake {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, LakeError> {
        self.read(key, None, &["NoSuchKey", "NotFound"]).await
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Option<Bytes>, LakeError> {
        if range.is_empty() {
            return Ok(None);
        }
        let bytes = format!("bytes={}-{}", range.start, range.end - 1);
        self.read(key, Some(bytes), &["NoSuchKey", "NotFound", "InvalidRange"]).await
    }

    async fn put(&self, key: &str, bytes: Bytes, mode: PutMode) -> Result<Put, LakeError> {
        let condition = (mode == PutMode::CreateOnly).then(|| "*".to_owned());
        let mut conflicts = 0;
        loop {
            let request = self.client.put_object().bucket(&self.bucket).key(key);
            let body = ByteStream::from(bytes.clone());
            let error = match request.set_if_none_match(condition.clone()).body(body).send().await {
                Ok(_) => return Ok(Put::Written),
                Err(error) => error,
            };
            match error.code() {
                Some("PreconditionFailed") if condition.is_some() => return Ok(Put::Exists),
                // Another writer or deleter of the same key is at work, and only its end tells whether the place is free.
                Some("ConditionalRequestConflict") if condition.is_some() && conflicts < CONFLICTS => {
                    conflicts += 1;
                    sleep(CONFLICT * conflicts).await;
                }
                _ => return Err(self.error("write", key, error)),
            }
        }
    }

    async fn put_file(&self, key: &str, file: &Path) -> Result<(), LakeError> {
        let body = ByteStream::from_path(file).await.map_err(|error| self.failed("write", key, error, None))?;
        match self.client.put_object().bucket(&self.bucket).key(key).body(body).send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.error("write", key, error)),
        }
    }

    async fn delete(&self, key: &str) -> Result<(), LakeError> {
        let request = self.client.delete_object().bucket(&self.bucket).key(key);
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.error("delete", key, error)),
        }
    }

    fn list(&self, prefix: &str) -> BoxStream<'static, Result<Entry, LakeError>> {
        let request = self.client.list_objects_v2().bucket(&self.bucket);
        let pages = request.prefix(prefix).into_paginator().send();
        let (lake, prefix) = (self.clone(), prefix.to_owned());
        stream::unfold(pages, async |mut pages| pages.next().await.map(|page| (page, pages)))
            .map(move |page| {
                let page = page.map_err(|error| lake.error("list", &prefix, error))?;
                let objects = page.contents.unwrap_or_default();
                let entries: Vec<_> = objects.into_iter().map(|object| lake.entry(object)).collect();
                Ok(stream::iter(entries))
            })
            .try_flatten()
            .boxed()
    }

    fn uri(&self) -> String {
        format!("s3://{}", self.bucket)
    }
}
