//! GET requests with a token, one connection each: all that a comparison needs.

use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1::handshake;
use hyper::{Request, Response, Uri, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// A server and who asks it.
#[derive(Clone)]
pub(super) struct Client {
    host: String,
    token: String,
}

impl Client {
    /// Of a process's own address: plain HTTP.
    pub fn new(url: &str, token: &str) -> anyhow::Result<Client> {
        let uri: Uri = url.parse().context("the URL cannot be read")?;
        let host = uri.authority().map(|authority| authority.as_str().to_owned());
        match (uri.scheme_str(), host) {
            (Some("http"), Some(host)) => Ok(Client { host, token: token.to_owned() }),
            _ => anyhow::bail!("{url}: name the process itself, as http://host:port"),
        }
    }

    /// A successful answer, whose body is still to come.
    ///
    /// # Errors
    /// No connection, or the problem that the server answered.
    pub async fn get(&self, path: &str, last_id: Option<i64>) -> anyhow::Result<Response<Incoming>> {
        let address = if self.host.contains(':') { self.host.clone() } else { format!("{}:80", self.host) };
        let stream = TcpStream::connect(&address).await.with_context(|| format!("cannot connect to {address}"))?;
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection); // ends with the body
        let request = Request::get(path)
            .header(header::HOST, &self.host)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token));
        let request = match last_id {
            Some(id) => request.header("last-event-id", id),
            None => request,
        };
        let response = sender.send_request(request.body(Empty::<Bytes>::new())?).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let problem = response.into_body().collect().await?.to_bytes();
        anyhow::bail!("{path}: {status} {}", String::from_utf8_lossy(&problem))
    }
}
