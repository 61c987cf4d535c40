//! Dead letters: what could not be done, as a person reads it, and saved into the lake before their queue goes.

use std::collections::BTreeMap;

use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message, MessageSystemAttributeName,
};
use bytes::Bytes;
use crawler_core::imdb::Selection;
use crawler_core::lake::{PutMode, layout::DEAD_LETTERS};
use crawler_core::partition::year_folder;
use crawler_core::{Job, Order};
use jiff::Timestamp;

use super::{Depth, Fleet, FleetError};
use crate::engine::ProviderError;
use crate::providers::failed;

/// Seconds that a read message stays hidden: long enough to be shown, saved or sent again.
const HIDDEN: i32 = 60;
/// SQS's longest wait for a message: a shorter one asks only some of its servers (E52).
const WAIT: i32 = 20;
/// How often in a row a queue that holds some gives none before they are another's: longer than they stay hidden by one look.
const LOOKS: usize = (HIDDEN / WAIT) as usize + 1;
/// Messages that one call reads, deletes or shows again.
const BATCH: usize = 10;

/// A message that could not be done.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct DeadLetter {
    /// SQS's id of the message.
    pub message_id: String,
    /// The jobs that it carries, by name; of a whole partition its name without a part.
    pub jobs: Vec<String>,
    /// Why it is dead: the function's own words, or that it was received too often.
    pub reason: String,
    /// Deliveries.
    pub attempts: String,
    /// The last error that the function wrote of it, where it did not say the reason itself.
    pub last_error: Option<String>,
    /// The body, as it was sent.
    pub body: String,
    #[serde(skip)]
    pub(super) receipt: Option<String>,
}

impl DeadLetter {
    /// Whether SQS itself gave it up, so that only the function's log can tell why.
    fn is_unexplained(&self) -> bool {
        self.reason == RECEIVED_TOO_OFTEN
    }

    /// Whether a job in it is selected.
    pub(super) fn is_of(&self, selection: &Selection) -> bool {
        match Order::parse(&self.body) {
            Ok(Order::Partition { year, initial }) => selection.has_partition(year, &initial),
            Ok(Order::Jobs { jobs, .. } | Order::Refresh { jobs, .. }) => jobs.iter().any(|job| selection.has(job)),
            Err(_) => false,
        }
    }
}

const RECEIVED_TOO_OFTEN: &str = "received too often";

impl Fleet {
    /// The dead letters, at most `limit` of them; all can be received again at once. Looking counts as a delivery (E52).
    ///
    /// # Errors
    /// A failed call.
    pub async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, FleetError> {
        let there = self.dead_letters.depth().await?.visible as usize;
        let mut letters: BTreeMap<String, DeadLetter> = BTreeMap::new();
        while letters.len() < there.min(limit) {
            let received = self.receive_dead_letters(WAIT).await?;
            let before = letters.len();
            letters.extend(received.into_iter().map(|letter| (letter.message_id.clone(), letter)));
            if letters.len() == before {
                break;
            }
        }
        let mut letters: Vec<_> = letters.into_values().collect();
        self.show_again(&letters).await?;
        letters.truncate(limit);
        self.explain(&mut letters).await?;
        letters.sort_by(|one, other| one.jobs.cmp(&other.jobs));
        Ok(letters)
    }

    /// What the function's log says of letters that SQS itself gave up.
    async fn explain(&self, letters: &mut [DeadLetter]) -> Result<(), FleetError> {
        for letter in letters.iter_mut().filter(|letter| letter.is_unexplained()) {
            letter.last_error = self.log.last_error_of(&letter.message_id).await?;
        }
        Ok(())
    }

    /// Saves every dead letter into the lake, then removes it from its queue. Returns how many there were. One that is hidden, as an
    /// earlier look was cut off or somebody else looks, is waited for.
    ///
    /// # Errors
    /// A failed call, or letters that stay hidden. A letter that is not saved stays in its queue.
    pub async fn save_dead_letters(&self) -> Result<usize, FleetError> {
        let (mut saved, mut looks) = (0, 0);
        loop {
            let depth = self.dead_letters.depth().await?;
            let letters = self.receive_dead_letters(if depth.is_empty() { 0 } else { WAIT }).await?;
            looks = if letters.is_empty() { looks + 1 } else { 0 };
            match letters.is_empty() {
                true if depth.is_empty() => return Ok(saved),
                true if looks == LOOKS => return Err(in_other_hands(depth).into()),
                true => continue,
                false => {}
            }
            let mut lines = String::new();
            for letter in &letters {
                lines.push_str(&serde_json::json!(letter).to_string());
                lines.push('\n');
            }
            let key = format!("{DEAD_LETTERS}{}-{}.ndjson", Timestamp::now().as_millisecond(), letters[0].message_id);
            self.lake.put(&key, Bytes::from(lines), PutMode::Overwrite).await?;
            self.delete_dead_letters(letters.iter()).await?;
            saved += letters.len();
        }
    }

