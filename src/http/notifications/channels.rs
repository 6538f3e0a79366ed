//! Channels: where notifications go.

use poem::http::StatusCode;
use poem_openapi::OpenApi;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use time::OffsetDateTime;
use uuid::Uuid;

use super::view::{ChannelChanges, ChannelList, ChannelView, Disabling, NewChannel, Replay, Rotation, TestView};
use super::{Tag, channel, conflict, current, refuse};
use crate::domain::notification::limits::{CHANNELS, REASON_CHARS, check_channel, check_line};
use crate::domain::notification::{
    Channel, ChannelCreated, ChannelDeleted, ChannelDisabled, ChannelEnabled, ChannelEvent, ChannelFacts,
    ChannelReplayed, ChannelUpdated, SecretRotated, Target,
};
use crate::domain::permission::{NotificationsRead, NotificationsWrite};
use crate::http::App;
use crate::http::allowed::Allowed;
use crate::http::answer::{Answer, Done, Reply, Shown};
use crate::http::caller::Caller;
use crate::http::command::{Decision, carry_out, replay as replay_of};
use crate::http::problem::Problem;
use crate::log::{State, read};
use crate::notifications::{Message, store, target_host, tested};

/// Of a signing secret: as many as HMAC-SHA256 makes use of.
const SECRET_BYTES: usize = 32;
/// How long an old secret is good beside the new one: by default, and at most.
const OVERLAP_S: u32 = 86_400;
const OVERLAP_MOST_S: u32 = 7 * 86_400;

/// The operations on channels.
pub struct Channels;

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Notifications")]
impl Channels {
    /// Create a notification channel
    ///
    /// The answer shows the `secret` that signs a webhook's requests; no other answer does.
    #[oai(path = "/notification-channels", method = "post", operation_id = "createNotificationChannel")]
    async fn create(
        &self,
        caller: Allowed<NotificationsWrite>,
        body: Json<NewChannel>,
    ) -> Answer<Done<ChannelView, 201>> {
        let (who, id) = (caller.0.clone(), Uuid::now_v7());
        done(carry_out(caller.0, move || create(who.clone(), id, body.0.clone())).await)
    }

    /// List the notification channels
    #[oai(path = "/notification-channels", method = "get", operation_id = "listNotificationChannels")]
    async fn list(&self, caller: Allowed<NotificationsRead>) -> Answer<Shown<ChannelList>> {
        let (head, channels) = store::channels(&caller.app.database).await?;
        let items = channels.iter().map(ChannelView::of).collect();
        Ok(Shown::bytes_of(&ChannelList { items }, head, caller.known.as_deref()))
    }

    /// Show a notification channel
    #[oai(path = "/notification-channels/:channel", method = "get", operation_id = "getNotificationChannel")]
    async fn show(&self, caller: Allowed<NotificationsRead>, channel: Path<Uuid>) -> Answer<Shown<ChannelView>> {
        let (head, channel, _) = super::channel(&caller.app, channel.0).await?;
        Ok(Shown::version(&ChannelView::of(&channel), channel.version, head, caller.known.as_deref()))
    }

    /// Change a notification channel's name or target
    #[oai(path = "/notification-channels/:channel", method = "patch", operation_id = "updateNotificationChannel")]
    async fn update(
        &self,
        caller: Allowed<NotificationsWrite>,
        channel: Path<Uuid>,
        body: Json<ChannelChanges>,
    ) -> Answer<Done<ChannelView>> {
        let app = caller.app.clone();
        change(caller.0, channel.0, move |channel| {
            let new = body.0.clone().applied(&channel.facts).map_err(wrong_kind)?;
            check(&app, &new)?;
            let updated = ChannelUpdated { old: channel.facts.clone(), new };
            Ok((updated.old != updated.new).then_some(ChannelEvent::Updated(updated)))
        })
        .await
    }

