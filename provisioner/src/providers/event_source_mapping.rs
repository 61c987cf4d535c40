//! `AWS::Lambda::EventSourceMapping`.
//!
//! A mapping has no name (E31): it is known by what it joins, and found by listing the source's mappings.
//!
//! | property | a change | left out |
//! |---|---|---|
//! | EventSourceArn | replaces | required |
//! | FunctionName | in place: a stream's position stays; where the pair has a mapping already, that, and the earlier one goes | required |
//! | StartingPosition, StartingPositionTimestamp | replaces | not compared |
//! | Enabled | in place; a written-down pause is no difference | true |
//! | BatchSize | in place | 10 for a queue, else 100 |
//! | MaximumBatchingWindowInSeconds | in place | 0 |
//! | FunctionResponseTypes, ScalingConfig, FilterCriteria, KmsKeyArn | in place | removed (E32, E36) |
//! | ProvisionedPollerConfig, MetricsConfig, DestinationConfig | in place | removed |
//! | MaximumRecordAgeInSeconds, MaximumRetryAttempts | in place | -1: no limit |
//! | BisectBatchOnFunctionError, ParallelizationFactor, TumblingWindowInSeconds | in place | false, 1, 0 |
//! | Tags | in place | |

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::DateTime;
use aws_sdk_lambda::types::EventSourceMappingConfiguration;
use serde_json::{Value, json};

use super::claim::take_over;
use super::clients::lambda_client;
use super::errors::{failed, none_if};
use super::fields::Fields;
use super::lambda_tags::{set_tags, tags_of};
use super::mapping_found::{
    attributes, configuration, handle, is_being_deleted, key, nothing_hangs_on, observed, state, tagging_arn, uuid_of,
};
use super::mapping_settings::{Settings, starting_position, with_filters};
use super::observed::{self, as_wanted, listed};
use super::tagged::{Tagged, Tags, is_new};
use super::tags::TagChanges;
use super::transient::{mapping_busy, mapping_settling};
use crate::engine::{
    DeleteOptions, Difference, Grant, Limit, Misses, Needed, Observed, Permissions, Poll, Progress, Property, Provider,
    ProviderError, Resource, Schema, Scope, Shape, State, poll_until, retry_until, tag,
};

const TYPE: &str = "AWS::Lambda::EventSourceMapping";

/// What CloudFormation knows of it, and is refused here.
const UNMADE: [&str; 9] = [
    "AmazonManagedKafkaEventSourceConfig",
    "DocumentDBEventSourceConfig",
    "LoggingConfig",
    "PollerGroupName",
    "Queues",
    "SelfManagedEventSource",
    "SelfManagedKafkaEventSourceConfig",
    "SourceAccessConfigurations",
    "Topics",
];
const MISSING: &str = "ResourceNotFoundException";

/// How many mappings' tags are read side by side; Lambda allows 15 such calls a second (E28).
const WIDTH: usize = 8;

/// A change of a mapping takes seconds, of an unlucky one minutes (E33).
const SETTLES: Limit = Limit::seconds(600);

/// How long the function's role, and what it may do, is waited for.
const ROLE_SETTLES: Limit = Limit::seconds(120);

/// Mappings from a queue or a stream to a function, over Lambda.
pub(super) struct EventSourceMappingProvider {
    lambda: Client,
    tagging: Tagged,
    schema: Schema,
}

impl EventSourceMappingProvider {
    pub(super) fn new(config: &SdkConfig) -> Self {
        Self { lambda: lambda_client(config), tagging: Tagged::new(config), schema: schema() }
    }

    /// Listed by the source alone: the function may be gone, and its mappings outlive it (E31, E42).
    async fn listed(&self, source: Option<&str>) -> Result<Vec<EventSourceMappingConfiguration>, ProviderError> {
        let asked = self.lambda.list_event_source_mappings().set_event_source_arn(source.map(str::to_owned));
        let listed: Result<Vec<_>, _> =
            asked.into_paginator().items().send().try_collect().await.map_err(failed("lambda:ListEventSourceMappings"));
        Ok(none_if(MISSING, listed)?.unwrap_or_default())
    }

    /// The mapping of the resource's source and function.
    async fn joining(&self, resource: &Resource) -> Result<Option<EventSourceMappingConfiguration>, ProviderError> {
        let joining = self.of_source(resource).await?.into_iter().find(|mapping| joins(mapping, resource));
        self.whole(joining).await
    }

