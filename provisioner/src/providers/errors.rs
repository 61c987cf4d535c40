//! AWS's answers as [`ProviderError`]s.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::engine::ProviderError;

/// What to make of a failed call of `operation` (for example `sqs:CreateQueue`).
pub fn failed<E>(operation: &str) -> impl FnOnce(SdkError<E, HttpResponse>) -> ProviderError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    move |error| match &error {
        SdkError::ServiceError(answer) => {
            let status = answer.raw().status().as_u16();
            answered(operation, status, answer.err().code(), answer.err().message())
        }
        SdkError::ConstructionFailure(_) => ProviderError::refused(
            format!("{operation} could not be asked: {}", lowest(&error)),
            "check --region, --profile and the endpoint's address",
        ),
        _ => unanswered(operation, &error),
    }
}

/// Nothing, where AWS answered with `code`: what was asked for is not there.
pub(super) fn none_if<T>(code: &str, result: Result<T, ProviderError>) -> Result<Option<T>, ProviderError> {
    match result {
        Err(error) if error.is(code) => Ok(None),
        result => result.map(Some),
    }
}

fn answered(operation: &str, status: u16, code: Option<&str>, message: Option<&str>) -> ProviderError {
    let code = code.map_or_else(|| status.to_string(), str::to_owned);
    let message = message.map_or_else(|| format!("HTTP status {status} without a message"), str::to_owned);
    match code.as_str() {
        "ExpiredToken"
        | "ExpiredTokenException"
        | "RequestExpired"
        | "InvalidAccessKeyId"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "IncompleteSignature"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "RequestTimeTooSkewed"
        | "InvalidToken" => ProviderError::Credentials { message: format!("{code}: {message}") },
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" | "AuthorizationError" => {
            ProviderError::Denied { operation: operation.to_owned(), message }
        }
        _ if status == 403 => ProviderError::Denied { operation: operation.to_owned(), message },
        _ => ProviderError::Api { operation: operation.to_owned(), code, message },
    }
}

fn unanswered(operation: &str, error: &(dyn Error + 'static)) -> ProviderError {
    match causes(error).find(|cause| cause.is::<CredentialsError>()) {
        Some(cause) => ProviderError::Credentials { message: lowest(cause) },
        None => ProviderError::Network { operation: operation.to_owned(), message: lowest(error) },
    }
}

fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

fn lowest(error: &(dyn Error + 'static)) -> String {
    causes(error).last().unwrap_or(error).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expired_token_is_told_apart_from_a_refusal() {
        let error = answered("sqs:CreateQueue", 403, Some("ExpiredToken"), Some("The security token is expired"));
        assert!(matches!(error, ProviderError::Credentials { .. }), "{error}");
    }

    #[test]
    fn a_refusal_without_a_code_is_a_refusal() {
        let error = answered("s3:HeadBucket", 403, None, None);
        assert_eq!(
            error,
            ProviderError::Denied {
                operation: "s3:HeadBucket".into(),
                message: "HTTP status 403 without a message".into()
            }
        );
    }

    #[test]
    fn any_other_answer_keeps_its_code() {
        assert!(answered("sqs:CreateQueue", 400, Some("QueueNameExists"), None).is("QueueNameExists"));
        assert!(answered("s3:HeadBucket", 404, None, None).is("404"));
    }
}
