use provisioner::engine::{Action, EngineError, OnChange, Plan, Resource};
use provisioner::providers::OtherTypes;
use provisioner::template::Template;
use serde_json::{Value, json};
use testkit::FaultProxy;
use testkit::fault_proxy::{Edge, Rule};

use crate::in_process::observer;
use crate::stage::{Stage, config, endpoint};

const ALARM: &str = "AWS::CloudWatch::Alarm";
const DATABASE: &str = "AWS::RDS::DBInstance";
const DOMAIN: &str = "AWS::OpenSearchService::Domain";
pub const SCHEDULE: &str = "AWS::Scheduler::Schedule";
const TABLE: &str = "AWS::DynamoDB::Table";
pub const GROUP: &str = "AWS::AutoScaling::AutoScalingGroup";
const MACHINE: &str = "AWS::StepFunctions::StateMachine";
pub const TOPIC: &str = "AWS::SNS::Topic";

/// Cloud Control as AWS has it, in front of the emulator's.
pub fn proxy() -> FaultProxy {
    let proxy = FaultProxy::start(&endpoint()).unwrap();
    proxy.play(Edge::Registry);
    proxy.play(Edge::CloudControlIdentifiers);
    proxy
}

fn alarm(threshold: Value) -> Value {
    json!({
        "Namespace": "AWS/SQS", "MetricName": "ApproximateAgeOfOldestMessage", "Statistic": "Maximum", "Period": 300,
        "EvaluationPeriods": "1", "ComparisonOperator": "GreaterThanThreshold", "Threshold": threshold,
        "Dimensions": [{"Name": "QueueName", "Value": "jobs"}],
    })
}

/// The operations that change something, in the order in which they began.
pub fn changing(proxy: &FaultProxy) -> Vec<String> {
    proxy.mutating_calls().into_iter().map(|call| call.operation).collect()
}

pub async fn created(stage: &Stage, type_name: &str, logical_id: &str, properties: Value) -> Resource {
    let resource = stage.resource(type_name, logical_id, properties).await;
    assert_eq!(stage.read(&resource).await, None, "it is missing before it is made");
    let made = stage.create(&resource).await;
    assert_eq!(stage.paths(&resource).await, Vec::<String>::new(), "it is as it was made");
    assert!(stage.scope.owns(&made.tags), "{:?}", made.tags);
    resource
}

