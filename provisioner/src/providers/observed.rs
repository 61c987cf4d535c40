//! What a provider gives back after a change.

use serde_json::Value;

use crate::engine::{Observed, Resource, State};

/// The resource as it is after a call that made it so. A write is trusted instead of read again: reads may lag for a minute
/// (E45).
pub(super) fn as_wanted(resource: &Resource) -> Observed {
    Observed {
        type_name: resource.type_name.clone(),
        physical_id: resource.physical_id.clone(),
        properties: resource.properties.clone(),
        tags: resource.tags.clone(),
        attributes: resource.attributes.clone(),
        state: State::Ready("exists".into()),
        handle: Value::Null,
    }
}
