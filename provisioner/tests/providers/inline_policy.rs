use serde_json::{Value, json};

use crate::function;
use crate::stage::Stage;

const POLICY: &str = "AWS::IAM::Policy";
const ROLE: &str = "AWS::IAM::Role";

#[tokio::test]
async fn a_name_that_does_not_fit_into_the_mark_on_its_roles_is_refused_in_words() {
    let stage = Stage::new("inline-names").await;
    let named = |name: String, roles: &[String]| {
        stage.provider(POLICY).physical_id("Policy", &json!({"PolicyName": name, "Roles": roles}), &stage.scope)
    };
    for name in ["n".repeat(112), "read,write".into()] {
        let refused = named(name, &[]).unwrap_err();
        assert!(refused.to_string().contains("tag") && refused.help().contains("111"), "{refused}");
    }
    let roles: Vec<String> = (0..9).map(|number| format!("{}{number}", "role".repeat(12))).collect();
    assert_eq!(named("n".into(), &roles).unwrap().len(), 256, "the key of one in many roles is cut");
}

fn document(action: &str) -> Value {
    let statement = json!({"Effect": "Allow", "Action": action, "Resource": "*"});
    json!({"Version": "2012-10-17", "Statement": [statement]})
}

#[tokio::test]
async fn a_policy_of_its_own_is_no_drift_of_its_role_and_is_found_by_its_mark() {
    let stage = Stage::new("inlinepolicy").await;
    let role = function::role(&stage).await;
    let first = json!({"PolicyName": "own", "Roles": [role.physical_id], "PolicyDocument": document("s3:GetObject")});
    let first = stage.resource(POLICY, "Policy", first).await;
    let mut second = first.clone();
    second.properties["PolicyDocument"] = document("s3:PutObject");
    assert_eq!(stage.read(&first).await, None);
    let made = stage.create(&first).await;
    assert_eq!(stage.paths(&first).await, Vec::<String>::new());
    assert_eq!(stage.paths(&role).await, Vec::<String>::new());
    assert_eq!(stage.paths(&second).await, ["PolicyDocument"]);
    stage.update(&second).await;
    assert_eq!(stage.paths(&second).await, Vec::<String>::new());
    assert_eq!(stage.found(POLICY).await, [first.physical_id.as_str()]);
    stage.delete(&made).await;
    stage.delete(&made).await;
    assert_eq!(stage.read(&first).await, None);
    assert_eq!(stage.found(POLICY).await, Vec::<String>::new());
}

/// Two roles, and a policy in some of them.
fn two_roles(covered: &[&str]) -> Value {
    let statement =
        json!({"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"});
    let trust = json!({"Version": "2012-10-17", "Statement": [statement]});
    let role = json!({"Type": ROLE, "Properties": {"AssumeRolePolicyDocument": trust}});
    let roles: Vec<_> = covered.iter().map(|name| json!({"Ref": name})).collect();
    let properties = json!({"PolicyName": "own", "Roles": roles, "PolicyDocument": document("s3:GetObject")});
    json!({"A": role, "B": role, "Policy": {"Type": POLICY, "Properties": properties}})
}

/// The logical ids of the roles that have an inline policy.
async fn covered(stage: &Stage, resources: &Value) -> Vec<String> {
    let iam = aws_sdk_iam::Client::new(&stage.config);
    let mut covered = Vec::new();
    for look in stage.looks(resources).await.into_iter().filter(|look| look.resource.type_name == ROLE) {
        let listed = iam.list_role_policies().role_name(&look.resource.physical_id).send().await.unwrap();
        if !listed.policy_names().is_empty() {
            covered.push(look.resource.logical_id);
        }
    }
    covered.sort();
    covered
}

#[tokio::test]
async fn a_policy_whose_roles_become_more_or_fewer_is_in_exactly_those() {
    let stage = Stage::new("inline-grows").await;
    let steps: [&[&str]; 3] = [&["A"], &["A", "B"], &["B"]];
    for wanted in steps {
        let resources = two_roles(wanted);
        stage.up(&resources).await;
        assert_eq!(covered(&stage, &resources).await, wanted);
    }
    stage.down(&two_roles(&["B"])).await;
}

/// A role, whose policy is one of its own `Policies` or stands by itself.
fn one_policy(by_itself: bool) -> Value {
    let mut both = two_roles(&["A"]);
    both.as_object_mut().unwrap().remove("B");
    if !by_itself {
        both.as_object_mut().unwrap().remove("Policy");
        both["A"]["Properties"]["Policies"] =
            json!([{"PolicyName": "own", "PolicyDocument": document("s3:GetObject")}]);
    }
    both
}

#[tokio::test]
async fn a_policy_that_moves_out_of_its_role_and_back_stays_in_it() {
    let stage = Stage::new("inline-moves").await;
    let iam = aws_sdk_iam::Client::new(&stage.config);
    for by_itself in [false, true, false] {
        stage.up(&one_policy(by_itself)).await;
        let names = iam.list_role_policies().role_name("inline-moves-A-us-east-1").send().await.unwrap().policy_names;
        assert_eq!(names, ["own"], "by itself: {by_itself}");
        let tags = iam.get_role().role_name("inline-moves-A-us-east-1").send().await.unwrap().role.unwrap();
        let marked = tags.tags().iter().any(|tag| tag.key() == "provision:policy:own");
        assert!(by_itself || !marked, "the role's own policy is marked as another's");
    }
    stage.down(&one_policy(false)).await;
}
