//! What the function wrote in its log of one message.

use aws_sdk_cloudwatchlogs::Client;
use serde_json::Value;

use crate::engine::ProviderError;
use crate::providers::failed;

/// The function's log group.
#[derive(Clone, Debug)]
pub struct Log {
    client: Client,
    group: String,
}

impl Log {
    /// The log of the function of this name.
    pub(super) fn new(client: Client, function: &str) -> Self {
        Self { client, group: format!("/aws/lambda/{function}") }
    }

    /// The last error that was written of this message; none where the function was killed before it could write.
    pub(super) async fn last_error_of(&self, message_id: &str) -> Result<Option<String>, ProviderError> {
        let call = self.client.filter_log_events().log_group_name(&self.group);
        let mut pages = call.filter_pattern(format!("\"{message_id}\"")).into_paginator().send();
        let mut last: Option<(i64, String)> = None;
        while let Some(page) = pages.next().await {
            let page = match page.map_err(failed("logs:FilterLogEvents")) {
                Err(error) if error.is("ResourceNotFoundException") => return Ok(None),
                page => page?,
            };
            let told = page.events.unwrap_or_default().into_iter();
            let told = told.filter_map(|event| Some((event.timestamp?, reason(event.message.as_deref()?)?)));
            last = last.into_iter().chain(told).max_by_key(|(at, _)| *at);
        }
        Ok(last.map(|(_, reason)| reason))
    }
}

/// The reason in a line of the function's JSON log.
fn reason(line: &str) -> Option<String> {
    let line: Value = serde_json::from_str(line).ok()?;
    let reason = line.get("reason").or_else(|| line.get("error"))?;
    reason.as_str().map(str::to_owned)
}
