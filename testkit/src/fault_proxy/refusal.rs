//! AWS's errors, each in the form of its protocol.

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde_json::json;

use super::operation::{Operation, Protocol};

/// An error that AWS answers with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub status: u16,
    pub code: String,
    pub message: String,
}

impl Refusal {
    pub(crate) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into() }
    }

    /// The error as the service of `operation` writes it.
    pub(crate) fn response(&self, operation: &Operation) -> Response {
        let Self { code, message, .. } = self;
        let mut response = match operation.protocol {
            _ if operation.name.starts_with("Head") => ().into_response(),
            Protocol::RestXml => xml("application/xml", format!("<Error>{}</Error>", self.xml())),
            Protocol::Query => {
                let fault = if self.status < 500 { "Sender" } else { "Receiver" };
                xml(
                    "text/xml",
                    format!("<ErrorResponse><Error><Type>{fault}</Type>{}</Error></ErrorResponse>", self.xml()),
                )
            }
            Protocol::RestJson => typed("application/json", &json!({"Type": "User", "message": message}), code),
            Protocol::Json if operation.service == "sqs" => {
                let body = json!({"__type": format!("com.amazonaws.sqs#{code}"), "message": message});
                let mut response = typed("application/x-amz-json-1.0", &body, code);
                let legacy = HeaderValue::from_str(&format!("{};Sender", legacy_sqs_code(code)));
                response
                    .headers_mut()
                    .extend(legacy.ok().map(|legacy| (HeaderName::from_static("x-amzn-query-error"), legacy)));
                response
            }
            Protocol::Json => typed("application/x-amz-json-1.1", &json!({"__type": code, "message": message}), code),
        };
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response
            .headers_mut()
            .insert("x-amzn-requestid", HeaderValue::from_static("00000000-0000-0000-0000-000000000000"));
        response
    }

    fn xml(&self) -> String {
        let message = self.message.replace('&', "&amp;").replace('<', "&lt;");
        format!("<Code>{}</Code><Message>{message}</Message><RequestId>0000</RequestId>", self.code)
    }
}

fn xml(content_type: &'static str, body: String) -> Response {
    let body = format!(r#"<?xml version="1.0" encoding="UTF-8"?>{body}"#);
    ([(header::CONTENT_TYPE, content_type)], body).into_response()
}

fn typed(content_type: &'static str, body: &serde_json::Value, code: &str) -> Response {
    let mut response = ([(header::CONTENT_TYPE, content_type)], body.to_string()).into_response();
    let code = HeaderValue::from_str(code).ok().map(|code| (HeaderName::from_static("x-amzn-errortype"), code));
    response.headers_mut().extend(code);
    response
}

/// What the Query protocol, which SQS spoke before, called the same error.
fn legacy_sqs_code(code: &str) -> String {
    match code {
        "QueueDoesNotExist" => "AWS.SimpleQueueService.NonExistentQueue".to_owned(),
        "QueueNameExists" => "QueueAlreadyExists".to_owned(),
        "QueueDeletedRecently" | "PurgeQueueInProgress" | "UnsupportedOperation" => {
            format!("AWS.SimpleQueueService.{code}")
        }
        other => other.to_owned(),
    }
}
