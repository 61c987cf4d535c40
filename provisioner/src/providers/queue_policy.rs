//! `AWS::SQS::QueuePolicy`: one policy on one or more queues; takes no tags, and belongs to its queues.
//!
//! Each queue carries the key of its policy as a tag, by which a policy that left the template is found: the policy's stack and region,
//! and the names of its queues.
//!
//! | property | a change | left out |
//! |---|---|---|
//! | Queues | another policy: the earlier one is deleted | required |
//! | PolicyDocument | in place | required |

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;
use futures::future::try_join_all;
use serde_json::{Value, json};

use super::errors::failed;
use super::fields::Fields;
use super::names::{is_key_of, own_key, parts_of};
use super::observed::{as_wanted, listed};
use super::policy_document::{odd_one, parsed};
use super::queue::is_missing;
use super::transient::queue_policy_settling;
use crate::engine::{
    DeleteOptions, Difference, Limit, Observed, Permissions, Progress, Property, Provider, ProviderError, Resource,
    Schema, Scope, Shape, retry_until,
};

const TYPE: &str = "AWS::SQS::QueuePolicy";

/// The key of the policy that a queue has, from whichever stack.
const MARK: &str = "provision:queue-policy";

/// Policies of queues, over SQS.
pub(super) struct QueuePolicyProvider {
    sqs: Client,
    schema: Schema,
}

impl QueuePolicyProvider {
    pub(super) fn new(config: &SdkConfig) -> Self {
        let properties = vec![
            Property::new("Queues", Shape::set(Shape::Text)).required(),
            Property::new("PolicyDocument", Shape::Policy).required(),
        ];
        Self {
            sqs: Client::new(config),
            schema: Schema::new(TYPE, properties, &["Id"]).belongs_to("AWS::SQS::Queue", "Queues"),
        }
    }

    async fn policy(&self, url: &str) -> Result<Option<Value>, ProviderError> {
        let asked = self.sqs.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::Policy).send();
        match asked.await.map_err(failed("sqs:GetQueueAttributes")) {
            Err(error) if is_missing(&error) => Ok(None),
            answer => {
                let attributes = answer?.attributes.unwrap_or_default();
                Ok(attributes.get(&QueueAttributeName::Policy).filter(|text| !text.is_empty()).map(|text| parsed(text)))
            }
        }
    }

    /// The mark first: a policy without it would not be found again.
    async fn put(&self, url: &str, key: &str, document: &str, progress: &Progress) -> Result<(), ProviderError> {
        let marked = self.sqs.tag_queue().queue_url(url).tags(MARK, key);
        marked.send().await.map_err(failed("sqs:TagQueue"))?;
        let settling = |error: &ProviderError| queue_policy_settling(error, document);
        retry_until("SQS to take the queue's policy", Limit::seconds(60), progress, settling, || async {
            let call = self.sqs.set_queue_attributes().queue_url(url).attributes(QueueAttributeName::Policy, document);
            call.send().await.map_err(failed("sqs:SetQueueAttributes")).map(drop)
        })
        .await
    }

    async fn remove(&self, url: &str) -> Result<(), ProviderError> {
        let call = self.sqs.set_queue_attributes().queue_url(url).attributes(QueueAttributeName::Policy, "");
        match call.send().await.map_err(failed("sqs:SetQueueAttributes")) {
            Err(error) if is_missing(&error) => return Ok(()),
            cleared => cleared?,
        };
        let unmarked = self.sqs.untag_queue().queue_url(url).tag_keys(MARK);
        match unmarked.send().await.map_err(failed("sqs:UntagQueue")) {
            // Its queue may go at the same time.
            Err(error) if is_missing(&error) => Ok(()),
            unmarked => unmarked.map(drop),
        }
    }

    /// The URL of a queue that has the policy still.
    async fn marked(&self, name: &str, key: &str) -> Result<Option<String>, ProviderError> {
        let url = match self.sqs.get_queue_url().queue_name(name).send().await.map_err(failed("sqs:GetQueueUrl")) {
            Err(error) if is_missing(&error) => return Ok(None),
            answer => answer?.queue_url.unwrap_or_default(),
        };
        Ok(self.still_marked(&url, key).await?.then_some(url))
    }

    /// Whether a queue has what left the template: another policy may be on it by now.
    async fn still_marked(&self, url: &str, key: &str) -> Result<bool, ProviderError> {
        match self.sqs.list_queue_tags().queue_url(url).send().await.map_err(failed("sqs:ListQueueTags")) {
            Err(error) if is_missing(&error) => Ok(false),
            answer => Ok(answer?.tags.unwrap_or_default().get(MARK).is_some_and(|found| found == key)),
        }
    }

    async fn put_on_all(&self, resource: &Resource, progress: &Progress) -> Result<Observed, ProviderError> {
        let document = Fields(&resource.properties).document("PolicyDocument").unwrap_or_default();
        let urls = urls(&resource.properties);
        try_join_all(urls.iter().map(|url| self.put(url, &resource.physical_id, &document, progress))).await?;
        Ok(Observed { tags: BTreeMap::new(), handle: json!({"Queues": urls}), ..as_wanted(resource) })
    }
}

