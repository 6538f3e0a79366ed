//! Settings, each an option of `signalbox serve` and an environment variable. The README's table is made of these.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use ipnet::IpNet;

/// Where the database is.
#[derive(Debug, Clone, Args)]
pub struct DatabaseConfig {
    /// PostgreSQL to use. Without it, a private one is run under `directory`.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// The same database without a pooler in between, for LISTEN, the append queue and migrations [default: DATABASE_URL].
    #[arg(long, env = "DATABASE_DIRECT_URL", hide_env_values = true)]
    pub database_direct_url: Option<String>,
    /// The same database as a user who may create roles and tables, for migrations only [default: the direct URL].
    #[arg(long, env = "DATABASE_MIGRATE_URL", hide_env_values = true)]
    pub database_migrate_url: Option<String>,
    /// Where the private PostgreSQL keeps its data.
    #[arg(long, env = "SIGNALBOX_DIRECTORY", default_value = ".signalbox")]
    pub directory: PathBuf,
    /// Folder of PostgreSQL's programs [default: PATH, then the usual places].
    #[arg(long, env = "SIGNALBOX_PG_BIN")]
    pub pg_bin: Option<PathBuf>,
}

/// How to serve.
#[derive(Debug, Clone, Args)]
pub struct ServeConfig {
    /// Address and port; port 0 takes a free one.
    #[arg(long, env = "SIGNALBOX_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Password of the first user `admin` on an empty database [default: one is made up and printed once].
    #[arg(long, env = "SIGNALBOX_ADMIN_PASSWORD", hide_env_values = true)]
    pub admin_password: Option<String>,
    /// Pooled database connections for queries. Each process uses six more.
    #[arg(long, env = "SIGNALBOX_POOL_SIZE", default_value_t = 10)]
    pub pool_size: usize,
    /// Connections accepted at once; fewer where the limit of open files is lower.
    #[arg(long, env = "SIGNALBOX_MAX_CONNECTIONS", default_value_t = 16_000)]
    pub max_connections: usize,
    /// Newest events kept in memory for streams, in MiB. Older ones are read from the database.
    #[arg(long, env = "SIGNALBOX_RING_MIB", default_value_t = 32)]
    pub ring_mib: usize,
    /// Streams that one user may have open at once, over all processes; 0 sets no limit.
    #[arg(long, env = "SIGNALBOX_STREAMS_PER_USER", default_value_t = 3)]
    pub streams_per_user: u32,
    /// Streams that this process opens in a second; more are asked to come back. 0 sets no limit.
    #[arg(long, env = "SIGNALBOX_STREAM_OPENS_PER_S", default_value_t = 2_000)]
    pub stream_opens_per_s: u32,
    /// Requests of one user in a second, streams and sign-ins apart; twice as many at once. 0 sets no limit.
    #[arg(long, env = "SIGNALBOX_REQUESTS_PER_S", default_value_t = 100)]
    pub requests_per_s: u32,
    /// A stream whose reader takes nothing for so long is closed, in seconds.
    #[arg(long, env = "SIGNALBOX_STALL_S", default_value_t = 30)]
    pub stall_s: u32,
    /// Start this process with streams switched off: clients poll until an administrator enables streams after that start.
    #[arg(long, env = "DISABLE_SSE_SYSTEM", default_value_t = false)]
    pub disable_sse: bool,
    /// Resident memory at which this process opens no new streams, in MiB; at nine tenths it batches. 0 sets no limit.
    #[arg(long, env = "SIGNALBOX_MEMORY_MIB", default_value_t = 1_024)]
    pub memory_mib: u32,
    /// What a metrics scraper sends as its bearer token [default: only a signed-in user with system.read may scrape].
    #[arg(long, env = "SIGNALBOX_METRICS_TOKEN", hide_env_values = true)]
    pub metrics_token: Option<String>,
    /// Life of an access token, in seconds. A stream ends with its token.
    #[arg(long, env = "SIGNALBOX_ACCESS_TOKEN_S", default_value_t = 900)]
    pub access_token_s: u32,
    /// Life of a sign-in that is refreshed, in hours.
    #[arg(long, env = "SIGNALBOX_SESSION_H", default_value_t = 720)]
    pub session_h: u32,
    /// Sign-in attempts per user name and minute.
    #[arg(long, env = "SIGNALBOX_SIGN_INS_PER_MINUTE", default_value_t = 20)]
    pub sign_ins_per_minute: u32,
    /// Days for which log lines are kept beside the present one; 0 keeps all.
    #[arg(long, env = "SIGNALBOX_LOG_RETENTION_DAYS", default_value_t = 30)]
    pub log_retention_days: u32,
    /// Refreshes per session and minute.
    #[arg(long, env = "SIGNALBOX_REFRESHES_PER_MINUTE", default_value_t = 20)]
    pub refreshes_per_minute: u32,
    /// Where the keys are of an issuer whose tokens are good here, as https://… [default: only our own tokens are].
    #[arg(long, env = "SIGNALBOX_JWKS_URL", requires_all = ["jwks_issuer", "jwks_audience"])]
    pub jwks_url: Option<String>,
    /// The issuer, as its tokens say it in `iss`.
    #[arg(long, env = "SIGNALBOX_JWKS_ISSUER")]
    pub jwks_issuer: Option<String>,
    /// Whom its tokens must be for, as they say it in `aud`.
    #[arg(long, env = "SIGNALBOX_JWKS_AUDIENCE")]
    pub jwks_audience: Option<String>,
    /// The claim that carries what its users are: a word or a list of words.
    #[arg(long, env = "SIGNALBOX_JWKS_ROLES_CLAIM", default_value = "roles")]
    pub jwks_roles_claim: String,
    /// Which of those words is which role, as `ops=operator,board=viewer`; others mean nothing.
    #[arg(long, env = "SIGNALBOX_JWKS_ROLES", default_value = "")]
    pub jwks_roles: String,
    /// How long its keys are good without being asked for again, in seconds.
    #[arg(long, env = "SIGNALBOX_JWKS_CACHE_S", default_value_t = 300)]
    pub jwks_cache_s: u32,
    /// For a key that is not known, its keys are asked for at most once in so many seconds.
    #[arg(long, env = "SIGNALBOX_JWKS_REFETCH_S", default_value_t = 10)]
    pub jwks_refetch_s: u32,
    /// Let streams authenticate by `?access_token=`, for clients that can do nothing else.
    #[arg(long, env = "SIGNALBOX_QUERY_TOKEN", default_value_t = false)]
    pub query_token: bool,
    /// Mark cookies `Secure`: switch on wherever browsers come by HTTPS.
    #[arg(long, env = "SIGNALBOX_SECURE_COOKIES", default_value_t = false)]
    pub secure_cookies: bool,
    /// Ranges beside the public Internet that users may let this server connect to, such as `10.0.0.0/8,fd00::/8`
    /// [default: none]. The metadata addresses of clouds stay closed.
    #[arg(long, env = "SIGNALBOX_EGRESS_ALLOW", value_delimiter = ',')]
    pub egress_allow: Vec<IpNet>,
    /// PEM file with authorities that certificates may be signed by, beside those that this machine trusts [default: none].
    #[arg(long, env = "SIGNALBOX_EGRESS_CA_FILE")]
    pub egress_ca_file: Option<PathBuf>,
    /// Server that mail notifications go through, such as `smtps://user:password@mail.example.org`, or
    /// `smtp://…?tls=required` for STARTTLS [default: none, and no mail].
    #[arg(long, env = "SIGNALBOX_SMTP_URL", hide_env_values = true)]
    pub smtp_url: Option<String>,
    /// Whom mail notifications come from.
    #[arg(long, env = "SIGNALBOX_SMTP_FROM", default_value = "Signalbox <signalbox@localhost>")]
    pub smtp_from: String,
    /// Executions of runbooks that this process works on at once; 0 leaves them to others.
    #[arg(long, env = "SIGNALBOX_EXECUTIONS", default_value_t = 8)]
    pub executions: usize,
    /// JSON file with the programs that runbooks may run on this machine [default: none].
    #[arg(long, env = "SIGNALBOX_COMMANDS")]
    pub commands: Option<PathBuf>,
    /// Run `signalbox demo` inside the server: synthetic operations traffic.
    #[arg(long, env = "SIGNALBOX_DEMO", default_value_t = false)]
    pub demo: bool,
}
