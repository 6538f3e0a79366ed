//! What is asked for: the same of a search and of an export.

use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::audit::Filters;
use crate::http::caller::Caller;
use crate::http::events;
use crate::http::page;
use crate::http::problem::Problem;
use crate::hub::Facts;
use crate::log::search::Search;

/// Characters of any one filter.
const FILTER_CHARS: usize = 500;

/// The query, as it was sent.
#[derive(Debug, Clone)]
pub struct Wish {
    pub from_seq: Option<i64>,
    pub to_seq: Option<i64>,
    pub since: Option<OffsetDateTime>,
    pub before: Option<OffsetDateTime>,
    pub types: Option<String>,
    pub stream: Option<String>,
    pub actor: Option<String>,
    pub correlation_id: Option<Uuid>,
    pub session: Option<String>,
}

impl Wish {
    /// As it is searched for, within what the caller may see now.
    ///
    /// # Errors
    /// 400 for a type that there is not, or too long a filter.
    pub fn search(&self, caller: &Caller) -> Result<Search, Problem> {
        page::short([&self.stream, &self.actor, &self.session].into_iter().flatten(), FILTER_CHARS)?;
        let types = events::filter(&caller.app, self.types.as_deref(), None, None, Facts::default())?.types;
        // No user is called by a name with a colon in it, and every id has one.
        let is_id = self.actor.as_deref().is_some_and(|actor| actor.contains(':'));
        Ok(Search {
            from_seq: self.from_seq,
            to_seq: self.to_seq,
            since: self.since,
            before: self.before,
            types: Some(types.into_iter().collect()).filter(|_| self.types.is_some()),
            stream: self.stream.clone(),
            actor: self.actor.clone().filter(|_| is_id),
            actor_name: self.actor.clone().filter(|_| !is_id),
            correlation_id: self.correlation_id,
            session: self.session.clone(),
            permissions: caller.account.permissions.iter().copied().collect(),
        })
    }

    /// As it is recorded. The positions are recorded apart.
    pub fn noted(&self) -> Filters {
        Filters {
            since: self.since,
            before: self.before,
            types: self.types.clone(),
            stream: self.stream.clone(),
            actor: self.actor.clone(),
            correlation_id: self.correlation_id,
            session: self.session.clone(),
        }
    }
}
