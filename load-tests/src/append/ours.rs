//! Commands given to the server's own append queue, in this process.

use std::sync::Arc;

use anyhow::{Result, bail};
use signalbox::{
    log::{Appender, Cause, Command, Idempotency, NewEvent, Outcome, State, Write},
    postgres::Direct,
};
use tokio::sync::Notify;
use uuid::Uuid;

use super::change::{ACTOR, Change};

/// One queue, shared by all writers.
#[derive(Clone)]
pub struct Ours(Appender);

impl Ours {
    /// Starts the queue; it connects with the first command.
    pub fn start(url: &str) -> Result<Ours> {
        Ok(Ours(Appender::start(Direct::serving(url)?, Arc::new(Notify::new()))))
    }

    /// Carries out one command and returns the event's `seq`.
    pub async fn append(&self, change: &Change, body_hash: &[u8]) -> Result<i64> {
        let event = NewEvent {
            id: Uuid::now_v7(),
            kind: change.kind(),
            data: change.data(),
            occurred_at: change.at,
            permissions: &["incidents.read"],
        };
        let command = Command {
            cause: Cause {
                actor: ACTOR.to_owned(),
                actor_name: "Load".to_owned(),
                session_id: None,
                correlation_id: Uuid::now_v7(),
                causation_id: None,
                trace_id: None,
            },
            writes: vec![Write { stream: change.stream(), expected: Some(change.expected), events: vec![event] }],
            states: vec![State { kind: "incident", json: change.state().to_string() }],
            idempotency: Some(Idempotency {
                principal: ACTOR.to_owned(),
                key: change.key.to_string(),
                body_hash: body_hash.to_vec(),
                reply: change.reply().to_string(),
            }),
        };
        match self.0.append(command).await? {
            Outcome::Appended(appended) => Ok(appended.last_seq),
            refused => bail!("not appended: {refused:?}"),
        }
    }
}

impl std::fmt::Debug for Ours {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ours {{ waiting: {} }}", self.0.waiting())
    }
}
