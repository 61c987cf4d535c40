//! What a provider gives back after a change, and from a listing.

use std::collections::BTreeMap;

use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::{Value, json};

use crate::engine::{Observed, ProviderError, Resource, State};

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

/// A resource as a listing knows it: what a delete needs, and no properties.
pub(super) fn listed(
    type_name: &str,
    physical_id: String,
    tags: BTreeMap<String, String>,
    attributes: BTreeMap<String, Value>,
) -> Observed {
    Observed {
        type_name: type_name.to_owned(),
        physical_id,
        properties: json!({}),
        tags,
        attributes,
        state: State::Ready("exists".into()),
        handle: Value::Null,
    }
}

/// Looks into each of a listing, `width` at once, and gives those that are meant.
pub(super) async fn found<T, L: Future<Output = Result<Option<T>, ProviderError>>>(
    looks: impl IntoIterator<Item = L>,
    width: usize,
) -> Result<Vec<T>, ProviderError> {
    let found: Vec<Option<T>> = stream::iter(looks).buffer_unordered(width).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}
