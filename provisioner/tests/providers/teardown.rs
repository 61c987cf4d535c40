//! What goes over Cloud Control takes its time to go, and what it stands on must be there until then.

use provisioner::engine::{DestroyOptions, Report};
use serde_json::{Value, json};
use testkit::FaultProxy;
use testkit::fault_proxy::{Edge, Rule};

use crate::cloud_control::{GROUP, TOPIC, proxy};
use crate::in_process::observer;
use crate::stage::Stage;

/// A role, its policy, and by its type and properties something slow that stands on them.
fn standing(type_name: &str, properties: Value) -> Value {
    let statement =
        json!({"Effect": "Allow", "Principal": {"Service": "autoscaling.amazonaws.com"}, "Action": "sts:AssumeRole"});
    let role = json!({"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [statement]}});
    let statement = json!({"Effect": "Allow", "Action": "sqs:*", "Resource": "*"});
    let policy = json!({"PolicyName": "use", "Roles": [{"Ref": "Role"}], "PolicyDocument": {"Version": "2012-10-17", "Statement": [statement]}});
    json!({
        "Role": {"Type": "AWS::IAM::Role", "Properties": role},
        "Policy": {"Type": "AWS::IAM::Policy", "Properties": policy},
        "Slow": {"Type": type_name, "DependsOn": "Policy", "Properties": properties},
    })
}

fn group() -> Value {
    standing(GROUP, json!({"MinSize": "0", "MaxSize": "1"}))
}

fn queue() -> Value {
    json!({"Queue": {"Type": "AWS::SQS::Queue"}})
}

/// Fails unless the slow one was gone before anything was taken off the role.
fn assert_gone_first(proxy: &FaultProxy) {
    let calls: Vec<String> = proxy.calls().into_iter().map(|call| call.operation).collect();
    let first = |operation: &str| calls.iter().position(|call| call == operation).unwrap();
    let gone = calls.iter().rposition(|call| call == "GetResourceRequestStatus").unwrap();
    assert!(gone < first("DeleteRolePolicy") && gone < first("DeleteRole"), "{calls:?}");
}

#[tokio::test]
async fn a_role_and_its_policy_go_after_the_slow_one_that_stands_on_them() {
    let proxy = proxy();
    proxy.play(Edge::CloudControlTakesItsTime(2));
    let stage = Stage::at("cc-stands", &proxy.url()).await.with_types(&[GROUP]).await;
    stage.up(&group()).await;
    proxy.forget();
    stage.down(&group()).await;
    assert_gone_first(&proxy);
}

#[tokio::test]
async fn a_role_that_left_the_template_goes_after_the_slow_one_that_left_it_too() {
    let proxy = proxy();
    proxy.play(Edge::CloudControlTakesItsTime(2));
    let stage = Stage::at("cc-left-both", &proxy.url()).await.with_types(&[GROUP]).await;
    stage.up(&group()).await;
    proxy.forget();
    stage.up(&queue()).await;
    assert_gone_first(&proxy);
    stage.down(&queue()).await;
}

#[tokio::test]
async fn a_role_that_left_the_template_goes_after_what_is_of_a_type_that_no_template_names_any_more() {
    let proxy = proxy();
    proxy.play(Edge::CloudControlTakesItsTime(2));
    let topic = standing(TOPIC, json!({"TopicName": "left-type"}));
    let stage = Stage::at("cc-left-type", &proxy.url()).await.with_types(&[TOPIC]).await;
    stage.up(&topic).await;
    let made = stage.looks(&topic).await.into_iter().find(|look| look.resource.type_name == TOPIC).unwrap();
    let made = made.observed.unwrap();
    // The emulator's tagging API does not know what its Cloud Control keeps.
    let tags: Vec<_> = made.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    let mapping = json!({"ResourceARN": made.attributes["Ref"], "Tags": tags});
    proxy.rule(Rule::on("tagging", "GetResources").rewrite(move |answer| {
        answer["ResourceTagMappingList"] = json!([mapping]);
    }));
    let stage = Stage::at("cc-left-type", &proxy.url()).await.with_types(&[]).await;
    proxy.forget();
    stage.up(&queue()).await;
    assert_gone_first(&proxy);
    stage.down(&queue()).await;
}

async fn try_down(stage: &Stage, resources: &Value) -> (Report, Vec<String>) {
    let template = stage.template(resources.clone());
    let stack = stage.stack(&template);
    let options = DestroyOptions { no_wait: true, ..DestroyOptions::default() };
    let plan = stack.plan_destroy(options).await.unwrap();
    let report = stack.destroy(&plan, options, &observer(), &Default::default()).await;
    let listed = stack.audit(options, &report, &observer()).await.unwrap();
    let mut left: Vec<_> = plan.remaining(&report, Some(&listed)).into_iter().map(|one| one.why).collect();
    left.sort();
    (report, left)
}

#[tokio::test]
async fn what_a_slow_one_stands_on_stays_where_that_fails_to_go_and_goes_with_it_later() {
    let proxy = proxy();
    let stage = Stage::at("cc-stays", &proxy.url()).await.with_types(&[GROUP]).await;
    stage.up(&group()).await;
    proxy.rule(Rule::on("*", "DeleteResource").times(1).answer(400, "AccessDeniedException", "not allowed"));
    let (report, left) = try_down(&stage, &group()).await;
    assert_eq!(report.failed.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["Slow"]);
    let mut skipped: Vec<_> = report.skipped.iter().map(|(id, because)| (id.as_str(), because.as_str())).collect();
    skipped.sort_unstable();
    assert_eq!(skipped, [("Policy", "Slow"), ("Role", "Slow")]);
    let because = |why: &String| why == "not tried because of Slow";
    assert!(left.len() == 3 && left.iter().filter(|why| because(why)).count() == 2, "{left:?}");
    stage.down(&group()).await;
}
