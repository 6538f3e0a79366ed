//! Roles: those that are built in, and those that somebody makes.

use std::collections::BTreeSet;

use poem::http::StatusCode;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use tokio_postgres::types::Json as PgJson;
use uuid::Uuid;

use super::allowed::Allowed;
use super::answer::{Answer, Done, Reply, Shown};
use super::caller::Caller;
use super::command::{Decision, carry_out};
use super::denied::needs_all;
use super::page::head;
use super::problem::Problem;
use super::text::Text;
use super::users::{Tag, invalid};
use crate::domain::permission::{self, UsersRead, UsersWrite};
use crate::domain::role::{self, Command, CustomRole, Role};
use crate::users;

/// Roles that somebody made, at once: all of them are one page.
const MOST_ROLES: usize = 200;

/// The operations on roles.
pub struct Roles;

/// A role.
#[derive(Debug, Object)]
#[oai(rename = "Role")]
pub struct View {
    /// Users hold it by this name; it never changes.
    name: String,
    /// For people.
    description: String,
    /// What it allows.
    permissions: Vec<String>,
    /// It cannot be changed.
    built_in: bool,
    /// How many events made this state; 0 for one that is built in.
    version: i64,
}

/// All roles.
#[derive(Debug, Object)]
#[oai(rename = "Roles")]
pub struct Views {
    /// Those that are built in, then the others by name.
    items: Vec<View>,
    /// Every permission there is.
    permissions: Vec<String>,
}

/// A new role.
#[derive(Debug, Clone, Object)]
#[oai(rename = "NewRole", deny_unknown_fields)]
pub struct New {
    /// 1 to 40 of `a-z 0-9 -`.
    name: Text,
    /// At most 200 characters.
    #[oai(default)]
    description: Text,
    /// What it allows, of what you may do.
    permissions: Vec<Text>,
}

/// What to change; absent fields stay.
#[derive(Debug, Clone, Object)]
#[oai(rename = "RoleChanges", deny_unknown_fields)]
pub struct Changes {
    description: Option<Text>,
    /// Replaced whole.
    permissions: Option<Vec<Text>>,
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Users")]
impl Roles {
    /// List roles and permissions
    #[oai(path = "/roles", method = "get", operation_id = "listRoles")]
    async fn list(&self, caller: Allowed<UsersRead>) -> Answer<Shown<Views>> {
        let rows = caller.app.database.query(include_str!("../../sql/queries/roles_all.sql"), &[]).await?;
        let made = rows.iter().filter_map(|row| row.get::<_, Option<PgJson<CustomRole>>>("state"));
        let made = made.map(|PgJson(role)| View::from(&role));
        let items = Role::BUILT_IN.iter().filter_map(View::built_in).chain(made).collect();
        let views = Views { items, permissions: permission::ALL.iter().map(|word| (*word).to_owned()).collect() };
        Ok(Shown::bytes_of(&views, head(&rows)?, caller.known.as_deref()))
    }

    /// Create a role
    #[oai(path = "/roles", method = "post", operation_id = "createRole")]
    async fn create(&self, caller: Allowed<UsersWrite>, body: Json<New>) -> Answer<Done<View, 201>> {
        let New { name, description, permissions } = body.0;
        let command = Command::Create { name: name.0, description: description.0, permissions: words(permissions) };
        let (who, id) = (caller.0.clone(), Uuid::now_v7());
        let decide = move || create(who.clone(), id, command.clone());
        let carried = carry_out(caller.0, decide).await?;
        Ok(Done::new(carried.reply, carried.seq, carried.replayed))
    }

    /// Show a role
    #[oai(path = "/roles/:role", method = "get", operation_id = "getRole")]
    async fn show(&self, caller: Allowed<UsersRead>, role: Path<String>) -> Answer<Shown<View>> {
        let (head, found) = users::role(&caller.app.database, &role.0).await?;
        let view = View::built_in(&Role::named(&role.0)).or_else(|| found.map(|(role, _)| View::from(&role)));
        let view = view.ok_or_else(missing)?;
        Ok(Shown::version(&view, view.version, head, caller.known.as_deref()))
    }

    /// Change what a role allows
    ///
    /// Whoever holds it may do other things at once; open streams follow within a second.
    #[oai(path = "/roles/:role", method = "patch", operation_id = "updateRole")]
    async fn update(&self, caller: Allowed<UsersWrite>, role: Path<String>, body: Json<Changes>) -> Answer<Done<View>> {
        let Changes { description, permissions } = body.0;
        let command =
            Command::Update { description: description.map(String::from), permissions: permissions.map(words) };
        change(caller, role.0, command).await
    }

