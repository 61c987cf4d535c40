//! What the commands of a crawl share: the fleet behind the template's outputs, and how the function is set.

use std::time::Duration;

use crawler_core::job::titles_per_job;
use crawler_core::tmdb;
use serde_json::Value;

use super::{Opened, Run};
use crate::config::Settings;
use crate::engine::Stack;
use crate::error::Failure;
use crate::fleet::{Fleet, FleetError, FleetSettings};
use crate::interrupt;
use crate::providers::failed;

/// A fleet, and how fast it may ask.
pub(super) struct Crawl {
    pub(super) fleet: Fleet,
    /// How it is set.
    pub(super) settings: FleetSettings,
    /// How long one call of the function may take.
    pub(super) timeout: Duration,
    /// How often a message is delivered before it is a dead letter; none where the template does not say.
    pub(super) deliveries: Option<u32>,
    /// Whether more than the reviews is appended to each film.
    appends: bool,
}

impl Crawl {
    /// The crawl that the template carries. Makes no call.
    ///
    /// # Errors
    /// A template without the outputs of a crawl.
    pub(super) fn open(stack: &Stack<'_>, config: &aws_config::SdkConfig) -> Result<Self, Failure> {
        let looks = stack.unseen()?;
        let outputs = stack.outputs(&looks)?;
        let fleet = Fleet::open(config, &outputs)?;
        let properties_of = |type_name: &str, name: &str| {
            let mut resources = looks.iter().map(|look| &look.resource);
            let found = resources.find(|resource| resource.physical_id == name && resource.type_name == type_name);
            found.map(|resource| &resource.properties)
        };
        let name = outputs.get("FunctionName").and_then(Value::as_str).unwrap_or_default();
        let properties = properties_of(FUNCTION, name).ok_or(FleetError::NoOutput { name: "FunctionName" })?;
        let queue = fleet.jobs.url().rsplit('/').next().and_then(|name| properties_of(QUEUE, name));
        let deliveries = queue.and_then(|queue| number(&queue["RedrivePolicy"]["maxReceiveCount"]));
        let variable = |name: &str| &properties["Environment"]["Variables"][name];
        let settings = FleetSettings {
            rate: number(variable("TMDB_RATE")).unwrap_or(tmdb::RATE),
            concurrency: number(variable("FLEET_SIZE")).unwrap_or(tmdb::FLEET).max(1.0),
            memory_mb: number(&properties["MemorySize"]).unwrap_or(DEFAULT_MEMORY_MB),
            arm: properties["Architectures"][0] == "arm64",
            details: variable("FETCH") == "details",
            objects: variable("LAKE_LAYOUT") == "objects",
        };
        let timeout = number(&properties["Timeout"]).unwrap_or(DEFAULT_TIMEOUT);
        let appends =
            settings.details && variable("APPEND").as_str().is_some_and(|names| !tmdb::appended(names).is_empty());
        let timeout = Duration::try_from_secs_f64(timeout).unwrap_or_default();
        Ok(Self { fleet, settings, timeout, deliveries: deliveries.map(|most| most as u32), appends })
    }

    /// Titles that one job may have to end within the function's timeout.
    ///
    /// # Errors
    /// Not even one would: its message would only go round.
    pub(super) fn job_titles(&self) -> Result<u32, Failure> {
        let (share, timeout) = (self.settings.rate / self.settings.concurrency, self.timeout.as_secs());
        titles_per_job(share, timeout as u32, self.appends).ok_or_else(|| {
            let what = format!("no film would be done: it takes two requests, and a function may ask {share:.2} a second for {timeout} s");
            Failure::usage(what, "FunctionTimeout, TmdbRate, MaximumConcurrency")
                .help("raise the timeout or the rate, or let fewer functions share it: --param MaximumConcurrency=2; then `provision up`")
        })
    }

    /// The same of what a command has opened.
    ///
    /// # Errors
    /// Parameters that the template does not take, or a template without the outputs of a crawl.
    pub(super) fn opened(run: &Run, opened: &Opened) -> Result<Self, Failure> {
        Self::open(&opened.stack(run)?, &opened.aws.config)
    }
}

/// Warns of a rate that TMDb does not take for long.
pub(super) fn warn_of_rate(run: &Run, whose: &str, rate: f64) {
    if rate > MOST_POLITE {
        let what = "TMDb allows about 40 and answers 429 above it";
        run.ui.warn(&format!("{whose} rate is {rate} requests a second; {what} (--param TmdbRate=35)"));
    }
}

/// Above this rate TMDb answers 429 before long: its limit is somewhere near 40 requests a second.
const MOST_POLITE: f64 = 40.0;

const FUNCTION: &str = "AWS::Lambda::Function";
const QUEUE: &str = "AWS::SQS::Queue";
/// Lambda's own default, where the template gives no timeout.
const DEFAULT_TIMEOUT: f64 = 3.0;
/// ... and no memory.
const DEFAULT_MEMORY_MB: f64 = 128.0;

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok()).filter(|number| number.is_finite())
}

/// Refuses to send jobs to a fleet that has no key: each would only come back.
///
/// # Errors
/// No key is stored.
pub(super) async fn key_is_stored(run: &Run, config: &aws_config::SdkConfig) -> Result<(), Failure> {
    let name = Settings::key_parameter(&run.settings);
    let ssm = aws_sdk_ssm::Client::new(config);
    let asked = async {
        // Without decryption: that it is there is enough.
        let got =
            ssm.get_parameter().name(&name).with_decryption(false).send().await.map_err(failed("ssm:GetParameter"));
        match got {
            Err(error) if error.is("ParameterNotFound") => {
                Err(Failure::failed("no TMDb key is stored", &name).help("store it: provision secret set"))
            }
            Err(error) => Err(Failure::aws(&name, error)),
            Ok(_) => Ok(()),
        }
    };
    interrupt::until(&run.interrupt, asked).await
}
