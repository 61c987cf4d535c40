//! A bucket's settings, each with its own calls: how it is read, written and removed.

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{
    BucketVersioningStatus, OwnershipControls, OwnershipControlsRule, PublicAccessBlockConfiguration,
    ServerSideEncryption, ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule,
    VersioningConfiguration,
};
use serde_json::{Value, json};

use super::errors::failed;
use super::fields::{Fields, object};
use super::lifecycle;
use crate::engine::{Property, ProviderError, Shape};

/// A property of a bucket that has calls of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Setting {
    Ownership,
    PublicAccess,
    Encryption,
    Versioning,
    Lifecycle,
}

impl Setting {
    /// In the order in which they are written.
    pub(super) const ALL: [Self; 5] =
        [Self::Ownership, Self::PublicAccess, Self::Encryption, Self::Versioning, Self::Lifecycle];

    /// CloudFormation's name of it.
    pub(super) fn property(self) -> &'static str {
        match self {
            Self::Ownership => "OwnershipControls",
            Self::PublicAccess => "PublicAccessBlockConfiguration",
            Self::Encryption => "BucketEncryption",
            Self::Versioning => "VersioningConfiguration",
            Self::Lifecycle => "LifecycleConfiguration",
        }
    }

    pub(super) fn schema(self) -> Property {
        let shape = |properties| Shape::Object(properties);
        let property = |inner| Property::new(self.property(), inner).removed_when_absent();
        match self {
            Self::Ownership => {
                let rule = shape(vec![Property::new("ObjectOwnership", Shape::Text).required()]);
                property(shape(vec![Property::new("Rules", Shape::list(rule)).required()]))
            }
            Self::PublicAccess => {
                property(shape(BLOCKS.map(|name| Property::new(name, Shape::Boolean).default(false)).into()))
            }
            Self::Encryption => {
                let by_default = shape(vec![
                    Property::new("SSEAlgorithm", Shape::Text).required(),
                    Property::new("KMSMasterKeyID", Shape::Text),
                ]);
                let rule = shape(vec![
                    Property::new("BucketKeyEnabled", Shape::Boolean).default(false),
                    Property::new("ServerSideEncryptionByDefault", by_default),
                ]);
                let rules = Property::new("ServerSideEncryptionConfiguration", Shape::list(rule)).required();
                property(shape(vec![rules]))
            }
            Self::Versioning => property(shape(vec![Property::new("Status", Shape::Text).required()])),
            Self::Lifecycle => property(lifecycle::shape()),
        }
    }

    /// Its value in CloudFormation's shape, or `None` where the bucket has none. `wanted` are the bucket's properties as the
    /// template gives them.
    pub(super) async fn read(self, s3: &Client, bucket: &str, wanted: &Value) -> Result<Option<Value>, ProviderError> {
        let read = match self {
            Self::Ownership => read_ownership(s3, bucket).await,
            Self::PublicAccess => read_public_access(s3, bucket).await,
            Self::Encryption => read_encryption(s3, bucket).await,
            Self::Versioning => read_versioning(s3, bucket, wanted).await,
            Self::Lifecycle => lifecycle::read(s3, bucket, wanted).await,
        };
        match read {
            Err(error) if error.code().is_some_and(|code| UNSET.contains(&code)) => Ok(None),
            read => {
                let given = Fields(wanted).has(self.property());
                Ok(read?.filter(|value| given || !self.is_as_of_new(value)))
            }
        }
    }

    /// Whether it is what AWS gives a new bucket, which is no difference where the template says nothing.
    fn is_as_of_new(self, value: &Value) -> bool {
        let rules = || value["ServerSideEncryptionConfiguration"].as_array().into_iter().flatten();
        match self {
            Self::Ownership => *value == owner_enforced(),
            Self::PublicAccess => *value == all_blocked(),
            Self::Encryption => rules().all(|rule| rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"),
            Self::Versioning | Self::Lifecycle => false,
        }
    }

    /// Writes it; `None` makes it what it is of a new bucket.
    pub(super) async fn write(self, s3: &Client, bucket: &str, wanted: Option<&Value>) -> Result<(), ProviderError> {
        match (self, wanted.map(Fields)) {
            (Self::Ownership, Some(wanted)) => put_ownership(s3, bucket, wanted).await,
            (Self::Ownership, None) => put_ownership(s3, bucket, Fields(&owner_enforced())).await,
            (Self::PublicAccess, Some(wanted)) => put_public_access(s3, bucket, wanted).await,
            (Self::PublicAccess, None) => put_public_access(s3, bucket, Fields(&all_blocked())).await,
            (Self::Encryption, Some(wanted)) => put_encryption(s3, bucket, wanted).await,
            (Self::Encryption, None) => delete_encryption(s3, bucket).await,
            (Self::Versioning, wanted) => put_versioning(s3, bucket, wanted).await,
            (Self::Lifecycle, wanted) => lifecycle::write(s3, bucket, wanted).await,
        }
    }
}

