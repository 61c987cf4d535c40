use provisioner::engine::{Resource, State};
use serde_json::{Value, json};
use testkit::fault_proxy::{Edge, Rule};
use testkit::{Emulator, FaultProxy};

use crate::function;
use crate::stage::Stage;

const MAPPING: &str = "AWS::Lambda::EventSourceMapping";

async fn queue_and_function(stage: &Stage) -> (Resource, Resource) {
    let role = function::role(stage).await;
    let queue = stage.resource("AWS::SQS::Queue", "Jobs", json!({})).await;
    stage.create(&queue).await;
    let function = stage.resource("AWS::Lambda::Function", "Function", function::properties(&role, "code")).await;
    stage.create(&function).await;
    (queue, function)
}

fn joined(queue: &Resource, function: &Resource, more: Value) -> Value {
    let mut properties = json!({"EventSourceArn": queue.attributes["Arn"], "FunctionName": function.physical_id});
    for (name, value) in more.as_object().into_iter().flatten() {
        properties[name] = value.clone();
    }
    properties
}

#[tokio::test]
async fn a_mapping_lives_from_create_to_delete() {
    let stage = Stage::new("mapping-life").await;
    let (queue, function) = queue_and_function(&stage).await;
    let first = json!({
        "BatchSize": "1", "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "ScalingConfig": {"MaximumConcurrency": 8},
    });
    let second = json!({"Enabled": false});
    let first = stage.resource(MAPPING, "Mapping", joined(&queue, &function, first)).await;
    let second = stage.resource(MAPPING, "Mapping", joined(&queue, &function, second)).await;
    stage.live_through(&first, &second, &["Enabled", "BatchSize", "FunctionResponseTypes", "ScalingConfig"]).await;
}

#[tokio::test]
async fn a_mapping_whose_function_is_another_one_stays_the_same_mapping() {
    let proxy = FaultProxy::start(&crate::stage::endpoint()).unwrap();
    proxy.play(Edge::TaggingTellsOfMappings);
    let stage = Stage::at("mapping-moved", &proxy.url()).await;
    let (queue, function) = queue_and_function(&stage).await;
    let role = function::role(&stage).await;
    let other = stage.resource("AWS::Lambda::Function", "Other", function::properties(&role, "code")).await;
    stage.create(&other).await;
    let made = stage.create(&stage.resource(MAPPING, "Mapping", joined(&queue, &function, json!({}))).await).await;
    let moved = stage.resource(MAPPING, "Mapping", joined(&queue, &other, json!({}))).await;
    assert_eq!(stage.paths(&moved).await, ["FunctionName"]);
    stage.update(&moved).await;
    assert_eq!(stage.paths(&moved).await, Vec::<String>::new());
    assert_eq!(stage.read(&moved).await.unwrap().attributes["Ref"], made.attributes["Ref"], "where it was read up to");
    let elsewhere = stage.resource(MAPPING, "Elsewhere", joined(&queue, &function, json!({}))).await;
    assert_eq!(stage.read(&elsewhere).await, None, "another logical id has none");
    assert_eq!(stage.found(MAPPING).await.len(), 1);
}

#[tokio::test]
async fn e31_a_mapping_outlives_its_function_and_is_still_found() {
    let stage = Stage::new("mapping-alone").await;
    let (queue, function) = queue_and_function(&stage).await;
    let mapping = stage.resource(MAPPING, "Mapping", joined(&queue, &function, json!({}))).await;
    let made = stage.create(&mapping).await;
    stage.delete(&stage.read(&function).await.unwrap()).await;
    let read = stage.read(&mapping).await.expect("it is still there");
    assert_eq!(read.attributes["Ref"], made.attributes["Ref"]);
    stage.delete(&read).await;
    assert_eq!(stage.read(&mapping).await, None);
}

