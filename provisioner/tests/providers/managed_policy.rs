use provisioner::engine::Resource;
use serde_json::{Value, json};
use testkit::FaultProxy;
use testkit::fault_proxy::Rule;

use crate::function;
use crate::stage::{Stage, endpoint};

const POLICY: &str = "AWS::IAM::ManagedPolicy";

fn document(action: &str) -> Value {
    let statement = json!({"Effect": "Allow", "Action": action, "Resource": "*"});
    json!({"Version": "2012-10-17", "Statement": [statement]})
}

async fn of(stage: &Stage, properties: Value) -> Resource {
    stage.resource(POLICY, "Policy", properties).await
}

#[tokio::test]
async fn a_managed_policy_lives_from_create_to_delete() {
    let stage = Stage::new("managedpolicy-life").await;
    let role = function::role(&stage).await;
    let first = of(&stage, json!({"Path": "/team/", "PolicyDocument": document("s3:GetObject"), "Roles": []})).await;
    let second = json!({
        "Path": "/team/", "PolicyDocument": document("s3:PutObject"), "Roles": [role.physical_id],
    });
    let second = of(&stage, second).await;
    stage.live_through(&first, &second, &["PolicyDocument", "Roles"]).await;
}

#[tokio::test]
async fn a_policy_that_attaches_itself_is_no_drift_of_its_role_and_one_by_hand_is() {
    let stage = Stage::new("managedpolicy-role").await;
    let role = function::role(&stage).await;
    let named = json!({"PolicyDocument": document("s3:GetObject"), "Roles": [role.physical_id]});
    let policy = of(&stage, named).await;
    let made = stage.create(&policy).await;
    assert_eq!(stage.paths(&role).await, Vec::<String>::new());
    let unnamed = of(&stage, json!({"PolicyDocument": document("s3:GetObject")})).await;
    stage.update(&unnamed).await;
    assert_eq!(stage.paths(&role).await, ["ManagedPolicyArns"], "nothing in the template attaches it any more");
    stage.delete(&made).await;
    assert_eq!(stage.read(&policy).await, None, "an attachment does not hold up the delete");
}

#[tokio::test]
async fn kinds_of_holders_that_left_the_template_are_let_go_and_the_others_kept() {
    let stage = Stage::new("managedpolicy-kinds").await;
    let (role, name) = (function::role(&stage).await, "managedpolicy-kinds");
    let iam = aws_sdk_iam::Client::new(&stage.config);
    iam.create_user().user_name(name).send().await.unwrap();
    iam.create_role().role_name(name).assume_role_policy_document("{}").send().await.unwrap();
    let roles = json!([role.physical_id, name]);
    let holders = json!({"PolicyDocument": document("s3:GetObject"), "Roles": roles, "Users": [name]});
    stage.create(&of(&stage, holders).await).await;
    let users = json!({"PolicyDocument": document("s3:GetObject"), "Users": [name]});
    let users = of(&stage, users).await;
    stage.update(&users).await;
    let seen = stage.read(&users).await.unwrap().properties;
    // The stack's own role may name the policy by now: taking it off is that role's affair.
    assert_eq!((&seen["Roles"], &seen["Users"]), (&json!([role.physical_id]), &json!([name])));
    assert_eq!(stage.paths(&users).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_sixth_version_takes_the_place_of_the_oldest() {
    let stage = Stage::new("managedpolicy-versions").await;
    for action in ["s3:A", "s3:B", "s3:C", "s3:D", "s3:E", "s3:F", "s3:G"] {
        let policy = of(&stage, json!({"PolicyDocument": document(action)})).await;
        match stage.read(&policy).await {
            None => drop(stage.create(&policy).await),
            Some(_) => drop(stage.update(&policy).await),
        }
        assert_eq!(stage.paths(&policy).await, Vec::<String>::new(), "{action} is in force");
    }
    let arn = of(&stage, json!({"PolicyDocument": document("s3:G")})).await.attributes["Ref"].clone();
    let iam = aws_sdk_iam::Client::new(&stage.config);
    let listed = iam.list_policy_versions().policy_arn(arn.as_str().unwrap()).send().await.unwrap();
    let mut kept: Vec<_> = listed.versions().iter().filter_map(|version| version.version_id()).collect();
    kept.sort_unstable();
    assert_eq!(kept, ["v3", "v4", "v5", "v6", "v7"]);
}

#[tokio::test]
async fn a_run_that_loses_the_last_place_for_a_version_to_another_makes_room_again() {
    let proxy = FaultProxy::start(&endpoint()).unwrap();
    let stage = Stage::at("managedpolicy-race", &proxy.url()).await;
    stage.create(&of(&stage, json!({"PolicyDocument": document("s3:A")})).await).await;
    let full = "A managed policy can have up to 5 versions.";
    proxy.rule(Rule::on("iam", "CreatePolicyVersion").nth(1).answer(409, "LimitExceeded", full));
    let policy = of(&stage, json!({"PolicyDocument": document("s3:B")})).await;
    stage.update(&policy).await;
    assert_eq!(stage.paths(&policy).await, Vec::<String>::new());
}
