//! provision.toml: its keys, and where one is wrong.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crawler_core::compact::Format;
use crawler_core::lake::layout::Layout;
use crawler_core::tmdb::FetchMode;
use toml::de::{DeTable, DeValue};

use crate::cli::Adult;
use crate::error::Failure;
use crate::template::nearest;

/// provision.toml, as it is written. All keys are optional; an unknown one is an error.
#[derive(Clone, Debug, Default, PartialEq, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// The stack's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stack: Option<String>,
    /// The AWS region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The AWS profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The one AWS account to work in: twelve digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The template, relative to this file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<PathBuf>,
    /// An existing bucket to use as the lake: the template's parameter LakeBucketName.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bucket: Option<String>,
    /// Where TMDb answers: the template's parameter TmdbApiUrl.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tmdb_url: Option<String>,
    /// Requests a second to TMDb, of the whole fleet: the template's parameter TmdbRate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<u32>,
    /// Where the titles come from: a file, a URL or s3://.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub titles_source: Option<String>,
    /// IMDb's title types that count as films.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title_types: Option<Vec<String>>,
    /// Whether adult films are crawled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adult: Option<Adult>,
    /// How TMDb is asked, `find` or `details`: the template's parameter Fetch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fetch: Option<FetchMode>,
    /// What `details` appends to a film beside its reviews: the template's parameter Append.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub append: Option<Vec<String>>,
    /// How films and reviews are laid out, `ndjson` or `objects`: the template's parameter LakeLayout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layout: Option<Layout>,
    /// What `compact` writes, `ndjson` or `parquet`; set, `run` compacts at its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// Values of template parameters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, toml::Value>,
}

const KEYS: [&str; 16] = [
    "stack",
    "region",
    "profile",
    "account",
    "template",
    "bucket",
    "tmdb_url",
    "rate",
    "titles_source",
    "title_types",
    "adult",
    "fetch",
    "append",
    "layout",
    "format",
    "params",
];

impl File {
    /// Reads the file at `path`; without one that is named, a missing file is an empty one.
    ///
    /// # Errors
    /// A file that is named and missing, or wrong.
    pub(super) fn read(path: &Path, is_named: bool) -> Result<Self, Failure> {
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&text, path),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !is_named => Ok(Self::default()),
            Err(error) => Err(Failure::usage("cannot read the configuration", format!("{}: {error}", path.display()))
                .help("name an existing file with --config, or write one with `provision init`")),
        }
    }

    /// Reads `text`, which stands at `path`.
    ///
    /// # Errors
    /// [`Failure::Config`] with line and column: no TOML, an unknown key, a value of the wrong kind.
    pub fn parse(text: &str, path: &Path) -> Result<Self, Failure> {
        let wrong = |span: Option<std::ops::Range<usize>>, what: String, help: String| {
            let (line, column) = position(text, span.map_or(0, |span| span.start));
            Failure::Config { path: path.to_owned(), line, column, what, help }
        };
        let table = DeTable::parse(text).map_err(|error| {
            wrong(error.span(), error.message().to_owned(), "write it as TOML: key = \"value\"".into())
        })?;
        if let Some((key, _)) = table.get_ref().iter().find(|(key, _)| !KEYS.contains(&key.get_ref().as_ref())) {
            let help = match nearest(key.get_ref(), KEYS) {
                Some(name) => format!("did you mean `{name}`? parameters of the template go into the table [params]"),
                None => format!("the keys are {}", KEYS.join(", ")),
            };
            return Err(wrong(Some(key.span()), format!("unknown key `{}`", key.get_ref()), help));
        }
        if let Some(DeValue::Table(params)) = table.get_ref().get("params").map(|value| value.get_ref())
            && let Some((key, value)) = params.iter().find(|(_, value)| parameter_of_de(value.get_ref()).is_none())
        {
            let what = format!("params.{} is no plain value", key.get_ref());
            return Err(wrong(
                Some(value.span()),
                what,
                "write a text, a number, true, false, or a list of these".into(),
            ));
        }
        toml::from_str(text).map_err(|error: toml::de::Error| {
            wrong(error.span(), error.message().to_owned(), "docs/configuration.md has an example of every key".into())
        })
    }
}

/// A parameter's value in CloudFormation's own writing: lists are joined by commas.
pub(super) fn parameter_of(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::Boolean(truth) => Some(truth.to_string()),
        toml::Value::Array(items) => Some(items.iter().map(parameter_of).collect::<Option<Vec<_>>>()?.join(",")),
        toml::Value::Datetime(_) | toml::Value::Table(_) => None,
    }
}

fn parameter_of_de(value: &DeValue<'_>) -> Option<()> {
    match value {
        DeValue::Array(items) => items.iter().all(|item| parameter_of_de(item.get_ref()).is_some()).then_some(()),
        DeValue::Datetime(_) | DeValue::Table(_) => None,
        _ => Some(()),
    }
}

/// Line and column, both from 1, of a byte.
fn position(text: &str, byte: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(byte)];
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (before.matches('\n').count() + 1, column)
}

#[cfg(test)]
mod tests {
    use super::super::FILE;
    use super::*;

    fn told(text: &str) -> String {
        File::parse(text, Path::new(FILE)).unwrap_err().to_string()
    }

    #[test]
    fn the_page_about_the_file_has_every_key() {
        let page = include_str!("../../../docs/configuration.md");
        let example = page.split("```").nth(1).and_then(|block| block.strip_prefix("toml")).unwrap();
        File::parse(example, Path::new(FILE)).unwrap();
        let shown: toml::Table = toml::from_str(example).unwrap();
        let (mut shown, mut keys): (Vec<_>, Vec<_>) = (shown.keys().map(String::as_str).collect(), KEYS.to_vec());
        shown.sort_unstable();
        keys.sort_unstable();
        assert_eq!(shown, keys);
    }

    #[test]
    fn an_unknown_key_is_told_with_its_place_and_the_nearest_name() {
        let told = told("stack = \"films\"\nregoin = \"x\"\n");
        assert!(told.contains("provision.toml:2:1") && told.contains("`regoin`"), "{told}");
        assert!(told.contains("`region`"), "{told}");
    }

    #[test]
    fn a_wrong_value_is_told_with_its_place() {
        assert!(told("rate = \"fast\"\n").contains("provision.toml:1:8"), "{}", told("rate = \"fast\"\n"));
        assert!(told("stack = films\n").contains("provision.toml:1:9"), "{}", told("stack = films\n"));
        let table = told("[params]\nA = 1\nB = { c = 1 }\n");
        assert!(table.contains("provision.toml:3:5") && table.contains("params.B"), "{table}");
    }
}
