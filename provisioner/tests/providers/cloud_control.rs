use provisioner::engine::{Action, EngineError, OnChange, Plan, Resource};
use provisioner::providers::OtherTypes;
use provisioner::template::Template;
use serde_json::{Value, json};
use testkit::FaultProxy;
use testkit::fault_proxy::{Edge, Rule};

use crate::in_process::observer;
use crate::stage::{Stage, config, endpoint};

const ALIAS: &str = "AWS::KMS::Alias";
const ALARM: &str = "AWS::CloudWatch::Alarm";
const DOMAIN: &str = "AWS::OpenSearchService::Domain";
const SCHEDULE: &str = "AWS::Scheduler::Schedule";
const TABLE: &str = "AWS::DynamoDB::Table";
const GROUP: &str = "AWS::AutoScaling::AutoScalingGroup";
const MACHINE: &str = "AWS::StepFunctions::StateMachine";
const TOPIC: &str = "AWS::SNS::Topic";

/// Cloud Control as AWS has it, in front of the emulator's.
fn proxy() -> FaultProxy {
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

async fn created(stage: &Stage, type_name: &str, logical_id: &str, properties: Value) -> Resource {
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
async fn a_schedule_without_tags_is_known_by_the_name_that_was_made_for_it() {
    let proxy = proxy();
    let stage = Stage::at("cc-schedule", &proxy.url()).await.with_types(&[SCHEDULE]).await;
    let properties = json!({
        "ScheduleExpression": "rate(1 day)", "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": "arn:aws:sqs:us-east-1:000000000000:jobs", "RoleArn": "arn:aws:iam::000000000000:role/r"},
    });
    let schedule = created(&stage, SCHEDULE, "Nightly", properties.clone()).await;
    assert_eq!(schedule.properties["Name"], "cc-schedule-Nightly");
    let alone = json!({"Nightly": {"Type": SCHEDULE, "Properties": properties}});
    let plan = stage.plan(&alone).await.unwrap();
    assert!(plan.changes[0].untracked, "nothing finds it once it left the template, which a plan tells");
}

/// A queue, and (by its target) a key's alias, which takes no tags and has a name of the template's.
fn aliased(name: &str, target: Option<&str>) -> Value {
    let mut resources = json!({"Work": {"Type": "AWS::SQS::Queue"}});
    if let Some(target) = target {
        resources["Alias"] = json!({"Type": ALIAS, "Properties": {"AliasName": name, "TargetKeyId": target}});
    }
    resources
}

#[tokio::test]
async fn what_takes_no_tags_and_has_a_name_of_its_own_is_ours_only_if_it_is_remembered() {
    const NAME: &str = "alias/cc-named";
    let proxy = proxy();
    let config = config(&proxy.url(), "us-east-1").await;
    let cloud = aws_sdk_cloudcontrol::Client::new(&config);
    let theirs = json!({"AliasName": NAME, "TargetKeyId": "theirs"}).to_string();
    cloud.create_resource().type_name(ALIAS).desired_state(theirs).send().await.unwrap();
    let stage = Stage::at("cc-named", &proxy.url()).await.with_types(&[ALIAS]).await;
    let refused = stage.plan(&aliased(NAME, Some("ours"))).await.unwrap_err();
    assert!(matches!(refused, EngineError::NotOurs { .. }), "{refused}");
    assert!(changing(&proxy).is_empty() || changing(&proxy) == ["CreateResource"], "nothing of ours was done");
    let left = stage.plan(&aliased(NAME, None)).await.unwrap();
    assert_eq!(left.destructive().len(), 0, "nor would it be deleted");

    stage.adopt(&aliased(NAME, Some("ours"))).await;
    assert!(stage.plan(&aliased(NAME, Some("ours"))).await.unwrap().is_empty(), "its keeper tells that it is ours");
    stage.up(&aliased(NAME, Some("other"))).await;
    let gone = stage.plan(&aliased(NAME, None)).await.unwrap();
    assert_eq!(gone.destructive().iter().map(|one| one.physical_id.as_str()).collect::<Vec<_>>(), [NAME]);
    stage.down(&aliased(NAME, Some("other"))).await;
    assert!(!cloud_has(&cloud, ALIAS, NAME).await);

    // Made by ourselves it is ours from the beginning, whatever its name.
    stage.up(&aliased(NAME, Some("ours"))).await;
    assert!(stage.plan(&aliased(NAME, Some("ours"))).await.unwrap().is_empty());
    stage.down(&aliased(NAME, Some("ours"))).await;
    assert!(!cloud_has(&cloud, ALIAS, NAME).await);
}

async fn cloud_has(cloud: &aws_sdk_cloudcontrol::Client, type_name: &str, identifier: &str) -> bool {
    cloud.get_resource().type_name(type_name).identifier(identifier).send().await.is_ok()
}

#[tokio::test]
async fn a_template_without_a_keeper_has_what_is_exactly_as_it_says() {
    let proxy = proxy();
    let stage = Stage::at("cc-alone", &proxy.url()).await.with_types(&[ALIAS]).await;
    let alone = |target: &str| json!({"Alias": aliased("alias/cc-alone", Some(target))["Alias"].clone()});
    stage.up(&alone("a")).await;
    assert!(stage.plan(&alone("a")).await.unwrap().is_empty());
    let refused = stage.plan(&alone("b")).await.unwrap_err();
    assert!(matches!(refused, EngineError::NotOurs { .. }), "{refused}");
    stage.down(&alone("a")).await;
    let cloud = aws_sdk_cloudcontrol::Client::new(&config(&proxy.url(), "us-east-1").await);
    assert!(!cloud_has(&cloud, ALIAS, "alias/cc-alone").await);
}

#[tokio::test]
async fn what_aws_names_keeps_too_where_nothing_else_can() {
    let proxy = proxy();
    let stage = Stage::at("cc-keeper", &proxy.url()).await.with_types(&[ALIAS, TOPIC]).await;
    let alias = aliased("alias/cc-keeper", Some("key"))["Alias"].clone();
    let topic = json!({"Type": TOPIC, "Properties": {"TopicName": "cc-keeper"}});
    let keeper = async |resources: Value| {
        let plan = stage.plan(&resources).await.unwrap();
        let alias = plan.changes.into_iter().find(|change| change.type_name == ALIAS).unwrap();
        assert!(!alias.untracked);
        alias.resource.unwrap().tags["provision:kept-by"].clone()
    };
    assert_eq!(keeper(json!({"Alias": alias, "Told": topic})).await, "Told", "AWS names it when it makes it");
    let both = json!({"Alias": alias, "Told": topic, "Work": {"Type": "AWS::SQS::Queue"}});
    assert_eq!(keeper(both).await, "arn:aws:sqs:us-east-1:000000000000:cc-keeper-Work", "the same before and after");
}

#[tokio::test]
async fn e5_a_name_of_iam_tells_the_region_and_a_policy_put_into_a_role_is_no_drift_of_it() {
    let proxy = proxy();
    let types = ["AWS::IAM::InstanceProfile", "AWS::IAM::RolePolicy"];
    let stage = Stage::at("cc-iam", &proxy.url()).await.with_types(&types).await;
    let name = |type_name: &str| stage.provider(type_name).physical_id("One", &json!({}), &stage.scope);
    assert_eq!(name("AWS::IAM::InstanceProfile").unwrap(), "cc-iam-One-us-east-1");
    let role = json!({"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {"Statement": []}}});
    let document = json!({"Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]});
    let put = json!({"Type": types[1], "Properties": {
        "PolicyName": "more", "RoleName": {"Ref": "Role"}, "PolicyDocument": document,
    }});
    stage.up(&json!({"Role": role.clone()})).await;
    let iam = aws_sdk_iam::Client::new(&config(&proxy.url(), "us-east-1").await);
    let more = iam.put_role_policy().role_name("cc-iam-Role-us-east-1").policy_name("more");
    more.policy_document(document.to_string()).send().await.unwrap();
    let action = |plan: Plan, id: &str| plan.changes.into_iter().find(|one| one.logical_id == id).unwrap().action;
    let both = stage.plan(&json!({"Role": role, "More": put})).await.unwrap();
    assert_eq!(action(both, "Role"), Action::None, "it is another resource's");
    let alone = stage.plan(&json!({"Role": role})).await.unwrap();
    assert_eq!(action(alone, "Role"), Action::Update, "without that it is drift");
    stage.down(&json!({"Role": role})).await;
}

/// A queue, and (where `scheduled`) a schedule that sends to it, which takes no tags.
fn work(scheduled: bool) -> Value {
    let mut work = json!({"Other": {"Type": "AWS::SQS::Queue"}, "Work": {"Type": "AWS::SQS::Queue"}});
    if scheduled {
        let target = json!({"Arn": {"Fn::GetAtt": ["Work", "Arn"]}, "RoleArn": "arn:aws:iam::000000000000:role/r"});
        let window = json!({"Mode": "OFF"});
        let properties = json!({"ScheduleExpression": "rate(1 day)", "FlexibleTimeWindow": window, "Target": target});
        work["Nightly"] = json!({"Type": SCHEDULE, "Properties": properties});
    }
    work
}

/// The operations that change something, in the order in which they began.
fn changing(proxy: &FaultProxy) -> Vec<String> {
    proxy.mutating_calls().into_iter().map(|call| call.operation).collect()
}

#[tokio::test]
async fn a_schedule_that_left_the_template_is_found_by_the_queue_that_keeps_it() {
    let proxy = proxy();
    let stage = Stage::at("cc-kept", &proxy.url()).await.with_types(&[SCHEDULE]).await;
    stage.up(&work(true)).await;
    let calls = changing(&proxy);
    assert_eq!(calls[2..], ["TagResources", "CreateResource"], "no moment in which nothing knows of it: {calls:?}");
    assert!(stage.plan(&work(true)).await.unwrap().changes.iter().all(|change| !change.untracked));

    let later = Stage::at("cc-kept", &proxy.url()).await.with_types(&[]).await;
    let mut renamed = work(false);
    renamed["Nightly"] = json!({"Type": "AWS::SQS::Queue"});
    assert_eq!(later.plan(&renamed).await.unwrap().destructive().len(), 1, "another type may have its name");
    let plan = later.plan(&work(false)).await.unwrap();
    let left: Vec<_> = plan.destructive().into_iter().map(|change| change.physical_id.as_str()).collect();
    assert_eq!(left, ["cc-kept-Nightly"]);
    proxy.forget();
    later.up(&work(false)).await;
    assert_eq!(changing(&proxy), ["DeleteResource", "UntagResources"], "what kept it forgets it");
    proxy.forget();
    assert!(later.plan(&work(false)).await.unwrap().is_empty());
    assert!(proxy.calls().iter().all(|call| call.operation != "GetResource"), "nothing is remembered");
    later.down(&work(false)).await;
}

#[tokio::test]
async fn a_mark_that_was_taken_off_is_put_back_and_one_that_moved_is_taken_off() {
    let proxy = proxy();
    let stage = Stage::at("cc-mark", &proxy.url()).await.with_types(&[SCHEDULE]).await;
    stage.up(&work(true)).await;
    let sqs = aws_sdk_sqs::Client::new(&config(&proxy.url(), "us-east-1").await);
    let url = |name: &str| format!("{}/000000000000/cc-mark-{name}", endpoint());
    let marks = async |name: &str| {
        let tags = sqs.list_queue_tags().queue_url(url(name)).send().await.unwrap().tags.unwrap_or_default();
        tags.into_keys().filter(|key| key.starts_with("provision:keeps:")).collect::<Vec<_>>()
    };
    let mark = marks("Work").await;
    assert_eq!((mark.len(), marks("Other").await.len()), (1, 0));
    sqs.untag_queue().queue_url(url("Work")).tag_keys(&mark[0]).send().await.unwrap();
    let plan = stage.plan(&work(true)).await.unwrap();
    let changed: Vec<_> = plan.changes.iter().flat_map(|change| &change.differences).map(|one| &one.path).collect();
    assert_eq!(changed, ["Tags.provision:kept-by"]);
    stage.up(&work(true)).await;
    assert_eq!(marks("Work").await, mark);

    let mut moved = work(true);
    moved["Nightly"]["Properties"]["Target"]["Arn"] = json!({"Fn::GetAtt": ["Other", "Arn"]});
    stage.up(&moved).await;
    assert_eq!((marks("Work").await, marks("Other").await), (vec![], mark));
    stage.down(&moved).await;
}

#[tokio::test]
async fn a_property_that_left_something_untagged_is_removed_as_its_keeper_knows_it() {
    let proxy = proxy();
    let stage = Stage::at("cc-given", &proxy.url()).await.with_types(&[SCHEDULE]).await;
    let mut before = work(true);
    before["Nightly"]["Properties"]["Description"] = "at night".into();
    stage.up(&before).await;
    let changed = async |resources: &Value| {
        let plan = stage.plan(resources).await.unwrap();
        let paths = plan.changes.into_iter().flat_map(|change| change.differences).map(|one| one.path);
        paths.collect::<Vec<_>>()
    };
    assert_eq!(changed(&work(true)).await, ["Description", "Tags.provision:given"]);
    proxy.forget();
    stage.up(&work(true)).await;
    assert_eq!(changing(&proxy), ["UpdateResource", "TagResources"], "it is forgotten when it is gone");
    let looks = stage.looks(&work(true)).await;
    let kept = looks.iter().find(|look| look.resource.logical_id == "Nightly").unwrap();
    assert_eq!(kept.observed.as_ref().unwrap().handle["Properties"].get("Description"), None);
    stage.down(&work(true)).await;
}

#[tokio::test]
async fn what_is_kept_goes_before_what_keeps_it_and_stays_where_its_deletion_policy_says_so() {
    let proxy = proxy();
    let stage = Stage::at("cc-order", &proxy.url()).await.with_types(&[SCHEDULE]).await;
    let mut retained = work(true);
    retained["Nightly"]["DeletionPolicy"] = "Retain".into();
    stage.up(&retained).await;
    let plan = stage.plan(&work(false)).await.unwrap();
    assert_eq!((plan.destructive().len(), plan.kept.len()), (0, 1), "{plan:?}");
    stage.up(&work(true)).await;

    let later = Stage::at("cc-order", &proxy.url()).await.with_types(&[]).await;
    proxy.rule(Rule::on("*", "DeleteResource").times(1).answer(400, "AccessDeniedException", "not allowed"));
    let other = json!({"Other": {"Type": "AWS::SQS::Queue"}});
    let report = later.try_up(&other).await;
    assert!(
        report.failed.len() == 1 && report.skipped == [("Work".to_owned(), "cc-order-Nightly".to_owned())],
        "{report:?}"
    );
    assert_eq!(later.plan(&other).await.unwrap().destructive().len(), 2, "it is found again");
    proxy.forget();
    later.down(&other).await;
    let calls = changing(&proxy);
    let place = |operation: &str| calls.iter().rposition(|call| call == operation);
    assert!(
        place("DeleteResource") < place("DeleteQueue") && !calls.contains(&"UntagResources".to_owned()),
        "{calls:?}"
    );
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
async fn what_another_stacks_keeper_remembers_is_that_stacks() {
    let proxy = proxy();
    let mut named = work(true);
    named["Work"]["Properties"] = json!({"QueueName": "cc-theirs"});
    named["Other"]["Properties"] = json!({"QueueName": "cc-theirs-too"});
    named["Nightly"]["Properties"]["Name"] = "cc-theirs".into();
    let theirs = Stage::at("cc-theirs", &proxy.url()).await.with_types(&[SCHEDULE]).await;
    let stage = Stage::at("cc-not-ours", &proxy.url()).await.with_types(&[SCHEDULE]).await;
    theirs.up(&named).await;
    let refused = stage.plan(&named).await.unwrap_err();
    assert!(matches!(refused, EngineError::NotOurs { .. }), "{refused}");
    proxy.forget();
    stage.down(&named).await;
    assert_eq!(changing(&proxy), Vec::<String>::new(), "nothing of theirs is deleted");
    assert!(theirs.plan(&named).await.unwrap().is_empty());
    theirs.down(&named).await;
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
