//! The stream's door: who may open it, from where, with which filter. The contract is openapi/stream.md.

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use futures_util::StreamExt;
use poem::http::{StatusCode, header};
use poem::web::Data;
use poem::{Body, IntoResponse, Request, Response};
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::types::Type;
use poem_openapi::{ApiResponse, Object, OpenApi};
use uuid::Uuid;

use super::allowed::Allowed;
use super::answer::{Answer, Done, Reply};
use super::compress::accepts_gzip;
use super::events::{EventView, Tag, facts, filter, position};
use super::handover::Door;
use super::logs::Level;
use super::problem::Problem;
use super::{App, tokens, transport};
use crate::domain::permission::Anyone;
use crate::hub::{Cursor, Encoding, Filter, Reader, Refused, Subscription, Viewer};
use crate::log::sha256;

/// Bytes of a one-time stream id before it is written as text.
const TICKET_BYTES: usize = 32;
/// Longest stream id that is looked at.
const TICKET_CHARS: usize = 64;
/// When a user without a place left may try again, in s: a lost connection's place comes back within 20.
const PLACE_AGAIN_S: u32 = 10;

/// The operations on streams.
pub struct Streams;

/// A one-time stream id.
#[derive(Debug, Object)]
pub struct StreamTicket {
    /// Redeemed once, by `GET /api/v1/events/stream/{stream_id}`.
    stream_id: String,
    /// Seconds for which it is good.
    expires_in: i64,
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Events")]
impl Streams {
    /// Follow events as they happen
    ///
    /// Server-sent events: `id` is the event's `seq`, `event` its type, `data` the event. With a cursor, what
    /// was missed comes first, then `ready`, then live. The whole contract: openapi/stream.md.
    #[oai(path = "/events/stream", method = "get", operation_id = "streamEvents")]
    #[allow(clippy::too_many_arguments)] // each is a parameter of the contract
    async fn stream(
        &self,
        caller: Allowed<Anyone>,
        request: &Request,
        /// The last id you have; sent by EventSource itself when it reconnects.
        #[oai(name = "Last-Event-ID")]
        last_id: Header<Option<String>>,
        /// The same, for clients that cannot set the header.
        last_event_id: Query<Option<String>>,
        /// The same.
        #[oai(name = "lastEventId")]
        last_event_id_camel: Query<Option<String>>,
        /// The history that id belongs to.
        epoch: Query<Option<Uuid>>,
        /// Type names, also families such as `incident.*`; separated by commas.
        types: Query<Option<String>>,
        /// One aggregate's stream, such as `incident/0198…`.
        stream: Query<Option<String>>,
        /// One collaboration session.
        session: Query<Option<String>>,
        /// Whose data name this `server`.
        server: Query<Option<String>>,
        /// Whose data name this `execution`.
        execution: Query<Option<Uuid>>,
        /// With log lines at least as bad.
        level: Query<Option<Level>>,
        /// An access token, where the server allows it.
        access_token: Query<Option<String>>,
    ) -> Answer<Frames> {
        let _ = access_token; // read by Caller
        let returns = last_id.0.is_some();
        let from = cursor(request, last_id.0.or(last_event_id.0).or(last_event_id_camel.0), epoch.0)?;
        let facts = facts(server.0, execution.0, level.0);
        let filter = filter(&caller.app, types.0.as_deref(), stream.0, session.0, facts)?;
        let filter = filter.within(&caller.account.permissions);
        open(&caller.app, request, caller.viewer(), filter, from, returns).await
    }

    /// Get a one-time stream id
    ///
    /// For readers that can send neither a header nor a cookie. It carries your rights for 30 seconds, once.
    #[oai(path = "/events/connect", method = "post", operation_id = "connectStream")]
    async fn connect(&self, caller: Allowed<Anyone>) -> Answer<Done<StreamTicket, 201>> {
        let mut bytes = [0; TICKET_BYTES];
        aws_lc_rs::rand::fill(&mut bytes)
            .map_err(|_unspecified| Problem::unavailable("no_entropy", "the system gives no random bytes", 1))?;
        let stream_id = BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let add = include_str!("../../sql/queries/ticket_add.sql");
        let hash = hash(&stream_id);
        caller.app.database.query(add, &[&hash, &caller.account.user.id, &caller.session, &caller.expires_at]).await?;
        let ticket = StreamTicket { stream_id, expires_in: 30 };
        Ok(Done::new(Reply::new(StatusCode::CREATED, 1, &ticket), None, false))
    }

