//! The endpoints: TMDb's own under `/3`, and `/_control` for tests of other processes.

use std::{
    io::Write as _,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{Path, Query, Request, State as Shared},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::get,
};
use flate2::{Compression, write::GzEncoder};
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Behaviour, State, Waiting, answers, behaviour::Fault, lock};
use crate::server::{Cut, cut};

/// The most pages that any list of TMDb has.
const LAST_PAGE: u64 = 500;
/// The most days that the list of changes may be asked for.
const MOST_DAYS: i32 = 14;
/// The most names that `append_to_response` may have.
const MOST_APPENDED: usize = 20;

/// The query parameters that change an answer; all others are ignored, as TMDb does.
#[derive(Default, Deserialize)]
struct Asked {
    api_key: Option<String>,
    external_source: Option<String>,
    append_to_response: Option<String>,
    page: Option<String>,
    start_date: Option<Date>,
    end_date: Option<Date>,
}

pub(super) fn router(state: Arc<State>) -> Router {
    let tmdb = Router::new()
        .route("/3/authentication", get(async || answer(StatusCode::OK, &answers::status(1))))
        .route("/3/configuration", get(async || answer(StatusCode::OK, &answers::configuration())))
        .route("/3/find/{id}", get(find))
        .route("/3/movie/changes", get(changes))
        .route("/3/movie/{id}", get(details))
        .route("/3/movie/{id}/reviews", get(reviews))
        .fallback(async || error(404))
        .layer(middleware::from_fn_with_state(Arc::clone(&state), as_tmdb_behaves));
    let control = Router::new()
        .route("/_control/behaviour", get(read_behaviour).put(write_behaviour))
        .route("/_control/requests", get(read_requests).delete(forget_requests))
        .route("/_control/summary", get(summary))
        .route("/_control/expected", get(expected_of_all).post(expected));
    control.merge(tmdb).with_state(state)
}

