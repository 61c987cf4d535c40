//! What can be typed: commands, flags, help. What a value means together with environment and file is `config`'s.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use jiff::{SignedDuration, Span, SpanRelativeTo};

mod examples;
mod mistake;

use crate::exit;

pub use mistake::mistake;

/// CloudFormation templates without CloudFormation, and the crawl that they carry.
///
/// provision reads a CloudFormation template and makes it so by calling AWS directly: no stack that gets stuck, no state
/// file. Every command can be killed and run again; it goes on from what it finds.
#[derive(Debug, Parser)]
#[command(name = "provision", version, arg_required_else_help = true, max_term_width = 100, after_help = exit::HELP)]
pub struct Cli {
    /// Flags of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags of every command. Precedence: flag, environment, provision.toml, default.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Name of the stack [default: provision.toml's, else the template's file stem]
    #[arg(long, global = true, value_name = "NAME", env = "PROVISION_STACK")]
    pub stack: Option<String>,
    /// Configuration file [default: provision.toml, where there is one]
    #[arg(long, global = true, value_name = "FILE", env = "PROVISION_CONFIG")]
    pub config: Option<PathBuf>,
    /// CloudFormation template [default: provision.toml's, else templates/crawler.yaml]
    #[arg(long, global = true, value_name = "FILE", env = "PROVISION_TEMPLATE")]
    pub template: Option<PathBuf>,
    /// Value of a template parameter; can be given many times [default: provision.toml's, the template's]
    #[arg(long = "param", global = true, value_name = "KEY=VALUE", value_parser = parameter)]
    pub params: Vec<(String, String)>,
    /// AWS region [default: AWS_REGION, provision.toml's, the profile's]
    #[arg(long, global = true)]
    pub region: Option<String>,
    /// AWS profile [default: AWS_PROFILE, provision.toml's]
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<String>,
    /// Where AWS answers, for an emulator [default: AWS_ENDPOINT_URL, AWS's own]
    #[arg(long, global = true, value_name = "URL")]
    pub endpoint_url: Option<String>,
    /// Where TMDb answers [default: provision.toml's, TMDb's own]
    #[arg(long, global = true, value_name = "URL", env = "TMDB_API_URL")]
    pub tmdb_url: Option<String>,
    /// One JSON document on stdout instead of text
    #[arg(long, global = true)]
    pub json: bool,
    /// No progress and no notes; results and errors only
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Also what happens behind the scenes; twice shows every call
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Say yes to what would be asked: deletes, replacements, data kept for less long, films that would leave the lake
    #[arg(long, short, global = true)]
    pub yes: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write provision.toml: stack, region, lake, TMDb key
    #[command(visible_alias = "development", after_help = examples::INIT)]
    Init(Init),
    /// Store or check the TMDb key
    #[command(subcommand, after_help = examples::SECRET)]
    Secret(Secret),
    /// Build the function and write its reproducible zip
    #[command(after_help = examples::PACKAGE)]
    Package,
    /// Show what `up` would change; change nothing
    #[command(after_help = examples::PLAN)]
    Plan(Plan),
    /// Make everything as the template says
    #[command(visible_alias = "deploy", after_help = examples::UP)]
    Up(Up),
    /// Remove everything but the lake; the stored TMDb key goes too
    #[command(visible_alias = "destroy", after_help = examples::DOWN)]
    Down(Down),
    /// Show resources, queue, jobs and the time left
    #[command(after_help = examples::STATUS)]
    Status(Status),
    /// Index the titles and send a message for every job that is not done
    #[command(after_help = examples::LAUNCH)]
    Launch(Launch),
    /// Send one message for all jobs of one year and initial
    #[command(after_help = examples::SIMULATE)]
    Simulate(Simulate),
    /// Stop giving jobs to the functions, and write down why
    #[command(after_help = examples::PAUSE)]
    Pause(Pause),
    /// Go on after a pause, the fleet's own or a person's
    #[command(after_help = examples::RESUME)]
    Resume,
    /// List what could not be done: jobs, reason, attempts, last error
    #[command(after_help = examples::DEAD_LETTERS)]
    DeadLetters(DeadLetters),
    /// Send dead letters round again
    #[command(after_help = examples::REDRIVE)]
    Redrive(Redrive),
    /// Do jobs in this process, without Lambda; TMDb's key comes from TMDB_API_KEY
    #[command(after_help = examples::DOWNLOAD)]
    Download(Download),
    /// Merge the jobs' small objects into few large files
    #[command(after_help = examples::COMPACT)]
    Compact(Compact),
    /// Read the lake and prove that every title is in exactly one place
    #[command(after_help = examples::VERIFY)]
    Verify(Verify),
    /// up, launch, wait, status, down: the whole crawl in one
    #[command(after_help = examples::RUN)]
    Run(Run),
    /// Print the least IAM policy that a person needs for this template
    #[command(after_help = examples::POLICY)]
    Policy(Policy),
    /// Look at all that `up` and `launch` stand on; change nothing
    #[command(after_help = examples::DOCTOR)]
    Doctor,
    /// Tell what AWS does, what provision does about it, and what to do
    #[command(after_help = examples::EXPLAIN)]
    Explain(Explain),
}

