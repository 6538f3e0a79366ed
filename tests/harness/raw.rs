//! A client that is in charge of its own socket: what it sends, and whether it reads.

use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::PATIENCE;

pub struct Raw {
    socket: tokio::net::TcpStream,
    /// What was read and not yet looked at.
    pub text: String,
}

impl Raw {
    /// Connects with a small receive buffer, so that a reader that stops reading is noticed soon.
    pub fn connect(address: SocketAddr) -> Raw {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(4 << 10).unwrap();
        socket.connect(&address.into()).unwrap();
        let socket = TcpStream::from(socket);
        socket.set_nonblocking(true).unwrap();
        Raw { socket: tokio::net::TcpStream::from_std(socket).unwrap(), text: String::new() }
    }

    pub async fn send(&mut self, text: &str) {
        self.socket.write_all(text.as_bytes()).await.unwrap();
    }

    /// The same for what the other side will not listen to: it may close before it has it all.
    pub async fn send_until_closed(&mut self, text: &str) {
        let _ = self.socket.write_all(text.as_bytes()).await;
    }

    /// Asks for the stream.
    pub async fn open_stream(&mut self, token: &str, query: &str) {
        let request =
            format!("GET /api/v1/events/stream{query} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n");
        self.send(&request).await;
    }

    /// Reads up to and with this text, and returns all of it.
    pub async fn until(&mut self, end: &str) -> String {
        loop {
            if let Some(at) = self.text.find(end) {
                return self.text.drain(..at + end.len()).collect();
            }
            assert!(self.read().await, "the other side closed before {end:?}: {}", self.text);
        }
    }

    /// Reads what is left until the other side closes, in whatever way.
    pub async fn rest(&mut self) -> String {
        while self.read().await {}
        std::mem::take(&mut self.text)
    }

    /// Whom it talks to.
    pub fn peer(&self) -> SocketAddr {
        self.socket.peer_addr().unwrap()
    }

    /// Leaves as a program that crashes: by a reset.
    pub fn reset(self) {
        SockRef::from(&self.socket).set_linger(Some(Duration::ZERO)).unwrap();
    }

    /// Says that it will send nothing more.
    pub fn shutdown(self) {
        let _ = self.socket.into_std().unwrap().shutdown(Shutdown::Both);
    }

    async fn read(&mut self) -> bool {
        let mut bytes = [0; 16 << 10];
        match timeout(PATIENCE, self.socket.read(&mut bytes)).await.expect("something within the patience") {
            Ok(0) | Err(_) => false,
            Ok(length) => {
                self.text.push_str(std::str::from_utf8(&bytes[..length]).unwrap());
                true
            }
        }
    }
}
