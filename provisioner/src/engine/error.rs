//! Why a provider could not do its work.

use std::time::Duration;

/// A failed call, told by kind of fault. Texts are lower-case fragments; what to do is in [`ProviderError::help`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// The caller may not do this.
    #[error("{operation} is not allowed: {message}")]
    Denied {
        /// The operation, for example `lambda:CreateFunction`.
        operation: String,
        /// AWS's own message.
        message: String,
    },
    /// No credentials, wrong ones, or expired ones.
    #[error("credentials are not usable: {message}")]
    Credentials {
        /// AWS's or the credential chain's own message.
        message: String,
    },
    /// No answer came.
    #[error("{operation} got no answer: {message}")]
    Network {
        /// The operation.
        operation: String,
        /// The lowest cause.
        message: String,
    },
    /// AWS answered with an error.
    #[error("{operation} failed: {code}: {message}")]
    Api {
        /// The operation, for example `sqs:CreateQueue`.
        operation: String,
        /// AWS's error code, for example `QueueNameExists`.
        code: String,
        /// AWS's own message.
        message: String,
    },
    /// A condition did not come true in time.
    #[error("gave up after {} s of waiting for {condition}: {last}", .waited.as_secs())]
    TimedOut {
        /// What was waited for, for example `function to be Active`.
        condition: String,
        /// How long.
        waited: Duration,
        /// What the last look or try said.
        last: String,
    },
    /// A name that AWS would not take (E5); told at the property that gives it.
    #[error("{message}")]
    BadName {
        /// The property.
        property: &'static str,
        /// What and which.
        message: String,
        /// What to do.
        help: String,
    },
    /// Refused here, before or instead of a call.
    #[error("{message}")]
    Refused {
        /// What and which.
        message: String,
        /// What to do.
        help: String,
    },
}

impl ProviderError {
    /// A refusal of ours.
    pub fn refused(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Refused { message: message.into(), help: help.into() }
    }

    /// AWS's error code, where AWS answered with one.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Api { code, .. } => Some(code),
            _ => None,
        }
    }

    /// Whether AWS answered with this code.
    pub fn is(&self, code: &str) -> bool {
        self.code() == Some(code)
    }

    /// What the person can do about it.
    pub fn help(&self) -> String {
        match self {
            Self::Denied { operation, message } => format!(
                "allow {} to the caller, then run the command again: it goes on; `provision policy` prints what up, down, launch and status take",
                action_in(message).unwrap_or(operation)
            ),
            Self::Credentials { .. } => {
                "sign in (aws sso login, aws configure) or set AWS_PROFILE, then run the command again".into()
            }
            Self::Network { .. } => {
                "check the network, --region and --endpoint-url, then run the command again: it goes on".into()
            }
            Self::Api { .. } => "mend the cause that AWS names, then run the command again: it goes on".into(),
            Self::TimedOut { .. } => "run the command again: it goes on from here".into(),
            Self::BadName { help, .. } | Self::Refused { help, .. } => help.clone(),
        }
    }
}

/// The action that AWS says is missing, which need not be the call's own: iam:PassRole on CreateFunction (E13).
fn action_in(message: &str) -> Option<&str> {
    let (_, named) = message.split_once("is not authorized to perform: ")?;
    named.split_whitespace().next().filter(|action| action.contains(':'))
}

