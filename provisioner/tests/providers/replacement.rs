use provisioner::engine::{Action, EngineError};
use serde_json::{Value, json};
use testkit::FaultProxy;
use testkit::fault_proxy::Edge;

use crate::stage::{Stage, endpoint};

fn function_stack() -> Value {
    let statement =
        json!({"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"});
    let trust = json!({"Version": "2012-10-17", "Statement": [statement]});
    json!({
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": trust}},
        "Function": {"Type": "AWS::Lambda::Function", "Properties": {
            "Code": "one", "Runtime": "provided.al2023", "Handler": "bootstrap", "Role": {"Fn::GetAtt": ["Role", "Arn"]},
        }},
    })
}

fn bucket(name: &str, policy: &str) -> Value {
    json!({"Data": {"Type": "AWS::S3::Bucket", "UpdateReplacePolicy": policy, "Properties": {"BucketName": name}}})
}

#[tokio::test]
async fn e11_a_function_whose_role_was_remade_is_shown_as_replaced() {
    let stage = Stage::new("replaced-function").await;
    let resources = function_stack();
    stage.up(&resources).await;
    let role = stage.looks(&resources).await.into_iter().find(|look| look.resource.logical_id == "Role").unwrap();
    stage.delete(&role.observed.unwrap()).await;
    let plan = stage.plan(&resources).await.unwrap();
    let action = |id: &str| plan.changes.iter().find(|change| change.logical_id == id).unwrap().action;
    assert_eq!((action("Role"), action("Function")), (Action::Create, Action::Replace));
    stage.up(&resources).await;
    stage.down(&resources).await;
}

#[tokio::test]
async fn what_is_made_in_the_place_of_a_keeper_keeps_what_that_kept() {
    let proxy = FaultProxy::start(&endpoint()).unwrap();
    proxy.play(Edge::Registry);
    proxy.play(Edge::CloudControlIdentifiers);
    let stage = Stage::at("replaced-keeper", &proxy.url()).await.with_types(&["AWS::Scheduler::Schedule"]).await;
    let without = function_stack();
    let mut resources = without.clone();
    let target = json!({"Arn": {"Fn::GetAtt": ["Function", "Arn"]}, "RoleArn": "arn:aws:iam::000000000000:role/r"});
    resources["Nightly"] = json!({"Type": "AWS::Scheduler::Schedule", "Properties": {
        "ScheduleExpression": "rate(1 day)", "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": target,
    }});
    stage.up(&resources).await;
    let role = stage.looks(&resources).await.into_iter().find(|look| look.resource.logical_id == "Role").unwrap();
    stage.delete(&role.observed.unwrap()).await;
    // Nothing differs after it, though the function is another, and the schedule was not touched.
    stage.up(&resources).await;
    stage.up(&without).await;
    let left = stage.plan(&resources).await.unwrap();
    let nightly = left.changes.iter().find(|change| change.logical_id == "Nightly").unwrap();
    assert_eq!(nightly.action, Action::Create, "it was found when it left the template");
    stage.down(&without).await;
}

#[tokio::test]
async fn a_bucket_under_another_name_replaces_an_empty_one_and_never_one_with_data() {
    let stage = Stage::new("replaced-bucket").await;
    stage.up(&bucket("replaced-bucket-a", "Delete")).await;
    stage.up(&bucket("replaced-bucket-b", "Delete")).await;
    let s3 = provisioner::providers::s3_client(&stage.config);
    s3.put_object().bucket("replaced-bucket-b").key("k").body(b"x".to_vec().into()).send().await.unwrap();
    let refused = stage.plan(&bucket("replaced-bucket-c", "Delete")).await.unwrap_err();
    assert!(matches!(refused, EngineError::ReplaceLosesData { .. }), "{refused}");
    stage.down(&bucket("replaced-bucket-b", "Delete")).await;
}

#[tokio::test]
async fn what_update_replace_policy_keeps_is_not_replaced() {
    let stage = Stage::new("replaced-kept").await;
    stage.up(&bucket("replaced-kept-a", "Retain")).await;
    let refused = stage.plan(&bucket("replaced-kept-b", "Retain")).await.unwrap_err();
    assert!(matches!(refused, EngineError::ReplaceRefused { .. }), "{refused}");
    stage.down(&bucket("replaced-kept-a", "Retain")).await;
}
