//! How `up` and `down` ended: what was done, what failed and why, what is left.

use std::fmt::Write;
use std::time::Duration;

use indexmap::IndexMap;
use serde_json::{Value, json};

use super::progress::{done, seconds};
use super::{Ui, plan};
use crate::engine::{Change, DestroyPlan, Observed, Plan, Remaining, Report, Scope};
use crate::error::Failure;
use crate::exit;

/// The end of `up`.
pub struct Up<'a> {
    /// Where.
    pub scope: &'a Scope,
    /// What was to be done.
    pub plan: &'a Plan,
    /// What was done.
    pub report: &'a Report,
    /// The template's outputs.
    pub outputs: &'a IndexMap<String, Value>,
    /// How long it took.
    pub took: Duration,
}

impl Up<'_> {
    /// For a terminal.
    pub fn text(&self) -> String {
        if self.plan.is_empty() && self.report.is_whole() {
            return plan::text(self.plan, self.scope);
        }
        let mut text = String::new();
        let ended = self.report.is_whole() && !self.report.interrupted;
        if ended {
            let width = self.outputs.keys().map(String::len).max().unwrap_or(0);
            for (name, value) in self.outputs {
                let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let _ = writeln!(text, "{name:<width$}  {shown}");
            }
        }
        let _ = write!(text, "Stack {} {}", self.scope.stack, summary(self.report, self.took));
        if !ended {
            text += &done_so_far(self.report);
            let left = self.plan.changes.iter().map(|change| change.logical_id.as_str());
            for (id, why) in left.filter_map(|id| Some((id, self.report.why_left(id)?))) {
                let _ = write!(text, "\nLeft: {id}, {why}");
            }
        }
        text
    }

    /// For a program.
    pub fn document(&self) -> Value {
        let mut document = plan::document(self.plan, self.scope);
        document["report"] = report(self.report);
        document["outputs"] = json!(self.outputs);
        document["seconds"] = json!(self.took.as_secs_f64());
        document
    }
}

/// The end of `down`.
pub struct Down<'a> {
    /// Where.
    pub scope: &'a Scope,
    /// What was to be deleted.
    pub plan: &'a DestroyPlan,
    /// What was deleted.
    pub report: &'a Report,
    /// What is still there of what was to go.
    pub remaining: &'a [Remaining],
    /// The buckets that stay, and their number of objects where it could be counted.
    pub lakes: &'a [(String, Option<u64>)],
    /// How long it took.
    pub took: Duration,
}

impl Down<'_> {
    /// For a terminal.
    pub fn text(&self) -> String {
        let mut text = match self.plan.deletions.is_empty() {
            true => format!("Nothing to delete: stack {} has no resources that would go.", self.scope.stack),
            false => format!("Stack {} {}", self.scope.stack, summary(self.report, self.took)),
        };
        if !self.report.is_whole() || self.report.interrupted {
            text += &done_so_far(self.report);
        }
        for (bucket, objects) in self.lakes {
            let objects = objects.map(|count| format!(" with {count} objects")).unwrap_or_default();
            let _ = write!(text, "\nBucket s3://{bucket} is kept{objects}; to remove it: provision down --delete-data");
        }
        for kept in self.plan.kept.iter().filter(|kept| kept.type_name != "AWS::S3::Bucket") {
            let _ = write!(text, "\nKept by its DeletionPolicy: {} {}", kept.type_name, kept.physical_id);
        }
        for (change, leaves) in self.left() {
            let _ = write!(text, "\nSomething is left of {}: {leaves}", plan::named(change));
        }
        for foreign in &self.plan.foreign {
            let _ = write!(text, "\nNot this stack's, left alone: {} {}", foreign.type_name, foreign.physical_id);
        }
        for Remaining { type_name, physical_id, why } in self.remaining {
            let _ = write!(text, "\nStill there, run `down` again: {type_name} {physical_id}, {why}");
        }
        text
    }

    /// Of what was deleted, what AWS keeps by itself.
    fn left(&self) -> impl Iterator<Item = (&Change, &'static str)> {
        let left = self.plan.deletions.iter().filter_map(|change| Some((change, change.leaves?)));
        left.filter(|(change, _)| self.report.done.iter().any(|(done, _)| *done == change.logical_id))
    }

    /// For a program.
    pub fn document(&self) -> Value {
        let named = |list: &[Observed]| -> Vec<Value> {
            list.iter().map(|one| json!({ "type": one.type_name, "physical_id": one.physical_id })).collect()
        };
        let lakes: Vec<_> =
            self.lakes.iter().map(|(bucket, objects)| json!({ "bucket": bucket, "objects": objects })).collect();
        json!({
            "stack": self.scope.stack,
            "account": self.scope.account,
            "region": self.scope.region,
            "deletions": self.plan.deletions.iter().map(|change| json!({
                "logical_id": change.logical_id, "type": change.type_name, "physical_id": change.physical_id,
            })).collect::<Vec<_>>(),
            "left": self.left().map(|(change, leaves)| json!({
                "type": change.type_name, "physical_id": change.physical_id, "what": leaves,
            })).collect::<Vec<_>>(),
            "kept": named(&self.plan.kept),
            "foreign": named(&self.plan.foreign),
            "remaining": self.remaining.iter().map(|one| json!({
                "type": one.type_name, "physical_id": one.physical_id, "why": one.why,
            })).collect::<Vec<_>>(),
            "lakes": lakes,
            "report": report(self.report),
            "seconds": self.took.as_secs_f64(),
        })
    }
}

