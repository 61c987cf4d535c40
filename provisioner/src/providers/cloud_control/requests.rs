//! Cloud Control's requests: each is taken at once, and done in its own time.

use aws_config::SdkConfig;
use aws_sdk_cloudcontrol::Client;
use aws_sdk_cloudcontrol::types::{OperationStatus, ProgressEvent};
use serde_json::Value;

use super::super::errors::failed;
use super::super::observed;
use super::super::transient::principal_settling;
use super::{Described, SETTLES, described};
use crate::digest::hex;
use crate::engine::{Limit, Poll, Progress, ProviderError, poll_until, retry_until};

/// How many resources of a listing are asked for side by side.
const WIDTH: usize = 8;

/// Another request for the same resource is under way, or a new role is not known to the service yet (E7): each service has words of
/// its own for that.
pub(super) fn passes(error: &ProviderError) -> Option<&'static str> {
    let ProviderError::Api { code, message, .. } = error else { return None };
    let message = message.to_lowercase();
    match code.as_str() {
        "ConcurrentOperationException" | "ResourceConflict" => Some("an earlier change of it is in progress"),
        _ if message.contains("assum") && message.contains("role") => Some("role not assumable yet"),
        _ => principal_settling(error),
    }
}

/// There is no such resource, said at once or at the end of a request.
pub(super) fn is_missing(error: &ProviderError) -> bool {
    error.is("ResourceNotFoundException") || error.is("NotFound")
}

/// There is one already, said at once or at the end of a request.
pub(super) fn is_taken(error: &ProviderError) -> bool {
    error.is("AlreadyExistsException") || error.is("AlreadyExists")
}

/// What a request to make a resource comes to.
pub(super) enum Created {
    /// It was made; perhaps some time ago, by an earlier request of the same token.
    Done { identifier: String, may_be_gone: bool },
    /// An earlier request of the same token failed, or was for something else.
    Refused(ProviderError),
}

/// Every run that makes a resource in this state asks by the same tokens, one after another: so two runs at once, or one that was killed
/// and the next, make it once.
pub(super) fn token(type_name: &str, desired: &Value, number: u32) -> String {
    hex(format!("{type_name}\n{desired}\n{number}"), 32)
}

/// Requests for resources of any type.
#[derive(Clone)]
pub(super) struct Requests {
    client: Client,
}

impl Requests {
    pub(super) fn new(config: &SdkConfig) -> Self {
        Self { client: Client::new(config) }
    }

    /// The resource, or `None` where there is none of that identifier.
    pub(super) async fn get(&self, type_name: &str, identifier: &str) -> Result<Option<Described>, ProviderError> {
        let call = self.client.get_resource().type_name(type_name).identifier(identifier);
        match call.send().await.map_err(failed("cloudformation:GetResource")) {
            Err(error) if is_missing(&error) => Ok(None),
            answer => Ok(answer?.resource_description.and_then(described)),
        }
    }

    /// Every resource of the type; one whose listed properties lack `wanted` is asked for by itself.
    pub(super) async fn list(&self, type_name: &str, wanted: Option<&str>) -> Result<Vec<Described>, ProviderError> {
        let pages = self.client.list_resources().type_name(type_name).into_paginator().send();
        let pages: Vec<_> = pages.try_collect().await.map_err(failed("cloudformation:ListResources"))?;
        let listed = pages.into_iter().flat_map(|page| page.resource_descriptions.unwrap_or_default());
        let looks = listed.filter_map(described).map(|listed| async move {
            match wanted.is_some_and(|wanted| listed.properties.get(wanted).is_none()) {
                true => self.get(type_name, &listed.identifier).await,
                false => Ok(Some(listed)),
            }
        });
        observed::found(looks, WIDTH).await
    }

    /// Makes a resource, and waits until it is made. AWS takes requests by one `token` for one, for 36 hours; without one, for a new one.
    pub(super) async fn create(
        &self,
        type_name: &str,
        desired: &Value,
        token: Option<String>,
        limit: Limit,
        progress: &Progress,
    ) -> Result<Created, ProviderError> {
        let operation = "cloudformation:CreateResource";
        let call = self.client.create_resource().type_name(type_name).desired_state(desired.to_string());
        let answer = match call.set_client_token(token).send().await.map_err(failed(operation)) {
            Err(error) if error.is("ClientTokenConflictException") => return Ok(Created::Refused(error)),
            answer => answer?,
        };
        // A request that was not made before has only begun.
        let at_once = answer.progress_event.clone().map(|event| ended(operation, event));
        if let Some(Err(error)) = at_once {
            return Ok(Created::Refused(error));
        }
        let may_be_gone = matches!(at_once, Some(Ok(Poll::Ready(_))));
        let done = self.done(operation, answer.progress_event, limit, progress).await?;
        Ok(Created::Done { identifier: done.identifier.unwrap_or_default(), may_be_gone })
    }

