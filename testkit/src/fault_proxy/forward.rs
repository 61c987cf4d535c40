//! The way of one call: recorded, held, refused or passed on, and its answer changed, lost or handed over.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::{Arc, atomic::Ordering},
};

use axum::{
    body::Bytes,
    extract::{Request, State as Shared},
    http::{HeaderValue, Method, StatusCode, header, request::Parts},
    response::{IntoResponse as _, Response},
};
use serde_json::Value;

use super::{
    State,
    calls::Call,
    lock,
    operation::Operation,
    refusal::Refusal,
    rule::{Effect, Fate},
};
use crate::server::{Cut, cut};

/// A call that is under way: what edges look at.
pub(crate) struct Passing {
    pub operation: Operation,
    /// Path and query.
    pub path: String,
    pub body: Bytes,
}

impl Passing {
    /// A text field of a JSON body, else blank.
    pub(crate) fn field(&self, name: &str) -> String {
        let json: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        json.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    }
}

/// An answer of the emulator, or what an edge made of it.
pub(crate) struct Answer {
    pub status: StatusCode,
    pub headers: axum::http::HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// A good answer.
    pub(crate) fn good(body: impl Into<Bytes>) -> Self {
        Self { status: StatusCode::OK, headers: axum::http::HeaderMap::new(), body: body.into() }
    }

    /// Changes the JSON of a good answer; leaves any other alone.
    pub(crate) fn rewrite(&mut self, change: impl FnOnce(&mut Value)) {
        if let Ok(mut json) = serde_json::from_slice(&self.body) {
            change(&mut json);
            self.body = Bytes::from(json.to_string());
            self.headers.remove(header::CONTENT_LENGTH);
        }
    }
}

/// Performs a call. It goes on when its client is gone, as AWS does: so a killed client's last call is performed, or not, as the rule
/// says and not by chance.
pub(super) async fn call(Shared(state): Shared<Arc<State>>, request: Request) -> Response {
    tokio::spawn(async move { recorded(&state, request).await }).await.unwrap_or_else(|_| cut())
}

async fn recorded(state: &State, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, usize::MAX).await else { return cut() };
    let operation = Operation::of(&head.method, &head.uri, &head.headers, &body);
    let place = begin(state, &operation, &head, &body);
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let passing = Passing { operation, path, body };
    let response = with_effects(state, &head, &passing).await;
    let was_cut = response.extensions().get::<Cut>().is_some();
    if let Some(call) = lock(&state.calls).get_mut(place) {
        call.end = Some(state.started.elapsed());
        call.status = if was_cut { 0 } else { response.status().as_u16() };
    }
    response
}

fn begin(state: &State, operation: &Operation, head: &Parts, body: &Bytes) -> usize {
    let mut request = DefaultHasher::new();
    (head.method.as_str(), head.uri.to_string(), body).hash(&mut request);
    let mut calls = lock(&state.calls);
    calls.push(Call {
        service: operation.service.clone(),
        operation: operation.name.clone(),
        resource: operation.resource.clone(),
        mutating: operation.is_mutating(),
        begin: state.started.elapsed(),
        end: None,
        status: 0,
        request: request.finish(),
    });
    calls.len() - 1
}

async fn with_effects(state: &State, head: &Parts, passing: &Passing) -> Response {
    let effects: Vec<Effect> = {
        let mut rules = lock(&state.rules);
        rules.iter_mut().filter_map(|rule| rule.applies(&passing.operation).then(|| rule.effect.clone())).collect()
    };
    tokio::time::sleep(effects.iter().map(|effect| effect.latency).sum()).await;
    let decided = effects.iter().find(|effect| !matches!(effect.fate, Fate::Passed));
    let fate = decided.map_or(Fate::Passed, |effect| effect.fate.clone());
    let notify = || effects.iter().filter_map(|effect| effect.notice.as_ref()).for_each(|notice| notice());
    if !matches!(fate, Fate::AnswerLost) {
        notify();
    }
    let mut answer = match fate {
        Fate::Cut => return cut(),
        Fate::Refused(refusal) => return refusal.response(&passing.operation),
        Fate::Passed | Fate::AnswerLost => match with_edges(state, head, passing).await {
            Ok(answer) => answer,
            Err(response) => return response,
        },
    };
    if matches!(fate, Fate::AnswerLost) {
        notify();
        return cut();
    }
    for rewrite in effects.iter().filter_map(|effect| effect.rewrite.as_ref()) {
        answer.rewrite(|json| rewrite(json));
    }
    (answer.status, answer.headers, answer.body).into_response()
}

