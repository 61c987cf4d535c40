//! Clients where the shared configuration is not enough.

use std::env;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_sdk_s3::config::{Builder, RequestChecksumCalculation};

/// All of an account's tools share 15 calls a second to Lambda's control plane, so a call may have to wait for many others (E28).
const LAMBDA_ATTEMPTS: u32 = 12;
const LAMBDA_BACKOFF: Duration = Duration::from_secs(4);

/// A client of Lambda, which is patient.
pub fn lambda_client(config: &SdkConfig) -> aws_sdk_lambda::Client {
    let patient = RetryConfig::standard().with_max_attempts(LAMBDA_ATTEMPTS).with_max_backoff(LAMBDA_BACKOFF);
    aws_sdk_lambda::Client::from_conf(aws_sdk_lambda::config::Builder::from(config).retry_config(patient).build())
}

/// A client of S3. With an endpoint of one's own it names the bucket in the path and sends only the checksums that S3
/// requires, as look-alikes know no more (E61).
pub fn s3_client(config: &SdkConfig) -> aws_sdk_s3::Client {
    let mut builder = Builder::from(config);
    if own_endpoint(config, "S3").is_some() {
        builder = builder.force_path_style(true).request_checksum_calculation(RequestChecksumCalculation::WhenRequired);
    }
    aws_sdk_s3::Client::from_conf(builder.build())
}

/// The address at which the service is called, where that is not AWS's own; `service` as in `AWS_ENDPOINT_URL_S3`.
pub fn own_endpoint(config: &SdkConfig, service: &str) -> Option<String> {
    let of_service = env::var(format!("AWS_ENDPOINT_URL_{service}")).ok();
    of_service.or_else(|| config.endpoint_url().map(str::to_owned))
}
