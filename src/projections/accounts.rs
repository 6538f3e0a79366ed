//! Who may do what, in memory, kept current by the tail.
//!
//! The log is the control plane: a disabled user or a changed role is an event, so every process knows
//! within milliseconds, without asking the database on every request.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio_postgres::types::Json;
use uuid::Uuid;

use crate::domain::role::{self, CustomRole, Role};
use crate::domain::user::{self, User};
use crate::log::Event;
use crate::postgres::{Database, QueryError};

/// A user's rights.
#[derive(Debug)]
pub struct Account {
    /// As the log tells.
    pub user: User,
    /// What the roles together allow; of an API token's holder, the part that the token has.
    pub permissions: BTreeSet<&'static str>,
}

/// An API token, as far as requests need it. It is in memory once it was used in this process.
#[derive(Debug)]
pub struct ApiToken {
    /// Stands where a sign-in's id does.
    pub id: Uuid,
    /// Whose rights it has a part of.
    pub user: Uuid,
    /// SHA-256 of the secret.
    pub hash: Vec<u8>,
    /// At most this.
    pub permissions: BTreeSet<&'static str>,
    /// In Unix seconds.
    pub expires_at: i64,
    /// In Unix seconds; 0: nothing that is not written down.
    used_at: AtomicI64,
}

/// All users, and what their roles allow.
#[derive(Default)]
pub struct Accounts {
    known: RwLock<Known>,
    tokens: RwLock<HashMap<Uuid, Arc<ApiToken>>>,
    /// Sign-ins and API tokens that were ended before they expired.
    ended: RwLock<HashSet<Uuid>>,
    changes: AtomicU64,
}

#[derive(Default)]
struct Known {
    users: HashMap<Uuid, Arc<Account>>,
    roles: HashMap<Uuid, CustomRole>,
    /// By issuer and subject.
    identities: HashMap<(String, String), Uuid>,
}

impl Known {
    fn allows(&self, role: &Role) -> BTreeSet<&'static str> {
        match role.built_in() {
            Some(permissions) => permissions.iter().copied().collect(),
            // Fails closed: a role that this process does not know allows nothing.
            None => {
                let held = self.roles.values().filter(|known| !known.deleted && known.name == role.as_str());
                held.flat_map(CustomRole::allows).collect()
            }
        }
    }

    fn account(&self, user: User) -> Arc<Account> {
        let permissions = user.roles.iter().flat_map(|role| self.allows(role)).collect();
        Arc::new(Account { user, permissions })
    }

    fn keep(&mut self, user: User) {
        if let Some(identity) = &user.identity {
            self.identities.insert((identity.issuer.clone(), identity.subject.clone()), user.id);
        }
        self.users.insert(user.id, self.account(user));
    }

    /// Whoever holds a role may do other things now.
    fn keep_role(&mut self, role: CustomRole) {
        let held = Role::Custom(role.name.clone());
        self.roles.insert(role.id, role);
        let holders = self.users.values().filter(|account| account.user.roles.contains(&held));
        let holders: Vec<User> = holders.map(|account| account.user.clone()).collect();
        holders.into_iter().for_each(|user| self.keep(user));
    }
}

impl ApiToken {
    /// A token as the database has it.
    pub fn new(id: Uuid, user: Uuid, hash: Vec<u8>, permissions: BTreeSet<&'static str>, expires_at: i64) -> ApiToken {
        ApiToken { id, user, hash, permissions, expires_at, used_at: AtomicI64::new(0) }
    }

    /// It was used at this Unix second.
    pub fn use_at(&self, now: i64) {
        self.used_at.store(now, Ordering::Relaxed);
    }
}

