//! Whether this process lives and can work.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object, OpenApi, Tags};

use super::App;
use crate::log::read;

#[derive(Tags)]
enum Tag {
    /// For load balancers and operators.
    Health,
}

/// The operations on the process itself.
pub struct Health;

/// How the process is.
#[derive(Debug, Object)]
#[oai(rename = "Health")]
pub struct State {
    /// `ok` or `unavailable`.
    status: String,
    /// The database answers.
    database: bool,
    /// Notifications arrive; if not, the log is polled ten times a second.
    listening: bool,
    /// Last position that this process has seen.
    seq: i64,
    /// Positions behind the database that it is.
    lag: Option<i64>,
    /// Streams open.
    streams: u64,
    /// Commands waiting to be recorded.
    waiting: u64,
}

#[derive(ApiResponse)]
enum Ready {
    /// Send requests here.
    #[oai(status = 200)]
    Ok(Json<State>),
    /// Do not, for now.
    #[oai(status = 503)]
    Unavailable(Json<State>),
}

#[OpenApi(tag = "Tag::Health")]
impl Health {
    /// The process lives
    #[oai(path = "/livez", method = "get", operation_id = "livez")]
    async fn live(&self) -> poem_openapi::payload::PlainText<&'static str> {
        poem_openapi::payload::PlainText("ok")
    }

    /// The process can work
    #[oai(path = "/readyz", method = "get", operation_id = "readyz")]
    async fn ready(&self, app: Data<&Arc<App>>) -> Ready {
        let head = read::head(&app.database).await.ok();
        let seq = app.hub.head().seq;
        let well = head.is_some() && !app.stop.is_cancelled();
        let state = State {
            status: if well { "ok" } else { "unavailable" }.to_owned(),
            database: head.is_some(),
            listening: *app.listening.borrow(),
            seq,
            lag: head.map(|head| (head.seq - seq).max(0)),
            streams: app.hub.open().count() as u64,
            waiting: app.appender.waiting() as u64,
        };
        if well { Ready::Ok(Json(state)) } else { Ready::Unavailable(Json(state)) }
    }
}
