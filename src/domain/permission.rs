//! What can be permitted, as `module.action`.

/// See incidents and their events.
pub const INCIDENTS_READ: &str = "incidents.read";
/// Create and change incidents.
pub const INCIDENTS_WRITE: &str = "incidents.write";
/// See runbooks, their executions and what these print.
pub const AUTOMATIONS_READ: &str = "automations.read";
/// Create and change runbooks.
pub const AUTOMATIONS_WRITE: &str = "automations.write";
/// Start, cancel and resume executions.
pub const AUTOMATIONS_RUN: &str = "automations.run";
/// Let executions go on that wait for a person, or not.
pub const AUTOMATIONS_APPROVE: &str = "automations.approve";
/// See channels, rules and what became of deliveries.
pub const NOTIFICATIONS_READ: &str = "notifications.read";
/// Create and change channels and rules.
pub const NOTIFICATIONS_WRITE: &str = "notifications.write";
/// See users, their roles and their sign-ins.
pub const USERS_READ: &str = "users.read";
/// Create and change users.
pub const USERS_WRITE: &str = "users.write";
/// See what the server says of itself.
pub const SYSTEM_READ: &str = "system.read";
/// Switch things off and on.
pub const SYSTEM_CONTROL: &str = "system.control";

/// Search log lines and follow them.
pub const LOGS_READ: &str = "logs.read";
/// Send log lines.
pub const LOGS_WRITE: &str = "logs.write";

/// Every permission there is.
pub const ALL: [&str; 14] = [
    INCIDENTS_READ,
    INCIDENTS_WRITE,
    AUTOMATIONS_READ,
    AUTOMATIONS_WRITE,
    AUTOMATIONS_RUN,
    AUTOMATIONS_APPROVE,
    NOTIFICATIONS_READ,
    NOTIFICATIONS_WRITE,
    USERS_READ,
    USERS_WRITE,
    SYSTEM_READ,
    SYSTEM_CONTROL,
    LOGS_READ,
    LOGS_WRITE,
];
