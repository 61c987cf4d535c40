//! Why the fleet stands still, written down at [`layout::PAUSED`].

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Lake, LakeError, layout};

/// A pause of the fleet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Why, in words for people.
    pub reason: String,
    /// Who paused it.
    pub by: String,
    /// Since when.
    pub at: Timestamp,
}

impl Pause {
    /// As it is stored.
    pub fn to_bytes(&self) -> Bytes {
        // A struct of texts has no way to fail.
        serde_json::to_vec(self).unwrap_or_default().into()
    }

    /// The pause that is written down in the lake, if there is one.
    pub async fn read(lake: &dyn Lake) -> Result<Option<Self>, LakeError> {
        let bytes = lake.get(layout::PAUSED).await?;
        Ok(bytes.map(|bytes| {
            serde_json::from_slice(&bytes).unwrap_or_else(|error| Self {
                reason: format!("unknown, {} cannot be read ({error})", layout::PAUSED),
                by: "unknown".to_owned(),
                at: Timestamp::UNIX_EPOCH,
            })
        }))
    }
}
