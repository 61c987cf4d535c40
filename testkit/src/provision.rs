//! Runs the built `provision` binary as a user does, and shows all of it when an expectation fails.
//!
//! Each value has a home and a working folder of its own, so that no profile, no provision.toml and no other test reaches into it.

use std::{
    ffi::OsStr,
    fmt::Write as _,
    io::{self, Write as _},
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::emulator::aws_env;

/// Environment variables that pass through to the binary; all others are gone. The build tools need them.
const KEPT: [&str; 7] =
    ["PATH", "PROVISION_TOOLS", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN", "TMPDIR", "LLVM_PROFILE_FILE"];

/// A user of the `provision` binary: an environment, a home, a working folder.
///
/// `Provision::new(env!("CARGO_BIN_EXE_provision")).endpoint(&emulator.endpoint()).run(["up", "--yes"]).succeeds()`
pub struct Provision {
    binary: PathBuf,
    folder: TempDir,
    env: Vec<(String, String)>,
    stdin: Vec<u8>,
    limit: Duration,
    killer: Killer,
}

impl Provision {
    /// A user of this binary, without credentials, in an empty folder.
    ///
    /// # Panics
    /// If no temporary folder can be made: no test can go on.
    pub fn new(binary: impl AsRef<Path>) -> Self {
        let folder = TempDir::with_prefix("provision-").and_then(|folder| {
            std::fs::create_dir(folder.path().join("home"))?;
            std::fs::create_dir(folder.path().join("work"))?;
            Ok(folder)
        });
        let folder = folder.unwrap_or_else(|error| panic!("no temporary folder: {error}"));
        let kept = KEPT.iter().filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)));
        // Rust's own tools live in the home folder unless the environment says otherwise.
        let tools = [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")].into_iter().filter_map(|(name, place)| {
            let home = PathBuf::from(std::env::var_os("HOME")?).join(place);
            home.exists().then(|| (name.to_owned(), home.display().to_string()))
        });
        let mut env: Vec<(String, String)> = tools.chain(kept).collect();
        env.push(("HOME".into(), folder.path().join("home").display().to_string()));
        env.push(("AWS_EC2_METADATA_DISABLED".into(), "true".into()));
        let (binary, limit) = (binary.as_ref().to_owned(), Duration::from_secs(300));
        Self { binary, folder, env, stdin: Vec::new(), limit, killer: Killer::default() }
    }

    /// Takes the emulator or the fault proxy at `endpoint` for AWS, as its root.
    pub fn endpoint(mut self, endpoint: &str) -> Self {
        self.env.extend(aws_env(endpoint));
        self
    }

    /// Sets an environment variable; the last word on a name counts.
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// Removes an environment variable.
    pub fn without(mut self, name: &str) -> Self {
        self.env.retain(|(known, _)| known != name);
        self
    }

    /// What the binary reads from standard input; nothing by default.
    pub fn stdin(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.stdin = input.into();
        self
    }

    /// How long one run may take before it is killed and the test fails; five minutes by default.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// The working folder, to put files into and look at what is left.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// Writes a file into the working folder.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.folder().join(name);
        let written =
            path.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(&path, content));
        written.unwrap_or_else(|error| panic!("{} is not written: {error}", path.display()));
        self
    }

    /// What kills this user's latest run, for a rule of the fault proxy:
    /// `Rule::on("*", "*").nth(3).notify(move || killer.kill()).cut()`.
    pub fn killer(&self) -> Killer {
        self.killer.clone()
    }

    /// Runs the binary to its end.
    ///
    /// # Panics
    /// If it cannot be started, or runs longer than the limit.
    pub fn run<Arg: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = Arg>) -> Outcome {
        self.spawn(args).wait()
    }

    /// Starts the binary. It is killed if this user is dropped before it has ended.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn spawn<Arg: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = Arg>) -> Running {
        let mut command = Command::new(&self.binary);
        command.args(args).current_dir(self.folder()).env_clear().envs(self.env.iter().cloned());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let line = std::iter::once(command.get_program()).chain(command.get_args());
        let line = line.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
        // Locked from before the start: whoever kills the latest run waits for this one.
        let mut latest = lock(&self.killer.0);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{line} does not start: {error}"));
        let (stdin, stdout, stderr) =
            (child.stdin.take(), collected(child.stdout.take()), collected(child.stderr.take()));
        let process = Process(Arc::new(Mutex::new(child)));
        *latest = Some(process.clone());
        drop(latest);
        if let Some(mut stdin) = stdin {
            // A binary that does not read its input closes it; that is its right.
            let _ = stdin.write_all(&self.stdin);
        }
        Running { line, folder: self.folder(), process, stdout, stderr, limit: self.limit }
    }
}

/// A test that panics while it holds a lock has not broken what the lock guards.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Provision {
    /// A test that fails leaves no run behind.
    fn drop(&mut self) {
        self.killer.kill();
    }
}

type Collected = thread::JoinHandle<Vec<u8>>;

fn collected(stream: Option<impl io::Read + Send + 'static>) -> Collected {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            // What came before a broken pipe is what there is.
            let _ = stream.read_to_end(&mut bytes);
        }
        bytes
    })
}

/// A run that is under way.
pub struct Running {
    line: String,
    folder: PathBuf,
    process: Process,
    stdout: Collected,
    stderr: Collected,
    limit: Duration,
}

