//! What a launch would send, and what it sent.

use std::fmt::Write;

use serde::Serialize;
use serde_json::{Value, json};

use super::crawl::duration;
use crate::fleet::{Estimate, LaunchPlan, Launched};

/// What was sent.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    dataset: String,
    messages: usize,
    jobs: usize,
    titles: u64,
    done: usize,
    queued: usize,
    estimate: Estimate,
}

impl Outcome {
    /// The launch of `plan`.
    pub fn new(plan: &LaunchPlan, launched: Launched, estimate: Estimate) -> Self {
        let Launched { messages, jobs, titles } = launched;
        let (done, queued) = (plan.done, plan.queued);
        Self { dataset: plan.dataset.clone(), messages, jobs, titles, done, queued, estimate }
    }

    /// For a terminal.
    pub fn text(&self) -> String {
        let Self { messages, jobs, titles, done, queued, estimate, .. } = self;
        if *messages == 0 {
            return format!("Nothing to send: {done} jobs are done, {queued} are in the queue.");
        }
        let least = time(estimate);
        format!(
            "Sent {jobs} jobs ({titles} titles) in {messages} messages; {done} were done before, {queued} queued.\n\
             At the fleet's rate this takes {least} or more; see how far it is with `provision status`."
        )
    }
}

/// How long it takes at least.
pub fn time(estimate: &Estimate) -> String {
    duration(estimate.seconds)
}

/// What a launch will take, in a line.
pub fn estimate(estimate: &Estimate) -> String {
    let Estimate { requests, gb_seconds, sqs_requests, s3_writes, s3_reads, usd, .. } = estimate;
    format!(
        "Estimate: {requests} requests to TMDb, {} or more; US$ {:.2}: Lambda {:.2} ({gb_seconds} GB-s), SQS {:.2} ({sqs_requests} \
         requests), S3 {:.2} ({s3_writes} writes, {s3_reads} reads), at list prices.",
        time(estimate),
        usd.total,
        usd.lambda,
        usd.sqs,
        usd.s3
    )
}

/// The jobs of a plan, a line each, and what they take.
pub fn jobs(plan: &LaunchPlan, takes: &Estimate) -> String {
    let mut text = String::new();
    for job in &plan.jobs {
        let _ = writeln!(text, "{} {} titles", job.name(), job.titles);
    }
    let LaunchPlan { jobs, done, queued, .. } = plan;
    let (count, titles) = (jobs.len(), plan.titles());
    let _ = writeln!(text, "Would send {count} jobs ({titles} titles); {done} are done, {queued} are in the queue.");
    text + &estimate(takes)
}

/// The jobs of a plan, for a program.
pub fn document(plan: &LaunchPlan, takes: &Estimate) -> Value {
    let job = |job: &crawler_core::Job| json!({ "year": job.year, "initial": job.initial, "part": job.part, "titles": job.titles });
    json!({
        "dataset": plan.dataset,
        "messages": plan.workload().messages,
        "titles": plan.titles(),
        "jobs": plan.jobs.iter().map(job).collect::<Vec<_>>(),
        "done": plan.done,
        "queued": plan.queued,
        "estimate": takes,
    })
}
