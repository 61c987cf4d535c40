//! The function's environment, as templates/crawler.yaml sets it; read once.

use std::str::FromStr;

use crawler_core::{
    lake::layout::Layout,
    tmdb::{self, FetchMode},
};
use tracing::Level;

/// What the function is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The lake's bucket.
    pub bucket: String,
    /// Where TMDb's API is.
    pub tmdb_url: String,
    /// The SSM parameter that holds TMDb's key.
    pub key_parameter: String,
    /// This function's share of the fleet's requests a second.
    pub share: f64,
    /// Connections to TMDb that this function may hold.
    pub connections: usize,
    /// How TMDb is asked.
    pub fetch: FetchMode,
    /// What `details` appends to a film beside its reviews.
    pub append: Vec<String>,
    /// How films and reviews are laid out.
    pub layout: Layout,
    /// The queue that jobs come from.
    pub jobs_queue: String,
    /// The queue of what cannot be done.
    pub dead_letter_queue: String,
    /// The function's own name.
    pub function: String,
    /// How much is logged.
    pub log_level: Level,
}

/// The environment is not as the template sets it.
#[derive(Debug, thiserror::Error, PartialEq)]
#[error("the function's environment variable {name} {problem}; deploy the template anew with `provision up`")]
pub struct BadSettings {
    name: &'static str,
    problem: String,
}

impl Settings {
    /// Reads the environment through `get`.
    pub fn from_env(get: impl Fn(&str) -> Option<String>) -> Result<Self, BadSettings> {
        let present = |name: &'static str| get(name).filter(|value| !value.is_empty());
        let text =
            |name: &'static str| present(name).ok_or_else(|| BadSettings { name, problem: "is not set".to_owned() });
        let rate: f64 = parsed("TMDB_RATE", present("TMDB_RATE"), tmdb::RATE)?;
        let fleet: f64 = parsed("FLEET_SIZE", present("FLEET_SIZE"), tmdb::FLEET)?;
        Ok(Self {
            bucket: text("LAKE_BUCKET")?,
            tmdb_url: present("TMDB_API_URL").unwrap_or_else(|| tmdb::API.to_owned()),
            key_parameter: text("TMDB_API_KEY_PARAMETER")?,
            share: rate / fleet.max(1.0),
            connections: parsed("MAX_CONNECTIONS", present("MAX_CONNECTIONS"), tmdb::MOST_CONNECTIONS)?,
            fetch: parsed("FETCH", present("FETCH"), FetchMode::default())?,
            append: tmdb::appended(&present("APPEND").unwrap_or_default()),
            layout: parsed("LAKE_LAYOUT", present("LAKE_LAYOUT"), Layout::default())?,
            jobs_queue: text("JOBS_QUEUE_URL")?,
            dead_letter_queue: text("DEAD_LETTER_QUEUE_URL")?,
            function: text("AWS_LAMBDA_FUNCTION_NAME")?,
            log_level: parsed("RUST_LOG", present("RUST_LOG"), Level::INFO)?,
        })
    }
}

fn parsed<T: FromStr>(name: &'static str, value: Option<String>, default: T) -> Result<T, BadSettings> {
    match value {
        None => Ok(default),
        Some(value) => {
            value.parse().map_err(|_| BadSettings { name, problem: format!("is {value:?}, which cannot be read") })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(name: &str) -> Option<String> {
        let value = match name {
            "LAKE_BUCKET" => "lake",
            "TMDB_API_KEY_PARAMETER" => "/provision/crawler/tmdb-api-key",
            "JOBS_QUEUE_URL" => "https://sqs/jobs",
            "DEAD_LETTER_QUEUE_URL" => "https://sqs/dead",
            "AWS_LAMBDA_FUNCTION_NAME" => "crawler",
            "TMDB_RATE" => "40",
            "FLEET_SIZE" => "5",
            _ => return None,
        };
        Some(value.to_owned())
    }

    #[test]
    fn each_function_has_its_share_of_the_rate() {
        let settings = Settings::from_env(env).unwrap();
        assert_eq!((settings.share, settings.connections, settings.fetch), (8.0, 10, FetchMode::Find));
    }

    /// What the template of the first version sets. A setting that came later must not be missed: an update of the function that
    /// was cut off, or a template of one's own, may not set it.
    const FIRST: [&str; 5] = [
        "LAKE_BUCKET",
        "TMDB_API_KEY_PARAMETER",
        "JOBS_QUEUE_URL",
        "DEAD_LETTER_QUEUE_URL",
        "AWS_LAMBDA_FUNCTION_NAME",
    ];

    #[test]
    fn e17_a_setting_that_is_new_has_a_default_and_one_that_is_gone_is_no_error() {
        let first = |name: &str| FIRST.contains(&name).then(|| env(name).unwrap());
        let settings = Settings::from_env(first).unwrap();
        assert_eq!((settings.share, settings.connections, settings.append.len()), (35.0 / 8.0, 10, 0));
        let later = |name: &str| (name == "SETTING_OF_ANOTHER_VERSION").then(|| "x".to_owned()).or_else(|| first(name));
        assert_eq!(Settings::from_env(later), Ok(settings));
    }

    #[test]
    fn what_is_missing_or_unreadable_is_named() {
        let error = Settings::from_env(|_| None).unwrap_err();
        assert!(error.to_string().contains("LAKE_BUCKET is not set"), "{error}");
        let bad = |name: &str| if name == "TMDB_RATE" { Some("fast".into()) } else { env(name) };
        let error = Settings::from_env(bad).unwrap_err();
        assert!(error.to_string().contains("TMDB_RATE is \"fast\""), "{error}");
    }
}
