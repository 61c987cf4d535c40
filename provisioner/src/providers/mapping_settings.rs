//! A mapping's settings: CloudFormation's properties to Lambda's requests, and Lambda's answer to properties.

use aws_sdk_lambda::Client;
use aws_sdk_lambda::operation::create_event_source_mapping::builders::CreateEventSourceMappingFluentBuilder;
use aws_sdk_lambda::operation::update_event_source_mapping::builders::UpdateEventSourceMappingFluentBuilder;
use aws_sdk_lambda::primitives::DateTime;
use aws_sdk_lambda::types::{
    DestinationConfig, EventSourceMappingConfiguration, EventSourceMappingMetricsConfig, EventSourcePosition, Filter,
    FilterCriteria, FunctionResponseType, OnFailure, ProvisionedPollerConfig, ScalingConfig,
};
use serde_json::{Value, json};

use super::errors::failed;
use super::fields::{Fields, list, object};
use crate::engine::ProviderError;

/// What one request sets; `None` leaves a setting alone.
#[derive(Default)]
pub(super) struct Settings {
    batch_size: Option<i32>,
    window: Option<i32>,
    response_types: Option<Vec<FunctionResponseType>>,
    scaling: Option<ScalingConfig>,
    filters: Option<FilterCriteria>,
    kms_key: Option<String>,
    pollers: Option<ProvisionedPollerConfig>,
    metrics: Option<EventSourceMappingMetricsConfig>,
    destination: Option<DestinationConfig>,
    record_age: Option<i32>,
    retries: Option<i32>,
    bisect: Option<bool>,
    parallelization: Option<i32>,
    tumbling_window: Option<i32>,
}

/// The requests that make and change it have the same setters, and no trait in common.
macro_rules! set_all {
    ($call:expr, $settings:expr) => {
        $call
            .set_batch_size($settings.batch_size)
            .set_maximum_batching_window_in_seconds($settings.window)
            .set_function_response_types($settings.response_types)
            .set_scaling_config($settings.scaling)
            .set_filter_criteria($settings.filters)
            .set_kms_key_arn($settings.kms_key)
            .set_provisioned_poller_config($settings.pollers)
            .set_metrics_config($settings.metrics)
            .set_destination_config($settings.destination)
            .set_maximum_record_age_in_seconds($settings.record_age)
            .set_maximum_retry_attempts($settings.retries)
            .set_bisect_batch_on_function_error($settings.bisect)
            .set_parallelization_factor($settings.parallelization)
            .set_tumbling_window_in_seconds($settings.tumbling_window)
    };
}

impl Settings {
    /// The properties that `wanted` picks. One that the template leaves out is cleared by an empty object or list: leaving it
    /// out of the request would leave it as it is (E32).
    pub(super) fn of(properties: &Value, wanted: impl Fn(&str) -> bool) -> Self {
        let all = Fields(properties);
        let pick = |name: &str| wanted(name).then(|| all.object(name).unwrap_or(Fields(&Value::Null)));
        let number = |name: &str, default| wanted(name).then(|| all.int32(name).unwrap_or(default));
        Self {
            batch_size: all.int32("BatchSize").filter(|_| wanted("BatchSize")),
            window: number("MaximumBatchingWindowInSeconds", 0),
            response_types: wanted("FunctionResponseTypes").then(|| {
                let names = all.texts("FunctionResponseTypes").unwrap_or_default();
                names.iter().map(|name| FunctionResponseType::from(name.as_str())).collect()
            }),
            scaling: pick("ScalingConfig").map(|scaling| {
                ScalingConfig::builder().set_maximum_concurrency(scaling.int32("MaximumConcurrency")).build()
            }),
            filters: pick("FilterCriteria").map(filters),
            kms_key: wanted("KmsKeyArn").then(|| all.text("KmsKeyArn").unwrap_or_default()),
            pollers: pick("ProvisionedPollerConfig").map(|pollers| {
                ProvisionedPollerConfig::builder()
                    .set_minimum_pollers(pollers.int32("MinimumPollers"))
                    .set_maximum_pollers(pollers.int32("MaximumPollers"))
                    .build()
            }),
            metrics: pick("MetricsConfig").map(|metrics| {
                let names = metrics.texts("Metrics").unwrap_or_default();
                let names = names.iter().map(|name| name.as_str().into()).collect();
                EventSourceMappingMetricsConfig::builder().set_metrics(Some(names)).build()
            }),
            destination: pick("DestinationConfig").map(destination),
            record_age: number("MaximumRecordAgeInSeconds", -1),
            retries: number("MaximumRetryAttempts", -1),
            bisect: wanted("BisectBatchOnFunctionError")
                .then(|| all.boolean("BisectBatchOnFunctionError").unwrap_or(false)),
            parallelization: number("ParallelizationFactor", 1),
            tumbling_window: number("TumblingWindowInSeconds", 0),
        }
    }

