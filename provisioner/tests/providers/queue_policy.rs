use serde_json::{Value, json};

use crate::stage::Stage;

const POLICY: &str = "AWS::SQS::QueuePolicy";

fn document(action: &str) -> Value {
    let statement =
        json!({"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": action, "Resource": "*"});
    json!({"Version": "2012-10-17", "Statement": [statement]})
}

#[tokio::test]
async fn a_queue_policy_covers_its_queues_and_is_found_by_its_mark() {
    let stage = Stage::new("queuepolicy").await;
    let mut urls = Vec::new();
    for name in ["A", "B"] {
        let queue = stage.resource("AWS::SQS::Queue", name, json!({})).await;
        stage.create(&queue).await;
        urls.push(queue.attributes["Ref"].clone());
    }
    let first = json!({"Queues": urls, "PolicyDocument": document("sqs:SendMessage")});
    let first = stage.resource(POLICY, "Policy", first).await;
    let mut second = first.clone();
    second.properties["PolicyDocument"] = document("sqs:*");
    assert_eq!(stage.read(&first).await, None);
    let made = stage.create(&first).await;
    assert_eq!(stage.paths(&first).await, Vec::<String>::new());
    assert_eq!(stage.paths(&second).await, ["PolicyDocument"]);
    stage.update(&second).await;
    assert_eq!(stage.paths(&second).await, Vec::<String>::new());
    assert_eq!(stage.found(POLICY).await, [first.physical_id.as_str()]);
    stage.delete(&made).await;
    stage.delete(&made).await;
    assert_eq!(stage.read(&first).await, None);
    assert_eq!(stage.found(POLICY).await, Vec::<String>::new());
}
