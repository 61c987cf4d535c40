//! Gives the function's provider its zip: each made once a run, beside the reads, with a word of what goes on.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::Mutex;
use tokio_util::task::AbortOnDropHandle;

use crate::engine::{ProviderError, Resource, Stack};
use crate::package::{Function, Say, Zip};
use crate::providers::{Artifact, Artifacts};
use crate::template::Diagnostic;
use crate::ui::Ui;

/// Makes what `Code` names, relative to the template's folder.
pub(super) struct Packager {
    folder: PathBuf,
    ui: Arc<Ui>,
    /// Held while one is made: cargo builds one thing at a time anyway.
    made: Mutex<HashMap<Function, Packaged>>,
}

/// A zip, hashed once.
#[derive(Clone)]
struct Packaged {
    zip: Zip,
    sha256_base64: String,
}

impl Packager {
    pub(super) fn new(template: &Path, ui: Arc<Ui>) -> Self {
        Self { folder: folder(template), ui, made: Mutex::default() }
    }

    /// As a task of its own: zipping and hashing must not hold up the reads that go on beside it.
    async fn package(&self, function: Function) -> Result<Packaged, ProviderError> {
        let ui = Arc::clone(&self.ui);
        let task = tokio::spawn(async move {
            let busy = OnceLock::new();
            let say: Say = Arc::new(move |text: &str| busy.get_or_init(|| ui.busy(text)).say(text));
            let zip = function.package(&say).await.map_err(|error| error.refused())?;
            Ok(Packaged { sha256_base64: zip.sha256_base64(), zip })
        });
        let broken = |error: tokio::task::JoinError| ProviderError::refused(error.to_string(), "run the command again");
        AbortOnDropHandle::new(task).await.map_err(broken)?
    }

    /// Looks into every zip and folder that is there already, before any call: what Lambda would refuse, or take and never
    /// run (E20 to E23). What a build makes is looked at when it is made. Gives all that is unfit, each at its `Code`.
    pub(super) async fn check(&self, stack: &Stack<'_>) -> Vec<Diagnostic> {
        let (resources, _) = stack.declare_each();
        let mut problems = Vec::new();
        for function in resources.iter().filter(|resource| resource.type_name == "AWS::Lambda::Function") {
            if let Some(error) = self.unfit(function).await {
                problems.push(stack.problem(function, "/Code", error.to_string()).help(error.help()));
            }
        }
        problems
    }

    /// Whether a build makes the code of one of the functions.
    pub(super) fn builds(&self, stack: &Stack<'_>) -> bool {
        stack.declare_each().0.iter().any(|Resource { properties, metadata, .. }| {
            let path = properties.get("Code").and_then(Value::as_str);
            let function = path.and_then(|path| Function::new(&self.folder, path, properties, metadata).ok());
            function.is_some_and(|function| function.is_built())
        })
    }

    async fn unfit(&self, resource: &Resource) -> Option<ProviderError> {
        let Resource { properties, metadata, .. } = resource;
        let path = properties.get("Code")?.as_str()?;
        match Function::new(&self.folder, path, properties, metadata) {
            Ok(function) if function.is_built() => None,
            Ok(_) => self.zip(path, properties, metadata).await.err(),
            Err(error) => Some(error.refused()),
        }
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
                let zip = self.package(function.clone()).await?;
                made.insert(function, zip.clone());
                zip
            }
        };
        let Packaged { zip, sha256_base64 } = zip;
        Ok(Artifact { path: zip.path.display().to_string(), sha256_base64, bytes: zip.bytes })
    }
}
