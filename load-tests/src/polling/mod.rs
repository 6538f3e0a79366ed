//! A panel that polls, and the same panel on streams, while the same changes happen.
//!
//! The arithmetic. A panel shows ten resources: incidents by newest, by status, by severity, by
//! assignee, and the statistics. It asks for each every 5 s: ten requests in 5 s are 2 requests/s
//! a user, and 1,000 users make 2,000 requests/s. On a stream the lists follow from the events;
//! what does not (percentiles in the statistics) is asked for every 30 s: one request in 30 s is
//! 33 requests/s for 1,000 users. Opening panel and stream is no part of the window, in neither case.
//!
//! First the changes alone: what they cost by themselves is in both and belongs to no reader. A
//! reader's query is a call of a statement beyond those that as many changes make alone. The
//! reductions are of the readers' part; those of the whole, changes included, stand beside them.
//! Where the machine does not carry all that is wanted, the figures say what it carried.

mod age;
mod panel;

use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use self::{
    age::Ages,
    panel::{Asked, Habit, not_in_events, poll, resources},
};
use crate::{
    changes::{Change, Pace, Publishing},
    fanout::crowd::{Crowd, Readers, Subscription},
    queries::{self, Source, Statement},
    report::{self, Table, thousands},
    stage::Stage,
};

/// Incidents in the lists.
const INCIDENTS: usize = 300;

/// Before a window, for what opens and for the first round of polls.
const WARM_UP: Duration = Duration::from_secs(2);

const DRAIN: Duration = Duration::from_secs(30);

/// How to run.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Users, each with a panel.
    #[arg(long, default_value_t = 1_000)]
    users: usize,
    /// Seconds of each window.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Changes in a second: 167 are 10,000 a minute.
    #[arg(long, default_value_t = 167.0)]
    rate: f64,
    /// Bytes of the text inside a change.
    #[arg(long, default_value_t = 60)]
    bytes: usize,
    /// A polling panel asks for everything so often, in seconds.
    #[arg(long, default_value_t = 5.0)]
    poll_every_s: f64,
    /// A panel on a stream asks for what events do not tell so often, in seconds.
    #[arg(long, default_value_t = 30.0)]
    refresh_every_s: f64,
    #[command(flatten)]
    readers: Readers,
    /// End with one line of JSON.
    #[arg(long)]
    json: bool,
}

/// One of the three windows.
#[derive(Clone, Debug, Default, Serialize)]
struct Window {
    /// Requests of readers that were answered, in a second.
    requests_per_s: f64,
    /// Changes that were answered, in a second.
    changes_per_s: f64,
    /// Statements that PostgreSQL carried out in a second, for readers and changes.
    queries_per_s: f64,
    /// Of them, the readers'.
    readers_queries_per_s: f64,
    /// Mean age of a change when a user sees it; null where nobody looks.
    age_ms: Option<f64>,
    /// Deliveries that never came; 0 for polls, which show the newest state.
    lost: u64,
    #[serde(skip)]
    statements: Vec<Statement>,
    #[serde(skip)]
    took_s: f64,
}

/// The last line of a run.
#[derive(Debug, Serialize)]
struct Line {
    users: usize,
    /// Readers' requests: the fraction that streams save.
    requests_reduction: f64,
    /// Readers' queries, the same.
    queries_reduction: f64,
    /// Of all requests, changes included.
    requests_reduction_with_changes: f64,
    /// Of all queries, changes included.
    queries_reduction_with_changes: f64,
    /// Requests/s that the polling panels would have made, had every answer been in time.
    polling_wanted_per_s: f64,
    changes_alone: Window,
    polling: Window,
    streams: Window,
    queries_by: Source,
    /// Whether the server has statistics; if not, a panel asks for one more list.
    has_statistics: bool,
}

/// Runs and prints.
pub async fn run(options: Options) -> Result<()> {
    let stage = Stage::set("polling", Vec::new()).await?;
    stage.report_incidents(INCIDENTS).await?;
    let (resources, has_statistics) = resources(stage.address, &stage.token).await?;
    if !has_statistics {
        report::note("this server has no statistics: each panel asks for one more list instead");
    }
    let habit = |resources: Vec<&'static str>, every_s| Habit {
        address: stage.address,
        token: stage.token.clone(),
        resources: resources.into(),
        every: Duration::from_secs_f64(every_s),
    };
    report::note("changes alone");
    let alone = window(&stage, &options, None, false).await?;
    report::note("panels that poll");
    let everything = habit(resources.clone(), options.poll_every_s);
    let polling = window(&stage, &options, Some(everything), false).await?.beside(&alone);
    report::note("panels on streams");
    let rest = habit(not_in_events(&resources), options.refresh_every_s);
    let streams = window(&stage, &options, Some(rest), true).await?.beside(&alone);

    let less = |now: f64, before: f64| 1.0 - now / before;
    let line = Line {
        users: options.users,
        requests_reduction: less(streams.requests_per_s, polling.requests_per_s),
        queries_reduction: less(streams.readers_queries_per_s, polling.readers_queries_per_s),
        requests_reduction_with_changes: less(
            streams.requests_per_s + streams.changes_per_s,
            polling.requests_per_s + polling.changes_per_s,
        ),
        queries_reduction_with_changes: less(streams.queries_per_s, polling.queries_per_s),
        polling_wanted_per_s: options.users as f64 * resources.len() as f64 / options.poll_every_s,
        changes_alone: alone,
        polling,
        streams,
        queries_by: stage.queries.source(),
        has_statistics,
    };
    print(&line);
    if options.json { report::json(&line) } else { Ok(()) }
}

