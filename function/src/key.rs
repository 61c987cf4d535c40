//! TMDb's key, read from its SSM SecureString.

use aws_config::{SdkConfig, retry::RetryConfig};
use aws_sdk_ssm::{
    Client,
    config::Builder,
    error::{DisplayErrorContext, ProvideErrorMetadata as _, SdkError},
};
use crawler_core::Secret;

/// SSM answers 40 such questions a second for the whole account, and a fleet may begin all at once (E56).
const TRIES: u32 = 8;

/// Where the key is.
#[derive(Clone, Debug)]
pub struct Keys {
    client: Client,
    parameter: String,
}

/// The key cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// There is none.
    #[error("there is no TMDb key at {0}; store one with `provision secret set`")]
    Missing(String),
    /// It may not be read, or SSM failed.
    #[error(
        "cannot read the TMDb key at {parameter} ({cause}); check the role's rights to the parameter and its KMS key"
    )]
    Unreadable {
        /// The parameter's name.
        parameter: String,
        /// What SSM said.
        cause: String,
    },
}

impl KeyError {
    /// Whether only a person can help. A new role's rights come late (E8), and SSM may be busy.
    pub fn is_certain(&self) -> bool {
        matches!(self, Self::Missing(_))
    }
}

impl Keys {
    /// The key at `parameter`.
    pub fn new(aws: &SdkConfig, parameter: String) -> Self {
        let patient = RetryConfig::standard().with_max_attempts(TRIES);
        Self { client: Client::from_conf(Builder::from(aws).retry_config(patient).build()), parameter }
    }

    /// Reads the key.
    pub async fn read(&self) -> Result<Secret, KeyError> {
        let request = self.client.get_parameter().name(&self.parameter);
        match request.with_decryption(true).send().await {
            Ok(answer) => {
                let value = answer.parameter.and_then(|parameter| parameter.value);
                let key = Secret::new(&value.unwrap_or_default());
                if key.is_empty() {
                    return Err(KeyError::Missing(self.parameter.clone()));
                }
                Ok(key)
            }
            Err(error) if error.code() == Some("ParameterNotFound") => Err(KeyError::Missing(self.parameter.clone())),
            Err(error) => Err(KeyError::Unreadable {
                parameter: self.parameter.clone(),
                cause: match error {
                    // What is said of it shows the answer itself, which may hold the key.
                    SdkError::ResponseError(_) => "SSM's answer cannot be read".to_owned(),
                    error => DisplayErrorContext(error).to_string(),
                },
            }),
        }
    }
}
