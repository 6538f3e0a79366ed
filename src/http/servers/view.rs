//! Servers as clients see and send them.

use std::collections::BTreeMap;

use poem_openapi::{Enum, Object};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::server::{self, Facts, Server, Update};
use crate::http::text::Text;
use crate::servers::Finding;

/// Whether a server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename = "ServerStatus", rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Status {
    Pending,
    Up,
    Down,
    Maintenance,
}

impl From<server::Status> for Status {
    fn from(status: server::Status) -> Status {
        match status {
            server::Status::Pending => Status::Pending,
            server::Status::Up => Status::Up,
            server::Status::Down => Status::Down,
            server::Status::Maintenance => Status::Maintenance,
        }
    }
}

impl From<Status> for server::Status {
    fn from(status: Status) -> server::Status {
        match status {
            Status::Pending => server::Status::Pending,
            Status::Up => server::Status::Up,
            Status::Down => server::Status::Down,
            Status::Maintenance => server::Status::Maintenance,
        }
    }
}

/// What counts as an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Enum)]
#[oai(rename = "CheckMethod", rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Method {
    Tcp,
    #[default]
    Ssh,
}

/// How and how often a server is tested.
#[derive(Debug, Clone, Object)]
#[oai(rename = "ServerCheck", deny_unknown_fields)]
pub struct CheckView {
    /// Whether it is tested by itself; on demand it always is.
    #[oai(default = "always")]
    enabled: bool,
    /// `tcp`: a connection is enough; `ssh`: and SSH is spoken, up to the key exchange. Nobody signs in.
    #[oai(default)]
    method: Method,
    /// Seconds from test to test, 10 to 86,400; default 60.
    #[oai(default = "interval_s")]
    interval_s: u32,
    /// Seconds for one test, 1 to 30, not above the interval; default 10.
    #[oai(default = "timeout_s")]
    timeout_s: u32,
    /// So many more tests must fail before an unanswered one means down, 0 to 10; default 2.
    #[oai(default = "retries")]
    retries: u32,
}

fn always() -> bool {
    true
}

fn interval_s() -> u32 {
    server::Check::default().interval_s
}

fn timeout_s() -> u32 {
    server::Check::default().timeout_s
}

fn retries() -> u32 {
    server::Check::default().retries
}

fn ssh_port() -> u16 {
    22
}

impl From<server::Check> for CheckView {
    fn from(check: server::Check) -> CheckView {
        let method = match check.method {
            server::Method::Tcp => Method::Tcp,
            server::Method::Ssh => Method::Ssh,
        };
        let server::Check { enabled, interval_s, timeout_s, retries, .. } = check;
        CheckView { enabled, method, interval_s, timeout_s, retries }
    }
}

impl From<CheckView> for server::Check {
    fn from(check: CheckView) -> server::Check {
        let method = match check.method {
            Method::Tcp => server::Method::Tcp,
            Method::Ssh => server::Method::Ssh,
        };
        let CheckView { enabled, interval_s, timeout_s, retries, .. } = check;
        server::Check { enabled, method, interval_s, timeout_s, retries }
    }
}

/// A time in which a server may be down.
#[derive(Debug, Object)]
#[oai(rename = "MaintenanceWindow")]
pub struct WindowView {
    /// Names it, to end it.
    id: Uuid,
    /// Its beginning.
    starts_at: OffsetDateTime,
    /// Its end.
    ends_at: OffsetDateTime,
    /// Why.
    reason: Option<String>,
}

/// A server as it is now.
#[derive(Debug, Object)]
#[oai(rename = "Server")]
pub struct ServerView {
    /// Names it for programs; its stream is `server/<id>`.
    id: Uuid,
    /// Names it for people and incidents.
    name: String,
    /// Where it is tested.
    host: String,
    /// The port that is tested.
    port: u16,
    /// Any number of lines.
    description: String,
    /// Free facts.
    labels: BTreeMap<String, String>,
    /// How it is tested.
    check: CheckView,
    /// Whether a reference to a credential is kept. No answer and no event shows it.
    has_credential: bool,
    /// Whether it answers.
    status: Status,
    /// Why it has this status.
    message: String,
    /// Since when it has this status.
    status_since: OffsetDateTime,
    /// Maintenance that is under way or to come.
    maintenance: Vec<WindowView>,
    /// Out of the inventory; `restore` takes it in again.
    deleted: bool,
    /// The actor who entered it.
    created_by: String,
    /// When it was entered.
    created_at: OffsetDateTime,
    /// When it last changed.
    updated_at: OffsetDateTime,
    /// How many events made this state; the ETag.
    version: i64,
}

impl From<&Server> for ServerView {
    fn from(server: &Server) -> ServerView {
        let server = server.clone();
        let window = |window: server::Window| WindowView {
            id: window.id,
            starts_at: window.starts_at,
            ends_at: window.ends_at,
            reason: window.reason,
        };
        ServerView {
            id: server.id,
            name: server.name,
            host: server.host,
            port: server.port,
            description: server.description,
            labels: server.labels,
            check: server.check.into(),
            has_credential: server.has_credential,
            status: server.status.into(),
            message: server.message,
            status_since: server.status_since,
            maintenance: server.maintenance.into_iter().map(window).collect(),
            deleted: server.deleted,
            created_by: server.created_by,
            created_at: server.created_at,
            updated_at: server.updated_at,
            version: server.version,
        }
    }
}

