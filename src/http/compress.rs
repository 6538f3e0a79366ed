//! Answers in gzip for those who ask for it (RFC 9110, section 12.5.3); bodies of requests in no encoding at all.
//!
//! Not poem's middleware: that one decompresses requests without a bound, and compresses streams.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::Body as _;
use poem::Response;
use poem::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use tokio::task::spawn_blocking;

use super::problem::Problem;

/// Smaller answers fit into one packet anyway. Those that hold a token are, and so no length ever tells how
/// alike a token and something else in the answer are (BREACH).
const LEAST_BYTES: u64 = 1 << 10;
/// Larger ones go out as they are: while one is compressed it is in memory as a whole.
const MOST_BYTES: u64 = 8 << 20;
/// Up to here a worker compresses by itself: 64 KiB of events take 0.1 ms at the lowest level. A page of
/// 1,000 events is 1 MiB, takes 3 ms, and goes to a thread that may block.
const INLINE_BYTES: usize = 64 << 10;
/// Types that are compressed: whole texts. A stream of frames or of lines must not wait for a compressor.
const TYPES: [&str; 3] = ["application/json", "application/problem+json", "text/html"];
/// At the end of a strong ETag, within its quotes: other bytes are another representation.
const SUFFIX: &str = "-gzip";

/// What a request says about encodings.
pub struct Wish {
    gzip: bool,
    /// `If-None-Match`, as it was sent.
    known: Option<HeaderValue>,
}

impl Wish {
    /// Reads it, and takes our suffix off the tags that the request carries: handlers know versions, and a
    /// version is the same in every encoding.
    pub fn of(headers: &mut HeaderMap) -> Wish {
        let gzip = accepts_gzip(headers);
        let known = headers.get(header::IF_NONE_MATCH).cloned();
        strip(headers, header::IF_MATCH);
        if gzip {
            strip(headers, header::IF_NONE_MATCH);
        }
        Wish { gzip, known }
    }

    /// The answer, in gzip if that is wanted and worth it.
    pub async fn grant(self, mut response: Response) -> Response {
        if response.status() == StatusCode::NOT_MODIFIED {
            vary(response.headers_mut());
            let knows = |tag: &str| self.known.is_some_and(|known| known.to_str().is_ok_and(|all| all.contains(tag)));
            let tag = gzip_tag(response.headers()).filter(|tag| tag.to_str().is_ok_and(knows));
            tag.map(|tag| response.headers_mut().insert(header::ETAG, tag));
            return response;
        }
        if !is_whole_text(response.headers()) {
            return response;
        }
        vary(response.headers_mut());
        if !self.gzip {
            return response;
        }
        let response: hyper::Response<_> = response.into();
        let length = response.body().size_hint().exact();
        let mut response = Response::from(response);
        if !length.is_some_and(|length| (LEAST_BYTES..=MOST_BYTES).contains(&length)) {
            return response;
        }
        let Ok(text) = response.take_body().into_bytes().await else {
            return Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the answer broke off").response(None);
        };
        let packed = match text.len() {
            ..=INLINE_BYTES => gzip(&text),
            _ => spawn_blocking({
                let text = text.clone();
                move || gzip(&text)
            })
            .await
            .unwrap_or_default(),
        };
        let Some(packed) = packed.filter(|packed| packed.len() < text.len()) else {
            response.set_body(text);
            return response;
        };
        let tag = gzip_tag(response.headers());
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        headers.remove(header::CONTENT_LENGTH);
        tag.map(|tag| headers.insert(header::ETAG, tag));
        response.set_body(packed);
        response
    }
}

/// Refuses a body that would have to be unpacked: a few bytes of it may be gigabytes.
///
/// # Errors
/// 415.
pub fn refuse_encoded(headers: &HeaderMap) -> Result<(), Problem> {
    let plain = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if headers.get_all(header::CONTENT_ENCODING).iter().all(plain) {
        return Ok(());
    }
    let detail = "a body comes as it is: send it without Content-Encoding";
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_encoding", detail)
        .header(header::ACCEPT_ENCODING, "identity"))
}

/// Whether gzip is wanted, and not less than the plain text.
pub(super) fn accepts_gzip(headers: &HeaderMap) -> bool {
    let (mut gzip, mut identity, mut any) = (None, None, None);
    let values = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    for wish in values.flat_map(|value| value.split(',')) {
        let mut parts = wish.split(';').map(str::trim);
        let (coding, weight) = (parts.next().unwrap_or_default(), parts.next());
        let Some(weight) = weight.map_or(Some(1000), thousandths) else { continue };
        match coding.to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => gzip = gzip.max(Some(weight)),
            "identity" => identity = Some(weight),
            "*" => any = Some(weight),
            _ => {}
        }
    }
    // Plain text that is not mentioned is possible, but whoever names gzip prefers it.
    let (gzip, identity) = (gzip.or(any).unwrap_or(0), identity.or(any).unwrap_or(0));
    gzip > 0 && gzip >= identity
}

/// `q=0.8` in thousandths; `None` when it is not a weight by the grammar, 0 to 1 with at most 3 digits.
fn thousandths(parameter: &str) -> Option<u16> {
    let (name, value) = parameter.split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("q") {
        return None;
    }
    let (whole, fraction) = value.trim().split_once('.').unwrap_or((value.trim(), ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) || !matches!(whole, "0" | "1") {
        return None;
    }
    let weight = format!("{whole}{fraction:0<3}").parse().ok()?;
    (weight <= 1000).then_some(weight)
}

fn is_whole_text(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    TYPES.contains(&kind) && !headers.contains_key(header::CONTENT_ENCODING)
}

/// Caches keep an answer per encoding; also one that came plain, since it might not have.
fn vary(headers: &mut HeaderMap) {
    headers.append(header::VARY, HeaderValue::from_static("accept-encoding"));
}

/// The strong ETag of these headers, for the same in gzip.
fn gzip_tag(headers: &HeaderMap) -> Option<HeaderValue> {
    let tag = headers.get(header::ETAG)?.to_str().ok()?.strip_prefix('"')?.strip_suffix('"')?;
    HeaderValue::from_str(&format!("\"{tag}{SUFFIX}\"")).ok()
}

/// Takes the suffix off every tag of a header.
fn strip(headers: &mut HeaderMap, name: HeaderName) {
    let plain = headers.get(&name).and_then(|value| value.to_str().ok()).map(|tags| tags.replace("-gzip\"", "\""));
    if let Some(plain) = plain.and_then(|tags| HeaderValue::from_str(&tags).ok()) {
        headers.insert(name, plain);
    }
}

/// At the lowest level, where events shrink to 28 %; to 18 % they would for two to five times the work.
fn gzip(text: &Bytes) -> Option<Vec<u8>> {
    let mut packer = GzEncoder::new(Vec::with_capacity(text.len() / 4), Compression::fast());
    packer.write_all(text).ok()?;
    packer.finish().ok()
}
