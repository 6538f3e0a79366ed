//! Signalbox with a PostgreSQL of its own.

use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;
use signalbox::postgres::private::{Cluster, Options, SUPERUSER};
use uuid::Uuid;

use super::{crowd::Subscription, publisher::Publication, system::System};
use crate::{
    http::{Connection, Request},
    server::{ANY_PORT, Server, sign_in},
};

/// The server, its database, and an incident for each publisher.
#[derive(Debug)]
pub(super) struct Ours {
    server: Server,
    cluster: Cluster,
    token: String,
    incidents: Vec<Uuid>,
}

impl Ours {
    /// Starts both below a directory and reports the incidents.
    pub(super) async fn start(directory: &Path, publishers: usize) -> Result<Ours> {
        let options =
            Options { directory: directory.join("postgres"), binaries: None, durable: true, settings: Vec::new() };
        let cluster = tokio::task::spawn_blocking(move || Cluster::start(&options)).await??;
        let server = Server::start(&cluster.url("postgres", SUPERUSER), ANY_PORT, None).await?;
        let token = sign_in(server.address()).await?;
        let mut connection = Connection::open(server.address()).await?;
        let mut incidents = Vec::new();
        // Publishers that share an incident would wait for each other's version.
        for _ in 0..publishers {
            incidents.push(report_incident(&mut connection, &token).await?);
        }
        Ok(Ours { server, cluster, token, incidents })
    }

    /// How it is measured with comments of that many bytes.
    pub(super) fn system(&self, text_bytes: usize) -> Result<System> {
        let (address, token) = (self.server.address(), &self.token);
        let comments = |incident| format!("/api/v1/incidents/{incident}/comments");
        Ok(System {
            pid: self.server.pid()?,
            readyz: Some(address),
            postgres_pid: Some(u32::try_from(self.cluster.postmaster_pid())?),
            subscription: Subscription::to_signalbox(address, token),
            publication: Publication {
                address,
                paths: self.incidents.iter().map(comments).collect(),
                bearer: Some(token.clone()),
                around: (r#"{"text":""#, r#""}"#),
                text_bytes,
            },
        })
    }
}

async fn report_incident(connection: &mut Connection, token: &str) -> Result<Uuid> {
    #[derive(Deserialize)]
    struct Incident {
        id: Uuid,
    }
    let request = Request {
        method: "POST",
        path: "/api/v1/incidents",
        bearer: Some(token),
        idempotency_key: None,
        body: br#"{"title":"Fan-out","severity":"P4"}"#,
    };
    let incident: Incident = connection.send(request).await?.json().context("report an incident")?;
    Ok(incident.id)
}
