//! When a refresh began. The films that an interrupted one has are kept under that time, so that the same command, run again, goes on.

use crawler_core::Lake;
use crawler_core::lake::layout::RENEWAL;
use crawler_core::lake::{LakeError, PutMode};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::cli;

/// An older one is begun anew: what it has asked is as old.
const LASTS: SignedDuration = SignedDuration::from_hours(24);

/// A refresh that was begun, and has not come to its end.
#[derive(Serialize, Deserialize)]
struct Renewal {
    /// What was asked for: another is no continuation.
    flags: String,
    began: Timestamp,
}

/// When the refresh of these flags began: now, unless one was interrupted.
pub(super) async fn began(lake: &dyn Lake, flags: &cli::Download) -> Result<Timestamp, LakeError> {
    let cli::Download { renew, selection, all, year, initial, .. } = flags;
    let flags = format!("{renew:?} {selection:?} {all} {year} {initial}");
    let now = Timestamp::now();
    let written = lake.get(RENEWAL).await?.and_then(|bytes| serde_json::from_slice::<Renewal>(&bytes).ok());
    if let Some(Renewal { began, .. }) =
        written.filter(|one| one.flags == flags && now.duration_since(one.began) < LASTS)
    {
        return Ok(began);
    }
    let renewal = serde_json::json!(Renewal { flags, began: now });
    lake.put(RENEWAL, renewal.to_string().into(), PutMode::Overwrite).await?;
    Ok(now)
}

/// It has come to its end.
pub(super) async fn ended(lake: &dyn Lake) -> Result<(), LakeError> {
    lake.delete(RENEWAL).await
}
