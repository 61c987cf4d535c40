//! From what a function's `Code` names to the zip that Lambda takes: the same source gives the same bytes (E19).
//!
//! A zip is taken as it is, a folder is zipped, a cargo project is built with cargo-lambda first. SAM's Metadata
//! (`BuildMethod: rust-cargolambda`, `BuildProperties.Binary`) says that a zip is made by a build, and of which binary.

mod archive;
mod build;
mod elf;
mod error;
mod project;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use bytes::Bytes;
use serde_json::Value;
use sha2::{Digest, Sha256};

pub use build::{Tool, toolchain};
pub use elf::Architecture;
pub use error::PackageError;

use project::Project;

/// What a zip may weigh to be sent in the call itself (E20).
pub(crate) const ZIPPED: u64 = 52_428_800;
/// What its files may weigh together (E20).
const UNZIPPED: u64 = 262_144_000;

/// A function's code, as its resource in a template describes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Function {
    /// Where `Code` leads: a zip, a folder, a cargo project.
    pub code: PathBuf,
    /// For which processor.
    pub architecture: Architecture,
    /// Whether the runtime starts a `bootstrap` of ours (`provided...`).
    pub bootstrap: bool,
    /// The binary to build, where the Metadata says that a build makes the zip.
    pub build: Option<Build>,
}

/// SAM's way to say how a function is built.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Build {
    /// `BuildProperties.Binary`; the package's only binary where it is not said.
    pub binary: Option<String>,
}

/// A zip that Lambda would run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zip {
    /// Where it stands; the folder where it was zipped in memory.
    pub path: PathBuf,
    /// Its content.
    pub bytes: Bytes,
    /// What its files weigh.
    pub unzipped: u64,
}

/// Who listens to what a build says.
pub type Say = Arc<dyn Fn(&str) + Send + Sync>;

impl Function {
    /// Reads `path` (relative to `folder`, the template's), a function's properties and its Metadata.
    ///
    /// # Errors
    /// A BuildMethod or an architecture that is not known.
    pub fn new(folder: &Path, path: &str, properties: &Value, metadata: &Value) -> Result<Self, PackageError> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let architecture = properties.pointer("/Architectures/0").and_then(text).unwrap_or_else(|| "x86_64".into());
        let build = match metadata.get("BuildMethod").and_then(text) {
            None => None,
            Some(method) if method == "rust-cargolambda" => {
                Some(Build { binary: metadata.pointer("/BuildProperties/Binary").and_then(text) })
            }
            Some(method) => return Err(PackageError::BuildMethod { method }),
        };
        Ok(Self {
            code: normal(&folder.join(path)),
            architecture: Architecture::from_name(&architecture)?,
            bootstrap: properties
                .get("Runtime")
                .and_then(Value::as_str)
                .is_none_or(|name| name.starts_with("provided")),
            build,
        })
    }

    /// Whether a build may make the zip, so that there is none to look at before.
    pub fn is_built(&self) -> bool {
        self.build.is_some() || self.code.join("Cargo.toml").is_file()
    }

    /// Makes the zip, building first where a build makes it. `say` hears what is built; nothing where all is there.
    ///
    /// # Errors
    /// What is missing, does not build, or would not run.
    pub async fn package(&self, say: &Say) -> Result<Zip, PackageError> {
        let zip = match Project::find(self).await? {
            Some(project) => {
                let binary = build::build(&project, self.architecture, say).await?;
                self.zip_binary(&project, &binary)?
            }
            None if self.code.is_dir() => {
                let entries = archive::entries_of(&self.code)?;
                let unzipped = archive::weight(&entries);
                Zip { path: self.code.clone(), bytes: archive::zip(entries)?.into(), unzipped }
            }
            None => {
                let bytes = read(&self.code)?;
                Zip { path: self.code.clone(), unzipped: archive::unzipped(&self.code, &bytes)?, bytes: bytes.into() }
            }
        };
        self.check(&zip)?;
        Ok(zip)
    }

    fn zip_binary(&self, project: &Project, binary: &Path) -> Result<Zip, PackageError> {
        let content = read(binary)?;
        let unzipped = content.len() as u64;
        let bytes = archive::zip(vec![archive::Entry { name: "bootstrap".into(), executable: true, content }])?;
        let path = match self.code.extension() {
            Some(extension) if extension == "zip" => self.code.clone(),
            _ => project.target.join("lambda").join(format!("{}.zip", project.binary)),
        };
        archive::write(&path, &bytes)?;
        Ok(Zip { path, bytes: bytes.into(), unzipped })
    }

    /// Refuses what Lambda would refuse, or take and never run (E20 to E23).
    fn check(&self, zip: &Zip) -> Result<(), PackageError> {
        let unfit =
            |what: String, help: &str| Err(PackageError::Unfit { path: zip.path.clone(), what, help: help.to_owned() });
        let size = zip.bytes.len() as u64;
        if size > ZIPPED {
            return unfit(
                format!("the zip has {size} bytes, Lambda takes {ZIPPED} (E20)"),
                "strip it, or leave files out",
            );
        }
        if zip.unzipped > UNZIPPED {
            let what = format!("unzipped it has {} bytes, Lambda takes {UNZIPPED} (E20)", zip.unzipped);
            return unfit(what, "strip it, or leave files out");
        }
        if !self.bootstrap {
            return Ok(());
        }
        let Some(bootstrap) = archive::bootstrap(&zip.path, &zip.bytes)? else {
            return unfit(
                "there is no `bootstrap` at its root (E23)".into(),
                "name the executable bootstrap, in no folder",
            );
        };
        if !bootstrap.executable {
            return unfit("its `bootstrap` is not executable (E23)".into(), "chmod 755 bootstrap before zipping");
        }
        elf::check(&bootstrap.content, self.architecture)
            .or_else(|fault| unfit(fault.to_string(), "build it for provided.al2023: `provision package` does"))
    }
}