    /// Delete a notification channel
    ///
    /// Its rules are applied no more; what waited is skipped. Its deliveries stay to be read in the event log.
    #[oai(path = "/notification-channels/:channel", method = "delete", operation_id = "deleteNotificationChannel")]
    async fn delete(&self, caller: Allowed<NotificationsWrite>, channel: Path<Uuid>) -> Answer<Done<ChannelView>> {
        change(caller.0, channel.0, |_| Ok(Some(ChannelEvent::Deleted(ChannelDeleted {})))).await
    }

    /// Let a notification channel send nothing more
    ///
    /// What waited is skipped, and what happens meanwhile as well: `replay` sends it later.
    #[oai(
        path = "/notification-channels/:channel/disable",
        method = "post",
        operation_id = "disableNotificationChannel"
    )]
    async fn disable(
        &self,
        caller: Allowed<NotificationsWrite>,
        channel: Path<Uuid>,
        body: Json<Disabling>,
    ) -> Answer<Done<ChannelView>> {
        change(caller.0, channel.0, move |channel| {
            let reason = body.0.reason.0.clone();
            refuse(check_line("/reason", &reason, REASON_CHARS))?;
            Ok(channel.disabled.is_none().then_some(ChannelEvent::Disabled(ChannelDisabled { reason })))
        })
        .await
    }

    /// Let a notification channel send again
    #[oai(path = "/notification-channels/:channel/enable", method = "post", operation_id = "enableNotificationChannel")]
    async fn enable(&self, caller: Allowed<NotificationsWrite>, channel: Path<Uuid>) -> Answer<Done<ChannelView>> {
        let enabled = |channel: &Channel| channel.disabled.as_ref().map(|_| ChannelEvent::Enabled(ChannelEnabled {}));
        change(caller.0, channel.0, move |channel| Ok(enabled(channel))).await
    }

    /// Give a webhook a new signing secret
    ///
    /// For `overlap_s` requests carry the signatures of both secrets. The answer shows the new one; no other does.
    #[oai(
        path = "/notification-channels/:channel/rotate-secret",
        method = "post",
        operation_id = "rotateNotificationSecret"
    )]
    async fn rotate(
        &self,
        caller: Allowed<NotificationsWrite>,
        channel: Path<Uuid>,
        body: Json<Rotation>,
    ) -> Answer<Done<ChannelView>> {
        let who = caller.0.clone();
        done(carry_out(caller.0, move || rotate(who.clone(), channel.0, body.0.clone())).await)
    }

    /// Send the events of the past again
    ///
    /// Each event behind `after` that the channel's rules name now, in order, behind what already waits. Each is a new
    /// delivery with an id of its own.
    #[oai(path = "/notification-channels/:channel/replay", method = "post", operation_id = "replayNotifications")]
    async fn replay(
        &self,
        caller: Allowed<NotificationsWrite>,
        channel: Path<Uuid>,
        body: Json<Replay>,
    ) -> Answer<Done<ChannelView>> {
        let (who, id) = (caller.0.clone(), Uuid::now_v7());
        done(carry_out(caller.0, move || replay(who.clone(), channel.0, id, body.0.clone())).await)
    }

    /// Send a test, now
    ///
    /// Past the queue, and also where the channel is disabled; the answer says what the receiver said. Asked again with
    /// the same `Idempotency-Key`, it is answered again, and nothing is sent.
    #[oai(path = "/notification-channels/:channel/test", method = "post", operation_id = "testNotificationChannel")]
    async fn test(&self, caller: Allowed<NotificationsWrite>, channel: Path<Uuid>) -> Answer<Done<TestView>> {
        let (who, delivery) = (caller.0.clone(), Uuid::now_v7());
        let tested = carry_out(caller.0, move || test(who.clone(), channel.0, delivery)).await?;
        Ok(Done::new(tested.reply, tested.seq, tested.replayed))
    }
}