/// Why the engine could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The template has problems; nothing was called.
    #[error(transparent)]
    Template(#[from] crate::template::Diagnostics),
    /// Resources of these names exist without the stack's tags: logical id and physical id of each.
    #[error("{} exist and are not this stack's", names(.resources))]
    NotOurs {
        /// Logical id and physical id.
        resources: Vec<(String, String)>,
    },
    /// Resources that take no tags would be put on what has no tags of the stack's, or is not there.
    #[error("{} would be put on what is not this stack's", names(.resources))]
    OnForeign {
        /// Logical id and physical id.
        resources: Vec<(String, String)>,
    },
    /// A change would delete what UpdateReplacePolicy keeps.
    #[error("{logical_id} ({physical_id}) would be replaced because of {}, and its UpdateReplacePolicy is Retain", .properties.join(", "))]
    ReplaceRefused {
        /// The name within the template.
        logical_id: String,
        /// The name under which AWS knows it.
        physical_id: String,
        /// The properties that cannot be changed in place.
        properties: Vec<String>,
    },
    /// A change would delete what is not the stack's.
    #[error("{logical_id} ({physical_id}) is not this stack's, and would be replaced because of {}", .properties.join(", "))]
    ReplaceForeign {
        /// The name within the template.
        logical_id: String,
        /// The name under which AWS knows it.
        physical_id: String,
        /// The properties that cannot be changed in place.
        properties: Vec<String>,
    },
    /// What was just made is not there: a namesake that was being deleted had answered for it (E43).
    #[error("{logical_id} ({physical_id}) is gone: what answered for it was still being deleted")]
    Vanished {
        /// The name within the template.
        logical_id: String,
        /// The name under which AWS knows it.
        physical_id: String,
    },
    /// It is as the template says, and AWS says that it cannot be used.
    #[error("{logical_id} ({physical_id}) cannot be used: {reason}")]
    Unusable {
        /// The name within the template.
        logical_id: String,
        /// The name under which AWS knows it.
        physical_id: String,
        /// AWS's own.
        reason: String,
    },
    /// A change would delete what holds data.
    #[error("{logical_id} ({physical_id}) would be replaced, and it holds data")]
    ReplaceLosesData {
        /// The name within the template.
        logical_id: String,
        /// The name under which AWS knows it.
        physical_id: String,
    },
    /// AWS does not delete what is to be replaced.
    #[error("{logical_id} ({physical_id}) is not replaced: {error}")]
    NotReplaced {
        /// The name within the template.
        logical_id: String,
        /// The name under which AWS knows it.
        physical_id: String,
        /// AWS's answer to the deletion.
        error: ProviderError,
    },
    /// A resource that carries the stack's tags has a type without a provider.
    #[error("{logical_id} has the type {type_name}, which provision does not know")]
    UnknownType {
        /// The type.
        type_name: String,
        /// The name within the template.
        logical_id: String,
    },
    /// A call for a resource failed.
    #[error("{logical_id} ({physical_id}): {error}")]
    Provider {
        /// The name within the template.
        logical_id: String,
        /// The name under which AWS knows it.
        physical_id: String,
        /// What failed.
        error: ProviderError,
    },
}

impl EngineError {
    /// Why, without the name of the resource.
    pub fn reason(&self) -> String {
        match self {
            Self::Provider { error, .. } => error.to_string(),
            Self::Unusable { reason, .. } => format!("it cannot be used: {reason}"),
            other => other.to_string(),
        }
    }

    pub(super) fn provider(logical_id: &str, physical_id: &str, error: ProviderError) -> Self {
        Self::Provider { logical_id: logical_id.to_owned(), physical_id: physical_id.to_owned(), error }
    }
}

fn names(resources: &[(String, String)]) -> String {
    resources.iter().map(|(logical, physical)| format!("{logical} ({physical})")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e13_the_action_that_aws_names_is_what_to_allow() {
        let denied = |message: &str| ProviderError::Denied {
            operation: "lambda:CreateFunction".into(),
            message: message.into(),
        };
        let recorded = "User: arn:aws:iam::123456789012:user/ada is not authorized to perform: iam:PassRole on resource: \
                        arn:aws:iam::123456789012:role/films because no identity-based policy allows the iam:PassRole action";
        assert!(denied(recorded).help().starts_with("allow iam:PassRole to the caller"));
        assert!(denied("Access Denied").help().starts_with("allow lambda:CreateFunction to the caller"));
    }
}
