//! An account of hundreds: what is old, and not the stack's by the tagging API, is not asked for its tags one by one (E28).

use serde_json::{Value, json};
use testkit::fault_proxy::{Edge, Rule};
use testkit::{Emulator, FaultProxy};

use crate::function;
use crate::stage::Stage;

const GROUP: &str = "AWS::Logs::LogGroup";
const FUNCTION: &str = "AWS::Lambda::Function";
const MAPPING: &str = "AWS::Lambda::EventSourceMapping";

/// Everything was made long ago.
fn old(proxy: &FaultProxy) {
    let set = |list: &'static str, field: &'static str, value: Value| {
        move |answer: &mut Value| {
            for item in answer[list].as_array_mut().into_iter().flatten() {
                item[field] = value.clone();
            }
        }
    };
    proxy.rule(Rule::on("logs", "DescribeLogGroups").rewrite(set("logGroups", "creationTime", json!(1))));
    let changed = json!("2020-01-01T00:00:00.000+0000");
    proxy.rule(Rule::on("lambda", "ListFunctions").rewrite(set("Functions", "LastModified", changed)));
    let changed = set("EventSourceMappings", "LastModified", json!(1.0));
    proxy.rule(Rule::on("lambda", "ListEventSourceMappings").rewrite(changed));
}

/// The tagging API tells of a group; the emulator's leaves groups out.
fn tell_of(proxy: &FaultProxy, arn: String) {
    proxy.rule(Rule::on("tagging", "GetResources").rewrite(move |answer| {
        let told = json!({"ResourceARN": arn, "Tags": []});
        answer["ResourceTagMappingList"].as_array_mut().unwrap().push(told);
    }));
}

#[tokio::test]
async fn e28_what_is_old_and_not_told_of_by_the_tagging_api_is_not_asked_for_its_tags() {
    let emulator = Emulator::start().unwrap();
    let proxy = FaultProxy::start(&emulator.endpoint()).unwrap();
    proxy.play(Edge::TaggingTellsOfMappings);
    let ours = Stage::at("large-ours", &proxy.url()).await;
    for stage in [&Stage::at("large-theirs", &proxy.url()).await, &ours] {
        let role = function::role(stage).await;
        let queue = stage.resource("AWS::SQS::Queue", "Jobs", json!({})).await;
        let group = stage.resource(GROUP, "Logs", json!({})).await;
        let function = stage.resource(FUNCTION, "F", function::properties(&role, "code")).await;
        let joined = json!({"EventSourceArn": queue.attributes["Arn"], "FunctionName": function.physical_id});
        let mapping = stage.resource(MAPPING, "M", joined).await;
        for resource in [&queue, &group, &function, &mapping] {
            stage.create(resource).await;
        }
    }
    proxy.forget();
    for kind in [GROUP, FUNCTION, MAPPING] {
        assert_eq!(ours.found(kind).await.len(), 1, "what is new is asked for: {kind}");
    }
    assert_eq!(asked(&proxy), 6);
    old(&proxy);
    tell_of(&proxy, ours.scope.arn("logs", "log-group:large-ours-Logs"));
    proxy.forget();
    for kind in [GROUP, FUNCTION, MAPPING] {
        assert_eq!(ours.found(kind).await.len(), 1, "{kind}");
    }
    assert_eq!(asked(&proxy), 3, "{:?}", proxy.calls());
}

/// How often tags were asked for, one by one.
fn asked(proxy: &FaultProxy) -> usize {
    proxy.calls().iter().filter(|call| ["ListTags", "ListTagsForResource"].contains(&&*call.operation)).count()
}