fn urls(properties: &Value) -> Vec<String> {
    Fields(properties).texts("Queues").unwrap_or_default()
}

/// Whether one of these policies is on the queue, among others.
fn covers(keys: &BTreeSet<String>, queue: &str) -> bool {
    keys.iter().any(|key| parts_of(key).any(|name| name == queue))
}

fn found((key, urls): (String, Vec<String>)) -> Observed {
    Observed { handle: json!({"Queues": urls}), ..listed(TYPE, key, BTreeMap::new(), BTreeMap::new()) }
}

#[async_trait]
impl Provider for QueuePolicyProvider {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Its key.
    fn physical_id(&self, logical_id: &str, properties: &Value, scope: &Scope) -> Result<String, ProviderError> {
        let urls = urls(properties);
        let names: BTreeSet<&str> = urls.iter().filter_map(|url| url.rsplit('/').next()).collect();
        Ok(if names.is_empty() { logical_id.to_owned() } else { own_key(scope, names) })
    }

    fn attributes(&self, physical_id: &str, _properties: &Value, _scope: &Scope) -> BTreeMap<String, Value> {
        ["Ref", "Id"].map(|name| (name.to_owned(), physical_id.into())).into()
    }

    async fn read(&self, resource: &Resource) -> Result<Option<Observed>, ProviderError> {
        let urls = urls(&resource.properties);
        let policies = try_join_all(urls.iter().map(|url| self.policy(url))).await?;
        let with: Vec<&String> =
            urls.iter().zip(&policies).filter(|(_, policy)| policy.is_some()).map(|pair| pair.0).collect();
        Ok(odd_one(&policies, Fields(&resource.properties).get("PolicyDocument")).map(|document| Observed {
            properties: json!({"Queues": with, "PolicyDocument": document}),
            tags: BTreeMap::new(),
            handle: json!({"Queues": urls}),
            ..as_wanted(resource)
        }))
    }

    async fn create(&self, resource: &Resource, progress: &Progress) -> Result<Observed, ProviderError> {
        self.put_on_all(resource, progress).await
    }

    async fn update(
        &self,
        resource: &Resource,
        _observed: &Observed,
        _differences: &[Difference],
        progress: &Progress,
    ) -> Result<Observed, ProviderError> {
        self.put_on_all(resource, progress).await
    }

    async fn delete(
        &self,
        observed: &Observed,
        _options: DeleteOptions,
        _progress: &Progress,
    ) -> Result<(), ProviderError> {
        let (urls, mark) = (urls(&observed.handle), Fields(&observed.handle).text("Mark"));
        let removals = urls.iter().map(async |url| match &mark {
            Some(mark) if !self.still_marked(url, mark).await? => Ok(()),
            _ => self.remove(url).await,
        });
        try_join_all(removals).await.map(drop)
    }

    /// The mark tells it: no call is needed. Another stack's policy on the queue is that stack's, and a queue that a policy of the template
    /// has by now is no longer the earlier one's.
    async fn find_on(&self, parents: &[&Observed], named: &BTreeSet<String>) -> Result<Vec<Observed>, ProviderError> {
        let mut by_key: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for queue in parents.iter().filter(|queue| !covers(named, &queue.physical_id)) {
            let key = queue.tags.get(MARK).filter(|key| is_key_of(key, &queue.tags));
            if let (Some(key), Some(url)) = (key, Fields(&queue.handle).text("QueueUrl")) {
                by_key.entry(key.clone()).or_default().push(url);
            }
        }
        Ok(by_key.into_iter().filter(|(key, _)| !named.contains(key)).map(found).collect())
    }

    async fn find_kept(&self, physical_id: &str, named: &BTreeSet<String>) -> Result<Option<Observed>, ProviderError> {
        let names = parts_of(physical_id).filter(|name| !covers(named, name));
        let looks = names.map(|name| self.marked(name, physical_id));
        let urls: Vec<String> = try_join_all(looks).await?.into_iter().flatten().collect();
        let handle = json!({"Queues": urls, "Mark": physical_id});
        Ok((!urls.is_empty()).then(|| Observed { handle, ..found((physical_id.to_owned(), urls)) }))
    }

    fn permissions(&self) -> Permissions<'_> {
        Permissions {
            read: vec!["sqs:GetQueueAttributes"],
            write: vec!["sqs:SetQueueAttributes", "sqs:TagQueue"],
            delete: vec!["sqs:SetQueueAttributes", "sqs:UntagQueue"],
            ..Permissions::default()
        }
    }

    /// Those of its queues; a URL ends with the name.
    fn arns(&self, resource: &Resource, scope: &Scope) -> Vec<String> {
        let urls = urls(&resource.properties);
        urls.iter().filter_map(|url| url.rsplit('/').next()).map(|name| scope.arn("sqs", name)).collect()
    }
}
