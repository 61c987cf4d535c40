use serde_json::{Value, json};

use crate::stage::Stage;

const POLICY: &str = "AWS::S3::BucketPolicy";

fn tls_only(bucket: &str, effect: &str) -> Value {
    let arn = format!("arn:aws:s3:::{bucket}");
    let statement = json!({
        "Sid": "TlsOnly", "Effect": effect, "Principal": "*", "Action": "s3:*", "Resource": [arn, format!("{arn}/*")],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    });
    json!({"Version": "2012-10-17", "Statement": [statement]})
}

#[tokio::test]
async fn a_bucket_policy_is_made_changed_and_deleted_with_its_bucket_left() {
    let stage = Stage::new("bucketpolicy").await;
    let bucket = stage.resource("AWS::S3::Bucket", "Lake", json!({"BucketName": "bucketpolicy"})).await;
    stage.create(&bucket).await;
    let first = json!({"Bucket": "bucketpolicy", "PolicyDocument": tls_only("bucketpolicy", "Deny")});
    let first = stage.resource(POLICY, "Policy", first).await;
    let mut second = first.clone();
    second.properties["PolicyDocument"] = tls_only("other", "Deny");
    assert_eq!(stage.read(&first).await, None);
    let made = stage.create(&first).await;
    assert_eq!(stage.paths(&first).await, Vec::<String>::new());
    assert_eq!(stage.paths(&second).await, ["PolicyDocument"]);
    stage.update(&second).await;
    assert_eq!(stage.paths(&second).await, Vec::<String>::new());
    assert_eq!(stage.found(POLICY).await, ["bucketpolicy"]);
    stage.delete(&made).await;
    stage.delete(&made).await;
    assert_eq!(stage.read(&first).await, None);
    assert!(stage.read(&bucket).await.is_some());
}
