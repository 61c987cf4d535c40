//! The cargo project that a function is built from, as `cargo metadata` knows it.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Build, Function, PackageError};

/// A binary of a cargo workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Project {
    /// The workspace's root.
    pub root: PathBuf,
    /// Where cargo builds.
    pub target: PathBuf,
    /// The package.
    pub package: String,
    /// The binary.
    pub binary: String,
    /// The profile that it is built with.
    pub profile: &'static str,
}

/// A workspace that has a profile of this name builds its functions with it: a function is small first, a tool fast.
const OF_FUNCTIONS: &str = "lambda";

impl Project {
    /// The project of a function, if one makes its zip: `Code` is a folder with a Cargo.toml, or the Metadata says that
    /// a build makes the zip and there is a Cargo.toml above it.
    pub async fn find(function: &Function) -> Result<Option<Self>, PackageError> {
        let manifest = function.code.join("Cargo.toml");
        if manifest.is_file() {
            let build = function.build.clone().unwrap_or(Build { binary: None });
            return Self::read(&manifest, &build).await.map(Some);
        }
        let Some(build) = &function.build else {
            return Ok(None);
        };
        let absolute =
            std::path::absolute(&function.code).map_err(|error| PackageError::file("read", &function.code, error))?;
        match absolute.ancestors().skip(1).map(|folder| folder.join("Cargo.toml")).find(|path| path.is_file()) {
            Some(manifest) => Self::read(&manifest, build).await.map(Some),
            // The zip came without its source.
            None => Ok(None),
        }
    }

    async fn read(manifest: &Path, build: &Build) -> Result<Self, PackageError> {
        let output = tokio::process::Command::new("cargo")
            .args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"])
            .arg(manifest)
            .output()
            .await
            .map_err(|source| PackageError::Tool { program: "cargo".into(), source })?;
        let failed =
            |output: String| PackageError::Build { what: format!("cargo metadata of {}", manifest.display()), output };
        if !output.status.success() {
            return Err(failed(String::from_utf8_lossy(&output.stderr).into_owned()));
        }
        let metadata: Value = serde_json::from_slice(&output.stdout).map_err(|error| failed(error.to_string()))?;
        let project = Self::choose(&metadata, manifest, build)?;
        let root = project.root.join("Cargo.toml");
        // Metadata does not tell of profiles.
        let text = std::fs::read_to_string(&root).map_err(|error| PackageError::file("read", &root, error))?;
        Ok(Self { profile: profile(&text), ..project })
    }

    /// The binary that is named; the only one of the manifest's own package where none is.
    fn choose(metadata: &Value, manifest: &Path, build: &Build) -> Result<Self, PackageError> {
        let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
        let binaries = binaries(metadata);
        let absolute = std::path::absolute(manifest).unwrap_or_else(|_| manifest.to_owned());
        let chosen: Vec<_> = binaries
            .iter()
            .filter(|(package, binary)| match &build.binary {
                Some(wanted) => binary == wanted,
                None => Path::new(&text(package, "manifest_path")) == absolute,
            })
            .collect();
        let [(package, binary)] = chosen[..] else {
            return Err(PackageError::Binary {
                project: manifest.parent().unwrap_or(manifest).to_owned(),
                wanted: build.binary.as_ref().map(|name| format!("`{name}`")).unwrap_or_default(),
                found: binaries.iter().map(|(_, binary)| binary.as_str()).collect::<Vec<_>>().join(", "),
            });
        };
        Ok(Self {
            root: text(metadata, "workspace_root").into(),
            target: text(metadata, "target_directory").into(),
            package: text(package, "name"),
            binary: binary.clone(),
            profile: "release",
        })
    }
}

/// The profile that a workspace with this manifest builds its functions with.
fn profile(manifest: &str) -> &'static str {
    let manifest = toml::from_str::<toml::Table>(manifest).unwrap_or_default();
    let has_own = manifest.get("profile").is_some_and(|profiles| profiles.get(OF_FUNCTIONS).is_some());
    if has_own { OF_FUNCTIONS } else { "release" }
}

/// Every binary of the workspace, with its package.
fn binaries(metadata: &Value) -> Vec<(&Value, String)> {
    let mut binaries = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let targets = package["targets"].as_array().into_iter().flatten();
        let names = targets.filter(|target| target["kind"][0] == "bin").filter_map(|target| target["name"].as_str());
        binaries.extend(names.map(|name| (package, name.to_owned())));
    }
    binaries
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn choose(manifest: &str, binary: Option<&str>) -> Result<String, String> {
        let metadata = json!({ "workspace_root": "/w", "target_directory": "/w/target", "packages": [
            { "name": "crawler", "manifest_path": "/w/function/Cargo.toml",
              "targets": [{ "kind": ["bin"], "name": "crawler" }] },
            { "name": "shared", "manifest_path": "/w/shared/Cargo.toml",
              "targets": [{ "kind": ["lib"], "name": "shared" }] },
        ]});
        Project::choose(&metadata, Path::new(manifest), &Build { binary: binary.map(str::to_owned) })
            .map(|project| project.binary)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_named_binary_is_found_anywhere_in_the_workspace() {
        assert_eq!(choose("/w/Cargo.toml", Some("crawler")).as_deref(), Ok("crawler"));
    }

    #[test]
    fn a_profile_named_lambda_goes_before_release() {
        assert_eq!(profile("[profile.lambda]\ninherits = \"release\"\n"), "lambda");
        assert_eq!(profile("[profile.release]\nlto = \"fat\"\n"), "release");
    }

    #[test]
    fn the_only_binary_of_a_package_needs_no_name() {
        assert_eq!(choose("/w/function/Cargo.toml", None).as_deref(), Ok("crawler"));
    }

    #[test]
    fn a_wrong_name_is_told_with_those_that_there_are() {
        let told = choose("/w/Cargo.toml", Some("crawlr")).unwrap_err();
        assert!(told.contains("`crawlr`") && told.contains("it has: crawler"), "{told}");
    }
}
