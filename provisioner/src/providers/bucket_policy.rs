//! `AWS::S3::BucketPolicy`: takes no tags, and belongs to its bucket.
//!
//! On a bucket of somebody else's its `Id` tells whose it is, where the template gives none: a bucket's tags, which are only written all at
//! once, are its owner's. So the stack that has the bucket leaves it.
//!
//! | property | a change | left out |
//! |---|---|---|
//! | Bucket | replaces | required |
//! | PolicyDocument | in place | required |

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use serde_json::{Value, json};

use super::clients::s3_client;
use super::errors::failed;
use super::fields::Fields;
use super::observed::{self, as_wanted, listed};
use super::policy_document::parsed;
use super::transient::{block_settling, bucket_busy, bucket_settling, principal_settling};
use crate::engine::{
    DeleteOptions, Difference, Grant, Limit, Observed, Permissions, Progress, Property, Provider, ProviderError,
    Resource, Schema, Scope, Shape, canonical, retry_until, tag,
};

const TYPE: &str = "AWS::S3::BucketPolicy";

/// How many buckets' policies are read side by side.
const WIDTH: usize = 16;

const SETTLES: Limit = Limit::seconds(120);

/// What such an `Id` begins with; stack and region follow.
const MARK: &str = "provision/";

const CONDITION: &str = "S3 to take the bucket's policy";

/// Policies of buckets, over S3.
pub(super) struct BucketPolicyProvider {
    s3: Client,
    schema: Schema,
}

impl BucketPolicyProvider {
    pub(super) fn new(config: &SdkConfig) -> Self {
        let properties = vec![
            Property::new("Bucket", Shape::Text).required().replaces(),
            Property::new("PolicyDocument", Shape::Policy).required(),
        ];
        Self {
            s3: s3_client(config),
            schema: Schema::new(TYPE, properties, &[]).belongs_to("AWS::S3::Bucket", "Bucket"),
        }
    }

    async fn policy(&self, bucket: &str) -> Result<Option<Value>, ProviderError> {
        match self.s3.get_bucket_policy().bucket(bucket).send().await.map_err(failed("s3:GetBucketPolicy")) {
            Err(error) if error.is("NoSuchBucketPolicy") || error.is("NoSuchBucket") => Ok(None),
            answer => Ok(answer?.policy.as_deref().map(parsed)),
        }
    }

    async fn put(&self, resource: &Resource, progress: &Progress) -> Result<Observed, ProviderError> {
        let document = document(resource);
        let settling = |error: &ProviderError| bucket_settling(error).or_else(|| principal_settling(error));
        let put = || self.call_put(&resource.physical_id, &document);
        match retry_until(CONDITION, SETTLES, progress, settling, put).await {
            Err(refused @ ProviderError::Denied { .. }) => {
                self.put_as_the_block_goes(resource, &document, refused, progress).await?;
            }
            put => put?,
        }
        Ok(Observed { tags: BTreeMap::new(), ..as_wanted(resource) })
    }

    async fn call_put(&self, bucket: &str, document: &str) -> Result<(), ProviderError> {
        let call = self.s3.put_bucket_policy().bucket(bucket).policy(document);
        call.send().await.map_err(failed("s3:PutBucketPolicy")).map(drop)
    }

    /// A refusal may pass if the policy is public, and the bucket takes such by now. That it does not pass is the refusal itself.
    async fn put_as_the_block_goes(
        &self,
        resource: &Resource,
        document: &str,
        refused: ProviderError,
        progress: &Progress,
    ) -> Result<(), ProviderError> {
        let wanted = resource.properties.get("PolicyDocument").unwrap_or(&Value::Null);
        if !is_public(wanted) || self.blocks_public_policies(&resource.physical_id).await {
            return Err(refused);
        }
        let put = || self.call_put(&resource.physical_id, document);
        match retry_until(CONDITION, Limit::seconds(30), progress, block_settling, put).await {
            Err(ProviderError::TimedOut { .. }) => Err(refused),
            put => put,
        }
    }

    /// Where it may not be asked, too: then nothing is waited for.
    async fn blocks_public_policies(&self, bucket: &str) -> bool {
        let asked = self.s3.get_public_access_block().bucket(bucket).send().await;
        match asked.map_err(failed("s3:GetBucketPublicAccessBlock")) {
            Ok(answer) => {
                let block = answer.public_access_block_configuration;
                block.and_then(|block| block.block_public_policy).unwrap_or(false)
            }
            Err(error) => !error.is("NoSuchPublicAccessBlockConfiguration"),
        }
    }

    /// The policy of a bucket, but for what another stack than that of these tags has put there.
    async fn found_but_others(&self, bucket: &Observed) -> Result<Option<Observed>, ProviderError> {
        let own = mark(&bucket.tags);
        let is_others = |found: &Observed| {
            let id = found.properties["PolicyDocument"]["Id"].as_str();
            id.is_some_and(|id| id.starts_with(MARK) && id != own)
        };
        Ok(self.found(bucket.physical_id.clone()).await?.filter(|found| !is_others(found)))
    }

