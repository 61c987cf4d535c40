//! What a launch would send, and what it sent.

use std::fmt::Write;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use crate::fleet::{LaunchPlan, Launched};

/// What was sent.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    dataset: String,
    messages: usize,
    jobs: usize,
    titles: u64,
    done: usize,
    queued: usize,
    least_seconds: u64,
}

impl Outcome {
    /// The launch of `plan`; `least` is the time that it takes at the fleet's rate.
    pub fn new(plan: &LaunchPlan, launched: Launched, least: Duration) -> Self {
        let Launched { messages, jobs, titles } = launched;
        let (done, queued) = (plan.done, plan.queued);
        Self { dataset: plan.dataset.clone(), messages, jobs, titles, done, queued, least_seconds: least.as_secs() }
    }

    /// For a terminal.
    pub fn text(&self) -> String {
        let Self { messages, jobs, titles, done, queued, least_seconds, .. } = self;
        if *messages == 0 {
            return format!("Nothing to send: {done} jobs are done, {queued} are in the queue.");
        }
        let least = super::crawl::duration(*least_seconds);
        format!(
            "Sent {jobs} jobs ({titles} titles) in {messages} messages; {done} were done before, {queued} queued.\n\
             At the fleet's rate this takes {least} or more; see how far it is with `provision status`."
        )
    }
}

/// The jobs of a plan, a line each.
pub fn jobs_text(plan: &LaunchPlan) -> String {
    let mut text = String::new();
    for job in &plan.jobs {
        let _ = writeln!(text, "{} {} titles", job.name(), job.titles);
    }
    let LaunchPlan { jobs, done, queued, .. } = plan;
    let _ = write!(
        text,
        "Would send {} jobs ({} titles); {done} are done, {queued} are in the queue.",
        jobs.len(),
        plan.titles()
    );
    text
}

/// The jobs of a plan, for a program.
pub fn jobs_document(plan: &LaunchPlan) -> Value {
    let job = |job: &crawler_core::Job| json!({ "year": job.year, "initial": job.initial, "part": job.part, "titles": job.titles });
    json!({
        "dataset": plan.dataset,
        "jobs": plan.jobs.iter().map(job).collect::<Vec<_>>(),
        "done": plan.done,
        "queued": plan.queued,
    })
}
