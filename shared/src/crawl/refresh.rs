//! What of a done job is asked again.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Answer, Marker, Outcome};

/// Which films of jobs that are done are asked for again. A job that was refreshed since `before` is left alone, so that the same order
/// may come twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refresh {
    /// Only jobs whose marker is older.
    pub before: Timestamp,
    /// Only films that had no usable answer.
    #[serde(default)]
    pub failed: bool,
}

impl Refresh {
    /// Whether a job with this marker is meant.
    pub(super) fn wants(&self, marker: &Marker) -> bool {
        marker.finished < self.before && (!self.failed || marker.failed > 0)
    }

    /// Whether an answer stays as it is.
    pub(super) fn keeps(&self, answer: &Answer) -> bool {
        self.failed && answer.outcome() != Outcome::Failed
    }
}
