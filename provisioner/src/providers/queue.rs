//! `AWS::SQS::Queue`.
//!
//! | property | a change | left out |
//! |---|---|---|
//! | QueueName | replaces | stack and logical id |
//! | FifoQueue | replaces | false |
//! | VisibilityTimeout | in place | 30 |
//! | MessageRetentionPeriod | in place; a lower one asks first, as what is older goes | 345600 |
//! | DelaySeconds, ReceiveMessageWaitTimeSeconds | in place | 0 |
//! | MaximumMessageSize | in place | 1048576; 262144, which was AWS's default before, stays |
//! | RedrivePolicy, RedriveAllowPolicy | in place | removed |
//! | KmsMasterKeyId | in place | removed |
//! | KmsDataKeyReusePeriodSeconds | in place | 300 |
//! | SqsManagedSseEnabled | in place | true; not compared beside KmsMasterKeyId (E45) |
//! | ContentBasedDeduplication, DeduplicationScope, FifoThroughputLimit | in place | false, queue, perQueue |
//! | Tags | in place | |

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;
use futures::stream::{self, StreamExt};
use serde_json::{Map, Value, json};

use super::claim::take_over;
use super::clients::own_endpoint;
use super::errors::failed;
use super::fields::Fields;
use super::names::Naming;
use super::observed::{as_wanted, listed};
use super::tags::TagChanges;
use super::transient::queue_settling;
use crate::account::url_suffix;
use crate::engine::{
    Absent, DeleteOptions, Difference, Grant, Limit, Observed, Permissions, Poll, Progress, Property, Provider,
    ProviderError, Resource, Schema, Scope, Shape, poll_until, retry_until,
};

const TYPE: &str = "AWS::SQS::Queue";
const FIFO: &str = ".fifo";
const NAMING: Naming = Naming { kind: "queue", property: "QueueName", longest: 80, marks: "-_." };

/// AWS's default, and what it was before 2025.
const LARGEST_MESSAGE: u64 = 1_048_576;
const LARGEST_MESSAGE_BEFORE: u64 = 262_144;

/// How long a name that was just deleted, or a new dead-letter queue, is waited for.
const SETTLES: Limit = Limit::seconds(90);

/// How often in a row a deleted queue must be not found, as AWS's answers differ for a while (E43).
const GONE_LOOKS: usize = 3;

/// How many queues' tags are read side by side.
const WIDTH: usize = 16;

/// How AWS says that a policy refuses this queue, its own say, and not that the caller's right is missing.
const BY_A_POLICY: &str = "explicit deny";

/// Queues, over SQS.
pub(super) struct QueueProvider {
    sqs: Client,
    own_endpoint: Option<String>,
    /// Whether a queue has told its tags, so that the caller may ask for them.
    told_tags: AtomicBool,
    schema: Schema,
}

impl QueueProvider {
    pub(super) fn new(config: &SdkConfig) -> Self {
        let own_endpoint = own_endpoint(config, "SQS");
        Self { sqs: Client::new(config), own_endpoint, told_tags: AtomicBool::new(false), schema: schema() }
    }

    /// The URL follows from the name, so that attributes and tags can be read without asking for it.
    fn url(&self, name: &str, scope: &Scope) -> String {
        let suffix = url_suffix(&scope.partition);
        match &self.own_endpoint {
            Some(endpoint) => format!("{}/{}/{name}", endpoint.trim_end_matches('/'), scope.account),
            None => format!("https://sqs.{}.{suffix}/{}/{name}", scope.region, scope.account),
        }
    }

