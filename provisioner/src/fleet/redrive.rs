//! Dead letters, sent round again: by the queue's own move task, or, where there is none or only some are meant, one batch after
//! another. Nothing is lost: a letter is deleted only after the jobs queue has accepted it; killed in between, it is in both queues,
//! and the job that comes twice is done once.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_sqs::types::{ListMessageMoveTasksResultEntry, QueueAttributeName};
use crawler_core::imdb::Selection;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::dead_letters::DeadLetter;
use super::{Fleet, FleetError, Queue};
use crate::engine::ProviderError;
use crate::providers::failed;

/// Between two looks at a move task.
const LOOK: Duration = Duration::from_millis(500);

/// What a redrive did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Redriven {
    /// Letters that are in the jobs queue again.
    pub redriven: u64,
    /// Letters that are still dead.
    pub left: u64,
    /// Whether SQS moved them by a task of its own.
    pub by_task: bool,
}

impl Fleet {
    /// Sends all dead letters, or those with selected jobs, to the jobs queue again; `progress` learns how many of how many. An
    /// interruption lets the batch that is under way end, and SQS's own task go on unwatched.
    ///
    /// # Errors
    /// A failed call; the letters that are not sent stay dead letters.
    pub async fn redrive(
        &self,
        selection: Option<&Selection>,
        interrupt: &CancellationToken,
        progress: impl Fn(u64, u64),
    ) -> Result<Redriven, FleetError> {
        let moved = match selection {
            None => self.move_by_task(interrupt, &progress).await?,
            Some(_) => None,
        };
        let (redriven, by_task) = match moved {
            Some(moved) => (moved, true),
            None => (self.send_again(selection, interrupt, &progress).await?, false),
        };
        let left = self.dead_letters.depth().await?.visible;
        Ok(Redriven { redriven, left, by_task })
    }

    /// Starts SQS's own task, or joins the one that runs (E51). None where SQS knows no such task for this queue.
    async fn move_by_task(
        &self,
        interrupt: &CancellationToken,
        progress: &impl Fn(u64, u64),
    ) -> Result<Option<u64>, FleetError> {
        let source = arn(&self.dead_letters).await?;
        let running = match self.latest_task(&source).await {
            Err(error) if no_task_here(&error) => return Ok(None),
            latest => latest?.is_some_and(|task| is_running(&task)),
        };
        if !running {
            // Without a destination letters that the function itself sent here would have nowhere to go.
            let destination = arn(&self.jobs).await?;
            let call = self.dead_letters.client.start_message_move_task();
            let call = call.source_arn(&source).destination_arn(destination);
            match call.send().await.map_err(failed("sqs:StartMessageMoveTask")) {
                Err(error) if no_task_here(&error) => return Ok(None),
                started => started?,
            };
        }
        loop {
            let Some(task) = self.latest_task(&source).await? else {
                return Ok(None);
            };
            let moved = u64::try_from(task.approximate_number_of_messages_moved).unwrap_or(0);
            let of = task.approximate_number_of_messages_to_move.and_then(|of| u64::try_from(of).ok()).unwrap_or(moved);
            progress(moved, of);
            match task.status.as_deref() {
                Some("COMPLETED") => return Ok(Some(moved)),
                Some("RUNNING") if interrupt.is_cancelled() => return Ok(Some(moved)),
                Some("RUNNING") => {
                    // Ended by whichever comes first.
                    let _ = tokio::time::timeout(LOOK, interrupt.cancelled()).await;
                }
                other => {
                    let reason = task.failure_reason.or(other.map(str::to_owned)).unwrap_or_default();
                    return Err(FleetError::TaskEnded { reason });
                }
            }
        }
    }

    async fn latest_task(&self, source: &str) -> Result<Option<ListMessageMoveTasksResultEntry>, ProviderError> {
        let call = self.dead_letters.client.list_message_move_tasks().source_arn(source).max_results(10);
        let tasks = call.send().await.map_err(failed("sqs:ListMessageMoveTasks"))?.results.unwrap_or_default();
        Ok(tasks.into_iter().max_by_key(|task| (is_running(task), task.started_timestamp)))
    }

    /// Receives, sends, deletes; those that are not meant can be received again afterwards. Ends after as many letters as there were, so
    /// that one that dies again meanwhile is not sent round for ever. Those that are not meant come again where there are so many that they
    /// are no longer hidden: a whole round of them is the end.
    async fn send_again(
        &self,
        selection: Option<&Selection>,
        interrupt: &CancellationToken,
        progress: &impl Fn(u64, u64),
    ) -> Result<u64, FleetError> {
        let there = self.dead_letters.depth().await?.visible;
        let (mut seen, mut known, mut sent) = (0, 0, 0);
        let mut others: BTreeMap<String, DeadLetter> = BTreeMap::new();
        let mut result = Ok(());
        while seen < there && known < there && result.is_ok() && !interrupt.is_cancelled() {
            let letters = self.receive_dead_letters(20).await?;
            if letters.is_empty() {
                break;
            }
            let (meant, other): (Vec<_>, Vec<_>) =
                letters.into_iter().partition(|letter| selection.is_none_or(|wanted| letter.is_of(wanted)));
            let before = others.len();
            let received = other.len();
            others.extend(other.into_iter().map(|letter| (letter.message_id.clone(), letter)));
            let new = meant.len() + others.len() - before;
            seen += new as u64;
            known = if new > 0 { 0 } else { known + received as u64 };
            let (accepted, sending) = self.send_letters(&meant).await;
            sent += accepted;
            result = sending;
            progress(sent, there);
        }
        let others: Vec<_> = others.into_values().collect();
        self.show_again(&others).await?;
        result.map(|()| sent)
    }

    /// How many of these are in the jobs queue again, and why not all.
    async fn send_letters(&self, letters: &[DeadLetter]) -> (u64, Result<(), FleetError>) {
        let bodies: Vec<String> = letters.iter().map(|letter| letter.body.clone()).collect();
        let mut accepted = Vec::new();
        let (stop, room) = (CancellationToken::new(), Semaphore::new(bodies.len()));
        let sending = self.jobs.send_all(&bodies, &stop, &room, |places| accepted.extend_from_slice(places)).await;
        let deleting = self.delete_dead_letters(accepted.iter().map(|place| &letters[*place])).await;
        (accepted.len() as u64, sending.and(deleting.map_err(FleetError::from)))
    }
}

/// SQS's look-alikes have no such task; SQS itself has one only for a queue that is a dead-letter queue now.
fn no_task_here(error: &ProviderError) -> bool {
    let codes = ["InvalidAction", "UnsupportedOperation", "UnknownOperationException", "InvalidParameterValue"];
    error.code().is_some_and(|code| codes.iter().any(|known| code.ends_with(known)))
}

fn is_running(task: &ListMessageMoveTasksResultEntry) -> bool {
    task.status.as_deref() == Some("RUNNING")
}

async fn arn(queue: &Queue) -> Result<String, ProviderError> {
    let call = queue.client.get_queue_attributes().queue_url(&queue.url).attribute_names(QueueAttributeName::QueueArn);
    let attributes = call.send().await.map_err(failed("sqs:GetQueueAttributes"))?.attributes.unwrap_or_default();
    Ok(attributes.get(&QueueAttributeName::QueueArn).cloned().unwrap_or_default())
}