impl Running {
    /// The process's id, to send it signals.
    pub fn id(&self) -> u32 {
        lock(&self.process.0).id()
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// If it runs longer than the limit; it is killed then.
    pub fn wait(self) -> Outcome {
        let start = Instant::now();
        let mut in_time = true;
        let status = loop {
            if let Ok(Some(status)) = lock(&self.process.0).try_wait() {
                break status;
            }
            if start.elapsed() > self.limit {
                self.process.kill();
                in_time = false;
            }
            thread::sleep(Duration::from_millis(5));
        };
        let text = |stream: Collected| String::from_utf8_lossy(&stream.join().unwrap_or_default()).into_owned();
        let outcome = Outcome {
            line: self.line,
            folder: self.folder,
            status,
            stdout: text(self.stdout),
            stderr: text(self.stderr),
        };
        assert!(in_time, "it runs longer than {:?}\n{outcome}", self.limit);
        outcome
    }
}

#[derive(Clone)]
struct Process(Arc<Mutex<Child>>);

impl Process {
    fn kill(&self) {
        let mut child = lock(&self.0);
        // An error means that it has ended already.
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// Kills a user's latest run with SIGKILL, from any thread.
#[derive(Clone, Default)]
pub struct Killer(Arc<Mutex<Option<Process>>>);

impl Killer {
    /// Kills the run and returns when it is dead. Nothing happens if it has ended, or none was started.
    pub fn kill(&self) {
        if let Some(process) = &*lock(&self.0) {
            process.kill();
        }
    }
}

/// A run that has ended. Its text, as an assertion shows it, has the command, the folder, the status and both streams.
#[derive(Clone, Debug)]
pub struct Outcome {
    line: String,
    folder: PathBuf,
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

impl Outcome {
    /// Expects exit code 0.
    #[track_caller]
    pub fn succeeds(self) -> Self {
        self.exits(0)
    }

    /// Expects this exit code.
    ///
    /// # Panics
    /// If it ended otherwise.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "expected exit code {code}\n{self}");
        self
    }

    /// Expects `words` on standard output.
    ///
    /// # Panics
    /// If they are not there.
    #[track_caller]
    pub fn says(self, words: &str) -> Self {
        assert!(self.stdout.contains(words), "expected on stdout: {words}\n{self}");
        self
    }

    /// Expects `words` on standard error.
    ///
    /// # Panics
    /// If they are not there.
    #[track_caller]
    pub fn complains(self, words: &str) -> Self {
        assert!(self.stderr.contains(words), "expected on stderr: {words}\n{self}");
        self
    }

    /// Expects `words`, such as a secret, on neither stream.
    ///
    /// # Panics
    /// If they are there.
    #[track_caller]
    pub fn never_says(self, words: &str) -> Self {
        assert!(!self.stdout.contains(words) && !self.stderr.contains(words), "unexpected: {words}\n{self}");
        self
    }

    /// All of standard output as JSON.
    ///
    /// # Panics
    /// If it is no JSON, or more than that.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("stdout is no JSON: {error}\n{self}"))
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut ended = self.status.code().map_or_else(String::new, |code| format!("exit code {code}"));
        if let Some(signal) = self.status.signal() {
            write!(ended, "signal {signal}")?;
        }
        writeln!(f, "command: {}\nfolder:  {}\nended:   {ended}", self.line, self.folder.display())?;
        write!(f, "--- stdout\n{}\n--- stderr\n{}\n---", self.stdout.trim_end(), self.stderr.trim_end())
    }
}

#[cfg(test)]
mod tests {
    use std::panic;

    use super::*;

    /// The shell stands for the binary: what is tried here is the running, not what runs.
    fn sh(script: &str) -> Outcome {
        Provision::new("/bin/sh").endpoint("http://127.0.0.1:1").stdin("input").run(["-c", script])
    }

    #[test]
    fn a_run_has_its_own_home_folder_and_environment() {
        let outcome = sh("echo $AWS_ENDPOINT_URL $HOME; pwd; cat; ls -A $HOME; echo complaint >&2; exit 3").exits(3);
        let lines: Vec<&str> = outcome.stdout.lines().collect();
        assert!(lines[0].starts_with("http://127.0.0.1:1 ") && lines[0].ends_with("/home"), "{outcome}");
        assert!(lines[1].ends_with("/work") && lines[2] == "input" && lines.len() == 3, "{outcome}");
        outcome.complains("complaint").never_says("secret");
    }

    #[test]
    fn a_failed_expectation_shows_command_folder_status_and_streams() {
        let failure = panic::catch_unwind(|| sh("echo out; echo err >&2; exit 4").succeeds()).unwrap_err();
        let shown = failure.downcast_ref::<String>().unwrap();
        for part in ["/bin/sh -c", "provision-", "exit code 4", "out", "err"] {
            assert!(shown.contains(part), "{part} is not in {shown}");
        }
    }

    #[test]
    fn a_killed_run_ends_by_the_signal() {
        let user = Provision::new("/bin/sh");
        let running = user.spawn(["-c", "exec sleep 600"]);
        user.killer().kill();
        assert_eq!(running.wait().status.signal(), Some(9));
    }

    #[test]
    fn a_run_that_takes_too_long_is_killed_and_fails_the_test() {
        let slow = Provision::new("/bin/sh").limit(Duration::from_millis(50));
        let failure = panic::catch_unwind(panic::AssertUnwindSafe(|| slow.run(["-c", "exec sleep 600"])));
        assert!(failure.unwrap_err().downcast_ref::<String>().unwrap().contains("runs longer than"));
    }
}
