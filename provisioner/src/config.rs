//! What a run is told, from four places: flag, environment, provision.toml, default, in this order.
//!
//! Knows nothing of templates but that they have parameters, and nothing of AWS but names.

mod file;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crawler_core::compact::Format;
use crawler_core::tmdb;
use indexmap::IndexMap;

use crate::account;
use crate::cli::{Adult, Global};
use crate::error::Failure;
use file::parameter_of;

pub use file::File;

/// The configuration file, looked for in the current folder.
pub const FILE: &str = "provision.toml";
/// The template where none is named.
pub const TEMPLATE: &str = "templates/crawler.yaml";

/// What the process's environment says, read once; the flags' own variables are in [`Global`] already.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// AWS_REGION, else AWS_DEFAULT_REGION.
    pub region: Option<String>,
    /// AWS_PROFILE.
    pub profile: Option<String>,
    /// XDG_CACHE_HOME, else `.cache` in HOME.
    pub cache: Option<PathBuf>,
    /// AWS_ACCOUNT_ID, else what AWS_ACCESS_KEY_ID tells of it.
    pub account: Option<String>,
    /// AWS_ENDPOINT_URL.
    pub endpoint_url: Option<String>,
}

impl Environment {
    /// Reads the process's environment. A variable that is set to nothing is not set.
    pub fn read() -> Self {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            region: variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION")),
            profile: variable("AWS_PROFILE"),
            cache: variable("XDG_CACHE_HOME")
                .map(PathBuf::from)
                .or_else(|| variable("HOME").map(|home| Path::new(&home).join(".cache"))),
            account: variable("AWS_ACCOUNT_ID")
                .or_else(|| variable("AWS_ACCESS_KEY_ID").and_then(|id| account::of_access_key(&id))),
            endpoint_url: variable("AWS_ENDPOINT_URL"),
        }
    }
}

/// All that a run is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The stack's name: letters, digits and hyphens.
    pub stack: String,
    /// The template's path.
    pub template: PathBuf,
    /// Where provision.toml stands or would stand.
    pub config: PathBuf,
    /// The AWS region; none leaves it to the profile.
    pub region: Option<String>,
    /// The AWS profile; none leaves it to the chain of credentials.
    pub profile: Option<Profile>,
    /// Where AWS answers, by flag.
    pub endpoint_url: Option<String>,
    /// The one account to work in.
    pub account: Option<String>,
    /// The user's folder for what can be asked for again: types' schemas.
    pub cache: PathBuf,
    /// The account that the credentials seem to be of; AWS has the last word.
    pub suggested_account: Option<String>,
    /// Where TMDb answers.
    pub tmdb_url: String,
    /// Where the titles come from, as provision.toml says.
    pub titles_source: Option<String>,
    /// Which title types count as films, as provision.toml says.
    pub title_types: Option<Vec<String>>,
    /// Whether adult films are crawled, as provision.toml says.
    pub adult: Option<Adult>,
    /// What `compact` writes, as provision.toml says.
    pub format: Option<Format>,
    /// The names of the parameters that `--param` gives.
    pub typed: Vec<String>,
    /// Parameters by `--param` and `[params]`: the template must know them.
    parameters: IndexMap<String, String>,
    /// Parameters by other keys and flags: given to a template that knows them.
    offered: IndexMap<String, String>,
}

/// An AWS profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Its name in ~/.aws/config.
    pub name: String,
    /// Named by `--profile`: then its credentials go before those of the environment.
    pub by_flag: bool,
}

impl Settings {
    /// Joins flags, environment and the file that the flags name or that stands in the current folder.
    ///
    /// # Errors
    /// A file that is named and missing, or wrong; a stack name that AWS would not take.
    pub fn load(flags: &Global, environment: &Environment) -> Result<Self, Failure> {
        let path = flags.config.clone().unwrap_or_else(|| FILE.into());
        let file = File::read(&path, flags.config.is_some())?;
        Self::join(flags, environment, file, path)
    }

