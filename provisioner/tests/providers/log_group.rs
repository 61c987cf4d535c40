use serde_json::json;
use testkit::FaultProxy;
use testkit::fault_proxy::Rule;

use crate::stage::{Stage, endpoint};

const GROUP: &str = "AWS::Logs::LogGroup";

#[tokio::test]
async fn a_log_group_lives_from_create_to_delete() {
    let stage = Stage::new("logs-life").await;
    let first = json!({"LogGroupName": "/aws/lambda/logs-life", "RetentionInDays": "14"});
    let first = stage.resource(GROUP, "Logs", first).await;
    let second = stage.resource(GROUP, "Logs", json!({"LogGroupName": "/aws/lambda/logs-life"})).await;
    stage.live_through(&first, &second, &["RetentionInDays"]).await;
}

#[tokio::test]
async fn a_longer_name_with_the_same_beginning_is_another_group() {
    let stage = Stage::new("logs-prefix").await;
    let longer = stage.resource(GROUP, "Logs", json!({"LogGroupName": "/logs-prefix/ab"})).await;
    stage.create(&longer).await;
    let shorter = stage.resource(GROUP, "Logs", json!({"LogGroupName": "/logs-prefix/a"})).await;
    assert_eq!(stage.read(&shorter).await, None);
}

#[tokio::test]
async fn e14_a_log_group_that_another_call_changes_is_waited_for() {
    let proxy = FaultProxy::start(&endpoint()).unwrap();
    let message = "A conflicting operation is currently in progress against this resource. Please try again.";
    for operation in ["CreateLogGroup", "PutRetentionPolicy", "DeleteRetentionPolicy", "DeleteLogGroup"] {
        proxy.rule(Rule::on("logs", operation).times(1).answer(400, "OperationAbortedException", message));
    }
    let stage = Stage::at("logs-busy", &proxy.url()).await;
    let first = stage.resource(GROUP, "Logs", json!({"RetentionInDays": 14})).await;
    let second = stage.resource(GROUP, "Logs", json!({})).await;
    stage.live_through(&first, &second, &["RetentionInDays"]).await;
}
