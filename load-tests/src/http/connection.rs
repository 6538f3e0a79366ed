//! One keep-alive connection.

use std::{io::Write as _, net::SocketAddr};

use anyhow::{Context, Result, bail};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{Body, Chunked, Head};

/// Longest response body that is accepted, in bytes; a scenario asks for single resources.
const MAX_BODY_BYTES: usize = 1024 * 1024;

/// Bytes asked for in one read.
const READ_BYTES: usize = 4 * 1024;

/// A request; borrowed, because a writer sends thousands that differ in few bytes.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// For example `POST`.
    pub method: &'a str,
    /// Path and query.
    pub path: &'a str,
    /// Sent as `Authorization: Bearer …`.
    pub bearer: Option<&'a str>,
    /// Sent as `Idempotency-Key`.
    pub idempotency_key: Option<&'a str>,
    /// JSON, or nothing.
    pub body: &'a [u8],
}

impl<'a> Request<'a> {
    /// A question.
    pub fn get(path: &'a str, token: &'a str) -> Request<'a> {
        Request { method: "GET", path, bearer: Some(token), idempotency_key: None, body: b"" }
    }

    /// A command that is sent once: it has no key.
    pub fn post(path: &'a str, token: &'a str, body: &'a [u8]) -> Request<'a> {
        Request { method: "POST", path, bearer: Some(token), idempotency_key: None, body }
    }
}

/// A response, whole; borrowed from the connection until the next request.
#[derive(Debug)]
pub struct Reply<'a> {
    /// Status and the headers that matter here.
    pub head: Head,
    /// The body without its transfer coding.
    pub body: &'a [u8],
}

impl<'a> Reply<'a> {
    /// Reads the body as JSON when the status is 2xx, else says status and body in the error.
    pub fn json<T: serde::Deserialize<'a>>(&self) -> Result<T> {
        if !(200..300).contains(&self.head.status) {
            bail!("status {}: {}", self.head.status, String::from_utf8_lossy(self.body));
        }
        serde_json::from_slice(self.body).context("a response body that is not the JSON expected")
    }
}

/// A connection that sends one request at a time.
///
/// After an error it is useless and the request's outcome is unknown: open a new one.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    host: SocketAddr,
    /// The request going out, then the response coming in.
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects to a server.
    pub async fn open(host: SocketAddr) -> Result<Connection> {
        let stream = TcpStream::connect(host).await.with_context(|| format!("connect to {host}"))?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, host, buffer: Vec::with_capacity(READ_BYTES) })
    }

    /// Sends a request and waits for its whole response.
    ///
    /// There is no timeout here: wrap the call. Dropped before the end, the outcome is
    /// unknown and the connection must not be used again.
    pub async fn send(&mut self, request: Request<'_>) -> Result<Reply<'_>> {
        self.buffer.clear();
        let Request { method, path, bearer, idempotency_key, body } = request;
        write!(self.buffer, "{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.host)?;
        if let Some(token) = bearer {
            write!(self.buffer, "Authorization: Bearer {token}\r\n")?;
        }
        if let Some(key) = idempotency_key {
            write!(self.buffer, "Idempotency-Key: {key}\r\n")?;
        }
        if !body.is_empty() {
            write!(self.buffer, "Content-Type: application/json\r\n")?;
        }
        write!(self.buffer, "Content-Length: {}\r\n\r\n", body.len())?;
        self.buffer.extend_from_slice(body);
        self.stream.write_all(&self.buffer).await?;
        self.receive().await
    }

    async fn receive(&mut self) -> Result<Reply<'_>> {
        self.buffer.clear();
        let (head, body_from) = loop {
            self.read_more().await?;
            if let Some(found) = Head::parse(&self.buffer)? {
                break found;
            }
        };
        let mut chunked = Chunked::default();
        let body_to = match head.body {
            Body::Length(length) => {
                while self.buffer.len() < body_from + length {
                    self.read_more().await?;
                }
                body_from + length
            }
            Body::Chunked => {
                let mut end = body_from;
                loop {
                    let fresh = self.buffer.get_mut(end..).unwrap_or_default();
                    end += chunked.decode(fresh)?;
                    self.buffer.truncate(end);
                    if chunked.is_done() {
                        break end;
                    }
                    self.read_more().await?;
                }
            }
            Body::UntilClose => {
                while self.read_some().await? > 0 {}
                self.buffer.len()
            }
        };
        let body = self.buffer.get(body_from..body_to).unwrap_or_default();
        Ok(Reply { head, body })
    }

    async fn read_more(&mut self) -> Result<()> {
        if self.read_some().await? == 0 {
            bail!("the server closed the connection before the end of its response");
        }
        Ok(())
    }

    /// Bytes read; none when the server has closed the connection.
    async fn read_some(&mut self) -> Result<usize> {
        if self.buffer.len() > super::MAX_HEAD_BYTES + MAX_BODY_BYTES {
            bail!("a response longer than {MAX_BODY_BYTES} bytes");
        }
        self.buffer.reserve(READ_BYTES);
        Ok(self.stream.read_buf(&mut self.buffer).await?)
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// The body that a client sees when a server answers so and closes the connection.
    async fn body_of(answer: &'static [u8]) -> Result<Vec<u8>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await?;
            let _ = stream.read(&mut [0; READ_BYTES]).await?;
            stream.write_all(answer).await
        });
        let mut connection = Connection::open(address).await?;
        let request = Request { method: "GET", path: "/", bearer: None, idempotency_key: None, body: b"" };
        let body = connection.send(request).await?.body.to_vec();
        server.await??;
        Ok(body)
    }

    #[tokio::test]
    async fn the_end_of_the_connection_ends_only_a_body_that_says_nothing_of_its_length() -> Result<()> {
        assert_eq!(body_of(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}").await?, b"{}");
        assert_eq!(body_of(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await?, b"{}");
        assert!(body_of(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}").await.is_err());
        assert!(body_of(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n").await.is_err());
        Ok(())
    }
}