#[tokio::test]
async fn e41_a_pause_that_is_written_down_is_no_difference_and_outlives_an_update() {
    let stage = Stage::new("mapping-pause").await;
    let (queue, function) = queue_and_function(&stage).await;
    let mapping = stage.resource(MAPPING, "Mapping", joined(&queue, &function, json!({"BatchSize": 1}))).await;
    let made = stage.create(&mapping).await;
    let lambda = aws_sdk_lambda::Client::new(&stage.config);
    let uuid = made.attributes["Id"].as_str().unwrap();
    lambda.update_event_source_mapping().uuid(uuid).enabled(false).send().await.unwrap();
    assert_eq!(stage.paths(&mapping).await, ["Enabled"], "a pause without a reason is drift");

    let arn = made.handle["Arn"].as_str().unwrap();
    lambda.tag_resource().resource(arn).tags("provision:paused", "TMDb is down").send().await.unwrap();
    assert_eq!(stage.paths(&mapping).await, Vec::<String>::new());
    let wider = stage.resource(MAPPING, "Mapping", joined(&queue, &function, json!({"BatchSize": 2}))).await;
    stage.update(&wider).await;
    let read = stage.read(&wider).await.unwrap();
    assert_eq!((read.state, read.properties["BatchSize"].as_i64()), (State::Paused("TMDb is down".into()), Some(2)));
}

#[tokio::test]
async fn tags_come_with_the_listing_and_are_asked_for_where_the_tagging_api_lags() {
    let proxy = FaultProxy::start(&Emulator::shared().endpoint()).unwrap();
    proxy.play(Edge::TaggingTellsOfMappings);
    let stage = Stage::at("mapping-tags", &proxy.url()).await;
    let (queue, function) = queue_and_function(&stage).await;
    let mapping = stage.resource(MAPPING, "Mapping", joined(&queue, &function, json!({"BatchSize": 1}))).await;
    let made = stage.create(&mapping).await;
    let asked = || proxy.calls().iter().filter(|call| call.operation == "ListTags").count();
    proxy.forget();
    assert_eq!(stage.paths(&mapping).await, Vec::<String>::new());
    assert_eq!(asked(), 0, "the tagging API has told them");

    // It still tells of the time before the pause.
    let lambda = aws_sdk_lambda::Client::new(&stage.config);
    let tags: Vec<_> = mapping.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    let earlier = json!({"ResourceARN": made.handle["Arn"], "Tags": tags});
    proxy.rule(Rule::on("tagging", "GetResources").rewrite(move |answer| {
        answer["ResourceTagMappingList"] = json!([earlier]);
    }));
    let arn = made.handle["Arn"].as_str().unwrap();
    lambda.tag_resource().resource(arn).tags("provision:paused", "TMDb is down").send().await.unwrap();
    lambda
        .update_event_source_mapping()
        .uuid(made.attributes["Id"].as_str().unwrap())
        .enabled(false)
        .send()
        .await
        .unwrap();
    let read = stage.read(&mapping).await.unwrap();
    assert_eq!(read.state, State::Paused("TMDb is down".into()));
    assert_eq!(asked(), 1);
}

#[tokio::test]
async fn filters_under_a_key_of_one_s_own_are_read_where_a_listing_leaves_them_out() {
    let proxy = FaultProxy::start(&crate::stage::endpoint()).unwrap();
    let key = "arn:aws:kms:us-east-1:000000000000:key/k";
    proxy.rule(Rule::on("lambda", "ListEventSourceMappings").rewrite(move |answer| {
        for mapping in answer["EventSourceMappings"].as_array_mut().into_iter().flatten() {
            mapping["KMSKeyArn"] = key.into();
            mapping["FilterCriteria"] = Value::Null;
        }
    }));
    let stage = Stage::at("mapping-filters", &proxy.url()).await;
    let (queue, function) = queue_and_function(&stage).await;
    let filters = json!({"KmsKeyArn": key, "FilterCriteria": {"Filters": [{"Pattern": "{}"}]}});
    let mapping = stage.resource(MAPPING, "Mapping", joined(&queue, &function, filters)).await;
    stage.create(&mapping).await;
    assert_eq!(stage.paths(&mapping).await, Vec::<String>::new());
    let provider = stage.provider(MAPPING);
    let reads = |properties: &Value| provider.permissions().needed(properties, false, false).collect::<Vec<_>>().len();
    assert_eq!(reads(&mapping.properties), reads(&joined(&queue, &function, json!({}))) + 2, "Get and Decrypt");
    assert!(provider.arns(&mapping, &stage.scope).contains(&key.to_owned()));
}
