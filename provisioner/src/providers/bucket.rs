//! `AWS::S3::Bucket`.
//!
//! | property | a change | left out |
//! |---|---|---|
//! | BucketName | replaces | stack, logical id, account and region (E53) |
//! | PublicAccessBlockConfiguration, OwnershipControls, BucketEncryption | in place | as of a new bucket: all blocked, BucketOwnerEnforced, AES256 (E58) |
//! | LifecycleConfiguration | in place | removed |
//! | VersioningConfiguration | in place | removed: suspended |
//! | Tags | in place | tags of others stay (E58) |
//!
//! A bucket takes one writer at a time, so its settings are written one after another (E67).

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration, Tag, Tagging};
use futures::future::try_join_all;
use serde_json::{Map, Value};

use super::bucket_contents::empty_bucket;
use super::bucket_settings::Setting;
use super::claim::take_over;
use super::clients::s3_client;
use super::errors::{failed, none_if};
use super::fields::Fields;
use super::names::Naming;
use super::observed::{as_wanted, listed};
use super::owned_buckets::{bucket_tags, find_buckets, owned_buckets};
use super::tags::TagChanges;
use super::transient::{bucket_busy, bucket_settling};
use crate::account::url_suffix;
use crate::engine::{
    DeleteOptions, Difference, Grant, Limit, Observed, Permissions, Progress, Property, Provider, ProviderError,
    Resource, Schema, Scope, Shape, retry_until,
};

const TYPE: &str = "AWS::S3::Bucket";

/// What CloudFormation knows of it, and is refused here.
const UNMADE: [&str; 20] = [
    "AbacStatus",
    "AccelerateConfiguration",
    "AccessControl",
    "AnalyticsConfigurations",
    "BlockedEncryptionTypes",
    "BucketNamePrefix",
    "BucketNamespace",
    "CorsConfiguration",
    "IntelligentTieringConfigurations",
    "InventoryConfigurations",
    "LoggingConfiguration",
    "MetadataConfiguration",
    "MetadataTableConfiguration",
    "MetricsConfigurations",
    "NotificationConfiguration",
    "ObjectLockConfiguration",
    "ObjectLockEnabled",
    "ReplicationConfiguration",
    "TransitionDefaultMinimumObjectSize",
    "WebsiteConfiguration",
];
const NAMING: Naming = Naming { kind: "bucket", property: "BucketName", longest: 63, marks: "-." };
const MISSING: &str = "NoSuchBucket";

/// How long a busy bucket is waited for; a deleted one's name may stay busy for an hour (E55).
const SETTLES: Limit = Limit::seconds(120);

/// Buckets, over S3.
pub(super) struct BucketProvider {
    s3: Client,
    region: String,
    schema: Schema,
}

impl BucketProvider {
    pub(super) fn new(config: &SdkConfig) -> Self {
        let region = config.region().map_or_else(|| "us-east-1".to_owned(), ToString::to_string);
        Self { s3: s3_client(config), region, schema: schema() }
    }

    async fn settings(&self, resource: &Resource) -> Result<Value, ProviderError> {
        let bucket = &resource.physical_id;
        let reads = Setting::ALL.map(|setting| async move {
            let value = setting.read(&self.s3, bucket, &resource.properties).await;
            match value {
                Err(error) if error.is(MISSING) => Ok::<_, ProviderError>(None),
                value => Ok(value?.map(|value| (setting.property().to_owned(), value))),
            }
        });
        let settings = try_join_all(reads).await?.into_iter().flatten().collect::<Map<_, _>>();
        Ok(Value::Object(settings))
    }

    async fn call_create(&self, resource: &Resource) -> Result<(), ProviderError> {
        let configuration = CreateBucketConfiguration::builder().set_tags(Some(s3_tags(&resource.tags)));
        // us-east-1 is no location that S3 takes, and every other must be given (E54).
        let location = (self.region != "us-east-1").then(|| BucketLocationConstraint::from(self.region.as_str()));
        let call = self.s3.create_bucket().bucket(&resource.physical_id);
        let call = call.create_bucket_configuration(configuration.set_location_constraint(location).build());
        call.send().await.map_err(failed("s3:CreateBucket"))?;
        Ok(())
    }

