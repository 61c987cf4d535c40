//! Runs the AWS emulator (ministack) for one test: its own port, its own folder, and no process left behind.

use std::{
    env,
    fs::File,
    io::{self, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::FaultProxy;

/// How long a start may take; some 2 s on an idle machine, more where ten start together.
const START_LIMIT: Duration = Duration::from_secs(90);

/// Leads the emulator's process group, which the functions that the emulator spawns belong to. Its standard input is a pipe held by
/// the test: when the test ends in whatever way, the pipe closes, `read` returns, the folder is removed (nobody else may be left to do
/// it), and the group is killed, itself included. An emulator that ends by itself ends the group too.
const WATCHER: &str = r#"{ "$0" </dev/null; kill -KILL 0; } & read -r _; rm -rf "$1"; kill -KILL 0"#;

/// How the emulator is started.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Enforces IAM for users and roles (the keys `test` / `test` stay root).
    pub auth: bool,
    /// The account's limit of concurrent function runs; the emulator's own by default.
    pub account_concurrency: Option<u32>,
    /// The port to listen on; a free one by default.
    pub port: Option<u16>,
}

/// A port that no other emulator of any test process takes while this value lives. The emulator binds it a second after it was
/// chosen, so "free just now" is not enough. Below the range from which the system picks ports for others.
struct Port {
    number: u16,
    _lock: Option<File>,
}

impl Port {
    fn reserve() -> io::Result<Self> {
        let folder = env::temp_dir().join("testkit-ports");
        std::fs::create_dir_all(&folder)?;
        for number in 20_000..30_000 {
            let lock = File::create(folder.join(number.to_string()))?;
            if lock.try_lock().is_ok() && TcpListener::bind(("127.0.0.1", number)).is_ok() {
                return Ok(Self { number, _lock: Some(lock) });
            }
        }
        Err(io::Error::other("no port of 20000..30000 is free for the emulator"))
    }
}

/// A running emulator: one account (000000000000), all services on one port. Killed on drop with the functions it runs.
pub struct Emulator {
    port: Port,
    watcher: Child,
    // Held only to be closed: the watcher ends the group when it is.
    lifeline: Option<ChildStdin>,
    folder: TempDir,
}

impl Emulator {
    /// Starts an emulator with the default options and waits until it is healthy.
    pub fn start() -> io::Result<Self> {
        Self::start_with(&Options::default())
    }

    /// The emulator that all tests of one process share, for those that keep to names of their own. Ends with the process.
    ///
    /// # Panics
    /// If it does not start: no test that asks for it can go on.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Emulator> = OnceLock::new();
        SHARED.get_or_init(|| Self::start().unwrap_or_else(|error| panic!("{error}")))
    }

    /// Starts an emulator and waits until it is healthy. An error tells what its log says.
    pub fn start_with(options: &Options) -> io::Result<Self> {
        let port = options.port.map_or_else(Port::reserve, |number| Ok(Port { number, _lock: None }))?;
        Self::start_at(port, options, None)
    }

    /// Starts an emulator whose functions, too, call it through a fault proxy: for faults that the fleet meets.
    pub fn start_behind_proxy(options: &Options) -> io::Result<(Self, FaultProxy)> {
        let port = Port::reserve()?;
        let proxy = FaultProxy::start(&format!("http://127.0.0.1:{}", port.number))?;
        let emulator = Self::start_at(port, options, Some(&proxy.url()))?;
        Ok((emulator, proxy))
    }

    fn start_at(port: Port, options: &Options, functions_endpoint: Option<&str>) -> io::Result<Self> {
        let folder = TempDir::with_prefix("emulator-")?;
        let log = File::create(folder.path().join("emulator.log"))?;
        let mut command = Command::new("sh");
        command.args(["-c", WATCHER]).arg(tool("ministack")).arg(folder.path()).envs(environment(
            options,
            port.number,
            functions_endpoint,
            folder.path(),
        ));
        command.current_dir(folder.path()).process_group(0);
        // A profile or a proxy of the user must not reach into a test.
        for name in ["AWS_PROFILE", "AWS_SESSION_TOKEN", "LOCALSTACK_HOSTNAME", "MINISTACK_HOST", "USE_SSL"] {
            command.env_remove(name);
        }
        command.stdin(Stdio::piped()).stdout(log.try_clone()?).stderr(log);
        let mut watcher = command.spawn()?;
        let lifeline = watcher.stdin.take();
        let mut emulator = Self { port, watcher, lifeline, folder };
        emulator.wait_until_healthy()?;
        Ok(emulator)
    }

    /// The endpoint of all services, for `AWS_ENDPOINT_URL`.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port.number)
    }

    /// What a process needs in its environment to take the emulator for AWS, as root.
    pub fn env(&self) -> Vec<(String, String)> {
        aws_env(&self.endpoint())
    }

    /// The emulator's log so far, functions' crashes included.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("emulator.log")).unwrap_or_default()
    }

    /// The id of the process group that the emulator and its functions run in.
    pub fn process_group(&self) -> u32 {
        self.watcher.id()
    }

    /// The ids of the functions' processes that run now, idle ones included: to be killed by a test, with [`kill_process`].
    pub fn function_processes(&self) -> Vec<u32> {
        let group = self.process_group().to_string();
        let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let of_function = processes.filter_map(|process| {
            let stat = std::fs::read_to_string(process.path().join("stat")).ok()?;
            // `id (name) state parent group ...`; a function's program is always called bootstrap.
            let (id, rest) = stat.split_once(" (bootstrap) ")?;
            let mut fields = rest.split(' ');
            let alive = fields.next() != Some("Z");
            (alive && fields.nth(1) == Some(group.as_str())).then(|| id.parse().ok())?
        });
        of_function.collect()
    }

    fn wait_until_healthy(&mut self) -> io::Result<()> {
        let start = Instant::now();
        while start.elapsed() < START_LIMIT && self.watcher.try_wait()?.is_none() {
            if is_healthy(self.port.number).unwrap_or(false) {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(50));
        }
        Err(io::Error::other(format!(
            "the AWS emulator did not become healthy in {:?}; is ministack installed (`make tools`)? its log:\n{}",
            start.elapsed(),
            self.log()
        )))
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        let _ = self.watcher.wait();
    }
}

