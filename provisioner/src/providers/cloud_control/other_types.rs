//! Which types of a template go over Cloud Control, and which could not.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use aws_config::SdkConfig;
use futures::future::try_join_all;

use super::super::tagged::Tagged;
use super::CloudControlProvider;
use super::keeping::Marks;
use super::left_behind::LeftBehind;
use super::registry::Registry;
use super::requests::Requests;
use super::type_schema::TypeSchema;
use crate::engine::{Keeping, Provider, ProviderError};
use crate::template::nearest;

/// Types without a provider of their own.
#[derive(Default)]
pub struct OtherTypes {
    /// One of each that Cloud Control manages.
    pub providers: Vec<Arc<dyn Provider>>,
    /// Those that it cannot manage, and why.
    pub refused: BTreeMap<String, ProviderError>,
    /// Finds and deletes what the template left behind of types that it no longer names, or that cannot be listed.
    pub left_behind: Option<Arc<dyn Provider>>,
    /// Sets and takes off the tags by which what takes no tags is remembered.
    pub keeping: Option<Arc<dyn Keeping>>,
}

impl OtherTypes {
    /// Looks these types up, as far as AWS knows them; the others are left for the template's check to refuse. `cache` keeps their
    /// schemas, and `own` are the types that need none.
    ///
    /// # Errors
    /// A call that failed.
    pub async fn look_up<'n>(
        config: &SdkConfig,
        cache: &Path,
        types: impl IntoIterator<Item = &'n str>,
        own: &[&str],
    ) -> Result<Self, ProviderError> {
        let (registry, requests) = (Registry::new(config, cache), Requests::new(config));
        let types: Vec<&str> = types.into_iter().collect();
        let schemas = try_join_all(types.iter().map(|type_name| async {
            match registry.schema(type_name).await {
                // A misspelt name needs no account to be told.
                Err(error) if nearest(type_name, own.iter().copied()).is_none() => Err(error),
                schema => Ok(schema.ok().flatten()),
            }
        }))
        .await?;
        let tagging = Tagged::new(config);
        let (mut listed, mut unlisted) = (BTreeSet::new(), BTreeSet::new());
        let mut found = Self::default();
        for (type_name, schema) in types.into_iter().zip(schemas) {
            match schema.map(|schema| TypeSchema::parse(type_name, &schema)) {
                Some(Ok(about)) => {
                    let finds_its_own = about.tags.is_some() && about.listable;
                    let of_its_kind = if finds_its_own { &mut listed } else { &mut unlisted };
                    of_its_kind.insert(type_name.to_owned());
                    found.providers.push(Arc::new(CloudControlProvider { requests: requests.clone(), about }));
                }
                Some(Err(refusal)) => drop(found.refused.insert(type_name.to_owned(), refusal)),
                None => {}
            }
        }
        found.keeping = Some(Arc::new(Marks { tagging: tagging.clone() }));
        let left_behind = LeftBehind::new(tagging, requests, listed, unlisted);
        found.left_behind = Some(Arc::new(left_behind));
        Ok(found)
    }
}
