//! A function's code: from a path, an object in S3, a text in the template, or an image.

use std::collections::HashMap;
use std::io::{Cursor, Write};
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::FunctionCode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;
use zip::{DateTime, ZipWriter};

use super::artifacts::Artifacts;
use super::errors::failed;
use super::fields::Fields;
use crate::engine::{ProviderError, Resource};
use crate::package::ZIPPED;

/// What create and update send as code.
#[derive(Clone, Debug)]
pub(super) enum Code {
    /// A zip, in the call itself.
    Zip(Bytes),
    /// A zip that is in S3 already.
    Object { bucket: String, key: String, version: Option<String> },
    /// A container image.
    Image(String),
}

impl Code {
    pub(super) fn into_function_code(self) -> FunctionCode {
        let code = FunctionCode::builder();
        match self {
            Self::Zip(bytes) => code.zip_file(Blob::new(bytes)),
            Self::Object { bucket, key, version } => code.s3_bucket(bucket).s3_key(key).set_s3_object_version(version),
            Self::Image(uri) => code.image_uri(uri),
        }
        .build()
    }
}

/// Knows the code of every function of this run. The properties carry only its hash, by which the diff is made (E19).
pub(super) struct Codes {
    artifacts: Arc<dyn Artifacts>,
    s3: aws_sdk_s3::Client,
    known: Mutex<HashMap<String, (Value, Code)>>,
}

impl Codes {
    pub(super) fn new(artifacts: Arc<dyn Artifacts>, s3: aws_sdk_s3::Client) -> Self {
        Self { artifacts, s3, known: Mutex::default() }
    }

    /// Puts `{"CodeSha256": ...}` or `{"ImageUri": ...}` in the place of the template's `Code`. A code whose place is not
    /// known yet stays as it is.
    pub(super) async fn prepare(&self, resource: &mut Resource) -> Result<(), ProviderError> {
        let Some(code) = Fields(&resource.properties).get("Code").cloned() else { return Ok(()) };
        if code.as_object().is_some_and(|fields| fields.values().any(Value::is_null)) {
            return Ok(());
        }
        let source = json!([
            code,
            resource.metadata,
            resource.properties.get("Runtime"),
            resource.properties.get("Architectures")
        ])
        .to_string();
        let known = self.lock().get(&source).map(|(hash, _)| hash.clone());
        let hash = match known {
            Some(hash) => hash,
            None => {
                let (hash, code) = self.load(&code, resource).await?;
                let mut lock = self.lock();
                lock.insert(hash.to_string(), (hash.clone(), code.clone()));
                lock.insert(source, (hash.clone(), code));
                hash
            }
        };
        resource.properties["Code"] = hash;
        Ok(())
    }

    /// The code that [`Codes::prepare`] loaded for these properties.
    pub(super) fn of(&self, resource: &Resource) -> Result<Code, ProviderError> {
        let hash = resource.properties.get("Code").map(Value::to_string).unwrap_or_default();
        self.lock().get(&hash).map(|(_, code)| code.clone()).ok_or_else(|| {
            ProviderError::refused(
                format!("the code of {} is not known: its place was not resolved", resource.logical_id),
                "give Code as a path, or as S3Bucket and S3Key",
            )
        })
    }

    async fn load(&self, code: &Value, resource: &Resource) -> Result<(Value, Code), ProviderError> {
        let fields = Fields(code);
        if let Some(path) = code.as_str() {
            let artifact = self.artifacts.zip(path, &resource.properties, &resource.metadata).await?;
            fits(artifact.bytes.len() as u64, &artifact.path)?;
            return Ok((json!({"CodeSha256": artifact.sha256_base64}), Code::Zip(artifact.bytes)));
        }
        if let Some(text) = fields.text("ZipFile") {
            let bytes = zipped(&text, &Fields(&resource.properties).text("Runtime").unwrap_or_default())?;
            return Ok((json!({"CodeSha256": STANDARD.encode(Sha256::digest(&bytes))}), Code::Zip(bytes)));
        }
        if let Some(uri) = fields.text("ImageUri") {
            return Ok((json!({"ImageUri": uri}), Code::Image(uri)));
        }
        let (Some(bucket), Some(key)) = (fields.text("S3Bucket"), fields.text("S3Key")) else {
            return Err(ProviderError::refused(
                format!("the Code of {} names no code", resource.logical_id),
                "give a path, ZipFile, ImageUri, or S3Bucket and S3Key",
            ));
        };
        let version = fields.text("S3ObjectVersion");
        let hash = self.hash_object(&bucket, &key, version.clone()).await?;
        Ok((json!({"CodeSha256": hash}), Code::Object { bucket, key, version }))
    }

    /// S3 keeps no SHA-256 of an object that was uploaded without one, so it is read once a run.
    async fn hash_object(&self, bucket: &str, key: &str, version: Option<String>) -> Result<String, ProviderError> {
        let asked = self.s3.get_object().bucket(bucket).key(key).set_version_id(version).send().await;
        let mut body = asked.map_err(failed("s3:GetObject"))?.body;
        let mut hash = Sha256::new();
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|error| ProviderError::Network {
                operation: "s3:GetObject".into(),
                message: error.to_string(),
            })?;
            hash.update(&chunk);
        }
        Ok(STANDARD.encode(hash.finalize()))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, (Value, Code)>> {
        // The map is whole after every insert, so a panic elsewhere does not spoil it.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn fits(bytes: u64, path: &str) -> Result<(), ProviderError> {
    if bytes <= ZIPPED {
        return Ok(());
    }
    Err(ProviderError::refused(
        format!("{path} has {bytes} bytes, and Lambda takes {ZIPPED} in a call"),
        "strip the binary, or upload the zip to S3 and give S3Bucket and S3Key in Code",
    ))
}

/// A text in the template as CloudFormation takes it: the one file `index` of a zip. The same text gives the same bytes.
fn zipped(text: &str, runtime: &str) -> Result<Bytes, ProviderError> {
    let name = match runtime {
        _ if runtime.starts_with("python") => "index.py",
        _ if runtime.starts_with("nodejs") => "index.js",
        _ => {
            return Err(ProviderError::refused(
                format!("ZipFile is for nodejs and python, and the Runtime is {runtime:?}"),
                "give Code as a path",
            ));
        }
    };
    let options = SimpleFileOptions::default().last_modified_time(DateTime::default()).unix_permissions(0o644);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let written = zip.start_file(name, options).and_then(|()| Ok(zip.write_all(text.as_bytes())?));
    let bytes = written.and_then(|()| zip.finish());
    let bytes = bytes
        .map_err(|error| ProviderError::refused(format!("the ZipFile cannot be zipped: {error}"), "shorten it"))?;
    Ok(bytes.into_inner().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e19_the_same_text_is_the_same_zip() {
        let zip = zipped("def handler(event, context): pass", "python3.13").unwrap();
        assert_eq!(zip, zipped("def handler(event, context): pass", "python3.13").unwrap());
        assert!(zipped("x", "provided.al2023").is_err());
    }

    #[test]
    fn e20_a_zip_that_is_too_large_is_refused_before_the_upload() {
        assert!(fits(ZIPPED, "a.zip").is_ok());
        assert!(fits(ZIPPED + 1, "a.zip").is_err());
    }
}
