//! What takes no tags and goes over Cloud Control: whose it is, and who remembers it.

use provisioner::engine::{Action, EngineError, Plan};
use serde_json::{Value, json};
use testkit::fault_proxy::Rule;

use crate::cloud_control::{SCHEDULE, TOPIC, changing, created, proxy};
use crate::stage::{Stage, config, endpoint};

const ALIAS: &str = "AWS::KMS::Alias";

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