    /// Follow events with a one-time stream id
    #[oai(path = "/events/stream/:stream_id", method = "get", operation_id = "streamEventsById")]
    #[allow(clippy::too_many_arguments)] // each is a parameter of the contract
    async fn redeem(
        &self,
        app: Data<&Arc<App>>,
        request: &Request,
        /// From `POST /api/v1/events/connect`.
        stream_id: Path<String>,
        /// The last id you have.
        #[oai(name = "Last-Event-ID")]
        last_id: Header<Option<String>>,
        /// The same, for clients that cannot set the header.
        last_event_id: Query<Option<String>>,
        /// The same.
        #[oai(name = "lastEventId")]
        last_event_id_camel: Query<Option<String>>,
        /// The history that id belongs to.
        epoch: Query<Option<Uuid>>,
        /// Type names, also families such as `incident.*`; separated by commas.
        types: Query<Option<String>>,
        /// One aggregate's stream.
        stream: Query<Option<String>>,
        /// One collaboration session.
        session: Query<Option<String>>,
        /// Whose data name this `server`.
        server: Query<Option<String>>,
        /// Whose data name this `execution`.
        execution: Query<Option<Uuid>>,
        /// With log lines at least as bad.
        level: Query<Option<Level>>,
    ) -> Answer<Frames> {
        // Parameters first: a mistake in them shall not use up the id.
        let returns = last_id.0.is_some();
        let from = cursor(request, last_id.0.or(last_event_id.0).or(last_event_id_camel.0), epoch.0)?;
        let facts = facts(server.0, execution.0, level.0);
        let filter = filter(&app, types.0.as_deref(), stream.0, session.0, facts)?;
        let used = || Problem::unauthorized("this stream id is unknown, used or too old; get another one");
        if stream_id.0.len() > TICKET_CHARS {
            return Err(used());
        }
        app.limits.open_stream()?; // before the database is asked, and before the id is used up
        let redeem = include_str!("../../sql/queries/ticket_redeem.sql");
        let row = app.database.query_opt(redeem, &[&hash(&stream_id.0)]).await?.ok_or_else(used)?;
        let viewer =
            Viewer { user: row.get("user_id"), session: row.get("session_id"), expires_at: row.get("token_exp") };
        // All that a token is asked is asked again: the id may be older than a change of rights.
        app.account(viewer.user).await?;
        if row.get("api_token") {
            tokens::find(&app, viewer.session).await?.ok_or_else(used)?; // its part of the rights, or none
        }
        let expired = viewer.expires_at <= time::OffsetDateTime::now_utc().unix_timestamp();
        let account = app.accounts.rights(viewer.user, viewer.session).filter(|_| !expired);
        let account = account.filter(|_| row.get("valid")).ok_or_else(used)?;
        open(&app, request, viewer, filter.within(&account.permissions), from, returns).await
    }
}

/// `returns`: the reader sends the header that browsers send when they had a stream before.
async fn open(
    app: &App,
    request: &Request,
    viewer: Viewer,
    filter: Filter,
    from: Cursor,
    returns: bool,
) -> Answer<Frames> {
    if app.stop.is_cancelled() {
        return Err(Problem::unavailable("stopping", "this process stops", 1));
    }
    transport::admit(app, viewer.user)?;
    let place = app.places.take(viewer.user).await.map_err(too_many_streams)?;
    let peer = request.remote_addr().as_socket_addr().copied();
    let encoding = if accepts_gzip(request.headers()) { Encoding::Gzip } else { Encoding::Identity };
    let wanted = Subscription { viewer, peer, place, filter, from, encoding };
    let reader = Reader::subscribe(app.hub.clone(), wanted).await?;
    app.metrics.sse_connections.inc();
    app.metrics.sse_reconnections.inc_by(returns.into());
    let body = match request.data::<Arc<Door>>() {
        // The connection is taken out of the HTTP library and goes on without this body.
        Some(door) => {
            door.hand_over(reader);
            Body::empty()
        }
        None => Body::from_bytes_stream(reader.bytes().map(Ok::<_, std::io::Error>)),
    };
    Ok(Frames { body, encoding })
}

/// 429 and not 503: it is this user's doing, other processes would say the same, and a load balancer shall not
/// think less of this one.
fn too_many_streams(Refused { open, most }: Refused) -> Problem {
    let detail = format!("{open} streams of this user are open and {most} are allowed; close one, or come back");
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_streams", detail)
        .header(header::RETRY_AFTER, &PLACE_AGAIN_S.to_string())
}

/// A cursor as a client sends it. One that is no position is a mistake; one from elsewhere gets `reset`.
fn cursor(request: &Request, last_id: Option<String>, epoch: Option<Uuid>) -> Result<Cursor, Problem> {
    let invalid =
        || Problem::bad_request("invalid_cursor", "Last-Event-ID is the id of an event: a whole number from 0 on");
    // The framework takes a header that is not ASCII for one that is not there.
    if request.headers().get("last-event-id").is_some_and(|value| value.to_str().is_err()) {
        return Err(invalid());
    }
    let Some(text) = last_id.filter(|text| !text.is_empty()) else { return Ok(Cursor { after: None, epoch }) };
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let after = text.parse().ok().filter(|_| digits).ok_or_else(invalid)?;
    Ok(Cursor { after: Some(position(Some(after))?), epoch })
}

fn hash(ticket: &str) -> Vec<u8> {
    sha256(ticket.as_bytes()).to_vec()
}

/// A stream of frames.
pub struct Frames {
    body: Body,
    encoding: Encoding,
}

impl IntoResponse for Frames {
    fn into_response(self) -> Response {
        let response = Response::builder()
            .content_type("text/event-stream; charset=utf-8")
            .header(header::CACHE_CONTROL, "no-store")
            .header(header::VARY, "accept-encoding")
            .header("x-accel-buffering", "no"); // nginx passes each frame on at once
        let response = match self.encoding {
            Encoding::Identity => response,
            Encoding::Gzip => response.header(header::CONTENT_ENCODING, "gzip"),
        };
        response.body(self.body)
    }
}

impl ApiResponse for Frames {
    fn meta() -> MetaResponses {
        let mut schema = MetaSchema::new_with_format("array", "event-stream");
        schema.items = Some(Box::new(EventView::schema_ref()));
        let content = MetaMediaType {
            content_type: "text/event-stream; charset=utf-8",
            schema: MetaSchemaRef::Inline(Box::new(schema)),
        };
        let response = MetaResponse {
            description: "Frames until either side closes.",
            status: Some(200),
            status_range: None,
            content: vec![content],
            headers: vec![],
        };
        MetaResponses { responses: vec![response] }
    }

    fn register(registry: &mut Registry) {
        EventView::register(registry);
    }
}