    async fn attributes_of(&self, url: &str) -> Result<HashMap<QueueAttributeName, String>, ProviderError> {
        let asked = self.sqs.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::All).send();
        Ok(asked.await.map_err(failed("sqs:GetQueueAttributes"))?.attributes.unwrap_or_default())
    }

    async fn tags_of(&self, url: &str) -> Result<BTreeMap<String, String>, ProviderError> {
        let answer = self.sqs.list_queue_tags().queue_url(url).send().await.map_err(failed("sqs:ListQueueTags"))?;
        self.told_tags.store(true, Ordering::Relaxed);
        Ok(answer.tags.unwrap_or_default().into_iter().collect())
    }

    /// Whether any queue has told its tags to this caller; where none was asked that the template names, one is.
    async fn may_ask(&self, named: &[String]) -> bool {
        if let Some(url) = named.first().filter(|_| !self.told_tags.load(Ordering::Relaxed)) {
            return self.tags_of(url).await.is_ok();
        }
        self.told_tags.load(Ordering::Relaxed)
    }

    async fn urls(&self) -> Result<Vec<String>, ProviderError> {
        // Without a page size SQS gives 1,000 and no token (E3).
        let pages = self.sqs.list_queues().max_results(1000).into_paginator().items().send();
        pages.try_collect().await.map_err(failed("sqs:ListQueues"))
    }

    async fn found(&self, url: String, scope: &Scope) -> Result<Option<Observed>, ProviderError> {
        let tags = self.tags_of(&url).await?;
        let name = name_in(&url).to_owned();
        Ok(scope.owns(&tags).then(|| {
            let attributes = self.attributes(&name, &Value::Null, scope);
            Observed { handle: json!({"QueueUrl": url}), ..listed(TYPE, name, tags, attributes) }
        }))
    }

    async fn call_create(&self, resource: &Resource) -> Result<(), ProviderError> {
        let call = self.sqs.create_queue().queue_name(&resource.physical_id);
        let call = call.set_attributes(Some(attributes(&resource.properties, |_| true)));
        let tags = resource.tags.clone().into_iter().collect();
        call.set_tags(Some(tags)).send().await.map_err(failed("sqs:CreateQueue"))?;
        Ok(())
    }

    async fn set_attributes(
        &self,
        url: &str,
        changed: HashMap<QueueAttributeName, String>,
    ) -> Result<(), ProviderError> {
        if !changed.is_empty() {
            let call = self.sqs.set_queue_attributes().queue_url(url).set_attributes(Some(changed));
            call.send().await.map_err(failed("sqs:SetQueueAttributes"))?;
        }
        Ok(())
    }

    async fn set_tags(&self, url: &str, changes: TagChanges) -> Result<(), ProviderError> {
        if !changes.removed.is_empty() {
            let call = self.sqs.untag_queue().queue_url(url).set_tag_keys(Some(changes.removed));
            call.send().await.map_err(failed("sqs:UntagQueue"))?;
        }
        if !changes.set.is_empty() {
            let call = self.sqs.tag_queue().queue_url(url).set_tags(Some(changes.set.into_iter().collect()));
            call.send().await.map_err(failed("sqs:TagQueue"))?;
        }
        Ok(())
    }

    async fn wait_until_gone(&self, name: &str, progress: &Progress) -> Result<(), ProviderError> {
        let missing = AtomicUsize::new(0);
        let look = || async {
            if self.is_gone(name).await? {
                missing.fetch_add(1, Ordering::Relaxed);
            } else {
                missing.store(0, Ordering::Relaxed);
            }
            Ok(match missing.load(Ordering::Relaxed) {
                GONE_LOOKS => Poll::Ready(()),
                _ => Poll::Pending("the deleted queue still answers now and then".into()),
            })
        };
        poll_until("the queue to be gone", Limit::seconds(90), progress, look).await
    }

    async fn is_gone(&self, name: &str) -> Result<bool, ProviderError> {
        match self.sqs.get_queue_url().queue_name(name).send().await.map_err(failed("sqs:GetQueueUrl")) {
            Err(error) if is_missing(&error) => Ok(true),
            answer => answer.map(|_| false),
        }
    }
}