/// A page of servers.
#[derive(Debug, Object)]
pub struct ServerPage {
    /// At most `limit`.
    pub items: Vec<ServerView>,
    /// Pass it as `cursor` for the next page; absent on the last one.
    #[oai(skip_serializing_if_is_none)]
    pub next: Option<String>,
}

/// A new server.
#[derive(Debug, Clone, Object)]
#[oai(deny_unknown_fields)]
pub struct NewServer {
    /// 1 to 253 of `A-Z a-z 0-9 . _ -`; no other server has it, however it is written.
    name: Text,
    /// A name or an address. Addresses that are not public need `SIGNALBOX_EGRESS_ALLOW`.
    host: Text,
    /// Default 22.
    #[oai(default = "ssh_port")]
    port: u16,
    /// At most 4,096 characters.
    #[oai(default)]
    description: Text,
    /// At most 50.
    #[oai(default)]
    labels: BTreeMap<String, Text>,
    /// How it is tested; by default SSH, every minute.
    check: Option<CheckView>,
}

impl NewServer {
    /// As the rules want it.
    pub fn facts(self) -> Facts {
        Facts {
            name: self.name.0,
            host: self.host.0,
            port: self.port,
            description: self.description.0,
            labels: pairs(self.labels),
            check: self.check.map_or_else(server::Check::default, Into::into),
        }
    }
}

/// The facts to change; absent ones stay. Labels and check are replaced whole.
#[derive(Debug, Clone, Object)]
#[oai(deny_unknown_fields)]
pub struct ServerChanges {
    name: Option<Text>,
    host: Option<Text>,
    port: Option<u16>,
    description: Option<Text>,
    labels: Option<BTreeMap<String, Text>>,
    check: Option<CheckView>,
}

impl ServerChanges {
    /// As the rules want it.
    pub fn update(self) -> Update {
        Update {
            name: self.name.map(String::from),
            host: self.host.map(String::from),
            port: self.port,
            description: self.description.map(String::from),
            labels: self.labels.map(pairs),
            check: self.check.map(Into::into),
        }
    }
}

/// Where a credential is kept.
#[derive(Debug, Clone, Object)]
#[oai(deny_unknown_fields)]
pub struct CredentialReference {
    /// 1 to 255 characters, such as a path in a vault. It is never shown again.
    pub reference: Text,
}

/// Why.
#[derive(Debug, Clone, Object)]
#[oai(deny_unknown_fields, rename = "ServerReason")]
pub struct Why {
    /// At most 2,000 characters.
    pub reason: Option<Text>,
}

/// A time in which a server may be down.
#[derive(Debug, Clone, Object)]
#[oai(deny_unknown_fields)]
pub struct NewWindow {
    /// Default now.
    pub starts_at: Option<OffsetDateTime>,
    /// Within 92 days of the beginning.
    pub ends_at: OffsetDateTime,
    /// At most 2,000 characters.
    pub reason: Option<Text>,
}

/// What a connection test met with.
#[derive(Debug, Object)]
#[oai(rename = "ConnectionTest")]
pub struct TestView {
    /// Whether it was answered as the check asks for.
    answers: bool,
    /// What happened.
    message: String,
    /// Until the connection stood, the look-up of the name included.
    connect_ms: Option<f64>,
    /// From there until the key exchange had been offered.
    handshake_ms: Option<f64>,
    /// What the server says of itself, if SSH was asked for and spoken.
    ssh: Option<SshView>,
    /// The status that the test came to. During maintenance it stays.
    status: Status,
}

/// What an SSH server offers before anybody signs in.
#[derive(Debug, Object)]
#[oai(rename = "SshPeer")]
pub struct SshView {
    /// Such as `SSH-2.0-OpenSSH_9.2p1`.
    identification: String,
    /// Its first 16 key exchange methods.
    key_exchange: Vec<String>,
    /// Its first 16 kinds of host keys.
    host_keys: Vec<String>,
}

impl TestView {
    /// Of a test and the server after it.
    pub fn of(finding: &Finding, server: &Server) -> TestView {
        let ms = |time: std::time::Duration| time.as_secs_f64() * 1_000.0;
        let ssh = finding.ssh.clone().map(|peer| SshView {
            identification: peer.identification,
            key_exchange: peer.key_exchange,
            host_keys: peer.host_keys,
        });
        TestView {
            answers: finding.answers,
            message: finding.message.clone(),
            connect_ms: finding.connect.map(ms),
            handshake_ms: finding.handshake.map(ms),
            ssh,
            status: server.status.into(),
        }
    }
}

/// Labels as the rules have them.
pub fn pairs(texts: BTreeMap<String, Text>) -> BTreeMap<String, String> {
    texts.into_iter().map(|(key, text)| (key, text.0)).collect()
}
