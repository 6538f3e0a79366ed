//! Who may do what, in memory, kept current by the tail.
//!
//! The log is the control plane: a disabled user or a changed role is an event, so every process knows
//! within milliseconds, without asking the database on every request.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use tokio_postgres::types::Json;
use uuid::Uuid;

use crate::domain::user::{self, User};
use crate::log::Event;
use crate::postgres::{Database, QueryError};

/// A user's rights.
#[derive(Debug)]
pub struct Account {
    /// As the log tells.
    pub user: User,
    /// What the roles together allow.
    pub permissions: BTreeSet<&'static str>,
}

impl Account {
    fn of(user: User) -> Account {
        Account { permissions: user.permissions(), user }
    }
}

/// All users.
#[derive(Default)]
pub struct Accounts {
    users: RwLock<HashMap<Uuid, Arc<Account>>>,
    /// Sign-ins that were ended before their tokens expired.
    ended: RwLock<HashSet<Uuid>>,
    changes: AtomicU64,
}

impl Accounts {
    /// As the database tells now, whatever was known before.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn load(&self, database: &Database) -> Result<(), QueryError> {
        let mut users = HashMap::new();
        for row in database.query(include_str!("../../sql/queries/users_all.sql"), &[]).await? {
            let Json(user): Json<User> = row.try_get("state")?;
            users.insert(user.id, Arc::new(Account::of(user)));
        }
        *self.users.write().unwrap_or_else(PoisonError::into_inner) = users;
        self.changes.fetch_add(1, Ordering::Release);
        for row in database.query(include_str!("../../sql/queries/sessions_ended.sql"), &[]).await? {
            self.end(row.try_get("id")?);
        }
        Ok(())
    }

    /// Takes notice of the tail's events.
    pub fn apply(&self, events: &[Event]) {
        for event in events.iter().filter(|event| event.kind.starts_with("user.")) {
            if matches!(event.kind.as_str(), "user.signed_out" | "user.session.revoked") {
                event.stream_id().into_iter().for_each(|session| self.end(session));
            }
            if !event.stream.starts_with("user/") {
                continue;
            }
            let (Some(id), Ok(change)) = (event.stream_id(), user::Event::parse(&event.kind, event.data.get())) else {
                tracing::error!(
                    seq = event.seq,
                    kind = event.kind,
                    "not an event of a user; its rights stay as they were"
                );
                continue;
            };
            let known = self.find(id).map(|account| account.user.clone());
            // Loaded from a state that held this event already.
            if known.as_ref().is_some_and(|user| user.version >= event.version) {
                continue;
            }
            if let Some(user) = user::evolve(known, id, &change) {
                self.keep(user);
            }
        }
    }

    /// A user who may sign in.
    pub fn active(&self, id: Uuid) -> Option<Arc<Account>> {
        self.find(id).filter(|account| !account.user.disabled)
    }

    /// Whether a sign-in is over. An ended one never comes back.
    pub fn session_ended(&self, session: Uuid) -> bool {
        self.ended.read().unwrap_or_else(PoisonError::into_inner).contains(&session)
    }

    /// A sign-in is over: its tokens are worth nothing from now on.
    pub fn end(&self, session: Uuid) {
        self.ended.write().unwrap_or_else(PoisonError::into_inner).insert(session);
        self.changes.fetch_add(1, Ordering::Release);
    }

    /// Grows whenever anybody's rights may have changed.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    fn find(&self, id: Uuid) -> Option<Arc<Account>> {
        self.users.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    /// Keeps a newer state of a user.
    pub fn keep(&self, user: User) {
        let account = Account::of(user);
        let mut users = self.users.write().unwrap_or_else(PoisonError::into_inner);
        if users.get(&account.user.id).is_none_or(|known| known.user.version < account.user.version) {
            users.insert(account.user.id, Arc::new(account));
            drop(users);
            self.changes.fetch_add(1, Ordering::Release);
        }
    }
}
