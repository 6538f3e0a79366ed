//! A request of a step, to wherever the guard of egress lets it go. No redirect is followed: it is an answer.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::handshake;
use hyper::{Request, Response, Uri, header};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::output::{Output, Source};
use crate::domain::automation::{Http, Method, Values, render};
use crate::egress::{Egress, Trust, distrusted};

/// Until a connection stands, TLS included.
const CONNECT_WAIT: Duration = Duration::from_secs(10);
/// Bytes of an answer that are read and printed; the rest is left unread.
const ANSWER_BYTES: usize = 64 << 10;

/// Sends a request and prints what is answered. The sentence that comes back is the step's outcome.
///
/// # Errors
/// The sentence, when no answer came or it was not one of those expected.
///
/// # Cancellation
/// The connection is closed; whether the other side did what was asked is not known.
pub async fn send(
    (egress, trust): (&Egress, &Trust),
    wanted: &Http,
    values: &Values<'_>,
    output: &mut Output,
) -> Result<String, String> {
    let (uri, request) = request(wanted, values)?;
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let is_secure = uri.scheme_str() == Some("https");
    let port = uri.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
    let deadline = Instant::now() + CONNECT_WAIT;
    let stream = egress.connect(&host, port, deadline).await.map_err(|error| error.to_string())?;
    let response = if is_secure {
        let name = ServerName::try_from(host).map_err(|_invalid| "no certificate can have this name".to_owned())?;
        let connecting = trust.connector().connect(name, stream);
        let connected = tokio::time::timeout_at(deadline, connecting).await;
        let stream = connected
            .map_err(|_elapsed| "no answer in time".to_owned())?
            .map_err(|error| distrusted(&error).unwrap_or_else(|| error.to_string()))?;
        exchange(stream, request).await?
    } else {
        exchange(stream, request).await?
    };
    let status = response.status();
    let body = beginning(response.into_body()).await;
    output.print(Source::System, status.to_string().as_bytes());
    for line in body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        output.print(Source::Out, line.strip_suffix(b"\r").unwrap_or(line));
    }
    let expected = match wanted.expect.as_slice() {
        [] => status.is_success(),
        some => some.contains(&status.as_u16()),
    };
    if expected { Ok(status.to_string()) } else { Err(format!("answered {status}")) }
}

fn request(wanted: &Http, values: &Values<'_>) -> Result<(Uri, Request<Full<Bytes>>), String> {
    let text = |text: &str| render(text, values).map_err(|error| error.to_string());
    let uri: Uri = text(&wanted.url)?.parse().map_err(|_malformed| "the URL cannot be read".to_owned())?;
    let authority = uri.authority().ok_or("the URL names no host")?.as_str();
    if !matches!(uri.scheme_str(), Some("http" | "https")) || authority.contains('@') {
        return Err("the URL begins with http:// or https:// and a host".to_owned());
    }
    let method = match wanted.method {
        Method::Get => hyper::Method::GET,
        Method::Head => hyper::Method::HEAD,
        Method::Post => hyper::Method::POST,
        Method::Put => hyper::Method::PUT,
        Method::Patch => hyper::Method::PATCH,
        Method::Delete => hyper::Method::DELETE,
    };
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::builder().method(method).uri(path).header(header::HOST, authority);
    let ours = format!("Signalbox/{}", env!("CARGO_PKG_VERSION"));
    request = request.header(header::USER_AGENT, ours).header(header::CONNECTION, "close");
    for (name, value) in &wanted.headers {
        request = request.header(name, text(value)?);
    }
    let body = wanted.body.as_deref().map(text).transpose()?.unwrap_or_default();
    let request = request.body(Full::new(Bytes::from(body)));
    // The reason of a refused header may quote it.
    Ok((uri, request.map_err(|_invalid| "a header cannot be sent".to_owned())?))
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Result<Response<Incoming>, String> {
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    tokio::spawn(connection); // ends with the body, or when that is dropped
    sender.send_request(request).await.map_err(|error| error.to_string())
}

/// What of the body is read.
async fn beginning(mut body: Incoming) -> Vec<u8> {
    let mut read = Vec::new();
    while read.len() < ANSWER_BYTES
        && let Some(Ok(frame)) = body.frame().await
    {
        if let Ok(data) = frame.into_data() {
            read.extend_from_slice(&data[..data.len().min(ANSWER_BYTES - read.len())]);
        }
    }
    read
}
