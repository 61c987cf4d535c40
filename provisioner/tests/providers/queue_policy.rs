use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::{Value, json};

use crate::stage::Stage;

const POLICY: &str = "AWS::SQS::QueuePolicy";
const QUEUE: &str = "AWS::SQS::Queue";

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

/// Two queues, and a policy of some of them.
fn two_queues(covered: &[&str]) -> Value {
    let queues: Vec<_> = covered.iter().map(|name| json!({"Ref": name})).collect();
    let properties = json!({"Queues": queues, "PolicyDocument": document("sqs:SendMessage")});
    json!({"A": {"Type": QUEUE}, "B": {"Type": QUEUE}, "Policy": {"Type": POLICY, "Properties": properties}})
}

/// The logical ids of the queues that have a policy.
async fn covered(stage: &Stage, resources: &Value) -> Vec<String> {
    let sqs = aws_sdk_sqs::Client::new(&stage.config);
    let mut covered = Vec::new();
    for look in stage.looks(resources).await.into_iter().filter(|look| look.resource.type_name == QUEUE) {
        let url = look.observed.unwrap().attributes["Ref"].as_str().unwrap().to_owned();
        let call = sqs.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::Policy);
        let attributes = call.send().await.unwrap().attributes.unwrap_or_default();
        if attributes.get(&QueueAttributeName::Policy).is_some_and(|text| !text.is_empty()) {
            covered.push(look.resource.logical_id);
        }
    }
    covered.sort();
    covered
}

#[tokio::test]
async fn a_policy_whose_queues_become_more_or_fewer_is_on_exactly_those() {
    let stage = Stage::new("queuepolicy-grows").await;
    let steps: [&[&str]; 3] = [&["A"], &["A", "B"], &["B"]];
    for wanted in steps {
        let resources = two_queues(wanted);
        stage.up(&resources).await;
        assert_eq!(covered(&stage, &resources).await, wanted);
    }
    stage.down(&two_queues(&["B"])).await;
}
