use aws_sdk_s3::Client;
use provisioner::engine::{DeleteOptions, Resource};
use serde_json::{Value, json};

use crate::stage::{Stage, endpoint, silent};

const BUCKET: &str = "AWS::S3::Bucket";

fn all_blocked() -> Value {
    json!({"BlockPublicAcls": true, "BlockPublicPolicy": true, "IgnorePublicAcls": true, "RestrictPublicBuckets": true})
}

#[tokio::test]
async fn a_bucket_lives_from_create_to_delete() {
    let stage = Stage::new("bucket-life").await;
    let abort =
        json!({"Id": "abort", "Status": "Enabled", "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}});
    let by_default = json!({"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}});
    let first = json!({
        "BucketName": "bucket-life", "PublicAccessBlockConfiguration": all_blocked(),
        "BucketEncryption": {"ServerSideEncryptionConfiguration": [by_default]},
        "LifecycleConfiguration": {"Rules": [abort]},
        "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
    });
    let mut blocked = all_blocked();
    blocked["BlockPublicPolicy"] = false.into();
    let second = json!({
        "BucketName": "bucket-life", "PublicAccessBlockConfiguration": blocked,
        "VersioningConfiguration": {"Status": "Enabled"},
    });
    let first = stage.resource(BUCKET, "Lake", first).await;
    let second = stage.resource(BUCKET, "Lake", second).await;
    let changed =
        ["PublicAccessBlockConfiguration.BlockPublicPolicy", "VersioningConfiguration", "LifecycleConfiguration"];
    stage.live_through(&first, &second, &changed).await;
}

#[tokio::test]
async fn e58_settings_that_leave_the_template_go_back_to_those_of_a_new_bucket() {
    let stage = Stage::new("bucket-back").await;
    let open = json!({"BlockPublicAcls": false, "BlockPublicPolicy": true});
    let by_key = json!({"ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}, "BucketKeyEnabled": true});
    let first = json!({
        "OwnershipControls": {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}, "PublicAccessBlockConfiguration": open,
        "BucketEncryption": {"ServerSideEncryptionConfiguration": [by_key]},
    });
    let first = stage.resource(BUCKET, "Lake", first).await;
    let second = stage.resource(BUCKET, "Lake", json!({})).await;
    let changed = ["OwnershipControls", "PublicAccessBlockConfiguration", "BucketEncryption"];
    stage.live_through(&first, &second, &changed).await;
    // And one of which the template never said anything is as it was made.
    stage.create(&second).await;
    assert_eq!(stage.paths(&second).await, Vec::<String>::new());
    let s3 = provisioner::providers::s3_client(&stage.config);
    stage.create(&first).await;
    stage.update(&second).await;
    let found = s3.get_public_access_block().bucket(&second.physical_id).send().await.unwrap();
    assert!(found.public_access_block_configuration.unwrap().block_public_acls.unwrap(), "blocked again");
}

#[tokio::test]
async fn e58_a_tag_of_someone_else_survives_an_update() {
    let stage = Stage::new("bucket-tags").await;
    let bucket = stage.resource(BUCKET, "Lake", json!({})).await;
    stage.create(&bucket).await;
    let s3 = provisioner::providers::s3_client(&stage.config);
    let theirs = aws_sdk_s3::types::Tag::builder().key("theirs").value("kept").build().unwrap();
    let tagging = aws_sdk_s3::types::Tagging::builder().tag_set(theirs).build().unwrap();
    s3.put_bucket_tagging().bucket(&bucket.physical_id).tagging(tagging).send().await.unwrap();
    stage.update(&bucket).await;
    let tags = stage.read(&bucket).await.unwrap().tags;
    assert!(stage.scope.owns(&tags) && tags["theirs"] == "kept", "{tags:?}");
}

async fn filled(stage: &Stage) -> (Resource, Client) {
    let bucket = json!({"VersioningConfiguration": {"Status": "Enabled"}});
    let bucket = stage.resource(BUCKET, "Lake", bucket).await;
    stage.create(&bucket).await;
    let s3 = provisioner::providers::s3_client(&stage.config);
    for body in ["one", "two"] {
        let put = s3.put_object().bucket(&bucket.physical_id).key("a").body(body.as_bytes().to_vec().into());
        put.send().await.unwrap();
    }
    s3.delete_object().bucket(&bucket.physical_id).key("a").send().await.unwrap();
    s3.create_multipart_upload().bucket(&bucket.physical_id).key("b").send().await.unwrap();
    (bucket, s3)
}

#[tokio::test]
async fn e57_versions_markers_and_unfinished_uploads_go_with_the_bucket() {
    let stage = Stage::new("bucket-full").await;
    let (bucket, _) = filled(&stage).await;
    stage.delete(&stage.read(&bucket).await.unwrap()).await;
    assert_eq!(stage.read(&bucket).await, None);
}

#[tokio::test]
async fn a_bucket_with_data_is_not_deleted_unless_asked() {
    let stage = Stage::new("bucket-kept").await;
    let (bucket, _) = filled(&stage).await;
    let observed = stage.read(&bucket).await.unwrap();
    let refused = stage.provider(BUCKET).delete(&observed, DeleteOptions::default(), &silent()).await.unwrap_err();
    assert!(refused.help().contains("DeletionPolicy: Retain"), "{refused}");
    assert!(stage.read(&bucket).await.is_some());
}

/// The emulator refuses us-east-1 as a location, and elsewhere a bucket without one, as S3 does.
#[tokio::test]
async fn e54_a_buckets_location_is_its_region_but_us_east_1_is_none() {
    for (region, bucket) in [("us-east-1", "bucket-here"), ("eu-central-1", "bucket-there")] {
        let stage = Stage::in_region(bucket, &endpoint(), region).await;
        let bucket = stage.resource(BUCKET, "Lake", json!({"BucketName": bucket})).await;
        stage.create(&bucket).await;
        let s3 = provisioner::providers::s3_client(&stage.config);
        let location = s3.get_bucket_location().bucket(&bucket.physical_id).send().await.unwrap().location_constraint;
        let told = location.as_ref().map_or("", |location| location.as_str());
        assert_eq!(told, if region == "us-east-1" { "" } else { region });
    }
}

#[tokio::test]
async fn e54_a_bucket_that_is_there_already_is_taken_over_only_if_it_is_this_stacks() {
    let stage = Stage::in_region("bucket-again", &endpoint(), "eu-central-1").await;
    let bucket = stage.resource(BUCKET, "Lake", json!({"BucketName": "bucket-again"})).await;
    stage.create(&bucket).await;
    // S3 says BucketAlreadyOwnedByYou now, whosever of the account's stacks it is.
    stage.create(&bucket).await;
    let other = Stage::in_region("bucket-other", &endpoint(), "eu-central-1").await;
    let theirs = other.resource(BUCKET, "Lake", json!({"BucketName": "bucket-again"})).await;
    let refused = other.provider(BUCKET).create(&theirs, &silent()).await.unwrap_err();
    assert!(refused.to_string().contains("not this stack's"), "{refused}");
    assert!(stage.scope.owns(&stage.read(&bucket).await.unwrap().tags));
}

#[tokio::test]
async fn a_rule_with_several_conditions_is_no_drift_though_s3_adds_a_size_to_them() {
    let stage = Stage::new("bucket-sizes").await;
    let rule = json!({
        "Id": "old", "Status": "Enabled", "Prefix": "logs/", "TagFilters": [{"Key": "k", "Value": "v"}],
        "ExpirationInDays": 3,
    });
    let bucket = stage.resource(BUCKET, "Lake", json!({"LifecycleConfiguration": {"Rules": [rule]}})).await;
    let made = stage.create(&bucket).await;
    assert_eq!(stage.paths(&bucket).await, Vec::<String>::new());
    stage.delete(&made).await;
}
