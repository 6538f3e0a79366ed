//! The machine that goes down: a socket where somebody speaks SSH, and where then nobody listens.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU16, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::servers::ssh_greeting;

pub struct Host {
    pub address: SocketAddr,
    listening: Option<JoinHandle<()>>,
}

impl Host {
    /// At a loopback address of its own: nobody else is given its port while it is down.
    pub async fn start() -> Host {
        static COUNT: AtomicU16 = AtomicU16::new(0);
        let [high, low] = COUNT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let listener = TcpListener::bind((Ipv4Addr::new(127, 77, high, low), 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        Host { address, listening: Some(tokio::spawn(serve(listener))) }
    }

    /// When this returns, whoever connects is refused.
    pub async fn close(&mut self) {
        if let Some(listening) = self.listening.take() {
            listening.abort();
            let _ = listening.await; // the listener is dropped with its task
        }
    }

    pub async fn open(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.listening = Some(tokio::spawn(serve(listener)));
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.listening.iter().for_each(JoinHandle::abort);
    }
}

async fn serve(listener: TcpListener) {
    while let Ok((mut stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            let _ = stream.write_all(&ssh_greeting()).await;
            let _ = stream.read_to_end(&mut Vec::new()).await; // until the other side leaves
        });
    }
}
