//! What a person is told when a command cannot do its work: one enum, and one match that gives text, exit code and help.

use std::fmt;
use std::path::PathBuf;

use crawler_core::imdb::{IndexError, ManifestError};
use crawler_core::lake::LakeError;
use crawler_core::{CrawlError, with_causes};
use serde_json::{Value, json};

use crate::engine::{EngineError, ProviderError};
use crate::exit;
use crate::fleet::{FleetError, is_no_queue};
use crate::package::PackageError;
use crate::template::{Diagnostic, Diagnostics, LoadError, Position};

/// Why a command ends without having done its work.
#[derive(Debug)]
pub enum Failure {
    /// provision.toml is wrong at a place.
    Config {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What is wrong.
        what: String,
        /// What to do.
        help: String,
    },
    /// The command line, or what it names, is wrong; nothing was changed.
    Usage(Parts),
    /// Something would be deleted or replaced, and nobody can be asked.
    Unconfirmed {
        /// What would happen, to which things.
        what: String,
    },
    /// The person said no.
    Declined {
        /// What would have happened, to which things.
        what: String,
    },
    /// The credentials belong to another account than provision.toml allows (E4).
    WrongAccount {
        /// The account of the credentials.
        found: String,
        /// `account` of provision.toml.
        wanted: String,
    },
    /// A call to AWS failed.
    Aws {
        /// For which resource or purpose.
        which: String,
        /// Why.
        error: ProviderError,
    },
    /// The credentials of a named profile cannot be used.
    Profile {
        /// Its name.
        name: String,
        /// Why.
        error: ProviderError,
    },
    /// `init` has written its file, and the key is not stored.
    KeyNotStored {
        /// The file.
        config: PathBuf,
        /// Why.
        cause: Box<Failure>,
    },
    /// The lake could not be read or written.
    Lake(LakeError),
    /// The template has problems, each with its place.
    Template(Diagnostics),
    /// Resources of these names exist without the stack's tags: logical id and physical id of each.
    NotOurs(Vec<(String, String)>),
    /// These would be put on what has no tags of the stack's, or is not there: logical id and physical id of each.
    OnForeign(Vec<(String, String)>),
    /// A step outside of AWS failed.
    Failed(Parts),
    /// Found a difference or something unhealthy, and `--exit-code` was given. The result is already shown.
    Different,
    /// Failed in part; each failure is already told.
    Incomplete {
        /// The first failure's exit code.
        code: u8,
    },
    /// Ctrl-C, after what was under way has ended.
    Interrupted,
    /// Ctrl-C during what may be cut off anywhere.
    CutOff,
    /// The reader of our standard output has gone.
    ClosedPipe,
}

/// An error's three parts. Lower-case, no full stop.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Parts {
    /// What happened.
    pub what: String,
    /// To which thing.
    pub which: String,
    /// What to do.
    pub help: String,
}

/// A failure as it is told: nothing to say where there are no parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The exit code.
    pub code: u8,
    /// The text.
    pub parts: Option<Parts>,
}

impl Failure {
    /// A mistake on the command line or in what it names; exit code 2.
    pub fn usage(what: impl Into<String>, which: impl Into<String>) -> Self {
        Self::Usage(Parts { what: what.into(), which: which.into(), help: String::new() })
    }

    /// A step that went wrong; exit code 1.
    pub fn failed(what: impl Into<String>, which: impl Into<String>) -> Self {
        Self::Failed(Parts { what: what.into(), which: which.into(), help: String::new() })
    }

    /// A failed call for `which` resource or purpose.
    pub fn aws(which: impl Into<String>, error: ProviderError) -> Self {
        Self::Aws { which: which.into(), error }
    }

    /// Says what to do.
    pub fn help(mut self, text: impl Into<String>) -> Self {
        if let Self::Usage(parts) | Self::Failed(parts) = &mut self {
            parts.help = text.into();
        }
        self
    }

