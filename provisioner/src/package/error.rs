//! Why there is no zip.

use std::path::{Path, PathBuf};

use crate::engine::ProviderError;

/// Why there is no zip. Texts are lower-case; what to do is in [`PackageError::help`].
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// A file cannot be read or written.
    #[error("cannot {verb} {}: {source}", .path.display())]
    File {
        /// `read` or `write`.
        verb: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A build by other means than cargo-lambda.
    #[error("the BuildMethod `{method}` is not known")]
    BuildMethod {
        /// As the Metadata says.
        method: String,
    },
    /// An architecture that Lambda has not.
    #[error("Lambda has no architecture `{name}`")]
    Architecture {
        /// As the template says.
        name: String,
    },
    /// A program that the build needs.
    #[error("cannot start {program}: {source}")]
    Tool {
        /// Its name.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// The cargo project has no such binary, or more than one to choose from.
    #[error("{} has no single binary {wanted}; it has: {found}", .project.display())]
    Binary {
        /// The folder of the Cargo.toml.
        project: PathBuf,
        /// What was looked for.
        wanted: String,
        /// What there is.
        found: String,
    },
    /// The build failed.
    #[error("{what} failed\n{output}")]
    Build {
        /// The program and what for.
        what: String,
        /// The end of what it said.
        output: String,
    },
    /// Something that is no zip.
    #[error("{} cannot be read or written as a zip: {source}", .path.display())]
    Zip {
        /// The file.
        path: PathBuf,
        /// Why.
        source: zip::result::ZipError,
    },
    /// Lambda would refuse it, or take it and never run it.
    #[error("{}: {what}", .path.display())]
    Unfit {
        /// The zip.
        path: PathBuf,
        /// What is wrong.
        what: String,
        /// What to do.
        help: String,
    },
}

impl PackageError {
    pub(super) fn file(verb: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::File { verb, path: path.to_owned(), source }
    }

    /// What the person can do about it.
    pub fn help(&self) -> &str {
        match self {
            Self::File { verb: "read", .. } => "check `Code` in the template: its path is relative to the template",
            Self::File { .. } => "check the disk's space and the folder's rights",
            Self::BuildMethod { .. } => {
                "write `BuildMethod: rust-cargolambda`, or name a finished zip and no BuildMethod"
            }
            Self::Architecture { .. } => "write x86_64 or arm64",
            Self::Tool { .. } => "`make tools` installs cargo-lambda and zig; Rust comes from https://rustup.rs",
            Self::Binary { .. } => "name one of them: Metadata, BuildProperties, Binary",
            Self::Build { .. } => "mend what the build says; for another processor: rustup target add TARGET",
            Self::Zip { .. } => "make it anew; `unzip -t` tells whether it is whole",
            Self::Unfit { help, .. } => help,
        }
    }

    /// The same, as a provider tells it.
    pub fn refused(&self) -> ProviderError {
        ProviderError::refused(self.to_string(), self.help())
    }
}