    async fn whole(
        &self,
        mapping: Option<EventSourceMappingConfiguration>,
    ) -> Result<Option<EventSourceMappingConfiguration>, ProviderError> {
        match mapping {
            Some(mapping) => with_filters(&self.lambda, mapping).await.map(Some),
            None => Ok(None),
        }
    }

    /// All mappings of the resource's source, to whatever function, with those that are still being deleted.
    async fn of_source(&self, resource: &Resource) -> Result<Vec<EventSourceMappingConfiguration>, ProviderError> {
        match Fields(&resource.properties).text("EventSourceArn") {
            Some(source) => self.listed(Some(&source)).await,
            None => Ok(Vec::new()),
        }
    }

    /// Waits until the earlier mapping of the pair is gone, where there is one that is being deleted (E33); whether there was.
    async fn earlier_gone(&self, resource: &Resource, progress: &Progress) -> Result<bool, ProviderError> {
        let leaves = |one: &EventSourceMappingConfiguration| is_being_deleted(one) && is_of_pair(one, resource);
        let leaving = self.of_source(resource).await?.into_iter().find(leaves);
        let Some(leaving) = leaving else { return Ok(false) };
        self.wait_until_gone(leaving.uuid().unwrap_or_default(), progress).await.map(|()| true)
    }

    async fn wait_until_gone(&self, uuid: &str, progress: &Progress) -> Result<(), ProviderError> {
        poll_until("the mapping to be gone", SETTLES, progress, || async {
            Ok(match self.get(uuid).await? {
                Some(_) => Poll::Pending("mapping is being deleted".into()),
                None => Poll::Ready(()),
            })
        })
        .await
    }

    /// The tags of the stack's mappings by their ARNs: in one round with the listing, which alone gives the ARN.
    async fn tagged(&self, resource: &Resource) -> Result<BTreeMap<String, Tags>, ProviderError> {
        let owner = |key: &str| resource.tags.get(key).map(String::as_str);
        let (Some(stack), Some(region)) = (owner(tag::STACK), owner(tag::REGION)) else { return Ok(BTreeMap::new()) };
        let found = self.tagging.of_stack(stack, region, None, &["lambda:event-source-mapping"]).await?;
        Ok(found.into_iter().collect())
    }

    async fn get(&self, uuid: &str) -> Result<Option<EventSourceMappingConfiguration>, ProviderError> {
        let asked = self.lambda.get_event_source_mapping().uuid(uuid).send().await;
        let found = none_if(MISSING, asked.map_err(failed("lambda:GetEventSourceMapping")))?;
        Ok(found.map(configuration))
    }

    /// Waits until the mapping takes changes again, and gives its last state.
    async fn settled(&self, uuid: &str, progress: &Progress) -> Result<String, ProviderError> {
        let misses = Misses::default();
        poll_until("the mapping to be settled", SETTLES, progress, || async {
            let Some(found) = self.get(uuid).await? else { return misses.missed("mapping") };
            misses.found();
            let word = found.state.unwrap_or_else(|| "without a state".into());
            Ok(match word.as_str() {
                "Enabled" | "Disabled" => Poll::Ready(word),
                _ => Poll::Pending(format!("mapping is {word}")),
            })
        })
        .await
    }

    async fn call_create(&self, resource: &Resource) -> Result<EventSourceMappingConfiguration, ProviderError> {
        let fields = Fields(&resource.properties);
        let (position, timestamp) = starting_position(fields)?;
        let call = self.lambda.create_event_source_mapping().set_event_source_arn(fields.text("EventSourceArn"));
        let call = call.set_function_name(fields.text("FunctionName"));
        let call = call.set_starting_position(position).set_starting_position_timestamp(timestamp);
        let call = call.enabled(fields.boolean("Enabled").unwrap_or(true));
        let call = call.set_tags(Some(resource.tags.clone().into_iter().collect()));
        let call = Settings::of(&resource.properties, |name| fields.has(name)).on_create(call);
        let made = call.send().await.map_err(failed("lambda:CreateEventSourceMapping"))?;
        Ok(EventSourceMappingConfiguration::builder()
            .set_uuid(made.uuid)
            .set_state(made.state)
            .set_event_source_mapping_arn(made.event_source_mapping_arn)
            .build())
    }

