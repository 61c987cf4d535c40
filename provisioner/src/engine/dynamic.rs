//! Dynamic references: `{{resolve:ssm:NAME}}` within a value, each parameter asked for once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde_json::Value;

use super::{ProviderError, Resource};
use crate::template::{DynamicReference, Resolved, dynamic_references};

/// Who knows the values of stored parameters.
#[async_trait]
pub trait StoredParameters: Send + Sync {
    /// The values of those of these parameters that there are; a name may end in `:` and a version.
    ///
    /// # Errors
    /// A call that failed, or a parameter whose value must not stand in a template.
    async fn values(&self, names: &BTreeSet<String>) -> Result<BTreeMap<String, String>, ProviderError>;
}

/// What this run has read. One that does not exist is asked for again: a resource of the template may make it.
#[derive(Clone, Default)]
pub(super) struct DynamicValues {
    source: Option<Arc<dyn StoredParameters>>,
    known: Arc<Mutex<BTreeMap<String, String>>>,
}

impl DynamicValues {
    pub(super) fn of(source: Arc<dyn StoredParameters>) -> Self {
        Self { source: Some(source), known: Arc::default() }
    }

    /// Asks for the values that are not known yet.
    pub(super) async fn read(&self, references: &[DynamicReference]) -> Result<(), ProviderError> {
        let Some(source) = &self.source else { return Ok(()) };
        let mut names: BTreeSet<String> = references.iter().map(name).collect();
        names.retain(|name| self.value(name).is_none());
        if !names.is_empty() {
            let values = source.values(&names).await?;
            self.known.lock().unwrap_or_else(PoisonError::into_inner).extend(values);
        }
        Ok(())
    }

    /// Puts what is known in the references' places; a value with one that is not known waits for it.
    pub(super) fn fill(&self, resolved: &mut Resolved) {
        for reference in &resolved.dynamic {
            let Some(place) = resolved.properties.pointer_mut(&reference.pointer) else { continue };
            match (self.value(&name(reference)), place.as_str()) {
                (Some(value), Some(text)) => *place = text.replace(&reference.text, &value).into(),
                (None, _) => {
                    resolved.after_apply.insert(reference.pointer.clone(), waits_for(&name(reference)));
                    *place = Value::Null;
                }
                (Some(_), None) => {}
            }
        }
    }

    /// The same in an output, where a reference that is not known stays as it is.
    pub(super) fn fill_output(&self, output: &mut Value) {
        let Some(text) = output.as_str() else { return };
        let known = dynamic_references(text).into_iter().filter_map(|one| Some((self.value(&name(&one))?, one.text)));
        *output = known.fold(text.to_owned(), |text, (value, reference)| text.replace(&reference, &value)).into();
    }

    /// Takes what parameters of the template will be for what they are, where that is known; whether any is another than it was.
    pub(super) fn expect(&self, stored: impl Iterator<Item = (String, String)>) -> bool {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = false;
        for (name, value) in stored {
            if let Some(before) = known.get_mut(&name).filter(|before| **before != value) {
                *before = value;
                changed = true;
            }
        }
        changed
    }

    fn value(&self, name: &str) -> Option<String> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }
}

/// Refuses a resource that is to be made while a parameter that it names is missing still.
pub(super) fn all_there(resource: &Resource) -> Result<(), ProviderError> {
    let missing = resource.after_apply.values().find_map(|source| source.strip_prefix(WAITS));
    missing.map_or(Ok(()), |name| {
        Err(ProviderError::refused(
            format!("the parameter {name}, which {{{{resolve:ssm:{name}}}}} names, does not exist"),
            "make it, or let the resource depend on what makes it (DependsOn)",
        ))
    })
}

const WAITS: &str = "ssm:";

fn waits_for(name: &str) -> String {
    format!("{WAITS}{name}")
}

/// As SSM takes it: `NAME`, or `NAME:VERSION`.
fn name(reference: &DynamicReference) -> String {
    match reference.version {
        Some(version) => format!("{}:{version}", reference.name),
        None => reference.name.clone(),
    }
}
