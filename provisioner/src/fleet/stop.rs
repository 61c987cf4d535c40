//! Ending what runs before queues or lake go: no new job is given out, and the functions under way come to their end.

use std::time::Duration;

use tokio::time::Instant;

use super::{Fleet, FleetError};

/// Between two looks.
const EVERY: Duration = Duration::from_secs(1);

impl Fleet {
    /// Stops the mapping and waits until no function has a job in hand, but no longer than `timeout`: then Lambda has ended
    /// them. `look` learns how many jobs are in hand, which SQS knows approximately (E46).
    ///
    /// # Errors
    /// A failed call.
    pub async fn stop(&self, timeout: Duration, mut look: impl FnMut(u64)) -> Result<(), FleetError> {
        if let Some(mapping) = self.mapping.look().await?.filter(|mapping| mapping.is_enabled()) {
            self.mapping.set_enabled(&mapping, false).await?;
        }
        let ended = Instant::now() + timeout;
        loop {
            let in_hand = self.jobs.depth().await?.in_flight;
            if in_hand == 0 || Instant::now() >= ended {
                return Ok(());
            }
            look(in_hand);
            tokio::time::sleep(EVERY).await;
        }
    }
}
