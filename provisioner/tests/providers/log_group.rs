use serde_json::json;

use crate::stage::Stage;

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