    /// Enabled is sent with every change, as a paused mapping must stay paused.
    async fn call_update(
        &self,
        resource: &Resource,
        uuid: &str,
        enabled: bool,
        changed: impl Fn(&str) -> bool,
    ) -> Result<(), ProviderError> {
        let call = self.lambda.update_event_source_mapping().uuid(uuid).enabled(enabled);
        let function = Fields(&resource.properties).text("FunctionName").filter(|_| changed("FunctionName"));
        let call = call.set_function_name(function);
        let call = Settings::of(&resource.properties, changed).on_update(call);
        call.send().await.map_err(failed("lambda:UpdateEventSourceMapping"))?;
        Ok(())
    }

    async fn found(
        &self,
        mapping: EventSourceMappingConfiguration,
        scope: &Scope,
    ) -> Result<Option<Observed>, ProviderError> {
        let arn = tagging_arn(&mapping);
        let Some(tags) = tags_of(&self.lambda, &arn).await?.filter(|tags| scope.owns(tags)) else { return Ok(None) };
        let (source, function) = (mapping.event_source_arn(), mapping.function_arn().unwrap_or_default());
        Ok(Some(Observed {
            state: state(&mapping, &tags),
            handle: handle(&mapping, &arn),
            ..listed(TYPE, key(function, source.unwrap_or_default()), tags, attributes(&mapping, &arn))
        }))
    }
}

/// The mapping of the pair; else the one that had the resource's logical id before its function was another.
fn this_one(
    listed: Vec<EventSourceMappingConfiguration>,
    resource: &Resource,
    tagged: &BTreeMap<String, Tags>,
) -> Option<EventSourceMappingConfiguration> {
    let id = resource.tags.get(tag::LOGICAL_ID);
    let has_id = |one: &EventSourceMappingConfiguration| {
        !is_being_deleted(one)
            && id.is_some()
            && tagged.get(&tagging_arn(one)).is_some_and(|tags| tags.get(tag::LOGICAL_ID) == id)
    };
    let place = listed.iter().position(|one| joins(one, resource)).or_else(|| listed.iter().position(has_id));
    place.map(|place| listed[place].clone())
}

fn joins(mapping: &EventSourceMappingConfiguration, resource: &Resource) -> bool {
    !is_being_deleted(mapping) && is_of_pair(mapping, resource)
}

fn is_of_pair(mapping: &EventSourceMappingConfiguration, resource: &Resource) -> bool {
    let source = Fields(&resource.properties).text("EventSourceArn").unwrap_or_default();
    key(mapping.function_arn().unwrap_or_default(), &source) == resource.physical_id
}

fn schema() -> Schema {
    let objects = |names: &[(&str, Shape)]| {
        Shape::Object(names.iter().map(|(name, shape)| Property::new(name, shape.clone())).collect())
    };
    let destination = objects(&[("OnFailure", objects(&[("Destination", Shape::Text)]))]);
    let pollers = objects(&[("MinimumPollers", Shape::Integer), ("MaximumPollers", Shape::Integer)]);
    let filters = objects(&[("Filters", Shape::set(objects(&[("Pattern", Shape::Json)])))]);
    let scaling = objects(&[("MaximumConcurrency", Shape::Integer)]);
    let properties = vec![
        Property::new("EventSourceArn", Shape::Text).required().replaces(),
        Property::new("FunctionName", Shape::Text).required(),
        Property::new("StartingPosition", Shape::Text).replaces(),
        Property::new("StartingPositionTimestamp", Shape::Integer).replaces(),
        Property::new("Enabled", Shape::Boolean).default(true),
        Property::new("BatchSize", Shape::Integer),
        Property::new("MaximumBatchingWindowInSeconds", Shape::Integer).default(0),
        Property::new("FunctionResponseTypes", Shape::set(Shape::Text)).removed_when_absent(),
        Property::new("ScalingConfig", scaling).removed_when_absent(),
        Property::new("FilterCriteria", filters).removed_when_absent(),
        Property::new("KmsKeyArn", Shape::Text).removed_when_absent(),
        Property::new("ProvisionedPollerConfig", pollers).removed_when_absent(),
        Property::new("MetricsConfig", objects(&[("Metrics", Shape::set(Shape::Text))])).removed_when_absent(),
        Property::new("DestinationConfig", destination).removed_when_absent(),
        Property::new("MaximumRecordAgeInSeconds", Shape::Integer).default(-1),
        Property::new("MaximumRetryAttempts", Shape::Integer).default(-1),
        Property::new("BisectBatchOnFunctionError", Shape::Boolean).default(false),
        Property::new("ParallelizationFactor", Shape::Integer).default(1),
        Property::new("TumblingWindowInSeconds", Shape::Integer).default(0),
        Property::new("Tags", Shape::Tags),
    ];
    Schema::new(TYPE, properties, &["Id", "EventSourceMappingArn"])
        .joins(&["EventSourceArn", "FunctionName"])
        .without(&UNMADE)
}