/// Tells each failure and gives the one that ends the command.
///
/// # Errors
/// [`Failure::Interrupted`], or [`Failure::Incomplete`] with the first failure's exit code.
pub fn failures(ui: &Ui, report: Report) -> Result<(), Failure> {
    if report.is_whole() && !report.interrupted {
        return Ok(());
    }
    let interrupted = report.interrupted;
    let codes: Vec<_> = report.failed.into_iter().map(|(_, error)| ui.failure(&error.into())).collect();
    match interrupted {
        true => Err(Failure::Interrupted),
        false => Err(Failure::Incomplete { code: codes.first().copied().unwrap_or(exit::FAILED) }),
    }
}

fn report(report: &Report) -> Value {
    let failed =
        |(id, error): &(String, crate::engine::EngineError)| json!({ "logical_id": id, "error": error.to_string() });
    json!({
        "done": report.done.iter().map(|(id, action)| json!({ "logical_id": id, "action": action })).collect::<Vec<_>>(),
        "failed": report.failed.iter().map(failed).collect::<Vec<_>>(),
        "skipped": report.skipped.iter().map(|(id, why)| json!({ "logical_id": id, "because": why })).collect::<Vec<_>>(),
        "interrupted": report.interrupted,
    })
}

fn done_so_far(report: &Report) -> String {
    let names: Vec<_> = report.done.iter().map(|(id, action)| format!("{id} {}", done(*action))).collect();
    if names.is_empty() { String::new() } else { format!("\nDone: {}", names.join(", ")) }
}

/// `is up: 6 created, 1 updated in 4.1 s`, or how far it came.
fn summary(report: &Report, took: Duration) -> String {
    let mut counts: IndexMap<&str, usize> = IndexMap::new();
    for (_, action) in &report.done {
        *counts.entry(done(*action)).or_default() += 1;
    }
    let mut parts: Vec<_> = counts.iter().map(|(word, count)| format!("{count} {word}")).collect();
    if !report.failed.is_empty() {
        parts.push(format!("{} failed", report.failed.len()));
    }
    if !report.skipped.is_empty() {
        parts.push(format!("{} not tried", report.skipped.len()));
    }
    let how = if report.is_whole() { "is done" } else { "is not done" };
    let again = match (report.is_whole(), report.interrupted) {
        (false, _) => "; the same command goes on from here",
        (true, true) => "; interrupted before the last look at it",
        (true, false) => "",
    };
    format!("{how}: {} in {}{again}", parts.join(", "), seconds(took))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Action;

    #[test]
    fn what_aws_keeps_of_what_was_deleted_is_told() {
        let database = |logical_id: &str| Change {
            logical_id: logical_id.into(),
            type_name: "AWS::RDS::DBInstance".into(),
            physical_id: format!("films-{logical_id}"),
            action: Action::Delete,
            differences: vec![],
            lowered: vec![],
            resource: None,
            observed: None,
            slow: true,
            untracked: false,
            leaves: Some("AWS keeps a snapshot"),
        };
        let scope =
            Scope { stack: "films".into(), account: "1".into(), region: "eu-west-1".into(), partition: "aws".into() };
        let plan = DestroyPlan { deletions: vec![database("Gone"), database("Stays")], kept: vec![], foreign: vec![] };
        let mut report = Report::default();
        report.done.push(("Gone".into(), Action::Delete));
        let took = Duration::from_secs(1);
        let down = Down { scope: &scope, plan: &plan, report: &report, remaining: &[], lakes: &[], took };
        let text = down.text();
        assert!(text.contains("Something is left of Gone (films-Gone): AWS keeps a snapshot"), "{text}");
        assert!(!text.contains("films-Stays"), "{text}");
        assert_eq!(down.document()["left"][0]["physical_id"], "films-Gone");
    }
}
