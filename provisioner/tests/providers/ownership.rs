//! Whose a resource is: by its own tags, by those of what it hangs on, under a name that is known late.

use provisioner::engine::{Action, EngineError};
use serde_json::{Value, json};
use testkit::FaultProxy;
use testkit::fault_proxy::Edge;

use crate::function;
use crate::stage::{Stage, endpoint};

fn statement(action: &str) -> Value {
    let statement = json!({"Effect": "Allow", "Action": action, "Resource": "*"});
    json!({"Version": "2012-10-17", "Statement": [statement]})
}

#[tokio::test]
async fn what_has_its_name_by_another_resource_is_found_again_and_no_leftover() {
    let proxy = FaultProxy::start(&endpoint()).unwrap();
    proxy.play(Edge::Registry);
    proxy.play(Edge::CloudControlIdentifiers);
    let stage = Stage::at("own-late", &proxy.url()).await.with_types(&["AWS::SNS::Topic"]).await;
    let resources = json!({
        "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "own-late"}},
        "Told": {"Type": "AWS::Logs::LogGroup", "Properties": {
            "LogGroupName": {"Fn::Select": [5, {"Fn::Split": [":", {"Ref": "Topic"}]}]},
        }},
    });
    // Ends with a second plan, which must be empty.
    stage.up(&resources).await;
    stage.down(&resources).await;
}

#[tokio::test]
async fn a_policy_on_a_role_of_somebody_else_wants_adopt() {
    let theirs = function::role(&Stage::new("own-theirs").await).await;
    let stage = Stage::new("own-policy").await;
    let policy = json!({"Policy": {"Type": "AWS::IAM::Policy", "Properties": {
        "PolicyName": "more", "Roles": [theirs.physical_id], "PolicyDocument": statement("s3:GetObject"),
    }}});
    let refused = stage.plan(&policy).await.unwrap_err();
    assert!(matches!(&refused, EngineError::NotOurs { resources } if resources[0].0 == "Policy"), "{refused}");
    let template = stage.template(policy);
    let plan = stage.stack(&template).plan(true).await.unwrap();
    assert_eq!(plan.changes[0].action, Action::Create);
}

#[tokio::test]
async fn what_is_somebody_elses_is_never_replaced() {
    let theirs = function::role(&Stage::new("own-elses").await).await;
    let stage = Stage::new("own-replace").await;
    let role = json!({"Role": {"Type": "AWS::IAM::Role", "Properties": {
        "RoleName": theirs.physical_id, "Path": "/moved/",
        "AssumeRolePolicyDocument": theirs.properties["AssumeRolePolicyDocument"],
    }}});
    let template = stage.template(role);
    let refused = stage.stack(&template).plan(true).await.unwrap_err();
    assert!(matches!(refused, EngineError::ReplaceForeign { .. }), "{refused}");
}

#[tokio::test]
async fn e43_what_has_vanished_after_up_counts_as_failed() {
    let stage = Stage::new("own-vanished").await;
    let queue = json!({"Queue": {"Type": "AWS::SQS::Queue", "Properties": {}}});
    let mut report = stage.try_up(&queue).await;
    let looks = stage.looks(&queue).await;
    report.miss(&looks);
    assert!(report.is_whole(), "{report:?}");
    stage.down(&queue).await;
    report.miss(&stage.looks(&queue).await);
    assert!(matches!(&report.failed[..], [(id, EngineError::Vanished { .. })] if id == "Queue"), "{report:?}");
}