async fn create(caller: Caller, id: Uuid, body: NewChannel) -> Result<Decision, Problem> {
    let facts = body.facts().map_err(wrong_kind)?;
    check(&caller.app, &facts)?;
    if store::counts(&caller.app.database).await?.0 >= CHANNELS {
        return Err(conflict("too_many", &format!("there are {CHANNELS} channels, which is the limit")));
    }
    name_is_free(&caller.app, id, &facts.name).await?;
    let secret = matches!(facts.target, Target::Webhook { .. }).then(new_secret).transpose()?;
    let created = ChannelEvent::Created(ChannelCreated { facts });
    let (write, state, after) = store::write_channel(None, id, &created, OffsetDateTime::now_utc());
    let states = [Some(state), secret.as_ref().map(|secret| store::secret_state(id, secret, 0))];
    let shown = ChannelView::of(&after).telling(secret.as_deref());
    let mut reply = Reply::new(StatusCode::CREATED, after.version, &shown);
    reply.location = Some(format!("/api/v1/notification-channels/{id}"));
    Ok(Decision::Append { writes: vec![write], states: states.into_iter().flatten().collect(), reply })
}

/// Carries out what needs no more than the channel to be decided; `None`: it is so already.
async fn change<D>(caller: Caller, id: Uuid, decide: D) -> Answer<Done<ChannelView>>
where
    D: Fn(&Channel) -> Result<Option<ChannelEvent>, Problem> + Send + Sync + 'static,
{
    let (who, decide) = (caller.clone(), std::sync::Arc::new(decide));
    let decide = move || {
        let (who, decide) = (who.clone(), decide.clone());
        async move {
            let (_, before, _) = channel(&who.app, id).await?;
            current(&who, before.version)?;
            let Some(event) = decide(&before)? else { return Ok(Decision::Unchanged(shown(&before))) };
            if let ChannelEvent::Updated(updated) = &event {
                name_is_free(&who.app, id, &updated.new.name).await?;
            }
            Ok(appended(&before, &event, Vec::new(), None))
        }
    };
    done(carry_out(caller, decide).await)
}

async fn rotate(caller: Caller, id: Uuid, body: Rotation) -> Result<Decision, Problem> {
    let overlap_s = body.overlap_s.unwrap_or(OVERLAP_S);
    if overlap_s > OVERLAP_MOST_S {
        let wrong = ("/overlap_s".to_owned(), format!("must be at most {OVERLAP_MOST_S}"));
        return Err(Problem::unacceptable("invalid", "the overlap is too long").errors([wrong]));
    }
    let (_, before, _) = channel(&caller.app, id).await?;
    current(&caller, before.version)?;
    if !matches!(before.facts.target, Target::Webhook { .. }) {
        return Err(conflict("no_secret", "only webhooks are signed"));
    }
    let secret = new_secret()?;
    let rotated = ChannelEvent::Rotated(SecretRotated { overlap_s });
    Ok(appended(&before, &rotated, vec![store::secret_state(id, &secret, overlap_s)], Some(&secret)))
}

async fn replay(caller: Caller, id: Uuid, replay: Uuid, body: Replay) -> Result<Decision, Problem> {
    let (_, before, _) = channel(&caller.app, id).await?;
    current(&caller, before.version)?;
    let head = read::head(&caller.app.database).await?.seq;
    let Replay { after, until } = body;
    if !(0..=head).contains(&after) || until.is_some_and(|until| !(after..=head).contains(&until)) {
        let wrong = ("/after".to_owned(), format!("0 <= after <= until <= {head}, the newest event"));
        return Err(Problem::unacceptable("invalid", "there are no such positions").errors([wrong]));
    }
    if before.disabled.is_some() {
        return Err(conflict("disabled", "the channel sends nothing now").allowed(["enable"]));
    }
    let state = serde_json::json!({ "id": replay, "channel_id": id, "after": after, "until": until });
    let state = State { kind: "notification_replay", json: state.to_string() };
    Ok(appended(&before, &ChannelEvent::Replayed(ChannelReplayed { replay, after, until }), vec![state], None))
}

