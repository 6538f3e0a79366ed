//! What handlers answer: JSON with the headers that make it safe to build on.

use std::marker::PhantomData;

use poem::http::{HeaderName, HeaderValue, StatusCode, header};
use poem::{IntoResponse, Response};
use poem_openapi::ApiResponse;
use poem_openapi::registry::{MetaHeader, MetaMediaType, MetaResponse, MetaResponses, Registry};
use poem_openapi::types::{ToJSON, Type};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::problem::Problem;
use crate::log::{Head, hex, sha256};
use crate::projections::Source;

/// The position in the log that an answer is true as of.
pub const SEQ: HeaderName = HeaderName::from_static("signalbox-seq");
/// The history that position belongs to.
pub const EPOCH: HeaderName = HeaderName::from_static("signalbox-epoch");
/// Whether the answer cost a query.
const CACHE: HeaderName = HeaderName::from_static("signalbox-cache");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The answer to a command: the resource as it is now.
pub struct Done<T, const STATUS: u16 = 200> {
    reply: Reply,
    seq: Option<i64>,
    replayed: bool,
    shape: PhantomData<fn() -> T>,
}

/// What is kept under an idempotency key.
#[derive(Debug, Serialize, Deserialize)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Of the resource; its ETag.
    pub version: i64,
    /// Where it is.
    pub location: Option<String>,
    /// JSON.
    pub body: Box<RawValue>,
}

impl Reply {
    /// A resource in a version.
    pub fn new<T: ToJSON>(status: StatusCode, version: i64, body: &T) -> Reply {
        // The text was just written as JSON.
        let body = RawValue::from_string(body.to_json_string()).unwrap_or_default();
        Reply { status: status.as_u16(), version, location: None, body }
    }

    /// The same with a secret in it, for the first answer only: what is kept for repetitions has none.
    pub fn with(mut self, field: &str, secret: &str) -> Reply {
        let body: Result<serde_json::Map<String, serde_json::Value>, _> = serde_json::from_str(self.body.get());
        if let Ok(mut body) = body {
            body.insert(field.to_owned(), secret.into());
            self.body = serde_json::value::to_raw_value(&body).unwrap_or_default();
        }
        self
    }
}

impl<T, const STATUS: u16> Done<T, STATUS> {
    /// Recorded, or nothing to do (`seq` is then unknown).
    pub fn new(reply: Reply, seq: Option<i64>, replayed: bool) -> Self {
        Done { reply, seq, replayed, shape: PhantomData }
    }
}

impl<T: ToJSON + Send, const STATUS: u16> IntoResponse for Done<T, STATUS> {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.reply.status).unwrap_or(StatusCode::OK);
        let mut response = Response::builder()
            .status(status)
            .content_type("application/json; charset=utf-8")
            .header(header::CACHE_CONTROL, "no-store")
            .header(header::ETAG, format!("\"{}\"", self.reply.version));
        if let Some(seq) = self.seq {
            response = response.header(SEQ, seq);
        }
        if let Some(location) = self.reply.location {
            response = response.header(header::LOCATION, location);
        }
        if self.replayed {
            response = response.header(REPLAYED, "true");
        }
        response.body(Box::<str>::from(self.reply.body).into_string())
    }
}

