//! All that knows HTTP. The whole route table is [`site`]; `docs.rs` turns it into the OpenAPI document.

pub mod allowed;
pub mod answer;
mod audit;
mod automations;
pub mod caller;
mod command;
mod compress;
mod dashboard;
mod denied;
pub mod docs;
mod edge;
mod events;
mod handover;
mod health;
pub mod identity;
mod incidents;
mod known;
pub mod limits;
mod logs;
mod malformed;
mod me;
mod metrics;
mod notifications;
mod page;
mod panel;
pub mod problem;
mod reports;
mod roles;
pub mod serve;
mod servers;
mod sign_in;
mod stream;
mod system;
mod text;
pub mod token;
mod tokens;
mod transport;
mod users;

use std::sync::Arc;
use std::time::Duration;

use poem::{EndpointExt, IntoEndpoint, Route, get};
use poem_openapi::OpenApiService;
use time::OffsetDateTime;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use audit::Exports;
pub use command::InFlight;
pub use denied::Denials;
pub use edge::Asked;
pub use incidents::Stories;
pub use sign_in::{Passwords, first_admin};
pub use tokens::note_used_tokens;

use crate::config::ServeConfig;
use crate::domain::user::User;
use crate::egress::{Egress, Trust};
use crate::hub::{Hub, Places, Protection, Reset};
use crate::log::{Appender, Registry, read};
use crate::metrics::Metrics;
use crate::notifications::Sender;
use crate::postgres::Database;
use crate::projections::dashboard::{Busiest, Busy, Question, TimeZones};
use crate::projections::incident_statistics::IncidentStatistics;
use crate::projections::{Account, Accounts, Control, SingleFlight};
use crate::runner::{Allowed, Wake};
use crate::servers::Checker;
use problem::Problem;

/// How long a reader that has seen a position waits for this process to see it too.
const MIN_SEQ_WAIT: Duration = Duration::from_secs(5);

/// The column that is null in the one row of an empty list, which says only where the log ends.
const HEAD_ONLY: &str = "id";

/// What handlers work with.
pub struct App {
    /// Settings.
    pub config: ServeConfig,
    /// For reading.
    pub database: Database,
    /// For what this process does by itself: requests that wait must not hold it up.
    pub background: Database,
    /// For writing.
    pub appender: Appender,
    /// Where users may let it connect to.
    pub egress: Egress,
    /// Whose word it takes for who answers there.
    pub trust: Trust,
    /// Goes round and tests servers.
    pub checker: Checker,
    /// For webhooks and mail.
    pub sender: Sender,
    /// For following.
    pub hub: Arc<Hub>,
    /// How many streams each user may follow by.
    pub places: Places,
    /// How often who may ask.
    pub limits: limits::Limits,
    /// Who may what.
    pub accounts: Arc<Accounts>,
    /// Which programs runbooks may run here.
    pub allowed: Allowed,
    /// Wakes the runner.
    pub wake: Arc<Wake>,
    /// Incidents in figures, by the hours of the window.
    pub incident_statistics: SingleFlight<i32, IncidentStatistics>,
    /// Which story each incident belongs to.
    pub stories: Stories,
    /// Everything in figures.
    pub dashboard: SingleFlight<Question, dashboard::Parts>,
    /// How busy servers are.
    pub utilization: SingleFlight<Busiest, Vec<Busy>>,
    /// Names that a question may use.
    pub time_zones: TimeZones,
    /// Whether there are streams, and for whom.
    pub control: Control,
    /// What it counts.
    pub metrics: Arc<Metrics>,
    /// What it takes from streams to protect itself.
    pub protection: Protection,
    /// Which events there are.
    pub registry: Arc<Registry>,
    /// Access tokens.
    pub tokens: token::Tokens,
    /// Tokens of others, where the settings name an issuer.
    pub identities: Option<identity::Identities>,
    /// Who was refused what, lately.
    pub denials: Denials,
    /// Exports under way.
    pub exports: Exports,
    /// Password checks.
    pub passwords: Passwords,
    /// Idempotency keys under way.
    pub in_flight: InFlight,
    /// Whether notifications arrive.
    pub listening: watch::Receiver<bool>,
    /// Names this process until it ends.
    pub process: Uuid,
    /// When it began.
    pub started_at: OffsetDateTime,
    /// Whether the private PostgreSQL, if there is one, runs.
    pub stop: CancellationToken,
}

impl App {
    /// A user who may sign in, with the rights of now.
    ///
    /// # Errors
    /// 401 when there is none; 503 when that cannot be known.
    pub async fn account(&self, id: Uuid) -> Result<Arc<Account>, Problem> {
        if let Some(account) = self.accounts.active(id) {
            return Ok(account);
        }
        // Perhaps created by another process a moment ago.
        let found = self.database.query_opt(include_str!("../../sql/queries/user_find.sql"), &[&id]).await?;
        if let Some(row) = found {
            let state: tokio_postgres::types::Json<User> = row.get("state");
            self.accounts.keep(state.0);
        }
        self.accounts.active(id).ok_or_else(|| Problem::unauthorized("this user may not sign in"))
    }

    /// Waits until this process has seen a position, as a client asks that has seen it elsewhere.
    ///
    /// # Errors
    /// 410 for a position that the log does not have; 503 when it takes too long.
    pub async fn seen(&self, min_seq: Option<i64>) -> Result<(), Problem> {
        let Some(seq) = min_seq else { return Ok(()) };
        if seq <= self.hub.head().seq {
            return Ok(());
        }
        if seq > read::head(&self.database).await?.seq {
            return Err(events::gone(Reset::Future));
        }
        timeout(MIN_SEQ_WAIT, self.hub.reached(seq)).await.map_err(|_elapsed| {
            Problem::unavailable("not_there_yet", format!("this process has not seen position {seq} yet"), 1)
        })
    }
}

/// Every documented operation.
fn api() -> OpenApiService<impl poem_openapi::OpenApi, ()> {
    let api = (
        (sign_in::SignIn, sign_in::Sessions, sign_in::OwnPassword, me::Decisions),
        (users::Users, roles::Roles, tokens::Tokens),
        (incidents::Incidents, incidents::Statistics),
        (servers::Servers, servers::Measures, servers::Filters),
        (automations::Runbooks, automations::Executions),
        (notifications::Channels, notifications::Rules, notifications::Deliveries),
        logs::Logs,
        dashboard::Dashboard,
        (events::Events, audit::Audit),
        stream::Streams,
        (transport::Transports, reports::Reports),
        system::System,
        health::Health,
        metrics::Scrape,
    );
    OpenApiService::new(api, "Signalbox", env!("CARGO_PKG_VERSION"))
}

/// The route table.
pub fn site(app: Arc<App>) -> serve::Site {
    let service = api();
    let document = docs::document(&service);
    let known = known::Known::of(&document);
    let page = get(docs::Page::new(&service, &document));
    let panel = Arc::new(poem::endpoint::make(|request| async move { panel::panel(&request).await }).map_to_response());
    let operations = Arc::new(service.into_endpoint().map_to_response().boxed());
    let site = Route::new()
        .at("/", get(panel.clone()))
        .at("/*path", get(panel))
        .at("/docs", page)
        .at("/openapi.json", get(docs::Document::new(&document)))
        .at("/livez", operations.clone())
        .at("/readyz", operations.clone())
        .at("/metrics", operations.clone())
        .nest_no_strip("/api", operations);
    let metrics = app.metrics.clone();
    Arc::new(edge::Edge::around(site.data(app), known, metrics).boxed())
}
