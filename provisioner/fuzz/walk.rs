//! The way that both targets send a text: all of the module, with everything that must hold of what it says.

use std::collections::BTreeMap;

use crate::template::{Attribute, Attributes, Diagnostics, Pseudo, Template};

struct MadeUp;

impl Attributes for MadeUp {
    fn attribute(&self, logical_id: &str, name: &str) -> Attribute {
        match name {
            "Ref" => Attribute::Known(logical_id.into()),
            "Arns" => Attribute::Known(vec![logical_id, name].into()),
            "Id" => Attribute::AfterApply,
            _ => Attribute::NoSuch { known: vec!["Arns".into(), "Id".into()] },
        }
    }
}

/// Reads, binds and resolves a text as a template.
pub fn walk(text: &str) {
    if let Err(problems) = resolve_all(text) {
        check(text, &problems);
    }
}

fn resolve_all(text: &str) -> Result<(), Diagnostics> {
    let pseudo = Pseudo {
        account_id: "123456789012".into(),
        region: "us-east-1".into(),
        partition: "aws".into(),
        stack_name: "demo".into(),
        url_suffix: "amazonaws.com".into(),
        guessed: vec![],
    };
    let template = Template::parse_draft("fuzz", text)?;
    let bound = template.bind_draft(&BTreeMap::new(), &pseudo);
    let mut problems = bound.problems().to_vec();
    for resource in bound.resources() {
        let (resolved, found) = bound.resolve_draft(&resource.logical_id, &MadeUp);
        problems.extend(found);
        for pointer in resolved.after_apply.keys() {
            assert!(resolved.properties.pointer(pointer).is_some_and(|value| value.is_null()));
        }
        for pointer in resolved.positions.keys() {
            assert!(resolved.properties.pointer(pointer).is_some(), "{pointer} is nowhere");
        }
    }
    problems.extend(bound.outputs(&MadeUp).err().into_iter().flatten());
    if problems.is_empty() { Ok(()) } else { Err(template.diagnostics(problems)) }
}

/// Problems are told, and every place is one of the text; an empty value at its end stands a line below.
fn check(text: &str, problems: &Diagnostics) {
    assert!(!problems.list().is_empty());
    assert!(!problems.to_string().is_empty());
    let lines = text.replace("\r\n", "\n").split(['\n', '\r']).count();
    for problem in problems.list() {
        if let Some(at) = problem.position {
            assert!((1..=lines + 1).contains(&at.line), "{problem:?}");
        }
    }
}
