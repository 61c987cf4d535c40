//! Gives the function's provider its zip: each made once a run, beside the reads, with a word of what goes on.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::engine::ProviderError;
use crate::package::{Function, Zip};
use crate::providers::{Artifact, Artifacts};
use crate::ui::Ui;

/// Makes what `Code` names, relative to the template's folder.
pub(super) struct Packager {
    folder: PathBuf,
    ui: Arc<Ui>,
    /// Held while one is made: cargo builds one thing at a time anyway.
    made: Mutex<HashMap<Function, Zip>>,
}

impl Packager {
    pub(super) fn new(template: &Path, ui: Arc<Ui>) -> Self {
        Self { folder: folder(template), ui, made: Mutex::default() }
    }
}

/// The folder of a template, to which its paths are relative.
pub(super) fn folder(template: &Path) -> PathBuf {
    template.parent().unwrap_or(Path::new("")).to_owned()
}

#[async_trait]
impl Artifacts for Packager {
    async fn zip(&self, path: &str, properties: &Value, metadata: &Value) -> Result<Artifact, ProviderError> {
        let function = Function::new(&self.folder, path, properties, metadata).map_err(|error| error.refused())?;
        let mut made = self.made.lock().await;
        let zip = match made.get(&function) {
            Some(zip) => zip.clone(),
            None => {
                let busy = self.ui.busy(&format!("packaging {path}"));
                let zip = function.package(&busy.listener()).await.map_err(|error| error.refused())?;
                made.insert(function, zip.clone());
                zip
            }
        };
        Ok(Artifact { path: zip.path.display().to_string(), sha256_base64: zip.sha256_base64(), bytes: zip.bytes })
    }
}
