//! `signalbox demo`: synthetic operations traffic, so that a first look shows a place at work.
//!
//! ```text
//! scenes      what breaks, who looks after it, what they find, how it ends
//! script      pure: the next thing somebody does, given what is open and a random number
//! this file   the pace, and each act as one command through the appender
//! ```
//!
//! It touches only incidents that it made itself ([`ACTOR`], label `demo`), and keeps no memory of them:
//! it looks before every act. So people may work on its incidents, and several may run at once.

mod scenes;
mod script;

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, make_rng};
use time::OffsetDateTime;
use tokio::time::sleep;
use tokio_postgres::types::Json;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::domain::incident::{self, Incident};
use crate::incidents;
use crate::log::{Appender, Cause, Command, Outcome};
use crate::postgres::Database;
use script::Act;

/// The actor of every event here; the name is the operator's who plays the part.
const ACTOR: &str = "system:demo";
/// Incidents made at once when there are none.
const FIRST_INCIDENTS: usize = 12;
/// How long ago those may have begun, and how long their parts may be apart, in seconds.
const FIRST_AGE_S: i64 = 4 * 3_600;
const FIRST_STEP_S: i64 = 45 * 60;
/// After an error; it doubles until [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How lively.
#[derive(Debug, Clone, clap::Args)]
pub struct DemoOptions {
    /// Events per minute on average, 1 to 6,000; they come at random moments.
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=6_000))]
    pub events_per_minute: u32,
}

impl Default for DemoOptions {
    fn default() -> DemoOptions {
        DemoOptions { events_per_minute: 40 }
    }
}

/// Plays until it is stopped. Errors are logged and waited out.
pub async fn run(options: DemoOptions, database: Database, appender: Appender, stop: CancellationToken) {
    let mut stage = Stage { database, appender, rng: make_rng() };
    let mut pause = FIRST_PAUSE;
    loop {
        let acted = tokio::select! {
            () = stop.cancelled() => return,
            acted = stage.next() => acted,
        };
        let wait = match acted {
            Ok(events) => {
                pause = FIRST_PAUSE;
                stage.silence(options.events_per_minute, events)
            }
            Err(error) => {
                tracing::warn!(%error, "the demo cannot go on yet");
                let wait = pause;
                pause = (pause * 2).min(LONGEST_PAUSE);
                wait
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(wait) => {}
        }
    }
}

struct Stage {
    database: Database,
    appender: Appender,
    rng: StdRng,
}

impl Stage {
    /// Plays the next act, or the whole beginning. Returns how many events the pace should count.
    async fn next(&mut self) -> anyhow::Result<usize> {
        let cast = self.cast().await?;
        if cast.is_empty() {
            self.begin().await?;
            return Ok(1);
        }
        let act = script::next(&mut self.rng, &cast);
        let played = self.play(act, OffsetDateTime::now_utc()).await?;
        Ok(played.len())
    }

    /// Its own incidents that are not over, oldest first.
    async fn cast(&self) -> anyhow::Result<Vec<Incident>> {
        let rows = self.database.query(include_str!("../../sql/queries/incidents_demo.sql"), &[&ACTOR]).await?;
        let incident = |row: &tokio_postgres::Row| row.try_get("state").map(|Json(incident)| incident);
        Ok(rows.iter().map(incident).collect::<Result<_, _>>()?)
    }

    /// A dozen incidents that have been under way for a while.
    async fn begin(&mut self) -> anyhow::Result<()> {
        let now = OffsetDateTime::now_utc();
        let mut cast: Vec<Incident> = Vec::new();
        for _ in 0..FIRST_INCIDENTS {
            let mut at = now - time::Duration::seconds(self.rng.random_range(60..FIRST_AGE_S));
            let mut act = script::open(&mut self.rng, &cast);
            for _ in 0..self.rng.random_range(1..=5) {
                let Some(incident) = self.play(act, at).await?.pop() else { break };
                at += time::Duration::seconds(self.rng.random_range(30..FIRST_STEP_S));
                cast.retain(|known| known.id != incident.id);
                cast.push(incident.clone());
                if at > now {
                    break;
                }
                act = script::go_on(&mut self.rng, &incident);
            }
        }
        Ok(())
    }

    /// Carries an act out as one command. Returns the incidents after it, one for each event: none when
    /// somebody was faster, or nothing had to be done.
    async fn play(&mut self, act: Act, at: OffsetDateTime) -> anyhow::Result<Vec<Incident>> {
        let cause = Cause { actor_name: act.operator().to_owned(), ..Cause::system("demo") };
        debug_assert_eq!(cause.actor, ACTOR);
        let mut command = Command { cause, writes: Vec::new(), states: Vec::new(), idempotency: None };
        let mut after = Vec::new();
        let mut write = |command: &mut Command, before: Option<&Incident>, id: Uuid, events: &[incident::Event]| {
            if events.is_empty() {
                return;
            }
            let (write, state, incident) = incidents::write(before, id, events, &command.cause, at);
            after.extend(events.iter().map(|_| incident.clone()));
            command.writes.push(write);
            command.states.push(state);
        };
        match act {
            Act::Open { mut create, .. } => {
                create.number = incidents::next_number(&self.database).await?;
                let events = incident::decide(None, &incident::Command::Create(create))?;
                write(&mut command, None, Uuid::now_v7(), &events);
            }
            Act::On { incident, commands, .. } => {
                let events = script::decide_all(&incident, &commands, at)?;
                write(&mut command, Some(&incident), incident.id, &events);
            }
            Act::Merge { source, target, .. } => {
                let (from, into) = incident::decide_merge(&source, &target)?;
                write(&mut command, Some(&source), source.id, &from);
                write(&mut command, Some(&target), target.id, &into);
            }
        }
        if command.writes.is_empty() {
            return Ok(Vec::new());
        }
        match self.appender.append(command).await? {
            Outcome::Appended(_) => Ok(after),
            // Somebody works on this incident: leave it to them for now.
            Outcome::Conflict { .. } | Outcome::Duplicate(_) => Ok(Vec::new()),
        }
    }

    /// Until the next act: moments at random have exponential silences between them.
    fn silence(&mut self, events_per_minute: u32, events: usize) -> Duration {
        let mean_s = 60.0 / f64::from(events_per_minute.max(1)) * events.max(1) as f64;
        let luck: f64 = self.rng.random_range(0.01..1.0); // the longest silence is 4.6 means
        Duration::from_secs_f64(mean_s * -luck.ln())
    }
}