impl Accounts {
    /// As the database tells now, whatever was known before.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn load(&self, database: &Database) -> Result<(), QueryError> {
        let mut known = Known::default();
        for row in database.query(include_str!("../../sql/queries/roles_all.sql"), &[]).await? {
            let role: Option<Json<CustomRole>> = row.try_get("state")?;
            known.roles.extend(role.map(|Json(role)| (role.id, role)));
        }
        for row in database.query(include_str!("../../sql/queries/users_all.sql"), &[]).await? {
            let Json(user): Json<User> = row.try_get("state")?;
            known.keep(user);
        }
        *self.write() = known;
        self.tokens.write().unwrap_or_else(PoisonError::into_inner).clear(); // asked for again when they are used
        self.changes.fetch_add(1, Ordering::Release);
        for row in database.query(include_str!("../../sql/queries/sessions_ended.sql"), &[]).await? {
            self.end(row.try_get("id")?);
        }
        Ok(())
    }

    /// Takes notice of the tail's events.
    pub fn apply(&self, events: &[Event]) {
        for event in events {
            if matches!(event.kind.as_str(), "user.signed_out" | "user.session.revoked" | "token.revoked") {
                event.stream_id().into_iter().for_each(|session| self.end(session));
            }
            let understood = match event.stream.split_once('/').map(|(family, _)| family) {
                Some("user") => self.apply_to_user(event),
                Some("role") => self.apply_to_role(event),
                _ => Some(()),
            };
            if understood.is_none() {
                let (seq, kind) = (event.seq, &event.kind);
                tracing::error!(seq, kind, "not an event of a user or a role; rights stay as they were");
            }
        }
    }

    /// `None`: it cannot be read.
    fn apply_to_user(&self, event: &Event) -> Option<()> {
        let id = event.stream_id()?;
        let change = user::Event::parse(&event.kind, event.data.get()).ok()?;
        let known = self.find(id).map(|account| account.user.clone());
        // Else it was loaded from a state that held this event already.
        if known.as_ref().is_none_or(|user| user.version < event.version) {
            user::evolve(known, id, &change).into_iter().for_each(|user| self.keep(user));
        }
        Some(())
    }

    fn apply_to_role(&self, event: &Event) -> Option<()> {
        let id = event.stream_id()?;
        let change = role::Event::parse(&event.kind, event.data.get()).ok()?;
        let mut all = self.write();
        let known = all.roles.get(&id).cloned();
        if known.as_ref().is_none_or(|role| role.version < event.version) {
            role::evolve(known, id, &change).into_iter().for_each(|role| all.keep_role(role));
            drop(all);
            self.changes.fetch_add(1, Ordering::Release);
        }
        Some(())
    }

    /// A user who may sign in.
    pub fn active(&self, id: Uuid) -> Option<Arc<Account>> {
        self.find(id).filter(|account| !account.user.disabled)
    }

    /// What a user may do who is here by a sign-in or an API token. `None`: nothing, or it is over.
    pub fn rights(&self, user: Uuid, session: Uuid) -> Option<Arc<Account>> {
        if self.session_ended(session) {
            return None;
        }
        let account = self.active(user)?;
        let Some(token) = self.token(session) else { return Some(account) };
        let permissions = account.permissions.intersection(&token.permissions).copied().collect();
        Some(Arc::new(Account { user: account.user.clone(), permissions }))
    }

    /// A user who is known elsewhere.
    pub fn identity(&self, issuer: &str, subject: &str) -> Option<Uuid> {
        self.read().identities.get(&(issuer.to_owned(), subject.to_owned())).copied()
    }

    /// What a role allows.
    pub fn allows(&self, role: &Role) -> BTreeSet<&'static str> {
        self.read().allows(role)
    }

    /// Whether there is such a role.
    pub fn knows(&self, role: &Role) -> bool {
        let made = |known: &CustomRole| !known.deleted && known.name == role.as_str();
        role.built_in().is_some() || self.read().roles.values().any(made)
    }

    /// An API token that was used here before.
    pub fn token(&self, id: Uuid) -> Option<Arc<ApiToken>> {
        self.tokens.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    /// Remembers an API token.
    pub fn keep_token(&self, token: ApiToken) -> Arc<ApiToken> {
        let mut tokens = self.tokens.write().unwrap_or_else(PoisonError::into_inner);
        tokens.entry(token.id).or_insert_with(|| Arc::new(token)).clone()
    }

    /// Which API tokens were used since this was asked last, and when. Those past their time are forgotten.
    pub fn used_tokens(&self, now: i64) -> Vec<(Uuid, i64)> {
        let mut tokens = self.tokens.write().unwrap_or_else(PoisonError::into_inner);
        let used = tokens.values().map(|token| (token.id, token.used_at.swap(0, Ordering::Relaxed)));
        let used = used.filter(|(_, at)| *at != 0).collect();
        tokens.retain(|_, token| token.expires_at > now);
        used
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
        self.read().users.get(&id).cloned()
    }

    /// Keeps a newer state of a user.
    pub fn keep(&self, user: User) {
        let mut all = self.write();
        if all.users.get(&user.id).is_none_or(|known| known.user.version < user.version) {
            all.keep(user);
            drop(all);
            self.changes.fetch_add(1, Ordering::Release);
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}