    /// The failure for a program: its three parts, and each problem of a template or of provision.toml with its place.
    pub fn document(&self) -> Value {
        let Told { code, parts } = self.told();
        let mut error = json!(parts);
        match self {
            Self::Template(problems) => {
                error["which"] = problems.file().into();
                error["problems"] = problems.list().iter().map(|problem| placed(problems.file(), problem)).collect();
            }
            Self::Config { path, line, column, what, help } => {
                let problem = Diagnostic::new("", what).help(help).at(Position { line: *line, column: *column });
                error["problems"] = json!([placed(&path.display().to_string(), &problem)]);
            }
            _ => {}
        }
        json!({ "error": error, "exit_code": code })
    }

    /// Exit code, text and help.
    pub fn told(&self) -> Told {
        let told = |code, what: &str, which: &str, help: &str| Told {
            code,
            parts: Some(Parts { what: what.into(), which: which.into(), help: help.into() }),
        };
        let silent = |code| Told { code, parts: None };
        match self {
            Self::Config { path, line, column, what, help } => {
                told(exit::USAGE, what, &format!("{}:{line}:{column}", path.display()), help)
            }
            Self::Usage(parts) => Told { code: exit::USAGE, parts: Some(parts.clone()) },
            Self::Unconfirmed { what } => told(
                exit::USAGE,
                "this needs a yes, and there is no terminal to ask on",
                what,
                "look at it with `provision plan`, then run the command again with --yes",
            ),
            Self::Declined { what } => {
                told(exit::FAILED, "not done: the answer was no", what, "answer y, or give --yes")
            }
            Self::WrongAccount { found, wanted } => told(
                exit::DENIED,
                &format!("these credentials belong to another account: {found}"),
                &format!("account = \"{wanted}\" in provision.toml"),
                "choose the right credentials with --profile or AWS_PROFILE, or change the line",
            ),
            Self::Aws { which, error } => told(code_of(error), &error.to_string(), which, &error.help()),
            Self::Profile { name, error } => told(
                code_of(error),
                &error.to_string(),
                &format!("profile {name}"),
                &format!("check its name in ~/.aws/config; {}", error.help()),
            ),
            Self::KeyNotStored { config, cause } => {
                let Told { code, parts } = cause.told();
                let Parts { what, which, help } = parts.unwrap_or_default();
                let what = format!("{} is written, and the key is not stored: {what}", config.display());
                // What is run again is not `init`.
                let first = help.split(", then run the command again").next().unwrap_or_default();
                let help = match code {
                    exit::INTERRUPTED => "store it: provision secret set".to_owned(),
                    _ => format!("{first}, then: provision secret set"),
                };
                told(code, &what, &which, &help)
            }
            Self::Lake(error) => told(
                if error.denied { exit::DENIED } else { exit::FAILED },
                &format!("cannot {} the lake: {}", error.operation, with_causes(&*error.source)),
                &format!("{}/{}", error.uri, error.key),
                error.hint,
            ),
            Self::Template(problems) => told(
                exit::USAGE,
                &format!("the template has {}", counted(problems.list().len(), "problem")),
                problems.to_string().trim_end(),
                "mend the template, or the value given by --param, a flag or provision.toml, then run the command again",
            ),
            Self::NotOurs(resources) => told(
                exit::NOT_OURS,
                "this exists already and is not this stack's",
                &names(resources),
                "choose another --stack or name, or take it over: provision plan --adopt",
            ),
            Self::OnForeign(resources) => told(
                exit::NOT_OURS,
                "this would be put on something that is not this stack's, or not there",
                &names(resources),
                "let it name a resource of the template by Ref or GetAtt, or allow it: provision plan --adopt",
            ),
            Self::Failed(parts) => Told { code: exit::FAILED, parts: Some(parts.clone()) },
            Self::Different => silent(exit::DIFFERENT),
            Self::Incomplete { code } => silent(*code),
            Self::Interrupted => told(
                exit::INTERRUPTED,
                "interrupted",
                "calls in flight were finished",
                "run the same command again: it goes on from here",
            ),
            Self::CutOff => told(
                exit::INTERRUPTED,
                "interrupted",
                "cut off; what is done stays",
                "run the same command again: it goes on from here",
            ),
            Self::ClosedPipe => silent(exit::DONE),
        }
    }
}

