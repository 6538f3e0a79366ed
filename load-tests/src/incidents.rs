//! Incidents for a scenario to play with.

use anyhow::{Context, Result};
use serde::Deserialize;
use uuid::Uuid;

use crate::http::{Connection, Request};

/// One that was reported.
#[derive(Clone, Copy, Debug)]
pub struct Reported {
    /// Its id.
    pub id: Uuid,
    /// Where the report is in the log.
    pub seq: u64,
}

/// Reports one.
pub async fn report(connection: &mut Connection, token: &str, title: &str, severity: &str) -> Result<Reported> {
    #[derive(Deserialize)]
    struct Incident {
        id: Uuid,
    }
    let body = serde_json::json!({ "title": title, "severity": severity }).to_string();
    let reply = connection.send(Request::post("/api/v1/incidents", token, body.as_bytes())).await?;
    let Incident { id } = reply.json().context("report an incident")?;
    Ok(Reported { id, seq: reply.head.seq.context("an incident without its position")? })
}
