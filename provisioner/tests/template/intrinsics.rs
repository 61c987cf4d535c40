//! What each intrinsic function gives.

use provisioner::template::Position;
use serde_json::json;

use crate::support::{problem, property, value};

#[test]
fn ref_gives_parameters_pseudo_parameters_and_resources() {
    assert_eq!(value("!Ref Word"), "hello");
    assert_eq!(value("!Ref Many"), json!(["x", "y", "z"]));
    assert_eq!(value("!Ref Number"), 5);
    assert_eq!(value("!Ref AWS::Region"), "eu-central-1");
    assert_eq!(value("{Ref: Queue}"), "demo-Queue");
    assert_eq!(value("!Ref AWS::NotificationARNs"), json!([]));
}

#[test]
fn get_att_takes_both_forms() {
    assert_eq!(value("!GetAtt Queue.Arn"), "arn:made:up:Queue");
    assert_eq!(value("!GetAtt [Queue, Arn]"), "arn:made:up:Queue");
    assert_eq!(value("{Fn::GetAtt: [Queue, Arn]}"), "arn:made:up:Queue");
    assert_eq!(problem("!GetAtt Queue.Arm"), "AWS::SQS::Queue has no attribute 'Arm'");
}

#[test]
fn sub_puts_names_variables_and_literals_in() {
    assert_eq!(
        value("!Sub '${Word}-${AWS::AccountId}-${Queue}-${Queue.Arn}'"),
        "hello-123456789012-demo-Queue-arn:made:up:Queue"
    );
    assert_eq!(value("!Sub ['${A}${!Word}', {A: !Ref Number}]"), "5${Word}");
    assert_eq!(value("!Sub ['${Word}', {Word: own}]"), "own");
    assert_eq!(problem("!Sub '${Many}'"), "Fn::Sub needs text, but this is a list");
}

#[test]
fn join_split_and_select_work_on_lists() {
    assert_eq!(value("!Join ['-', [a, !Ref Word, 1, true]]"), "a-hello-1-true");
    assert_eq!(value("!Join [',', !Ref Many]"), "x,y,z");
    assert_eq!(value("!Join [',', !GetAtt Queue.Zones]"), "a,b");
    assert_eq!(value("!Split [':', !GetAtt Queue.Arn]"), json!(["arn", "made", "up", "Queue"]));
    assert_eq!(value("!Select [1, !Split ['-', a-b-c]]"), "b");
    assert_eq!(value("!Select ['0', !Ref Many]"), "x");
    assert_eq!(problem("!Select [3, !Ref Many]"), "Fn::Select asks for item 3 of a list of 3");
    assert_eq!(problem("!Select [-1, [a]]"), "the index of Fn::Select is '-1'");
}

#[test]
fn if_chooses_and_only_the_chosen_branch_counts() {
    assert_eq!(value("!If [Right, a, b]"), "a");
    assert_eq!(value("!If [Wrong, !GetAtt Queue.Nonsense, {K: !If [Right, [1], 2]}]"), json!({"K": [1]}));
}

#[test]
fn find_in_map_looks_up_two_keys_or_takes_the_default() {
    assert_eq!(value("!FindInMap [Table, !Ref AWS::Region, Size]"), 7);
    assert_eq!(value("!Select [1, !FindInMap [Table, eu-central-1, Names]]"), "b");
    assert_eq!(value("!FindInMap [Table, !Ref Word, Size, {DefaultValue: 1}]"), 1);
    assert_eq!(problem("!FindInMap [Table, !Ref Word, Size]"), "the mapping 'Table' has no key 'hello'");
    assert_eq!(
        problem("!FindInMap [Table, eu-central-1, Sice]"),
        "the mapping 'Table' has no key 'Sice' under 'eu-central-1'"
    );
}

#[test]
fn base64_encodes_text() {
    assert_eq!(value("!Base64 hello"), "aGVsbG8=");
    assert_eq!(value("{Fn::Base64: !Sub '${Word}'}"), "aGVsbG8=");
}

