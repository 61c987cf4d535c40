//! The main job on real parts, each command shown before what it prints: the `provision` binary, the AWS emulator, the real function
//! and a stand-in for TMDb, on real films.

#![allow(clippy::print_stdout, reason = "what it prints is its purpose")]

use std::{
    error::Error,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use clap::Parser;
use serde_json::Value;
use testkit::{Emulator, StandIn, emulator::tool, stand_in, titles};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const STACK: &str = "demo";
const YEARS: &str = "2012..2014";
/// A key of the right form; the stand-in takes any such.
const KEY: &str = "0123456789abcdef0123456789abcdef";

/// The whole story of a crawl on this machine: secret, plan, up, launch, status, the lake, down. Takes some minutes and no account.
///
/// Wants what `make demo` builds before: the emulator, `provision` and the function's zip.
#[derive(Parser)]
struct Args {}

fn main() -> Result<()> {
    let Args {} = Args::parse();
    let stage = Stage::open()?;
    stage.say("TMDb's key goes into an SSM SecureString, never into the template");
    stage.run("secret set")?;
    stage.say("What `up` would do, then `up`, then `up` again");
    stage.run("plan")?;
    stage.run("up --yes --param TmdbRate=400")?;
    stage.run("up --yes --param TmdbRate=400")?;
    stage.say("title.basics becomes jobs, the jobs go to the queue, the fleet crawls");
    let launched = Instant::now();
    stage.run(&format!("launch --years {YEARS} --titles-source {}", stage.shown(&titles::sample())))?;
    stage.run("status")?;
    stage.watch_the_drain()?;
    let crawl = launched.elapsed();
    stage.run("status")?;
    stage.say("The lake, read with DuckDB");
    stage.look_into_the_lake(crawl)?;
    stage.say("Everything goes but the lake");
    stage.run("down --yes")?;
    stage.run("down --yes")?;
    stage.say("Proof: what AWS lists now");
    stage.list_what_is_left()
}

/// What the demo runs on; the emulator and the stand-in end with it.
struct Stage {
    root: PathBuf,
    provision: PathBuf,
    emulator: Emulator,
    tmdb: StandIn,
}

impl Stage {
    fn open() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("the workspace has no root")?.to_owned();
        let provision = std::env::current_exe()?.with_file_name("provision");
        let emulator = Emulator::start()?;
        let tmdb = StandIn::start(stand_in::Options::default())?;
        println!("AWS emulator at {}, TMDb stand-in at {}", emulator.endpoint(), tmdb.url());
        Ok(Self { root, provision, emulator, tmdb })
    }

    fn say(&self, what: &str) {
        println!("\n# {what}");
    }

    /// A path as a reader of the demo would type it.
    fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).display().to_string()
    }

    fn provision(&self, arguments: &str) -> Command {
        let mut command = Command::new(&self.provision);
        command
            .args(["--stack", STACK])
            .args(arguments.split_whitespace())
            .current_dir(&self.root)
            .envs(self.emulator.env())
            .env("TMDB_API_URL", self.tmdb.url())
            .env("TMDB_API_KEY", KEY)
            .stdin(Stdio::null());
        command
    }

    /// Shows a `provision` command, then what it prints.
    fn run(&self, arguments: &str) -> Result<()> {
        println!("\n$ provision --stack {STACK} {arguments}");
        let status = self.provision(arguments).status()?;
        if status.success() { Ok(()) } else { Err(format!("provision {arguments} ended with {status}").into()) }
    }

    /// A line every two seconds, until every job is done.
    fn watch_the_drain(&self) -> Result<()> {
        println!("\n$ provision --stack {STACK} status --json   # until the queue is empty");
        let deadline = Instant::now() + Duration::from_secs(300);
        let mut shown = Instant::now();
        while Instant::now() < deadline {
            let status: Value = serde_json::from_slice(&output(&mut self.provision("status --json"))?.stdout)?;
            let number = |pointer: &str| status.pointer(pointer).and_then(Value::as_u64).unwrap_or_default();
            let (done, total) = (number("/jobs/done"), number("/jobs/total"));
            let (visible, in_flight) = (number("/queue/visible"), number("/queue/in_flight"));
            let drained = total > 0 && done == total && visible + in_flight == 0;
            if drained || shown.elapsed() >= Duration::from_secs(2) {
                println!("{visible:>5} waiting {in_flight:>3} in flight {done:>5} of {total} jobs done");
                shown = Instant::now();
            }
            if drained {
                return Ok(());
            }
        }
        Err("the queue did not drain within 300 s".into())
    }

    fn look_into_the_lake(&self, crawl: Duration) -> Result<()> {
        let bucket = format!("{STACK}-lake-000000000000-us-east-1");
        let folder = tempfile::tempdir()?;
        let lake = folder.path().display().to_string();
        output(&mut self.aws(&format!("s3 sync s3://{bucket} {lake} --only-show-errors")))?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("readers/demo_lake.py");
        let status = Command::new(tool("python"))
            .arg(script)
            .arg(&lake)
            .args([self.tmdb.requests().len().to_string(), format!("{:.1}", crawl.as_secs_f64())])
            .status()?;
        if status.success() { Ok(()) } else { Err("the lake could not be read".into()) }
    }

    fn list_what_is_left(&self) -> Result<()> {
        for listing in [
            "s3api list-buckets --query Buckets[].Name",
            "sqs list-queues --query QueueUrls",
            "iam list-roles --query Roles[].RoleName",
            "lambda list-functions --query Functions[].FunctionName",
            "lambda list-event-source-mappings --query EventSourceMappings[].UUID",
            "logs describe-log-groups --query logGroups[].logGroupName",
            "ssm describe-parameters --query Parameters[].Name",
        ] {
            let mut command = self.aws(&format!("{listing} --output text"));
            let printed = String::from_utf8(output(&mut command)?.stdout)?;
            let left: Vec<_> = printed.split_whitespace().filter(|name| *name != "None").collect();
            println!("$ aws {listing}\n  {}", if left.is_empty() { "nothing".to_owned() } else { left.join(" ") });
            let expected = if listing.starts_with("s3api") { 1 } else { 0 };
            if left.len() != expected {
                return Err(format!("aws {listing}: {expected} expected").into());
            }
        }
        println!("\nNothing is left but the lake.");
        Ok(())
    }

    fn aws(&self, arguments: &str) -> Command {
        let mut command = Command::new(tool("aws"));
        command.args(["--endpoint-url", &self.emulator.endpoint()]).args(arguments.split_whitespace());
        command.envs(self.emulator.env());
        command
    }
}

fn output(command: &mut Command) -> Result<Output> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(output);
    }
    Err(format!("{command:?} ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr)).into())
}
