//! Clients where the shared configuration is not enough.

use std::env;

use aws_config::SdkConfig;
use aws_sdk_s3::config::{Builder, RequestChecksumCalculation};

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
