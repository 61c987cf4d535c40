use serde_json::{Value, json};
use testkit::FaultProxy;
use testkit::fault_proxy::Rule;

use crate::stage::{Stage, endpoint, silent};

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

#[tokio::test]
async fn e9_a_public_policy_is_waited_for_only_on_a_bucket_that_takes_such() {
    let proxy = FaultProxy::start(&endpoint()).unwrap();
    let stage = Stage::at("publicpolicy", &proxy.url()).await;
    let refused = "User is not authorized to perform: s3:PutBucketPolicy because public policies are prevented by the \
                   BlockPublicPolicy setting in S3 Block Public Access.";
    let puts = || proxy.calls().iter().filter(|call| call.operation == "PutBucketPolicy").count();
    for (name, blocks, effect, calls) in [
        ("publicpolicy-open", false, "Allow", 3),
        ("publicpolicy-shut", true, "Allow", 1),
        ("publicpolicy-deny", false, "Deny", 1),
    ] {
        let block = json!({"BucketName": name, "PublicAccessBlockConfiguration": {"BlockPublicPolicy": blocks}});
        let bucket = stage.resource("AWS::S3::Bucket", "Lake", block).await;
        stage.create(&bucket).await;
        proxy.forget();
        proxy.rule(Rule::on("s3", "PutBucketPolicy").of(name).times(2).answer(403, "AccessDenied", refused));
        let policy = json!({"Bucket": name, "PolicyDocument": tls_only(name, effect)});
        let policy = stage.resource(POLICY, "Policy", policy).await;
        let made = stage.provider(POLICY).create(&policy, &silent()).await;
        assert_eq!((made.is_ok(), puts()), (calls == 3, calls), "{name}: {made:?}");
    }
}