impl<T: ToJSON + Send, const STATUS: u16> ApiResponse for Done<T, STATUS> {
    fn meta() -> MetaResponses {
        let headers = || {
            vec![
                described("ETag", "The resource's version; send it back as `If-Match`."),
                described("Signalbox-Seq", "The place of the command's last event; absent when nothing had to change."),
                described(
                    "Idempotency-Replayed",
                    "`true`: the key was used before, and this is what was answered then.",
                ),
            ]
        };
        let ok = response::<T>(200, "Done, or nothing to do.", headers());
        let mut responses = vec![ok];
        if STATUS != 200 {
            responses.push(response::<T>(STATUS, "Created.", headers()));
        }
        MetaResponses { responses }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

/// An answer to a question, with the position it is true as of.
pub struct Shown<T> {
    body: String,
    etag: String,
    seq: i64,
    epoch: uuid::Uuid,
    unchanged: bool,
    shape: PhantomData<fn() -> T>,
}

impl<T: ToJSON> Shown<T> {
    /// One resource in a version.
    pub fn version(value: &T, version: i64, head: Head, known: Option<&str>) -> Shown<T> {
        Shown::tagged(value.to_json_string(), format!("\"{version}\""), head, known)
    }

    /// Anything else: the ETag is of its bytes.
    pub fn bytes_of(value: &T, head: Head, known: Option<&str>) -> Shown<T> {
        Shown::json(value.to_json_string(), head, known)
    }

    /// The same of JSON that is written already.
    pub fn json(body: String, head: Head, known: Option<&str>) -> Shown<T> {
        let etag = format!("\"{}\"", hex(&sha256(body.as_bytes())[..16]));
        Shown::tagged(body, etag, head, known)
    }

    fn tagged(body: String, etag: String, head: Head, known: Option<&str>) -> Shown<T> {
        let unchanged = known.is_some_and(|known| known.split(',').any(|one| matches(one.trim(), &etag)));
        Shown { body, etag, seq: head.seq, epoch: head.epoch, unchanged, shape: PhantomData }
    }
}

fn matches(known: &str, etag: &str) -> bool {
    known == "*" || known.strip_prefix("W/").unwrap_or(known) == etag
}

impl<T: ToJSON + Send> IntoResponse for Shown<T> {
    fn into_response(self) -> Response {
        let response = Response::builder()
            .header(header::CACHE_CONTROL, "private, no-cache")
            .header(header::ETAG, self.etag)
            .header(SEQ, self.seq)
            .header(EPOCH, self.epoch.to_string());
        if self.unchanged {
            return response.status(StatusCode::NOT_MODIFIED).finish();
        }
        response.content_type("application/json; charset=utf-8").body(self.body)
    }
}

impl<T: ToJSON + Send> ApiResponse for Shown<T> {
    fn meta() -> MetaResponses {
        let headers = || {
            vec![
                described("ETag", "Send it back as `If-None-Match`, or as `If-Match` with a command."),
                described("Signalbox-Seq", "The position that the answer is true as of: follow the stream from there."),
                described("Signalbox-Epoch", "The history that position belongs to."),
            ]
        };
        let unchanged = MetaResponse { content: vec![], ..response::<T>(304, "As you know it.", headers()) };
        MetaResponses { responses: vec![response::<T>(200, "As it is now.", headers()), unchanged] }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

/// An answer that many share. Browsers keep none of it without asking (`no-cache`): a question whose answer
/// did not change costs a 304 and no query, and rights are looked at each time.
pub struct Cached<T> {
    shown: Shown<T>,
    source: Source,
}

impl<T: ToJSON> Cached<T> {
    /// An answer from this source.
    pub fn new(shown: Shown<T>, source: Source) -> Cached<T> {
        Cached { shown, source }
    }
}

impl<T: ToJSON + Send> IntoResponse for Cached<T> {
    fn into_response(self) -> Response {
        let source = match self.source {
            Source::Hit => "hit",
            Source::Miss => "miss",
            Source::Shared => "shared",
        };
        let mut response = self.shown.into_response();
        response.headers_mut().insert(CACHE, HeaderValue::from_static(source));
        response
    }
}

impl<T: ToJSON + Send> ApiResponse for Cached<T> {
    fn meta() -> MetaResponses {
        let mut meta = Shown::<T>::meta();
        let about =
            "`hit`: from memory; `miss`: by a query of its own; `shared`: by a query that another caller began.";
        meta.responses.iter_mut().for_each(|response| response.headers.push(described("Signalbox-Cache", about)));
        meta
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

/// Handlers return this.
pub type Answer<T> = Result<T, Problem>;

fn response<T: Type>(status: u16, description: &'static str, headers: Vec<MetaHeader>) -> MetaResponse {
    let content = vec![MetaMediaType { content_type: "application/json; charset=utf-8", schema: T::schema_ref() }];
    MetaResponse { description, status: Some(status), status_range: None, content, headers }
}

/// A header as the OpenAPI document has it.
pub(super) fn described(name: &str, description: &str) -> MetaHeader {
    MetaHeader {
        name: name.to_owned(),
        description: Some(description.to_owned()),
        required: false,
        deprecated: false,
        schema: String::schema_ref(),
    }
}