#[async_trait]
impl Provider for EventSourceMappingProvider {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn physical_id(&self, logical_id: &str, properties: &Value, _scope: &Scope) -> Result<String, ProviderError> {
        let fields = Fields(properties);
        let text = |name: &str| fields.text(name).unwrap_or_else(|| logical_id.to_owned());
        Ok(key(&text("FunctionName"), &text("EventSourceArn")))
    }

    fn attributes(&self, _physical_id: &str, _properties: &Value, _scope: &Scope) -> BTreeMap<String, Value> {
        BTreeMap::new()
    }

    async fn prepare(&self, resource: &mut Resource) -> Result<(), ProviderError> {
        let fields = Fields(&resource.properties);
        let source = fields.text("EventSourceArn").filter(|_| !fields.has("BatchSize"));
        if let Some(arn) = source {
            resource.properties["BatchSize"] = if arn.contains(":sqs:") { 10 } else { 100 }.into();
        }
        Ok(())
    }

    async fn read(&self, resource: &Resource) -> Result<Option<Observed>, ProviderError> {
        let Some(known) = Fields(&json!(resource.attributes)).text("EventSourceMappingArn") else {
            let (listed, mut tagged) = futures::try_join!(self.of_source(resource), self.tagged(resource))?;
            let Some(mapping) = self.whole(this_one(listed, resource, &tagged)).await? else { return Ok(None) };
            let arn = tagging_arn(&mapping);
            let told = tagged.remove(&arn).filter(|tags| nothing_hangs_on(tags, &mapping, resource));
            let tags = match told {
                Some(tags) => Some(tags),
                None => tags_of(&self.lambda, &arn).await?,
            };
            return Ok(tags.map(|tags| observed(resource, &mapping, tags)));
        };
        // Made by this run, so its tags need not wait for the listing.
        let (mapping, tags) = futures::try_join!(self.joining(resource), tags_of(&self.lambda, &known))?;
        Ok(mapping.zip(tags).map(|(mapping, tags)| observed(resource, &mapping, tags)))
    }

    /// Without its tags, which take a second round of calls: it goes with what it joins.
    async fn read_to_delete(&self, resource: &Resource) -> Result<Option<Observed>, ProviderError> {
        let mapping = self.joining(resource).await?;
        Ok(mapping.map(|mapping| observed(resource, &mapping, BTreeMap::new())))
    }

    async fn create(&self, resource: &Resource, progress: &Progress) -> Result<Observed, ProviderError> {
        let condition = "the role's policy to be in force";
        let make = || retry_until(condition, ROLE_SETTLES, progress, mapping_settling, || self.call_create(resource));
        let mapping = match make().await {
            // A mapping of the pair that is still being deleted conflicts too (E33).
            Err(error) if error.is("ResourceConflictException") => match self.earlier_gone(resource, progress).await? {
                true => make().await?,
                false => return take_over(self, resource, progress).await,
            },
            made => made?,
        };
        let uuid = mapping.uuid().unwrap_or_default();
        let word = match mapping.state() {
            Some(word @ ("Enabled" | "Disabled")) => word.to_owned(),
            _ => self.settled(uuid, progress).await?,
        };
        let arn = tagging_arn(&mapping);
        Ok(Observed {
            attributes: attributes(&mapping, &arn),
            handle: handle(&mapping, &arn),
            state: State::Ready(word),
            ..as_wanted(resource)
        })
    }

