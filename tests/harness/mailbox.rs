//! A mail server that keeps what it gets, and refuses whom it is told to.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::PATIENCE;

/// A mail as it came.
#[derive(Debug)]
pub struct Mail {
    /// Of the envelope.
    pub to: Vec<String>,
    /// Head and body.
    pub text: String,
}

/// How it speaks TLS.
#[derive(Clone)]
pub enum Secured {
    /// Not at all.
    Never,
    /// From the first byte.
    AtOnce(TlsAcceptor),
    /// After STARTTLS.
    Asked(TlsAcceptor),
}

/// Listens on a port of its own until it is dropped.
pub struct Mailbox {
    /// For `SIGNALBOX_SMTP_URL`.
    pub url: String,
    mails: mpsc::Receiver<Mail>,
    heard: Heard,
    task: tokio::task::JoinHandle<()>,
}

/// Each command, and whether anybody on the way could read it.
type Heard = Arc<Mutex<Vec<(bool, String)>>>;

impl Mailbox {
    /// Refuses, for ever, recipients whose address contains `nobody`.
    pub async fn start() -> Mailbox {
        Mailbox::secured(Secured::Never).await
    }

    /// The same over TLS. The URL names a user and a password, and asks for STARTTLS where it does not begin with TLS.
    pub async fn secured(secured: Secured) -> Mailbox {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let url = match &secured {
            Secured::Never => format!("smtp://{address}"),
            Secured::AtOnce(_) => format!("smtps://ada:opensesame@{address}"),
            Secured::Asked(_) => format!("smtp://ada:opensesame@{address}?tls=required"),
        };
        let (send, mails) = mpsc::channel(1_000);
        let heard = Heard::default();
        let hears = heard.clone();
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let session = Session { mails: send.clone(), heard: hears.clone() };
                tokio::spawn(session.begin(stream, secured.clone()));
            }
        });
        Mailbox { url, mails, heard, task }
    }

    pub async fn next(&mut self) -> Mail {
        timeout(PATIENCE, self.mails.recv()).await.expect("a mail").unwrap()
    }

    /// What came by now beyond what was asked for.
    pub fn rest(&mut self) -> Vec<Mail> {
        std::iter::from_fn(|| self.mails.try_recv().ok()).collect()
    }

    /// The commands by now, in the clear or not.
    pub fn heard(&self, in_the_clear: bool) -> Vec<String> {
        let heard = self.heard.lock().unwrap();
        heard.iter().filter(|(clear, _)| *clear == in_the_clear).map(|(_, command)| command.clone()).collect()
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Session {
    mails: mpsc::Sender<Mail>,
    heard: Heard,
}

impl Session {
    /// Who does not trust the certificate goes away.
    async fn begin(self, mut stream: tokio::net::TcpStream, secured: Secured) {
        match secured {
            Secured::Never => _ = self.serve(&mut stream, "250-test\r\n250 AUTH PLAIN", true, true).await,
            Secured::AtOnce(tls) => {
                if let Ok(mut stream) = tls.accept(stream).await {
                    self.serve(&mut stream, "250-test\r\n250 AUTH PLAIN", true, false).await;
                }
            }
            Secured::Asked(tls) => {
                let wants_tls = self.serve(&mut stream, "250-test\r\n250 STARTTLS", true, true).await;
                if wants_tls && let Ok(mut stream) = tls.accept(stream).await {
                    self.serve(&mut stream, "250-test\r\n250 AUTH PLAIN", false, false).await;
                }
            }
        }
    }

    /// Until the end, or until the client asks for TLS.
    async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        on: &mut S,
        hello: &str,
        greets: bool,
        clear: bool,
    ) -> bool {
        let mut stream = BufReader::new(on);
        let (mut to, mut line) = (Vec::new(), String::new());
        if greets {
            let _ = stream.write_all(b"220 test\r\n").await;
        }
        loop {
            line.clear();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return false;
            }
            let command = line.trim_end().to_owned();
            self.heard.lock().unwrap().push((clear, command.clone()));
            let answer = match command.split([' ', ':']).next().unwrap_or_default() {
                "EHLO" => hello,
                "STARTTLS" => {
                    let _ = stream.write_all(b"220 go on\r\n").await;
                    return true;
                }
                "AUTH" => "235 welcome",
                "RCPT" if command.contains("nobody") => "550 5.1.1 nobody is here",
                "RCPT" => {
                    to.push(command.split(['<', '>']).nth(1).unwrap().to_owned());
                    "250 ok"
                }
                "DATA" => {
                    let _ = stream.write_all(b"354 go on\r\n").await;
                    let mut text = String::new();
                    while !text.ends_with("\r\n.\r\n") {
                        if stream.read_line(&mut text).await.unwrap_or(0) == 0 {
                            return false; // who sends it is no more, and a part of a mail is none
                        }
                    }
                    self.mails.send(Mail { to: std::mem::take(&mut to), text }).await.unwrap();
                    "250 taken"
                }
                "QUIT" => "221 bye",
                _ => "250 ok",
            };
            let _ = stream.write_all(format!("{answer}\r\n").as_bytes()).await;
        }
    }
}