    /// Some dead letters, hidden from others for a while.
    pub(super) async fn receive_dead_letters(&self, wait: i32) -> Result<Vec<DeadLetter>, ProviderError> {
        let queue = &self.dead_letters;
        let call = queue
            .client
            .receive_message()
            .queue_url(&queue.url)
            .max_number_of_messages(BATCH as i32)
            .visibility_timeout(HIDDEN)
            .wait_time_seconds(wait)
            .message_attribute_names("All")
            .message_system_attribute_names(MessageSystemAttributeName::All);
        let received = call.send().await.map_err(failed("sqs:ReceiveMessage"))?.messages.unwrap_or_default();
        Ok(received.into_iter().map(letter).collect())
    }

    /// Lets received letters be received again at once.
    pub(super) async fn show_again(&self, letters: &[DeadLetter]) -> Result<(), ProviderError> {
        for some in letters.chunks(BATCH) {
            let mut call = self.dead_letters.client.change_message_visibility_batch().queue_url(&self.dead_letters.url);
            for (place, letter) in some.iter().enumerate() {
                let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(place.to_string());
                let entry = entry.set_receipt_handle(letter.receipt.clone()).visibility_timeout(0).build();
                call = call.entries(entry.map_err(no_request)?);
            }
            // One that another reader has by now is shown again by that one.
            call.send().await.map_err(failed("sqs:ChangeMessageVisibilityBatch"))?;
        }
        Ok(())
    }

    /// Removes received letters from their queue.
    pub(super) async fn delete_dead_letters(
        &self,
        letters: impl Iterator<Item = &DeadLetter>,
    ) -> Result<(), ProviderError> {
        let letters: Vec<_> = letters.collect();
        for some in letters.chunks(BATCH) {
            let mut call = self.dead_letters.client.delete_message_batch().queue_url(&self.dead_letters.url);
            for (place, letter) in some.iter().enumerate() {
                let entry = DeleteMessageBatchRequestEntry::builder().id(place.to_string());
                let entry = entry.set_receipt_handle(letter.receipt.clone()).build();
                call = call.entries(entry.map_err(no_request)?);
            }
            let answer = call.send().await.map_err(failed("sqs:DeleteMessageBatch"))?;
            if let Some(refused) = answer.failed.first() {
                let message = refused.message.clone().unwrap_or_default();
                let operation = "sqs:DeleteMessageBatch".to_owned();
                return Err(ProviderError::Api { operation, code: refused.code.clone(), message });
            }
        }
        Ok(())
    }
}

fn no_request(error: aws_sdk_sqs::error::BuildError) -> ProviderError {
    ProviderError::refused(error.to_string(), "this is a defect; report it")
}

fn in_other_hands(depth: Depth) -> ProviderError {
    ProviderError::refused(
        format!("{} dead letters are another reader's and cannot be saved", depth.visible + depth.in_flight),
        "let the other reader end, then run the command again: it goes on",
    )
}

fn letter(message: Message) -> DeadLetter {
    let attribute =
        |name: &str| message.message_attributes.as_ref().and_then(|all| all.get(name)?.string_value.clone());
    let received =
        message.attributes.as_ref().and_then(|all| all.get(&MessageSystemAttributeName::ApproximateReceiveCount));
    let body = message.body.clone().unwrap_or_default();
    DeadLetter {
        message_id: message.message_id.clone().unwrap_or_default(),
        jobs: jobs(&body),
        reason: attribute("reason").unwrap_or_else(|| RECEIVED_TOO_OFTEN.to_owned()),
        attempts: attribute("attempts").or_else(|| received.cloned()).unwrap_or_default(),
        last_error: None,
        receipt: message.receipt_handle,
        body,
    }
}

fn jobs(body: &str) -> Vec<String> {
    match Order::parse(body) {
        Ok(Order::Partition { year, initial }) => vec![format!("{}/{initial}", year_folder(year))],
        Ok(Order::Jobs { jobs, .. } | Order::Refresh { jobs, .. }) => jobs.iter().map(Job::name).collect(),
        Err(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(body: &str) -> DeadLetter {
        letter(Message::builder().message_id("m").body(body).build())
    }

    #[test]
    fn a_letter_names_its_jobs_and_is_selected_by_them() {
        let selection = |years: &str| Selection { years: Some(years.parse().unwrap()), initials: None };
        let partition = of(r#"{"year":"2004","initial":"ad"}"#);
        assert_eq!(partition.jobs, ["year=2004/AD"]);
        assert!(partition.is_of(&selection("2000..2010")) && !partition.is_of(&selection("2005")));
        let nothing = of("no job");
        assert!(nothing.jobs.is_empty() && !nothing.is_of(&Selection::default()));
    }
}
