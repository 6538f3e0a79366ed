//! Somebody else's server: takes webhooks, remembers them, and answers as it is told.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::PATIENCE;

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Received {
    pub path: String,
    pub headers: HashMap<String, String>,
    pub body: String,
}

impl Received {
    /// The payload.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Of the incident that it tells of.
    pub fn title(&self) -> String {
        self.json()["data"]["data"]["title"].as_str().unwrap_or_default().to_owned()
    }
}

/// Listens on a port of its own until it is dropped.
pub struct Receiver {
    pub url: String,
    requests: mpsc::Receiver<Received>,
    answers: Arc<Mutex<VecDeque<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Receiver {
    pub async fn start() -> Receiver {
        Receiver::listen(None).await
    }

    /// By HTTPS, with this certificate.
    pub async fn secured(tls: TlsAcceptor) -> Receiver {
        Receiver::listen(Some(tls)).await
    }

    async fn listen(tls: Option<TlsAcceptor>) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}/hook", listener.local_addr().unwrap());
        let (send, requests) = mpsc::channel(10_000);
        let answers: Arc<Mutex<VecDeque<String>>> = Arc::default();
        let scripted = answers.clone();
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (tls, send, scripted) = (tls.clone(), send.clone(), scripted.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, send, scripted).await,
                        // Who does not trust the certificate goes away.
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, send, scripted).await;
                            }
                        }
                    }
                });
            }
        });
        Receiver { url, requests, answers, task }
    }

    /// The next requests are answered so (`503 Busy\r\nretry-after: 5`), in this order; all others with 204.
    pub fn answers(&self, heads: &[&str]) {
        self.answers.lock().unwrap().extend(heads.iter().map(|&head| head.to_owned()));
    }

    /// The next request.
    pub async fn next(&mut self) -> Received {
        timeout(PATIENCE, self.requests.recv()).await.expect("a webhook").unwrap()
    }

    /// What came by now beyond what was asked for.
    pub fn rest(&mut self) -> Vec<Received> {
        std::iter::from_fn(|| self.requests.try_recv().ok()).collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    requests: mpsc::Sender<Received>,
    answers: Arc<Mutex<VecDeque<String>>>,
) {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    // Whoever sends it may be killed on the way: a part of a request is none.
    if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
        return;
    }
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = HashMap::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return;
        }
        let Some((name, value)) = line.trim().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    if stream.read_exact(&mut body).await.is_err() {
        return;
    }
    let head = answers.lock().unwrap().pop_front().unwrap_or_else(|| "204 No Content".to_owned());
    requests.send(Received { path, headers, body: String::from_utf8(body).unwrap() }).await.unwrap();
    let body = if head.starts_with("204") { "" } else { "hello" };
    let length = if body.is_empty() { "" } else { "content-length: 5\r\n" };
    let _ = stream.write_all(format!("HTTP/1.1 {head}\r\n{length}connection: close\r\n\r\n{body}").as_bytes()).await;
    let _ = stream.shutdown().await;
}
