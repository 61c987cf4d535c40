//! The Lambda bootstrap: an SQS event in, a partial batch response out. Whatever is not Lambda's or SQS's is the crate crawler-core's.

mod aws;
mod breaker;
mod delivery;
mod key;
mod queue;
mod settings;
mod worker;

use std::{sync::Arc, time::SystemTime};

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use tracing::Level;
use tracing_subscriber::{filter::Targets, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::{settings::Settings, worker::Worker};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let environment = |name: &str| std::env::var(name).ok();
    let settings = Settings::from_env(environment)?;
    start_logging(settings.log_level);
    let worker = Arc::new(Worker::new(settings, &aws::config(environment)));
    lambda_runtime::run(service_fn(|event: LambdaEvent<SqsEvent>| handle(Arc::clone(&worker), event))).await
}

/// JSON lines. Only our own crates speak at the level that was set: what others log of their requests is none of ours to check.
fn start_logging(level: Level) {
    let ours =
        Targets::new().with_default(Level::WARN).with_target("crawler", level).with_target("crawler_core", level);
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_ansi(false);
    tracing_subscriber::registry().with(lines).with(ours).init();
}

async fn handle(worker: Arc<Worker>, event: LambdaEvent<SqsEvent>) -> Result<SqsBatchResponse, Error> {
    let left = event.context.deadline().duration_since(SystemTime::now()).unwrap_or_default();
    Ok(worker.batch(event.payload, left).await?)
}