/// Kills a process with SIGKILL; false if there is none of this id.
pub fn kill_process(id: u32) -> bool {
    let kill = Command::new("kill").args(["-KILL", &id.to_string()]).stderr(Stdio::null()).status();
    kill.is_ok_and(|status| status.success())
}

/// What a process needs in its environment to take `endpoint` for AWS, as the emulator's root.
pub fn aws_env(endpoint: &str) -> Vec<(String, String)> {
    let pairs = [
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ];
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// Where a tool that Python ships is: in `$PROVISION_TOOLS/bin`, else in the workspace's `.venv/bin`, else wherever PATH says.
pub fn tool(name: &str) -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(|root| root.join(".venv"));
    let folders = [env::var_os("PROVISION_TOOLS").map(PathBuf::from), workspace];
    let installed =
        folders.into_iter().flatten().map(|folder| folder.join("bin").join(name)).find(|path| path.exists());
    installed.unwrap_or_else(|| name.into())
}

fn environment(options: &Options, port: u16, functions_endpoint: Option<&str>, folder: &Path) -> Vec<(String, String)> {
    let own = format!("http://127.0.0.1:{port}");
    let mut env = aws_env(functions_endpoint.unwrap_or(&own));
    let mut set = |name: &str, value: String| env.push((name.to_owned(), value));
    set("GATEWAY_PORT", port.to_string());
    set("BIND_HOST", "127.0.0.1".to_owned());
    set("AUTH", options.auth.to_string());
    set("LOG_LEVEL", "WARNING".to_owned());
    for name in ["TMPDIR", "S3_DATA_DIR", "STATE_DIR", "HOME"] {
        set(name, folder.display().to_string());
    }
    if let Some(limit) = options.account_concurrency {
        set("LAMBDA_ACCOUNT_CONCURRENCY", limit.to_string());
    }
    env
}

