//! What can be permitted, as `module.action`.

/// What an operation needs. A handler's signature names one of these types, so that what is checked and what
/// the API document says cannot differ.
pub trait Needs: Send + Sync + 'static {
    /// The permission; `None`: it is enough to be signed in.
    const PERMISSION: Option<&'static str>;
}

/// Each permission once: its type for signatures, its name for events and roles, its word for the contract.
macro_rules! permissions {
    ($($(#[$about:meta])* $kind:ident $name:ident $word:literal,)+) => {
        $(
            $(#[$about])*
            pub const $name: &str = $word;

            $(#[$about])*
            #[derive(Debug, Clone, Copy)]
            pub struct $kind;

            impl Needs for $kind {
                const PERMISSION: Option<&'static str> = Some($name);
            }
        )+

        /// Every permission there is.
        pub const ALL: &[&str] = &[$($name),+];
    };
}

permissions! {
    /// See incidents and their events.
    IncidentsRead INCIDENTS_READ "incidents.read",
    /// Create and change incidents.
    IncidentsWrite INCIDENTS_WRITE "incidents.write",
    /// See runbooks, their executions and what these print.
    AutomationsRead AUTOMATIONS_READ "automations.read",
    /// Create and change runbooks.
    AutomationsWrite AUTOMATIONS_WRITE "automations.write",
    /// Start, cancel and resume executions.
    AutomationsRun AUTOMATIONS_RUN "automations.run",
    /// Let executions go on that wait for a person, or not.
    AutomationsApprove AUTOMATIONS_APPROVE "automations.approve",
    /// See servers, whether they answer and how busy they are.
    ServersRead SERVERS_READ "servers.read",
    /// Enter and change servers, test them, and let them be down.
    ServersWrite SERVERS_WRITE "servers.write",
    /// Say how busy a server is: for the agent or cron job on it.
    ServersReport SERVERS_REPORT "servers.report",
    /// See users, their roles and their sign-ins.
    UsersRead USERS_READ "users.read",
    /// Create and change users, roles and other people's tokens.
    UsersWrite USERS_WRITE "users.write",
    /// Take events out of the log as a file: those that one may see.
    EventsExport EVENTS_EXPORT "events.export",
    /// See what the server says of itself.
    SystemRead SYSTEM_READ "system.read",
    /// Switch things off and on.
    SystemControl SYSTEM_CONTROL "system.control",
    /// Search log lines and follow them.
    LogsRead LOGS_READ "logs.read",
    /// Send log lines.
    LogsWrite LOGS_WRITE "logs.write",
    /// See channels, rules and what became of deliveries.
    NotificationsRead NOTIFICATIONS_READ "notifications.read",
    /// Create and change channels and rules.
    NotificationsWrite NOTIFICATIONS_WRITE "notifications.write",
}

/// Anyone who is signed in: what the operation shows or does is the caller's own, or is filtered by rights.
#[derive(Debug, Clone, Copy)]
pub struct Anyone;

impl Needs for Anyone {
    const PERMISSION: Option<&'static str> = None;
}

/// The permission of this word, if there is one.
pub fn named(word: &str) -> Option<&'static str> {
    ALL.iter().copied().find(|permission| *permission == word)
}