/// What surrounds every answer: the log, the key, the rate, the scripted faults, the latency, gzip.
async fn as_tmdb_behaves(Shared(state): Shared<Arc<State>>, request: Request, next: Next) -> Response {
    let _waiting = Waiting::begin(&state);
    let asked = Query::<Asked>::try_from_uri(request.uri()).map(|query| query.0).unwrap_or_default();
    let path = request.uri().path().to_owned();
    let headers = request.headers().clone();
    let behaviour = lock(&state.behaviour).clone();
    let place = begin(&state, &path, &asked);
    let delay = Duration::from_millis(behaviour.latency_ms);
    let response = match refusal(&state, &behaviour, &asked, &headers, &path) {
        Some(Fault::Slow(more)) => {
            tokio::time::sleep(delay + Duration::from_millis(more)).await;
            next.run(request).await
        }
        refused => {
            tokio::time::sleep(delay).await;
            match refused {
                None if behaviour.scripted.contains_key(&path) => {
                    Response::new(Body::from(behaviour.scripted[&path].clone()))
                }
                None => next.run(request).await,
                Some(Fault::Cut) => cut(),
                Some(Fault::TooMany) => too_many(&behaviour),
                Some(Fault::Failed(200, _)) => Response::new(Body::from(r#"{"movie_results":[{"id":"#)),
                Some(Fault::Failed(status, true)) => {
                    (http(status), "<html><body>An error occurred.</body></html>").into_response()
                }
                Some(Fault::Failed(status, false)) => error(status),
                Some(Fault::Slow(_)) => unreachable!("answered above"),
            }
        }
    };
    let status = if response.extensions().get::<Cut>().is_some() { 0 } else { response.status().as_u16() };
    if let Some(request) = lock(&state.requests).get_mut(place) {
        request.status = status;
    }
    let wants_gzip = headers
        .get(header::ACCEPT_ENCODING)
        .is_some_and(|value| value.to_str().is_ok_and(|text| text.contains("gzip")));
    if wants_gzip && status != 0 { compressed(response).await } else { response }
}

/// Writes the request down when it comes, so that the log is in the order of arrival; its place in the log.
fn begin(state: &State, path: &str, asked: &Asked) -> usize {
    let mut requests = lock(&state.requests);
    requests.push(super::Request {
        at_ms: state.started.elapsed().as_millis() as u64,
        path: path.to_owned(),
        page: asked.page.as_ref().and_then(|page| page.parse().ok()),
        status: 0,
    });
    requests.len() - 1
}

/// Why this request is not answered as it should be, if so.
fn refusal(state: &State, behaviour: &Behaviour, asked: &Asked, headers: &HeaderMap, path: &str) -> Option<Fault> {
    if let Some(status) = behaviour.all {
        return Some(Fault::Failed(status, false));
    }
    if !lock(&state.bucket).admit(behaviour, Instant::now()) {
        return Some(Fault::TooMany);
    }
    if !is_authorised(behaviour, asked, headers) {
        return Some(Fault::Failed(401, false));
    }
    if let Some(status) = path.split('/').find_map(|part| behaviour.down.get(part)) {
        return Some(Fault::Failed(*status, false));
    }
    let film = path.split('/').nth(3).unwrap_or_default();
    if let Some(status) = behaviour.broken.get(film) {
        return Some(Fault::Failed(*status, false));
    }
    let attempt = {
        let mut attempts = lock(&state.attempts);
        let page = asked.page.as_deref().unwrap_or_default();
        let attempt = attempts.entry(format!("{path}?{page}")).or_default();
        *attempt += 1;
        *attempt
    };
    behaviour.faults.of(path, attempt)
}

/// A v3 key stands in the query, a v4 token in the header, and neither is good in the other's place.
fn is_authorised(behaviour: &Behaviour, asked: &Asked, headers: &HeaderMap) -> bool {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let is_v3 = |key: &str| key.len() == 32 && key.bytes().all(|byte| byte.is_ascii_hexdigit());
    let given = match (&asked.api_key, bearer) {
        (Some(key), _) if is_v3(key) => key,
        (None, Some(token)) if !token.is_empty() && !is_v3(token) => token,
        _ => return false,
    };
    behaviour.key.as_ref().is_none_or(|key| key == given)
}

async fn find(Shared(state): Shared<Arc<State>>, Path(id): Path<String>, Query(asked): Query<Asked>) -> Response {
    match asked.external_source.as_deref() {
        None => error(422),
        Some("imdb_id") => answer(StatusCode::OK, &answers::find(&state.catalogue, &id)),
        Some(_) => answer(StatusCode::OK, &answers::find(&state.catalogue, "")),
    }
}

async fn details(Shared(state): Shared<Arc<State>>, Path(id): Path<String>, Query(asked): Query<Asked>) -> Response {
    let append = asked.append_to_response.unwrap_or_default();
    let append: Vec<&str> = append.split(',').filter(|name| !name.is_empty()).collect();
    match state.catalogue.film(&id) {
        _ if append.len() > MOST_APPENDED => answer(StatusCode::BAD_REQUEST, &answers::status(27)),
        None => error(404),
        Some(film) => answer(StatusCode::OK, &answers::details(film, &append)),
    }
}

async fn reviews(Shared(state): Shared<Arc<State>>, Path(id): Path<String>, Query(asked): Query<Asked>) -> Response {
    let page = asked.page.map_or(Ok(1), |page| page.parse::<u64>());
    match (state.catalogue.film(&id), page) {
        (None, _) => error(404),
        (Some(film), Ok(page @ 1..=LAST_PAGE)) => answer(StatusCode::OK, &answers::reviews(film, page)),
        _ => error(400),
    }
}

/// Without days the whole list; both days that are given are in it.
async fn changes(Shared(state): Shared<Arc<State>>, Query(asked): Query<Asked>) -> Response {
    let (first, last) = (asked.start_date.unwrap_or(Date::MIN), asked.end_date.unwrap_or(Date::MAX));
    let days = asked.start_date.and_then(|first| first.until(last).ok()).map_or(0, |span| span.get_days());
    if asked.end_date.is_some() && !(0..=MOST_DAYS).contains(&days) {
        return answer(StatusCode::UNPROCESSABLE_ENTITY, &answers::status(20));
    }
    match asked.page.map_or(Ok(1), |page| page.parse::<u64>()) {
        Ok(page @ 1..=LAST_PAGE) => {
            let changed = lock(&state.behaviour).changed.clone();
            let within: Vec<u64> = changed.range(first..=last).flat_map(|(_, ids)| ids.iter().copied()).collect();
            answer(StatusCode::OK, &answers::changes(&within, page))
        }
        _ => error(400),
    }
}

async fn read_behaviour(Shared(state): Shared<Arc<State>>) -> Json<Behaviour> {
    Json(lock(&state.behaviour).clone())
}

async fn write_behaviour(Shared(state): Shared<Arc<State>>, Json(behaviour): Json<Behaviour>) -> StatusCode {
    *lock(&state.behaviour) = behaviour;
    StatusCode::NO_CONTENT
}

async fn read_requests(Shared(state): Shared<Arc<State>>) -> Json<Vec<super::Request>> {
    Json(lock(&state.requests).clone())
}

async fn forget_requests(Shared(state): Shared<Arc<State>>) -> StatusCode {
    lock(&state.requests).clear();
    StatusCode::NO_CONTENT
}

/// How many requests came, in all and by status.
async fn summary(Shared(state): Shared<Arc<State>>) -> Json<Value> {
    let requests = lock(&state.requests);
    let mut by_status = std::collections::BTreeMap::<u16, u64>::new();
    for request in requests.iter() {
        *by_status.entry(request.status).or_default() += 1;
    }
    Json(json!({"requests": requests.len(), "by_status": by_status}))
}

async fn expected_of_all(Shared(state): Shared<Arc<State>>) -> Response {
    Json(state.catalogue.imdb_ids().iter().map(|id| state.catalogue.expected(id)).collect::<Vec<_>>()).into_response()
}

async fn expected(Shared(state): Shared<Arc<State>>, Json(ids): Json<Vec<String>>) -> Response {
    Json(ids.iter().map(|id| state.catalogue.expected(id)).collect::<Vec<_>>()).into_response()
}

fn http(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// An error in TMDb's words.
fn error(status: u16) -> Response {
    let mut response = answer(http(status), &answers::status(answers::code_of(status)));
    if status == 401 {
        // The edge may go on serving a 401 for minutes.
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    }
    response
}

fn too_many(behaviour: &Behaviour) -> Response {
    let mut response = error(429);
    if let Some(seconds) = behaviour.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn answer(status: StatusCode, body: &Value) -> Response {
    let headers =
        [(header::CONTENT_TYPE, "application/json;charset=utf-8"), (header::CACHE_CONTROL, "public, max-age=14400")];
    (status, headers, body.to_string()).into_response()
}

async fn compressed(response: Response) -> Response {
    let (mut head, body) = response.into_parts();
    let plain = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    let packed = gzip.write_all(&plain).and_then(|()| gzip.finish());
    let Ok(packed) = packed else {
        return (head, plain).into_response();
    };
    head.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    head.headers.remove(header::CONTENT_LENGTH);
    (head, Bytes::from(packed)).into_response()
}