    async fn update(
        &self,
        resource: &Resource,
        observed: &Observed,
        differences: &[Difference],
        progress: &Progress,
    ) -> Result<Observed, ProviderError> {
        let uuid = uuid_of(observed);
        let changed = |name: &str| differences.iter().any(|difference| difference.property() == name);
        let paused = matches!(observed.state, State::Paused(_));
        let enabled = !paused && Fields(&resource.properties).boolean("Enabled").unwrap_or(true);
        let mut state = observed.state.clone();
        if differences.iter().any(|difference| difference.property() != "Tags") {
            // What the role of another function, or a new destination, wants may not be in force yet (E8).
            let settling = "the role's policy to be in force";
            let update = || async {
                let free = "the mapping's earlier change to end";
                retry_until(free, SETTLES, progress, mapping_busy, || {
                    self.call_update(resource, &uuid, enabled, changed)
                })
                .await
            };
            retry_until(settling, ROLE_SETTLES, progress, mapping_settling, update).await?;
            let word = self.settled(&uuid, progress).await?;
            state = if paused { state } else { State::Ready(word) };
        }
        let arn = Fields(&observed.handle).text("Arn").unwrap_or_default();
        set_tags(&self.lambda, &arn, TagChanges::of(resource, differences)).await?;
        Ok(Observed {
            attributes: observed.attributes.clone(),
            handle: observed.handle.clone(),
            state,
            ..as_wanted(resource)
        })
    }

    async fn delete(
        &self,
        observed: &Observed,
        _options: DeleteOptions,
        progress: &Progress,
    ) -> Result<(), ProviderError> {
        let uuid = uuid_of(observed);
        let deleted = retry_until("the mapping to take the delete", SETTLES, progress, mapping_busy, || async {
            let call = self.lambda.delete_event_source_mapping().uuid(&uuid);
            call.send().await.map_err(failed("lambda:DeleteEventSourceMapping"))
        });
        match deleted.await {
            Err(error) if error.is(MISSING) => Ok(()),
            deleted => deleted.map(drop),
        }
    }

    async fn gone(
        &self,
        observed: &Observed,
        _options: DeleteOptions,
        progress: &Progress,
    ) -> Result<(), ProviderError> {
        self.wait_until_gone(&uuid_of(observed), progress).await
    }

    async fn ready(&self, observed: &Observed, progress: &Progress) -> Result<(), ProviderError> {
        self.settled(&uuid_of(observed), progress).await.map(drop)
    }

    async fn find(&self, scope: &Scope, named: &BTreeSet<String>) -> Result<Vec<Observed>, ProviderError> {
        let is_named = |one: &EventSourceMappingConfiguration| {
            named.contains(&key(one.function_arn().unwrap_or_default(), one.event_source_arn().unwrap_or_default()))
        };
        let told = self.tagging.arns(scope, "lambda:event-source-mapping");
        let (listed, told) = futures::try_join!(self.listed(None), told)?;
        let may_be = |one: &EventSourceMappingConfiguration| {
            !is_named(one) && (told.contains(&tagging_arn(one)) || is_new(one.last_modified().map(DateTime::secs)))
        };
        let looks = listed.into_iter().filter(may_be).map(|mapping| self.found(mapping, scope));
        observed::found(looks, WIDTH).await
    }

    fn permissions(&self) -> Permissions<'_> {
        Permissions {
            read: vec![
                "lambda:ListEventSourceMappings",
                "lambda:ListTags",
                "tag:GetResources",
                // What a listing leaves out.
                "lambda:GetEventSourceMapping",
                "kms:Decrypt",
            ],
            write: vec![
                "kms:GenerateDataKey",
                "lambda:CreateEventSourceMapping",
                "lambda:GetEventSourceMapping",
                "lambda:UpdateEventSourceMapping",
                "lambda:TagResource",
                "lambda:UntagResource",
            ],
            delete: vec!["lambda:DeleteEventSourceMapping", "lambda:GetEventSourceMapping"],
            decided: ["lambda:GetEventSourceMapping", "kms:Decrypt", "kms:GenerateDataKey"]
                .map(|action| (action, Needed::Given("KmsKeyArn")))
                .into(),
        }
    }

    fn find_permissions(&self, scope: &Scope) -> Vec<Grant> {
        let all = scope.arn("lambda", "event-source-mapping:*");
        vec![
            Grant::anywhere(&["lambda:ListEventSourceMappings", "tag:GetResources"]),
            Grant::on(all, &["lambda:ListTags"]),
        ]
    }

    /// Its id is AWS's to choose.
    fn arns(&self, resource: &Resource, scope: &Scope) -> Vec<String> {
        let key = Fields(&resource.properties).text("KmsKeyArn").unwrap_or_else(|| scope.arn("kms", "key/*"));
        vec![scope.arn("lambda", "event-source-mapping:*"), key]
    }
}
