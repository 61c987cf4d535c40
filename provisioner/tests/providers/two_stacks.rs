//! Two stacks in one account never meet, though one puts something on what is the other's.

use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::{Value, json};

use crate::stage::{Stage, endpoint};

fn trust() -> Value {
    let principal = json!({"Service": "lambda.amazonaws.com"});
    let statement = json!({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"});
    json!({"Version": "2012-10-17", "Statement": [statement]})
}

fn document(action: &str) -> Value {
    let statement = json!({"Effect": "Allow", "Action": action, "Resource": "*"});
    json!({"Version": "2012-10-17", "Statement": [statement]})
}

/// A queue, a bucket and a role under names that the other stack knows.
fn below(name: &str) -> Value {
    json!({
        "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": name}},
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": name}},
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"RoleName": name, "AssumeRolePolicyDocument": trust()}},
    })
}

#[tokio::test]
async fn what_another_stack_put_on_a_queue_a_bucket_and_a_role_of_this_one_is_that_stacks() {
    let below_it = below("two-below");
    let infra = Stage::new("two-infra").await;
    infra.up(&below_it).await;
    let sqs = aws_sdk_sqs::Client::new(&infra.config);
    let url = sqs.get_queue_url().queue_name("two-below").send().await.unwrap().queue_url.unwrap();
    let keeper = json!({"Keeper": {"Type": "AWS::SQS::Queue", "Properties": {}}});
    let mut puts = keeper.clone();
    puts["OnQueue"] = json!({"Type": "AWS::SQS::QueuePolicy", "Properties": {
        "Queues": [url], "PolicyDocument": document("sqs:SendMessage"),
    }});
    puts["OnBucket"] = json!({"Type": "AWS::S3::BucketPolicy", "Properties": {
        "Bucket": "two-below", "PolicyDocument": document("s3:GetObject"),
    }});
    puts["OnRole"] = json!({"Type": "AWS::IAM::Policy", "Properties": {
        "PolicyName": "more", "Roles": ["two-below"], "PolicyDocument": document("s3:GetObject"),
    }});
    let app = Stage::new("two-app").await.with_types(&[]).await;
    app.adopt(&puts).await;
    infra.up(&below_it).await;
    assert!(app.plan(&puts).await.unwrap().is_empty(), "the other's up has left them");
    app.up(&keeper).await;
    let call = sqs.get_queue_attributes().queue_url(&url).attribute_names(QueueAttributeName::Policy);
    assert_eq!(call.send().await.unwrap().attributes.unwrap_or_default().len(), 0, "its own up takes them off");
    let s3 = provisioner::providers::s3_client(&infra.config);
    assert!(s3.get_bucket_policy().bucket("two-below").send().await.is_err());
    app.down(&keeper).await;
    infra.down(&below_it).await;
}

#[tokio::test]
async fn what_a_stack_of_the_same_name_in_another_region_put_in_a_role_of_this_one_is_that_stacks() {
    let mut role = below("two-regions");
    role.as_object_mut().unwrap().retain(|id, _| id == "Role");
    let here = Stage::new("two-regions").await;
    here.up(&role).await;
    let there = Stage::in_region("two-regions", &endpoint(), "eu-west-1").await.with_types(&[]).await;
    let puts = json!({
        "Keeper": {"Type": "AWS::SQS::Queue", "Properties": {}},
        "OnRole": {"Type": "AWS::IAM::Policy", "Properties": {
            "PolicyName": "more", "Roles": ["two-regions"], "PolicyDocument": document("s3:GetObject"),
        }},
    });
    there.adopt(&puts).await;
    here.up(&role).await;
    assert!(there.plan(&puts).await.unwrap().is_empty(), "the other's up has left it");
    there.down(&puts).await;
    here.down(&role).await;
}

/// The policies that are attached to a role.
async fn attached(stage: &Stage, role: &str) -> usize {
    let iam = aws_sdk_iam::Client::new(&stage.config);
    iam.list_attached_role_policies().role_name(role).send().await.unwrap().attached_policies().len()
}

#[tokio::test]
async fn a_policy_of_one_stack_and_a_role_of_another_stay_together_whichever_names_the_other() {
    let role = |name: &str, policies: &[&str]| {
        json!({"Type": "AWS::IAM::Role", "Properties": {
            "RoleName": name, "AssumeRolePolicyDocument": trust(), "ManagedPolicyArns": policies,
        }})
    };
    let policy = |name: &str, roles: &[&str]| {
        json!({"Type": "AWS::IAM::ManagedPolicy", "Properties": {
            "ManagedPolicyName": name, "PolicyDocument": document("s3:GetObject"), "Roles": roles,
        }})
    };
    let (infra, app) = (Stage::new("two-giver").await, Stage::new("two-taker").await);
    let gives = json!({
        "Read": policy("two-read", &["two-reader"]), "Reader": role("two-reader", &[]), "Open": role("two-open", &[]),
    });
    infra.up(&gives).await;
    let arn = "arn:aws:iam::000000000000:policy/two-read";
    let takes = json!({"Taker": role("two-taker", &[arn]), "Write": policy("two-write", &["two-open"])});
    app.up(&takes).await;
    for (stage, template) in [(&infra, &gives), (&app, &takes)] {
        stage.up(template).await;
        for role in ["two-reader", "two-taker", "two-open"] {
            assert_eq!(attached(&infra, role).await, 1, "{role}");
        }
    }
    app.down(&takes).await;
    infra.down(&gives).await;
}
