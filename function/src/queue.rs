//! The two queues as the function uses them: giving a message back soon, and sending one to the dead letters.

use aws_sdk_sqs::{
    Client,
    error::{BuildError, DisplayErrorContext},
    types::MessageAttributeValue,
};

/// The jobs' queue and the dead letters.
#[derive(Clone, Debug)]
pub struct Queues {
    client: Client,
    jobs: String,
    dead_letters: String,
}

/// A queue did not do as asked.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation} ({cause}); check the role's rights to the queue")]
pub struct QueueError {
    operation: &'static str,
    cause: String,
}

impl Queues {
    /// The queues with these URLs.
    pub fn new(client: Client, jobs: String, dead_letters: String) -> Self {
        Self { client, jobs, dead_letters }
    }

    /// Lets a message that will be reported as failed be seen again in `seconds`, not after the whole visibility timeout (E34).
    pub async fn show_again_in(&self, receipt: &str, seconds: i32) -> Result<(), QueueError> {
        let request = self.client.change_message_visibility().queue_url(&self.jobs);
        let sent = request.receipt_handle(receipt).visibility_timeout(seconds).send().await;
        sent.map_err(|error| QueueError {
            operation: "hand the message back",
            cause: DisplayErrorContext(error).to_string(),
        })?;
        Ok(())
    }

    /// Sends a body to the dead letters as it came, with attributes `reason`, `attempts` and `message_id`.
    pub async fn bury(&self, body: &str, reason: &str, attempts: u32, message_id: &str) -> Result<(), QueueError> {
        let failed = |cause: String| QueueError { operation: "send the message to the dead letters", cause };
        let attribute = |kind: &str, value: String| {
            let built = MessageAttributeValue::builder().data_type(kind).string_value(value).build();
            built.map_err(|error: BuildError| failed(error.to_string()))
        };
        let body = if body.is_empty() { "(no body)" } else { body };
        let request = self.client.send_message().queue_url(&self.dead_letters).message_body(body);
        let sent = request
            .message_attributes("reason", attribute("String", readable(reason))?)
            .message_attributes("attempts", attribute("Number", attempts.to_string())?)
            .message_attributes("message_id", attribute("String", readable(message_id))?)
            .send()
            .await;
        sent.map_err(|error| failed(DisplayErrorContext(error).to_string()))?;
        Ok(())
    }
}

/// An attribute must have a value, of characters that XML allows.
fn readable(text: &str) -> String {
    let is_plain = |c: &char| !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}');
    let text: String = text.chars().map(|c| if is_plain(&c) { c } else { ' ' }).take(1_000).collect();
    if text.is_empty() { "unknown".to_owned() } else { text }
}
