use serde_json::{Value, json};

use crate::function;
use crate::stage::Stage;

const POLICY: &str = "AWS::IAM::Policy";

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
