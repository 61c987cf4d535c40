//! The edge of SQS's message move tasks (E51).

use axum::{body::Bytes, http::StatusCode};
use serde_json::{Value, json};

use super::{
    super::{
        forward::{Answer, Passing},
        refusal::Refusal,
    },
    Edges,
};

impl Edges {
    /// A letter that the function itself sent has no queue of origin: without a destination the task fails.
    pub(super) fn move_refused(&self, passing: &Passing) -> Option<Refusal> {
        let starts = passing.operation.name == "StartMessageMoveTask";
        let aimless = starts && passing.field("DestinationArn").is_empty();
        let message = "Source queue must be configured as a Dead Letter Queue.";
        aimless.then(|| Refusal::new(400, "InvalidParameterValue", message))
    }

    /// Answers in the emulator's place: one letter a look, until there were so many looks.
    pub(super) fn show_move_task(&mut self, passing: &Passing, answer: &mut Answer, looks: usize) {
        let told = match passing.operation.name.as_str() {
            "StartMessageMoveTask" => {
                self.move_task = Some(0);
                json!({"TaskHandle": "task"})
            }
            "ListMessageMoveTasks" => json!({"Results": self.task(passing, looks)}),
            _ => return,
        };
        answer.status = StatusCode::OK;
        answer.headers.clear();
        answer.body = Bytes::from(told.to_string());
    }

    fn task(&mut self, passing: &Passing, looks: usize) -> Vec<Value> {
        let Some(seen) = self.move_task.as_mut() else {
            return Vec::new();
        };
        *seen = (*seen + 1).min(looks);
        let status = if *seen < looks { "RUNNING" } else { "COMPLETED" };
        vec![json!({
            "Status": status,
            "SourceArn": passing.field("SourceArn"),
            "ApproximateNumberOfMessagesMoved": *seen,
            "ApproximateNumberOfMessagesToMove": looks,
            "StartedTimestamp": 1_760_000_000_000_u64,
        })]
    }
}
