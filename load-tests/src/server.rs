//! Signalbox as a process of its own, so that its CPU and memory are its own.

use std::{
    fs::File,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result};
use serde::Deserialize;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

use crate::http::{Connection, Request};

/// Password of the first user, `admin`, in the databases of load tests.
const PASSWORD: &str = "a signal box in the fog";

/// Migrating an empty database and listening takes about a second.
const START: Duration = Duration::from_secs(30);

/// What stands before the address in the line that a server prints when it listens.
const LISTENS: &str = "Signalbox listens on http://";

/// A free port of the loopback address.
pub const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A server; killed when dropped, as servers are.
#[derive(Debug)]
pub struct Server {
    process: Child,
    address: SocketAddr,
    /// Kept open: a server whose output nobody takes fails at its next line.
    _output: Lines<BufReader<ChildStdout>>,
}

impl Server {
    /// Starts a server and waits until it listens.
    ///
    /// Its log goes to the end of `log`, or to this process's standard error.
    pub async fn start(database_url: &str, listen: SocketAddr, log: Option<&Path>) -> Result<Server> {
        Server::start_with(database_url, listen, log, &[]).await
    }

    /// The same with settings of its own; they win over those of all load tests.
    pub async fn start_with(
        database_url: &str,
        listen: SocketAddr,
        log: Option<&Path>,
        settings: &[(&str, String)],
    ) -> Result<Server> {
        let log = match log {
            Some(path) => Stdio::from(File::options().create(true).append(true).open(path)?),
            None => Stdio::inherit(),
        };
        let mut process = Command::new(std::env::current_exe()?)
            .arg("serve")
            .env("DATABASE_URL", database_url)
            .env("SIGNALBOX_LISTEN", listen.to_string())
            .env("SIGNALBOX_ADMIN_PASSWORD", PASSWORD)
            // A run is over before its token is; refreshing is not what is measured here.
            .env("SIGNALBOX_ACCESS_TOKEN_S", "86400")
            // All streams and requests of a run are one user's, from one machine; the limits are not what is measured.
            .env("SIGNALBOX_STREAMS_PER_USER", "0")
            .env("SIGNALBOX_STREAM_OPENS_PER_S", "0")
            .env("SIGNALBOX_REQUESTS_PER_S", "0")
            .env("SIGNALBOX_LOG", "warn")
            .envs(settings.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("start the server")?;
        let mut output = BufReader::new(process.stdout.take().context("a pipe")?).lines();
        let address = timeout(START, listening(&mut output)).await.context("the server does not listen")??;
        Ok(Server { process, address, _output: output })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it as a crash would: SIGKILL.
    pub async fn kill(mut self) -> Result<()> {
        Ok(self.process.kill().await?)
    }

    /// Its process.
    pub fn pid(&self) -> Result<u32> {
        self.process.id().context("the server has ended")
    }
}

async fn listening(output: &mut Lines<BufReader<ChildStdout>>) -> Result<SocketAddr> {
    loop {
        let line = output.next_line().await?.context("the server ended before it listened")?;
        if let Some((_, address)) = line.split_once(LISTENS) {
            return address.trim().parse().with_context(|| format!("an address in {line:?}"));
        }
    }
}

/// Signs the first user in and returns the access token.
pub async fn sign_in(address: SocketAddr) -> Result<String> {
    #[derive(Deserialize)]
    struct Tokens {
        access_token: String,
    }
    let body = serde_json::json!({ "username": "admin", "password": PASSWORD }).to_string();
    let request = Request {
        method: "POST",
        path: "/api/v1/auth/login",
        bearer: None,
        idempotency_key: None,
        body: body.as_bytes(),
    };
    let mut connection = Connection::open(address).await?;
    let tokens: Tokens = connection.send(request).await?.json().context("sign in")?;
    Ok(tokens.access_token)
}