/// Flags of `policy`.
#[derive(Args, Debug, Default)]
pub struct Policy {
    /// Only for these commands, joined by commas
    #[arg(long = "for", value_name = "COMMANDS", value_delimiter = ',')]
    pub commands: Vec<crate::policy::Command>,
    /// Also for `down --delete-data`
    #[arg(long)]
    pub delete_data: bool,
}

/// What `explain` explains.
#[derive(Args, Debug, Default)]
pub struct Explain {
    /// An edge (E35), an error code of AWS's (QueueDeletedRecently), or a resource type; without it the edges are listed
    pub topic: Option<String>,
}

/// Flags of `init`. What is not given is asked for on a terminal.
#[derive(Args, Debug, Default)]
pub struct Init {
    /// An existing bucket to use as the lake, never owned; without it the template makes one
    #[arg(long, value_name = "NAME")]
    pub bucket: Option<String>,
    /// Refuse to work in any other AWS account
    #[arg(long, value_name = "ID")]
    pub account: Option<String>,
    /// Replace an existing provision.toml
    #[arg(long)]
    pub force: bool,
}

/// What to do with the key.
#[derive(Debug, Subcommand)]
pub enum Secret {
    /// Store the key from TMDB_API_KEY, stdin, or a prompt, as an SSM SecureString of the stack
    Set,
    /// Ask TMDb whether the stored key (or TMDB_API_KEY) is valid
    Check,
}

/// Flags of `plan`.
#[derive(Args, Debug, Default)]
pub struct Plan {
    /// Exit with 3 if there is something to change
    #[arg(long)]
    pub exit_code: bool,
    /// What changes the plan
    #[command(flatten)]
    pub up: Up,
}

/// Flags of `up`.
#[derive(Args, Debug, Default)]
pub struct Up {
    /// Take over what exists under the template's names and is not ours
    #[arg(long)]
    pub adopt: bool,
    /// Send secrets (NoEcho) that AWS does not give back, though they may be the same
    #[arg(long)]
    pub resend_secrets: bool,
}

/// Flags of `down`.
#[derive(Args, Debug, Default)]
pub struct Down {
    /// Remove the lake too, with all its objects
    #[arg(long)]
    pub delete_data: bool,
    /// Keep the stored TMDb key
    #[arg(long)]
    pub keep_secret: bool,
    /// Do not wait for functions that still run; only --delete-data waits for them
    #[arg(long)]
    pub now: bool,
    /// Do not wait for the 60 s in which a deleted queue's name lingers
    #[arg(long)]
    pub no_wait: bool,
}

/// Flags of `status`.
#[derive(Args, Debug, Default)]
pub struct Status {
    /// Exit with 3 if a resource is missing or unhealthy, the fleet is paused, or there are dead letters
    #[arg(long)]
    pub exit_code: bool,
}

/// Which jobs.
#[derive(Args, Clone, Debug, Default)]
pub struct Selection {
    /// Years: 2004, 2000..2020, none; joined by commas [default: all]
    #[arg(long, value_name = "YEARS")]
    pub years: Option<String>,
    /// Two-letter initials, joined by commas; `_` stands for a blank: TH,A_ [default: all]
    #[arg(long, value_name = "INITIALS")]
    pub initials: Option<String>,
}

