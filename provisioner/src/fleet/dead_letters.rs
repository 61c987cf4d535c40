//! Dead letters, saved into the lake before their queue goes.

use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use bytes::Bytes;
use crawler_core::lake::PutMode;
use jiff::Timestamp;

use super::{Fleet, FleetError};
use crate::providers::failed;

/// Where saved dead letters stand in the lake.
const FOLDER: &str = "tmdb/_dead_letters/";
/// Seconds that a read message stays hidden: long enough to be saved.
const HIDDEN: i32 = 60;

/// A message that could not be done.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct DeadLetter {
    /// SQS's id of the message.
    pub message_id: String,
    /// The body, as it was sent.
    pub body: String,
    /// Why, where the function itself judged it; otherwise it was received too often.
    pub reason: String,
    /// Deliveries.
    pub attempts: String,
}

impl Fleet {
    /// Saves every dead letter into the lake, then removes it from its queue. Returns how many there were.
    ///
    /// # Errors
    /// A failed call. A letter that is not saved stays in its queue.
    pub async fn save_dead_letters(&self) -> Result<usize, FleetError> {
        let mut saved = 0;
        loop {
            let messages = self.receive_dead_letters().await?;
            if messages.is_empty() {
                return Ok(saved);
            }
            let letters: Vec<DeadLetter> = messages.iter().map(letter).collect();
            let mut lines = String::new();
            for letter in &letters {
                lines.push_str(&serde_json::json!(letter).to_string());
                lines.push('\n');
            }
            let key = format!("{FOLDER}{}-{}.ndjson", Timestamp::now().as_millisecond(), letters[0].message_id);
            self.lake.put(&key, Bytes::from(lines), PutMode::Overwrite).await?;
            for message in &messages {
                let handle = message.receipt_handle.clone();
                let call = self.dead_letters.client.delete_message().queue_url(&self.dead_letters.url);
                call.set_receipt_handle(handle).send().await.map_err(failed("sqs:DeleteMessage"))?;
            }
            saved += letters.len();
        }
    }

    async fn receive_dead_letters(&self) -> Result<Vec<Message>, FleetError> {
        let queue = &self.dead_letters;
        let wait = if queue.depth().await?.visible > 0 { 20 } else { 0 };
        let call = queue
            .client
            .receive_message()
            .queue_url(&queue.url)
            .max_number_of_messages(10)
            .visibility_timeout(HIDDEN)
            .wait_time_seconds(wait)
            .message_attribute_names("All")
            .message_system_attribute_names(MessageSystemAttributeName::All);
        Ok(call.send().await.map_err(failed("sqs:ReceiveMessage"))?.messages.unwrap_or_default())
    }
}

fn letter(message: &Message) -> DeadLetter {
    let attribute =
        |name: &str| message.message_attributes.as_ref().and_then(|all| all.get(name)?.string_value.clone());
    let received =
        message.attributes.as_ref().and_then(|all| all.get(&MessageSystemAttributeName::ApproximateReceiveCount));
    DeadLetter {
        message_id: message.message_id.clone().unwrap_or_default(),
        body: message.body.clone().unwrap_or_default(),
        reason: attribute("reason").unwrap_or_else(|| "received too often".to_owned()),
        attempts: attribute("attempts").or_else(|| received.cloned()).unwrap_or_default(),
    }
}
