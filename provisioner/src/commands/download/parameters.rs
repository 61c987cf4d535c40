//! How `download` asks and writes: by the names of the template's parameters, as `--param` and provision.toml give them.

use std::fmt::Display;
use std::str::FromStr;

use crawler_core::lake::layout::Layout;
use crawler_core::tmdb::{self, FetchMode};

use crate::config::Settings;
use crate::error::Failure;
use crate::template::nearest;

/// The parameters that a download goes by.
const OWN: [&str; 6] = ["TmdbRate", "MaxConnections", "TmdbApiUrl", "Fetch", "Append", "LakeLayout"];
/// The crawler's others, which only a stack has.
const OF_A_STACK: [&str; 9] = [
    "LakeBucketName",
    "FunctionTimeout",
    "FunctionMemorySize",
    "Architecture",
    "LogRetentionInDays",
    "LogLevel",
    "MaximumConcurrency",
    "MaxReceiveCount",
    "MessageRetentionPeriod",
];

/// What the template's parameters of these names say; its defaults, where nothing is said.
#[derive(Debug, PartialEq)]
pub(super) struct Parameters {
    /// Requests a second to TMDb.
    pub rate: f64,
    /// Connections to TMDb.
    pub connections: usize,
    pub tmdb_url: String,
    pub fetch: FetchMode,
    pub append: Vec<String>,
    pub layout: Layout,
}

impl Parameters {
    /// # Errors
    /// A name on the command line that is no parameter of a crawl; a value that cannot be read.
    pub fn read(settings: &Settings) -> Result<Self, Failure> {
        settings.typed.iter().try_for_each(|name| is_known(name))?;
        let parameters = Self {
            rate: parsed(settings, "TmdbRate", tmdb::RATE)?,
            connections: parsed(settings, "MaxConnections", tmdb::MOST_CONNECTIONS)?,
            tmdb_url: settings.tmdb_url.clone(),
            fetch: parsed(settings, "Fetch", FetchMode::default())?,
            append: tmdb::appended(&settings.parameter("Append").unwrap_or_default()),
            layout: parsed(settings, "LakeLayout", Layout::default())?,
        };
        if !(parameters.rate.is_finite() && parameters.rate > 0.0) {
            let what = format!("at a rate of {} no film would be done", parameters.rate);
            return Err(Failure::usage(what, "TmdbRate").help("write requests a second: --param TmdbRate=35"));
        }
        Ok(parameters)
    }

    /// Whether anything is appended to each film.
    pub fn appends(&self) -> bool {
        self.fetch == FetchMode::Details && !self.append.is_empty()
    }
}

/// What is typed is meant; `[params]` may hold another template's.
fn is_known(name: &str) -> Result<(), Failure> {
    let known = OWN.into_iter().chain(OF_A_STACK);
    if known.clone().any(|known| known == name) {
        return Ok(());
    }
    let help = match nearest(name, known) {
        Some(near) => format!("did you mean {near}? download goes by {}", OWN.join(", ")),
        None => format!("download goes by {}", OWN.join(", ")),
    };
    Err(Failure::usage(format!("a crawl has no parameter {name}"), format!("--param {name}=...")).help(help))
}

fn parsed<T: FromStr<Err: Display>>(settings: &Settings, name: &str, default: T) -> Result<T, Failure> {
    let Some(text) = settings.parameter(name) else {
        return Ok(default);
    };
    text.trim().parse().map_err(|error: T::Err| {
        Failure::usage(format!("{text:?} cannot be read: {error}"), format!("parameter {name}"))
            .help(format!("write another value with --param {name}=... or in provision.toml"))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::template::Template;

    #[test]
    fn the_crawlers_parameters_and_no_others_are_known() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../templates/crawler.yaml");
        let template = Template::draft(&path).unwrap();
        let declared: BTreeSet<_> = template.parameters().keys().map(String::as_str).collect();
        assert_eq!(declared, OWN.into_iter().chain(OF_A_STACK).collect());
        let default =
            |name: &str| template.parameters()[name].default.as_ref().and_then(|text| text.parse::<f64>().ok());
        let names = ["TmdbRate", "MaximumConcurrency", "MaxConnections"];
        let unsaid = [tmdb::RATE, tmdb::FLEET, tmdb::MOST_CONNECTIONS as f64].map(Some);
        assert_eq!(names.map(default), unsaid, "what the template sets and what goes where nothing is set");
        let told = is_known("TmdbRat").unwrap_err().to_string();
        assert!(told.contains("no parameter TmdbRat") && told.contains("did you mean TmdbRate?"), "{told}");
        assert!(is_known("Unheard").is_err() && is_known("LogLevel").is_ok());
    }
}
