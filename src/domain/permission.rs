//! What can be permitted, as `module.action`.

/// See incidents and their events.
pub const INCIDENTS_READ: &str = "incidents.read";
/// Create and change incidents.
pub const INCIDENTS_WRITE: &str = "incidents.write";
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

/// Every permission there is.
pub const ALL: [&str; 8] = [
    INCIDENTS_READ,
    INCIDENTS_WRITE,
    NOTIFICATIONS_READ,
    NOTIFICATIONS_WRITE,
    USERS_READ,
    USERS_WRITE,
    SYSTEM_READ,
    SYSTEM_CONTROL,
];
