//! The same template, deployed by `aws cloudformation package` and `deploy`.

use super::stage::{Stage, words, workspace};

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
    ] {
        let output = stage.aws(&line);
        assert!(output.status.success(), "aws {line}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let plan = stage.user.run(words("plan --adopt --json")).succeeds().json();
    for change in plan["changes"].as_array().unwrap() {
        let paths =
            change["properties"].as_array().into_iter().flatten().map(|property| property["path"].as_str().unwrap());
        let others: Vec<_> = paths.filter(|path| !path.starts_with("Tags")).collect();
        assert_eq!(others, Vec::<&str>::new(), "{change}");
        assert!(["adopt", "none"].contains(&change["action"].as_str().unwrap()), "{change}");
    }
}
