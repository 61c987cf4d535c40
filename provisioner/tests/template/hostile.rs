//! Texts that nobody would write: each is read or refused, with a place, soon, and without a panic.

use std::fmt::Write as _;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use provisioner::template::{LoadError, Position, Template};
use serde_json::{Value, json};

use crate::support::{given, property, pseudo, resolve_all, value};

/// What was said of a text, which must be refused.
fn refused(text: &str) -> String {
    resolve_all("test.yaml", text, &[]).expect_err("must be refused").to_string()
}

#[test]
fn a_lone_carriage_return_is_a_line_break() {
    let problems = Template::parse("test.yaml", "Resources:\r  Queue: {}\r\n  Other: {}\n").unwrap_err();
    let places: Vec<_> = problems.list().iter().map(|problem| problem.position).collect();
    assert_eq!(places, [Some(Position { line: 2, column: 3 }), Some(Position { line: 3, column: 3 })]);
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_text() {
    assert!(Template::parse("test.yaml", "\u{feff}Resources: {Q: {Type: 'AWS::SQS::Queue'}}").is_ok());
    assert!(Template::parse("test.json", "\u{feff}{\"Resources\": {\"Q\": {\"Type\": \"AWS::SQS::Queue\"}}}").is_ok());
}

#[test]
fn what_is_not_utf8_or_too_large_or_not_there_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let load = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        Template::load(&path).unwrap_err().to_string()
    };
    assert!(load("latin.yaml", b"Description: caf\xe9").contains("latin.yaml:1:17: the template is not UTF-8"));
    assert!(load("large.yaml", &b"# ".repeat(600_000)).contains("larger than 1048576 bytes"));
    let missing = Template::load(&folder.path().join("missing.yaml"));
    assert!(matches!(missing, Err(LoadError::Read { .. })));
}

#[test]
fn more_resources_than_cloudformation_takes_are_refused() {
    let mut text = "Resources:\n".to_owned();
    for index in 0..501 {
        writeln!(text, "  R{index}: {{Type: AWS::SNS::Topic}}").unwrap();
    }
    assert!(refused(&text).contains("test.yaml:502:3: Resources: the section has 501 entries"));
}

#[test]
fn a_long_chain_of_conditions_is_no_deep_recursion() {
    let mut text = "Conditions:\n  C0: !Equals [a, a]\n".to_owned();
    for index in 1..5_000 {
        writeln!(text, "  C{index}: !Not [!Condition C{}]", index - 1).unwrap();
    }
    text.push_str("Resources:\n  T: {Type: AWS::SNS::Topic, Condition: C4999}\n");
    let template = Template::parse("test.yaml", &text).unwrap();
    assert_eq!(template.bind(&given(&[]), &pseudo()).unwrap().resources().count(), 0);
}

#[test]
fn many_names_in_one_long_line_are_soon_found() {
    let names = "${Nix}é".repeat(4_000);
    let text = format!(
        "{{\"Resources\": {{\"T\": {{\"Type\": \"AWS::SNS::Topic\", \"Properties\": {{\"P\": {{\"Fn::Sub\": \"{names}\"}}}}}}}}}}"
    );
    assert!(refused(&text).ends_with("and 3900 more\n"));
}

/// A value, and how it is written as an expression that gives it.
fn expressions() -> impl Strategy<Value = (Value, Value)> {
    let word = "[a-zA-Z0-9 _é:/{}-]{0,8}".prop_filter("no name for Fn::Sub", |word| !word.contains("{{"));
    let leaf = prop_oneof![
        word.clone().prop_map(|word| (json!(word), json!(word))),
        any::<i32>().prop_map(|number| (json!(number), json!(number))),
        any::<bool>().prop_map(|flag| (json!(flag), json!(flag))),
        word.clone().prop_map(|word| (json!(format!("{word}hello")), json!({"Fn::Sub": format!("{word}${{Word}}")}))),
        prop::collection::vec(word, 1..4).prop_map(|words| (json!(words.join("|")), json!({"Fn::Join": ["|", words]}))),
        Just((json!("hello"), json!({"Ref": "Word"}))),
        Just((json!(["x", "y", "z"]), json!({"Ref": "Many"}))),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let several = prop::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            several
                .clone()
                .prop_map(|items| items.into_iter().unzip::<_, _, Vec<_>, Vec<_>>())
                .prop_map(|(values, written)| (json!(values), json!(written))),
            (several, 0usize..4).prop_map(|(items, index)| {
                let index = index % items.len();
                let (values, written): (Vec<_>, Vec<_>) = items.into_iter().unzip();
                (values[index].clone(), json!({"Fn::Select": [index, written]}))
            }),
            (inner.clone(), inner.clone(), any::<bool>()).prop_map(|(a, b, right)| {
                let condition = if right { "Right" } else { "Wrong" };
                let chosen = if right { a.0 } else { b.0 };
                (chosen, json!({"Fn::If": [condition, a.1, b.1]}))
            }),
            inner.prop_map(|(value, written)| (
                json!({"K": value}),
                json!({"K": written, "Gone": {"Ref": "AWS::NoValue"}})
            )),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

    #[test]
    fn an_expression_gives_its_value((expected, written) in expressions()) {
        prop_assert_eq!(value(&written.to_string()), expected);
    }

    #[test]
    fn every_pointer_leads_into_the_properties((_, written) in expressions()) {
        let resolved = property(&written.to_string()).unwrap();
        for pointer in resolved.positions.keys() {
            prop_assert!(resolved.properties.pointer(pointer).is_some(), "{} is nowhere", pointer);
        }
    }

    #[test]
    fn any_text_is_read_or_refused_with_words(text in "\\PC{0,200}") {
        if let Err(problems) = resolve_all("test.yaml", &text, &[]) {
            prop_assert!(!problems.to_string().is_empty());
        }
    }

    #[test]
    fn any_text_as_a_value_is_read_or_refused_with_words(text in "(![A-Z][a-zA-Z]{1,8} |[\\[\\]{},:'\"$!&*|>-]|[a-zA-Z0-9. ]|\n        ){0,40}") {
        if let Err(problems) = property(&text) {
            prop_assert!(!problems.to_string().is_empty());
        }
    }
}