    async fn found(&self, bucket: String) -> Result<Option<Observed>, ProviderError> {
        Ok(self.policy(&bucket).await?.map(|document| Observed {
            properties: json!({"Bucket": bucket, "PolicyDocument": document}),
            ..listed(TYPE, bucket.clone(), BTreeMap::new(), [("Ref".to_owned(), bucket.into())].into())
        }))
    }
}

/// The `Id` that tells whose a policy is.
fn mark(owner: &BTreeMap<String, String>) -> String {
    let of = |key: &str| owner.get(key).map(String::as_str).unwrap_or_default();
    format!("{MARK}{}/{}", of(tag::STACK), of(tag::REGION))
}

/// What is put: with the mark where the bucket is somebody else's.
fn document(resource: &Resource) -> String {
    let text = Fields(&resource.properties).document("PolicyDocument").unwrap_or_default();
    match parsed(&text) {
        Value::Object(mut parts) if resource.tags.contains_key(tag::KEPT_BY) => {
            parts.entry("Id").or_insert_with(|| mark(&resource.tags).into());
            Value::Object(parts).to_string()
        }
        _ => text,
    }
}

/// What is there, without the mark that the template does not give.
fn without_mark(mut document: Value, resource: &Resource) -> Value {
    let own = mark(&resource.tags);
    if let Some(parts) = document.as_object_mut().filter(|parts| parts.get("Id").is_some_and(|id| *id == *own)) {
        parts.shift_remove("Id");
    }
    document
}

/// Whether a statement of the policy lets everybody do something, conditions left aside.
fn is_public(document: &Value) -> bool {
    let spelled = canonical(document, &Shape::Policy);
    let statements = spelled["Statement"].as_array().into_iter().flatten();
    let mut allowed = statements.filter(|statement| statement["Effect"] == "Allow").map(|one| &one["Principal"]);
    allowed.any(|principal| {
        principal == "*" || principal["AWS"].as_array().is_some_and(|all| all.iter().any(|who| who == "*"))
    })
}

#[async_trait]
impl Provider for BucketPolicyProvider {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn physical_id(&self, logical_id: &str, properties: &Value, _scope: &Scope) -> Result<String, ProviderError> {
        Ok(Fields(properties).text("Bucket").unwrap_or_else(|| logical_id.to_owned()))
    }

    fn attributes(&self, physical_id: &str, _properties: &Value, _scope: &Scope) -> BTreeMap<String, Value> {
        [("Ref".to_owned(), physical_id.into())].into()
    }

    async fn read(&self, resource: &Resource) -> Result<Option<Observed>, ProviderError> {
        let bucket = &resource.physical_id;
        Ok(self.policy(bucket).await?.map(|document| Observed {
            properties: json!({"Bucket": bucket, "PolicyDocument": without_mark(document, resource)}),
            tags: BTreeMap::new(),
            ..as_wanted(resource)
        }))
    }

    async fn create(&self, resource: &Resource, progress: &Progress) -> Result<Observed, ProviderError> {
        self.put(resource, progress).await
    }

    async fn update(
        &self,
        resource: &Resource,
        _observed: &Observed,
        _differences: &[Difference],
        progress: &Progress,
    ) -> Result<Observed, ProviderError> {
        self.put(resource, progress).await
    }

    async fn delete(
        &self,
        observed: &Observed,
        _options: DeleteOptions,
        progress: &Progress,
    ) -> Result<(), ProviderError> {
        let deleted = retry_until("S3 to delete the bucket's policy", SETTLES, progress, bucket_busy, || async {
            let call = self.s3.delete_bucket_policy().bucket(&observed.physical_id);
            call.send().await.map_err(failed("s3:DeleteBucketPolicy"))
        });
        match deleted.await {
            Err(error) if error.is("NoSuchBucket") || error.is("NoSuchBucketPolicy") => Ok(()),
            deleted => deleted.map(drop),
        }
    }

    async fn find_on(&self, parents: &[&Observed], named: &BTreeSet<String>) -> Result<Vec<Observed>, ProviderError> {
        let unnamed = parents.iter().filter(|bucket| !named.contains(&bucket.physical_id));
        let looks: Vec<_> = unnamed.map(|bucket| self.found_but_others(bucket)).collect();
        observed::found(looks, WIDTH).await
    }

    async fn find_kept(&self, physical_id: &str, _named: &BTreeSet<String>) -> Result<Option<Observed>, ProviderError> {
        self.found(physical_id.to_owned()).await
    }

    /// Only a new name replaces it.
    fn remade_in_place(&self) -> bool {
        false
    }

    fn permissions(&self) -> Permissions<'_> {
        Permissions {
            read: vec!["s3:GetBucketPolicy"],
            write: vec!["s3:PutBucketPolicy"],
            delete: vec!["s3:DeleteBucketPolicy"],
            ..Permissions::default()
        }
    }

    fn find_permissions(&self, scope: &Scope) -> Vec<Grant> {
        let all = format!("arn:{}:s3:::*", scope.partition);
        vec![Grant::on(all, &["s3:GetBucketPolicy"])]
    }

    fn arns(&self, resource: &Resource, scope: &Scope) -> Vec<String> {
        vec![format!("arn:{}:s3:::{}", scope.partition, resource.physical_id)]
    }
}