/// Where the titles come from.
#[derive(Args, Clone, Debug, Default)]
pub struct Titles {
    /// title.basics.tsv.gz: a file, an https URL, s3://bucket/key, or - for stdin [default: provision.toml's, IMDb's own]
    #[arg(long, value_name = "FILE|URL", env = "PROVISION_TITLES_SOURCE")]
    pub titles_source: Option<String>,
    /// IMDb's title types that count as films, joined by commas: movie,tvMovie,short [default: provision.toml's, those of the index before, movie]
    #[arg(long, value_name = "TYPES")]
    pub title_types: Option<String>,
    /// Adult films: in or out [default: provision.toml's, as in the index before, in]
    #[arg(long, value_name = "in|out", hide_possible_values = true)]
    pub adult: Option<Adult>,
    /// Make the index anew: of a newer dataset, of other titles, or with jobs of another size; without it the pinned one is used
    #[arg(long)]
    pub new_index: bool,
}

/// Whether adult films are crawled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Adult {
    /// They are.
    In,
    /// They are not.
    Out,
}

/// Flags of `launch`.
#[derive(Args, Debug, Default)]
pub struct Launch {
    /// Which jobs; all by default.
    #[command(flatten)]
    pub selection: Selection,
    /// Where the titles come from.
    #[command(flatten)]
    pub titles: Titles,
    /// Show the jobs, making the index where there is none; send nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Send also what was sent before and may still be in the queue
    #[arg(long)]
    pub again: bool,
    /// What is asked again.
    #[command(flatten)]
    pub renew: Renew,
}

/// What of done jobs is asked again.
#[derive(Args, Clone, Debug, Default)]
pub struct Renew {
    /// Of done jobs, ask again for the films that had no usable answer
    #[arg(long, conflicts_with = "refresh")]
    pub failed: bool,
    /// Of done jobs, ask again for all films where any is older: older-than=30d; or for those that TMDb says have changed
    #[arg(long, value_name = "WHICH", value_parser = refresh)]
    pub refresh: Option<Refresh>,
}

impl Renew {
    /// Whether anything is.
    pub fn is_wanted(&self) -> bool {
        self.failed || self.refresh.is_some()
    }
}

/// Which films of done jobs are asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresh {
    /// All of a job that has one which is older.
    OlderThan(SignedDuration),
    /// Those that changed at TMDb since they were fetched.
    Changed,
}

/// Flags of `simulate`.
#[derive(Args, Debug)]
pub struct Simulate {
    /// The year, or none
    #[arg(long, default_value = "2004")]
    pub year: String,
    /// The two-letter initial
    #[arg(long, default_value = "AD")]
    pub initial: String,
    /// Where the titles come from, if there is no index yet.
    #[command(flatten)]
    pub titles: Titles,
}

/// Flags of `pause`.
#[derive(Args, Debug)]
pub struct Pause {
    /// Why, for whoever looks at `status`
    #[arg(long, value_name = "TEXT", default_value = "paused by hand")]
    pub reason: String,
}

/// Flags of `dead-letters`.
#[derive(Args, Debug)]
pub struct DeadLetters {
    /// At most so many
    #[arg(long, value_name = "N", default_value = "100", value_parser = clap::value_parser!(u16).range(1..))]
    pub limit: u16,
}

/// Flags of `redrive`.
#[derive(Args, Debug)]
pub struct Redrive {
    /// Which jobs; all by default.
    #[command(flatten)]
    pub selection: Selection,
}

/// The lake of `download`.
const DOWNLOADED: &str = "./lake";

/// Flags of `download`.
#[derive(Args, Debug)]
pub struct Download {
    /// A folder or s3://bucket
    #[arg(long, value_name = "DIR|s3://", default_value = DOWNLOADED, env = "PROVISION_LAKE")]
    lake: String,
    /// The year, or none
    #[arg(long, default_value = "2004", conflicts_with = "all")]
    pub year: String,
    /// The two-letter initial
    #[arg(long, default_value = "AD", conflicts_with = "all")]
    pub initial: String,
    /// All jobs, or those of --years and --initials; without it those of one --year and --initial
    #[arg(long)]
    pub all: bool,
    /// Jobs side by side; the rate is that of all together
    #[arg(long, value_name = "N", default_value = "4", value_parser = clap::value_parser!(u8).range(1..))]
    pub jobs: u8,
    /// Which jobs of `--all`.
    #[command(flatten)]
    pub selection: Selection,
    /// What is asked again.
    #[command(flatten)]
    pub renew: Renew,
    /// Where the titles come from.
    #[command(flatten)]
    pub titles: Titles,
}

