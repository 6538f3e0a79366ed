//! Webhooks: a signed POST (<https://www.standardwebhooks.com>), on a connection of its own to a checked address.
//!
//! Redirects are not followed: who moves, says so to a person.

use std::io;
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::handshake;
use hyper::{HeaderMap, Request, Response, StatusCode, Uri, header};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};
use tokio_util::task::AbortOnDropHandle;

use super::Message;
use super::sender::{ATTEMPT_WAIT, Outcome};
use crate::egress::{Egress, NotConnected, Trust, distrusted};

/// Of the receiver's answer, kept for people.
const RESPONSE_BYTES: usize = 1_024;

/// Posts once.
pub(super) async fn post(egress: &Egress, trust: &Trust, url: &str, message: &Message, secrets: &[Vec<u8>]) -> Outcome {
    let Some((uri, host, port)) = parts(url) else { return Outcome::failed("malformed_url", "the URL cannot be used") };
    let deadline = Instant::now() + ATTEMPT_WAIT;
    let request = request(&uri, message, secrets, OffsetDateTime::now_utc());
    let posted = async {
        let stream = egress.connect(&host, port, deadline).await.map_err(not_connected)?;
        if uri.scheme_str() == Some("http") {
            return exchange(stream, request).await;
        }
        let name = host.trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(name).map_err(|error| Outcome::failed("malformed_url", error.to_string()))?;
        let untrusted =
            |error: io::Error| Outcome::failed("tls", distrusted(&error).unwrap_or_else(|| error.to_string()));
        let stream = trust.connector().connect(name, stream).await.map_err(untrusted)?;
        exchange(stream, request).await
    };
    let late = || Outcome::failed("timeout", format!("no answer within {} s", ATTEMPT_WAIT.as_secs()));
    timeout_at(deadline, posted).await.map_or_else(|_elapsed| late(), |posted| posted.unwrap_or_else(|failed| failed))
}

/// The host of a URL that can be posted to; `None` for any other text.
pub fn target_host(url: &str) -> Option<String> {
    parts(url).map(|(_, host, _)| host)
}

/// The URL, its host and its port; `None` where there is no host, or a user or a password.
fn parts(url: &str) -> Option<(Uri, String, u16)> {
    let uri: Uri = url.parse().ok()?;
    let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?;
    let port = match uri.scheme_str()? {
        "https" => authority.port_u16().unwrap_or(443),
        "http" => authority.port_u16().unwrap_or(80),
        _ => return None,
    };
    let host = authority.host().to_owned();
    (!host.is_empty()).then_some((uri, host, port))
}

fn not_connected(error: NotConnected) -> Outcome {
    match error {
        NotConnected::Refused(refused) => Outcome::failed("address_refused", refused.to_string()),
        NotConnected::Late => Outcome::failed("timeout", "no connection in time"),
        NotConnected::Failed(error) => Outcome::failed("connection", error.to_string()),
    }
}

fn request(uri: &Uri, message: &Message, secrets: &[Vec<u8>], now: OffsetDateTime) -> Request<Full<Bytes>> {
    let (body, id) = (message.payload(), format!("msg_{}", message.id.simple()));
    let timestamp = now.unix_timestamp();
    let host = uri.authority().map_or("", |authority| authority.as_str());
    let request = Request::post(uri.path_and_query().map_or("/", |path| path.as_str()))
        .header(header::HOST, host)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::USER_AGENT, concat!("signalbox/", env!("CARGO_PKG_VERSION")))
        .header("webhook-id", &id)
        .header("webhook-timestamp", timestamp)
        .header("webhook-signature", signatures(&id, timestamp, &body, secrets));
    // A URL's path and base64 are good in a head.
    request.body(Full::from(body)).unwrap_or_default()
}

/// One per secret that is good now, separated by spaces.
fn signatures(id: &str, timestamp: i64, body: &str, secrets: &[Vec<u8>]) -> String {
    let signed = format!("{id}.{timestamp}.{body}");
    let sign = |secret: &Vec<u8>| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        format!("v1,{}", BASE64_STANDARD.encode(hmac::sign(&key, signed.as_bytes())))
    };
    secrets.iter().map(sign).collect::<Vec<_>>().join(" ")
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Outcome, Outcome>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let failed = |error: hyper::Error| Outcome::failed("connection", error.to_string());
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await.map_err(failed)?;
    let _driver = AbortOnDropHandle::new(tokio::spawn(connection)); // what goes wrong in it, the request says
    let mut response = sender.send_request(request).await.map_err(failed)?;
    let beginning = beginning(&mut response).await;
    Ok(judge(response.status(), response.headers(), beginning))
}

/// What the answer's body begins with. That it breaks off changes nothing of the status.
async fn beginning(response: &mut Response<Incoming>) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < RESPONSE_BYTES {
        let Some(Ok(frame)) = response.body_mut().frame().await else { break };
        bytes.extend_from_slice(frame.data_ref().unwrap_or(&Bytes::new()));
    }
    bytes.truncate(RESPONSE_BYTES);
    String::from_utf8_lossy(&bytes).chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect()
}

fn judge(status: StatusCode, headers: &HeaderMap, beginning: String) -> Outcome {
    let detail = status.as_u16().to_string();
    let answered = Outcome { detail, response: Some(beginning), ..Outcome::default() };
    match status.as_u16() {
        200..300 => answered,
        300..400 => Outcome { reason: Some("redirected"), ..answered },
        410 => Outcome { reason: Some("gone"), gone: true, ..answered },
        400 | 413 | 415 | 422 => Outcome { reason: Some("refused"), refused: true, ..answered },
        _ => Outcome { reason: Some("answered"), retry_after: retry_after(headers), ..answered },
    }
}

/// Seconds, or a date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = OffsetDateTime::parse(value, &Rfc2822).ok()?;
    (until - OffsetDateTime::now_utc()).try_into().ok()
}