/// A problem for a program; what it has not is null.
fn placed(file: &str, problem: &Diagnostic) -> Value {
    let Diagnostic { position, path, message, help, edge } = problem;
    json!({
        "file": file,
        "line": position.map(|at| at.line),
        "column": position.map(|at| at.column),
        "path": path,
        "what": message,
        "help": help,
        "edge": edge,
    })
}

fn code_of(error: &ProviderError) -> u8 {
    match error {
        ProviderError::Denied { .. } | ProviderError::Credentials { .. } => exit::DENIED,
        _ => exit::FAILED,
    }
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

impl fmt::Display for Parts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.what)?;
        if !self.which.is_empty() {
            write!(formatter, "\n  which: {}", self.which)?;
        }
        if !self.help.is_empty() {
            write!(formatter, "\n  help: {}", self.help)?;
        }
        Ok(())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.told().parts.map_or(Ok(()), |parts| parts.fmt(formatter))
    }
}

impl std::error::Error for Failure {}

impl From<Diagnostics> for Failure {
    fn from(problems: Diagnostics) -> Self {
        Self::Template(problems)
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Invalid(problems) => problems.into(),
            LoadError::Read { path, source } => {
                Self::usage("cannot read the template", format!("{}: {source}", path.display()))
                    .help("name an existing file: --template FILE")
            }
        }
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Template(problems) => problems.into(),
            EngineError::NotOurs { resources } => Self::NotOurs(resources),
            EngineError::OnForeign { resources } => Self::OnForeign(resources),
            EngineError::Provider { logical_id, physical_id, error } if logical_id == physical_id => {
                Self::aws(logical_id, error)
            }
            EngineError::Provider { logical_id, physical_id, error } => {
                Self::aws(format!("{logical_id} ({physical_id})"), error)
            }
            EngineError::ReplaceRefused { logical_id, physical_id, properties } => {
                let what =
                    format!("a change of {} would replace what UpdateReplacePolicy keeps", properties.join(", "));
                Self::usage(what, format!("{logical_id} ({physical_id})"))
                    .help("take the change back, or give the new one another logical id and name")
            }
            EngineError::ReplaceForeign { logical_id, physical_id, properties } => {
                let what = format!("a change of {} would replace what is not this stack's", properties.join(", "));
                Self::usage(what, format!("{logical_id} ({physical_id})"))
                    .help("give it another name, or delete what is there yourself")
            }
            EngineError::Vanished { logical_id, physical_id } => Self::failed(
                "it is gone: what answered for it was still being deleted",
                format!("{logical_id} ({physical_id})"),
            )
            .help("run provision up again: it makes it anew"),
            EngineError::Unusable { logical_id, physical_id, reason } => Self::failed(
                format!("it is as the template says and cannot be used: {reason}"),
                format!("{logical_id} ({physical_id})"),
            )
            .help("mend what AWS names; if it stays so, delete it by hand, and provision up makes it anew"),
            EngineError::ReplaceLosesData { logical_id, physical_id } => {
                Self::usage("a change would replace what holds data", format!("{logical_id} ({physical_id})")).help(
                    "take the change back, empty it first if it is a bucket, or give the new one another logical id",
                )
            }
            EngineError::NotReplaced { logical_id, physical_id, error } => {
                let which = format!("{logical_id} ({physical_id})");
                Self::failed(format!("it is replaced by deleting it first, and {error}"), which)
                    .help("if something still uses it, give it another logical id: the new one is then made first, and this one goes last")
            }
            EngineError::UnknownType { type_name, logical_id } => {
                Self::failed(format!("there is no provider of the type {type_name}"), logical_id)
                    .help("a newer provision may know it; nothing was done with it")
            }
        }
    }
}

