//! The lake on S3 does what every lake must do.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use aws_sdk_s3::config::Credentials;
use crawler_core::lake::{S3Lake, suite};
use testkit::Emulator;

#[tokio::test]
async fn s3_passes_the_suite() {
    let emulator = Emulator::start().unwrap();
    let aws = aws_config::defaults(aws_config::BehaviorVersion::latest())
        .endpoint_url(emulator.endpoint())
        .region("us-east-1")
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .load()
        .await;
    let client = aws_sdk_s3::Client::new(&aws);
    client.create_bucket().bucket("lake").send().await.unwrap();
    suite::all(&S3Lake::new(client, "lake")).await.unwrap();
}
