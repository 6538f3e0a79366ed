//! The same work asked for over HTTP: an incident in each request.

use anyhow::{Result, bail};
use serde_json::json;

use super::change::Change;
use crate::{
    http::{Connection, Request},
    server::{ANY_PORT, Server, sign_in},
};

/// A server on the database, and a token for it.
#[derive(Debug)]
pub struct Served {
    server: Server,
    token: String,
}

impl Served {
    /// Starts the server and signs in.
    pub async fn start(database_url: &str) -> Result<Served> {
        let server = Server::start(database_url, ANY_PORT, None).await?;
        let token = sign_in(server.address()).await?;
        Ok(Served { server, token })
    }

    /// A writer with a keep-alive connection.
    pub async fn writer(&self) -> Result<Http> {
        Ok(Http { connection: Connection::open(self.server.address()).await?, token: self.token.clone() })
    }
}

/// One writer.
#[derive(Debug)]
pub struct Http {
    connection: Connection,
    token: String,
}

impl Http {
    /// Creates an incident and returns the `seq` that the server names.
    pub async fn append(&mut self, change: &Change) -> Result<i64> {
        let (key, state) = (change.key.to_string(), change.state());
        let body = json!({
            "title": state.get("title"), "description": state.get("description"), "severity": "P2",
        })
        .to_string();
        let request = Request {
            method: "POST",
            path: "/api/v1/incidents",
            bearer: Some(&self.token),
            idempotency_key: Some(&key),
            body: body.as_bytes(),
        };
        let reply = self.connection.send(request).await?;
        match (reply.head.status, reply.head.seq) {
            (201, Some(seq)) => Ok(i64::try_from(seq)?),
            (status, _) => bail!("status {status}: {}", String::from_utf8_lossy(reply.body)),
        }
    }
}
