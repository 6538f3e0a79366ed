//! A serving process: what is started, in which order, and how it ends.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use serde_json::json;
use time::OffsetDateTime;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{interval, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::config::{DatabaseConfig, ServeConfig};
use crate::demo::{self, DemoOptions};
use crate::domain::permission::SYSTEM_READ;
use crate::domain::system;
use crate::egress::{Egress, Trust};
use crate::forget::forget;
use crate::http::{
    self, App, Denials, Exports, InFlight, Passwords, Stories, identity::Identities, limits::Limits, token::Tokens,
};
use crate::hub::{Bounds, Hub, Places, Protection};
use crate::log::{Appender, Cause, Command, Head, NewEvent, Tail, Tailed, Write, read};
use crate::metrics::Metrics;
use crate::notifications::{Sender, notify};
use crate::postgres::private::{self, Cluster, SUPERUSER};
use crate::postgres::{APP_ROLE, Database, Direct};
use crate::projections::dashboard::{self, TimeZones};
use crate::projections::{Accounts, Control, SingleFlight, incident_statistics};
use crate::protect::protect;
use crate::registry;
use crate::runner::{self, Allowed, Wake};
use crate::servers::Checker;

/// How often a private PostgreSQL is looked after.
const SUPERVISE_EVERY: Duration = Duration::from_secs(1);
/// Of the end of the log, taken into memory at the start if it has room: about 10 MiB and 10 queries.
const REMEMBERED_EVENTS: i64 = 10_000;
/// Connections for work that no request waits for.
const BACKGROUND_POOL: usize = 3;
/// What PostgreSQL calls its sessions, apart from those of requests.
const BACKGROUND_NAME: &str = "signalbox-background";
/// For the last event of an orderly stop.
const FAREWELL_WAIT: Duration = Duration::from_secs(1);

/// The database that a process uses, its own or another's.
pub struct Backend {
    /// For the append queue and the tail: no pooler in between.
    pub direct: Direct,
    /// For pooled queries; may be a pooler.
    pub pooled: Direct,
    /// For migrations.
    pub migrating: Direct,
    supervisor: Option<(JoinHandle<()>, CancellationToken)>,
}

impl Backend {
    /// Finds the database, or starts a private one.
    ///
    /// # Errors
    /// What is missing and how to get it.
    pub async fn open(config: &DatabaseConfig) -> anyhow::Result<Backend> {
        if let Some(url) = &config.database_url {
            let direct = config.database_direct_url.as_ref().unwrap_or(url);
            let migrating = config.database_migrate_url.as_ref().unwrap_or(direct);
            return Ok(Backend {
                direct: Direct::serving(direct)?,
                pooled: Direct::serving(url)?,
                migrating: Direct::migrating(migrating)?,
                supervisor: None,
            });
        }
        let options = private::Options {
            directory: std::path::absolute(&config.directory)?,
            binaries: config.pg_bin.clone(),
            durable: true,
            settings: Vec::new(),
        };
        let cluster = tokio::task::spawn_blocking(move || Cluster::start(&options)).await??;
        let serving = Direct::serving(&cluster.url("postgres", APP_ROLE))?;
        let migrating = Direct::migrating(&cluster.url("postgres", SUPERUSER))?;
        let stop = CancellationToken::new();
        let supervisor = tokio::spawn(supervise(cluster, stop.clone()));
        Ok(Backend { direct: serving.clone(), pooled: serving, migrating, supervisor: Some((supervisor, stop)) })
    }

    /// Stops a private PostgreSQL in order.
    pub async fn close(self) {
        if let Some((supervisor, stop)) = self.supervisor {
            stop.cancel();
            if let Err(error) = supervisor.await {
                tracing::error!(%error, "the private PostgreSQL was not stopped in order");
            }
        }
    }
}

/// Starts a private PostgreSQL again when it died, and stops it at the end.
async fn supervise(mut cluster: Cluster, stop: CancellationToken) {
    let mut ticks = interval(SUPERVISE_EVERY);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stop.cancelled() => break,
        }
        let looked_after = tokio::task::spawn_blocking(move || {
            let looked_after = if cluster.is_running() { cluster.trim_log() } else { cluster.restart() };
            (cluster, looked_after)
        });
        match looked_after.await {
            Ok((back, Ok(()))) => cluster = back,
            Ok((back, Err(error))) => {
                tracing::error!(%error, "the private PostgreSQL");
                cluster = back;
            }
            Err(error) => return tracing::error!(%error, "the private PostgreSQL is no longer looked after"),
        }
    }
    match tokio::task::spawn_blocking(move || cluster.stop()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!(%error, "the private PostgreSQL did not stop in order"),
        Err(error) => tracing::error!(%error, "the private PostgreSQL did not stop in order"),
    }
}

