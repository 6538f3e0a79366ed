//! A mail server that keeps what it gets, and refuses whom it is told to.

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::PATIENCE;

/// A mail as it came.
#[derive(Debug)]
pub struct Mail {
    /// Of the envelope.
    pub to: Vec<String>,
    /// Head and body.
    pub text: String,
}

/// Listens on a port of its own until it is dropped.
pub struct Mailbox {
    /// For `SIGNALBOX_SMTP_URL`.
    pub url: String,
    mails: mpsc::Receiver<Mail>,
    task: tokio::task::JoinHandle<()>,
}

impl Mailbox {
    /// Refuses, for ever, recipients whose address contains `nobody`.
    pub async fn start() -> Mailbox {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("smtp://{}", listener.local_addr().unwrap());
        let (send, mails) = mpsc::channel(1_000);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, send.clone()));
            }
        });
        Mailbox { url, mails, task }
    }

    pub async fn next(&mut self) -> Mail {
        timeout(PATIENCE, self.mails.recv()).await.expect("a mail").unwrap()
    }

    /// What came by now beyond what was asked for.
    pub fn rest(&mut self) -> Vec<Mail> {
        std::iter::from_fn(|| self.mails.try_recv().ok()).collect()
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(stream: TcpStream, mails: mpsc::Sender<Mail>) {
    let mut stream = BufReader::new(stream);
    let (mut to, mut line) = (Vec::new(), String::new());
    let _ = stream.write_all(b"220 test\r\n").await;
    loop {
        line.clear();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return;
        }
        let command = line.trim_end().to_owned();
        let answer = match command.split([' ', ':']).next().unwrap_or_default() {
            "EHLO" => "250 test",
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
                        return; // who sends it is no more, and a part of a mail is none
                    }
                }
                mails.send(Mail { to: std::mem::take(&mut to), text }).await.unwrap();
                "250 taken"
            }
            "QUIT" => "221 bye",
            _ => "250 ok",
        };
        let _ = stream.write_all(format!("{answer}\r\n").as_bytes()).await;
    }
}
