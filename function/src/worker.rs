//! A batch of messages: each is delivered alone, and each that is not done is one failed item of the response.

use std::{sync::Arc, time::Duration};

use aws_config::SdkConfig;
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use crawler_core::{
    Crawler, Lake,
    job::usable,
    lake::S3Lake,
    tmdb::{self, Client, TmdbError},
};
use tokio::{
    sync::OnceCell,
    time::{Instant, sleep_until},
};

use crate::{
    breaker::Breaker,
    delivery::{Verdict, deliver},
    key::{KeyError, Keys},
    queue::Queues,
    settings::Settings,
};

/// Seconds until a message that TMDb spoiled is seen again.
const SPOILED_AGAIN: i32 = 30;
/// The same, times its deliveries, of one whose lake failed; and the longest.
const UNKEPT_AGAIN: i32 = 30;
const LONGEST_REST: i32 = 900;
/// How long a function waits after the first delivery that TMDb spoiled, before it asks again.
const BREATH: Duration = Duration::from_secs(15);
/// Receives of a message that makes the delivery panic.
const MOST_PANICS: u32 = 2;

/// Everything that outlives an invocation: clients, connections, TMDb's key.
#[derive(Debug)]
pub struct Worker {
    settings: Settings,
    lake: Arc<dyn Lake>,
    keys: Keys,
    tmdb: OnceCell<Client>,
    queues: Queues,
    breaker: Breaker,
}

/// The batch as a whole cannot be answered for.
#[derive(Debug, thiserror::Error)]
#[error("a message without an id failed; the whole batch comes again")]
pub struct NamelessMessage;

/// TMDb cannot be asked at all.
#[derive(Debug, thiserror::Error)]
enum NoTmdb {
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Client(#[from] TmdbError),
}

impl NoTmdb {
    fn is_certain(&self) -> bool {
        match self {
            Self::Key(error) => error.is_certain(),
            Self::Client(_) => true,
        }
    }
}

impl Worker {
    /// A worker with these settings; asks nothing yet.
    pub fn new(settings: Settings, aws: &SdkConfig) -> Self {
        let lake: Arc<dyn Lake> = Arc::new(S3Lake::new(aws_sdk_s3::Client::new(aws), &settings.bucket));
        let lambda = aws_sdk_lambda::Client::new(aws);
        let sqs = aws_sdk_sqs::Client::new(aws);
        Self {
            keys: Keys::new(aws, settings.key_parameter.clone()),
            tmdb: OnceCell::new(),
            queues: Queues::new(sqs, settings.jobs_queue.clone(), settings.dead_letter_queue.clone()),
            breaker: Breaker::new(lambda, Arc::clone(&lake), settings.function.clone()),
            lake,
            settings,
        }
    }

    /// Delivers each message of a batch, within `left`; the response names those to come again.
    pub async fn batch(self: &Arc<Self>, event: SqsEvent, left: Duration) -> Result<SqsBatchResponse, NamelessMessage> {
        let deadline = Instant::now() + usable(left);
        let mut response = SqsBatchResponse::default();
        for message in event.records {
            let id = message.message_id.clone().unwrap_or_default();
            let (worker, delivered) = (Arc::clone(self), message.clone());
            // A task of its own: a panic is one failed message, not a dead batch.
            let done = tokio::spawn(async move { worker.message(&delivered, deadline).await }).await;
            let done = match done {
                Ok(done) => done,
                Err(panic) => self.panicked(&message, &panic).await,
            };
            match (done, id.is_empty()) {
                (true, _) => {}
                // An empty id would fail the batch in silence.
                (false, true) => return Err(NamelessMessage),
                (false, false) => response.add_failure(id),
            }
        }
        Ok(response)
    }

