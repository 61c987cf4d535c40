//! Where a function's code comes from; who builds and zips it is not known here.

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::Value;

use crate::engine::ProviderError;

/// A function's code, ready to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// The zip's path, to be told.
    pub path: String,
    /// The zip.
    pub bytes: Bytes,
    /// Base64 of the SHA-256 of `bytes`, as Lambda's `CodeSha256` (E19).
    pub sha256_base64: String,
}

/// Makes a zip of what a template's `Code` names.
#[async_trait]
pub trait Artifacts: Send + Sync {
    /// The zip of a path as the template gives it; `properties` are the function's (its architecture and runtime say what
    /// would run), `metadata` is the resource's, null where it has none. The same source gives the same bytes.
    ///
    /// # Errors
    /// [`ProviderError::Refused`] where it is missing, cannot be built, or would not run.
    async fn zip(
        &self,
        template_relative_path: &str,
        properties: &Value,
        metadata: &Value,
    ) -> Result<Artifact, ProviderError>;
}
