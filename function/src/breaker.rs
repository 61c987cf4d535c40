//! The breaker: when TMDb or the key fails for every job alike, the fleet stops itself and writes down why (E37).
//!
//! A pause is written down in the lake and as a tag on the mapping before the mapping is stopped, so that nobody takes it for drift;
//! only `provision resume` lifts it.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use aws_sdk_lambda::{Client, error::DisplayErrorContext};
use crawler_core::{
    Lake,
    lake::{LakeError, Pause, PutMode, layout},
};
use jiff::Timestamp;

/// Deliveries to this process that TMDb spoiled, with none between them that it answered, before the fleet pauses itself. What asked
/// TMDb nothing does not count either way.
const PATIENCE: u32 = 2;
/// The tag that marks a pause.
const TAG: &str = "provision:paused";

/// Stops the mapping that feeds this function.
#[derive(Debug)]
pub struct Breaker {
    client: Client,
    lake: Arc<dyn Lake>,
    function: String,
    spoiled: AtomicU32,
}

/// The mapping as Lambda lists it.
struct Mapping {
    id: String,
    arn: String,
    enabled: bool,
}

/// The mapping could not be stopped.
#[derive(Debug, thiserror::Error)]
pub enum BreakerError {
    /// Lambda refused.
    #[error("cannot pause the mapping ({0}); check the role's rights, or pause with `provision pause`")]
    Lambda(String),
    /// The function has no mapping for this queue.
    #[error("no mapping from {0} to this function; pause with `provision pause`")]
    NoMapping(String),
    /// The lake failed.
    #[error(transparent)]
    Lake(#[from] LakeError),
}

impl Breaker {
    /// The breaker of the function called `function`.
    pub fn new(client: Client, lake: Arc<dyn Lake>, function: String) -> Self {
        Self { client, lake, function, spoiled: AtomicU32::new(0) }
    }

    /// TMDb answered a delivery as it should.
    pub fn all_is_well(&self) {
        self.spoiled.store(0, Ordering::Relaxed);
    }

    /// A delivery was spoiled for a reason that no job is to blame for; a certain one (a refused key) pauses at once. Whether it tried to.
    pub async fn spoiled(&self, queue_arn: &str, reason: &str, certain: bool) -> bool {
        if !self.has_enough(certain) {
            return false;
        }
        match self.pause(queue_arn, reason).await {
            Ok(()) => tracing::error!(reason, "the fleet has paused itself"),
            Err(error) => tracing::error!(reason, %error, "the fleet could not pause itself"),
        }
        true
    }

    /// One more is spoiled; whether that makes it the fleet's affair.
    fn has_enough(&self, certain: bool) -> bool {
        let spoiled = self.spoiled.fetch_add(1, Ordering::Relaxed) + 1;
        certain || spoiled >= PATIENCE
    }

    async fn pause(&self, queue_arn: &str, reason: &str) -> Result<(), BreakerError> {
        let Mapping { id, arn, enabled } = self.mapping(queue_arn).await?;
        let pause =
            Pause { reason: reason.to_owned(), by: format!("function {}", self.function), at: Timestamp::now() };
        // The first reason of a pause stands; one that was left behind by an earlier pause does not.
        let mode = if enabled { PutMode::Overwrite } else { PutMode::CreateOnly };
        self.lake.put(layout::PAUSED, pause.to_bytes(), mode).await?;
        let tagged = self.client.tag_resource().resource(arn).tags(TAG, pause.as_tag()).send().await;
        // A stack of another tool's has not the tag by which the role may set it; its mapping is stopped all the same.
        if let Err(error) = tagged {
            tracing::warn!(error = %DisplayErrorContext(error), "the pause is not written down on the mapping");
        }
        let update = self.client.update_event_source_mapping().uuid(id).enabled(false);
        let updated = update.send().await;
        updated.map_err(|error| BreakerError::Lambda(DisplayErrorContext(error).to_string()))?;
        Ok(())
    }

    /// The mapping from the queue to this function; it has no name (E31).
    async fn mapping(&self, queue_arn: &str) -> Result<Mapping, BreakerError> {
        let list = self.client.list_event_source_mappings().function_name(&self.function);
        let mut pages = list.into_paginator().items().send();
        while let Some(mapping) = pages.next().await {
            let mapping = mapping.map_err(|error| BreakerError::Lambda(DisplayErrorContext(error).to_string()))?;
            if mapping.event_source_arn.as_deref() != Some(queue_arn) {
                continue;
            }
            let enabled = !matches!(mapping.state.as_deref(), Some("Disabled" | "Disabling"));
            if let (Some(id), arn) = (mapping.uuid, mapping.event_source_mapping_arn) {
                let arn = arn.or_else(|| mapping_arn(&mapping.function_arn?, &id));
                let arn = arn.ok_or_else(|| BreakerError::NoMapping(queue_arn.to_owned()))?;
                return Ok(Mapping { id, arn, enabled });
            }
        }
        Err(BreakerError::NoMapping(queue_arn.to_owned()))
    }
}

/// The mapping's ARN by its function's, for where the listing leaves it out.
fn mapping_arn(function_arn: &str, id: &str) -> Option<String> {
    let (front, _) = function_arn.split_once(":function:")?;
    Some(format!("{front}:event-source-mapping:{id}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_spoiled_deliveries_are_enough_unless_tmdb_answered_between_them_and_a_refused_key_is_at_once() {
        let config = aws_sdk_lambda::Config::builder().behavior_version_latest().build();
        let lake = Arc::new(crawler_core::lake::MemoryLake::new());
        let breaker = Breaker::new(Client::from_conf(config), lake, "crawler".to_owned());
        assert!(!breaker.has_enough(false));
        breaker.all_is_well();
        assert!(!breaker.has_enough(false));
        assert!(breaker.has_enough(false));
        breaker.all_is_well();
        assert!(breaker.has_enough(true));
    }

    #[test]
    fn the_mapping_s_arn_follows_from_its_function_s() {
        let arn = mapping_arn("arn:aws:lambda:eu-west-1:123456789012:function:crawler", "u-u");
        assert_eq!(arn.as_deref(), Some("arn:aws:lambda:eu-west-1:123456789012:event-source-mapping:u-u"));
    }
}
