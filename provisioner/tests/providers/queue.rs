use serde_json::json;

use crate::stage::Stage;

const QUEUE: &str = "AWS::SQS::Queue";

#[tokio::test]
async fn a_queue_lives_from_create_to_delete() {
    let stage = Stage::new("queue-life").await;
    let dead = stage.resource(QUEUE, "Dead", json!({"MessageRetentionPeriod": 1209600})).await;
    stage.create(&dead).await;
    let target = &dead.attributes["Arn"];
    let first = json!({
        "QueueName": "queue-life-jobs", "VisibilityTimeout": "60", "SqsManagedSseEnabled": false,
        "MaximumMessageSize": 2048, "KmsDataKeyReusePeriodSeconds": 600,
        "RedrivePolicy": {"deadLetterTargetArn": target, "maxReceiveCount": "5"},
    });
    let second = json!({"QueueName": "queue-life-jobs", "DelaySeconds": 5});
    let first = stage.resource(QUEUE, "Jobs", first).await;
    let second = stage.resource(QUEUE, "Jobs", second).await;
    let left = ["MaximumMessageSize", "RedrivePolicy", "KmsDataKeyReusePeriodSeconds", "SqsManagedSseEnabled"];
    stage.live_through(&first, &second, &[&["VisibilityTimeout", "DelaySeconds"][..], &left].concat()).await;
}

#[tokio::test]
async fn a_redrive_policy_may_be_written_as_text() {
    let stage = Stage::new("queue-text").await;
    let policy = r#"{"deadLetterTargetArn": "${Dead.Arn}", "maxReceiveCount": 5}"#;
    let resources = json!({
        "Dead": {"Type": QUEUE},
        "Jobs": {"Type": QUEUE, "Properties": {"RedrivePolicy": {"Fn::Sub": policy}}},
    });
    stage.up(&resources).await;
    let looks = stage.looks(&resources).await;
    let jobs = looks.iter().find(|look| look.resource.logical_id == "Jobs").unwrap();
    assert_eq!(jobs.observed.as_ref().unwrap().properties["RedrivePolicy"]["maxReceiveCount"], 5);
    stage.down(&resources).await;
}

#[tokio::test]
async fn a_fifo_queue_without_a_name_gets_one_that_sqs_takes() {
    let stage = Stage::new("queue-fifo").await;
    let queue = stage.resource(QUEUE, "Jobs", json!({"FifoQueue": true, "ContentBasedDeduplication": true})).await;
    assert_eq!(queue.physical_id, "queue-fifo-Jobs.fifo");
    stage.create(&queue).await;
    assert_eq!(stage.paths(&queue).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_tag_that_somebody_took_off_shows_and_is_put_back() {
    let stage = Stage::new("queue-tag").await;
    let queue = stage.resource(QUEUE, "Jobs", json!({})).await;
    let made = stage.create(&queue).await;
    let sqs = aws_sdk_sqs::Client::new(&stage.config);
    let url = made.handle["QueueUrl"].as_str().unwrap();
    sqs.untag_queue().queue_url(url).tag_keys("provision:logical-id").send().await.unwrap();
    assert_eq!(stage.paths(&queue).await, ["Tags.provision:logical-id"]);
    stage.update(&queue).await;
    assert_eq!(stage.paths(&queue).await, Vec::<String>::new());
}

#[tokio::test]
async fn e44_a_queue_of_the_name_that_is_someone_elses_is_left_alone() {
    let stage = Stage::new("queue-foreign").await;
    let queue = stage.resource(QUEUE, "Jobs", json!({"VisibilityTimeout": 60})).await;
    let sqs = aws_sdk_sqs::Client::new(&stage.config);
    sqs.create_queue().queue_name(&queue.physical_id).send().await.unwrap();
    assert!(!stage.scope.owns(&stage.read(&queue).await.unwrap().tags));
    let refused = stage.provider(QUEUE).create(&queue, &crate::stage::silent()).await;
    assert!(refused.unwrap_err().to_string().contains("not this stack's"));
    assert_eq!(stage.read(&queue).await.unwrap().properties["VisibilityTimeout"], 30);
}