    pub(super) fn on_create(
        self,
        call: CreateEventSourceMappingFluentBuilder,
    ) -> CreateEventSourceMappingFluentBuilder {
        set_all!(call, self)
    }

    pub(super) fn on_update(
        self,
        call: UpdateEventSourceMappingFluentBuilder,
    ) -> UpdateEventSourceMappingFluentBuilder {
        set_all!(call, self)
    }
}

/// None is an empty object: Lambda refuses an OnFailure without a destination.
fn destination(fields: Fields<'_>) -> DestinationConfig {
    let target = fields.object("OnFailure").and_then(|failure| failure.text("Destination"));
    let failure = target.map(|target| OnFailure::builder().destination(target).build());
    DestinationConfig::builder().set_on_failure(failure).build()
}

fn filters(fields: Fields<'_>) -> FilterCriteria {
    let patterns = fields.objects("Filters").into_iter();
    let filters = patterns.map(|filter| Filter::builder().set_pattern(filter.document("Pattern")).build());
    FilterCriteria::builder().set_filters(Some(filters.collect())).build()
}

/// Where a stream is read from: its position, and for AT_TIMESTAMP the time in seconds since 1970.
pub(super) fn starting_position(
    fields: Fields<'_>,
) -> Result<(Option<EventSourcePosition>, Option<DateTime>), ProviderError> {
    let position = fields.text("StartingPosition").map(|text| EventSourcePosition::from(text.as_str()));
    Ok((position, fields.integer("StartingPositionTimestamp").map(DateTime::from_secs)))
}

/// The mapping in CloudFormation's shape.
pub(super) fn properties(found: &EventSourceMappingConfiguration) -> Value {
    let concurrency = found.scaling_config().and_then(|scaling| scaling.maximum_concurrency());
    let destination = found.destination_config().and_then(|config| config.on_failure()).and_then(|f| f.destination());
    object([
        ("EventSourceArn", found.event_source_arn().map(Value::from)),
        ("FunctionName", found.function_arn().map(Value::from)),
        ("StartingPosition", found.starting_position().map(|position| position.as_str().into())),
        ("StartingPositionTimestamp", found.starting_position_timestamp().map(|time| time.secs().into())),
        ("Enabled", Some((!matches!(found.state(), Some("Disabled" | "Disabling"))).into())),
        ("BatchSize", found.batch_size().map(Value::from)),
        ("MaximumBatchingWindowInSeconds", found.maximum_batching_window_in_seconds().map(Value::from)),
        ("FunctionResponseTypes", list(found.function_response_types().iter().map(|kind| kind.as_str().into()))),
        ("ScalingConfig", concurrency.map(|maximum| json!({"MaximumConcurrency": maximum}))),
        ("FilterCriteria", filters_of(found)),
        ("KmsKeyArn", found.kms_key_arn().map(Value::from)),
        ("ProvisionedPollerConfig", pollers_of(found)),
        ("MetricsConfig", metrics_of(found)),
        ("DestinationConfig", destination.map(|target| json!({"OnFailure": {"Destination": target}}))),
        ("MaximumRecordAgeInSeconds", found.maximum_record_age_in_seconds().map(Value::from)),
        ("MaximumRetryAttempts", found.maximum_retry_attempts().map(Value::from)),
        ("BisectBatchOnFunctionError", found.bisect_batch_on_function_error().map(Value::from)),
        ("ParallelizationFactor", found.parallelization_factor().map(Value::from)),
        ("TumblingWindowInSeconds", found.tumbling_window_in_seconds().map(Value::from)),
    ])
}