#[tokio::test]
async fn an_alarm_is_found_by_the_name_that_was_made_for_it() {
    let proxy = proxy();
    let stage = Stage::at("cc-alarm", &proxy.url()).await.with_types(&[ALARM]).await;
    let mut first = alarm(1.into());
    first["OKActions"] = json!(["arn:aws:sns:us-east-1:000000000000:told"]);
    let first = created(&stage, ALARM, "Alarm", first).await;
    assert_eq!(first.physical_id, "cc-alarm-Alarm");
    assert_eq!(stage.provider(ALARM).attributes(&first.physical_id, &json!({}), &stage.scope)["Ref"], "cc-alarm-Alarm");
    let arn = stage.read(&first).await.unwrap().attributes["Arn"].clone();
    assert_eq!(arn, "arn:aws:cloudwatch:us-east-1:000000000000:alarm:cc-alarm-Alarm");

    let second = stage.resource(ALARM, "Alarm", alarm("2.5".into())).await;
    assert_eq!(stage.paths(&second).await, ["OKActions", "Threshold", "Tags.provision:given"]);
    stage.update(&second).await;
    assert_eq!(stage.paths(&second).await, Vec::<String>::new(), "a property that left the template is gone");

    assert_eq!(stage.found(ALARM).await, ["cc-alarm-Alarm"]);
    assert!(!stage.provider(ALARM).is_untracked());
    let made = stage.read(&second).await.unwrap();
    stage.delete(&made).await;
    stage.delete(&made).await;
    assert_eq!(stage.found(ALARM).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_topic_that_aws_identifies_is_found_by_its_tags_and_requests_are_followed_to_their_end() {
    let proxy = proxy();
    proxy.play(Edge::CloudControlTakesItsTime(2));
    let stage = Stage::at("cc-topic", &proxy.url()).await.with_types(&[TOPIC]).await;
    let other = Stage::at("cc-other", &proxy.url()).await.with_types(&[TOPIC]).await;
    let first = created(&stage, TOPIC, "Topic", json!({"TopicName": "told", "DisplayName": "first"})).await;
    let theirs = created(&other, TOPIC, "Topic", json!({"TopicName": "others"})).await;
    let looks = proxy.calls().into_iter().filter(|call| call.operation == "GetResourceRequestStatus").count();
    assert_eq!(looks, 6, "two that find each request in progress, and one that finds it done");
    let made = stage.read(&first).await.unwrap();
    assert_eq!(made.attributes["Ref"], "arn:aws:sns:us-east-1:000000000000:told");
    let renamed = stage.resource(TOPIC, "Topic", json!({"TopicName": "told-now", "DisplayName": "first"})).await;
    let differences = stage.differences(&renamed).await;
    assert_eq!(differences[0].on_change, OnChange::Replace, "{differences:?}");
    assert_eq!(stage.found(TOPIC).await, [first.physical_id.as_str()]);
    stage.delete(&made).await;
    assert_eq!(stage.read(&first).await, None);
    assert!(other.read(&theirs).await.is_some(), "another stack's is left alone");
}

#[tokio::test]
async fn two_runs_that_make_what_aws_names_make_it_once_and_a_later_one_makes_it_anew() {
    let proxy = proxy();
    proxy.play(Edge::CloudControlTokens);
    let stage = Stage::at("cc-once", &proxy.url()).await.with_types(&[TOPIC]).await;
    let topic = stage.resource(TOPIC, "Topic", json!({"DisplayName": "once"})).await;
    // Neither has seen what the other makes: so it is with two runs at once, and with a run after one that was killed.
    let (first, second) = (stage.create(&topic).await, stage.create(&topic).await);
    assert_eq!(first.handle, second.handle);
    assert_eq!(stage.found(TOPIC).await.len(), 1);
    for _ in 0..2 {
        let made = stage.read(&topic).await.unwrap();
        stage.delete(&made).await;
        let anew = stage.create(&topic).await;
        assert_ne!(anew.handle, made.handle, "that one is gone");
        assert_eq!(stage.found(TOPIC).await.len(), 1);
    }
}

#[tokio::test]
async fn a_field_within_a_property_that_left_the_template_is_removed_and_what_aws_filled_in_is_not_compared() {
    let proxy = proxy();
    let stage = Stage::at("cc-nested", &proxy.url()).await.with_types(&[ALARM]).await;
    let metrics = |more: Value| {
        let mut metric = json!({"Id": "age", "MetricStat": {"Stat": "Maximum", "Period": 60,
            "Metric": {"Namespace": "AWS/SQS", "MetricName": "ApproximateAgeOfOldestMessage"}}});
        metric.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 1, "Threshold": 5, "Metrics": [metric]})
    };
    let first = created(&stage, ALARM, "Alarm", metrics(json!({"Label": "age", "ReturnData": true}))).await;
    let second = stage.resource(ALARM, "Alarm", metrics(json!({"Label": "age"}))).await;
    assert_eq!(stage.paths(&second).await, ["Metrics", "Tags.provision:given"]);
    stage.update(&second).await;
    assert_eq!(stage.paths(&second).await, Vec::<String>::new());
    let kept = stage.read(&second).await.unwrap();
    assert_eq!(kept.properties["Metrics"][0].get("ReturnData"), None, "{:?}", kept.properties);
    assert_eq!(stage.paths(&first).await, ["Metrics", "Tags.provision:given"], "and what came is a change too");
}

