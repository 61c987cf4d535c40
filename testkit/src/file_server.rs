//! One file over HTTP, as a CDN has it: with an ETag or a date, and 304 for who has it already.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};

use jiff::fmt::rfc2822;

use crate::server::{Server, cut};

/// What the server has, and how it says so.
#[derive(Clone, Debug)]
pub struct Served {
    /// The status of an answer that is not 304.
    pub status: u16,
    /// The file.
    pub body: Vec<u8>,
    /// Its ETag, with its quotes.
    pub etag: Option<String>,
    /// When it was changed.
    pub last_modified: Option<String>,
    /// Whether the connection breaks instead.
    pub cut: bool,
}

impl Default for Served {
    fn default() -> Self {
        Self { status: 200, body: Vec::new(), etag: None, last_modified: None, cut: false }
    }
}

type Shared = Arc<Mutex<(Served, Vec<u16>)>>;

/// A server of one file.
pub struct FileServer {
    shared: Shared,
    server: Server,
}

impl FileServer {
    /// Serves `served` on a free port.
    pub fn start(served: Served) -> io::Result<Self> {
        let shared: Shared = Arc::new(Mutex::new((served, Vec::new())));
        let router = Router::new().route("/{*path}", get(file)).with_state(Arc::clone(&shared));
        Ok(Self { shared, server: Server::start(0, router)? })
    }

    /// The file's address.
    pub fn url(&self) -> String {
        format!("{}/title.basics.tsv.gz", self.server.url())
    }

    /// Serves something else from now on.
    pub fn serve(&self, change: impl FnOnce(&mut Served)) {
        change(&mut self.shared.lock().unwrap_or_else(PoisonError::into_inner).0);
    }

    /// The statuses of all answers so far.
    pub fn answers(&self) -> Vec<u16> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).1.clone()
    }
}

/// Whether the file's date is not after the one that was asked about; an older one is as little a change as the same.
fn is_not_newer((file, asked): (&str, &str)) -> bool {
    matches!((rfc2822::parse(file), rfc2822::parse(asked)), (Ok(file), Ok(asked)) if file <= asked)
}

async fn file(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
    let served = shared.0.clone();
    let asked = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let is_known = (served.etag.is_some() && asked(header::IF_NONE_MATCH) == served.etag)
        || served.last_modified.as_deref().zip(asked(header::IF_MODIFIED_SINCE).as_deref()).is_some_and(is_not_newer);
    let status = match is_known {
        true => StatusCode::NOT_MODIFIED,
        false => StatusCode::from_u16(served.status).unwrap_or(StatusCode::OK),
    };
    shared.1.push(status.as_u16());
    if served.cut {
        return cut();
    }
    let body = if is_known { Body::empty() } else { Body::from(served.body) };
    let mut response = (status, body).into_response();
    for (name, value) in [(header::ETAG, served.etag), (header::LAST_MODIFIED, served.last_modified)] {
        if let Some(value) = value.and_then(|value| value.parse().ok()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
