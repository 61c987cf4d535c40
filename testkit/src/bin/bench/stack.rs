//! The crawler's stack up, up again, with new code, and down: by `provision`, by a script call by call, by CloudFormation.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;
use testkit::{
    Emulator, FaultProxy,
    emulator::{Options, aws_env, tool},
    fault_proxy::{Edge, Rule},
};

use crate::{Result, table::Table};

pub const ABOUT: &str = "`templates/crawler.yaml` on the AWS emulator behind the fault proxy, 50 ms a call. Calls are all that the
client sent; rounds are the longest chain of calls of which each waited for the one before, polling counted once; time is relative
to `provision` at the same step. `provision` is the debug build, and waits a minute less than on AWS for a deleted queue's name
(`--no-wait`). The script is `bench/by_hand.py`, boto3 with its waiters. CloudFormation does its work inside the emulator, in no
time: its calls and rounds are the client's only, and its time says little. A bucket's settings go in one after another, and its
objects go before it does (E67): that branch alone makes `up` and `down` longer than the 6 and 4 rounds that all else takes.
What begins late on two busy cores counts as a round more, too: the test that guards the rounds holds each call for 250 ms.";

const LATENCY: Duration = Duration::from_millis(50);
const STACK: &str = "bench";
const STEPS: [&str; 4] = ["up", "up again", "new code", "down"];

/// How a stack is brought to where it should be: its commands, a line each step.
struct Contender {
    name: &'static str,
    lines: fn(&Stage, step: &str) -> Vec<Command>,
}

const CONTENDERS: [Contender; 3] = [
    Contender { name: "provision", lines: provision },
    Contender { name: "boto3 script", lines: by_hand },
    Contender { name: "aws cloudformation", lines: cloudformation },
];

/// What a step took.
struct Taken {
    time: Duration,
    calls: usize,
    rounds: usize,
}

/// An account of its own, and a working folder.
struct Stage {
    folder: TempDir,
    root: PathBuf,
    proxy: FaultProxy,
    _emulator: Emulator,
}

/// Every step of every contender.
pub fn measure(root: &Path) -> Result<Table> {
    let mut taken = Vec::new();
    for Contender { lines, .. } in CONTENDERS {
        let stage = Stage::open(root)?;
        let steps: Result<Vec<Taken>> = STEPS.iter().map(|step| stage.take(step, lines(&stage, step))).collect();
        taken.push(steps?);
    }
    let mut table = Table::new(&["step", "by", "calls", "rounds", "time"]);
    for (n, step) in STEPS.iter().enumerate() {
        for (contender, steps) in CONTENDERS.iter().zip(&taken) {
            let Taken { time, calls, rounds } = &steps[n];
            let ratio = time.as_secs_f64() / taken[0][n].time.as_secs_f64();
            let cells =
                [step.to_string(), contender.name.into(), calls.to_string(), rounds.to_string(), format!("{ratio:.1}")];
            table.row(cells);
        }
    }
    Ok(table)
}

impl Stage {
    fn open(root: &Path) -> Result<Self> {
        let (emulator, proxy) = Emulator::start_behind_proxy(&Options::default())?;
        let stage = Self { folder: TempDir::new()?, root: root.to_owned(), proxy, _emulator: emulator };
        std::fs::copy(stage.root.join("target/lambda/crawler.zip"), stage.zip())?;
        std::fs::write(stage.template(), template(&stage.root, &stage.zip())?)?;
        finish(&mut stage.client("aws", "s3 mb s3://artifacts"))?;
        stage.proxy.rule(Rule::on("*", "*").latency(LATENCY));
        stage.proxy.play(Edge::TaggingTellsOfMappings);
        Ok(stage)
    }

    fn zip(&self) -> PathBuf {
        self.folder.path().join("code.zip")
    }

    fn template(&self) -> PathBuf {
        self.folder.path().join("template.yaml")
    }

    fn client(&self, program: &str, line: &str) -> Command {
        let mut command = Command::new(tool(program));
        command.args(line.split_whitespace()).envs(aws_env(&self.proxy.url())).current_dir(self.folder.path());
        command
    }

    fn take(&self, step: &str, commands: Vec<Command>) -> Result<Taken> {
        if step == "new code" {
            let more = "import sys, zipfile; zipfile.ZipFile(sys.argv[1], 'a').writestr('note.txt', 'new')";
            finish(Command::new(tool("python")).args(["-c", more]).arg(self.zip()))?;
        }
        self.proxy.forget();
        let began = Instant::now();
        for mut command in commands {
            finish(&mut command)?;
        }
        let time = began.elapsed();
        Ok(Taken { time, calls: self.proxy.calls().len(), rounds: self.proxy.longest_chain().len() })
    }
}

/// The crawler's template with its zip named outright, so that nobody builds it.
fn template(root: &Path, zip: &Path) -> Result<String> {
    let text = std::fs::read_to_string(root.join("templates/crawler.yaml"))?;
    let built = "    Metadata:\n      BuildMethod: rust-cargolambda\n      BuildProperties:\n        Binary: crawler\n";
    Ok(text.replace(built, "").replace("../target/lambda/crawler.zip", &zip.display().to_string()))
}

fn provision(stage: &Stage, step: &str) -> Vec<Command> {
    let line = if step == "down" { "down --yes --delete-data --no-wait --quiet" } else { "up --yes --quiet" };
    // Where cargo puts this very program.
    let built = std::env::current_exe().unwrap_or_default().with_file_name("provision");
    let mut command = Command::new(built);
    command.args(line.split_whitespace()).envs(aws_env(&stage.proxy.url())).current_dir(stage.folder.path());
    command.args(["--stack", STACK, "--template"]).arg(stage.template());
    vec![command]
}

fn by_hand(stage: &Stage, step: &str) -> Vec<Command> {
    let mut command = Command::new(tool("python"));
    command.arg(stage.root.join("bench/by_hand.py")).arg(step).arg(stage.zip()).envs(aws_env(&stage.proxy.url()));
    vec![command]
}

fn cloudformation(stage: &Stage, step: &str) -> Vec<Command> {
    if step == "down" {
        let delete = format!("cloudformation delete-stack --stack-name {STACK}");
        let wait = format!("cloudformation wait stack-delete-complete --stack-name {STACK}");
        return vec![stage.client("aws", &delete), stage.client("aws", &wait)];
    }
    let template = stage.template().display().to_string();
    let package = format!(
        "cloudformation package --template-file {template} --s3-bucket artifacts --output-template-file out.yaml"
    );
    let deploy = format!(
        "cloudformation deploy --template-file out.yaml --stack-name {STACK} --capabilities CAPABILITY_NAMED_IAM --no-fail-on-empty-changeset"
    );
    vec![stage.client("aws", &package), stage.client("aws", &deploy)]
}

fn finish(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?} ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr)).into())
}
