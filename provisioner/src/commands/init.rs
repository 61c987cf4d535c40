//! `provision init`: writes provision.toml, from flags and from what the person answers. The key goes to SSM, never into it.

use std::net::Ipv4Addr;
use std::path::{Component, Path, PathBuf};

use serde_json::json;

use super::{Run, opened, secret};
use crate::aws;
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
    warn(run, global, &file).await?;
    let unstored = |cause| Failure::KeyNotStored { config: path.clone(), cause: Box::new(cause) };
    let stored = key(run, &file).await.map_err(unstored)?;
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
    bucket.as_deref().map_or(Ok(()), check_bucket)?;
    flags.account.as_deref().map_or(Ok(()), check_account)?;
    let template = global.template.as_deref().filter(|template| *template != Path::new(TEMPLATE));
    Ok(File {
        stack: Some(stack),
        region,
        profile: global.profile.clone(),
        account: flags.account.clone(),
        template: template.map(|template| beside(&settings.config, template)),
        bucket,
        tmdb_url: global.tmdb_url.clone(),
        params: global.params.iter().map(|(key, value)| (key.clone(), value.clone().into())).collect(),
        ..File::default()
    })
}

/// What the next command would stumble over.
async fn warn(run: &Run, global: &Global, file: &File) -> Result<(), Failure> {
    let template = global.template.as_deref().unwrap_or(Path::new(TEMPLATE));
    if !template.is_file() {
        let what = format!("there is no {} here", template.display());
        run.ui.warn(&format!("{what}: run provision where it is, or write `template =` into the configuration"));
    }
    let settings = async { Ok::<_, Failure>(aws::configuration(&run.settings).await) };
    if file.region.is_none() && interrupt::until(&run.interrupt, settings).await?.region().is_none() {
        run.ui.warn("no region is set: give --region, set AWS_REGION, or write `region =` into the configuration");
    }
    Ok(())
}

/// A template's path as the file at `config` names it: from that file's folder on.
fn beside(config: &Path, template: &Path) -> PathBuf {
    let folder = config.parent().filter(|folder| !folder.as_os_str().is_empty());
    match folder.filter(|_| template.is_relative()) {
        None => template.to_owned(),
        Some(folder) => {
            from(folder, template).or_else(|| std::path::absolute(template).ok()).unwrap_or_else(|| template.to_owned())
        }
    }
}

/// The way from one folder to a file; none where they cannot be found.
fn from(folder: &Path, file: &Path) -> Option<PathBuf> {
    let whole = std::path::absolute(file).ok()?;
    let file = whole.parent()?.canonicalize().ok()?.join(whole.file_name()?);
    let folder = folder.canonicalize().ok()?;
    let shared = folder.components().zip(file.components()).take_while(|(one, other)| one == other).count();
    let up = folder.components().skip(shared).map(|_| Component::ParentDir);
    Some(up.chain(file.components().skip(shared)).collect())
}

fn check_account(id: &str) -> Result<(), Failure> {
    if id.len() == 12 && id.chars().all(|each| each.is_ascii_digit()) {
        return Ok(());
    }
    Err(Failure::usage("this is no AWS account", format!("--account {id}"))
        .help("write its twelve digits: aws sts get-caller-identity tells them"))
}

/// Checks a bucket's name as S3 does.
fn check_bucket(name: &str) -> Result<(), Failure> {
    let is_plain = |each: char| each.is_ascii_lowercase() || each.is_ascii_digit();
    let fits = (3..=63).contains(&name.len())
        && name.chars().all(|each| is_plain(each) || "-.".contains(each))
        && name.starts_with(is_plain)
        && name.ends_with(is_plain)
        && !name.contains("..")
        && name.parse::<Ipv4Addr>().is_err();
    if fits {
        return Ok(());
    }
    Err(Failure::usage("this is no name for a bucket", format!("`{name}`"))
        .help("name an existing bucket, without s3://: 3 to 63 lower-case letters, digits, dots and hyphens"))
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

    #[test]
    fn e5_a_bucket_or_an_account_that_cannot_be_is_refused() {
        for name in ["", "ab", "My-lake", "my_lake", "-lake", "lake-", "a..b", "10.0.0.1", "s3://lake", &"x".repeat(64)]
        {
            assert!(check_bucket(name).is_err(), "{name}");
        }
        assert!(check_bucket("our-lake.2").is_ok());
        for id in ["", "12345", "1234567890123", "12345678901a"] {
            assert!(check_account(id).is_err(), "{id}");
        }
        assert!(check_account("123456789012").is_ok());
    }

    #[test]
    fn a_template_is_named_from_the_folder_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("etc/films")).unwrap();
        std::fs::create_dir(folder.path().join("templates")).unwrap();
        let way = from(&folder.path().join("etc/films"), &folder.path().join("templates/x.yaml")).unwrap();
        assert_eq!(way, Path::new("../../templates/x.yaml"));
        assert_eq!(beside(Path::new("provision.toml"), Path::new("a/x.yaml")), Path::new("a/x.yaml"));
        assert_eq!(beside(Path::new("etc/provision.toml"), Path::new("/x.yaml")), Path::new("/x.yaml"));
    }
}
