//! `provision init`: writes provision.toml, from flags and from what the person answers. The key goes to SSM, never into it.

use std::path::Path;

use serde_json::json;

use super::{Run, opened, secret};
use crate::cli::{Global, Init};
use crate::config::{File, TEMPLATE, check_stack};
use crate::error::Failure;
use crate::interrupt;

pub(super) async fn run(run: &Run, global: &Global, flags: &Init) -> Result<(), Failure> {
    let path = &run.settings.config;
    if path.exists() && !flags.force {
        return Err(Failure::usage("this file is there already", path.display().to_string())
            .help("change it by hand, or write it anew: provision init --force"));
    }
    let file = interrupt::until(&run.interrupt, answers(run, global, flags)).await?;
    write(path, &file)?;
    run.ui.note(&format!("wrote {}", path.display()));
    let stored = key(run, &file).await?;
    let next = if stored { "provision up" } else { "provision secret set, then provision up" };
    let text = || format!("{} is written. Next: {next}", path.display());
    run.ui.result(text, &json!({ "config": path, "stack": file.stack, "key_stored": stored }))
}

/// What is not given by flag is asked for, where there is somebody to ask.
async fn answers(run: &Run, global: &Global, flags: &Init) -> Result<File, Failure> {
    let settings = &run.settings;
    let ask = run.ui.can_ask();
    let stack = match (&global.stack, ask) {
        (None, true) => run.ui.ask("Stack", &settings.stack).await?,
        _ => settings.stack.clone(),
    };
    check_stack(&stack)?;
    let region = match (&settings.region, ask) {
        (None, true) => some(run.ui.ask("AWS region", "us-east-1").await?),
        (region, true) if global.region.is_none() => {
            some(run.ui.ask("AWS region", region.as_deref().unwrap_or_default()).await?)
        }
        (region, _) => region.clone(),
    };
    let bucket = match (&flags.bucket, ask) {
        (None, true) => some(run.ui.ask("Existing bucket for the lake (empty: the template makes one)", "").await?),
        (bucket, _) => bucket.clone(),
    };
    Ok(File {
        stack: Some(stack),
        region,
        profile: global.profile.clone(),
        account: flags.account.clone(),
        template: global.template.clone().filter(|template| template != Path::new(TEMPLATE)),
        bucket,
        tmdb_url: global.tmdb_url.clone(),
        params: global.params.iter().map(|(key, value)| (key.clone(), value.clone().into())).collect(),
        ..File::default()
    })
}

fn write(path: &Path, file: &File) -> Result<(), Failure> {
    let unwritten = |error: String| {
        Failure::failed("cannot write the configuration", format!("{}: {error}", path.display()))
            .help("check the folder's rights, or name another place with --config")
    };
    let text = toml::to_string(file).map_err(|error| unwritten(error.to_string()))?;
    let partial = path.with_extension("toml.new");
    std::fs::write(&partial, text)
        .and_then(|()| std::fs::rename(&partial, path))
        .map_err(|error| unwritten(error.to_string()))
}

/// Stores the key where one is given: by TMDB_API_KEY, or by the person.
async fn key(run: &Run, file: &File) -> Result<bool, Failure> {
    let key = match secret::from_environment() {
        Some(_) => interrupt::until(&run.interrupt, secret::given(run)).await?,
        None if run.ui.can_ask() => {
            let asked = secret::ask(run, "TMDb key (not shown; empty: store it later)");
            match interrupt::until(&run.interrupt, asked).await? {
                Some(key) => key,
                None => return Ok(false),
            }
        }
        None => return Ok(false),
    };
    let mut run = run.clone();
    run.settings.stack = file.stack.clone().unwrap_or(run.settings.stack);
    run.settings.region = file.region.clone().or(run.settings.region);
    let aws = opened::connect(&run).await?;
    secret::store(&run, &aws, &key).await?;
    Ok(true)
}

fn some(answer: String) -> Option<String> {
    Some(answer).filter(|answer| !answer.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("provision.toml");
        let params = [("FunctionTimeout".to_owned(), "300".into())];
        let file =
            File { stack: Some("films".into()), bucket: Some("lake".into()), params: params.into(), ..File::default() };
        write(&path, &file).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(File::parse(&text, &path).unwrap(), file);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