/// A process that is ready to serve.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    /// Made up for the user `admin` of an empty database; shown this once.
    pub admin_password: Option<String>,
    app: Arc<App>,
    listener: TcpListener,
    tail: Tail,
    direct: Direct,
}

impl Server {
    /// Connects, loads what must be in memory, and binds the address. Nothing is served yet.
    ///
    /// # Errors
    /// The database cannot be used, or the address is taken.
    pub async fn prepare(config: ServeConfig, backend: &Backend, stop: CancellationToken) -> anyhow::Result<Server> {
        let listener =
            http::serve::bind(config.listen).with_context(|| format!("cannot listen on {}", config.listen))?;
        let address = listener.local_addr()?;
        let database = Database::new(&backend.pooled, config.pool_size)?;
        assert_durable(&database).await?;
        let nudge = Arc::new(Notify::new());
        let appender = Appender::start(backend.direct.clone(), nudge.clone());
        let admin_password = http::first_admin(&database, &appender, config.admin_password.as_deref()).await?;

        // Head first: an account that changes meanwhile is in both the table and the tail.
        let head = read::head(&database).await?;
        let accounts = Arc::new(Accounts::default());
        accounts.load(&database).await?;
        let control = Control::new(config.disable_sse);
        control.load(&database).await?;
        let (heard, listening) = watch::channel(false);
        let tail = Tail::new(backend.direct.clone(), head, nudge, heard);
        let registry = Arc::new(registry::registry());
        let bounds = Bounds { ring_bytes: config.ring_mib << 20, stall: Duration::from_secs(config.stall_s.into()) };
        let metrics = Arc::new(Metrics::default());
        let (to_read, to_know) = (database.clone(), accounts.clone());
        let hub = Hub::new(head, bounds, registry.clone(), to_read, to_know, stop.clone(), metrics.clone());
        let hub = Arc::new(hub);
        remember(&hub, &database, head).await?;
        let places = Places::open(backend.direct.clone(), config.streams_per_user, stop.clone()).await?;
        let secret = database.query(include_str!("../sql/queries/secret_find.sql"), &[&"access-token"]).await?;
        let secret: Vec<u8> =
            secret.first().context("the key that signs tokens is missing: run `signalbox migrate`")?.get(0);
        hub.change_mode(|mode| mode.disabled = control.word().disabled());
        let started_at = OffsetDateTime::now_utc();
        metrics.know_types(registry.all().map(|kind| kind.name));
        let background = Database::named(BACKGROUND_NAME, &backend.pooled, BACKGROUND_POOL)?;
        let egress = Egress::new(&config.egress_allow);
        let trust = Trust::read(config.egress_ca_file.as_deref())?;
        let allowed = Allowed::read(config.commands.as_deref())?;
        let app = Arc::new(App {
            allowed,
            wake: Arc::new(Wake::default()),
            tokens: Tokens::new(&secret, config.access_token_s),
            identities: Identities::new(&config, &trust)?,
            denials: Denials::default(),
            exports: Exports::default(),
            limits: Limits::new(config.stream_opens_per_s, config.requests_per_s),
            passwords: Passwords::new(config.sign_ins_per_minute, config.refreshes_per_minute)?,
            checker: Checker::new(background.clone(), appender.clone(), egress.clone()),
            egress,
            sender: Sender::new(&trust, config.smtp_url.as_deref(), &config.smtp_from)?,
            trust,
            protection: Protection::new(config.memory_mib, started_at),
            config,
            database,
            background,
            appender,
            hub,
            places,
            accounts,
            control,
            metrics,
            registry,
            incident_statistics: SingleFlight::new(head, incident_statistics::CHANGED_BY),
            dashboard: SingleFlight::new(head, dashboard::CHANGED_BY),
            utilization: SingleFlight::new(head, dashboard::UTILIZATION_CHANGED_BY),
            time_zones: TimeZones::default(),
            stories: Stories::default(),
            in_flight: InFlight::default(),
            listening,
            process: Uuid::now_v7(),
            started_at,
            stop,
        });
        Ok(Server { address, admin_password, app, listener, tail, direct: backend.direct.clone() })
    }

    /// For whatever runs beside the server in the same process.
    pub fn app(&self) -> Arc<App> {
        self.app.clone()
    }

