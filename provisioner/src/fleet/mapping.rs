//! The mapping that feeds the function from the jobs queue: it has no name, so it is found by the two that it joins (E31).

use std::sync::Arc;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::types::EventSourceMappingConfiguration;

use crate::engine::{Limit, Poll, Progress, ProviderError, poll_until, retry_until, tag};
use crate::providers::{failed, mapping_busy};

/// A change of a mapping takes seconds, of an unlucky one minutes (E33).
const SETTLES: Limit = Limit::seconds(600);

/// A mapping by the function and the queue that it joins.
#[derive(Clone, Debug)]
pub struct Mapping {
    client: Client,
    function: String,
    queue: String,
}

/// A mapping as Lambda shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub id: String,
    arn: String,
    /// `Enabled`, `Disabled`, or what it is on its way to: `Disabling`, ...
    pub state: String,
}

impl Seen {
    /// Whether jobs are given to functions, or soon will be.
    pub fn is_enabled(&self) -> bool {
        !matches!(self.state.as_str(), "Disabled" | "Disabling")
    }
}

impl Mapping {
    /// The mapping from the queue at `queue_url` to the function of this name.
    pub(super) fn new(client: Client, function: String, queue_url: &str) -> Self {
        let queue = queue_url.rsplit('/').next().unwrap_or(queue_url).to_owned();
        Self { client, function, queue }
    }

    /// The mapping; none where the stack is not up.
    pub(super) async fn look(&self) -> Result<Option<Seen>, ProviderError> {
        let pages = self.client.list_event_source_mappings().function_name(&self.function).into_paginator();
        let listed: Result<Vec<_>, _> =
            pages.items().send().try_collect().await.map_err(failed("lambda:ListEventSourceMappings"));
        let listed = match listed {
            Err(error) if error.is("ResourceNotFoundException") => return Ok(None),
            listed => listed?,
        };
        Ok(listed.into_iter().filter(|mapping| self.is_from_queue(mapping)).find_map(seen))
    }

    fn is_from_queue(&self, mapping: &EventSourceMappingConfiguration) -> bool {
        let source = mapping.event_source_arn().unwrap_or_default();
        source.rsplit_once(':').is_some_and(|(_, queue)| queue == self.queue) && mapping.state() != Some("Deleting")
    }

    /// Lets the mapping feed the function, or not, and waits until it is so.
    pub(super) async fn set_enabled(&self, seen: &Seen, enabled: bool) -> Result<(), ProviderError> {
        let progress = Progress::new("the mapping", Arc::new(|_| ()));
        retry_until("the mapping's earlier change to end", SETTLES, &progress, mapping_busy, || async {
            let call = self.client.update_event_source_mapping().uuid(&seen.id).enabled(enabled);
            call.send().await.map_err(failed("lambda:UpdateEventSourceMapping"))
        })
        .await?;
        let wanted = if enabled { "Enabled" } else { "Disabled" };
        poll_until("the mapping to be settled", SETTLES, &progress, || async {
            let found = self.client.get_event_source_mapping().uuid(&seen.id).send().await;
            let state = found.map_err(failed("lambda:GetEventSourceMapping"))?.state.unwrap_or_default();
            Ok(if state == wanted { Poll::Ready(()) } else { Poll::Pending(format!("mapping is {state}")) })
        })
        .await
    }

    /// Marks the mapping as paused on purpose, so that `up` does not take it for drift.
    pub(super) async fn tag(&self, seen: &Seen, reason: String) -> Result<(), ProviderError> {
        let call = self.client.tag_resource().resource(&seen.arn).tags(tag::PAUSED, reason);
        call.send().await.map(drop).map_err(failed("lambda:TagResource"))
    }

    /// Takes that mark away.
    pub(super) async fn untag(&self, seen: &Seen) -> Result<(), ProviderError> {
        let call = self.client.untag_resource().resource(&seen.arn).tag_keys(tag::PAUSED);
        call.send().await.map(drop).map_err(failed("lambda:UntagResource"))
    }
}

fn seen(mapping: EventSourceMappingConfiguration) -> Option<Seen> {
    let id = mapping.uuid?;
    let of_function = || Some(mapping.function_arn.as_ref()?.split_once(":function:")?.0.to_owned());
    let arn = mapping
        .event_source_mapping_arn
        .clone()
        .or_else(|| Some(format!("{}:event-source-mapping:{id}", of_function()?)))?;
    Some(Seen { arn, id, state: mapping.state.unwrap_or_default() })
}
