//! Signalbox with a PostgreSQL of its own.

use anyhow::Result;
use signalbox::postgres::private::{Cluster, SUPERUSER};
use uuid::Uuid;

use super::{crowd::Subscription, publisher::Publication, system::System};
use crate::{
    http::Connection,
    incidents,
    scratch::Scratch,
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
    /// Starts both and reports the incidents.
    pub(super) async fn start(scratch: &Scratch, publishers: usize) -> Result<Ours> {
        let cluster = scratch.start_postgres(Vec::new()).await?;
        let server = Server::start(&cluster.url("postgres", SUPERUSER), ANY_PORT, None).await?;
        let token = sign_in(server.address()).await?;
        let mut connection = Connection::open(server.address()).await?;
        let mut incidents = Vec::new();
        // Publishers that share an incident would wait for each other's version.
        for _ in 0..publishers {
            incidents.push(incidents::report(&mut connection, &token, "Fan-out", "P4").await?.id);
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