    /// Changes a resource by a JSON patch, and waits until it is changed.
    pub(super) async fn update(
        &self,
        type_name: &str,
        identifier: &str,
        patch: &Value,
        limit: Limit,
        progress: &Progress,
    ) -> Result<(), ProviderError> {
        let call = self.client.update_resource().type_name(type_name).identifier(identifier);
        let answer = call.patch_document(patch.to_string()).send().await;
        let answer = answer.map_err(failed("cloudformation:UpdateResource"))?;
        self.done("cloudformation:UpdateResource", answer.progress_event, limit, progress).await.map(drop)
    }

    /// Deletes a resource, and waits until it is gone. One that is not there is a success.
    pub(super) async fn delete(
        &self,
        type_name: &str,
        identifier: &str,
        limit: Limit,
        progress: &Progress,
    ) -> Result<(), ProviderError> {
        let operation = "cloudformation:DeleteResource";
        let deleted = retry_until("AWS to take the delete", SETTLES, progress, passes, || async {
            let call = self.client.delete_resource().type_name(type_name).identifier(identifier);
            let answer = call.send().await.map_err(failed(operation))?;
            self.done(operation, answer.progress_event, limit, progress).await
        });
        match deleted.await {
            Err(error) if is_missing(&error) => Ok(()),
            deleted => deleted.map(drop),
        }
    }

    /// Follows a request to its end. One that failed says so with the code of the service's own answer.
    async fn done(
        &self,
        operation: &str,
        event: Option<ProgressEvent>,
        limit: Limit,
        progress: &Progress,
    ) -> Result<ProgressEvent, ProviderError> {
        let mut next = event;
        let token = next.as_ref().and_then(|event| event.request_token.clone()).unwrap_or_default();
        poll_until("AWS to do the request", limit, progress, || {
            let event = next.take();
            let token = token.clone();
            async move {
                let event = match event {
                    Some(event) => event,
                    None => self.status(&token).await?,
                };
                ended(operation, event)
            }
        })
        .await
    }

    async fn status(&self, token: &str) -> Result<ProgressEvent, ProviderError> {
        let asked = self.client.get_resource_request_status().request_token(token).send().await;
        let answer = asked.map_err(failed("cloudformation:GetResourceRequestStatus"))?;
        Ok(answer.progress_event.unwrap_or_else(|| ProgressEvent::builder().build()))
    }
}

fn ended(operation: &str, event: ProgressEvent) -> Result<Poll<ProgressEvent>, ProviderError> {
    match &event.operation_status {
        Some(OperationStatus::Success) => Ok(Poll::Ready(event)),
        Some(OperationStatus::Failed | OperationStatus::CancelComplete) => Err(ProviderError::Api {
            operation: operation.to_owned(),
            code: event.error_code.map_or_else(|| "Failed".to_owned(), |code| code.as_str().to_owned()),
            message: event.status_message.unwrap_or_else(|| "AWS gives no reason".into()),
        }),
        status => {
            let word = status.as_ref().map_or("not known yet", OperationStatus::as_str);
            Ok(Poll::Pending(format!("AWS's request is {word}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudcontrol::types::HandlerErrorCode;

    use super::*;

    #[test]
    fn a_request_is_waited_for_until_it_ends_and_a_failed_one_gives_the_services_own_code() {
        let event = |status| ProgressEvent::builder().operation_status(status);
        let ended = |event| super::ended("cloudformation:CreateResource", event);
        assert!(matches!(ended(event(OperationStatus::InProgress).build()), Ok(Poll::Pending(_))));
        assert!(matches!(ended(event(OperationStatus::Success).build()), Ok(Poll::Ready(_))));
        let failed = event(OperationStatus::Failed).error_code(HandlerErrorCode::AlreadyExists).build();
        assert!(is_taken(&ended(failed).unwrap_err()));
    }

    #[test]
    fn e7_a_new_role_is_waited_for_and_another_mistake_is_final() {
        let error = |message: &str| ProviderError::Api {
            operation: "cloudformation:CreateResource".into(),
            code: "InvalidRequest".into(),
            message: message.into(),
        };
        let recorded = [
            "The execution role you provide must allow AWS EventBridge Scheduler to assume the role.",
            "Neither the global service principal states.amazonaws.com, nor the regional one is authorized to assume the provided role.",
            "Firehose is unable to assume role arn:aws:iam::1:role/r. Please check the role provided.",
            "CodeBuild is not authorized to perform: sts:AssumeRole on arn:aws:iam::1:role/r",
            "Policy contains a statement with one or more invalid principals.",
        ];
        for message in recorded {
            assert!(passes(&error(message)).is_some(), "{message}");
        }
        assert!(passes(&error("Invalid Schedule Expression")).is_none());
    }
}