impl From<FleetError> for Failure {
    fn from(error: FleetError) -> Self {
        match error {
            FleetError::Queue(error) if is_no_queue(&error) => {
                Self::failed("the stack has no queues", "the jobs queue and its dead letters")
                    .help("make the stack first: provision up")
            }
            FleetError::Queue(error) => Self::aws("the queues", error),
            FleetError::NothingSelected { .. } | FleetError::NoOutput { .. } => {
                Self::usage(error.to_string(), error.which()).help(error.help())
            }
            FleetError::Lake(error)
            | FleetError::Object(CrawlError::Lake(error))
            | FleetError::Index(IndexError::Lake(error))
            | FleetError::Manifest(ManifestError::Lake(error)) => Self::from(error),
            FleetError::Index(IndexError::Unreadable { uri, source }) => {
                Self::failed(format!("the titles cannot be read: {}", with_causes(&source)), uri)
                    .help("check that the source is whole and can be reached, then try again; nothing was changed")
            }
            error => Self::failed(with_causes(&error), error.which()).help(error.help()),
        }
    }
}

impl From<LakeError> for Failure {
    fn from(error: LakeError) -> Self {
        Self::Lake(error)
    }
}

impl From<PackageError> for Failure {
    fn from(error: PackageError) -> Self {
        Self::failed("the function cannot be packaged", error.to_string()).help(error.help())
    }
}

/// A failed write to our own output.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::ClosedPipe,
            _ => Self::failed("cannot write the output", error.to_string()).help("check the disk and the terminal"),
        }
    }
}

/// `JobsQueue (films-jobs)`, of each.
fn names(resources: &[(String, String)]) -> String {
    resources.iter().map(|(id, name)| format!("{id} ({name})")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_lake(denied: bool) -> LakeError {
        let source = "the store's words".into();
        LakeError {
            operation: "write",
            uri: "s3://lake".into(),
            key: "k".into(),
            hint: "mend it",
            denied,
            is_no_lake: false,
            source,
        }
    }

    #[test]
    fn each_kind_of_failure_has_its_exit_code() {
        let denied = ProviderError::Denied { operation: "lambda:CreateFunction".into(), message: "no".into() };
        let expired = ProviderError::Credentials { message: "expired".into() };
        let network = ProviderError::Network { operation: "sts:GetCallerIdentity".into(), message: "timeout".into() };
        for (failure, code) in [
            (Failure::usage("a", "b"), 2),
            (Failure::Unconfirmed { what: "delete Jobs".into() }, 2),
            (Failure::aws("Function", denied), 4),
            (Failure::aws("the caller", expired), 4),
            (Failure::aws("the caller", network), 1),
            (Failure::WrongAccount { found: "1".into(), wanted: "2".into() }, 4),
            (of_lake(true).into(), 4),
            (of_lake(false).into(), 1),
            (Failure::Different, 3),
            (Failure::Incomplete { code: 1 }, 1),
            (Failure::Interrupted, 130),
            (Failure::CutOff, 130),
            (Failure::ClosedPipe, 0),
        ] {
            assert_eq!(failure.told().code, code, "{failure:?}");
        }
    }

    #[test]
    fn what_init_has_done_is_told_beside_what_it_could_not_do() {
        let error = ProviderError::Credentials { message: "none found".into() };
        let cause = Box::new(Failure::Profile { name: "nope".into(), error });
        let failure = Failure::KeyNotStored { config: "provision.toml".into(), cause };
        assert_eq!(failure.told().code, exit::DENIED);
        let text = failure.to_string();
        for words in ["provision.toml is written", "none found", "which: profile nope", "~/.aws/config", "secret set"] {
            assert!(text.contains(words), "{text}");
        }
    }

    #[test]
    fn a_told_failure_has_three_parts() {
        let error = ProviderError::Denied { operation: "lambda:CreateFunction".into(), message: "no".into() };
        let text = Failure::aws("Function (AWS::Lambda::Function)", error).to_string();
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[0].starts_with("lambda:CreateFunction is not allowed"), "{text}");
        assert_eq!(lines[1], "  which: Function (AWS::Lambda::Function)");
        assert!(lines[2].starts_with("  help: allow lambda:CreateFunction"), "{text}");
    }
}
