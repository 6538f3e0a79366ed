//! Rules: which events go to which channel.

use poem::http::StatusCode;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use time::OffsetDateTime;
use uuid::Uuid;

use super::view::{NewRule, RuleChanges, RuleList, RuleView};
use super::{Tag, conflict, current, refuse, rule};
use crate::domain::notification::limits::{RULES, check_rule};
use crate::domain::notification::{Rule, RuleCreated, RuleDeleted, RuleEvent, RuleFacts, RuleUpdated, UNHEARD};
use crate::domain::permission::{NotificationsRead, NotificationsWrite};
use crate::http::App;
use crate::http::allowed::Allowed;
use crate::http::answer::{Answer, Done, Reply, Shown};
use crate::http::caller::Caller;
use crate::http::command::{Decision, carry_out};
use crate::http::problem::Problem;
use crate::notifications::store;

/// The operations on rules.
pub struct Rules;

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Notifications")]
impl Rules {
    /// Create a notification rule
    ///
    /// It is applied to what happens from now on, within what its owner may see. Several rules that want one event in
    /// one channel make one delivery, in the words of the oldest.
    #[oai(path = "/notification-rules", method = "post", operation_id = "createNotificationRule")]
    async fn create(&self, caller: Allowed<NotificationsWrite>, body: Json<NewRule>) -> Answer<Done<RuleView, 201>> {
        let (who, id) = (caller.0.clone(), Uuid::now_v7());
        let carried = carry_out(caller.0, move || create(who.clone(), id, body.0.clone())).await?;
        Ok(Done::new(carried.reply, carried.seq, carried.replayed))
    }

    /// List the notification rules
    #[oai(path = "/notification-rules", method = "get", operation_id = "listNotificationRules")]
    async fn list(
        &self,
        caller: Allowed<NotificationsRead>,
        /// Only those of this channel.
        channel: Query<Option<Uuid>>,
    ) -> Answer<Shown<RuleList>> {
        let (head, rules) = store::rules(&caller.app.database, channel.0).await?;
        let items = rules.iter().map(RuleView::from).collect();
        Ok(Shown::bytes_of(&RuleList { items }, head, caller.known.as_deref()))
    }

    /// Show a notification rule
    #[oai(path = "/notification-rules/:rule", method = "get", operation_id = "getNotificationRule")]
    async fn show(&self, caller: Allowed<NotificationsRead>, rule: Path<Uuid>) -> Answer<Shown<RuleView>> {
        let (head, rule) = super::rule(&caller.app, rule.0).await?;
        Ok(Shown::version(&RuleView::from(&rule), rule.version, head, caller.known.as_deref()))
    }

    /// Change a notification rule
    ///
    /// Whoever changes it is its owner from then on.
    #[oai(path = "/notification-rules/:rule", method = "patch", operation_id = "updateNotificationRule")]
    async fn update(
        &self,
        caller: Allowed<NotificationsWrite>,
        rule: Path<Uuid>,
        body: Json<RuleChanges>,
    ) -> Answer<Done<RuleView>> {
        change(caller.0, rule.0, Some(body.0)).await
    }

    /// Delete a notification rule
    #[oai(path = "/notification-rules/:rule", method = "delete", operation_id = "deleteNotificationRule")]
    async fn delete(&self, caller: Allowed<NotificationsWrite>, rule: Path<Uuid>) -> Answer<Done<RuleView>> {
        change(caller.0, rule.0, None).await
    }
}

async fn create(caller: Caller, id: Uuid, body: NewRule) -> Result<Decision, Problem> {
    let facts = body.facts();
    check(&caller.app, &facts).await?;
    if store::counts(&caller.app.database).await?.1 >= RULES {
        return Err(conflict("too_many", &format!("there are {RULES} rules, which is the limit")));
    }
    let created = RuleEvent::Created(RuleCreated { facts });
    let actor = caller.cause().actor;
    let (write, state, after) = store::write_rule(None, id, &actor, &created, OffsetDateTime::now_utc());
    let mut reply = Reply::new(StatusCode::CREATED, after.version, &RuleView::from(&after));
    reply.location = Some(format!("/api/v1/notification-rules/{id}"));
    Ok(Decision::Append { writes: vec![write], states: vec![state], reply })
}

/// Without changes, it is deleted.
async fn change(caller: Caller, id: Uuid, changes: Option<RuleChanges>) -> Answer<Done<RuleView>> {
    let who = caller.clone();
    let carried = carry_out(caller, move || changed(who.clone(), id, changes.clone())).await?;
    Ok(Done::new(carried.reply, carried.seq, carried.replayed))
}

async fn changed(caller: Caller, id: Uuid, changes: Option<RuleChanges>) -> Result<Decision, Problem> {
    let (_, before) = rule(&caller.app, id).await?;
    current(&caller, before.version)?;
    let event = match changes {
        None => RuleEvent::Deleted(RuleDeleted {}),
        Some(changes) => {
            let new = changes.applied(&before.facts);
            check(&caller.app, &new).await?;
            if new == before.facts {
                return Ok(Decision::Unchanged(shown(&before)));
            }
            RuleEvent::Updated(RuleUpdated { old: before.facts.clone(), new })
        }
    };
    let actor = caller.cause().actor;
    let (write, state, after) = store::write_rule(Some(&before), id, &actor, &event, OffsetDateTime::now_utc());
    Ok(Decision::Append { writes: vec![write], states: vec![state], reply: shown(&after) })
}

async fn check(app: &App, facts: &RuleFacts) -> Result<(), Problem> {
    refuse(check_rule(facts))?;
    let known =
        |kind: &String| kind == "*" || !UNHEARD.contains(&kind.as_str()) && !app.registry.matching(kind).is_empty();
    let unknown = facts.types.iter().enumerate().filter(|(_, kind)| !known(kind));
    let unknown: Vec<_> = unknown
        .map(|(nth, kind)| (format!("/types/{nth}"), format!("{kind:?} names no type that a rule can hear")))
        .collect();
    if !unknown.is_empty() {
        return Err(Problem::unacceptable("invalid", "the input is not acceptable: errors says why").errors(unknown));
    }
    if store::channel(&app.database, facts.channel).await?.1.is_none() {
        let wrong = ("/channel".to_owned(), "names no channel".to_owned());
        return Err(Problem::unacceptable("no_such_channel", "the channel does not exist").errors([wrong]));
    }
    Ok(())
}

fn shown(rule: &Rule) -> Reply {
    Reply::new(StatusCode::OK, rule.version, &RuleView::from(rule))
}