impl Download {
    /// Where the lake is; a blank one is none, as of a variable that is not set.
    pub fn lake(&self) -> &str {
        if self.lake.is_empty() { DOWNLOADED } else { &self.lake }
    }
}

/// Flags of `compact`.
#[derive(Args, Debug)]
pub struct Compact {
    /// A folder or s3://bucket [default: the stack's bucket]
    #[arg(long, value_name = "DIR|s3://", env = "PROVISION_LAKE")]
    pub lake: Option<String>,
    /// What the files are: ndjson or parquet [default: provision.toml's, else ndjson]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<crawler_core::compact::Format>,
}

/// Flags of `verify`.
#[derive(Args, Debug)]
pub struct Verify {
    /// A folder or s3://bucket [default: the stack's bucket]
    #[arg(long, value_name = "DIR|s3://", env = "PROVISION_LAKE")]
    pub lake: Option<String>,
    /// Count titles that were fetched longer ago: 30d, 2w, 6mo, 1y
    #[arg(long, value_name = "SPAN", default_value = "6mo")]
    pub older_than: String,
}

/// Flags of `run`.
#[derive(Args, Debug, Default)]
pub struct Run {
    /// Which jobs; all by default.
    #[command(flatten)]
    pub selection: Selection,
    /// Where the titles come from.
    #[command(flatten)]
    pub titles: Titles,
    /// Leave the stack up at the end
    #[arg(long)]
    pub keep_up: bool,
}

fn parameter(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write it as Key=Value".into()),
    }
}

/// `older-than=30d`, `older-than=12h`, `changed`.
fn refresh(text: &str) -> Result<Refresh, String> {
    if text == "changed" {
        return Ok(Refresh::Changed);
    }
    let age = text.strip_prefix("older-than=").and_then(|age| age.parse::<Span>().ok());
    let age = age.and_then(|age| age.to_duration(SpanRelativeTo::days_are_24_hours()).ok());
    let age = age.filter(|age| !age.is_negative()).map(Refresh::OlderThan);
    age.ok_or_else(|| "write it as older-than=30d, in hours as older-than=12h, or as changed".into())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_global_flag_may_stand_before_or_after_the_command() {
        for line in [["provision", "--stack", "films", "plan"], ["provision", "plan", "--stack", "films"]] {
            assert_eq!(Cli::try_parse_from(line).unwrap().global.stack.as_deref(), Some("films"));
        }
    }

    #[test]
    fn a_refresh_is_an_age_in_days_or_hours_or_what_changed() {
        assert_eq!(refresh("older-than=30d"), Ok(Refresh::OlderThan(SignedDuration::from_hours(720))));
        assert_eq!(refresh("older-than=12h"), Ok(Refresh::OlderThan(SignedDuration::from_hours(12))));
        assert_eq!(refresh("changed"), Ok(Refresh::Changed));
        for wrong in ["30d", "older-than=", "older-than=-1d", "older-than=1 fortnight", "unchanged"] {
            assert!(refresh(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_aliases_are_the_commands() {
        let command = |word| Cli::try_parse_from(["provision", word]).unwrap().command;
        assert!(matches!(command("deploy"), Command::Up(_)));
        assert!(matches!(command("destroy"), Command::Down(_)));
        assert!(matches!(command("development"), Command::Init(_)));
    }

    #[test]
    fn a_parameter_is_cut_at_its_first_equals_sign() {
        let cli = Cli::try_parse_from(["provision", "plan", "--param", "Url=https://x/?a=b"]).unwrap();
        assert_eq!(cli.global.params, [("Url".to_owned(), "https://x/?a=b".to_owned())]);
        assert!(Cli::try_parse_from(["provision", "plan", "--param", "Url"]).is_err());
    }
}
