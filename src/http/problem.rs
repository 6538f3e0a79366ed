//! Every error is an RFC 9457 problem: one type for clients, and what only the log may know is logged here.

use poem::error::{MethodNotAllowedError, NotFoundError, ResponseError};
use poem::http::{HeaderName, HeaderValue, StatusCode, header};
use poem::{IntoResponse, Response};
use poem_openapi::error::{ContentTypeError, ParseParamError, ParsePathError, ParseRequestPayloadError};
use poem_openapi::payload::Payload;
use poem_openapi::registry::{MetaHeader, MetaMediaType, MetaResponse, MetaResponses, Registry};
use poem_openapi::types::{ToJSON, Type};
use poem_openapi::{ApiResponse, Object};

use super::answer::described;
use super::known::Refused;
use crate::log::AppendError;
use crate::postgres::QueryError;
use crate::projections::LoadFailed;

/// Why a request failed, for programs and for people (RFC 9457).
#[derive(Debug, Clone, Object)]
#[oai(skip_serializing_if_is_none, rename = "Problem")]
pub struct Body {
    /// `urn:signalbox:problem:` and the code.
    #[oai(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// Stable name of the problem, for programs.
    pub code: String,
    /// What happened here, for people.
    pub detail: String,
    /// Where the input is wrong.
    pub errors: Option<Vec<FieldError>>,
    /// What would have been possible instead.
    pub allowed: Option<Vec<String>>,
    /// The version that the resource has now.
    pub current_version: Option<i64>,
    /// The permission that you lack.
    pub missing: Option<String>,
    /// Names the decision to refuse you: in the event `access.denied`, if it is recorded, and in the server's log.
    pub decision_id: Option<String>,
    /// Names this request in the server's log.
    pub request_id: Option<String>,
}

/// One wrong field.
#[derive(Debug, Clone, Object)]
pub struct FieldError {
    /// JSON Pointer (RFC 6901) into the body, or `query/name`.
    pub pointer: String,
    /// What is wrong with it.
    pub message: String,
}

/// A refusal on its way to the client.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    body: Box<Body>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// What an operation may answer beside success. `docs.rs` drops those that a method cannot give.
pub const STATUSES: [(u16, &str); 13] = [
    (400, "The request is malformed: `errors` says where."),
    (401, "Not signed in, or the token is not valid."),
    (403, "Signed in, but not allowed: `missing` says which permission it takes."),
    (404, "There is no such thing."),
    (405, "This method does not exist here."),
    (409, "Not possible in the present state: `allowed` says what is."),
    (410, "The cursor belongs to another history or to the future: load the state anew."),
    (412, "`If-Match` names an older version: `current_version` is the present one."),
    (413, "The body is larger than 256 KiB."),
    (415, "The body is not JSON, or it is compressed."),
    (422, "The input is well-formed but not acceptable: `errors` says why."),
    (429, "Too many requests: come back after `Retry-After` seconds."),
    (503, "Not possible now: come back after `Retry-After` seconds."),
];

impl Problem {
    /// A problem with this status, stable code and explanation.
    pub fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Problem {
        let body = Body {
            kind: format!("urn:signalbox:problem:{code}"),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            code: code.to_owned(),
            detail: detail.into(),
            errors: None,
            allowed: None,
            current_version: None,
            missing: None,
            decision_id: None,
            request_id: None,
        };
        Problem { status, body: Box::new(body), headers: Vec::new() }
    }

    /// 400.
    pub fn bad_request(code: &str, detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// 401, with the challenge that RFC 9110 asks for.
    pub fn unauthorized(detail: &str) -> Problem {
        Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
            .header(header::WWW_AUTHENTICATE, "Bearer realm=\"signalbox\"")
    }

    /// 403 for want of a permission.
    pub fn forbidden(missing: &str, decision: uuid::Uuid, detail: impl Into<String>) -> Problem {
        let mut problem = Problem::new(StatusCode::FORBIDDEN, "forbidden", detail);
        problem.body.missing = Some(missing.to_owned());
        problem.body.decision_id = Some(decision.to_string());
        problem
    }

    /// 409.
    pub fn conflict(code: &str, detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::CONFLICT, code, detail)
    }

    /// 404.
    pub fn not_found(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    /// 422.
    pub fn unacceptable(code: &str, detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
    }

    /// 503, to be tried again after so many seconds.
    pub fn unavailable(code: &str, detail: impl Into<String>, retry_after_s: u32) -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, detail)
            .header(header::RETRY_AFTER, &retry_after_s.to_string())
    }

    /// Says where the input is wrong.
    pub fn errors(mut self, errors: impl IntoIterator<Item = (String, String)>) -> Problem {
        self.body.errors = Some(errors.into_iter().map(|(pointer, message)| FieldError { pointer, message }).collect());
        self
    }

    /// Says what would have been possible.
    pub fn allowed(mut self, allowed: impl IntoIterator<Item = impl Into<String>>) -> Problem {
        self.body.allowed = Some(allowed.into_iter().map(Into::into).collect());
        self
    }

    /// Says which version there is.
    pub fn current_version(mut self, version: i64) -> Problem {
        self.body.current_version = Some(version);
        self
    }

    /// Adds a header. Values are ours, never a client's text.
    pub fn header(mut self, name: HeaderName, value: &str) -> Problem {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    /// The response, naming the request.
    pub fn response(mut self, request_id: Option<&str>) -> Response {
        self.body.request_id = request_id.map(str::to_owned);
        let mut response = Response::builder()
            .status(self.status)
            .content_type("application/problem+json")
            .header(header::CACHE_CONTROL, "no-store")
            .body(self.body.to_json_string());
        response.headers_mut().extend(self.headers);
        response
    }
}