/// Passes the call on, unless an edge refuses it, and lets the edges change its answer.
async fn with_edges(state: &State, head: &Parts, passing: &Passing) -> Result<Answer, Response> {
    let questions = lock(&state.edges).questions(passing);
    // Of two such calls at once one is first, as in AWS: the second must see what it made.
    let _turn = if questions.is_empty() { None } else { Some(state.deciding.lock().await) };
    let mut answers = Vec::new();
    for question in questions {
        answers.push(ask(state, question).await);
    }
    let refusal = lock(&state.edges).refuse(passing, &answers);
    if let Some(refusal) = refusal {
        return Err(refusal.response(&passing.operation));
    }
    let (own, amended) = {
        let edges = lock(&state.edges);
        (edges.answer(passing), edges.amended(passing))
    };
    if let Some(own) = own {
        return own.map_err(|refusal| refusal.response(&passing.operation));
    }
    let answer = pass_on(state, head, amended).await;
    let mut edges = lock(&state.edges);
    match answer {
        Ok(mut answer) => {
            edges.observe(passing, &mut answer);
            Ok(answer)
        }
        Err(error) => {
            edges.forget_writer(passing);
            Err(Refusal::new(502, "EmulatorUnreachable", error.to_string()).response(&passing.operation))
        }
    }
}

async fn pass_on(state: &State, head: &Parts, (path, body): (String, Bytes)) -> reqwest::Result<Answer> {
    let mut headers = head.headers.clone();
    for name in [header::CONNECTION, header::TRANSFER_ENCODING, header::CONTENT_LENGTH, header::EXPECT] {
        headers.remove(name);
    }
    if state.says_https.load(Ordering::Relaxed) {
        headers.insert("x-forwarded-proto", HeaderValue::from_static("https"));
    }
    let url = format!("{}{path}", state.target);
    let mut answer = state.client.request(head.method.clone(), url).headers(headers).body(body).send().await?;
    let (status, mut headers) = (answer.status(), std::mem::take(answer.headers_mut()));
    headers.remove(header::TRANSFER_ENCODING);
    headers.remove(header::CONNECTION);
    Ok(Answer { status, headers, body: answer.bytes().await? })
}

/// A request of the proxy's own to the emulator, for an edge that must know more. It is not recorded.
pub(crate) struct Question {
    pub method: Method,
    pub path: String,
    /// `X-Amz-Target` and the JSON body of a JSON protocol.
    pub json: Option<(&'static str, Value)>,
}

async fn ask(state: &State, question: Question) -> Value {
    let mut request = state.client.request(question.method, format!("{}{}", state.target, question.path));
    // The emulator's root, unsigned: without IAM enforced the emulator looks at the scope only.
    let service = if question.json.is_some() { "sqs" } else { "lambda" };
    let scope = format!(
        "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
    );
    request = request.header(header::AUTHORIZATION, scope);
    if let Some((target, body)) = question.json {
        request = request.header("x-amz-target", target).header(header::CONTENT_TYPE, "application/x-amz-json-1.0");
        request = request.body(body.to_string());
    }
    match request.send().await {
        Ok(answer) => answer.bytes().await.ok().and_then(|body| serde_json::from_slice(&body).ok()).unwrap_or_default(),
        Err(_) => Value::Null,
    }
}
