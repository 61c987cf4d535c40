//! Templates that are sound one resource at a time and break a rule across them: a file in `rules/`, named by its edge, and
//! beside it in `rules/snapshots/` what is said of it, reviewed.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use aws_config::SdkConfig;
use provisioner::engine::{Action, Change, Plan, ProviderError, Resource, Scope, Stack};
use provisioner::providers::{self, Artifact, Artifacts};
use provisioner::rules::{self, Quota};
use provisioner::template::{Diagnostics, Pseudo, Template};
use serde_json::Value;

use crate::support::{given, pseudo};

/// No rule of these looks into a zip.
struct NoCode;

#[async_trait]
impl Artifacts for NoCode {
    async fn zip(&self, path: &str, _: &Value, _: &Value) -> Result<Artifact, ProviderError> {
        Err(ProviderError::refused(format!("{path} is not looked at"), ""))
    }
}

fn stack(template: &Template) -> Stack<'_> {
    let bound = template.bind_draft(&given(&[]), &pseudo());
    let config = SdkConfig::builder().behavior_version(aws_config::BehaviorVersion::latest()).build();
    let scope = Scope {
        stack: "demo".into(),
        account: "123456789012".into(),
        region: "eu-central-1".into(),
        partition: "aws".into(),
    };
    Stack { scope, bound, providers: providers::all(&config, Arc::new(NoCode)) }
}

/// Errors, else warnings, else nothing.
fn told(template: &Template) -> String {
    match rules::check(&stack(template)) {
        Err(errors) => format!("errors\n\n{errors}"),
        Ok(warnings) if warnings.is_empty() => "nothing".into(),
        Ok(warnings) => format!("warnings\n\n{}", template.diagnostics(warnings)),
    }
}

fn template(name: &str) -> Template {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/template/rules").join(name);
    Template::parse_draft(name, &std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn a_broken_rule_is_told_with_its_edge_its_place_and_the_way_out() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/template/rules");
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name.ends_with(".yaml"));
    names.sort();
    for name in names {
        insta::with_settings!({prepend_module_to_snapshot => false, omit_expression => true, snapshot_path => "rules/snapshots"}, {
            insta::assert_snapshot!(name.trim_end_matches(".yaml"), told(&template(&name)));
        });
    }
}

/// A plan that makes all of the template's resources.
fn plan(stack: &Stack<'_>) -> Plan {
    let create = |resource: Resource| Change {
        logical_id: resource.logical_id.clone(),
        type_name: resource.type_name.clone(),
        physical_id: resource.physical_id.clone(),
        action: Action::Create,
        differences: vec![],
        lowered: vec![],
        resource: Some(resource),
        observed: None,
        slow: false,
        untracked: false,
        leaves: None,
    };
    Plan { changes: stack.declare().unwrap().into_iter().map(create).collect(), kept: vec![], late: Default::default() }
}

#[test]
fn e26_a_reservation_without_room_is_refused_and_a_large_fleet_is_warned_of() {
    let template = template("quota.yaml");
    let stack = stack(&template);
    let check = |limit, unreserved| rules::check_quota(&stack, &plan(&stack), Quota { limit, unreserved });
    let new_account: Diagnostics = check(10, 10).unwrap_err();
    insta::assert_snapshot!(new_account.list()[0].message, @"12 runs cannot be reserved: the account has 10 in all, 10 of them free, and AWS keeps 10 for other functions");
    assert!(check(1000, 111).is_err(), "100 stay unreserved");
    assert!(check(1000, 112).unwrap().is_empty());
    let mut two = plan(&stack);
    two.changes.extend(two.changes.clone());
    assert!(rules::check_quota(&stack, &two, Quota { limit: 1000, unreserved: 123 }).is_err(), "both want room");
    assert!(rules::check_quota(&stack, &two, Quota { limit: 1000, unreserved: 124 }).unwrap().is_empty());
    let mut mapping = plan(&stack);
    mapping.changes.retain(|change| change.logical_id == "Mapping");
    let warnings = rules::check_quota(&stack, &mapping, Quota { limit: 10, unreserved: 10 }).unwrap();
    assert!(warnings[0].message.contains("the mapping may start 12 functions"), "{warnings:?}");
}

/// What hangs on a guessed account is neither decided nor blamed; what does not is checked all the same.
#[test]
fn an_account_that_is_only_guessed_decides_nothing() {
    let text = "Conditions:\n  Mine: !Equals [!Ref AWS::AccountId, '210987654321']\n  Theirs: !Not [!Condition Mine]\n\
        Mappings:\n  Sizes: {'210987654321': {Name: large}}\nResources:\n  \
        A: {Type: AWS::SQS::Queue, Properties: {QueueName: !FindInMap [Sizes, !Ref AWS::AccountId, Name]}}\n  \
        B: {Type: AWS::SQS::Queue, Condition: Mine, Properties: {QueueName: !Sub 'b-${AWS::AccountId}'}}\n  \
        C: {Type: AWS::SQS::Queue, Condition: Theirs, Properties: {QueueName: !Sub 'b-${AWS::AccountId}'}}\n  \
        D: {Type: AWS::SQS::Queue, Properties: {KmsMasterKeyId: !If [Mine, !Ref B, !Ref C], DelaySecond: 1}}\n";
    let template = Template::parse("test.yaml", text).unwrap();
    let guessing = Pseudo { guessed: vec!["AWS::AccountId", "AWS::StackId"], ..pseudo() };
    let guess = Stack { bound: template.bind_draft(&given(&[]), &guessing), ..stack(&template) };
    let told = rules::check(&guess).unwrap_err();
    let messages: Vec<_> = told.list().iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(messages, ["AWS::SQS::Queue has no property DelaySecond"]);
    let known = rules::check(&stack(&template)).unwrap_err();
    assert!(known.to_string().contains("the mapping 'Sizes' has no key '123456789012'"), "{known}");
}
