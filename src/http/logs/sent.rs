//! What is sent: one JSON document, a JSON document per line, or plain text.

use poem::{FromRequest, Request, RequestBody, Result};
use poem_openapi::ApiRequest;
use poem_openapi::payload::{Json, ParsePayload, Payload};
use poem_openapi::registry::MetaSchemaRef;
use poem_openapi::types::Type;
use uuid::Uuid;

use super::view::NewBatch;
use crate::domain::logs::{self, Batch, Line};
use crate::http::problem::Problem;

/// Lines that cannot be read are told at once up to so many.
const FAULTS: usize = 20;
/// Of what the parser says about one.
const FAULT_CHARS: usize = 200;

/// A batch in any of its three forms.
#[derive(ApiRequest)]
pub enum Sent {
    /// All in one.
    Json(Json<NewBatch>),
    /// A line of JSON per log line, each a `NewLogLine`; blank ones are passed over. The query says whose they are.
    Ndjson(Raw<true>),
    /// A message per line, each as bad as `info`. The query says whose they are.
    Text(Raw<false>),
}

/// Bytes that are read line by line.
pub struct Raw<const JSON: bool>(Vec<u8>);

/// What the query says of lines in plain text or NDJSON.
pub struct Whose {
    pub source: Option<String>,
    pub server: Option<String>,
    pub execution: Option<Uuid>,
}

impl Sent {
    /// The batch, not checked yet.
    ///
    /// # Errors
    /// 400 where the query and the body do not go together; 422 for lines that cannot be read.
    pub fn batch(self, whose: Whose) -> Result<Batch, Problem> {
        let lines = match self {
            Sent::Json(Json(batch)) => {
                if whose.source.is_some() || whose.server.is_some() || whose.execution.is_some() {
                    let detail = "with a JSON body, source, server and execution are its fields";
                    return Err(Problem::bad_request("invalid_parameter", detail));
                }
                return Ok(batch.into());
            }
            Sent::Ndjson(Raw(bytes)) => {
                let bytes = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
                let is_blank = |line: &[u8]| line.iter().all(u8::is_ascii_whitespace);
                let lines = bytes.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !is_blank(line));
                read(lines, |line| serde_json::from_slice(line).map_err(|error| error.to_string()))?
            }
            Sent::Text(Raw(bytes)) => {
                let (lines, bytes) = (!bytes.is_empty(), bytes.strip_suffix(b"\n").unwrap_or(&bytes));
                let message = |line: &[u8]| match std::str::from_utf8(line) {
                    Ok(message) => Ok(Line { message: message.to_owned(), ..Line::default() }),
                    Err(invalid) => Err(format!("is not UTF-8 behind its byte {}", invalid.valid_up_to())),
                };
                let lines = bytes.split(|byte| *byte == b'\n').filter(|_| lines);
                read(lines.enumerate(), message)?
            }
        };
        let source = whose.source.ok_or_else(|| {
            Problem::bad_request("invalid_parameter", "without a JSON body, the query names the source")
                .errors([("query/source".to_owned(), "is missing".to_owned())])
        })?;
        Ok(Batch { source, server: whose.server, execution: whose.execution, lines })
    }
}

/// All lines, or what is wrong with them by their place among those sent, from 0. One more than a batch may have is read,
/// so that it is refused for it and no body becomes 100,000 lines in memory.
fn read<'a>(
    lines: impl Iterator<Item = (usize, &'a [u8])>,
    parse: impl Fn(&[u8]) -> Result<Line, String>,
) -> Result<Vec<Line>, Problem> {
    let (mut read, mut faults) = (Vec::new(), Vec::new());
    for (place, line) in lines.take(logs::LINES + 1) {
        match parse(line) {
            Ok(line) => read.push(line),
            Err(why) => {
                let why: String = why.chars().filter(|char| !char.is_control()).take(FAULT_CHARS).collect();
                faults.push((format!("/lines/{place}"), why));
            }
        }
        if faults.len() == FAULTS {
            break;
        }
    }
    match faults.is_empty() {
        true => Ok(read),
        false => {
            let detail = "lines cannot be read: errors says which; nothing was recorded";
            Err(Problem::unacceptable("invalid", detail).errors(faults))
        }
    }
}

impl<const JSON: bool> Payload for Raw<JSON> {
    const CONTENT_TYPE: &'static str = if JSON { "application/x-ndjson" } else { "text/plain" };

    fn check_content_type(content_type: &str) -> bool {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case(Self::CONTENT_TYPE)
    }

    fn schema_ref() -> MetaSchemaRef {
        String::schema_ref()
    }
}

impl<const JSON: bool> ParsePayload for Raw<JSON> {
    const IS_REQUIRED: bool = true;

    async fn from_request(request: &Request, body: &mut RequestBody) -> Result<Self> {
        Ok(Raw(Vec::from_request(request, body).await?))
    }
}
