//! A PostgreSQL for all tests, a database for each, servers on real sockets, and a client.

mod apart;
mod authority;
mod client;
mod mailbox;
mod own;
mod proxy;
pub mod python;
mod raw;
mod receiver;
mod sse;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use argon2::{Argon2, password_hash::PasswordHasher};
use clap::Parser;
use serde_json::json;
use signalbox::config::{DatabaseConfig, ServeConfig};
use signalbox::domain::permission::USERS_READ;
use signalbox::domain::user::{self, Created, Role, User};
use signalbox::http::App;
use signalbox::log::{Appender, Cause, Command, NewEvent, Outcome, State, Write};
use signalbox::postgres::private::{Cluster, Options, SUPERUSER};
use signalbox::postgres::{APP_ROLE, Database, Direct, migrate::migrate};
use signalbox::server::{Backend, Server};
use std::sync::Arc;
use time::OffsetDateTime;
use tokio::sync::{Notify, OnceCell};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use apart::apart;
pub use authority::Authority;
pub use client::{Answer, Client};
pub use mailbox::{Mail, Mailbox, Secured};
pub use own::{OwnPostgres, backend, own_directory};
pub use proxy::{Fault, Moment, Proxy};
pub use raw::Raw;
pub use receiver::{Received, Receiver};
pub use sse::{Frame, Stream};

/// The password of `admin` in every test.
pub const PASSWORD: &str = "correct horse battery staple";
/// Nothing that works takes longer than this, even on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

static CLUSTER: OnceCell<Shared> = OnceCell::const_new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

struct Shared {
    cluster: Cluster,
}

/// Before the number of the process that the folder belongs to.
const DIRECTORY: &str = "signalbox-tests-";

/// Removes what earlier runs left: a static is never dropped, so each run leaves its folder to the next.
fn sweep() {
    for entry in std::fs::read_dir(std::env::temp_dir()).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        let owner = name.strip_prefix(DIRECTORY).and_then(|name| name.split('.').next()?.parse::<u32>().ok());
        if owner.is_some_and(|pid| !std::path::Path::new(&format!("/proc/{pid}")).exists()) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

async fn shared() -> &'static Shared {
    CLUSTER
        .get_or_init(|| async {
            sweep();
            let directory = std::env::temp_dir().join(format!("{DIRECTORY}{}", std::process::id()));
            let options = Options {
                directory,
                binaries: None,
                durable: false,
                settings: vec![("max_connections".into(), "400".into())],
            };
            let cluster = tokio::task::spawn_blocking(move || Cluster::start(&options)).await.unwrap().unwrap();
            let postgres = Direct::migrating(&cluster.url("postgres", SUPERUSER)).unwrap();
            execute(&postgres, "create database template").await;
            migrate(&Direct::migrating(&cluster.url("template", SUPERUSER)).unwrap()).await.unwrap();
            Shared { cluster }
        })
        .await
}

/// Statements as the superuser.
pub async fn execute(database: &Direct, sql: &str) {
    let (client, connection) = database.connect("test").await.unwrap();
    let driver = tokio::spawn(connection);
    client.batch_execute(sql).await.unwrap();
    drop(client);
    let _ = driver.await;
}

/// A migrated database of a test's own.
pub struct World {
    /// As the superuser.
    pub owner: Direct,
    /// As the role that serves.
    pub direct: Direct,
    /// Pooled, as the role that serves.
    pub database: Database,
    /// An append queue on it.
    pub appender: Appender,
    /// The URLs of both.
    pub owner_url: String,
    pub app_url: String,
    /// The database's name.
    pub name: String,
    /// Where its PostgreSQL's socket is.
    pub socket_directory: PathBuf,
}