/// Sends, unless the key was answered before: what a receiver has got cannot be taken back.
async fn test(caller: Caller, id: Uuid, delivery: Uuid) -> Result<Decision, Problem> {
    if let Some(before) = replay_of(&caller).await? {
        return Ok(Decision::Unchanged(before.reply));
    }
    let app = &caller.app;
    let (_, channel, secrets) = channel(app, id).await?;
    let message = Message::test(delivery, &channel, OffsetDateTime::now_utc());
    let outcome = app.sender.send(&app.egress, &channel.facts.target, &message, &secrets).await;
    let (write, state) = tested(delivery, &channel, &outcome);
    let shown = TestView {
        delivery,
        sent: outcome.reason.is_none(),
        reason: outcome.reason.map(str::to_owned),
        detail: outcome.detail,
        response: outcome.response,
        latency_ms: i64::try_from(outcome.latency.as_millis()).unwrap_or(i64::MAX),
    };
    // The version is that of the delivery's stream, which ends with it.
    Ok(Decision::Append { writes: vec![write], states: vec![state], reply: Reply::new(StatusCode::OK, 1, &shown) })
}

fn appended(before: &Channel, event: &ChannelEvent, more: Vec<State>, secret: Option<&[u8]>) -> Decision {
    let (write, state, after) = store::write_channel(Some(before), before.id, event, OffsetDateTime::now_utc());
    let shown = ChannelView::of(&after).telling(secret);
    let reply = Reply::new(StatusCode::OK, after.version, &shown);
    Decision::Append { writes: vec![write], states: [state].into_iter().chain(more).collect(), reply }
}

/// What can be said of the facts before anything is sent. A name is resolved, and its addresses are checked, each time.
fn check(app: &App, facts: &ChannelFacts) -> Result<(), Problem> {
    refuse(check_channel(facts))?;
    let wrong = |pointer: &str, message: String| {
        let problem = Problem::unacceptable("invalid", "the input is not acceptable: errors says why");
        Err(problem.errors([(pointer.to_owned(), message)]))
    };
    match &facts.target {
        Target::Webhook { url } => match target_host(url) {
            None => wrong("/url", "must be a URL with a host, and without user and password".to_owned()),
            Some(host) => app.egress.check(&host).or_else(|refused| wrong("/url", refused.to_string())),
        },
        Target::Mail { .. } if !app.sender.mails() => Err(Problem::unacceptable(
            "mail_not_configured",
            "this server sends no mail: SIGNALBOX_SMTP_URL is not set",
        )),
        Target::Mail { .. } => Ok(()),
    }
}

async fn name_is_free(app: &App, id: Uuid, name: &str) -> Result<(), Problem> {
    let (_, channels) = store::channels(&app.database).await?;
    match channels.iter().find(|other| other.facts.name == name && other.id != id) {
        Some(_) => Err(conflict("name_taken", "another channel has this name")),
        None => Ok(()),
    }
}

fn new_secret() -> Result<Vec<u8>, Problem> {
    let mut secret = vec![0; SECRET_BYTES];
    aws_lc_rs::rand::fill(&mut secret)
        .map_err(|_unspecified| Problem::unavailable("no_random_bytes", "the system gives no random bytes", 1))?;
    Ok(secret)
}

fn wrong_kind(pointer: &'static str) -> Problem {
    let message = "a webhook has a url, a mail has to, and none has both".to_owned();
    Problem::unacceptable("invalid", "the input is not acceptable: errors says why")
        .errors([(pointer.to_owned(), message)])
}

fn shown(channel: &Channel) -> Reply {
    Reply::new(StatusCode::OK, channel.version, &ChannelView::of(channel))
}

fn done<const STATUS: u16>(
    carried: Result<crate::http::command::Carried, Problem>,
) -> Answer<Done<ChannelView, STATUS>> {
    carried.map(|carried| Done::new(carried.reply, carried.seq, carried.replayed))
}