    /// Serves until the stop token is cancelled, then ends in order within 10 s.
    ///
    /// # Errors
    /// The log has a hole: nothing may be served on.
    pub async fn run(self) -> anyhow::Result<()> {
        let Server { app, listener, tail, direct, .. } = self;
        let process = app.process;
        let site = http::site(app.clone());
        let following = tokio::spawn({
            // However following ends, by a hole or by a panic: nothing is served on without it.
            let (ends_all, app) = (app.stop.clone().drop_guard(), app.clone());
            async move {
                let followed = follow(tail, app).await;
                drop(ends_all);
                followed
            }
        });
        let mut upkeep = JoinSet::new(); // ends with this function
        let mut consumers = JoinSet::new(); // end with the stop, and first what they have begun
        consumers.spawn(notify(app.clone()));
        consumers.spawn(runner::run(app.clone()));
        upkeep.spawn(forget(app.clone()));
        upkeep.spawn(protect(app.clone()));
        let (database, appender, days) = (app.database.clone(), app.appender.clone(), app.config.log_retention_days);
        upkeep.spawn(crate::logs::keep_on(database, direct, appender, days));
        upkeep.spawn(app.checker.clone().run());
        let started = system::Started { process, version: env!("CARGO_PKG_VERSION").to_owned() };
        announce(&app, "system.started", json!(started)).await;
        if app.config.demo {
            let (database, appender, stop) = (app.database.clone(), app.appender.clone(), app.stop.clone());
            tokio::spawn(demo::run(DemoOptions::default(), database, appender, stop));
        }
        http::serve::serve(listener, site, &app).await;
        while let Some(ended) = consumers.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a consumer of the log did not stop in order");
            }
        }
        let farewell = announce(&app, "system.stopped", json!(system::Stopped { process }));
        if timeout(FAREWELL_WAIT, farewell).await.is_err() {
            tracing::warn!("stopped without an event that says so");
        }
        drop(upkeep);
        following.await?
    }
}

/// Fills the hub's memory with the end of the log, before the tail goes on from there.
async fn remember(hub: &Hub, database: &Database, head: Head) -> anyhow::Result<()> {
    let mut position = (head.seq - REMEMBERED_EVENTS).max(0);
    while position < head.seq {
        let page = read::after(database, position, (head.seq - position).min(read::PAGE_EVENTS)).await?;
        position = page.last().context("the log has a hole")?.seq;
        hub.remember(page);
    }
    Ok(())
}

/// The tail's events: first to the accounts, so that rights are those of now, then to what is derived, so
/// that whoever asks because of an event is told what is behind it, then to the streams.
async fn follow(mut tail: Tail, app: Arc<App>) -> anyhow::Result<()> {
    loop {
        let tailed = tokio::select! {
            tailed = tail.next() => tailed,
            () = app.stop.cancelled() => return Ok(()),
        };
        match tailed {
            Ok(Tailed::Events(events)) => {
                app.accounts.apply(&events);
                app.incident_statistics.notice(&events);
                app.dashboard.notice(&events);
                app.utilization.notice(&events);
                app.wake.notice(&events);
                app.control.apply(&events);
                app.checker.notice(&events);
                obey(&app);
                app.hub.publish(events);
            }
            Ok(Tailed::Rewritten(head)) => {
                app.accounts.load(&app.database).await?;
                app.incident_statistics.rewrite(head);
                app.dashboard.rewrite(head);
                app.utilization.rewrite(head);
                app.control.load(&app.database).await?;
                obey(&app);
                app.hub.rewrite(head);
            }
            Err(hole) => {
                tracing::error!(%hole, "this process stops rather than pass over it");
                return Err(hole.into());
            }
        }
    }
}

/// Lets the streams follow the administrators' word. They are woken only where it changed.
fn obey(app: &App) {
    let disabled = app.control.word().disabled();
    if app.hub.mode().disabled != disabled {
        tracing::info!(disabled, "streams");
        app.hub.change_mode(|mode| mode.disabled = disabled);
    }
}

/// An event of this process. That it cannot be recorded stops nothing.
async fn announce(app: &App, kind: &'static str, data: serde_json::Value) {
    let event = NewEvent {
        id: Uuid::now_v7(),
        kind,
        data,
        occurred_at: OffsetDateTime::now_utc(),
        permissions: &[SYSTEM_READ],
    };
    let writes = vec![Write { stream: format!("system/{}", app.process), expected: None, events: vec![event] }];
    let command = Command { cause: Cause::system("server"), writes, states: Vec::new(), idempotency: None };
    if let Err(error) = app.appender.append(command).await {
        tracing::warn!(%error, kind, "not recorded");
    }
}

/// What is acknowledged must survive a power cut.
async fn assert_durable(database: &Database) -> anyhow::Result<()> {
    for setting in ["fsync", "full_page_writes", "synchronous_commit"] {
        let rows = database.query("select current_setting($1)", &[&setting]).await?;
        let value: Option<String> = rows.first().map(|row| row.get(0));
        if value.as_deref() == Some("off") {
            tracing::warn!(setting, "is off: an acknowledged event may be lost in a crash");
        }
    }
    Ok(())
}
