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

    /// The reason in the characters that an AWS tag's value knows, and its 256 of them.
    pub fn as_tag(&self) -> String {
        let allowed = |c: char| c.is_alphanumeric() || " _.:/=+-@".contains(c);
        self.reason.chars().map(|c| if allowed(c) { c } else { ' ' }).take(256).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_holds_the_reason_in_the_characters_it_knows() {
        let tag = |reason: &str| Pause { reason: reason.into(), by: "me".into(), at: Timestamp::UNIX_EPOCH }.as_tag();
        assert_eq!(tag("refused (401: `x`);\nset"), "refused  401:  x    set");
        assert_eq!(tag(&"x".repeat(999)).len(), 256);
    }
}
