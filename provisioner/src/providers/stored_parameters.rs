//! Values of stored parameters for a template's dynamic references.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_ssm::Client;
use aws_sdk_ssm::types::ParameterType;

use super::errors::failed;
use super::observed;
use crate::engine::{ProviderError, StoredParameters};

/// How many parameters are read side by side; SSM allows 40 such calls a second (E56).
const WIDTH: usize = 8;

/// Parameters of Systems Manager.
pub(super) struct StoredInSsm {
    ssm: Client,
}

impl StoredInSsm {
    pub(super) fn new(config: &SdkConfig) -> Self {
        Self { ssm: Client::new(config) }
    }

    async fn value(&self, name: &str) -> Result<Option<String>, ProviderError> {
        let parameter = match self.ssm.get_parameter().name(name).send().await.map_err(failed("ssm:GetParameter")) {
            Err(error) if error.is("ParameterNotFound") || error.is("ParameterVersionNotFound") => return Ok(None),
            answer => answer?.parameter,
        };
        let Some(parameter) = parameter else { return Ok(None) };
        match parameter.r#type {
            Some(ParameterType::SecureString) => Err(ProviderError::refused(
                format!(
                    "the parameter {name} is a SecureString, and a resource's properties are no place for a secret"
                ),
                "give the resource the parameter's name, and let it read the value by itself",
            )),
            _ => Ok(parameter.value),
        }
    }
}

#[async_trait]
impl StoredParameters for StoredInSsm {
    async fn values(&self, names: &BTreeSet<String>) -> Result<BTreeMap<String, String>, ProviderError> {
        let reads = names.iter().map(|name| async move {
            let value = self.value(name).await?;
            Ok::<_, ProviderError>(value.map(|value| (name.clone(), value)))
        });
        let reads: Vec<_> = reads.collect();
        Ok(observed::found(reads, WIDTH).await?.into_iter().collect())
    }
}