    async fn put_tags(&self, bucket: &str, tags: &BTreeMap<String, String>) -> Result<(), ProviderError> {
        // The set is never empty: the stack's own tags are in it.
        let Ok(tagging) = Tagging::builder().set_tag_set(Some(s3_tags(tags))).build() else { return Ok(()) };
        let call = self.s3.put_bucket_tagging().bucket(bucket).tagging(tagging);
        call.send().await.map_err(failed("s3:PutBucketTagging"))?;
        Ok(())
    }

    /// Writes the settings that `changed` picks, one after another.
    async fn write(
        &self,
        resource: &Resource,
        changed: impl Fn(&str) -> bool,
        progress: &Progress,
    ) -> Result<(), ProviderError> {
        let bucket = &resource.physical_id;
        for setting in Setting::ALL.into_iter().filter(|setting| changed(setting.property())) {
            let wanted = Fields(&resource.properties).get(setting.property());
            retry_until("S3 to take the bucket's settings", SETTLES, progress, bucket_settling, || {
                setting.write(&self.s3, bucket, wanted)
            })
            .await?;
        }
        Ok(())
    }
}

fn schema() -> Schema {
    let mut properties = vec![Property::new("BucketName", Shape::Text).replaces()];
    properties.extend(Setting::ALL.map(Setting::schema));
    properties.push(Property::new("Tags", Shape::Tags));
    let attributes = ["Arn", "DomainName", "RegionalDomainName", "DualStackDomainName", "WebsiteURL"];
    Schema::new(TYPE, properties, &attributes).without(&UNMADE)
}

fn s3_tags(tags: &BTreeMap<String, String>) -> Vec<Tag> {
    // The builder refuses only a missing key or value.
    tags.iter().filter_map(|(key, value)| Tag::builder().key(key).value(value).build().ok()).collect()
}

fn taken(bucket: &str) -> ProviderError {
    ProviderError::refused(
        format!("the bucket name {bucket} is taken by someone else: bucket names are the world's"),
        "give another BucketName, or another --stack",
    )
}

/// Regions whose website endpoints are written with a dash; all newer ones have a dot.
const DASHED_WEBSITES: [&str; 8] = [
    "us-east-1",
    "us-west-1",
    "us-west-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-northeast-1",
    "eu-west-1",
    "sa-east-1",
];

#[async_trait]
impl Provider for BucketProvider {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn physical_id(&self, logical_id: &str, properties: &Value, scope: &Scope) -> Result<String, ProviderError> {
        let name = NAMING.name(logical_id, &[&scope.account, &scope.region], properties, scope)?;
        if !Fields(properties).has("BucketName") {
            return Ok(name.to_lowercase());
        }
        if name.len() < 3 || name.chars().any(|c| c.is_ascii_uppercase()) {
            return Err(NAMING.bad(
                format!("the bucket name {name:?} is not one that S3 takes"),
                "use 3 to 63 lower-case letters, digits, dots and dashes in BucketName".into(),
            ));
        }
        Ok(name)
    }

    fn attributes(&self, physical_id: &str, _properties: &Value, scope: &Scope) -> BTreeMap<String, Value> {
        let Scope { partition, region, .. } = scope;
        let suffix = url_suffix(partition);
        let mark = if DASHED_WEBSITES.contains(&region.as_str()) { '-' } else { '.' };
        [
            ("Ref", physical_id.to_owned()),
            ("Arn", format!("arn:{partition}:s3:::{physical_id}")),
            ("DomainName", format!("{physical_id}.s3.{suffix}")),
            ("RegionalDomainName", format!("{physical_id}.s3.{region}.{suffix}")),
            ("DualStackDomainName", format!("{physical_id}.s3.dualstack.{region}.{suffix}")),
            ("WebsiteURL", format!("http://{physical_id}.s3-website{mark}{region}.{suffix}")),
        ]
        .map(|(name, value)| (name.to_owned(), value.into()))
        .into()
    }

    async fn read(&self, resource: &Resource) -> Result<Option<Observed>, ProviderError> {
        let name = &resource.physical_id;
        let (tags, settings) = futures::join!(bucket_tags(&self.s3, name), self.settings(resource));
        // The tags' answer tells best why a bucket cannot be read.
        let Some(tags) = tags? else { return Ok(None) };
        let mut properties = settings?;
        properties["BucketName"] = name.as_str().into();
        Ok(Some(Observed { properties, tags, ..as_wanted(resource) }))
    }

