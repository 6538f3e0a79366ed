//! One GET of a small JSON document: by HTTPS, without following anything, within limits of time and size.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1::handshake;
use hyper::rt::{Read, Write};
use hyper::{Request, StatusCode, Uri, header};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::egress::Trust;

/// From the connection to the last byte.
const FETCH_WAIT: Duration = Duration::from_secs(5);
/// Largest document: 50 keys of 8,192 bits have some 75 KiB.
const MOST_BYTES: usize = 128 << 10;

/// Where the document is.
pub struct Source {
    host: String,
    port: u16,
    path: String,
    /// `None`: plain, from this machine itself.
    tls: Option<TlsConnector>,
}

impl Source {
    /// At this address. Plain HTTP is for this machine only: whoever could change keys on their way could be anybody.
    ///
    /// # Errors
    /// It is none, or neither HTTPS nor of this machine.
    pub fn of(url: &str, trust: &Trust) -> anyhow::Result<Source> {
        let uri: Uri = url.parse().context("SIGNALBOX_JWKS_URL cannot be read")?;
        let host = uri.host().context("SIGNALBOX_JWKS_URL has no host")?.to_owned();
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let local = matches!(host.as_str(), "localhost" | "127.0.0.1" | "[::1]");
        let (tls, default_port) = match uri.scheme_str() {
            Some("https") => (Some(trust.connector().clone()), 443),
            Some("http") if local => (None, 80),
            _ => bail!("SIGNALBOX_JWKS_URL: keys come by https://"),
        };
        Ok(Source { host, port: uri.port_u16().unwrap_or(default_port), path, tls })
    }
}

/// The document.
///
/// # Errors
/// It cannot be had, is too large, or is no JSON.
pub async fn fetch(source: &Source) -> anyhow::Result<Value> {
    let fetched = async {
        let plain = TcpStream::connect((source.host.trim_matches(['[', ']']), source.port)).await?;
        match &source.tls {
            None => get(source, TokioIo::new(plain)).await,
            Some(tls) => {
                let name = ServerName::try_from(source.host.clone())?;
                get(source, TokioIo::new(tls.connect(name, plain).await?)).await
            }
        }
    };
    timeout(FETCH_WAIT, fetched).await.context("no answer in time")?
}

async fn get(source: &Source, stream: impl Read + Write + Unpin + Send + 'static) -> anyhow::Result<Value> {
    let (mut sender, connection) = handshake(stream).await?;
    tokio::spawn(connection); // ends with the answer
    let request = Request::get(&source.path)
        .header(header::HOST, format!("{}:{}", source.host, source.port))
        .header(header::ACCEPT, "application/json");
    let response = sender.send_request(request.body(Empty::<Bytes>::new())?).await?;
    ensure!(response.status() == StatusCode::OK, "the answer is {}", response.status());
    let body = Limited::new(response.into_body(), MOST_BYTES).collect().await;
    let body = body.map_err(|error| anyhow::anyhow!("the answer cannot be read: {error}"))?.to_bytes();
    Ok(serde_json::from_slice(&body)?)
}
