//! Why the fleet could not be fed or looked at.

use crawler_core::CrawlError;
use crawler_core::imdb::{IndexError, ManifestError};
use crawler_core::lake::LakeError;

use crate::engine::ProviderError;

/// A failed step of `launch`, `status`, `simulate` or `run`.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// The template is not one of a crawl.
    #[error("the template has no output {name}")]
    NoOutput {
        /// The output's name.
        name: &'static str,
    },
    /// A call to SQS failed.
    #[error(transparent)]
    Queue(#[from] ProviderError),
    /// SQS refused single messages for good.
    #[error("SQS refused {count} messages: {reason}")]
    Refused {
        /// How many.
        count: usize,
        /// SQS's reason for the first of them.
        reason: String,
    },
    /// SQS's own task that moves dead letters did not move them all.
    #[error("the task that moves the dead letters ended early: {reason}")]
    TaskEnded {
        /// SQS's words.
        reason: String,
    },
    /// Nothing gives jobs to the functions.
    #[error("there is no mapping from the jobs queue to the function")]
    NoMapping,
    /// The lake could not be read or written.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// An object of the lake could not be read.
    #[error(transparent)]
    Object(#[from] CrawlError),
    /// The index could not be made.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The manifest could not be read.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// No job is of the year and initial that were asked for.
    #[error("no job of the index is among {asked}")]
    NothingSelected {
        /// The years and initials.
        asked: String,
    },
}

impl FleetError {
    /// To which thing it happened.
    pub fn which(&self) -> &'static str {
        match self {
            Self::NoOutput { .. } => "the template's Outputs",
            Self::Queue(_) => "the queues",
            Self::Refused { .. } | Self::NoMapping => "the jobs queue",
            Self::TaskEnded { .. } => "the dead letters",
            Self::Lake(_) | Self::Object(_) => "the lake",
            Self::Index(_) | Self::Manifest(_) | Self::NothingSelected { .. } => "the index of titles",
        }
    }

    /// Whether the same may go well later though nobody does anything.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Queue(error) => {
                !matches!(error, ProviderError::Denied { .. } | ProviderError::Credentials { .. })
                    && !is_no_queue(error)
            }
            Self::Lake(error)
            | Self::Object(CrawlError::Lake(error))
            | Self::Index(IndexError::Lake(error))
            | Self::Manifest(ManifestError::Lake(error)) => !error.denied,
            _ => false,
        }
    }

    /// What the person can do about it.
    pub fn help(&self) -> String {
        match self {
            Self::NoOutput { name } => {
                format!("launch, status and run want a crawl: add the output {name} as templates/crawler.yaml has it")
            }
            Self::Queue(error) => error.help(),
            Self::TaskEnded { .. } => "what was not moved is still a dead letter; run provision redrive again".into(),
            Self::NoMapping => "make the stack first: provision up".into(),
            Self::Refused { .. } => {
                "mend the cause that SQS names, then launch again: only what was not accepted is sent".into()
            }
            Self::Lake(_) | Self::Object(_) => {
                "check that the stack is up (provision status) and that the bucket may be read and written".into()
            }
            Self::Index(_) | Self::Manifest(_) => "the index that was there before still is".into(),
            Self::NothingSelected { .. } => "see the years and initials that there are: provision verify --json".into(),
        }
    }
}

/// SQS has two names for this (E2).
pub(crate) fn is_no_queue(error: &ProviderError) -> bool {
    error.is("AWS.SimpleQueueService.NonExistentQueue") || error.is("QueueDoesNotExist")
}
