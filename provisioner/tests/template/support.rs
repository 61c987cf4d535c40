//! What the template's tests share: a place to apply to, and resources that have made-up attributes.

use std::collections::BTreeMap;

use provisioner::template::{Attribute, Attributes, Diagnostics, Pseudo, Resolved, Template};
use serde_json::{Value, json};

/// A stack `demo` in a made-up account.
pub fn pseudo() -> Pseudo {
    Pseudo {
        account_id: "123456789012".into(),
        region: "eu-central-1".into(),
        partition: "aws".into(),
        stack_name: "demo".into(),
        url_suffix: "amazonaws.com".into(),
        guessed: vec![],
    }
}

/// Every resource has `Ref` and `Arn`, known at once, `Zones`, a list, and `Id`, known only after apply.
pub struct MadeUp;

impl Attributes for MadeUp {
    fn attribute(&self, logical_id: &str, name: &str) -> Attribute {
        match name {
            "Ref" => Attribute::Known(json!(format!("demo-{logical_id}"))),
            "Arn" => Attribute::Known(json!(format!("arn:made:up:{logical_id}"))),
            "Zones" => Attribute::Known(json!(["a", "b"])),
            "Id" => Attribute::AfterApply,
            _ => Attribute::NoSuch { known: vec!["Arn".into(), "Id".into(), "Zones".into()] },
        }
    }
}

pub fn given(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Every resource and output of a template resolved; else all problems in one go.
pub fn resolve_all(
    file: &str,
    text: &str,
    parameters: &[(&str, &str)],
) -> Result<BTreeMap<String, Resolved>, Diagnostics> {
    let template = Template::parse_draft(file, text)?;
    let bound = template.bind_draft(&given(parameters), &pseudo());
    let mut resolved = BTreeMap::new();
    let mut problems = bound.problems().to_vec();
    for resource in bound.resources() {
        let (one, found) = bound.resolve_draft(&resource.logical_id, &MadeUp);
        resolved.insert(resource.logical_id.clone(), one);
        problems.extend(found);
    }
    problems.extend(bound.outputs(&MadeUp).err().into_iter().flatten());
    match problems.is_empty() {
        true => Ok(resolved),
        false => Err(template.diagnostics(problems)),
    }
}

/// What a value becomes as the property `P` of a resource `Thing` in a template that has a resource, a parameter, a
/// condition and a mapping to refer to.
pub fn property(value: &str) -> Result<Resolved, Diagnostics> {
    let text = format!(
        "Parameters:\n  Word: {{Type: String, Default: hello}}\n  Many: {{Type: CommaDelimitedList, Default: 'x, y,z'}}\n  \
         Number: {{Type: Number, Default: 5}}\n  Secret: {{Type: String, Default: hush, NoEcho: true}}\n\
         Conditions:\n  Right: !Equals [!Ref Word, hello]\n  Wrong: !Not [!Condition Right]\n\
         Mappings:\n  Table: {{eu-central-1: {{Size: 7, Names: [a, b]}}}}\n\
         Resources:\n  Queue: {{Type: AWS::SQS::Queue}}\n  Thing:\n    Type: AWS::SNS::Topic\n    Properties:\n      P: {value}\n"
    );
    resolve_all("test.yaml", &text, &[]).map(|mut all| all.remove("Thing").unwrap_or_default())
}

/// The known value of such a property.
pub fn value(text: &str) -> Value {
    match property(text) {
        Ok(resolved) => resolved.properties["P"].clone(),
        Err(problems) => panic!("{text}: {problems}"),
    }
}

/// The first problem's message of such a property.
pub fn problem(text: &str) -> String {
    match property(text) {
        Ok(resolved) => panic!("{text} gives {}", resolved.properties),
        Err(problems) => problems.list()[0].message.clone(),
    }
}