/// The same with its filters: a listing leaves out those under a customer's key.
pub(super) async fn with_filters(
    lambda: &Client,
    mut mapping: EventSourceMappingConfiguration,
) -> Result<EventSourceMappingConfiguration, ProviderError> {
    let Some(uuid) = mapping.uuid().filter(|_| mapping.kms_key_arn().is_some()) else { return Ok(mapping) };
    let asked = lambda.get_event_source_mapping().uuid(uuid).send().await;
    let found = asked.map_err(failed("lambda:GetEventSourceMapping"))?;
    if let Some(error) = found.filter_criteria_error() {
        let message = error.message().unwrap_or_default().to_owned();
        return Err(ProviderError::Denied { operation: "kms:Decrypt".into(), message });
    }
    mapping.filter_criteria = found.filter_criteria;
    Ok(mapping)
}

fn filters_of(found: &EventSourceMappingConfiguration) -> Option<Value> {
    let filters = found.filter_criteria()?.filters().iter().map(|filter| json!({"Pattern": filter.pattern()}));
    list(filters).map(|filters| json!({"Filters": filters}))
}

fn pollers_of(found: &EventSourceMappingConfiguration) -> Option<Value> {
    let pollers = found.provisioned_poller_config()?;
    let (minimum, maximum) = (pollers.minimum_pollers(), pollers.maximum_pollers());
    (minimum.is_some() || maximum.is_some())
        .then(|| object([("MinimumPollers", minimum.map(Value::from)), ("MaximumPollers", maximum.map(Value::from))]))
}

fn metrics_of(found: &EventSourceMappingConfiguration) -> Option<Value> {
    let metrics = found.metrics_config()?.metrics().iter().map(|metric| metric.as_str().into());
    list(metrics).map(|metrics| json!({"Metrics": metrics}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e32_a_maximum_that_left_the_template_is_cleared_by_an_empty_object() {
        let settings = Settings::of(&json!({}), |name| name == "ScalingConfig");
        assert_eq!(settings.scaling, Some(ScalingConfig::builder().build()));
        assert!(settings.filters.is_none() && settings.batch_size.is_none());
    }

    #[test]
    fn a_destination_that_left_the_template_is_cleared_by_an_empty_object() {
        let of = |properties: Value| Settings::of(&properties, |name| name == "DestinationConfig").destination;
        assert_eq!(of(json!({})), Some(DestinationConfig::builder().build()));
        let given = of(json!({"DestinationConfig": {"OnFailure": {"Destination": "arn"}}}));
        assert_eq!(given.and_then(|config| config.on_failure?.destination).as_deref(), Some("arn"));
    }

    #[test]
    fn a_streams_limits_that_left_the_template_go_back_to_aws_defaults() {
        let settings = Settings::of(&json!({}), |_| true);
        assert_eq!((settings.record_age, settings.retries), (Some(-1), Some(-1)));
        assert_eq!(
            (settings.bisect, settings.parallelization, settings.tumbling_window),
            (Some(false), Some(1), Some(0))
        );
    }

    #[test]
    fn e36_response_types_that_left_the_template_are_cleared_by_an_empty_list() {
        let settings = Settings::of(&json!({}), |name| name == "FunctionResponseTypes");
        assert_eq!(settings.response_types, Some(vec![]));
    }
}