#[test]
fn no_value_takes_its_place_away() {
    let resolved =
        property("{A: !Ref AWS::NoValue, B: [!Ref 'AWS::NoValue', 1], C: !If [Wrong, 1, !Ref AWS::NoValue]}").unwrap();
    assert_eq!(resolved.properties, json!({"P": {"B": [1]}}));
    assert_eq!(resolved.position("/P/B/0").map(|at| at.line), Some(16));
    let gone = property("!Ref AWS::NoValue").unwrap();
    assert_eq!((gone.properties, gone.positions.contains_key("/P")), (json!({}), false));
    assert_eq!(value("!Join [',', [a, !Ref AWS::NoValue, b]]"), "a,b");
}

#[test]
fn what_is_known_only_after_apply_is_null_and_named() {
    let resolved =
        property("{A: !GetAtt Queue.Id, B: [x, !Sub 'y-${Queue.Id}'], C: !Select [0, [a, !GetAtt Queue.Id]]}").unwrap();
    assert_eq!(resolved.properties["P"], json!({"A": null, "B": ["x", null], "C": "a"}));
    let places: Vec<_> = resolved.after_apply.iter().map(|(at, from)| (at.as_str(), from.as_str())).collect();
    assert_eq!(places, [("/P/A", "Queue.Id"), ("/P/B/1", "Queue.Id")]);
    assert_eq!(property("!Base64 {'Fn::Join': ['', [a, !GetAtt Queue.Id]]}").unwrap().after_apply["/P"], "Queue.Id");
}

#[test]
fn a_secret_marks_all_that_it_touches() {
    let resolved =
        property("{A: !Sub 'x${Secret}', B: [1, !Ref Secret], C: plain, D: !Join ['', [a, !Ref Secret]]}").unwrap();
    let secret: Vec<&str> = resolved.secret.iter().map(String::as_str).collect();
    assert_eq!(secret, ["/P/A", "/P/B/1", "/P/D"]);
    assert_eq!(resolved.properties["P"]["A"], "xhush");
}

#[test]
fn every_property_has_its_place() {
    let resolved = property("{A/b: {C: !Ref Many}}").unwrap();
    assert_eq!(resolved.position("/P"), Some(Position { line: 16, column: 7 }));
    assert_eq!(resolved.position("/P/A~1b/C"), Some(Position { line: 16, column: 17 }));
    assert_eq!(resolved.position("/P/A~1b/C/2"), resolved.position("/P/A~1b/C"));
    let problem = resolved.diagnostic("Thing", "/P/A~1b/C", "is wrong");
    assert_eq!(problem.path, "Resources.Thing.Properties.P.A/b.C");
}

#[test]
fn dynamic_references_are_listed_with_their_pointers() {
    let resolved = property("[!Sub '{{resolve:ssm:/${AWS::StackName}/x:2}}']").unwrap();
    let found = &resolved.dynamic[0];
    assert_eq!((found.pointer.as_str(), found.name.as_str(), found.version), ("/P/0", "/demo/x", Some(2)));
    assert!(problem("'{{resolve:secretsmanager:x}}'").contains("secretsmanager"));
}

#[test]
fn names_inside_sub_have_their_own_places() {
    let at = |text: &str| property(text).unwrap_err().list().iter().map(|p| p.position).collect::<Vec<_>>();
    let place = |line, column| Some(Position { line, column });
    assert_eq!(at("!Sub 'a ${Word} ${Nix} ${Nix}'"), [place(16, 26), place(16, 33)]);
    assert_eq!(at("!Sub |\n        one\n        two ${Nix}"), [place(18, 13)]);
}

#[test]
fn a_function_is_the_only_key_of_its_mapping() {
    assert_eq!(problem("{'Fn::Join': ['', []], Other: 1}"), "Fn::Join stands beside other keys");
    assert_eq!(value("{Ref: Word, Other: 1}"), json!({"Ref": "Word", "Other": 1}));
    assert_eq!(value("{Condition: {StringEquals: {a: b}}}"), json!({"Condition": {"StringEquals": {"a": "b"}}}));
    assert_eq!(problem("{A: }"), "the value is empty");
}
