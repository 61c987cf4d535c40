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

const ROLE: &str = "AWS::IAM::Role";

/// A role and a policy, which names the role or is named by it.
fn role_and_policy(by_policy: bool, path: &str) -> Value {
    let principal = json!({"Service": "lambda.amazonaws.com"});
    let statement = json!({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"});
    let trust = json!({"Version": "2012-10-17", "Statement": [statement]});
    let mut both = json!({
        "Role": {"Type": ROLE, "Properties": {"AssumeRolePolicyDocument": trust}},
        "Policy": {"Type": POLICY, "Properties": {"Path": path, "PolicyDocument": document("s3:GetObject")}},
    });
    match by_policy {
        true => both["Policy"]["Properties"]["Roles"] = json!([{"Ref": "Role"}]),
        false => both["Role"]["Properties"]["ManagedPolicyArns"] = json!([{"Ref": "Policy"}]),
    }
    both
}

async fn attached(stage: &Stage, role: &str) -> Vec<String> {
    let iam = aws_sdk_iam::Client::new(&stage.config);
    let listed = iam.list_attached_role_policies().role_name(role).send().await.unwrap();
    listed.attached_policies().iter().filter_map(|policy| policy.policy_arn().map(str::to_owned)).collect()
}

#[tokio::test]
async fn a_policy_stays_on_its_role_whichever_of_the_two_names_the_other() {
    let stage = Stage::new("managedpolicy-moves").await;
    for by_policy in [false, true, false] {
        stage.up(&role_and_policy(by_policy, "/")).await;
        assert_eq!(attached(&stage, "managedpolicy-moves-Role-us-east-1").await.len(), 1, "by policy: {by_policy}");
    }
    stage.down(&role_and_policy(false, "/")).await;
}

#[tokio::test]
async fn e14_a_policy_at_another_path_is_replaced_and_down_finds_it() {
    let stage = Stage::new("managedpolicy-path").await;
    stage.up(&role_and_policy(true, "/a/")).await;
    let plan = stage.plan(&role_and_policy(true, "/b/")).await.unwrap();
    let replaced: Vec<_> = plan.destructive().into_iter().map(|change| change.logical_id.as_str()).collect();
    assert_eq!(replaced, ["Policy"]);
    stage.up(&role_and_policy(true, "/b/")).await;
    let arns = attached(&stage, "managedpolicy-path-Role-us-east-1").await;
    assert!(arns.len() == 1 && arns[0].contains(":policy/b/"), "{arns:?}");
    // The template of before, which would have it elsewhere.
    stage.down(&role_and_policy(true, "/a/")).await;
    let iam = aws_sdk_iam::Client::new(&stage.config);
    assert!(iam.get_policy().policy_arn(&arns[0]).send().await.is_err(), "it is left");
}

#[tokio::test]
async fn what_cloudformation_attached_stays_attached_when_it_is_taken_over() {
    let theirs = Stage::new("managedpolicy-cfn").await;
    let iam = aws_sdk_iam::Client::new(&theirs.config);
    let mut resources = role_and_policy(true, "/");
    resources["Role"]["Properties"]["RoleName"] = "managedpolicy-cfn".into();
    resources["Policy"]["Properties"]["ManagedPolicyName"] = "managedpolicy-cfn".into();
    let own = json!({"PolicyName": "own", "Roles": [{"Ref": "Role"}], "PolicyDocument": document("s3:ListBucket")});
    resources["Own"] = json!({"Type": "AWS::IAM::Policy", "Properties": own});
    let trust = resources["Role"]["Properties"]["AssumeRolePolicyDocument"].to_string();
    iam.create_role().role_name("managedpolicy-cfn").assume_role_policy_document(trust).send().await.unwrap();
    let policy = iam.create_policy().policy_name("managedpolicy-cfn");
    let policy = policy.policy_document(document("s3:GetObject").to_string()).send().await.unwrap().policy.unwrap();
    let arn = policy.arn.unwrap();
    iam.attach_role_policy().role_name("managedpolicy-cfn").policy_arn(&arn).send().await.unwrap();
    let put = iam.put_role_policy().role_name("managedpolicy-cfn").policy_name("own");
    put.policy_document(document("s3:ListBucket").to_string()).send().await.unwrap();

    let paths = theirs.adopt(&resources).await;
    assert!(paths.iter().all(|path| path.starts_with("Tags.")), "{paths:?}");
    assert_eq!(attached(&theirs, "managedpolicy-cfn").await, [arn]);
    assert!(theirs.plan(&resources).await.unwrap().is_empty());
    theirs.down(&resources).await;
}