#[tokio::test]
async fn a_definition_that_aws_does_not_give_back_is_changed_when_the_template_changes_it() {
    let proxy = proxy();
    let stage = Stage::at("cc-unseen", &proxy.url()).await.with_types(&[MACHINE]).await;
    let of = async |start: &str| {
        let definition = json!({"StartAt": start, "States": {start: {"Type": "Succeed"}}});
        let role = "arn:aws:iam::000000000000:role/r";
        stage.resource(MACHINE, "Machine", json!({"Definition": definition, "RoleArn": role})).await
    };
    let first = created(&stage, MACHINE, "Machine", of("First").await.properties).await;
    assert_eq!(stage.read(&first).await.unwrap().properties.get("Definition"), None);
    let second = of("Second").await;
    assert_eq!(stage.paths(&second).await, ["Definition", "Tags.provision:given"]);
    proxy.forget();
    stage.update(&second).await;
    let sent = proxy.mutating_calls();
    assert_eq!(sent.iter().map(|call| call.operation.as_str()).collect::<Vec<_>>(), ["UpdateResource"]);
    assert_eq!(stage.paths(&second).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_secret_that_aws_does_not_give_back_is_sent_alone_where_that_is_asked_for() {
    let proxy = proxy();
    let stage = Stage::at("cc-secret", &proxy.url()).await.with_types(&[MACHINE]).await;
    let secret = json!({"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}).to_string();
    let role = "arn:aws:iam::000000000000:role/r";
    let machine = json!({"Type": MACHINE, "Properties": {"Definition": {"Ref": "Definition"}, "RoleArn": role, "StateMachineName": "cc-secret"}});
    let parameter = json!({"Type": "String", "NoEcho": true, "Default": secret});
    let text = json!({"Parameters": {"Definition": parameter}, "Resources": {"Machine": machine}}).to_string();
    let template = Template::parse("test.json", &text).unwrap();
    let stack = stage.stack(&template);
    let apply = async |plan: &Plan| stack.apply(plan, &observer(), &Default::default()).await.is_whole();
    assert!(apply(&stack.plan(false).await.unwrap()).await);

    let mut plan = stack.plan(false).await.unwrap();
    assert!(plan.is_empty(), "nothing tells whether it is another now");
    assert_eq!(stack.unseen_secrets(&plan), [("Machine".to_owned(), "Definition".to_owned())]);
    stack.resend_secrets(&mut plan);
    let [change] = &plan.changes[..] else { panic!("one resource") };
    assert!(change.differences.iter().all(|difference| difference.secret), "{:?}", change.differences);
    proxy.forget();
    assert!(apply(&plan).await);
    let sent = proxy.mutating_calls();
    let sent: Vec<_> = sent.iter().map(|call| call.operation.as_str()).collect();
    assert_eq!(sent, ["UpdateResource"]);
}

#[tokio::test]
async fn a_groups_tags_go_to_its_instances_as_the_template_says_and_ours_do_not() {
    let proxy = proxy();
    let stage = Stage::at("cc-flags", &proxy.url()).await.with_types(&[GROUP]).await;
    let of = |copied: bool| {
        let tags = json!([{"Key": "team", "Value": "data", "PropagateAtLaunch": copied}]);
        json!({"MinSize": "0", "MaxSize": "1", "Tags": tags})
    };
    let first = created(&stage, GROUP, "Group", of(true)).await;
    let second = stage.resource(GROUP, "Group", of(false)).await;
    assert_eq!(stage.paths(&second).await, ["Tags.team:PropagateAtLaunch"]);
    stage.update(&second).await;
    assert_eq!(stage.paths(&second).await, Vec::<String>::new());
    assert_eq!(stage.paths(&first).await, ["Tags.team:PropagateAtLaunch"]);
    assert_eq!(stage.found(GROUP).await.len(), 1);
}

#[tokio::test]
async fn a_property_that_another_run_removed_first_is_no_error() {
    let proxy = proxy();
    let stage = Stage::at("cc-removed", &proxy.url()).await.with_types(&[ALARM]).await;
    let mut first = alarm(1.into());
    first["OKActions"] = json!(["arn:aws:sns:us-east-1:000000000000:told"]);
    created(&stage, ALARM, "Alarm", first).await;
    let second = stage.resource(ALARM, "Alarm", alarm(1.into())).await;
    // The emulator forgives what AWS refuses: so the first answer is lost, and then refused.
    proxy.rule(Rule::on("cloudcontrolapi", "UpdateResource").nth(1).lose_answer());
    proxy.rule(Rule::on("cloudcontrolapi", "UpdateResource").nth(2).answer(400, "ValidationException", "no such path"));
    stage.update(&second).await;
    assert_eq!(stage.paths(&second).await, Vec::<String>::new());
    proxy.rule(Rule::on("cloudcontrolapi", "UpdateResource").answer(400, "ValidationException", "no such path"));
    let third = stage.resource(ALARM, "Alarm", alarm(2.into())).await;
    let observed = stage.read(&third).await.unwrap();
    let differences = stage.differences(&third).await;
    let refused = stage.provider(ALARM).update(&third, &observed, &differences, &crate::stage::silent()).await;
    assert!(refused.unwrap_err().is("ValidationException"), "what nobody else has done stays refused");
}

#[tokio::test]
async fn e7_a_schedule_waits_for_its_new_role() {
    let proxy = proxy();
    let told = "The execution role you provide must allow AWS EventBridge Scheduler to assume the role.";
    proxy.rule(Rule::on("*", "CreateResource").times(2).answer(400, "InvalidRequest", told));
    let stage = Stage::at("cc-role", &proxy.url()).await.with_types(&[SCHEDULE]).await;
    let schedule = json!({"ScheduleExpression": "rate(1 day)", "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": {}});
    created(&stage, SCHEDULE, "Nightly", schedule).await;
    assert_eq!(proxy.calls().iter().filter(|call| call.operation == "CreateResource").count(), 3);
}

#[tokio::test]
async fn what_an_interrupted_run_made_is_taken_over_and_what_someone_else_made_is_not() {
    let proxy = proxy();
    let stage = Stage::at("cc-half", &proxy.url()).await.with_types(&[ALARM]).await;
    created(&stage, ALARM, "Alarm", alarm(1.into())).await;
    let again = stage.resource(ALARM, "Alarm", alarm(2.into())).await;
    stage.create(&again).await;
    assert_eq!(stage.paths(&again).await, Vec::<String>::new());
    let other = Stage::at("cc", &proxy.url()).await.with_types(&[ALARM]).await;
    let taken = other.resource(ALARM, "half-Alarm", alarm(2.into())).await;
    assert_eq!(taken.physical_id, again.physical_id);
    let refused = other.provider(ALARM).create(&taken, &crate::stage::silent()).await.unwrap_err();
    assert!(refused.to_string().contains("is not this stack's"), "{refused}");
}

#[tokio::test]
async fn a_schema_is_asked_for_once_and_a_type_that_could_not_be_found_again_is_refused() {
    let proxy = proxy();
    let config = config(&proxy.url(), "us-east-1").await;
    let cache = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let types = [TOPIC, "AWS::SNS::Subscription", "AWS::SNS::Tpoic"];
        let found = OtherTypes::look_up(&config, cache.path(), types, &[]).await.unwrap();
        assert_eq!(found.providers.len(), 1);
        assert_eq!(found.refused.keys().collect::<Vec<_>>(), ["AWS::SNS::Subscription"]);
        let permissions = found.providers[0].permissions();
        assert!(permissions.write.contains(&"sns:CreateTopic"), "{permissions:?}");
        assert!(permissions.read.contains(&"cloudformation:GetResource"), "{permissions:?}");
    }
    let asked = proxy.calls().into_iter().filter(|call| call.operation == "DescribeType").count();
    assert_eq!(asked, 4, "two that are kept, and twice one that AWS does not know");
}

#[tokio::test]
async fn what_is_left_of_a_type_that_no_template_names_any_more_is_found_by_its_tags_and_deleted() {
    let proxy = proxy();
    let stage = Stage::at("cc-left", &proxy.url()).await.with_types(&[TOPIC]).await;
    let queue = json!({"Queue": {"Type": "AWS::SQS::Queue", "Properties": {}}});
    let mut both = queue.clone();
    both["Topic"] = json!({"Type": TOPIC, "Properties": {"TopicName": "left"}});
    stage.up(&both).await;
    let topic = stage.looks(&both).await.into_iter().find(|look| look.resource.type_name == TOPIC).unwrap();
    let observed = topic.observed.unwrap();
    // The emulator's tagging API does not know what its Cloud Control keeps.
    let tags: Vec<_> = observed.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    let mapping = json!({"ResourceARN": observed.attributes["Ref"], "Tags": tags});
    proxy.rule(Rule::on("tagging", "GetResources").rewrite(move |answer| {
        answer["ResourceTagMappingList"] = json!([mapping]);
    }));
    let stage = Stage::at("cc-left", &proxy.url()).await.with_types(&[]).await;
    let plan = stage.plan(&queue).await.unwrap();
    let left: Vec<_> = plan.destructive().into_iter().map(|change| (change.type_name.as_str(), change.slow)).collect();
    assert_eq!(left, [(TOPIC, true)]);
    stage.up(&queue).await;
    stage.down(&queue).await;
}

/// A domain that a run of the stack has made, as the tagging API tells of it.
async fn made_domain(stage: &Stage, logical_id: &str, name: &str) -> Value {
    let mut tags = stage.scope.ownership_tags(logical_id, "Delete");
    tags.insert("provision:type".into(), DOMAIN.into());
    let tags: Vec<_> = tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    // The emulator takes `Id` for the identifier.
    let desired = json!({"Id": name, "DomainName": name, "Tags": tags}).to_string();
    let client = aws_sdk_cloudcontrol::Client::new(&stage.config);
    client.create_resource().type_name(DOMAIN).desired_state(desired).send().await.unwrap();
    told_of(name, &tags)
}

fn told_of(name: &str, tags: &[Value]) -> Value {
    json!({"ResourceARN": format!("arn:aws:es:us-east-1:000000000000:domain/{name}"), "Tags": tags})
}

#[tokio::test]
async fn what_is_left_of_a_type_that_the_template_names_and_aws_cannot_list_is_found_by_its_tags() {
    let proxy = proxy();
    let stage = Stage::at("cc-unlisted", &proxy.url()).await.with_types(&[DOMAIN]).await;
    let old = made_domain(&stage, "Old", "cc-unlisted-old").await;
    let new = made_domain(&stage, "New", "cc-unlisted-new").await;
    let hidden = told_of("cc-unlisted-hidden", old["Tags"].as_array().unwrap());
    let told = json!([old, new, hidden]);
    proxy.rule(Rule::on("tagging", "GetResources").rewrite(move |answer| {
        answer["ResourceTagMappingList"] = told.clone();
    }));
    proxy.rule(Rule::on("*", "ListResources").answer(400, "UnsupportedActionException", "It has no list handler."));
    assert_eq!(stage.found(DOMAIN).await, Vec::<String>::new());
    let resources = json!({"New": {"Type": DOMAIN, "Properties": {"DomainName": "cc-unlisted-new"}}});
    let plan = stage.plan(&resources).await.unwrap();
    let left: Vec<_> = plan.destructive().into_iter().map(|change| change.physical_id.as_str()).collect();
    assert_eq!(left, ["cc-unlisted-old"], "neither what is named nor what may be: it cannot be told which it is");
}

#[tokio::test]
async fn what_aws_names_is_retagged_under_another_logical_id_and_adopted_by_its_name() {
    let proxy = proxy();
    let stage = Stage::at("cc-renamed", &proxy.url()).await.with_types(&[TOPIC]).await;
    let named = |id: &str, name: &str| json!({id: {"Type": TOPIC, "Properties": {"TopicName": name}}});
    stage.up(&named("Old", "cc-renamed-told")).await;
    let plan = stage.plan(&named("New", "cc-renamed-told")).await.unwrap();
    assert_eq!(plan.changes.len(), 1, "nothing goes: {:?}", plan.changes);
    let paths: Vec<_> = plan.changes[0].differences.iter().map(|one| one.path.as_str()).collect();
    assert_eq!((plan.changes[0].action, &paths[..]), (Action::Update, &["Tags.provision:logical-id"][..]));
    stage.up(&named("New", "cc-renamed-told")).await;

    let other = Stage::at("cc-adopts", &proxy.url()).await.with_types(&[TOPIC]).await;
    let resources = named("Mine", "cc-renamed-told");
    let refused = other.plan(&resources).await.unwrap_err();
    assert!(matches!(refused, EngineError::NotOurs { .. }), "{refused}");
    let template = other.template(resources);
    let plan = other.stack(&template).plan(true).await.unwrap();
    assert_eq!(plan.changes[0].action, Action::Adopt);
    stage.down(&named("New", "cc-renamed-told")).await;
}

#[tokio::test]
async fn what_stands_in_something_that_aws_names_is_not_asked_for_before_that_is_known() {
    let group = "AWS::Cognito::UserPoolGroup";
    let proxy = proxy();
    let stage = Stage::at("cc-inner", &proxy.url()).await.with_types(&[group]).await;
    let mut resource = stage.resource(group, "Group", json!({"UserPoolId": null})).await;
    resource.after_apply.insert("/UserPoolId".into(), "Pool.Ref".into());
    proxy.forget();
    assert_eq!(stage.read(&resource).await, None);
    assert_eq!(proxy.calls(), vec![], "AWS takes half an identifier for a mistake");
}

#[tokio::test]
async fn a_value_that_aws_does_not_give_is_told_and_nothing_is_made_of_it() {
    let proxy = proxy();
    let stage = Stage::at("cc-no-stream", &proxy.url()).await.with_types(&[TABLE]).await;
    let resources = json!({
        "Table": {"Type": TABLE, "Properties": {
            "BillingMode": "PAY_PER_REQUEST", "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        }},
        "Told": {"Type": "AWS::SSM::Parameter", "Properties": {
            "Type": "String", "Value": {"Fn::GetAtt": ["Table", "StreamArn"]},
        }},
    });
    let report = stage.try_up(&resources).await;
    let failed: Vec<_> = report.failed.iter().map(|(id, error)| (id.as_str(), error.to_string())).collect();
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!(failed[0].0, "Told");
    assert!(failed[0].1.contains("AWS gives no value for Table.StreamArn"), "{failed:?}");
    assert!(!changing(&proxy).contains(&"PutParameter".to_owned()));
    stage.down(&resources).await;
}

#[tokio::test]
async fn what_aws_has_other_words_for_is_no_change_and_replaces_nothing() {
    let proxy = proxy();
    let stage = Stage::at("cc-Reworded", &proxy.url()).await.with_types(&[DATABASE, "AWS::KMS::Key"]).await;
    let database = |name: Value, version: &str, key: Value| {
        let properties =
            json!({"DBInstanceIdentifier": name, "Engine": "Postgres", "EngineVersion": version, "KmsKeyId": key});
        json!({"Type": DATABASE, "Properties": properties})
    };
    let of = |version: &str, alias: &str| {
        let (named, alias) = (json!("cc-Reworded-Named"), json!(format!("alias/{alias}")));
        let mut made = database(Value::Null, version, json!({"Ref": "Key"}));
        made["Properties"].as_object_mut().unwrap().remove("DBInstanceIdentifier");
        let key = json!({"Type": "AWS::KMS::Key", "Properties": {"Description": "films"}});
        json!({"Key": key, "Made": made, "Named": database(named, version, alias)})
    };
    stage.up(&of("15", "films")).await;
    let plan = stage.plan(&of("15", "films")).await.unwrap();
    assert!(plan.is_empty(), "{:?}", plan.changes);
    let newer = stage.plan(&of("16", "films")).await.unwrap();
    let changed = newer.changes.iter().flat_map(|change| &change.differences).map(|one| one.path.as_str());
    assert_eq!(changed.collect::<Vec<_>>(), ["EngineVersion", "EngineVersion"]);
    let refused = stage.plan(&of("15", "other")).await.unwrap_err();
    let is_it = |error: &EngineError| matches!(error, EngineError::ReplaceLosesData { logical_id, .. } if logical_id == "Named");
    assert!(is_it(&refused), "another key would be another database: {refused}");
    let template = stage.template(of("15", "films"));
    let gone = stage.stack(&template).plan_destroy(Default::default()).await.unwrap().deletions;
    let leave = gone.iter().filter(|change| change.leaves.is_some()).map(|change| change.logical_id.as_str());
    assert_eq!(leave.collect::<Vec<_>>(), ["Made", "Named"], "RDS makes a snapshot of each");
    stage.down(&of("15", "films")).await;
}

#[tokio::test]
async fn what_was_made_without_something_that_aws_cannot_change_and_does_not_tell_is_replaced_when_that_is_given() {
    let proxy = proxy();
    let stage = Stage::at("cc-without", &proxy.url()).await.with_types(&[GROUP]).await;
    let of = |name: &str, instance: Option<&str>| {
        let mut group = json!({"AutoScalingGroupName": name, "MinSize": "0", "MaxSize": "1"});
        if let Some(instance) = instance {
            group["InstanceId"] = instance.into();
        }
        json!({"Group": {"Type": GROUP, "Properties": group}})
    };
    stage.up(&of("cc-without", None)).await;
    let with = of("cc-without", Some("i-1"));
    let plan = stage.plan(&with).await.unwrap();
    let [change] = &plan.destructive()[..] else { panic!("{plan:?}") };
    assert!(change.action == Action::Replace && change.differences[0].path == "InstanceId", "{change:?}");
    stage.up(&with).await;
    stage.down(&with).await;

    // What somebody else made may have it.
    let theirs = of("cc-theirs", None)["Group"]["Properties"].to_string();
    let cloud = aws_sdk_cloudcontrol::Client::new(&stage.config);
    cloud.create_resource().type_name(GROUP).desired_state(theirs).send().await.unwrap();
    let paths = stage.adopt(&of("cc-theirs", Some("i-1"))).await;
    assert!(paths.iter().all(|path| path.starts_with("Tags.")), "{paths:?}");
    assert!(stage.plan(&of("cc-theirs", Some("i-1"))).await.unwrap().is_empty());
    stage.down(&of("cc-theirs", Some("i-1"))).await;
}

#[tokio::test]
async fn what_is_in_use_is_not_replaced_under_its_logical_id_and_goes_last_under_another() {
    let proxy = proxy();
    let stage = Stage::at("cc-in-use", &proxy.url()).await.with_types(&[TOPIC]).await;
    let topic = |id: &str, name: &str| json!({id: {"Type": TOPIC, "Properties": {"TopicName": name}}});
    stage.up(&topic("Told", "cc-in-use-a")).await;
    proxy.rule(Rule::on("*", "DeleteResource").times(1).answer(
        400,
        "DependencyViolation",
        "it has a dependent object",
    ));
    let report = stage.try_up(&topic("Told", "cc-in-use-b")).await;
    let [(_, error @ EngineError::NotReplaced { .. })] = &report.failed[..] else { panic!("{report:?}") };
    assert!(error.to_string().contains("a dependent object"), "{error}");
    proxy.forget();
    stage.up(&topic("ToldNow", "cc-in-use-b")).await;
    assert_eq!(changing(&proxy), ["CreateResource", "DeleteResource"]);
    stage.down(&topic("ToldNow", "cc-in-use-b")).await;
}