    async fn create(&self, resource: &Resource, progress: &Progress) -> Result<Observed, ProviderError> {
        let condition = "the deleted bucket's name to be free, which can take an hour";
        let made = retry_until(condition, SETTLES, progress, bucket_busy, || self.call_create(resource));
        match made.await {
            Err(error) if error.is("BucketAlreadyOwnedByYou") => {
                return take_over(self, resource, progress).await;
            }
            Err(error) if error.is("BucketAlreadyExists") => return Err(taken(&resource.physical_id)),
            made => made?,
        }
        self.write(resource, |name| Fields(&resource.properties).has(name), progress).await?;
        Ok(as_wanted(resource))
    }

    async fn update(
        &self,
        resource: &Resource,
        observed: &Observed,
        differences: &[Difference],
        progress: &Progress,
    ) -> Result<Observed, ProviderError> {
        let changed = |name: &str| differences.iter().any(|difference| difference.property() == name);
        self.write(resource, changed, progress).await?;
        if changed("Tags") {
            let tags = TagChanges::of(resource, differences).applied_to(&observed.tags);
            let put = || self.put_tags(&resource.physical_id, &tags);
            retry_until("S3 to take the bucket's tags", SETTLES, progress, bucket_busy, put).await?;
        }
        Ok(as_wanted(resource))
    }

    async fn delete(
        &self,
        observed: &Observed,
        options: DeleteOptions,
        progress: &Progress,
    ) -> Result<(), ProviderError> {
        let bucket = &observed.physical_id;
        let transient = |error: &ProviderError| match options.empty && error.is("BucketNotEmpty") {
            true => Some("something was written into it meanwhile"),
            false => bucket_busy(error),
        };
        let deleted = retry_until("S3 to delete the bucket", SETTLES, progress, transient, || async {
            if options.empty {
                empty_bucket(&self.s3, bucket, progress).await?;
            }
            self.s3.delete_bucket().bucket(bucket).send().await.map_err(failed("s3:DeleteBucket"))
        });
        match deleted.await {
            Err(error) if error.is(MISSING) => Ok(()),
            Err(error) if error.is("BucketNotEmpty") => Err(ProviderError::refused(
                format!("the bucket {bucket} is not empty"),
                "empty it, or put it back into the template with DeletionPolicy: Retain, then run the command again",
            )),
            deleted => deleted.map(drop),
        }
    }

    async fn find(&self, scope: &Scope, named: &BTreeSet<String>) -> Result<Vec<Observed>, ProviderError> {
        let owned = owned_buckets(&self.s3, scope, named).await?;
        let found = owned.into_iter().map(|(name, tags)| {
            let attributes = self.attributes(&name, &Value::Null, scope);
            listed(TYPE, name, tags, attributes)
        });
        Ok(found.collect())
    }

    async fn holds_data(&self, observed: &Observed) -> Result<bool, ProviderError> {
        let asked = self.s3.list_object_versions().bucket(&observed.physical_id).max_keys(1).send().await;
        let listed = none_if(MISSING, asked.map_err(failed("s3:ListObjectVersions")))?;
        Ok(listed.is_some_and(|listed| !listed.versions().is_empty() || !listed.delete_markers().is_empty()))
    }

    /// After its policy: a bucket takes one writer at a time (E67).
    fn teardown_rank(&self) -> Option<u8> {
        Some(1)
    }

    /// Only a new name replaces it.
    fn remade_in_place(&self) -> bool {
        false
    }

    fn permissions(&self) -> Permissions<'_> {
        Permissions {
            read: vec![
                "s3:GetBucketTagging",
                "s3:GetBucketPublicAccessBlock",
                "s3:GetEncryptionConfiguration",
                "s3:GetLifecycleConfiguration",
                "s3:GetBucketVersioning",
                "s3:GetBucketOwnershipControls",
            ],
            write: vec![
                "s3:CreateBucket",
                "s3:TagResource",
                "s3:PutBucketTagging",
                "s3:PutBucketPublicAccessBlock",
                "s3:PutEncryptionConfiguration",
                "s3:PutLifecycleConfiguration",
                "s3:PutBucketVersioning",
                "s3:PutBucketOwnershipControls",
            ],
            delete: vec![
                "s3:DeleteBucket",
                "s3:ListBucketVersions",
                "s3:DeleteObject",
                "s3:DeleteObjectVersion",
                "s3:ListBucketMultipartUploads",
                "s3:AbortMultipartUpload",
            ],
            ..Permissions::default()
        }
    }

    fn find_permissions(&self, scope: &Scope) -> Vec<Grant> {
        find_buckets(scope)
    }
}