impl Zip {
    /// Base64 of the SHA-256, as Lambda's `CodeSha256` (E19).
    pub fn sha256_base64(&self) -> String {
        base64::engine::general_purpose::STANDARD.encode(Sha256::digest(&self.bytes))
    }

    /// The SHA-256 as `sha256sum` prints it.
    pub fn sha256_hex(&self) -> String {
        crate::digest::hex(&self.bytes, 32)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, PackageError> {
    std::fs::read(path).map_err(|error| PackageError::file("read", path, error))
}

/// The path without `..` where names allow it: `templates/../target` is `target`.
fn normal(path: &Path) -> PathBuf {
    use std::path::Component;
    let mut parts: Vec<Component<'_>> = Vec::new();
    for part in path.components() {
        match (part, parts.last()) {
            (Component::ParentDir, Some(Component::Normal(_))) => drop(parts.pop()),
            (Component::CurDir, _) => {}
            _ => parts.push(part),
        }
    }
    if parts.is_empty() { ".".into() } else { parts.iter().collect() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn function(path: &str, folder: &Path) -> Function {
        Function::new(folder, path, &json!({ "Runtime": "provided.al2023" }), &Value::Null).unwrap()
    }

    async fn told(function: &Function) -> String {
        let silent: Say = Arc::new(|_| ());
        function.package(&silent).await.unwrap_err().to_string()
    }

    #[test]
    fn a_function_says_what_is_built_for_what() {
        let metadata = json!({ "BuildMethod": "rust-cargolambda", "BuildProperties": { "Binary": "crawler" } });
        let properties = json!({ "Architectures": ["arm64"], "Runtime": "provided.al2023" });
        let function =
            Function::new(Path::new("templates"), "../target/lambda/crawler.zip", &properties, &metadata).unwrap();
        assert_eq!(function.code, Path::new("target/lambda/crawler.zip"));
        assert_eq!(function.architecture, Architecture::Arm64);
        assert_eq!(function.build.unwrap().binary.as_deref(), Some("crawler"));
        assert!(Function::new(Path::new(""), "x", &properties, &json!({ "BuildMethod": "makefile" })).is_err());
    }

    #[tokio::test]
    async fn e23_a_folder_without_bootstrap_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("main.py"), "").unwrap();
        let told = told(&function(".", folder.path())).await;
        assert!(told.contains("no `bootstrap`"), "{told}");
    }

    #[tokio::test]
    async fn e20_a_zip_above_lambdas_limit_is_refused_before_any_call() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = zip::ZipWriter::new(std::fs::File::create(folder.path().join("big.zip")).unwrap());
        let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        writer.start_file("bootstrap", stored.unix_permissions(0o755)).unwrap();
        std::io::Write::write_all(&mut writer, &vec![0; 51 << 20]).unwrap();
        writer.finish().unwrap();
        let told = told(&function("big.zip", folder.path())).await;
        assert!(told.contains("E20") && told.contains("52428800"), "{told}");
    }

    #[tokio::test]
    async fn a_code_path_that_leads_nowhere_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let told = told(&function("lost.zip", folder.path())).await;
        assert!(told.contains("lost.zip"), "{told}");
    }
}
