//! One SQS queue: its depth, and sending to it in full batches, side by side.

use std::collections::HashMap;
use std::str::FromStr;

use aws_sdk_sqs::types::{QueueAttributeName, SendMessageBatchRequestEntry};
use futures::stream::{self, StreamExt};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::FleetError;
use crate::engine::ProviderError;
use crate::providers::failed;

/// SQS takes ten messages a batch (E47).
const BATCH: usize = 10;
/// ... and this many bytes.
const BATCH_BYTES: usize = 1_048_576;
/// Batches under way at once.
const WIDTH: usize = 16;
/// Times that single messages of a batch are sent again.
const TRIES: usize = 5;

/// SQS keeps no message longer.
const LONGEST: SignedDuration = SignedDuration::from_hours(14 * 24);

/// A queue by its URL.
#[derive(Clone, Debug)]
pub struct Queue {
    pub(super) client: aws_sdk_sqs::Client,
    pub(super) url: String,
}

/// SQS's three counters; each is approximate (E46).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Depth {
    /// Messages that wait.
    pub visible: u64,
    /// Messages that a function has.
    pub in_flight: u64,
    /// Messages that wait for their delay to end.
    pub delayed: u64,
}

impl Depth {
    /// Whether all three counters are zero.
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }
}

impl Queue {
    /// The queue at `url`.
    pub fn new(client: aws_sdk_sqs::Client, url: String) -> Self {
        Self { client, url }
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// How many messages it holds.
    ///
    /// # Errors
    /// A failed call.
    pub async fn depth(&self) -> Result<Depth, ProviderError> {
        use QueueAttributeName as Name;
        let [visible, in_flight, delayed] = self
            .numbers([
                Name::ApproximateNumberOfMessages,
                Name::ApproximateNumberOfMessagesNotVisible,
                Name::ApproximateNumberOfMessagesDelayed,
            ])
            .await?
            .map(Option::unwrap_or_default);
        Ok(Depth { visible, in_flight, delayed })
    }

    /// How long it keeps a message (E50).
    ///
    /// # Errors
    /// A failed call.
    pub async fn retention(&self) -> Result<SignedDuration, ProviderError> {
        let [seconds] = self.numbers([QueueAttributeName::MessageRetentionPeriod]).await?;
        Ok(retention(seconds))
    }

    /// Since when messages were sent that it may still hold: none is older than its retention (E50), nor than the queue.
    pub(super) async fn holds_since(&self) -> Result<Timestamp, ProviderError> {
        let names = [QueueAttributeName::MessageRetentionPeriod, QueueAttributeName::CreatedTimestamp];
        let [kept, created] = self.numbers(names).await?;
        let created = created.and_then(|second| Timestamp::from_second(second).ok());
        let kept = Timestamp::now().checked_sub(retention(kept)).ok();
        Ok(created.max(kept).unwrap_or(Timestamp::MIN))
    }

    async fn numbers<N: FromStr, const COUNT: usize>(
        &self,
        names: [QueueAttributeName; COUNT],
    ) -> Result<[Option<N>; COUNT], ProviderError> {
        let call = self.client.get_queue_attributes().queue_url(&self.url).set_attribute_names(Some(names.to_vec()));
        let attributes = call.send().await.map_err(failed("sqs:GetQueueAttributes"))?.attributes.unwrap_or_default();
        Ok(names.map(|name| attributes.get(&name)?.parse().ok()))
    }

    /// Sends one message.
    ///
    /// # Errors
    /// A failed call.
    pub async fn send(&self, body: &str) -> Result<(), ProviderError> {
        let call = self.client.send_message().queue_url(&self.url).message_body(body);
        call.send().await.map_err(failed("sqs:SendMessage"))?;
        Ok(())
    }

    /// Sends `bodies` in full batches, many at once. None is begun after `stop` or a failure, or without `room` for its messages; what SQS
    /// took keeps its room. `accepted` learns the places in `bodies` that SQS took, a batch at a time; of a batch, only what SQS did not
    /// take is sent again.
    ///
    /// # Errors
    /// The first call that failed, or [`FleetError::Refused`] for messages that SQS will never take. What was accepted
    /// before that was told to `accepted`.
    pub async fn send_all(
        &self,
        bodies: &[String],
        stop: &CancellationToken,
        room: &Semaphore,
        mut accepted: impl FnMut(&[usize]),
    ) -> Result<(), FleetError> {
        let stop = stop.child_token();
        let wanted = batches(bodies).into_iter().take_while(|_| !stop.is_cancelled());
        let send = async |batch: Vec<usize>| {
            // Nobody closes it.
            if let Ok(permits) = room.acquire_many(batch.len() as u32).await {
                permits.forget();
            }
            let wanted = batch.len();
            let (taken, result) = self.send_batch(bodies, batch).await;
            room.add_permits(wanted - taken.len());
            (taken, result)
        };
        let mut batches = stream::iter(wanted).map(send).buffer_unordered(WIDTH);
        let mut first_error = None;
        while let Some((taken, result)) = batches.next().await {
            accepted(&taken);
            if let Err(error) = result {
                stop.cancel();
                first_error.get_or_insert(error);
            }
        }
        first_error.map_or(Ok(()), Err)
    }

    /// The places that SQS took, and why the others were not.
    async fn send_batch(&self, bodies: &[String], batch: Vec<usize>) -> (Vec<usize>, Result<(), FleetError>) {
        let mut left = batch;
        let mut taken = Vec::with_capacity(left.len());
        let mut reason = String::new();
        for _ in 0..TRIES {
            let refused = match self.try_batch(bodies, &left).await {
                Ok(refused) => refused,
                Err(error) => return (taken, Err(error.into())),
            };
            taken.extend(left.iter().filter(|place| !refused.contains_key(place)));
            left.retain(|place| refused.contains_key(place));
            if left.is_empty() {
                return (taken, Ok(()));
            }
            reason = refused.values().next().map(|refusal| refusal.reason.clone()).unwrap_or_default();
            if refused.values().any(|refusal| refusal.ours) {
                break;
            }
        }
        let count = left.len();
        (taken, Err(FleetError::Refused { count, reason }))
    }

    async fn try_batch(&self, bodies: &[String], places: &[usize]) -> Result<HashMap<usize, Refusal>, ProviderError> {
        let mut call = self.client.send_message_batch().queue_url(&self.url);
        for place in places {
            let entry = SendMessageBatchRequestEntry::builder().id(place.to_string()).message_body(&bodies[*place]);
            let entry = entry
                .build()
                .map_err(|error| ProviderError::refused(error.to_string(), "this is a defect; report it"))?;
            call = call.entries(entry);
        }
        let answer = call.send().await.map_err(failed("sqs:SendMessageBatch"))?;
        let refusal = |entry: aws_sdk_sqs::types::BatchResultErrorEntry| {
            let reason = format!("{}: {}", entry.code, entry.message.unwrap_or_default());
            Some((entry.id.parse().ok()?, Refusal { reason, ours: entry.sender_fault }))
        };
        Ok(answer.failed.into_iter().filter_map(refusal).collect())
    }
}

fn retention(seconds: Option<i64>) -> SignedDuration {
    seconds.map_or(LONGEST, SignedDuration::from_secs)
}

/// Why SQS did not take a message, and whether that is the message's own fault.
struct Refusal {
    reason: String,
    ours: bool,
}

/// Places of `bodies`, as few batches as count and bytes allow.
fn batches(bodies: &[String]) -> Vec<Vec<usize>> {
    let mut batches: Vec<Vec<usize>> = Vec::new();
    let mut bytes = 0;
    for (place, body) in bodies.iter().enumerate() {
        match batches.last_mut() {
            Some(batch) if batch.len() < BATCH && bytes + body.len() <= BATCH_BYTES => {
                batch.push(place);
                bytes += body.len();
            }
            _ => {
                batches.push(vec![place]);
                bytes = body.len();
            }
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e47_batches_are_full_by_count_and_by_bytes() {
        let small = vec!["x".to_owned(); 21];
        assert_eq!(batches(&small).iter().map(Vec::len).collect::<Vec<_>>(), [10, 10, 1]);
        let large = vec!["x".repeat(400_000); 5];
        assert_eq!(batches(&large).iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
    }
}
