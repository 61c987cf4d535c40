//! Emptying a bucket: every version, every delete marker, every unfinished upload (E57).

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::list_object_versions::ListObjectVersionsOutput;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use futures::stream::{self, StreamExt, TryStreamExt};

use super::errors::failed;
use crate::engine::{Limit, Poll, Progress, ProviderError, poll_until};

/// How many requests go side by side; S3 takes 3,500 writes a second a prefix (E60).
const WIDTH: usize = 16;

/// Empties the bucket again and again until a listing is empty: a late writer may fill it while it is emptied.
pub(super) async fn empty_bucket(s3: &Client, bucket: &str, progress: &Progress) -> Result<(), ProviderError> {
    poll_until("the bucket to be empty", Limit::seconds(3600), progress, || async {
        let swept = futures::try_join!(delete_versions(s3, bucket), abort_uploads(s3, bucket));
        match swept {
            Err(error) if error.is("NoSuchBucket") => Ok(Poll::Ready(())),
            Err(error) => Err(error),
            Ok((0, 0)) => Ok(Poll::Ready(())),
            Ok((versions, uploads)) => {
                Ok(Poll::Pending(format!("{versions} object versions and {uploads} unfinished uploads deleted")))
            }
        }
    })
    .await
}

/// Deletes what one listing shows, page by page, and says how many.
async fn delete_versions(s3: &Client, bucket: &str) -> Result<usize, ProviderError> {
    let pages = s3.list_object_versions().bucket(bucket);
    let pages = stream::try_unfold(Some(pages), |next| async {
        let Some(request) = next else { return Ok(None) };
        let page = request.clone().send().await.map_err(failed("s3:ListObjectVersions"))?;
        let more = page.is_truncated().unwrap_or(false).then(|| {
            request
                .set_key_marker(page.next_key_marker.clone())
                .set_version_id_marker(page.next_version_id_marker.clone())
        });
        Ok::<_, ProviderError>(Some((identifiers(page), more)))
    });
    let deletions = pages.map_ok(|keys| delete_page(s3, bucket, keys)).try_buffer_unordered(WIDTH);
    deletions.try_fold(0, |sum, count| async move { Ok(sum + count) }).await
}

fn identifiers(page: ListObjectVersionsOutput) -> Vec<ObjectIdentifier> {
    let versions = page.versions.unwrap_or_default().into_iter().map(|version| (version.key, version.version_id));
    let markers = page.delete_markers.unwrap_or_default().into_iter().map(|marker| (marker.key, marker.version_id));
    versions
        .chain(markers)
        .filter_map(|(key, version)| ObjectIdentifier::builder().key(key?).set_version_id(version).build().ok())
        .collect()
}

async fn delete_page(s3: &Client, bucket: &str, keys: Vec<ObjectIdentifier>) -> Result<usize, ProviderError> {
    let count = keys.len();
    let Some(delete) = Delete::builder().set_objects(Some(keys)).quiet(true).build().ok().filter(|_| count > 0) else {
        return Ok(0);
    };
    let answer = s3.delete_objects().bucket(bucket).delete(delete).send().await.map_err(failed("s3:DeleteObjects"))?;
    // A 200 may carry errors of single keys; a slow-down of one passes with the next sweep.
    let refused = answer.errors().iter().find(|error| error.code() == Some("AccessDenied"));
    match refused {
        Some(error) => Err(ProviderError::Denied {
            operation: "s3:DeleteObjectVersion".into(),
            message: format!(
                "{} of {bucket}: {}",
                error.key().unwrap_or_default(),
                error.message().unwrap_or_default()
            ),
        }),
        None => Ok(count),
    }
}

async fn abort_uploads(s3: &Client, bucket: &str) -> Result<usize, ProviderError> {
    let listed = s3.list_multipart_uploads().bucket(bucket).send().await;
    let uploads = listed.map_err(failed("s3:ListMultipartUploads"))?.uploads.unwrap_or_default();
    let aborts = uploads.into_iter().map(|upload| async move {
        let call = s3.abort_multipart_upload().bucket(bucket).set_key(upload.key).set_upload_id(upload.upload_id);
        match call.send().await.map_err(failed("s3:AbortMultipartUpload")) {
            Err(error) if error.is("NoSuchUpload") => Ok(1),
            aborted => aborted.map(|_| 1),
        }
    });
    stream::iter(aborts).buffer_unordered(WIDTH).try_fold(0, |sum, one: usize| async move { Ok(sum + one) }).await
}