fn schema() -> Schema {
    let redrive = vec![
        Property::new("deadLetterTargetArn", Shape::Text).required(),
        Property::new("maxReceiveCount", Shape::Integer).required(),
    ];
    let allow = vec![
        Property::new("redrivePermission", Shape::Text),
        Property::new("sourceQueueArns", Shape::set(Shape::Text)),
    ];
    let properties = vec![
        Property::new("QueueName", Shape::Text).replaces(),
        Property::new("FifoQueue", Shape::Boolean).replaces().default(false),
        Property::new("VisibilityTimeout", Shape::Integer).default(30),
        Property::new("MessageRetentionPeriod", Shape::Integer).default(345_600).loses_when_lowered(),
        Property::new("DelaySeconds", Shape::Integer).default(0),
        Property::new("ReceiveMessageWaitTimeSeconds", Shape::Integer).default(0),
        Property::new("MaximumMessageSize", Shape::Integer).default(LARGEST_MESSAGE),
        Property::new("RedrivePolicy", Shape::Object(redrive)).removed_when_absent().or_json_text(),
        Property::new("RedriveAllowPolicy", Shape::Object(allow)).removed_when_absent().or_json_text(),
        Property::new("KmsMasterKeyId", Shape::Text).removed_when_absent(),
        Property::new("KmsDataKeyReusePeriodSeconds", Shape::Integer).default(300),
        Property::new("SqsManagedSseEnabled", Shape::Boolean).default(true),
        Property::new("ContentBasedDeduplication", Shape::Boolean).default(false),
        Property::new("DeduplicationScope", Shape::Text).default("queue"),
        Property::new("FifoThroughputLimit", Shape::Text).default("perQueue"),
        Property::new("Tags", Shape::Tags),
    ];
    Schema::new(TYPE, properties, &["Arn", "QueueName", "QueueUrl"])
}

/// The attributes of SQS have the very names of the properties; the name itself is none.
fn attributes(properties: &Value, wanted: impl Fn(&str) -> bool) -> HashMap<QueueAttributeName, String> {
    let fields = Fields(properties);
    let names = properties.as_object().into_iter().flat_map(Map::keys).map(String::as_str);
    names
        .filter(|name| *name != "QueueName" && wanted(name))
        // SQS refuses FifoQueue=false.
        .filter(|name| *name != "FifoQueue" || fields.boolean(name) == Some(true))
        .filter_map(|name| Some((QueueAttributeName::from(name), fields.text(name)?)))
        .collect()
}

/// What an update sends for a property that the template leaves out: AWS's default, or the empty text that clears it.
fn cleared(schema: &Schema, name: &str) -> String {
    match schema.property(name).map(|property| &property.absent) {
        Some(Absent::Default(value)) => value.as_str().map_or_else(|| value.to_string(), str::to_owned),
        _ => String::new(),
    }
}

/// Without what AWS has filled in by another rule than one default.
fn properties(
    name: &str,
    wanted: Fields<'_>,
    attributes: &HashMap<QueueAttributeName, String>,
    schema: &Schema,
) -> Value {
    let mut properties = Map::new();
    properties.insert("QueueName".into(), name.into());
    for (attribute, text) in attributes {
        let Some(property) = schema.property(attribute.as_str()).filter(|_| !text.is_empty()) else { continue };
        let value = match property.shape {
            Shape::Text => Value::from(text.as_str()),
            _ => serde_json::from_str(text).unwrap_or_else(|_| text.as_str().into()),
        };
        let filled_in = !wanted.has(&property.name)
            && match attribute {
                QueueAttributeName::MaximumMessageSize => value == LARGEST_MESSAGE_BEFORE,
                QueueAttributeName::SqsManagedSseEnabled => wanted.has("KmsMasterKeyId"),
                _ => false,
            };
        if !filled_in {
            properties.insert(property.name.clone(), value);
        }
    }
    Value::Object(properties)
}

/// What a listing of all queues with their tags needs.
pub(super) fn find_queues(scope: &Scope) -> Vec<Grant> {
    vec![Grant::anywhere(&["sqs:ListQueues"]), Grant::on(scope.arn("sqs", "*"), &["sqs:ListQueueTags"])]
}

/// Those that are ours, but for queues that are gone, and for others' that refuse to tell their tags to one who `may_ask`, as another
/// queue has told them. Else it may be the caller who lacks the right, and any of them be ours.
fn without_closed(
    looks: Vec<Result<Option<Observed>, ProviderError>>,
    may_ask: bool,
) -> Result<Vec<Observed>, ProviderError> {
    let is_closed = |error: &ProviderError| match error {
        ProviderError::Denied { message, .. } => may_ask || message.contains(BY_A_POLICY),
        error => is_missing(error),
    };
    looks.into_iter().filter(|look| !look.as_ref().is_err_and(is_closed)).filter_map(Result::transpose).collect()
}

