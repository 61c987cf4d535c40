//! What can go wrong when TMDb is asked, told apart by what a crawler does about it.

use std::{sync::Arc, time::Duration};

use serde::Deserialize;

/// TMDb gave no usable answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TmdbError {
    /// The key is refused (401, or 403 where nothing but the key is asked about). No request helps until there is a new one.
    #[error("TMDb refuses the key ({status}: {message}); store a valid one with `provision secret set`")]
    Unauthorized {
        /// The HTTP status.
        status: u16,
        /// TMDb's words.
        message: String,
    },
    /// Too many requests (429), again and again.
    #[error(
        "TMDb answers that there are too many requests; lower the rate, and see that nobody else uses the same address or key"
    )]
    RateLimited {
        /// How long TMDb asked to wait.
        retry_after: Option<Duration>,
    },
    /// TMDb cannot be reached, or answers 5xx, also when asked again.
    #[error("TMDb does not answer ({cause}); check the network and https://status.themoviedb.org")]
    Unavailable {
        /// The HTTP status, where there was an answer.
        status: Option<u16>,
        /// What went wrong, without URLs.
        cause: Arc<str>,
        /// How long TMDb asked to wait.
        retry_after: Option<Duration>,
        /// Whether nothing else got an answer either, so that it is nobody's fault but TMDb's or the network's.
        systemic: bool,
    },
    /// There is no such thing (404).
    #[error("TMDb has no {path}; it may have been removed there")]
    NotFound {
        /// The path that was asked for.
        path: String,
    },
    /// The request was refused (any other 4xx).
    #[error("TMDb refuses the request for {path} ({status}: {message})")]
    Rejected {
        /// The path that was asked for.
        path: String,
        /// The HTTP status.
        status: u16,
        /// TMDb's words.
        message: String,
    },
    /// The answer is not what TMDb's description says.
    #[error("TMDb's answer for {path} cannot be read ({cause})")]
    Malformed {
        /// The path that was asked for.
        path: String,
        /// What is wrong with it.
        cause: Arc<str>,
    },
    /// The client could not be made.
    #[error("cannot ask TMDb at {base_url} ({cause}); check the URL and the key's form")]
    Setup {
        /// TMDb's URL, as set.
        base_url: String,
        /// What is wrong.
        cause: Arc<str>,
    },
}

impl TmdbError {
    /// Not one usable answer in all the time that there was.
    pub(crate) fn silent() -> Self {
        let cause = "no usable answer in all the time of a delivery".into();
        Self::Unavailable { status: None, cause, retry_after: None, systemic: true }
    }

    /// This, where nothing else gets an answer either.
    pub(super) fn of_all(mut self) -> Self {
        if let Self::Unavailable { systemic, .. } = &mut self {
            *systemic = true;
        }
        self
    }

    /// No usable answer for one film, while there are others.
    pub(crate) fn of_one_film() -> Self {
        let cause = "no usable answer for this film in two deliveries, while TMDb answers".into();
        Self::Unavailable { status: None, cause, retry_after: None, systemic: false }
    }

    /// Whether it concerns every title alike, so that a job must stop.
    pub fn is_systemic(&self) -> bool {
        match self {
            Self::Unauthorized { .. } | Self::RateLimited { .. } | Self::Setup { .. } => true,
            Self::Unavailable { systemic, .. } => *systemic,
            Self::NotFound { .. } | Self::Rejected { .. } | Self::Malformed { .. } => false,
        }
    }

    /// The HTTP status, where there was an answer.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Unauthorized { status, .. } | Self::Rejected { status, .. } => Some(*status),
            Self::RateLimited { .. } => Some(429),
            Self::Unavailable { status, .. } => *status,
            Self::NotFound { .. } => Some(404),
            Self::Malformed { .. } => Some(200),
            Self::Setup { .. } => None,
        }
    }
}

/// TMDb's words about an error: a code and a message, or a list of messages; an edge server may send anything.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Words {
    status_code: Option<u32>,
    status_message: Option<String>,
    errors: Vec<String>,
}

/// The error of an answer that is not 200.
pub(super) fn of_status(path: &str, status: u16, retry_after: Option<Duration>, body: &[u8]) -> TmdbError {
    let words: Words = serde_json::from_slice(body).unwrap_or_default();
    let message = words.status_message.or_else(|| words.errors.into_iter().next());
    let message = message.unwrap_or_else(|| "no reason given".to_owned());
    let message: String = message.chars().take(200).collect();
    let message = match words.status_code {
        Some(code) => format!("code {code}, {message}"),
        None => message,
    };
    // An edge server may refuse one film with 403; that it is the key is told by the path that asks for nothing else.
    let of_key = status == 401 || (status == 403 && path.ends_with("/authentication"));
    let path = path.to_owned();
    match status {
        _ if of_key => TmdbError::Unauthorized { status, message },
        404 => TmdbError::NotFound { path },
        429 => TmdbError::RateLimited { retry_after },
        408 | 500..=599 => TmdbError::Unavailable {
            status: Some(status),
            cause: format!("{status}: {message}").into(),
            retry_after,
            systemic: false,
        },
        _ => TmdbError::Rejected { path, status, message },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_classified_by_status_first() {
        let of = |status, body: &str| of_status("/3/find/tt0000001", status, None, body.as_bytes());
        let invalid =
            r#"{"status_code":7,"status_message":"Invalid API key: You must be granted a valid key.","success":false}"#;
        let error = of(401, invalid);
        assert!(error.is_systemic());
        assert!(error.to_string().contains("(401: code 7, Invalid API key"), "{error}");
        assert!(matches!(of(503, "<html>"), TmdbError::Unavailable { status: Some(503), systemic: false, .. }));
        let asks_to_wait = of_status("/3/find/tt0000001", 503, Some(Duration::from_secs(7)), b"");
        assert!(matches!(asks_to_wait, TmdbError::Unavailable { retry_after: Some(wait), .. } if wait.as_secs() == 7));
        assert!(matches!(of(404, ""), TmdbError::NotFound { .. }));
        let error = of(422, r#"{"errors":["page must be less than 500"]}"#);
        assert!(error.to_string().contains("page must be less than 500"), "{error}");
        assert!(!error.is_systemic());
    }
}
