//! `signalbox compare`: follows the stream and its polling twin at once, from the same cursor, and reports
//! every difference. A rollout goes on while there is none.

mod client;
mod difference;

use std::time::Duration;

use anyhow::Context;
use clap::Args;
use http_body_util::BodyExt;
use serde::Deserialize;
use serde_json::value::RawValue;
use time::OffsetDateTime;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use client::Client;
pub use difference::{Difference, Door, Received, differences, mean_age};

/// Events that one poll brings at most.
const PAGE: usize = 1_000;
/// Longest that one poll waits, in seconds.
const WAIT_S: u64 = 10;
/// For the stream to bring what polling has brought already.
const GRACE: Duration = Duration::from_secs(10);
/// Until then there is no hurry.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 3_600);

/// Whom to compare, and for how long.
#[derive(Debug, Clone, Args)]
pub struct CompareOptions {
    /// For so long. The access token has to last longer.
    #[arg(long, default_value_t = 30)]
    pub seconds: u64,
    /// The process to ask.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    pub url: String,
    /// An access token.
    #[arg(long, env = "SIGNALBOX_TOKEN", hide_env_values = true)]
    pub token: String,
}

/// What came through both doors.
#[derive(Debug)]
pub struct Report {
    /// Through the stream.
    pub streamed: Vec<Received>,
    /// By polling.
    pub polled: Vec<Received>,
    /// None is expected.
    pub differences: Vec<Difference>,
}

impl std::fmt::Display for Report {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (name, events) in [("stream", &self.streamed), ("polling", &self.polled)] {
            let age =
                mean_age(events).map_or_else(|| "none".to_owned(), |age| format!("{:.1} ms", age.as_secs_f64() * 1e3));
            writeln!(out, "{name}: {} events, mean age {age}", events.len())?;
        }
        for difference in self.differences.iter().take(20) {
            writeln!(out, "{difference:?}")?;
        }
        write!(out, "{} differences", self.differences.len())
    }
}

/// Compares both doors from the present end of the log on.
///
/// # Errors
/// The server cannot be reached, refuses, or has another history at the end than at the beginning.
pub async fn compare(options: &CompareOptions) -> anyhow::Result<Report> {
    let client = Client::new(&options.url, &options.token)?;
    let response = client.get("/api/v1/events?limit=1", None).await?;
    let head = response.headers().get("signalbox-seq").and_then(|seq| seq.to_str().ok()?.parse().ok());
    let cursor: i64 = head.context("the answer names no position")?;
    let end = Instant::now() + Duration::from_secs(options.seconds);
    let (tell, told) = watch::channel(None);
    let streaming = stream(&client, cursor, told);
    let polling = async {
        let polled = poll(&client, cursor, end).await;
        // Also after a failure, so that the stream does not wait for ever.
        tell.send_replace(Some(polled.as_ref().ok().and_then(|(events, _)| events.last()).map_or(0, |last| last.seq)));
        polled
    };
    let (streamed, polled) = tokio::join!(streaming, polling);
    let (mut streamed, (polled, position)) = (streamed?, polled?);
    streamed.retain(|event| event.seq <= position); // what came later was not asked for by polling any more
    let differences = differences(&streamed, &polled);
    Ok(Report { streamed, polled, differences })
}

/// An event's own place and time.
#[derive(Deserialize)]
struct Stamped {
    seq: i64,
    #[serde(with = "time::serde::rfc3339")]
    recorded_at: OffsetDateTime,
}

fn received(json: &str) -> anyhow::Result<Received> {
    let Stamped { seq, recorded_at } = serde_json::from_str(json).context("no event")?;
    let age = OffsetDateTime::now_utc() - recorded_at;
    Ok(Received { seq, json: json.to_owned(), age: age.try_into().unwrap_or_default() })
}

/// Polls until the end; gives the events and the position up to which it asked.
async fn poll(client: &Client, mut after: i64, end: Instant) -> anyhow::Result<(Vec<Received>, i64)> {
    #[derive(Deserialize)]
    struct Page {
        items: Vec<Box<RawValue>>,
        next: i64,
    }
    let mut events = Vec::new();
    loop {
        let wait_s = end.saturating_duration_since(Instant::now()).as_secs_f64().ceil().min(WAIT_S as f64);
        let path = format!("/api/v1/events?after={after}&limit={PAGE}&wait={wait_s}");
        let body = client.get(&path, None).await?.into_body().collect().await?.to_bytes();
        let page: Page = serde_json::from_slice(&body).context("no page of events")?;
        for item in &page.items {
            events.push(received(item.get())?);
        }
        let moved = page.next > after;
        after = page.next;
        if Instant::now() >= end && !moved {
            return Ok((events, after));
        }
    }
}

/// Follows the stream until it has brought the event that `until` names, or had time enough to.
async fn stream(
    client: &Client,
    mut cursor: i64,
    mut until: watch::Receiver<Option<i64>>,
) -> anyhow::Result<Vec<Received>> {
    let mut events: Vec<Received> = Vec::new();
    let mut give_up = Instant::now() + FOREVER;
    loop {
        let mut body = client.get("/api/v1/events/stream", Some(cursor)).await?.into_body();
        let (mut bytes, mut pause) = (Vec::new(), Duration::ZERO);
        loop {
            let named = *until.borrow();
            if named.is_some_and(|last| cursor >= last) || Instant::now() >= give_up {
                return Ok(events);
            }
            let frame = tokio::select! {
                frame = body.frame() => frame,
                _ = until.changed(), if named.is_none() => {
                    give_up = Instant::now() + GRACE;
                    continue;
                }
                () = sleep_until(give_up) => continue,
            };
            let Some(frame) = frame else { break };
            bytes.extend_from_slice(frame?.data_ref().map_or(&[][..], |data| data));
            while let Some(end) = bytes.windows(2).position(|pair| pair == b"\n\n") {
                let block: Vec<u8> = bytes.drain(..end + 2).collect();
                let block = String::from_utf8(block).context("a frame is not UTF-8")?;
                let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                if let Some(retry_ms) = field("retry") {
                    pause = Duration::from_millis(retry_ms.parse().context("retry is no number")?);
                }
                let id = field("id").map(str::parse).transpose().context("an id is no number")?;
                match (field("event"), id, field("data")) {
                    (Some("reset"), ..) => anyhow::bail!("the log has another history now"),
                    (Some(kind), Some(_), Some(data)) if kind.contains('.') => events.push(received(data)?),
                    _ => {} // ready, heartbeat, bye, a bookmark, or an event ahead of its turn
                }
                cursor = id.unwrap_or(cursor);
            }
        }
        sleep(pause).await; // as the server asked: it closed in order, or the connection broke
    }
}
