//! What happens to every request before its handler and to every answer after it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use poem::http::{HeaderValue, StatusCode, header};
use poem::middleware::CatchPanic;
use poem::{Endpoint, EndpointExt, IntoResponse, Request, Response};
use tokio::time::timeout;
use uuid::Uuid;

use super::compress::{Wish, refuse_encoded};
use super::known::{Known, Refused};
use super::limits::Standing;
use super::problem::{Problem, from_error};
use crate::metrics::Metrics;

/// Largest body of a request.
const BODY_BYTES: usize = 256 << 10;
/// For a body to arrive.
const BODY_WAIT: Duration = Duration::from_secs(10);
/// For a handler to answer; its own waits are shorter. Streams answer at once and then go on.
const ANSWER_WAIT: Duration = Duration::from_secs(60);

/// What every handler may know of its request.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Names the request in the log and in problems.
    pub request_id: String,
    /// SHA-256 of method, path, query and body: what an idempotency key stands for.
    pub hash: Vec<u8>,
    /// From `Signalbox-Correlation`.
    pub correlation_id: Option<Uuid>,
    /// From `traceparent`.
    pub trace_id: Option<String>,
    /// Where the caller stands with its limit; the answer says it.
    pub standing: Standing,
}

/// A site with its edge.
pub struct Edge<E> {
    site: E,
    known: Known,
    metrics: Arc<Metrics>,
}

impl Edge<()> {
    /// Around a site with these operations.
    pub fn around<E>(site: E, known: Known, metrics: Arc<Metrics>) -> Edge<impl Endpoint<Output = Response>>
    where
        E: Endpoint + 'static,
        E::Output: IntoResponse + 'static,
    {
        let panicked = |_: Box<dyn std::any::Any + Send>| {
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the server failed; its log says why")
        };
        let site = site.map_to_response().with(CatchPanic::new().with_handler(panicked)).map_to_response();
        Edge { site, known, metrics }
    }
}

impl<E: Endpoint<Output = Response>> Endpoint for Edge<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let started = Instant::now();
        let request_id = Uuid::now_v7().simple().to_string();
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let standing = Standing::default();
        let wish = Wish::of(request.headers_mut());
        let mut timed_out = false;
        let answer = match prepare(&mut request, &request_id, &standing, &self.known).await {
            Ok(body) => match timeout(ANSWER_WAIT, self.site.call(request)).await {
                Ok(answer) => answer.map_err(|error| {
                    from_error(error, &Refused { known: &self.known, method: &method, path: &path, body: &body })
                }),
                Err(_elapsed) => {
                    timed_out = true;
                    Err(Problem::unavailable("timeout", "no answer in time", 1))
                }
            },
            Err(problem) => Err(problem),
        };
        let mut response = answer.unwrap_or_else(|problem| problem.response(Some(&request_id)));
        if response.status() == StatusCode::METHOD_NOT_ALLOWED {
            let allowed = self.known.methods(&path).unwrap_or_else(|| "GET".to_owned());
            response.headers_mut().extend(HeaderValue::from_str(&allowed).ok().map(|value| (header::ALLOW, value)));
        }
        let mut response = wish.grant(response).await;
        secure(&mut response, &request_id);
        standing.write(response.headers_mut());
        // A 503 was counted where it came from, as a query or an append that failed, or is no failure.
        self.metrics.answered(timed_out || response.status() == StatusCode::INTERNAL_SERVER_ERROR);
        let (status, elapsed) = (response.status().as_u16(), started.elapsed());
        // Without the query, which may carry secrets of careless clients.
        tracing::debug!(%method, path, status, request_id, ?elapsed, "request");
        Ok(response)
    }
}

/// Reads the body within its limits, notes what the request is, and gives the body.
async fn prepare(
    request: &mut Request,
    request_id: &str,
    standing: &Standing,
    known: &Known,
) -> Result<Bytes, Problem> {
    known.check_query(request)?;
    refuse_encoded(request.headers())?;
    let body = match timeout(BODY_WAIT, request.take_body().into_bytes_limit(BODY_BYTES)).await {
        Ok(Ok(body)) => body,
        Ok(Err(poem::error::ReadBodyError::PayloadTooLarge)) => {
            let detail = format!("a body has at most {BODY_BYTES} bytes");
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail));
        }
        Ok(Err(_broken)) => return Err(Problem::bad_request("malformed_body", "the body broke off")),
        Err(_elapsed) => return Err(Problem::bad_request("malformed_body", "the body did not arrive in time")),
    };
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_text = content_type.is_some_and(|value| value.starts_with("text/plain")); // where a backslash is one
    if body.contains(&0) || !is_text && escapes_nul(&body) {
        let detail = "text must not contain the character U+0000; nothing was recorded";
        return Err(Problem::unacceptable("nul_character", detail));
    }
    let mut hash = Context::new(&SHA256);
    for part in [request.method().as_str(), request.uri().path_and_query().map_or("", |path| path.as_str())] {
        hash.update(part.as_bytes());
        hash.update(b"\n");
    }
    hash.update(&body);
    let headers = request.headers();
    let value = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let asked = Asked {
        request_id: request_id.to_owned(),
        hash: hash.finish().as_ref().to_vec(),
        correlation_id: value("signalbox-correlation").and_then(|id| id.parse().ok()),
        trace_id: value("traceparent").and_then(trace_id),
        standing: standing.clone(),
    };
    request.set_data(asked);
    request.set_body(body.clone());
    Ok(body)
}

/// PostgreSQL's text cannot hold NUL; in JSON it is written `\u0000`, unless that backslash is itself escaped.
fn escapes_nul(body: &[u8]) -> bool {
    body.windows(6).enumerate().any(|(at, six)| {
        six == b"\\u0000" && body[..at].iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 0
    })
}

/// The trace id of a W3C `traceparent`.
fn trace_id(traceparent: &str) -> Option<String> {
    let id = traceparent.split('-').nth(1)?;
    let lower_hex = id.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    (id.len() == 32 && lower_hex && id.bytes().any(|byte| byte != b'0')).then(|| id.to_owned())
}

fn secure(response: &mut Response, request_id: &str) {
    let headers = response.headers_mut();
    let fixed = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if !headers.contains_key(header::CONTENT_SECURITY_POLICY) {
        headers.insert(
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
        );
    }
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert("request-id", value);
    }
}
