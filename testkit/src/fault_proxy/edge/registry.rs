//! CloudFormation's registry, which the emulator does not have: schemas of types as cfn-lint ships them.

use std::{
    io,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::super::{
    forward::{Answer, Passing},
    refusal::Refusal,
};
use crate::emulator::tool;

/// The answer to a question for a type's schema; none for any other call.
pub(super) fn answer(passing: &Passing) -> Option<Result<Answer, Refusal>> {
    if passing.operation.name != "DescribeType" {
        return None;
    }
    let mut form = url::form_urlencoded::parse(&passing.body);
    let type_name = form.find(|(name, _)| name == "TypeName").map(|(_, value)| value.into_owned()).unwrap_or_default();
    Some(match schema(&type_name) {
        Ok(Some(schema)) => Ok(described(&schema)),
        Ok(None) => Err(Refusal::new(404, "TypeNotFoundException", format!("The type '{type_name}' cannot be found."))),
        Err(error) => Err(Refusal::new(500, "CFNRegistryException", error.to_string())),
    })
}

fn described(schema: &str) -> Answer {
    let escaped = schema.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let space = "http://cloudformation.amazonaws.com/doc/2010-05-15/";
    let result = format!("<DescribeTypeResult><Schema>{escaped}</Schema></DescribeTypeResult>");
    let body = format!("<DescribeTypeResponse xmlns=\"{space}\">{result}</DescribeTypeResponse>");
    Answer::good(body)
}

fn schema(type_name: &str) -> io::Result<Option<String>> {
    let shipped = shipped()?;
    let index: Value = serde_json::from_slice(&std::fs::read(shipped.join("providers/us-east-1.json"))?)?;
    let Some(id) = index[type_name].as_str() else { return Ok(None) };
    std::fs::read_to_string(shipped.join("resources").join(format!("{id}.json"))).map(Some)
}

/// `lib/python3.x/site-packages/cfnlint/data/schemas` beside the `bin` that has cfn-lint.
fn shipped() -> io::Result<PathBuf> {
    let program = tool("cfn-lint");
    let missing = || io::Error::other(format!("{} has no schemas beside it", program.display()));
    let library = program.parent().and_then(Path::parent).map(|root| root.join("lib")).ok_or_else(missing)?;
    let versions = std::fs::read_dir(library)?.flatten();
    let mut folders = versions.map(|version| version.path().join("site-packages/cfnlint/data/schemas"));
    folders.find(|folder| folder.is_dir()).ok_or_else(missing)
}
