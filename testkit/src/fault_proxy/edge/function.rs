//! The edges of a function: its role, its states, the rate of its control plane.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{
    super::{
        forward::{Answer, Passing},
        refusal::Refusal,
    },
    Edges, bare, conflict,
};

impl Edges {
    pub(super) fn function_pending(&mut self, passing: &Passing, reads: usize) -> Option<Refusal> {
        let refuses = passing.operation.name.starts_with("UpdateFunction") || passing.operation.name == "Invoke";
        let early = refuses && self.read_since("CreateFunction", passing).is_some_and(|read| read < reads);
        let message =
            "The operation cannot be performed at this time. The function is currently in the following state: Pending";
        early.then(|| conflict(message))
    }

    pub(super) fn update_in_progress(&mut self, passing: &Passing, reads: usize) -> Option<Refusal> {
        let updates = ["UpdateFunctionCode", "UpdateFunctionConfiguration"];
        let refuses = updates.contains(&passing.operation.name.as_str());
        let early =
            refuses && updates.iter().any(|update| self.read_since(update, passing).is_some_and(|read| read < reads));
        let message = format!(
            "The operation cannot be performed at this time. An update is in progress for resource: {}",
            passing.operation.resource
        );
        early.then(|| conflict(message))
    }

    pub(super) fn function_deleting(&mut self, passing: &Passing, reads: usize) -> Option<Refusal> {
        let early = passing.operation.name == "CreateFunction" && self.is_early(passing, "DeleteFunction", reads);
        let message = "The operation cannot be performed at this time. The function is currently in the following state: Deleting";
        early.then(|| conflict(message))
    }

    pub(super) fn throttled(&mut self, passing: &Passing, rate: usize) -> Option<Refusal> {
        let name = passing.operation.name.as_str();
        if passing.operation.service != "lambda" || matches!(name, "GetFunction" | "Invoke") {
            return None;
        }
        while self.lambda_calls.front().is_some_and(|at| at.elapsed() > Duration::from_secs(1)) {
            self.lambda_calls.pop_front();
        }
        self.lambda_calls.push_back(Instant::now());
        (self.lambda_calls.len() > rate).then(|| Refusal::new(429, "TooManyRequestsException", "Rate exceeded"))
    }

    /// Rewrites a function's answer while it is one of the first `reads` since `operation`, and that operation's own answer.
    pub(super) fn show_state(
        &mut self,
        passing: &Passing,
        answer: &mut Answer,
        operation: &'static str,
        reads: usize,
        state: fn(&mut Value),
    ) {
        let reading = matches!(passing.operation.name.as_str(), "GetFunction" | "GetFunctionConfiguration");
        if passing.operation.name == operation || reading && self.is_early(passing, operation, reads) {
            answer.rewrite(state);
        }
    }

    pub(super) fn role_not_assumable(&self, passing: &Passing, span: Duration) -> Option<Refusal> {
        let uses = matches!(passing.operation.name.as_str(), "CreateFunction" | "UpdateFunctionConfiguration");
        let young = uses && self.elapsed("CreateRole", &passing.field("Role")).is_some_and(|age| age < span);
        let message = "The role defined for the function cannot be assumed by Lambda.";
        young.then(|| Refusal::new(400, "InvalidParameterValueException", message))
    }

    /// How often the call's function was read since `operation` succeeded on it, if it did.
    fn read_since(&self, operation: &str, passing: &Passing) -> Option<usize> {
        let resource = bare(&passing.operation.resource);
        self.elapsed(operation, &resource)?;
        let reads = self.reads.iter().filter(|((since, name, _), _)| *since == operation && *name == resource);
        Some(reads.map(|(_, count)| count).sum())
    }
}

/// GetFunction nests what GetFunctionConfiguration, CreateFunction and the updates answer with.
fn configuration(json: &mut Value) -> &mut Value {
    if json.get("Configuration").is_some() { &mut json["Configuration"] } else { json }
}

pub(super) fn pending(json: &mut Value) {
    let configuration = configuration(json);
    configuration["State"] = json!("Pending");
    configuration["StateReason"] = json!("The function is being created.");
    configuration["StateReasonCode"] = json!("Creating");
}

pub(super) fn in_progress(json: &mut Value) {
    configuration(json)["LastUpdateStatus"] = json!("InProgress");
}

pub(super) fn deleting(json: &mut Value) {
    configuration(json)["State"] = json!("Deleting");
}
