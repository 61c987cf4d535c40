//! `provision package`: builds what the template's functions run, and says how large it is. Asks AWS nothing.

use serde_json::{Value, json};

use super::packager::folder;
use super::{Run, opened};
use crate::engine::Scope;
use crate::error::Failure;
use crate::interrupt;
use crate::package::{Function, Zip};
use crate::template::{Attribute, Attributes, Template};

pub(super) async fn run(run: &Run) -> Result<(), Failure> {
    let template = Template::draft(&run.settings.template)?;
    let functions = local_functions(run, &template)?;
    if functions.is_empty() {
        return Err(Failure::usage("there is nothing to package", run.settings.template.display().to_string())
            .help("name a template with a function whose `Code` is a path"));
    }
    let mut zips = Vec::new();
    for (logical_id, function) in functions {
        let busy = run.ui.busy(&format!("packaging {logical_id}"));
        let zip = interrupt::until(&run.interrupt, function.package(&busy.listener())).await?;
        zips.push((logical_id, function, zip));
    }
    let documents: Vec<_> = zips.iter().map(|(id, function, zip)| document(id, function, zip)).collect();
    let lines = || zips.iter().map(|(_, function, zip)| line(function, zip)).collect::<Vec<_>>().join("\n");
    run.ui.result(lines, &json!({ "packages": documents }))
}

/// The functions whose `Code` is a path. For which account they are does not change their bytes.
fn local_functions(run: &Run, template: &Template) -> Result<Vec<(String, Function)>, Failure> {
    let anywhere = Scope {
        stack: run.settings.stack.clone(),
        account: "0".repeat(12),
        region: run.settings.region.clone().unwrap_or_else(|| "us-east-1".into()),
        partition: "aws".into(),
    };
    let bound = opened::bind(template, run, &anywhere)?;
    let mut functions = Vec::new();
    for declared in bound.resources().filter(|declared| declared.type_name == "AWS::Lambda::Function") {
        let properties = bound.resolve(&declared.logical_id, &NothingMade)?.properties;
        if let Some(path) = properties.get("Code").and_then(Value::as_str) {
            let function = Function::new(&folder(&run.settings.template), path, &properties, &declared.metadata)?;
            functions.push((declared.logical_id.clone(), function));
        }
    }
    Ok(functions)
}

/// No resource is asked what it gives.
struct NothingMade;

impl Attributes for NothingMade {
    fn attribute(&self, _: &str, _: &str) -> Attribute {
        Attribute::AfterApply
    }
}

fn document(logical_id: &str, function: &Function, zip: &Zip) -> Value {
    json!({
        "logical_id": logical_id,
        "path": zip.path,
        "architecture": function.architecture.name(),
        "bytes": zip.bytes.len(),
        "unzipped_bytes": zip.unzipped,
        "sha256": zip.sha256_hex(),
        "code_sha256": zip.sha256_base64(),
    })
}

fn line(function: &Function, zip: &Zip) -> String {
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    format!(
        "{}: {:.2} MB ({:.2} MB unzipped), {}, sha256 {}",
        zip.path.display(),
        megabytes(zip.bytes.len() as u64),
        megabytes(zip.unzipped),
        function.architecture.name(),
        zip.sha256_hex()
    )
}
