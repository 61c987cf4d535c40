//! Parameters, conditions, and which resources are made in which order.

use provisioner::template::{DeletionPolicy, Template};
use serde_json::json;

use crate::support::{MadeUp, given, pseudo, resolve_all};

fn bind_problems(text: &str, parameters: &[(&str, &str)]) -> Vec<String> {
    let template = Template::parse("test.yaml", text).unwrap();
    match template.bind(&given(parameters), &pseudo()) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.list().iter().map(|problem| problem.message.clone()).collect(),
    }
}

fn with_parameter(fields: &str) -> String {
    format!("Parameters:\n  P: {fields}\nResources:\n  T:\n    Type: AWS::SNS::Topic\n    Properties: {{V: !Ref P}}\n")
}

fn value_of(fields: &str, given: &str) -> Result<serde_json::Value, String> {
    resolve_all("test.yaml", &with_parameter(fields), &[("P", given)])
        .map(|all| all["T"].properties["V"].clone())
        .map_err(|problems| problems.list()[0].message.clone())
}

#[test]
fn a_given_value_keeps_the_parameters_rules() {
    let long = "{Type: String, MinLength: 2, MaxLength: 4}";
    assert_eq!(value_of(long, "abc"), Ok(json!("abc")));
    assert_eq!(value_of(long, "a").unwrap_err(), "'a' has 1 characters, fewer than MinLength 2");
    assert_eq!(value_of(long, "abcde").unwrap_err(), "'abcde' has 5 characters, more than MaxLength 4");
    let number = "{Type: Number, MinValue: 1, MaxValue: 9.5}";
    assert_eq!(value_of(number, "9.5"), Ok(json!(9.5)));
    assert_eq!(value_of(number, "0").unwrap_err(), "'0' is below MinValue 1");
    assert_eq!(value_of(number, "10").unwrap_err(), "'10' is above MaxValue 9.5");
    assert_eq!(value_of(number, "NaN").unwrap_err(), "'NaN' is not a number");
    let listed = "{Type: CommaDelimitedList, AllowedValues: [a, b]}";
    assert_eq!(value_of(listed, "a , b"), Ok(json!(["a", "b"])));
    assert_eq!(value_of(listed, "a,c").unwrap_err(), "'c' is not one of AllowedValues: a, b");
    assert_eq!(value_of("{Type: List<Number>}", "1, 2.5"), Ok(json!([1, 2.5])));
    // A reference gives the text, as it does in CloudFormation.
    assert_eq!(value_of("{Type: Number}", "1.10"), Ok(json!("1.10")));
    assert_eq!(value_of("{Type: List<Number>}", "1e3, -0"), Ok(json!(["1e3", "-0"])));
    assert_eq!(value_of("{Type: CommaDelimitedList}", ""), Ok(json!([])));
}

#[test]
fn a_pattern_must_match_the_whole_value_and_may_look_around() {
    let pattern = "{Type: String, AllowedPattern: '(?=.*[0-9])[a-z0-9]+'}";
    assert_eq!(value_of(pattern, "abc1"), Ok(json!("abc1")));
    assert!(value_of(pattern, "abc").is_err());
    assert!(value_of(pattern, "abc1!").is_err());
}

#[test]
fn the_authors_own_words_help() {
    let text = with_parameter("{Type: String, AllowedPattern: '[a-z]+', ConstraintDescription: small letters only}");
    let problems = resolve_all("test.yaml", &text, &[("P", "X")]).unwrap_err();
    assert_eq!(problems.list()[0].help.as_deref(), Some("small letters only"));
}

#[test]
fn a_secret_value_is_in_no_message_and_no_output() {
    let text = with_parameter("{Type: String, NoEcho: true, MaxLength: 3}") + "Outputs:\n  O: {Value: !Sub 'x${P}'}\n";
    let shown = resolve_all("test.yaml", &text, &[("P", "hush-hush")]).unwrap_err().to_string();
    assert!(!shown.contains("hush"), "{shown}");
    let template = Template::parse("test.yaml", &text).unwrap();
    let parameters = given(&[("P", "sh")]);
    let bound = template.bind(&parameters, &pseudo()).unwrap();
    assert_eq!(bound.outputs(&MadeUp).unwrap()["O"], "****");
    assert!(!format!("{bound:?}").contains("\"sh\""));
}

