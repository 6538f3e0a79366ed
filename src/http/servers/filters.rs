//! The filters that a user keeps for the list.

use std::collections::BTreeMap;

use poem::http::StatusCode;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

use super::{Tag, refused, view};
use crate::domain::permission::ServersRead;
use crate::domain::server::{Status, saved};
use crate::http::allowed::Allowed;
use crate::http::answer::{Answer, Done, Reply, Shown};
use crate::http::caller::Caller;
use crate::http::command::{Decision, carry_out};
use crate::http::problem::Problem;
use crate::http::text::Text;
use crate::servers;

/// The operations on a user's own filters.
pub struct Filters;

/// What to list.
#[derive(Debug, Clone, Object)]
#[oai(deny_unknown_fields, rename = "ServerFilter")]
pub struct FilterView {
    /// Any of these; none: all.
    #[oai(default)]
    status: Vec<view::Status>,
    /// All of these.
    #[oai(default)]
    labels: BTreeMap<String, Text>,
    /// Words in name, host or description.
    words: Option<Text>,
}

/// The filters that you keep.
#[derive(Debug, Object)]
#[oai(rename = "ServerFilters")]
pub struct FiltersView {
    /// By name; `GET /api/v1/servers?filter=NAME` uses one.
    filters: BTreeMap<String, FilterView>,
    /// How many changes made them; the ETag.
    version: i64,
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Servers")]
impl Filters {
    /// Show the filters that you keep
    #[oai(path = "/server-filters", method = "get", operation_id = "listServerFilters")]
    async fn list(&self, caller: Allowed<ServersRead>) -> Answer<Shown<FiltersView>> {
        let (head, kept) = servers::filters(&caller.app.database, caller.account.user.id).await?;
        Ok(Shown::version(&FiltersView::from(&kept), kept.version, head, caller.known.as_deref()))
    }

    /// Keep a filter
    ///
    /// One of the same name is replaced. At most 50 can be kept.
    #[oai(path = "/server-filters/:name", method = "put", operation_id = "saveServerFilter")]
    async fn save(
        &self,
        caller: Allowed<ServersRead>,
        /// 1 to 100 characters.
        name: Path<String>,
        body: Json<FilterView>,
    ) -> Answer<Done<FiltersView>> {
        let FilterView { status, labels, words } = body.0;
        let filter = saved::Filter {
            status: status.into_iter().map(Status::from).collect(),
            labels: view::pairs(labels),
            words: words.map(String::from),
        };
        let who = caller.clone();
        let decide = move || change(who.clone(), name.0.clone(), Some(filter.clone()));
        done(caller.0, decide).await
    }

    /// Keep a filter no longer
    #[oai(path = "/server-filters/:name", method = "delete", operation_id = "removeServerFilter")]
    async fn remove(&self, caller: Allowed<ServersRead>, name: Path<String>) -> Answer<Done<FiltersView>> {
        let who = caller.clone();
        let decide = move || change(who.clone(), name.0.clone(), None);
        done(caller.0, decide).await
    }
}

async fn done<D, F>(caller: Caller, decide: D) -> Answer<Done<FiltersView>>
where
    D: Fn() -> F + Send + Sync + 'static,
    F: Future<Output = Result<Decision, Problem>> + Send,
{
    carry_out(caller, decide).await.map(|carried| Done::new(carried.reply, carried.seq, carried.replayed))
}

async fn change(caller: Caller, name: String, filter: Option<saved::Filter>) -> Result<Decision, Problem> {
    let (_, kept) = servers::filters(&caller.app.database, caller.account.user.id).await?;
    if let Some(expected) = caller.expected.filter(|expected| *expected != kept.version) {
        let detail = format!("your filters have changed: not version {expected} any more");
        let problem = Problem::new(StatusCode::PRECONDITION_FAILED, "version_mismatch", detail);
        return Err(problem.current_version(kept.version));
    }
    let event = match filter {
        Some(filter) => kept.save(&name, filter).map_err(refused)?,
        None => kept.remove(&name),
    };
    let told = |kept: &saved::Filters| Reply::new(StatusCode::OK, kept.version, &FiltersView::from(kept));
    let Some(event) = event else { return Ok(Decision::Unchanged(told(&kept))) };
    let (write, state, after) = servers::filters_write(kept, &event);
    Ok(Decision::Append { writes: vec![write], states: vec![state], reply: told(&after) })
}

/// The filter of this name that the caller keeps; without a name, one that lets everything pass.
///
/// # Errors
/// 400 when there is none of that name.
pub async fn kept(caller: &Caller, name: Option<&str>) -> Result<saved::Filter, Problem> {
    let Some(name) = name else { return Ok(saved::Filter::default()) };
    let (_, mut kept) = servers::filters(&caller.app.database, caller.account.user.id).await?;
    let found = kept.filters.remove(name);
    found.ok_or_else(|| Problem::bad_request("unknown_filter", "you keep no filter of this name"))
}

impl From<&saved::Filters> for FiltersView {
    fn from(kept: &saved::Filters) -> FiltersView {
        let view = |filter: &saved::Filter| FilterView {
            status: filter.status.iter().map(|status| (*status).into()).collect(),
            labels: filter.labels.iter().map(|(key, value)| (key.clone(), Text(value.clone()))).collect(),
            words: filter.words.clone().map(Text),
        };
        let filters = kept.filters.iter().map(|(name, filter)| (name.clone(), view(filter))).collect();
        FiltersView { filters, version: kept.version }
    }
}