pub async fn world() -> World {
    let shared = shared().await;
    let name = format!("test_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
    let postgres = Direct::migrating(&shared.cluster.url("postgres", SUPERUSER)).unwrap();
    execute(&postgres, &format!("create database {name} template template strategy wal_log")).await;
    let world = World::on(&shared.cluster, &name).await;
    execute(&world.owner, "update log_head set epoch = gen_random_uuid()").await;
    world
}

impl World {
    /// On a migrated database of any cluster.
    pub async fn on(cluster: &Cluster, name: &str) -> World {
        let owner_url = cluster.url(name, SUPERUSER);
        let app_url = cluster.url(name, APP_ROLE);
        let owner = Direct::migrating(&owner_url).unwrap();
        let direct = Direct::serving(&app_url).unwrap();
        let database = Database::new(&direct, 4).unwrap();
        let appender = Appender::start(direct.clone(), Arc::new(Notify::new()));
        let socket_directory = cluster.socket_directory().to_owned();
        World { owner, direct, database, appender, owner_url, app_url, name: name.to_owned(), socket_directory }
    }

    /// A proxy in front of its PostgreSQL, and the URL of the role that serves through it.
    pub async fn proxy(&self) -> (Proxy, String) {
        let proxy = Proxy::to_postgres(&self.socket_directory).await;
        let url = proxy.url(&self.name, APP_ROLE);
        (proxy, url)
    }

    /// One more process on the same database, as far as it matters to anybody: its own queue, tail, hub and port.
    pub async fn serve(&self) -> Running {
        self.serve_with(&[]).await
    }

    /// The same with settings, such as `--ring-mib=0`.
    pub async fn serve_with(&self, settings: &[&str]) -> Running {
        self.serve_through(&self.app_url, settings).await
    }

    /// The same on a way of its own to the database, such as a proxy's.
    pub async fn serve_through(&self, url: &str, settings: &[&str]) -> Running {
        #[derive(Parser)]
        #[command(args_override_self = true)]
        struct Line {
            #[command(flatten)]
            serve: ServeConfig,
        }
        let fixed = ["signalbox", "--listen=127.0.0.1:0", "--pool-size=4", "--sign-ins-per-minute=10000"];
        // Many tests open more streams, and ask more often, than one user should.
        let unlimited = ["--streams-per-user=0", "--stream-opens-per-s=0", "--requests-per-s=0"];
        let password = format!("--admin-password={PASSWORD}");
        let line = fixed.into_iter().chain(unlimited).chain([password.as_str()]).chain(settings.iter().copied());
        let config = Line::parse_from(line).serve;
        let database = DatabaseConfig {
            database_url: Some(url.to_owned()),
            database_direct_url: None,
            database_migrate_url: None,
            directory: PathBuf::new(),
            pg_bin: None,
        };
        let backend = Backend::open(&database).await.unwrap();
        let stop = CancellationToken::new();
        let server = Server::prepare(config, &backend, stop.clone()).await.unwrap();
        let (address, app) = (server.address, server.app());
        let url = format!("http://{address}");
        Running { url, address, app, stop, task: Some(tokio::spawn(server.run())) }
    }

    /// A new user with one role, whose password is [`PASSWORD`].
    pub async fn user(&self, username: &str, role: Role) -> User {
        let created = Created {
            username: username.to_owned(),
            name: username.to_owned(),
            roles: [role].into(),
            ..Created::default()
        };
        let password_hash = Argon2::default().hash_password(PASSWORD.as_bytes()).unwrap().to_string();
        let id = Uuid::now_v7();
        let credential = json!({ "user_id": id, "password_hash": password_hash }).to_string();
        self.change(None, id, &user::Event::Created(created), Some(credential)).await
    }

    /// Lets something happen to a user.
    pub async fn happen_to(&self, user: User, event: user::Event) -> User {
        let id = user.id;
        self.change(Some(user), id, &event, None).await
    }

    async fn change(&self, user: Option<User>, id: Uuid, event: &user::Event, credential: Option<String>) -> User {
        let user = user::evolve(user, id, event).unwrap();
        let happened = NewEvent {
            id: Uuid::now_v7(),
            kind: event.kind(),
            data: event.data(),
            occurred_at: OffsetDateTime::now_utc(),
            permissions: &[USERS_READ],
        };
        let (stream, expected) = (format!("user/{id}"), Some(user.version - 1));
        let state = State { kind: "user", json: serde_json::to_string(&user).unwrap() };
        let credential = credential.map(|json| State { kind: "credential", json });
        let command = Command {
            cause: Cause::system("test"),
            writes: vec![Write { stream, expected, events: vec![happened] }],
            states: [Some(state), credential].into_iter().flatten().collect(),
            idempotency: None,
        };
        let outcome = self.appender.append(command).await.unwrap();
        assert!(matches!(outcome, Outcome::Appended(_)), "{outcome:?}");
        user
    }

    /// One row's first column, as the superuser.
    pub async fn value<T: for<'a> tokio_postgres::types::FromSql<'a>>(&self, sql: &str) -> T {
        let (client, connection) = self.owner.connect("test").await.unwrap();
        let driver = tokio::spawn(connection);
        let value = client.query_one(sql, &[]).await.unwrap().get(0);
        drop(client);
        let _ = driver.await;
        value
    }
}

/// A server that serves; stopped when dropped.
pub struct Running {
    pub url: String,
    pub address: SocketAddr,
    /// Its inside, for faults that have no other handle.
    pub app: Arc<App>,
    pub stop: CancellationToken,
    task: Option<JoinHandle<anyhow::Result<()>>>,
}

impl Running {
    /// A client that nobody has signed in.
    pub fn anonymous(&self) -> Client {
        Client::new(&self.url)
    }

    /// A client signed in as admin; the server has seen that.
    pub async fn admin(&self) -> Client {
        let client = self.anonymous().sign_in("admin", PASSWORD).await;
        client.caught_up().await;
        client
    }

    /// Waits until so many streams are open.
    pub async fn has_open(&self, streams: usize) {
        let patience = tokio::time::Instant::now() + PATIENCE;
        while self.app.hub.open().count() != streams {
            assert!(tokio::time::Instant::now() < patience, "{} streams are open", self.app.hub.open().count());
            tokio::time::sleep(Duration::from_millis(5)).await; // asks again; what is waited for is the count
        }
    }

    /// Stops in order and says how it went.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.task.take().unwrap().await.unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
