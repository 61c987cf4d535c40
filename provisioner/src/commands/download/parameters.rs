//! How `download` asks and writes: by the names of the template's parameters, as `--param` and provision.toml give them.

use std::fmt::Display;
use std::str::FromStr;

use crawler_core::lake::layout::Layout;
use crawler_core::tmdb::FetchMode;

use crate::config::Settings;
use crate::error::Failure;

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
    /// A value that cannot be read.
    pub fn read(settings: &Settings) -> Result<Self, Failure> {
        let append = settings.parameter("Append").filter(|names| !names.is_empty());
        let parameters = Self {
            rate: parsed(settings, "TmdbRate", 35.0)?,
            connections: parsed(settings, "MaxConnections", 10)?,
            tmdb_url: settings.parameter("TmdbApiUrl").unwrap_or_else(|| settings.tmdb_url.clone()),
            fetch: parsed(settings, "Fetch", FetchMode::default())?,
            append: append
                .map(|names| names.split(',').map(|name| name.trim().to_owned()).collect())
                .unwrap_or_default(),
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

fn parsed<T: FromStr<Err: Display>>(settings: &Settings, name: &str, default: T) -> Result<T, Failure> {
    let Some(text) = settings.parameter(name) else {
        return Ok(default);
    };
    text.trim().parse().map_err(|error: T::Err| {
        Failure::usage(format!("{text:?} cannot be read: {error}"), format!("parameter {name}"))
            .help(format!("write another value with --param {name}=... or in provision.toml"))
    })
}