    /// The same for what needs no file: one that is missing or wrong says nothing.
    ///
    /// # Errors
    /// A stack name by flag that AWS would not take.
    pub fn load_if_sound(flags: &Global, environment: &Environment) -> Result<Self, Failure> {
        let path = flags.config.clone().unwrap_or_else(|| FILE.into());
        let file = File::read(&path, false).unwrap_or_default();
        let joined = Self::join(flags, environment, file, path.clone());
        joined.or_else(|_| Self::join(flags, environment, File::default(), path))
    }

    fn join(flags: &Global, environment: &Environment, file: File, config: PathBuf) -> Result<Self, Failure> {
        let own = file.template.as_ref().map_or_else(|| TEMPLATE.into(), |path| beside(&config, path));
        let template = flags.template.clone().unwrap_or_else(|| own.clone());
        // The file's stack and parameters are those of the file's template: another template never meets its resources.
        let file = if is_same(&template, &own) { file } else { File { stack: None, params: BTreeMap::new(), ..file } };
        let stack = match given(&flags.stack).or(file.stack) {
            Some(stack) => stack,
            None => stem(&template),
        };
        check_stack(&stack)?;
        let profile = match (given(&flags.profile), environment.profile.clone().or(file.profile)) {
            (Some(name), _) => Some(Profile { name, by_flag: true }),
            (None, name) => name.map(|name| Profile { name, by_flag: false }),
        };
        let tmdb_url = given(&flags.tmdb_url).or(file.tmdb_url);
        let offered = [
            ("LakeBucketName", file.bucket),
            ("TmdbApiUrl", tmdb_url.clone()),
            ("TmdbRate", file.rate.map(|rate| rate.to_string())),
            ("Fetch", file.fetch.map(|fetch| fetch.to_string())),
            ("Append", file.append.as_ref().map(|names| names.join(","))),
            ("LakeLayout", file.layout.map(|layout| layout.to_string())),
        ];
        let suggested_account = file.account.clone().or_else(|| suggested_account(flags, environment));
        // A flag goes before the file, in whichever way the file gives it.
        let is_beaten = |key: &str| key == "TmdbApiUrl" && given(&flags.tmdb_url).is_some();
        let of_file = file.params.iter().filter(|(key, _)| !is_beaten(key));
        let of_file = of_file.filter_map(|(key, value)| Some((key.clone(), parameter_of(value)?)));
        let parameters: IndexMap<String, String> = of_file.chain(flags.params.iter().cloned()).collect();
        let tmdb_url = parameters.get("TmdbApiUrl").cloned().or(tmdb_url).filter(|url| !url.is_empty());
        Ok(Self {
            stack,
            template,
            config,
            region: given(&flags.region).or(environment.region.clone()).or(file.region),
            profile,
            endpoint_url: given(&flags.endpoint_url),
            account: file.account,
            cache: environment.cache.clone().unwrap_or_else(std::env::temp_dir).join("provision"),
            suggested_account,
            tmdb_url: tmdb_url.unwrap_or_else(|| tmdb::API.into()).trim_end_matches('/').to_owned(),
            titles_source: file.titles_source,
            title_types: file.title_types,
            adult: file.adult,
            format: file.format,
            typed: flags.params.iter().map(|(key, _)| key.clone()).collect(),
            parameters,
            offered: offered.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect(),
        })
    }