#[test]
fn unknown_and_missing_parameters_are_told_together() {
    let text = with_parameter("{Type: String}");
    assert_eq!(
        bind_problems(&text, &[("Q", "1")]),
        ["the template has no parameter 'Q'", "the parameter 'P' has no value and no default"]
    );
}

#[test]
fn an_ssm_parameter_becomes_a_dynamic_reference() {
    let text = with_parameter("{Type: 'AWS::SSM::Parameter::Value<String>', Default: /a/b}");
    let all = resolve_all("test.yaml", &text, &[]).unwrap();
    assert_eq!((all["T"].dynamic[0].name.as_str(), all["T"].dynamic[0].pointer.as_str()), ("/a/b", "/V"));
}

#[test]
fn conditions_follow_the_parameters() {
    let text = "Parameters:\n  E: {Type: String, Default: dev}\nConditions:\n  \
        Any: !Or [!Condition Prod, !Equals [!Ref E, test]]\n  Prod: !Equals [!Ref E, prod]\n  \
        Both: !And [!Condition Any, !Not [!Condition Prod]]\nResources:\n  \
        A: {Type: AWS::SNS::Topic, Condition: Any}\n  B: {Type: AWS::SNS::Topic, Condition: Both, DependsOn: [A, C]}\n  \
        C: {Type: AWS::SNS::Topic, Condition: Prod}\n";
    let template = Template::parse("test.yaml", text).unwrap();
    let made = |value: &str| {
        let bound = template.bind(&given(&[("E", value)]), &pseudo()).unwrap();
        bound.resources().map(|r| (r.logical_id.clone(), r.depends_on.clone())).collect::<Vec<_>>()
    };
    assert_eq!(made("dev"), []);
    assert_eq!(made("prod"), [("A".into(), vec![]), ("C".into(), vec![])]);
    assert_eq!(made("test"), [("A".into(), vec![]), ("B".into(), vec!["A".into()])]);
}

#[test]
fn resources_come_after_what_they_use() {
    let text = "Resources:\n  Z: {Type: AWS::SNS::Topic, DeletionPolicy: Retain, Metadata: {a: !Ref X}, Properties: {A: !Sub '${M.Arn}'}}\n  \
        M: {Type: AWS::SNS::Topic, Properties: {A: !GetAtt A.Arn, B: !If [Never, !Ref Z, x]}}\n  A: {Type: AWS::SNS::Topic}\n\
        Conditions:\n  Never: !Equals [a, b]\n";
    let template = Template::parse("test.yaml", text).unwrap();
    let bound = template.bind(&given(&[]), &pseudo()).unwrap();
    let order: Vec<&str> = bound.resources().map(|r| r.logical_id.as_str()).collect();
    assert_eq!(order, ["A", "M", "Z"]);
    let last = bound.declared("Z").unwrap();
    assert_eq!((last.deletion_policy, last.update_replace_policy), (DeletionPolicy::Retain, DeletionPolicy::Delete));
    assert_eq!((&last.depends_on, &last.metadata), (&vec!["M".to_owned()], &json!({"a": {"Ref": "X"}})));
}

#[test]
fn a_cycle_that_a_parameter_closes_is_found_when_bound() {
    let text = "Parameters:\n  E: {Type: String}\nConditions:\n  Closed: !Equals [!Ref E, closed]\nResources:\n  \
        A: {Type: AWS::SNS::Topic, Properties: {A: !If [Closed, !Ref B, x]}}\n  B: {Type: AWS::SNS::Topic, Properties: {A: !Ref A}}\n";
    assert!(bind_problems(text, &[("E", "open")]).is_empty());
    assert_eq!(bind_problems(text, &[("E", "closed")]), ["depends on itself: A -> B -> A"]);
}

#[test]
fn a_use_of_what_is_not_made_is_found_when_bound() {
    let text = "Conditions:\n  Never: !Equals [a, b]\nResources:\n  A: {Type: AWS::SNS::Topic, Condition: Never}\n  \
        B: {Type: AWS::SNS::Topic, Properties: {V: !Ref A}}\nOutputs:\n  O: {Value: !GetAtt A.Arn}\n  P: {Condition: Never, Value: !Ref A}\n";
    let message = "'A' is used here, but it is not made: its condition is false";
    assert_eq!(bind_problems(text, &[]), [message, message]);
}