    /// Delete a role that nobody holds
    #[oai(path = "/roles/:role", method = "delete", operation_id = "deleteRole")]
    async fn delete(&self, caller: Allowed<UsersWrite>, role: Path<String>) -> Answer<Done<View>> {
        change(caller, role.0, Command::Delete).await
    }
}

async fn create(caller: Caller, id: Uuid, command: Command) -> Result<Decision, Problem> {
    let events = role::decide(None, &command).map_err(|wrong| invalid(&wrong))?;
    let Some((write, state, role)) = users::write_role(None, id, &events) else { return Err(missing()) };
    may_give(&caller, &role)?;
    if users::role(&caller.app.database, &role.name).await?.1.is_some() {
        return Err(Problem::conflict("name_taken", "there is a role of this name"));
    }
    let all = caller.app.database.query(include_str!("../../sql/queries/roles_all.sql"), &[]).await?;
    if all.len() >= MOST_ROLES {
        return Err(Problem::conflict("too_many_roles", format!("there are at most {MOST_ROLES} roles; delete one")));
    }
    let mut reply = Reply::new(StatusCode::CREATED, role.version, &View::from(&role));
    reply.location = Some(format!("/api/v1/roles/{}", role.name));
    Ok(Decision::Append { writes: vec![write], states: vec![state], reply })
}

async fn change(caller: Allowed<UsersWrite>, name: String, command: Command) -> Answer<Done<View>> {
    let who = caller.0.clone();
    let decide = move || decide(who.clone(), name.clone(), command.clone());
    let carried = carry_out(caller.0, decide).await?;
    Ok(Done::new(carried.reply, carried.seq, carried.replayed))
}

async fn decide(caller: Caller, name: String, command: Command) -> Result<Decision, Problem> {
    if Role::named(&name).built_in().is_some() {
        return Err(Problem::conflict("built_in", "this role is built in; make another one"));
    }
    let (role, holders) = users::role(&caller.app.database, &name).await?.1.ok_or_else(missing)?;
    may_give(&caller, &role)?;
    if let Some(expected) = caller.expected.filter(|expected| *expected != role.version) {
        let detail = format!("you saw version {expected}; it is {} now", role.version);
        let mismatch = Problem::new(StatusCode::PRECONDITION_FAILED, "version_mismatch", detail);
        return Err(mismatch.current_version(role.version));
    }
    if matches!(command, Command::Delete) && holders > 0 {
        return Err(Problem::conflict("role_held", format!("{holders} users hold this role; revoke it first")));
    }
    let events = role::decide(Some(&role), &command).map_err(|wrong| invalid(&wrong))?;
    let Some((write, state, after)) = users::write_role(Some(&role), role.id, &events) else {
        return Ok(Decision::Unchanged(Reply::new(StatusCode::OK, role.version, &View::from(&role))));
    };
    may_give(&caller, &after)?;
    let reply = Reply::new(StatusCode::OK, after.version, &View::from(&after));
    Ok(Decision::Append { writes: vec![write], states: vec![state], reply })
}

/// Refuses a caller who lacks something that the role allows.
fn may_give(caller: &Caller, role: &CustomRole) -> Result<(), Problem> {
    needs_all(caller, role.allows(), || "nobody makes or changes a role that allows what they may not do".to_owned())
}

fn missing() -> Problem {
    Problem::not_found("there is no such role")
}

fn words(texts: Vec<Text>) -> BTreeSet<String> {
    texts.into_iter().map(String::from).collect()
}

impl View {
    fn built_in(role: &Role) -> Option<View> {
        let mut permissions: Vec<String> = role.built_in()?.iter().map(|word| (*word).to_owned()).collect();
        permissions.sort_unstable();
        let description = match role {
            Role::Admin => "May do everything.",
            Role::Operator => "Works on incidents.",
            Role::Viewer => "Watches.",
            Role::Auditor => "Reads everything and may take it home, changes nothing.",
            Role::Custom(_) => "",
        };
        let (name, description) = (role.as_str().to_owned(), description.to_owned());
        Some(View { name, description, permissions, built_in: true, version: 0 })
    }
}

impl From<&CustomRole> for View {
    fn from(role: &CustomRole) -> View {
        View {
            name: role.name.clone(),
            description: role.description.clone(),
            permissions: role.permissions.iter().cloned().collect(),
            built_in: false,
            version: role.version,
        }
    }
}
