//! `provision secret`: TMDb's key, kept as an SSM SecureString of the stack. It is never shown, and in no template.

use std::collections::BTreeMap;

use aws_sdk_ssm::types::{ParameterType, ResourceTypeForTagging, Tag};
use crawler_core::Secret;
use crawler_core::tmdb::{Changes, Client, Settings, TmdbError};
use jiff::civil::Date;
use serde_json::json;

use super::{Run, opened};
use crate::aws::Aws;
use crate::engine::{ProviderError, tag};
use crate::error::Failure;
use crate::interrupt;
use crate::providers::failed;

/// The key's place in the process's environment.
pub(super) const VARIABLE: &str = "TMDB_API_KEY";
/// What SSM keeps in a standard parameter, in bytes (E56).
const LARGEST: usize = 4096;

pub(super) async fn set(run: &Run) -> Result<(), Failure> {
    let aws = opened::connect(run).await?;
    let key = interrupt::until(&run.interrupt, given(run)).await?;
    store(run, &aws, &key).await?;
    let name = run.settings.key_parameter();
    let text =
        || format!("The key is stored as SecureString {name}; `provision secret check` asks TMDb whether it is valid.");
    run.ui.result(text, &json!({ "parameter": name, "stored": true }))
}

pub(super) async fn check(run: &Run) -> Result<(), Failure> {
    let whence = interrupt::until(&run.interrupt, validity(run)).await?;
    let text = || format!("The key in {whence} is valid at {}.", run.settings.tmdb_url);
    run.ui.result(text, &json!({ "key": whence, "valid": true }))
}

/// Asks TMDb whether the key is valid, and tells where it was found.
///
/// # Errors
/// No key, one that TMDb refuses, or no answer.
pub(super) async fn validity(run: &Run) -> Result<String, Failure> {
    let (key, whence) = found(run).await?;
    let asked = async { client(run, key, 1.0)?.check_key().await };
    asked.await.map_err(|error| told(&error, &whence))?;
    Ok(whence)
}

/// What changed at TMDb lately, asked with TMDB_API_KEY or the stored key, so many requests a second.
///
/// # Errors
/// No key, one that TMDb refuses, or no answer.
pub(super) async fn changes(run: &Run, today: Date, rate: f64) -> Result<Changes, Failure> {
    let (key, whence) = found(run).await?;
    let asked = async { client(run, key, rate)?.changes(today).await };
    asked.await.map_err(|error| told(&error, &whence))
}

/// TMDB_API_KEY, else the stored key, and where it was found.
async fn found(run: &Run) -> Result<(Secret, String), Failure> {
    Ok(match from_environment() {
        Some(key) => (key, VARIABLE.to_owned()),
        None => (stored(run, &opened::connect(run).await?).await?, run.settings.key_parameter()),
    })
}

fn client(run: &Run, key: Secret, requests_per_second: f64) -> Result<Client, TmdbError> {
    let base_url = run.settings.tmdb_url.clone();
    Client::new(Settings { base_url, key, requests_per_second, connections: 1, append: Vec::new() })
}

/// Stores the key; the parameter carries the stack's tags, so that `down` finds it.
///
/// # Errors
/// A parameter of that name that is not the stack's, or a failed call.
pub(super) async fn store(run: &Run, aws: &Aws, key: &Secret) -> Result<(), Failure> {
    let name = run.settings.key_parameter();
    let ssm = aws_sdk_ssm::Client::new(&aws.config);
    let told = |error| Failure::aws(name.clone(), error);
    let request = ssm.put_parameter().name(&name).value(key.reveal()).r#type(ParameterType::SecureString);
    let new = request.clone().description("TMDb's key for the crawler").set_tags(Some(tags(aws).map_err(told)?));
    match new.overwrite(false).send().await.map_err(failed("ssm:PutParameter")) {
        Err(error) if error.is("ParameterAlreadyExists") => {}
        made => return made.map(drop).map_err(told),
    }
    if !aws.scope.owns(&tags_of(&ssm, &name).await.map_err(told)?) {
        return Err(Failure::NotOurs(vec![("TmdbApiKey".into(), name)]));
    }
    // SSM takes no tags together with overwrite (E56); they are there already.
    request.overwrite(true).send().await.map(drop).map_err(|error| told(failed("ssm:PutParameter")(error)))
}

