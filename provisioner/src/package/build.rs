//! cargo-lambda, with zig as linker for the pinned glibc, so that the binary depends on source and toolchain alone.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use super::project::Project;
use super::{Architecture, PackageError, Say};

/// How much of a failed build's last words is shown.
const LINES: usize = 40;

/// Builds the binary and gives its path. Nothing to do is cargo's own finding, in less than a second.
pub(super) async fn build(project: &Project, architecture: Architecture, say: &Say) -> Result<PathBuf, PackageError> {
    let lambda = project.target.join("lambda");
    let mut command = command(project);
    command
        .args(["lambda", "build", "--profile", project.profile, "--disable-optimizations", "--color", "never"])
        .args(["--package", &project.package, "--bin", &project.binary, "--target", &architecture.target()])
        .arg("--lambda-dir")
        .arg(&lambda);
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    let mut child = command.spawn().map_err(|source| PackageError::Tool { program: program.clone(), source })?;
    let mut said = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        let mut lines = BufReader::new(stderr).split(b'\n');
        let mut compiles = false;
        while let Ok(Some(line)) = lines.next_segment().await {
            // A path may be in any encoding; were the rest not read, the build would wait for it.
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            // Where nothing is to build there is nothing to tell.
            compiles |= line.trim_start().starts_with("Compiling");
            if compiles {
                say(&format!("building {} for {}: {}", project.binary, architecture.name(), line.trim()));
            }
            said.push(line);
        }
    }
    let status = child.wait().await.map_err(|source| PackageError::Tool { program: program.clone(), source })?;
    if !status.success() {
        let output = said[said.len().saturating_sub(LINES)..].join("\n");
        return Err(PackageError::Build { what: format!("{program} of `{}`", project.binary), output });
    }
    Ok(lambda.join(&project.binary).join("bootstrap"))
}

fn command(project: &Project) -> Command {
    let tools = tools(&project.root);
    let mut command = match &tools {
        Some(folder) => Command::new(folder.join("cargo-lambda")),
        None => Command::new("cargo-lambda"),
    };
    command
        .current_dir(&project.root)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        // Flags of the person's own would make other bytes, and host CPU flags a binary that does not start (E22).
        .env(
            "CARGO_ENCODED_RUSTFLAGS",
            remaps(project).map(|(from, to)| format!("--remap-path-prefix={from}={to}")).join("\x1f"),
        )
        .env("CFLAGS", remaps(project).map(|(from, to)| format!("-ffile-prefix-map={from}={to}")).join(" "));
    if let Some(tools) = tools {
        // cargo-zigbuild finds zig as the module `ziglang` of the python3 that comes first.
        command.envs(search_path(Some(tools)).map(|path| ("PATH", path)));
    }
    command
}

/// What stands in the binary instead of this machine's folders.
fn remaps(project: &Project) -> [(String, &'static str); 3] {
    let cargo_home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo_home = cargo_home.unwrap_or_else(|| std::env::home_dir().unwrap_or_default().join(".cargo"));
    [
        (project.root.display().to_string(), "/build"),
        (project.target.display().to_string(), "/build/target"),
        (cargo_home.display().to_string(), "/cargo"),
    ]
}

/// A program that a build needs.
pub struct Tool {
    /// For people.
    pub name: &'static str,
    /// How to get it.
    pub help: &'static str,
    words: &'static [&'static str],
}

/// All that a build needs.
pub fn toolchain() -> [Tool; 3] {
    let make = "`make tools` installs it into .venv";
    [
        Tool { name: "cargo", help: "install Rust: https://rustup.rs", words: &["cargo", "--version"] },
        Tool { name: "cargo-lambda", help: make, words: &["cargo-lambda", "lambda", "--version"] },
        Tool { name: "zig", help: make, words: &["python3", "-m", "ziglang", "version"] },
    ]
}

impl Tool {
    /// What it says of its version, where a build in the current folder would find it.
    ///
    /// # Errors
    /// That it cannot be started, or what it complains of.
    pub async fn version(&self) -> Result<String, String> {
        let [program, words @ ..] = self.words else { return Err(format!("{} has no command", self.name)) };
        let mut command = Command::new(program);
        command.args(words).stdin(Stdio::null()).kill_on_drop(true);
        if let Some(path) = search_path(tools(Path::new(""))) {
            command.env("PATH", path);
        }
        let output = command.output().await.map_err(|error| format!("{program} cannot be started: {error}"))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).lines().last().unwrap_or_default().trim().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }
}

/// The PATH with the tools' folder first.
fn search_path(tools: Option<PathBuf>) -> Option<OsString> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(tools.into_iter().chain(std::env::split_paths(&path))).ok()
}

/// The folder of the tools that `make tools` installs, if it has them: $PROVISION_TOOLS/bin, else .venv/bin.
fn tools(root: &Path) -> Option<PathBuf> {
    let venv = std::env::var_os("PROVISION_TOOLS").map_or_else(|| root.join(".venv"), PathBuf::from);
    let folder = venv.join("bin");
    folder.join("cargo-lambda").is_file().then_some(folder)
}
