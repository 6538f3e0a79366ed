//! The system: what this process is doing, and the switches that reach all of them.

mod view;

use poem::http::StatusCode;
use poem_openapi::param::Query;
use poem_openapi::payload::Json;
use poem_openapi::{OpenApi, Tags};
use time::OffsetDateTime;
use uuid::Uuid;

use super::allowed::Allowed;
use super::answer::{Answer, Done, Reply, Shown};
use super::caller::Caller;
use super::command::{Decision, carry_out};
use super::problem::Problem;
use crate::domain::permission::{SYSTEM_READ, SystemControl, SystemRead};
use crate::domain::system::{self, Command, STREAMS, Streams};
use crate::log::{NewEvent, Write};
use crate::projections::control;
use view::{OpenStreamPage, Share, StreamControl, SwitchReason, SystemView};

/// Open streams of a page: by default, and at most.
const DEFAULT_STREAMS: usize = 100;
const MOST_STREAMS: usize = 1_000;

#[derive(Tags)]
enum Tag {
    /// What the server does, and its switches.
    System,
}

/// The operations on the system.
pub struct System;

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::System")]
impl System {
    /// Show this process
    ///
    /// Each process answers for itself. The switches, under `control`, are the same for all.
    #[oai(path = "/system", method = "get", operation_id = "getSystem")]
    async fn show(&self, caller: Allowed<SystemRead>) -> Answer<Shown<SystemView>> {
        let view = SystemView::of(&caller.app).await;
        Ok(Shown::bytes_of(&view, caller.app.hub.head(), caller.known.as_deref()))
    }

    /// List the open streams of this process
    #[oai(path = "/system/streams", method = "get", operation_id = "listOpenStreams")]
    async fn streams(
        &self,
        caller: Allowed<SystemRead>,
        /// `next` of the page before.
        after: Query<Option<u64>>,
        /// Streams of a page, 1 to 1,000; default 100.
        limit: Query<Option<usize>>,
    ) -> Answer<Shown<OpenStreamPage>> {
        let limit = limit.0.unwrap_or(DEFAULT_STREAMS);
        if !(1..=MOST_STREAMS).contains(&limit) {
            return Err(Problem::bad_request("invalid_parameter", format!("limit is 1 to {MOST_STREAMS}")));
        }
        let page = OpenStreamPage::of(&caller.app, after.0.unwrap_or(0), limit);
        Ok(Shown::bytes_of(&page, caller.app.hub.head(), caller.known.as_deref()))
    }

    /// Switch streams off
    ///
    /// In every process, within a second. Open streams end with `bye`; clients poll on the same cursor.
    #[oai(path = "/system/streams/disable", method = "post", operation_id = "disableStreams")]
    async fn disable(&self, caller: Allowed<SystemControl>, body: Json<SwitchReason>) -> Answer<Done<StreamControl>> {
        command(caller, Command::Disable { reason: body.0.reason.0 }).await
    }

    /// Switch streams on
    ///
    /// In every process, also in those that were started with streams off. Clients come back by themselves,
    /// spread over half a minute.
    #[oai(path = "/system/streams/enable", method = "post", operation_id = "enableStreams")]
    async fn enable(&self, caller: Allowed<SystemControl>, body: Json<SwitchReason>) -> Answer<Done<StreamControl>> {
        command(caller, Command::Enable { reason: body.0.reason.0 }).await
    }

    /// Offer streams to a share of users
    ///
    /// Who is among them depends on the user alone: a growing share takes streams from nobody. Open streams
    /// stay; whoever is left out is told so when a stream is opened next.
    #[oai(path = "/system/streams/share", method = "put", operation_id = "setStreamShare")]
    async fn share(&self, caller: Allowed<SystemControl>, body: Json<Share>) -> Answer<Done<StreamControl>> {
        command(caller, Command::Share { percent: body.0.percent }).await
    }
}

async fn command(caller: Allowed<SystemControl>, command: Command) -> Answer<Done<StreamControl>> {
    let who = caller.clone();
    let carried = carry_out(caller.0, move || decide(who.clone(), command.clone())).await?;
    Ok(Done::new(carried.reply, carried.seq, carried.replayed))
}

async fn decide(caller: Caller, command: Command) -> Result<Decision, Problem> {
    let streams = control::current(&caller.app.database).await?;
    if let Some(expected) = caller.expected.filter(|expected| *expected != streams.version) {
        let detail = format!("you saw version {expected}; it is {} now", streams.version);
        let mismatch = Problem::new(StatusCode::PRECONDITION_FAILED, "version_mismatch", detail);
        return Err(mismatch.current_version(streams.version));
    }
    let events = system::decide(&streams, &command).map_err(|invalid| {
        Problem::unacceptable("invalid", "the input is not acceptable: errors says why")
            .errors([(invalid.pointer.to_owned(), invalid.message)])
    })?;
    if events.is_empty() {
        return Ok(Decision::Unchanged(shown(&streams)));
    }
    let new = |event: &system::Event| NewEvent {
        id: Uuid::now_v7(),
        kind: event.kind(),
        data: event.data(),
        occurred_at: OffsetDateTime::now_utc(),
        permissions: &[SYSTEM_READ],
    };
    let write =
        Write { stream: STREAMS.to_owned(), expected: Some(streams.version), events: events.iter().map(new).collect() };
    let after = events.iter().fold(streams, system::evolve);
    Ok(Decision::Append { writes: vec![write], states: Vec::new(), reply: shown(&after) })
}

fn shown(streams: &Streams) -> Reply {
    Reply::new(StatusCode::OK, streams.version, &StreamControl::from(streams))
}