/// Both spellings that SQS has for it (E2).
pub(super) fn is_missing(error: &ProviderError) -> bool {
    error.code().is_some_and(|code| code.contains("NonExistentQueue") || code.contains("QueueDoesNotExist"))
}

/// The name is taken by a queue with other attributes, in both spellings (E2).
fn is_taken(error: &ProviderError) -> bool {
    error.code().is_some_and(|code| code.contains("QueueNameExists") || code.contains("QueueAlreadyExists"))
}

/// A FIFO queue's name ends with `.fifo`, and no name has another dot.
fn check_ending(name: &str, fifo: bool) -> Result<(), ProviderError> {
    let (stem, told) = match fifo {
        true => (name.strip_suffix(FIFO).unwrap_or_default(), "a FIFO queue's name must end with .fifo"),
        false => (name, "only a FIFO queue's name may have a dot, before fifo at its end"),
    };
    match stem.is_empty() || stem.contains('.') {
        true => Err(NAMING.bad(
            format!("the queue name {name:?} is not one that SQS takes: {told}"),
            "give another QueueName, or set FifoQueue as it is meant".into(),
        )),
        false => Ok(()),
    }
}

fn name_in(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or_default()
}

fn url_of(resource: &Resource) -> String {
    Fields(&json!(resource.attributes)).text("Ref").unwrap_or_default()
}

#[async_trait]
impl Provider for QueueProvider {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn physical_id(&self, logical_id: &str, properties: &Value, scope: &Scope) -> Result<String, ProviderError> {
        let fifo = Fields(properties).boolean("FifoQueue") == Some(true);
        if fifo && !Fields(properties).has("QueueName") {
            let naming = Naming { longest: NAMING.longest - FIFO.len(), ..NAMING };
            return Ok(naming.name(logical_id, &[], properties, scope)? + FIFO);
        }
        let name = NAMING.name(logical_id, &[], properties, scope)?;
        check_ending(&name, fifo)?;
        Ok(name)
    }

    fn attributes(&self, physical_id: &str, _properties: &Value, scope: &Scope) -> BTreeMap<String, Value> {
        let url = self.url(physical_id, scope);
        [
            ("Ref", url.clone()),
            ("QueueUrl", url),
            ("Arn", scope.arn("sqs", physical_id)),
            ("QueueName", physical_id.to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value.into()))
        .into()
    }

    async fn read(&self, resource: &Resource) -> Result<Option<Observed>, ProviderError> {
        let url = url_of(resource);
        let (attributes, tags) = match futures::try_join!(self.attributes_of(&url), self.tags_of(&url)) {
            Err(error) if is_missing(&error) => return Ok(None),
            both => both?,
        };
        Ok(Some(Observed {
            properties: properties(&resource.physical_id, Fields(&resource.properties), &attributes, &self.schema),
            tags,
            handle: json!({"QueueUrl": url}),
            ..as_wanted(resource)
        }))
    }

    async fn create(&self, resource: &Resource, progress: &Progress) -> Result<Observed, ProviderError> {
        let condition = "SQS to take the new queue";
        let made = retry_until(condition, SETTLES, progress, queue_settling, || self.call_create(resource));
        match made.await {
            Ok(()) => Ok(Observed { handle: json!({"QueueUrl": url_of(resource)}), ..as_wanted(resource) }),
            // Same name, other attributes: an earlier or another run, or someone else (E44).
            Err(error) if is_taken(&error) => take_over(self, resource, progress).await,
            Err(error) => Err(error),
        }
    }

    async fn update(
        &self,
        resource: &Resource,
        _observed: &Observed,
        differences: &[Difference],
        progress: &Progress,
    ) -> Result<Observed, ProviderError> {
        let names = differences.iter().map(Difference::property).filter(|name| *name != "Tags");
        let changed = names.map(|name| {
            let text = Fields(&resource.properties).text(name).unwrap_or_else(|| cleared(&self.schema, name));
            (QueueAttributeName::from(name), text)
        });
        let (url, changed) = (url_of(resource), changed.collect::<HashMap<_, _>>());
        // A dead-letter queue that this run has made is new for one that was there before, too (E9).
        let set = retry_until("SQS to take the queue's attributes", SETTLES, progress, queue_settling, || {
            self.set_attributes(&url, changed.clone())
        });
        futures::try_join!(set, self.set_tags(&url, TagChanges::of(resource, differences)))?;
        Ok(Observed { handle: json!({"QueueUrl": url}), ..as_wanted(resource) })
    }

