//! CloudFormation's registry: the schemas of types, each asked for once and kept on disk.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::types::RegistryType;
use serde_json::Value;

use super::super::errors::failed;
use crate::engine::ProviderError;

/// After this time a schema is asked for again: types grow new properties.
const FRESH: Duration = Duration::from_secs(30 * 24 * 3600);

/// Schemas by type. They hold nothing of anybody's account.
pub(super) struct Registry {
    cloudformation: Client,
    folder: PathBuf,
}

impl Registry {
    /// `cache` is a folder of the user's; types differ by region.
    pub(super) fn new(config: &SdkConfig, cache: &Path) -> Self {
        let region = config.region().map_or_else(|| "us-east-1".to_owned(), ToString::to_string);
        Self { cloudformation: Client::new(config), folder: cache.join("schemas").join(region) }
    }

    /// The type's schema, or `None` where AWS knows no such type.
    pub(super) async fn schema(&self, type_name: &str) -> Result<Option<Value>, ProviderError> {
        let path = self.folder.join(format!("{}.json", type_name.replace("::", "-")));
        if let Some(kept) = kept(&path) {
            return Ok(Some(kept));
        }
        let Some(text) = self.describe(type_name).await? else { return Ok(None) };
        let schema = serde_json::from_str(&text).map_err(|error| {
            ProviderError::refused(format!("the schema of {type_name} is no JSON: {error}"), "run the command again")
        })?;
        // A cache that cannot be written costs a call the next time, and nothing else.
        if let Err(error) = keep(&path, &text) {
            tracing::debug!(path = %path.display(), %error, "the schema is not kept");
        }
        Ok(Some(schema))
    }

    async fn describe(&self, type_name: &str) -> Result<Option<String>, ProviderError> {
        let call = self.cloudformation.describe_type().r#type(RegistryType::Resource).type_name(type_name);
        match call.send().await.map_err(failed("cloudformation:DescribeType")) {
            Err(error) if error.is("TypeNotFoundException") => Ok(None),
            answer => Ok(answer?.schema),
        }
    }
}

fn kept(path: &Path) -> Option<Value> {
    let written = std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok()?;
    let age = SystemTime::now().duration_since(written).unwrap_or_default();
    let text = (age < FRESH).then(|| std::fs::read_to_string(path).ok()).flatten()?;
    serde_json::from_str(&text).ok()
}

/// Beside first, then in place: another run never reads half a schema.
fn keep(path: &Path, text: &str) -> std::io::Result<()> {
    let beside = path.with_extension(format!("{}.part", std::process::id()));
    std::fs::create_dir_all(path.parent().unwrap_or(Path::new("")))?;
    std::fs::write(&beside, text)?;
    std::fs::rename(&beside, path)
}
