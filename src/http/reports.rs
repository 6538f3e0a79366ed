//! What clients say of their own way to the events, for `GET /metrics`.
//!
//! It comes from strangers' machines: it is counted, and nothing is decided by it. So it is bounded in every
//! direction: in size and number by the limits here, in names by what `metrics` knows.

use std::time::Duration;

use poem::http::{StatusCode, header};
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Enum, Object, OpenApi};

use super::allowed::Allowed;
use super::answer::Answer;
use super::events::Tag;
use super::problem::Problem;
use super::text::Text;
use crate::domain::permission::Anyone;

/// Entries of each list in one report.
const MOST_ENTRIES: usize = 100;
/// Longest time in one state that is believed, in ms: a week. A page that is open for longer reports it in parts.
const LONGEST_MS: i64 = 7 * 24 * 3_600_000;
/// Longest latency that is counted, in ms. A longer one, or one below nothing, is of a wrong clock.
const MOST_LATENCY_MS: i64 = 60_000;
/// Characters of a reason; the longest one that is known has 16.
const REASON_CHARS: usize = 40;

/// The operation for clients.
pub struct Reports;

/// Where a client's time goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename = "ClientState", rename_all = "snake_case")]
#[allow(missing_docs)] // web/client/src/status.ts says what each is
pub enum State {
    Connecting,
    Replaying,
    Live,
    Polling,
    Offline,
    Off,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            State::Connecting => "connecting",
            State::Replaying => "replaying",
            State::Live => "live",
            State::Polling => "polling",
            State::Offline => "offline",
            State::Off => "off",
        }
    }
}

/// A time in one state.
#[derive(Debug, Object)]
#[oai(rename = "ClientUptime", deny_unknown_fields)]
pub struct Uptime {
    /// Which one.
    state: State,
    /// For so many ms, 0 to a week.
    ms: i64,
}

/// What a client has to report since it last did.
#[derive(Debug, Object)]
#[oai(rename = "ClientReport", deny_unknown_fields)]
pub struct Report {
    /// Why it began to poll, each time, at most 100: a code such as `unreachable`. Unknown ones count as `other`.
    fallbacks: Option<Vec<Text>>,
    /// Times that it has spent in its states, at most 100.
    uptimes: Option<Vec<Uptime>>,
    /// From the commit of events, by the database's clock, to the first frame painted with them, by its own, in ms; at
    /// most 100. Those below 0 or above a minute are left out: a clock is wrong.
    latencies_ms: Option<Vec<i64>>,
}

#[derive(ApiResponse)]
enum Counted {
    /// Counted.
    #[oai(status = 204)]
    Done,
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Events")]
impl Reports {
    /// Report how following events went
    ///
    /// For clients: how often they had to poll, how long they were live, and how late events were on the screen. The
    /// process counts it in its metrics, `signalbox_client_*`. One session may report six times a minute, three times
    /// at once.
    #[oai(path = "/me/transport/reports", method = "post", operation_id = "reportTransport")]
    async fn report(&self, caller: Allowed<Anyone>, body: Json<Report>) -> Answer<Counted> {
        if let Err(wait_s) = caller.app.limits.report(caller.session) {
            let detail = "a session reports at most every 10 seconds: gather, and come back";
            let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_reports", detail);
            return Err(problem.header(header::RETRY_AFTER, &wait_s.to_string()));
        }
        check(&body.0)?;
        let clients = &caller.app.metrics.clients;
        body.0.fallbacks.iter().flatten().for_each(|reason| clients.fell_back(&reason.0));
        let ms = |ms: i64| Duration::from_millis(u64::try_from(ms).unwrap_or_default());
        body.0.uptimes.iter().flatten().for_each(|uptime| clients.was(uptime.state.as_str(), ms(uptime.ms)));
        let believed = body.0.latencies_ms.iter().flatten().filter(|latency| (0..=MOST_LATENCY_MS).contains(*latency));
        believed.for_each(|latency| clients.painted(ms(*latency)));
        Ok(Counted::Done)
    }
}

/// # Errors
/// 422, pointing at what is too much.
fn check(report: &Report) -> Result<(), Problem> {
    let mut wrong = Vec::new();
    let lists = [
        ("/fallbacks", report.fallbacks.as_ref().map_or(0, Vec::len)),
        ("/uptimes", report.uptimes.as_ref().map_or(0, Vec::len)),
        ("/latencies_ms", report.latencies_ms.as_ref().map_or(0, Vec::len)),
    ];
    for (pointer, _) in lists.iter().filter(|(_, entries)| *entries > MOST_ENTRIES) {
        wrong.push(((*pointer).to_owned(), format!("has at most {MOST_ENTRIES} entries")));
    }
    let (fallbacks, uptimes) = (report.fallbacks.iter().flatten(), report.uptimes.iter().flatten());
    for (nth, _) in fallbacks.enumerate().filter(|(_, reason)| reason.0.chars().count() > REASON_CHARS) {
        wrong.push((format!("/fallbacks/{nth}"), format!("has at most {REASON_CHARS} characters")));
    }
    for (nth, _) in uptimes.enumerate().filter(|(_, uptime)| !(0..=LONGEST_MS).contains(&uptime.ms)) {
        wrong.push((format!("/uptimes/{nth}/ms"), format!("is 0 to {LONGEST_MS}")));
    }
    if wrong.is_empty() {
        return Ok(());
    }
    wrong.truncate(MOST_ENTRIES);
    Err(Problem::unacceptable("invalid", "the report is not acceptable: errors says why").errors(wrong))
}