    async fn delete(
        &self,
        observed: &Observed,
        _options: DeleteOptions,
        _progress: &Progress,
    ) -> Result<(), ProviderError> {
        let url = Fields(&observed.handle).text("QueueUrl").unwrap_or_default();
        match self.sqs.delete_queue().queue_url(url).send().await.map_err(failed("sqs:DeleteQueue")) {
            Err(error) if is_missing(&error) => Ok(()),
            deleted => deleted.map(drop),
        }
    }

    async fn gone(
        &self,
        observed: &Observed,
        options: DeleteOptions,
        progress: &Progress,
    ) -> Result<(), ProviderError> {
        match options.no_wait {
            true => Ok(()),
            false => self.wait_until_gone(&observed.physical_id, progress).await,
        }
    }

    async fn find(&self, scope: &Scope, named: &BTreeSet<String>) -> Result<Vec<Observed>, ProviderError> {
        let (named, others): (Vec<_>, Vec<_>) =
            self.urls().await?.into_iter().partition(|url| named.contains(name_in(url)));
        let looks = stream::iter(others).map(|url| self.found(url, scope)).buffer_unordered(WIDTH);
        let looks: Vec<_> = looks.collect().await;
        let may_ask = looks.iter().any(Result::is_err) && self.may_ask(&named).await;
        without_closed(looks, may_ask)
    }

    /// Only a new name replaces it.
    fn remade_in_place(&self) -> bool {
        false
    }

    fn permissions(&self) -> Permissions<'_> {
        Permissions {
            read: vec!["sqs:GetQueueAttributes", "sqs:ListQueueTags"],
            write: vec!["sqs:CreateQueue", "sqs:SetQueueAttributes", "sqs:TagQueue", "sqs:UntagQueue"],
            delete: vec!["sqs:DeleteQueue", "sqs:GetQueueUrl"],
            ..Permissions::default()
        }
    }

    fn find_permissions(&self, scope: &Scope) -> Vec<Grant> {
        find_queues(scope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e2_both_spellings_of_a_missing_queue_are_one() {
        for code in ["QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"] {
            let error =
                ProviderError::Api { operation: "sqs:GetQueueUrl".into(), code: code.into(), message: String::new() };
            assert!(is_missing(&error), "{code}");
        }
    }

    #[test]
    fn e5_a_name_ends_with_fifo_if_the_queue_is_one_and_has_no_other_dot() {
        for (name, fifo, good) in [
            ("jobs", false, true),
            ("jobs.fifo", true, true),
            ("jobs", true, false),
            (".fifo", true, false),
            ("a.b.fifo", true, false),
            ("jobs.fifo", false, false),
            ("a.b", false, false),
        ] {
            assert_eq!(check_ending(name, fifo).is_ok(), good, "{name} {fifo}");
        }
    }

    #[test]
    fn a_cleared_property_is_sent_as_its_default_or_empty() {
        let schema = schema();
        assert_eq!(cleared(&schema, "VisibilityTimeout"), "30");
        assert_eq!(cleared(&schema, "RedrivePolicy"), "");
    }

    #[test]
    fn e45_attributes_come_back_in_the_template_shape() {
        let attributes = [
            (QueueAttributeName::VisibilityTimeout, "60"),
            (QueueAttributeName::SqsManagedSseEnabled, "true"),
            (QueueAttributeName::RedrivePolicy, r#"{"deadLetterTargetArn":"arn","maxReceiveCount":"5"}"#),
            (QueueAttributeName::CreatedTimestamp, "1"),
        ]
        .map(|(name, text)| (name, text.to_owned()));
        assert_eq!(
            properties("jobs", Fields(&Value::Null), &attributes.into(), &schema()).as_object().map(|map| map.len()),
            Some(4),
            "the name and three of the four attributes"
        );
    }
}
