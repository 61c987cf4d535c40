//! A function has one code: a path, a text, an image, or an object in S3. Of several, all but one would be dropped unseen.

use serde_json::Value;

use super::Findings;
use super::view::{FUNCTION, View, text};
use crate::engine::Resource;

const WAYS: &str = "give a path, ZipFile, ImageUri, or S3Bucket and S3Key";

pub(super) fn check(view: &View<'_>, findings: &mut Findings) {
    for function in view.of_type(FUNCTION) {
        if let Some((pointer, what, help)) = wrong(function) {
            findings.errors.push(view.stack.problem(function, pointer, what).help(help));
        }
    }
}

fn wrong(function: &Resource) -> Option<(&'static str, String, &'static str)> {
    let code = function.properties.get("Code").and_then(Value::as_object)?;
    let has = |name: &str| code.contains_key(name);
    let in_s3 = has("S3Bucket") || has("S3Key") || has("S3ObjectVersion");
    match [has("ZipFile"), has("ImageUri"), in_s3].into_iter().filter(|way| *way).count() {
        // A name that is misspelt is told by itself.
        0 if !code.is_empty() => None,
        0 => Some(("/Code", "Code names no code".into(), WAYS)),
        1 if in_s3 && !(has("S3Bucket") && has("S3Key")) => {
            Some(("/Code", "an object in S3 has a bucket and a key".into(), "give S3Bucket and S3Key together"))
        }
        1 => text(function, "/Runtime").filter(|runtime| has("ZipFile") && !takes_text(runtime)).map(|runtime| {
            let what = format!("ZipFile is for nodejs and python, and the Runtime is {runtime:?}");
            ("/Code/ZipFile", what, "give Code as a path")
        }),
        _ => Some(("/Code", "Code names more than one code".into(), WAYS)),
    }
}

fn takes_text(runtime: &str) -> bool {
    runtime.starts_with("nodejs") || runtime.starts_with("python")
}