    /// Delivers one message and does what its verdict says; whether it may be deleted.
    async fn message(&self, message: &SqsMessage, deadline: Instant) -> bool {
        let body = message.body.as_deref().unwrap_or_default();
        let deliveries = attempts(message);
        let verdict = self.verdict(body, deliveries, deadline).await;
        match &verdict {
            Verdict::Done => true,
            Verdict::Again { seconds, reason } => {
                self.hand_back(message, *seconds, reason).await;
                false
            }
            Verdict::Unkept { reason } => {
                let seconds = UNKEPT_AGAIN.saturating_mul(deliveries as i32).min(LONGEST_REST);
                self.hand_back(message, seconds, reason).await;
                false
            }
            Verdict::Spoiled { reason, certain } => {
                self.hand_back(message, SPOILED_AGAIN, reason).await;
                let queue = message.event_source_arn.as_deref().unwrap_or_default();
                if !self.breaker.spoiled(queue, reason, *certain).await {
                    // What passes within seconds shall not stop the fleet.
                    sleep_until(deadline.min(Instant::now() + BREATH)).await;
                }
                false
            }
            Verdict::Dead { reason } => self.bury(message, body, reason).await,
        }
    }

    /// A message that makes the delivery panic twice would do so for ever.
    async fn panicked(&self, message: &SqsMessage, panic: &tokio::task::JoinError) -> bool {
        tracing::error!(message_id = message.message_id, %panic, "the delivery panicked");
        let body = message.body.as_deref().unwrap_or_default();
        attempts(message) >= MOST_PANICS && self.bury(message, body, &format!("the delivery panicked: {panic}")).await
    }

    /// After a refused key the key is read again, once: a new one goes on without a new process. A delivery that TMDb answered and did not
    /// spoil tells that it answers; one that found its jobs done tells nothing.
    async fn verdict(&self, body: &str, deliveries: u32, deadline: Instant) -> Verdict {
        let tmdb = match self.tmdb().await {
            Ok(tmdb) => tmdb,
            Err(error) => {
                return Verdict::Spoiled { certain: error.is_certain(), reason: error.to_string() };
            }
        };
        tmdb.try_again();
        let crawler = Crawler::new(Arc::clone(&self.lake), tmdb.clone(), self.settings.fetch);
        let crawler = crawler.with_layout(self.settings.layout).with_deliveries(deliveries);
        let mut verdict = deliver(&crawler, &*self.lake, body, deadline).await;
        if matches!(verdict, Verdict::Spoiled { certain: true, .. })
            && let Ok(key) = self.keys.read().await
            && tmdb.set_key(&key)
        {
            tracing::info!("there is a new key");
            verdict = deliver(&crawler, &*self.lake, body, deadline).await;
        }
        if !matches!(verdict, Verdict::Spoiled { .. }) && crawler.answers() > 0 {
            self.breaker.all_is_well();
        }
        verdict
    }

    async fn tmdb(&self) -> Result<&Client, NoTmdb> {
        let make = || async {
            let key = self.keys.read().await?;
            let client = Client::new(tmdb::Settings {
                base_url: self.settings.tmdb_url.clone(),
                key,
                requests_per_second: self.settings.share,
                connections: self.settings.connections,
                append: self.settings.append.clone(),
            })?;
            Ok(client)
        };
        self.tmdb.get_or_try_init(make).await
    }

    async fn hand_back(&self, message: &SqsMessage, seconds: i32, reason: &str) {
        tracing::warn!(message_id = message.message_id, seconds, reason, "message handed back");
        let receipt = message.receipt_handle.as_deref().unwrap_or_default();
        if let Err(error) = self.queues.show_again_in(receipt, seconds).await {
            // It comes again all the same, only later.
            tracing::warn!(%error, "message not handed back early");
        }
    }

    async fn bury(&self, message: &SqsMessage, body: &str, reason: &str) -> bool {
        let attempts = attempts(message);
        let id = message.message_id.as_deref().unwrap_or_default();
        tracing::error!(message_id = id, reason, attempts, body, "message goes to the dead letters");
        match self.queues.bury(body, reason, attempts, id).await {
            Ok(()) => true,
            Err(error) => {
                tracing::error!(message_id = id, %error, "message not sent to the dead letters");
                false
            }
        }
    }
}

/// How often a message was received, this time with it.
fn attempts(message: &SqsMessage) -> u32 {
    let count = message.attributes.get("ApproximateReceiveCount");
    count.and_then(|count| count.parse().ok()).unwrap_or(1)
}
