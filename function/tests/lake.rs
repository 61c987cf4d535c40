//! The lake on S3 does what every lake must do.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use aws_sdk_s3::config::Credentials;
use crawler_core::Lake;
use crawler_core::lake::{Put, PutMode, S3Lake, suite};
use testkit::fault_proxy::Rule;
use testkit::{Emulator, emulator};

async fn client(endpoint: &str) -> aws_sdk_s3::Client {
    let aws = aws_config::defaults(aws_config::BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .region("us-east-1")
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .load()
        .await;
    aws_sdk_s3::Client::new(&aws)
}

#[tokio::test]
async fn s3_passes_the_suite() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator.endpoint()).await;
    client.create_bucket().bucket("lake").send().await.unwrap();
    suite::all(&S3Lake::new(client, "lake")).await.unwrap();
}

#[tokio::test]
async fn a_write_that_meets_another_of_the_same_key_is_tried_again_until_one_stands() {
    let (_emulator, proxy) = Emulator::start_behind_proxy(&emulator::Options::default()).unwrap();
    let client = client(&proxy.url()).await;
    client.create_bucket().bucket("lake").send().await.unwrap();
    let lake = S3Lake::new(client, "lake");
    let conflict = || Rule::on("s3", "PutObject").answer(409, "ConditionalRequestConflict", "another is at work");
    let put = || lake.put("a", "mine".into(), PutMode::CreateOnly);
    proxy.rule(conflict().times(2));
    assert_eq!(put().await.unwrap(), Put::Written, "the other failed, the place is free");
    proxy.behave();
    proxy.rule(conflict().times(1));
    assert_eq!(put().await.unwrap(), Put::Exists, "the other was first");
    proxy.behave();
    proxy.rule(conflict());
    let error = put().await.unwrap_err();
    assert!(error.source.to_string().contains("ConditionalRequestConflict"), "{error:?}");
}
