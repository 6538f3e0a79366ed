//! Every type of event that there is: each module's own, and who may read them.

use crate::domain::permission::{
    AUTOMATIONS_READ, INCIDENTS_READ, LOGS_READ, NOTIFICATIONS_READ, SERVERS_READ, SYSTEM_READ, USERS_READ,
};
use crate::domain::server::report::{REPORT_TTL_S, REPORTED};
use crate::domain::{audit, automation, incident, logs, notification, role, server, system, user};
use crate::log::{EventType, Fallback, Registry};

/// What nobody should learn late, whatever the load.
const CRITICAL: [&str; 8] = [
    "incident.created",
    "incident.status.changed",
    "server.status.changed",
    "user.disabled",
    "user.roles.changed",
    "user.session.revoked",
    "role.updated",
    "token.revoked",
];
/// Whose data say all that changed in the resource that their stream names, so that nobody need load it again.
const PATCHES: [&str; 11] = [
    "incident.assigned",
    "incident.commented",
    "incident.status.changed",
    "incident.updated",
    "role.updated",
    "server.status.changed",
    "system.level.changed",
    "system.streams.disabled",
    "system.streams.enabled",
    "system.streams.share.changed",
    "user.roles.changed",
];
/// What comes in floods of equal ones, as when somebody guesses passwords.
const DEBOUNCED: [&str; 2] = ["user.sign_in.failed", "access.denied"];
const DEBOUNCE_MS: u32 = 100;

/// Every type that the code knows.
pub fn registry() -> Registry {
    let incidents = incident::event_types().into_iter().map(|kind| (kind.name, kind.description, kind.schema));
    let modules: [(Vec<_>, &'static [&'static str]); 10] = [
        (incidents.collect(), &[INCIDENTS_READ]),
        (user::event_types(), &[USERS_READ]),
        (role::event_types(), &[USERS_READ]),
        (audit::event_types(), &[USERS_READ]),
        (system::event_types(), &[SYSTEM_READ]),
        (server::event_types(), &[SERVERS_READ]),
        (server::filter_types(), &[USERS_READ]),
        (logs::event_types(), &[LOGS_READ]),
        (notification::event_types(), &[NOTIFICATIONS_READ]),
        (automation::event_types(), &[AUTOMATIONS_READ]),
    ];
    let types = modules.into_iter().flat_map(|(types, permissions)| {
        types.into_iter().map(move |(name, description, schema)| EventType {
            name,
            description,
            permissions,
            schema,
            persistence: true,
            broadcast: true,
            critical: CRITICAL.contains(&name),
            debounce_ms: if DEBOUNCED.contains(&name) { DEBOUNCE_MS } else { 0 },
            fallback: if PATCHES.contains(&name) { Fallback::Patch } else { Fallback::Invalidate },
            ttl_s: (name == REPORTED).then_some(REPORT_TTL_S),
        })
    });
    Registry::new(types)
}