impl Window {
    /// Tells the readers' queries from those of the changes, by a window in which nobody read.
    fn beside(mut self, alone: &Window) -> Window {
        let share = self.changes_per_s * self.took_s / (alone.changes_per_s * alone.took_s);
        self.readers_queries_per_s = queries::beyond(&self.statements, &alone.statements, share) / self.took_s;
        self
    }
}

/// Changes for a while, with panels of one habit or none, and with streams or without.
async fn window(stage: &Stage, options: &Options, habit: Option<Habit>, streams: bool) -> Result<Window> {
    let subscription = Subscription::to_signalbox(stage.address, &stage.token);
    let crowd = match streams {
        true => Some(Crowd::open_all(subscription, options.users, options.readers).await?),
        false => None,
    };
    let (stop, mut panels) = (CancellationToken::new(), JoinSet::new());
    for user in 0..options.users {
        let Some(habit) = habit.clone() else { break };
        // Spread over the interval, as users are who came at different times.
        let first = habit.every.mul_f64(user as f64 / options.users as f64);
        panels.spawn(poll(habit, first, stop.clone()));
    }
    sleep(WARM_UP).await;
    let before = stage.queries.count().await?;
    let begin = Instant::now();
    let publishing = Publishing::begin(stage, Pace { rate: options.rate, bytes: options.bytes }).await?;
    sleep(Duration::from_secs(options.seconds)).await;
    let mut changes = publishing.stop().await?.changes;
    let took_s = begin.elapsed().as_secs_f64();
    let statements = stage.queries.count().await?.since(&before);
    stop.cancel();
    let mut asked = Vec::new();
    while let Some(panel) = panels.join_next().await {
        asked.push(panel.context("a panel panicked")??);
    }
    changes.sort_by_key(|change| change.seq);
    let mut window = Window {
        changes_per_s: changes.len() as f64 / took_s,
        queries_per_s: queries::total(&statements) as f64 / took_s,
        statements,
        took_s,
        ..Window::default()
    };
    // Panels ran for the warm-up as well.
    window.requests_per_s =
        asked.iter().map(|panel| panel.requests).sum::<u64>() as f64 / (took_s + WARM_UP.as_secs_f64());
    match crowd {
        Some(crowd) => {
            let expected = (changes.len() * options.users) as u64;
            let tally = crowd.drain(expected, DRAIN).await?;
            window.age_ms = Some(tally.latency_us.mean() / 1e3);
            window.lost = expected.saturating_sub(tally.received);
        }
        None if habit.is_some() => window.age_ms = Some(age_ms(&changes, &asked)),
        None => {}
    }
    Ok(window)
}

/// Changes that came too late for a panel's last answer are left out: they flatter the poll.
fn age_ms(changes: &[Change], asked: &[Asked]) -> f64 {
    let mut ages = Ages::default();
    for panel in asked {
        ages.add(changes, &panel.news);
    }
    if ages.unseen > 0 {
        report::note(format_args!("{} times a panel had not seen a change at the end", thousands(ages.unseen as f64)));
    }
    ages.mean_ms()
}

fn print(line: &Line) {
    let title = format!("{} users, the same changes", thousands(line.users as f64));
    let heads = ["", "changes/s", "readers' requests/s", "queries/s", "readers'", "age of news, ms", "lost"];
    let mut table = Table::new(title, heads);
    for (name, window) in
        [("changes alone", &line.changes_alone), ("polling", &line.polling), ("streams", &line.streams)]
    {
        table.row([
            name.to_owned(),
            format!("{:.0}", window.changes_per_s),
            thousands(window.requests_per_s),
            thousands(window.queries_per_s),
            thousands(window.readers_queries_per_s),
            window.age_ms.map_or_else(String::new, |age_ms| format!("{age_ms:.0}")),
            window.lost.to_string(),
        ]);
    }
    table.print();
    let percent = |fraction: f64| fraction * 100.0;
    report::note(format_args!(
        "streams save {:.1} % of the readers' requests and {:.1} % of their queries ({:.1} % and {:.1} % with the \
         changes' own); polling wanted {} requests/s",
        percent(line.requests_reduction),
        percent(line.queries_reduction),
        percent(line.requests_reduction_with_changes),
        percent(line.queries_reduction_with_changes),
        thousands(line.polling_wanted_per_s),
    ));
}
