//! The queue's side of a crawl: what is sent, how far it is, what came back dead.
//!
//! Finds its queues, function and lake by the template's outputs; knows no resource of the template by name.

mod dead_letters;
mod error;
mod estimate;
mod launch;
mod log;
mod mapping;
mod pause;
mod progress;
mod queue;
mod redrive;
mod sent;
mod stop;
mod wait;

use std::sync::Arc;

use aws_config::SdkConfig;
use crawler_core::Lake;
use crawler_core::lake::S3Lake;
use indexmap::IndexMap;
use serde_json::Value;

use crate::providers::s3_client;

pub use dead_letters::DeadLetter;
pub use error::FleetError;
pub(crate) use error::is_no_queue;
pub use estimate::{Estimate, FleetSettings, Price, Workload};
pub use launch::{LaunchPlan, Launched, Wanted};
pub use log::Log;
pub use mapping::Mapping;
pub use pause::Change;
pub use progress::{Jobs, Pace, Progress, Titles, done_with_times};
pub use queue::{Depth, Queue};
pub use redrive::Redriven;
pub use wait::{Ended, Waiting};

/// A crawl's queues and lake.
#[derive(Clone, Debug)]
pub struct Fleet {
    /// Where jobs are sent.
    pub jobs: Queue,
    /// Where jobs go that cannot be done.
    pub dead_letters: Queue,
    /// What gives jobs to the functions.
    pub mapping: Mapping,
    /// What the functions wrote.
    pub log: Log,
    /// Where index, films and markers are.
    pub lake: Arc<dyn Lake>,
    /// The bucket of the lake.
    pub bucket: String,
}

impl Fleet {
    /// The fleet that a template's outputs name: `JobsQueueUrl`, `DeadLetterQueueUrl`, `FunctionName`, `LakeBucketName`.
    ///
    /// # Errors
    /// [`FleetError::NoOutput`] for a template that carries no crawl.
    pub fn open(config: &SdkConfig, outputs: &IndexMap<String, Value>) -> Result<Self, FleetError> {
        let output = |name: &'static str| {
            outputs.get(name).and_then(Value::as_str).map(str::to_owned).ok_or(FleetError::NoOutput { name })
        };
        let sqs = aws_sdk_sqs::Client::new(config);
        let bucket = output("LakeBucketName")?;
        let (jobs, function) = (output("JobsQueueUrl")?, output("FunctionName")?);
        Ok(Self {
            log: Log::new(aws_sdk_cloudwatchlogs::Client::new(config), &function),
            mapping: Mapping::new(aws_sdk_lambda::Client::new(config), function, &jobs),
            jobs: Queue::new(sqs.clone(), jobs),
            dead_letters: Queue::new(sqs, output("DeadLetterQueueUrl")?),
            lake: Arc::new(S3Lake::new(s3_client(config), bucket.clone())),
            bucket,
        })
    }
}