    /// The values for a template whose parameters `declares` knows. What `--param` and `[params]` name is given in any
    /// case, so that the template can say what it does not know.
    pub fn parameters(&self, declares: impl Fn(&str) -> bool) -> IndexMap<String, String> {
        let offered = self.offered.iter().filter(|(key, _)| declares(key));
        offered.chain(&self.parameters).map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    /// The value of one parameter, where flag, file or environment give one: for what works as a stack would, without one.
    pub fn parameter(&self, name: &str) -> Option<String> {
        self.parameters.get(name).or_else(|| self.offered.get(name)).cloned()
    }

    /// The name of the TMDb key's parameter in SSM.
    pub fn key_parameter(&self) -> String {
        key_parameter(&self.stack)
    }
}

/// The name in SSM of the TMDb key's parameter of a stack.
pub fn key_parameter(stack: &str) -> String {
    format!("/provision/{stack}/tmdb-api-key")
}

/// Checks a stack's name as CloudFormation does: a letter, then letters, digits and hyphens, 128 at most.
///
/// # Errors
/// [`Failure::Usage`].
pub fn check_stack(name: &str) -> Result<(), Failure> {
    let fits = name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.chars().all(|each| each.is_ascii_alphanumeric() || each == '-')
        && name.len() <= 128;
    if fits {
        return Ok(());
    }
    Err(Failure::usage("this is no name for a stack", format!("`{name}`"))
        .help("begin with a letter, go on with letters, digits and hyphens, 128 at most: --stack films"))
}

fn given(value: &Option<String>) -> Option<String> {
    value.clone().filter(|text| !text.is_empty())
}

fn beside(config: &Path, path: &Path) -> PathBuf {
    config.parent().map_or_else(|| path.to_owned(), |folder| folder.join(path))
}

/// Whether two paths lead to one file, however they are written.
fn is_same(one: &Path, other: &Path) -> bool {
    let whole = |path: &Path| std::fs::canonicalize(path).or_else(|_| std::path::absolute(path)).ok();
    one == other || (whole(one).is_some() && whole(one) == whole(other))
}

fn stem(template: &Path) -> String {
    let stem = template.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    stem.chars().map(|each| if each.is_ascii_alphanumeric() { each } else { '-' }).collect()
}

/// A profile that is named by flag goes before the environment's credentials; an emulator has its own account.
fn suggested_account(flags: &Global, environment: &Environment) -> Option<String> {
    const EMULATED: &str = "000000000000";
    let of_credentials = environment.account.clone().filter(|_| flags.profile.is_none());
    let is_emulated = flags.endpoint_url.is_some() || environment.endpoint_url.is_some();
    of_credentials.or_else(|| is_emulated.then(|| EMULATED.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "stack = \"films\"\nregion = \"eu-central-1\"\nprofile = \"data\"\nbucket = \"lake\"\n\
        tmdb_url = \"https://file/\"\n[params]\nFunctionTimeout = 300\nLogLevel = \"debug\"\nSubnets = [\"a\", \"b\"]\n";

    fn join(flags: &Global, environment: &Environment, text: &str) -> Settings {
        let file = File::parse(text, Path::new(FILE)).unwrap();
        Settings::join(flags, environment, file, FILE.into()).unwrap()
    }

    #[test]
    fn tmdb_s_address_is_the_stack_s_parameter_wherever_that_is_given() {
        let environment = Environment::default();
        let url = |flags: &Global, text: &str| join(flags, &environment, text).tmdb_url;
        let typed = |params: &[(&str, &str)]| {
            let params = params.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            Global { tmdb_url: Some("https://flag".into()), params, ..Global::default() }
        };
        assert_eq!(url(&typed(&[]), ""), "https://flag");
        assert_eq!(url(&typed(&[("TmdbApiUrl", "https://proxy/")]), ""), "https://proxy");
        let file = "[params]\nTmdbApiUrl = \"https://file\"\n";
        assert_eq!(url(&Global::default(), file), "https://file");
        assert_eq!(url(&typed(&[]), file), "https://flag");
        assert_eq!(join(&typed(&[]), &environment, file).parameters(|_| true)["TmdbApiUrl"], "https://flag");
        assert_eq!(url(&Global::default(), "[params]\nTmdbApiUrl = \"\"\n"), tmdb::API);
    }

    #[test]
    fn a_flag_goes_before_environment_before_file_before_default() {
        let flag = Global { region: Some("flag".into()), tmdb_url: Some("https://flag".into()), ..Global::default() };
        let environment = Environment {
            region: Some("environment".into()),
            profile: Some("environment".into()),
            ..Environment::default()
        };
        let nothing = (Global::default(), Environment::default());

        assert_eq!(join(&flag, &environment, TEXT).region.unwrap(), "flag");
        assert_eq!(join(&nothing.0, &environment, TEXT).region.unwrap(), "environment");
        assert_eq!(join(&nothing.0, &nothing.1, TEXT).region.unwrap(), "eu-central-1");
        assert_eq!(join(&nothing.0, &nothing.1, "").region, None);
        assert_eq!(join(&nothing.0, &environment, TEXT).profile.unwrap().name, "environment");
        assert_eq!(join(&flag, &nothing.1, TEXT).tmdb_url, "https://flag");
        assert_eq!(join(&nothing.0, &nothing.1, TEXT).tmdb_url, "https://file");
        assert_eq!(join(&nothing.0, &nothing.1, "").tmdb_url, tmdb::API);
    }

    #[test]
    fn a_parameter_by_flag_goes_before_the_file() {
        let flags = Global { params: vec![("FunctionTimeout".into(), "60".into())], ..Global::default() };
        let parameters = join(&flags, &Environment::default(), TEXT).parameters(|_| true);
        assert_eq!(parameters["FunctionTimeout"], "60");
        assert_eq!(parameters["Subnets"], "a,b");
        assert_eq!(parameters["LakeBucketName"], "lake");
    }

    #[test]
    fn a_template_that_knows_no_lake_is_not_given_one() {
        let settings = join(&Global::default(), &Environment::default(), TEXT);
        let parameters = settings.parameters(|name| name == "TmdbApiUrl");
        assert_eq!(parameters["TmdbApiUrl"], "https://file/");
        assert!(!parameters.contains_key("LakeBucketName"));
        assert!(parameters.contains_key("LogLevel"), "what [params] names is for the template to refuse");
    }

    #[test]
    fn the_stack_is_the_files_else_the_templates_stem() {
        let stack = |flags: &Global, text| join(flags, &Environment::default(), text).stack;
        let other = Global { template: Some("their/my_topic.yaml".into()), ..Global::default() };
        assert_eq!(stack(&Global::default(), TEXT), "films");
        assert_eq!(stack(&Global::default(), ""), "crawler");
        assert_eq!(stack(&other, TEXT), "my-topic", "another template never meets the file's stack");
        assert_eq!(stack(&Global { stack: Some("mine".into()), ..other }, TEXT), "mine");
    }

    #[test]
    fn the_files_own_template_is_its_own_however_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join(FILE);
        let stack = |template: PathBuf| {
            let file = File { stack: Some("films".into()), template: Some("a/b.yaml".into()), ..File::default() };
            let flags = Global { template: Some(template), ..Global::default() };
            Settings::join(&flags, &Environment::default(), file, config.clone()).unwrap().stack
        };
        assert_eq!(stack(folder.path().join("./a/./b.yaml")), "films", "a file that is not there yet");
        std::fs::create_dir(folder.path().join("a")).unwrap();
        std::fs::write(folder.path().join("a/b.yaml"), "").unwrap();
        assert_eq!(stack(folder.path().join("a/../a/b.yaml")), "films");
        assert_eq!(stack(folder.path().join("a/c.yaml")), "c");
    }

    #[test]
    fn the_template_is_beside_the_file_that_names_it() {
        let file = File { template: Some("a.yaml".into()), ..File::default() };
        let settings =
            Settings::join(&Global::default(), &Environment::default(), file, "etc/provision.toml".into()).unwrap();
        assert_eq!(settings.template, Path::new("etc/a.yaml"));
    }

    #[test]
    fn e5_a_stack_name_that_aws_would_not_take_is_refused() {
        for name in ["", "9films", "my films", "my_films", "ä", &"x".repeat(129)] {
            assert!(check_stack(name).is_err(), "{name}");
        }
        assert!(check_stack("films-2").is_ok());
    }
}
