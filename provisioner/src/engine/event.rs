//! What the engine tells while it works; tables, progress lines and JSON are readers of these events.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

/// What `up` or `down` does with a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It is missing and is made.
    Create,
    /// It differs and is changed in place.
    Update,
    /// It differs in what cannot be changed: deleted and made anew.
    Replace,
    /// It is ours and no longer wanted.
    Delete,
    /// It exists without our tags and `--adopt` takes it over.
    Adopt,
    /// It is as the template says.
    None,
}

impl Action {
    /// The sign in front of a resource in a plan.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Create => "+",
            Self::Update => "~",
            Self::Replace => "-/+",
            Self::Delete => "-",
            Self::Adopt => "=",
            Self::None => " ",
        }
    }

    /// The word, as in a plan's JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Replace => "replace",
            Self::Delete => "delete",
            Self::Adopt => "adopt",
            Self::None => "none",
        }
    }
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// Work on a resource begins.
    Started {
        /// The resource's logical id.
        logical_id: String,
        /// What is done with it.
        action: Action,
    },
    /// A resource waits for AWS.
    Waiting {
        /// The resource's logical id.
        logical_id: String,
        /// What for: `role not assumable yet`.
        reason: String,
    },
    /// Work on a resource ended well.
    Finished {
        /// The resource's logical id.
        logical_id: String,
        /// What was done with it.
        action: Action,
        /// How long it took.
        elapsed: Duration,
    },
    /// Work on a resource failed.
    Failed {
        /// The resource's logical id.
        logical_id: String,
        /// The error's text.
        error: String,
    },
    /// A resource was not tried.
    Skipped {
        /// The resource's logical id.
        logical_id: String,
        /// The logical id of the failure that it stands on, or `interrupted`.
        because: String,
    },
}

/// Who listens.
pub type Observer = Arc<dyn Fn(Event) + Send + Sync>;

type Early = Arc<dyn Fn(&BTreeMap<String, Value>) + Send + Sync>;

/// A provider's way to tell what it waits for, and how far it is.
#[derive(Clone)]
pub struct Progress {
    logical_id: String,
    observer: Observer,
    /// Hears what the resource gives when others need wait for it no longer.
    early: Option<Early>,
}

impl Progress {
    /// Progress of one resource.
    pub fn new(logical_id: &str, observer: Observer) -> Self {
        Self { logical_id: logical_id.to_owned(), observer, early: None }
    }

    /// The same, where others wait for the resource.
    pub(super) fn telling(self, early: impl Fn(&BTreeMap<String, Value>) + Send + Sync + 'static) -> Self {
        Self { early: Some(Arc::new(early)), ..self }
    }

    /// Tells what the resource waits for.
    pub fn waiting(&self, reason: impl Into<String>) {
        (self.observer)(Event::Waiting { logical_id: self.logical_id.clone(), reason: reason.into() });
    }

    /// Tells that the resource exists and what it gives: what names it may be made while the provider finishes it.
    pub fn stands(&self, attributes: &BTreeMap<String, Value>) {
        if let Some(early) = &self.early {
            early(attributes);
        }
    }

    /// Tells that a delete is far enough for what comes after it, though not at its end.
    pub fn lets_go(&self) {
        self.stands(&BTreeMap::new());
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Progress").field("logical_id", &self.logical_id).finish()
    }
}
