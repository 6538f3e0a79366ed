//! Users and roles between the rules and the log: decided events as writes, stored states as users and roles.

use time::OffsetDateTime;
use tokio_postgres::types::Json;
use uuid::Uuid;

use crate::domain::permission::USERS_READ;
use crate::domain::role::{self, CustomRole};
use crate::domain::user::{self, User};
use crate::log::{Head, NewEvent, State, Write};
use crate::postgres::{Database, QueryError};

/// What to append and what to store after `events` were decided on `before`, and the user after them.
/// `None`: no event, or the first one of a stream is not its creation.
pub fn write(before: Option<&User>, id: Uuid, events: &[user::Event]) -> Option<(Write, State, User)> {
    let after = events.iter().fold(before.cloned(), |user, event| user::evolve(user, id, event))?;
    let write = Write {
        stream: format!("user/{id}"),
        expected: Some(before.map_or(0, |user| user.version)),
        events: events.iter().map(|event| happened(event.kind(), event.data())).collect(),
    };
    let state = State { kind: "user", json: json(&after) };
    (!events.is_empty()).then_some((write, state, after))
}

/// The same of a role.
pub fn write_role(before: Option<&CustomRole>, id: Uuid, events: &[role::Event]) -> Option<(Write, State, CustomRole)> {
    let after = events.iter().fold(before.cloned(), |role, event| role::evolve(role, id, event))?;
    let write = Write {
        stream: format!("role/{id}"),
        expected: Some(before.map_or(0, |role| role.version)),
        events: events.iter().map(|event| happened(event.kind(), event.data())).collect(),
    };
    let state = State { kind: "role", json: json(&after) };
    (!events.is_empty()).then_some((write, state, after))
}

/// An event about users, now.
pub fn happened(kind: &'static str, data: serde_json::Value) -> NewEvent {
    NewEvent { id: Uuid::now_v7(), kind, data, occurred_at: OffsetDateTime::now_utc(), permissions: &[USERS_READ] }
}

/// As it is stored; a rebuild gives the same bytes.
pub fn json(state: &impl serde::Serialize) -> String {
    // Text, numbers and lists: nothing in it can fail to serialise.
    serde_json::to_string(state).unwrap_or_default()
}

/// One user by id or else by user name, and the position it is true as of.
///
/// # Errors
/// The database did not answer.
pub async fn show(database: &Database, name: &str) -> Result<(Head, Option<User>), QueryError> {
    let (head, found) = shown(database, name).await?;
    Ok((head, found.map(|(user, _)| user)))
}

/// The same with when they last signed in here; `None`: never.
///
/// # Errors
/// The database did not answer.
pub async fn shown(
    database: &Database,
    name: &str,
) -> Result<(Head, Option<(User, Option<OffsetDateTime>)>), QueryError> {
    let id: Option<Uuid> = name.parse().ok();
    let username = id.is_none().then(|| name.to_lowercase());
    let row = database.query_one(include_str!("../sql/queries/user_show.sql"), &[&id, &username]).await?;
    let state: Option<Json<User>> = row.try_get("state")?;
    let signed_in_at = row.try_get("signed_in_at")?;
    Ok((Head { epoch: row.try_get("epoch")?, seq: row.try_get("seq")? }, state.map(|Json(user)| (user, signed_in_at))))
}

/// Whether anybody but this user may do everything.
///
/// # Errors
/// The database did not answer.
pub async fn another_administers(database: &Database, user: Uuid) -> Result<bool, QueryError> {
    let row = database.query_one(include_str!("../sql/queries/users_administer.sql"), &[&user]).await?;
    Ok(row.try_get(0)?)
}

/// A role that somebody made, how many users hold it, and the position that is true as of.
///
/// # Errors
/// The database did not answer.
pub async fn role(database: &Database, name: &str) -> Result<(Head, Option<(CustomRole, i64)>), QueryError> {
    let row = database.query_one(include_str!("../sql/queries/role_find.sql"), &[&name]).await?;
    let state: Option<Json<CustomRole>> = row.try_get("state")?;
    let (head, holders) = (Head { epoch: row.try_get("epoch")?, seq: row.try_get("seq")? }, row.try_get("holders")?);
    Ok((head, state.map(|Json(role)| (role, holders))))
}