fn is_healthy(port: u16) -> io::Result<bool> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(b"GET /_ministack/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut status = [0; 12];
    stream.read_exact(&mut status)?;
    Ok(&status == b"HTTP/1.1 200")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group_is_gone(group: u32) -> bool {
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(10) {
            let alive = Command::new("sh").args(["-c", &format!("kill -0 -{group}")]).stderr(Stdio::null()).status();
            if alive.is_ok_and(|status| !status.success()) {
                return true;
            }
            thread::sleep(Duration::from_millis(20));
        }
        false
    }

    #[test]
    fn two_emulators_run_side_by_side_and_die_with_their_values() {
        let (one, two) = thread::scope(|scope| {
            let two = scope.spawn(|| Emulator::start().unwrap());
            (Emulator::start().unwrap(), two.join().unwrap())
        });
        assert_ne!(one.endpoint(), two.endpoint());
        let group = one.process_group();
        drop(one);
        assert!(group_is_gone(group), "process group {group} outlives its emulator");
        assert!(is_healthy(two.port.number).unwrap(), "the other emulator goes on");
    }

    #[test]
    fn a_panicking_test_leaves_no_emulator_behind() {
        let group = std::sync::Mutex::new(0);
        let panicked = thread::scope(|scope| {
            let test = scope.spawn(|| {
                let emulator = Emulator::start().unwrap();
                *group.lock().unwrap() = emulator.process_group();
                panic!("as a failed assertion does");
            });
            test.join().is_err()
        });
        let group = *group.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        assert!(panicked && group_is_gone(group));
    }

    /// Where the process that is killed writes its emulator's group.
    const GROUP_FILE: &str = "TESTKIT_GROUP_FILE";

    #[test]
    #[ignore = "is the process that a_killed_test_process_leaves_no_emulator_behind starts and kills"]
    fn a_process_to_be_killed() {
        let Some(file) = env::var_os(GROUP_FILE).map(PathBuf::from) else { return };
        let emulator = Emulator::start().unwrap();
        std::fs::write(file.with_extension("part"), emulator.process_group().to_string()).unwrap();
        std::fs::rename(file.with_extension("part"), file).unwrap();
        thread::sleep(Duration::from_secs(60));
    }

    #[test]
    fn a_killed_test_process_leaves_no_emulator_behind() {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("group");
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", "emulator::tests::a_process_to_be_killed", "--ignored"]).env(GROUP_FILE, &file);
        let mut process = command.stdout(Stdio::null()).spawn().unwrap();
        while !file.exists() {
            assert_eq!(process.try_wait().unwrap(), None, "it ends before it is killed");
            thread::sleep(Duration::from_millis(20));
        }
        assert!(kill_process(process.id()));
        process.wait().unwrap();
        assert!(group_is_gone(std::fs::read_to_string(file).unwrap().parse().unwrap()));
    }

    #[test]
    fn functions_are_told_to_call_through_the_proxy() {
        let told = |functions_endpoint| {
            let env = environment(&Options::default(), 1, functions_endpoint, Path::new("/"));
            env.into_iter().find(|(name, _)| name == "AWS_ENDPOINT_URL").unwrap().1
        };
        assert_eq!((told(None).as_str(), told(Some("http://proxy")).as_str()), ("http://127.0.0.1:1", "http://proxy"));
    }

    #[test]
    fn functions_are_found_by_name_and_group_and_can_be_killed() {
        let emulator = Emulator::start().unwrap();
        assert_eq!(emulator.function_processes(), [0; 0]);
        // A sleep by a function's name, in the emulator's group.
        let bootstrap = emulator.folder.path().join("bootstrap");
        std::os::unix::fs::symlink("/bin/sleep", &bootstrap).unwrap();
        let mut function = Command::new(bootstrap);
        let group = i32::try_from(emulator.process_group()).unwrap();
        let mut function = function.arg("60").process_group(group).spawn().unwrap();
        while emulator.function_processes() != [function.id()] {
            thread::sleep(Duration::from_millis(20));
        }
        assert!(kill_process(function.id()));
        assert!(!function.wait().unwrap().success());
        assert_eq!(emulator.function_processes(), [0; 0]);
    }
}