/// How S3 says that a bucket does not have a setting.
const UNSET: [&str; 4] = [
    "OwnershipControlsNotFoundError",
    "NoSuchPublicAccessBlockConfiguration",
    "ServerSideEncryptionConfigurationNotFoundError",
    "NoSuchLifecycleConfiguration",
];

const BLOCKS: [&str; 4] = ["BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"];

/// What AWS gives a new bucket; an older one without the setting is left without it.
fn owner_enforced() -> Value {
    json!({"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]})
}

fn all_blocked() -> Value {
    Value::Object(BLOCKS.map(|name| (name.to_owned(), true.into())).into_iter().collect())
}

async fn read_ownership(s3: &Client, bucket: &str) -> Result<Option<Value>, ProviderError> {
    let asked = s3.get_bucket_ownership_controls().bucket(bucket).send().await;
    let controls = asked.map_err(failed("s3:GetBucketOwnershipControls"))?.ownership_controls;
    Ok(controls.map(|controls| {
        let rules = controls.rules.iter().map(|rule| json!({"ObjectOwnership": rule.object_ownership.as_str()}));
        json!({"Rules": rules.collect::<Vec<_>>()})
    }))
}

async fn put_ownership(s3: &Client, bucket: &str, wanted: Fields<'_>) -> Result<(), ProviderError> {
    let rules = wanted.objects("Rules").into_iter().filter_map(|rule| {
        let ownership = rule.text("ObjectOwnership")?;
        OwnershipControlsRule::builder().object_ownership(ownership.as_str().into()).build().ok()
    });
    let controls = OwnershipControls::builder().set_rules(Some(rules.collect())).build();
    let controls = controls.map_err(|error| unbuilt("OwnershipControls", &error))?;
    let call = s3.put_bucket_ownership_controls().bucket(bucket).ownership_controls(controls);
    call.send().await.map_err(failed("s3:PutBucketOwnershipControls"))?;
    Ok(())
}

async fn read_public_access(s3: &Client, bucket: &str) -> Result<Option<Value>, ProviderError> {
    let asked = s3.get_public_access_block().bucket(bucket).send().await;
    let found = asked.map_err(failed("s3:GetBucketPublicAccessBlock"))?.public_access_block_configuration;
    Ok(found.map(|found| {
        object([
            ("BlockPublicAcls", found.block_public_acls.map(Value::from)),
            ("BlockPublicPolicy", found.block_public_policy.map(Value::from)),
            ("IgnorePublicAcls", found.ignore_public_acls.map(Value::from)),
            ("RestrictPublicBuckets", found.restrict_public_buckets.map(Value::from)),
        ])
    }))
}

async fn put_public_access(s3: &Client, bucket: &str, wanted: Fields<'_>) -> Result<(), ProviderError> {
    let blocks = PublicAccessBlockConfiguration::builder()
        .block_public_acls(wanted.boolean("BlockPublicAcls").unwrap_or(false))
        .block_public_policy(wanted.boolean("BlockPublicPolicy").unwrap_or(false))
        .ignore_public_acls(wanted.boolean("IgnorePublicAcls").unwrap_or(false))
        .restrict_public_buckets(wanted.boolean("RestrictPublicBuckets").unwrap_or(false))
        .build();
    let call = s3.put_public_access_block().bucket(bucket).public_access_block_configuration(blocks);
    call.send().await.map_err(failed("s3:PutBucketPublicAccessBlock"))?;
    Ok(())
}

/// S3 goes back to its own keys.
async fn delete_encryption(s3: &Client, bucket: &str) -> Result<(), ProviderError> {
    let call = s3.delete_bucket_encryption().bucket(bucket);
    call.send().await.map_err(failed("s3:PutEncryptionConfiguration"))?;
    Ok(())
}

async fn read_encryption(s3: &Client, bucket: &str) -> Result<Option<Value>, ProviderError> {
    let asked = s3.get_bucket_encryption().bucket(bucket).send().await;
    let found = asked.map_err(failed("s3:GetEncryptionConfiguration"))?.server_side_encryption_configuration;
    let rule = |rule: &ServerSideEncryptionRule| {
        let by_default = rule.apply_server_side_encryption_by_default().map(|found| {
            object([
                ("SSEAlgorithm", Some(found.sse_algorithm.as_str().into())),
                ("KMSMasterKeyID", found.kms_master_key_id().map(Value::from)),
            ])
        });
        object([
            ("BucketKeyEnabled", rule.bucket_key_enabled().map(Value::from)),
            ("ServerSideEncryptionByDefault", by_default),
        ])
    };
    Ok(found
        .map(|found| json!({"ServerSideEncryptionConfiguration": found.rules.iter().map(rule).collect::<Vec<_>>()})))
}

async fn put_encryption(s3: &Client, bucket: &str, wanted: Fields<'_>) -> Result<(), ProviderError> {
    let rules = wanted.objects("ServerSideEncryptionConfiguration").into_iter().map(|rule| {
        let by_default = rule.object("ServerSideEncryptionByDefault").and_then(|wanted| {
            let algorithm = ServerSideEncryption::from(wanted.text("SSEAlgorithm")?.as_str());
            let built = ServerSideEncryptionByDefault::builder().sse_algorithm(algorithm);
            built.set_kms_master_key_id(wanted.text("KMSMasterKeyID")).build().ok()
        });
        ServerSideEncryptionRule::builder()
            .set_apply_server_side_encryption_by_default(by_default)
            .set_bucket_key_enabled(rule.boolean("BucketKeyEnabled"))
            .build()
    });
    let built = ServerSideEncryptionConfiguration::builder().set_rules(Some(rules.collect())).build();
    let built = built.map_err(|error| unbuilt("BucketEncryption", &error))?;
    let call = s3.put_bucket_encryption().bucket(bucket).server_side_encryption_configuration(built);
    call.send().await.map_err(failed("s3:PutEncryptionConfiguration"))?;
    Ok(())
}

async fn read_versioning(s3: &Client, bucket: &str, wanted: &Value) -> Result<Option<Value>, ProviderError> {
    let asked = s3.get_bucket_versioning().bucket(bucket).send().await;
    let status = asked.map_err(failed("s3:GetBucketVersioning"))?.status;
    // Versioning cannot be taken off a bucket again; suspended is as much off as there is.
    let off = status == Some(BucketVersioningStatus::Suspended) && !Fields(wanted).has("VersioningConfiguration");
    Ok(status.filter(|_| !off).map(|status| json!({"Status": status.as_str()})))
}

async fn put_versioning(s3: &Client, bucket: &str, wanted: Option<Fields<'_>>) -> Result<(), ProviderError> {
    let status = wanted.and_then(|wanted| wanted.text("Status")).unwrap_or_else(|| "Suspended".into());
    let versioning = VersioningConfiguration::builder().status(status.as_str().into()).build();
    let call = s3.put_bucket_versioning().bucket(bucket).versioning_configuration(versioning);
    call.send().await.map_err(failed("s3:PutBucketVersioning"))?;
    Ok(())
}

/// A value that the SDK itself does not take.
pub(super) fn unbuilt(property: &str, error: &dyn std::error::Error) -> ProviderError {
    ProviderError::refused(format!("{property} is incomplete: {error}"), format!("complete {property} in the template"))
}
