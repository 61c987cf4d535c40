//! Pausing the fleet and letting it go on (E41). A pause is written down in the lake and as a tag on the mapping, with its reason: so
//! nobody takes it for drift, and only `resume` lifts it. The function's breaker pauses in the same way.

use crawler_core::lake::{Pause, PutMode, layout};
use jiff::Timestamp;

use super::{Fleet, FleetError};

/// Who pauses when a person does.
const BY: &str = "provision pause";
/// What is told of a mapping that somebody disabled by other means.
const UNTOLD: &str = "disabled by other means than provision, no reason is written down";

/// What a pause or its end changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change<T> {
    /// It was not so before.
    Made(T),
    /// It was so already.
    Already(T),
}

impl Fleet {
    /// The pause that the fleet is in; none if its mapping is enabled or not there.
    ///
    /// # Errors
    /// A failed read of lake or mapping.
    pub async fn paused(&self) -> Result<Option<Pause>, FleetError> {
        Ok(self.mapping_and_pause().await?.1)
    }

    /// Lambda's word for the mapping's state, and the pause that it is in.
    pub(super) async fn mapping_and_pause(&self) -> Result<(Option<String>, Option<Pause>), FleetError> {
        let Some(seen) = self.mapping.look().await? else {
            return Ok((None, None));
        };
        if seen.is_enabled() {
            return Ok((Some(seen.state), None));
        }
        let untold = || Pause { reason: UNTOLD.into(), by: "unknown".into(), at: Timestamp::now() };
        let pause = Pause::read(&*self.lake).await?.unwrap_or_else(untold);
        Ok((Some(seen.state), Some(pause)))
    }

    /// Stops the mapping, after the reason is written down; jobs that are under way end by themselves. Of a fleet that is paused the
    /// first reason stands. Killed half-way and run again, it ends in the same place.
    ///
    /// # Errors
    /// [`FleetError::NoMapping`], or a failed call.
    pub async fn pause(&self, reason: &str) -> Result<Change<Pause>, FleetError> {
        let seen = self.mapping.look().await?.ok_or(FleetError::NoMapping)?;
        let written = Pause::read(&*self.lake).await?;
        if let (false, Some(pause)) = (seen.is_enabled(), written) {
            self.mapping.tag(&seen, pause.as_tag()).await?;
            return Ok(Change::Already(pause));
        }
        let pause = Pause { reason: reason.into(), by: BY.into(), at: Timestamp::now() };
        self.lake.put(layout::PAUSED, pause.to_bytes(), PutMode::Overwrite).await?;
        self.mapping.tag(&seen, pause.as_tag()).await?;
        self.mapping.set_enabled(&seen, false).await?;
        Ok(Change::Made(pause))
    }

    /// Lets the mapping feed the function again, after the reason is taken away: were it the other way round, a fleet that pauses
    /// itself at once would lose its reason. Killed half-way and run again, it ends in the same place.
    ///
    /// # Errors
    /// [`FleetError::NoMapping`], or a failed call.
    pub async fn resume(&self) -> Result<Change<Option<Pause>>, FleetError> {
        let seen = self.mapping.look().await?.ok_or(FleetError::NoMapping)?;
        let pause = Pause::read(&*self.lake).await?;
        self.mapping.untag(&seen).await?;
        self.forget_pause().await?;
        if seen.is_enabled() {
            return Ok(Change::Already(pause));
        }
        self.mapping.set_enabled(&seen, true).await?;
        Ok(Change::Made(pause))
    }

    /// Takes the reason out of the lake; a mapping that is gone is not paused.
    ///
    /// # Errors
    /// A failed call.
    pub async fn forget_pause(&self) -> Result<(), FleetError> {
        Ok(self.lake.delete(layout::PAUSED).await?)
    }
}