/// The stack's own tags, and the one that keeps `up` from pruning it.
fn tags(aws: &Aws) -> Result<Vec<Tag>, ProviderError> {
    let mut tags = aws.scope.ownership_tags("TmdbApiKey", "Delete");
    tags.insert(tag::KIND.into(), "secret".into());
    let built = tags.into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
    built.collect::<Result<_, _>>().map_err(|error| ProviderError::refused(error.to_string(), "choose another --stack"))
}

async fn tags_of(ssm: &aws_sdk_ssm::Client, name: &str) -> Result<BTreeMap<String, String>, ProviderError> {
    let listing = ssm.list_tags_for_resource().resource_type(ResourceTypeForTagging::Parameter).resource_id(name);
    let listed = listing.send().await.map_err(failed("ssm:ListTagsForResource"))?;
    Ok(listed.tag_list().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect())
}

async fn stored(run: &Run, aws: &Aws) -> Result<Secret, Failure> {
    let name = run.settings.key_parameter();
    let ssm = aws_sdk_ssm::Client::new(&aws.config);
    let got = ssm.get_parameter().name(&name).with_decryption(true).send().await.map_err(failed("ssm:GetParameter"));
    match got {
        Ok(got) => Ok(Secret::new(got.parameter().and_then(|parameter| parameter.value()).unwrap_or_default())),
        Err(error) if error.is("ParameterNotFound") => {
            Err(Failure::failed("no key is stored", name).help("store it: provision secret set"))
        }
        Err(error) => Err(Failure::aws(name, error)),
    }
}

/// TMDB_API_KEY, else the person, else standard input.
///
/// # Errors
/// No key, or none that TMDb could have given.
pub(super) async fn given(run: &Run) -> Result<Secret, Failure> {
    let key = match from_environment() {
        Some(key) => key,
        None if run.ui.can_ask() => ask(run, "TMDb key (not shown)").await?.unwrap_or_else(|| Secret::new("")),
        None => Secret::new(&run.ui.standard_input().await?),
    };
    fits(&key)?;
    Ok(key)
}

/// The person's key, if they type one.
///
/// # Errors
/// None that TMDb could have given.
pub(super) async fn ask(run: &Run, question: &str) -> Result<Option<Secret>, Failure> {
    let key = Secret::new(&run.ui.ask_secret(question).await?);
    if key.is_empty() {
        return Ok(None);
    }
    fits(&key)?;
    Ok(Some(key))
}

/// The key in TMDB_API_KEY, where it is set.
pub(super) fn from_environment() -> Option<Secret> {
    std::env::var(VARIABLE).ok().map(|text| Secret::new(&text)).filter(|key| !key.is_empty())
}

fn fits(key: &Secret) -> Result<(), Failure> {
    let text = key.reveal();
    let wrong = |what: &str| {
        Err(Failure::usage(what, "TMDb key").help("copy it from https://www.themoviedb.org/settings/api and try again"))
    };
    match () {
        () if text.is_empty() => wrong("the key is empty"),
        () if text.contains(char::is_whitespace) => wrong("the key has blanks in it"),
        () if text.contains("{{") => wrong("the key has `{{` in it, which SSM does not take"),
        () if text.len() > LARGEST => wrong("the key is longer than SSM takes"),
        () if text.len() != 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            wrong("a v3 key has 32 hexadecimal digits, and this has another number of them")
        }
        () => Ok(()),
    }
}

/// A key that TMDb refuses, or that could not be tried.
pub(super) fn told(error: &TmdbError, whence: &str) -> Failure {
    let what = match error {
        // What is to be done hangs on where the key is from.
        TmdbError::Unauthorized { status, message } => format!("TMDb refuses the key ({status}: {message})"),
        error => error.to_string(),
    };
    let help = match error {
        TmdbError::Unauthorized { .. } if whence == VARIABLE => "set TMDB_API_KEY to a valid one",
        TmdbError::Unauthorized { .. } => "store a valid one: provision secret set",
        _ => "check the network and --tmdb-url, then run the command again",
    };
    Failure::failed(what, format!("the key in {whence}")).help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e56_what_ssm_would_not_take_is_refused_without_showing_it() {
        for text in ["", "two words", "{{resolve}}", &"x".repeat(4097), "0123456789abcdef"] {
            let told = fits(&Secret::new(text)).unwrap_err().to_string();
            assert!(text.is_empty() || !told.contains(text), "{told}");
        }
        assert!(fits(&Secret::new("0123456789abcdef0123456789abcdef\n")).is_ok());
    }
}
