//! A crawler's stack on an emulator of its own, made by hand, for the tests of the function alone.

use std::{
    collections::{HashMap, HashSet},
    io::Write as _,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use aws_config::SdkConfig;
use aws_sdk_lambda::{
    primitives::Blob,
    types::{Environment, FunctionCode, FunctionResponseType, Runtime, ScalingConfig},
};
use aws_sdk_s3::config::Credentials;
use aws_sdk_sqs::types::QueueAttributeName;
use aws_sdk_ssm::types::ParameterType;
use crawler_core::{
    Job, Lake,
    crawl::done,
    imdb::{IndexOptions, Manifest, Source, build_index},
    lake::{S3Lake, layout, layout::Done},
};
use futures::TryStreamExt as _;
use testkit::{Emulator, FaultProxy, StandIn, emulator, stand_in, titles};
use tokio::time::{Instant, sleep};

/// The key that the stand-in takes.
pub const KEY: &str = "0123456789abcdef0123456789abcdef";
pub const BUCKET: &str = "crawler-lake";
const FUNCTION: &str = "crawler-under-test";
const PARAMETER: &str = "/provision/crawler/tmdb-api-key";
const ROLE: &str = "arn:aws:iam::000000000000:role/crawler";
/// As the template has it by default: the function judges poison itself, long before (E34).
const REDRIVE: &str =
    r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead-letters","maxReceiveCount":50}"#;
/// Far above what any of it takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// How a stack is made.
pub struct Options {
    /// Seconds that the function may take.
    pub timeout: i32,
    /// Seconds until a message that nobody gave back is seen again.
    pub visibility: i32,
    /// Functions side by side.
    pub fleet: i32,
    /// Requests a second that they may ask together.
    pub rate: u32,
    /// What is appended to a film's details; none asks by `find`.
    pub append: Option<&'static str>,
}

pub struct Stack {
    pub emulator: Emulator,
    /// Between the functions and AWS.
    pub proxy: FaultProxy,
    aws: SdkConfig,
    pub tmdb: StandIn,
    pub lake: Arc<dyn Lake>,
    jobs: String,
    dead_letters: String,
}

impl Stack {
    /// A stack whose function has this timeout, in seconds.
    pub async fn start(timeout: i32) -> Self {
        Self::start_with(Options { timeout, visibility: timeout * 6, fleet: 2, rate: 4_000, append: None }).await
    }

    pub async fn start_with(options: Options) -> Self {
        let tmdb = StandIn::start(stand_in::Options::default()).unwrap();
        tmdb.behave(|behaviour| behaviour.key = Some(KEY.to_owned()));
        let (emulator, proxy) = Emulator::start_behind_proxy(&emulator::Options::default()).unwrap();
        let aws = aws_config::defaults(aws_config::BehaviorVersion::latest())
            .endpoint_url(emulator.endpoint())
            .region("us-east-1")
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .load()
            .await;
        let s3 = aws_sdk_s3::Client::from_conf(aws_sdk_s3::config::Builder::from(&aws).force_path_style(true).build());
        s3.create_bucket().bucket(BUCKET).send().await.unwrap();
        let sqs = aws_sdk_sqs::Client::new(&aws);
        let queue = async |name: &str, visibility: i32, redrive: Option<String>| {
            let request = sqs.create_queue().queue_name(name);
            let request = request.attributes(QueueAttributeName::VisibilityTimeout, visibility.to_string());
            let redrive = redrive.map(|policy| (QueueAttributeName::RedrivePolicy, policy));
            let request = redrive.into_iter().fold(request, |request, (name, policy)| request.attributes(name, policy));
            request.send().await.unwrap().queue_url.unwrap()
        };
        let stack = Self {
            dead_letters: queue("dead-letters", 1, None).await,
            jobs: queue("jobs", options.visibility, Some(REDRIVE.to_owned())).await,
            lake: Arc::new(S3Lake::new(s3, BUCKET)),
            emulator,
            proxy,
            aws,
            tmdb,
        };
        stack.set_key(KEY).await;
        stack.make_function(&options).await;
        stack
    }

    async fn make_function(&self, options: &Options) {
        let (fleet, rate) = (options.fleet.to_string(), options.rate.to_string());
        let environment: HashMap<String, String> = emulator::aws_env(&self.proxy.url())
            .into_iter()
            .chain(
                [
                    ("LAKE_BUCKET", BUCKET),
                    ("TMDB_API_URL", &self.tmdb.url()),
                    ("TMDB_API_KEY_PARAMETER", PARAMETER),
                    ("TMDB_RATE", &rate),
                    ("FLEET_SIZE", &fleet),
                    ("JOBS_QUEUE_URL", &self.jobs),
                    ("DEAD_LETTER_QUEUE_URL", &self.dead_letters),
                    ("MAX_CONNECTIONS", "10"),
                    ("FETCH", options.append.map_or("find", |_| "details")),
                    ("APPEND", options.append.unwrap_or_default()),
                    ("RUST_LOG", "debug"),
                ]
                .map(|(name, value)| (name.to_owned(), value.to_owned())),
            )
            .collect();
        let lambda = aws_sdk_lambda::Client::new(&self.aws);
        let request = lambda
            .create_function()
            .function_name(FUNCTION)
            .role(ROLE)
            .runtime(Runtime::Providedal2023)
            .handler("bootstrap")
            .timeout(options.timeout)
            .memory_size(256)
            .code(FunctionCode::builder().zip_file(Blob::new(bootstrap())).build())
            .environment(Environment::builder().set_variables(Some(environment)).build());
        request.send().await.unwrap();
        self.until("the function is active", async || {
            let function = lambda.get_function_configuration().function_name(FUNCTION).send().await.unwrap();
            function.state.is_some_and(|state| state.as_str() == "Active")
        })
        .await;
        let mapping = lambda
            .create_event_source_mapping()
            .event_source_arn("arn:aws:sqs:us-east-1:000000000000:jobs")
            .function_name(FUNCTION)
            .batch_size(1)
            .function_response_types(FunctionResponseType::ReportBatchItemFailures)
            .scaling_config(ScalingConfig::builder().maximum_concurrency(options.fleet).build());
        mapping.send().await.unwrap();
    }

    /// The sample's index, in jobs of at most so many titles.
    pub async fn index(&self, job_titles: u32) -> Manifest {
        self.index_of(titles::sample(), job_titles).await
    }

    /// The index of a title.basics file.
    pub async fn index_of(&self, file: PathBuf, job_titles: u32) -> Manifest {
        let options = IndexOptions { job_titles, ..IndexOptions::default() };
        build_index(&*self.lake, &Source::File(file), &options, |_| {}).await.unwrap()
    }

    /// The IMDb ids of a job.
    pub async fn titles_of(&self, dataset: &str, job: &Job) -> Vec<String> {
        let range = job.offset..job.offset + job.length;
        let range = self.lake.get_range(&layout::titles(dataset), range).await.unwrap().unwrap();
        let lines = std::str::from_utf8(&range).unwrap().lines();
        lines.map(|line| line.split('\t').next().unwrap().to_owned()).collect()
    }

    pub async fn send(&self, body: &str) {
        let sqs = aws_sdk_sqs::Client::new(&self.aws);
        sqs.send_message().queue_url(&self.jobs).message_body(body).send().await.unwrap();
    }

    async fn set_key(&self, key: &str) {
        let request = aws_sdk_ssm::Client::new(&self.aws).put_parameter().name(PARAMETER).value(key);
        request.r#type(ParameterType::SecureString).overwrite(true).send().await.unwrap();
    }

    /// Messages that wait or are under way.
    pub async fn depth(&self) -> u32 {
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        ];
        let request = aws_sdk_sqs::Client::new(&self.aws).get_queue_attributes().queue_url(&self.jobs);
        let answer = request.set_attribute_names(Some(names.to_vec())).send().await.unwrap();
        answer.attributes.unwrap().values().map(|count| count.parse::<u32>().unwrap()).sum()
    }

    /// Waits for so many dead letters; the body and the reason of each that is there.
    pub async fn dead_letters(&self, count: usize) -> Vec<(String, String)> {
        let sqs = aws_sdk_sqs::Client::new(&self.aws);
        let mut letters = Vec::new();
        let end = Instant::now() + PATIENCE;
        loop {
            let request = sqs.receive_message().queue_url(&self.dead_letters).message_attribute_names("All");
            let answer = request.max_number_of_messages(10).visibility_timeout(300).send().await.unwrap();
            for message in answer.messages.unwrap_or_default() {
                let reason = message.message_attributes.unwrap()["reason"].string_value.clone().unwrap();
                letters.push((message.body.unwrap(), reason));
            }
            if letters.len() >= count {
                return letters;
            }
            if Instant::now() > end {
                panic!("{letters:?} of {count} dead letters; the function says:\n{}", self.log().await);
            }
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// Waits for a condition.
    pub async fn until(&self, what: &str, condition: impl AsyncFn() -> bool) {
        let end = Instant::now() + PATIENCE;
        while !condition().await {
            if Instant::now() > end {
                panic!("not in time: {what}; the function says:\n{}", self.log().await);
            }
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// Whether each of these jobs has its marker.
    pub async fn are_done(&self, jobs: &[Job]) -> bool {
        let done: Vec<Done> = done(&*self.lake).try_collect().await.unwrap();
        let done: HashSet<_> = done.into_iter().map(|done| (done.name(), done.digest)).collect();
        jobs.iter().all(|job| done.contains(&(job.name(), job.digest.clone())))
    }

    /// What the functions have logged.
    pub async fn log(&self) -> String {
        let logs = aws_sdk_cloudwatchlogs::Client::new(&self.aws);
        let events = logs.filter_log_events().log_group_name(format!("/aws/lambda/{FUNCTION}")).send().await;
        let Ok(events) = events else { return "nothing".to_owned() };
        let lines = events.events.unwrap_or_default().into_iter().filter_map(|event| event.message);
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// The built function as the zip that Lambda takes.
fn bootstrap() -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().unix_permissions(0o755).compression_level(Some(1));
    zip.start_file("bootstrap", options).unwrap();
    zip.write_all(&std::fs::read(env!("CARGO_BIN_EXE_crawler")).unwrap()).unwrap();
    zip.finish().unwrap().into_inner()
}