/// The problem behind any error that reaches the edge, ours or the framework's.
pub fn from_error(error: poem::Error, refused: &Refused<'_>) -> Problem {
    let error = match error.downcast::<Carried>() {
        Ok(carried) => return carried.0,
        Err(error) => error,
    };
    if let Some(wrong) = error.downcast_ref::<ParseParamError>() {
        // A value that was read and is out of bounds is told by the framework in good words.
        let unread = !wrong.reason.starts_with("verification failed");
        let message = refused.parameter(wrong.name).filter(|_| unread).unwrap_or_else(|| wrong.reason.clone());
        return Problem::bad_request("invalid_parameter", format!("{}: {message}", wrong.name))
            .errors([(format!("query/{}", wrong.name), message)]);
    }
    if error.is::<ParsePathError>() {
        return Problem::not_found("this path names nothing");
    }
    if let Some(malformed) = error.downcast_ref::<ParseRequestPayloadError>() {
        let errors = refused.errors();
        return match errors.is_empty() {
            true => Problem::bad_request("malformed_body", &malformed.reason),
            false => {
                Problem::bad_request("malformed_body", "the body is not acceptable: errors says why").errors(errors)
            }
        };
    }
    if error.is::<ContentTypeError>() {
        let detail = format!("send it with the Content-Type that this operation takes: {}", refused.takes());
        return Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail);
    }
    if error.is::<NotFoundError>() {
        return Problem::not_found("there is nothing at this path");
    }
    if error.is::<MethodNotAllowedError>() {
        return Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "this path has other methods: see Allow",
        );
    }
    let (status, detail) = (error.status(), error.to_string());
    if status.is_server_error() {
        tracing::error!(%error, "request failed");
        return Problem::new(status, "internal", "the server failed; its log says why under this request_id");
    }
    Problem::new(status, "refused", detail)
}

/// Lets a problem travel as a poem error.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.body.detail)]
struct Carried(Problem);

impl ResponseError for Carried {
    fn status(&self) -> StatusCode {
        self.0.status
    }
}

impl From<Problem> for poem::Error {
    fn from(problem: Problem) -> poem::Error {
        Carried(problem).into()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.response(None)
    }
}

impl ApiResponse for Problem {
    fn meta() -> MetaResponses {
        let content = || vec![MetaMediaType { content_type: ProblemJson::CONTENT_TYPE, schema: Body::schema_ref() }];
        let response = |(status, description)| MetaResponse {
            description,
            status: Some(status),
            status_range: None,
            content: content(),
            headers: headers(status),
        };
        MetaResponses { responses: STATUSES.map(response).into() }
    }

    fn register(registry: &mut Registry) {
        Body::register(registry);
    }
}

/// What a problem's answer says besides, in the document.
fn headers(status: u16) -> Vec<MetaHeader> {
    let mut headers = Vec::new();
    if matches!(status, 429 | 503) {
        headers.push(described("Retry-After", "Seconds."));
    }
    if status == 429 {
        let policy = "Your limit, as in `\"requests\";q=200;w=2`: 200 requests in 2 s.";
        headers.push(described("RateLimit-Policy", policy));
        let standing = "Where you stand, as in `\"requests\";r=42;t=2`: 42 left, all again in 2 s.";
        headers.push(described("RateLimit", standing));
    }
    headers
}

struct ProblemJson;

impl Payload for ProblemJson {
    const CONTENT_TYPE: &'static str = "application/problem+json";
    fn check_content_type(content_type: &str) -> bool {
        content_type == Self::CONTENT_TYPE
    }
    fn schema_ref() -> poem_openapi::registry::MetaSchemaRef {
        Body::schema_ref()
    }
}

impl From<QueryError> for Problem {
    fn from(error: QueryError) -> Problem {
        if error.is_the_client_s() {
            return Problem::bad_request("invalid_value", "a value in the request cannot be read");
        }
        tracing::warn!(%error, "query failed");
        Problem::unavailable("database_unavailable", "the database does not answer; nothing was changed", 1)
    }
}

impl From<LoadFailed> for Problem {
    fn from(_logged: LoadFailed) -> Problem {
        Problem::unavailable("database_unavailable", "the database does not answer; it is asked again in a second", 1)
    }
}

impl From<AppendError> for Problem {
    fn from(error: AppendError) -> Problem {
        match error {
            AppendError::Overloaded => {
                Problem::unavailable("overloaded", "too many commands are waiting; nothing was recorded", 1)
            }
            AppendError::Unavailable(_) => {
                Problem::unavailable("database_unavailable", "the database cannot write now; nothing was recorded", 1)
            }
            AppendError::Unknown => Problem::unavailable(
                "outcome_unknown",
                "it is not known whether this was recorded; send it again with the same Idempotency-Key",
                1,
            ),
            AppendError::Refused { .. } | AppendError::Malformed(_) => {
                tracing::error!(%error, "a command could not be recorded");
                Problem::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "internal",
                    "the command could not be recorded; nothing was written",
                )
            }
        }
    }
}
