//! The same template, deployed by `aws cloudformation package` and `deploy`.

use serde_json::Value;
use testkit::fault_proxy::Rule;

use super::stage::{LAKE, Stage, words, workspace};

const LIFECYCLE: &str = r#"{"Rules":[{"ID":"abort-unfinished-uploads","Status":"Enabled","Filter":{"Prefix":""},"AbortIncompleteMultipartUpload":{"DaysAfterInitiation":1}}]}"#;

#[test]
fn after_cloudformation_there_is_nothing_to_change_but_tags() {
    let stage = Stage::new();
    let packaged = stage.user.folder().join("packaged.yaml");
    let template = workspace().join("templates/crawler.yaml");
    for line in [
        "s3 mb s3://artifacts".to_owned(),
        format!(
            "cloudformation package --template-file {} --s3-bucket artifacts --output-template-file {}",
            template.display(),
            packaged.display()
        ),
        format!(
            "cloudformation deploy --template-file {} --stack-name films --capabilities CAPABILITY_NAMED_IAM --parameter-overrides TmdbApiUrl={}",
            packaged.display(),
            stage.tmdb.url()
        ),
        // The emulator's CloudFormation leaves this property of a bucket out.
        format!("s3api put-bucket-lifecycle-configuration --bucket {LAKE} --lifecycle-configuration {LIFECYCLE}"),
    ] {
        let output = stage.aws(&line);
        assert!(output.status.success(), "aws {line}: {}", String::from_utf8_lossy(&output.stderr));
    }
    // The emulator's CloudFormation hands parameters on as text where Lambda's answers have numbers.
    stage.proxy.rule(Rule::on("lambda", "*").rewrite(numbers));
    let planned = stage.user.run(words("plan --adopt --json")).succeeds();
    let told = planned.to_string();
    assert!(
        told.contains("belong to the CloudFormation stack films") && told.contains("DeletionPolicy: Retain"),
        "{told}"
    );
    let plan = planned.json();
    let changes = plan["changes"].as_array().unwrap();
    let paths = |change: &Value| -> Vec<String> {
        let paths = change["properties"].as_array().into_iter().flatten().filter(|property| !same_queue(property));
        let paths = paths.map(|property| format!("{}.{}", change["logical_id"], property["path"].as_str().unwrap()));
        paths.filter(|path| !path.contains(".Tags.")).collect()
    };
    let others: Vec<_> = changes.iter().flat_map(paths).collect();
    assert_eq!(others, Vec::<String>::new(), "{plan}");
    for change in changes {
        assert!(["adopt", "none"].contains(&change["action"].as_str().unwrap()), "{change}");
    }
}

/// The emulator names a queue by its own address, we by the proxy's: where the rest is the same, so is the queue.
fn same_queue(property: &Value) -> bool {
    let queue = |side: &str| {
        let (_, path) = property[side].as_str()?.strip_prefix("http://")?.split_once('/')?;
        Some(path.to_owned())
    };
    queue("before").is_some_and(|before| Some(before) == queue("after"))
}

fn numbers(answer: &mut Value) {
    match answer {
        Value::Array(items) => items.iter_mut().for_each(numbers),
        Value::Object(fields) => {
            for (name, value) in fields {
                let number = value.as_str().and_then(|text| text.parse::<u64>().ok());
                match number
                    .filter(|_| ["BatchSize", "MaximumConcurrency", "MemorySize", "Timeout"].contains(&name.as_str()))
                {
                    Some(number) => *value = number.into(),
                    None => numbers(value),
                }
            }
        }
        _ => {}
    }
}
