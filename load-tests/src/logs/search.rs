//! Searches over many lines, and the indexes that they could have.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio::time::Instant;
use tokio_postgres::{Client, binary_copy::BinaryCopyInWriter, types::Type};

use super::{Times, lines::Lines};
use crate::http::{Connection, Request};
use crate::stage::Stage;

/// How often each search is asked, with other words or times where it has some.
const ASKED: usize = 30;
/// Lines of one event in the filled table.
const BATCH: i64 = 1_000;
/// Batches written into a table with an index that is kept current.
const KEPT_BATCHES: i64 = 30;

/// One kind of search.
#[derive(Debug, Serialize)]
pub struct Searched {
    /// What is asked.
    pub name: &'static str,
    /// Of all answers.
    pub times: Times,
}

/// What an index costs.
#[derive(Debug, Serialize)]
pub struct Index {
    /// Which.
    pub name: &'static str,
    /// Building it over all lines at once.
    pub build_s: f64,
    /// On disk.
    pub mib: f64,
    /// Writing 1,000 lines while it is kept current, in the middle.
    pub kept_ms: f64,
}

/// Fills the partition of yesterday by COPY, as if lines had come evenly over the day.
pub async fn fill(client: &Client, lines: &Lines, count: i64) -> Result<()> {
    client
        .batch_execute(
            "set role signalbox_owner; select log_partition_add((now() at time zone 'UTC')::date - 1); reset role",
        )
        .await?;
    let midnight: OffsetDateTime = client
        .query_one("select date_trunc('day', now() at time zone 'UTC') at time zone 'UTC' - interval '1 day'", &[])
        .await?
        .get(0);
    let copy = "copy log_lines (at, recorded_at, seq, line, level, source, server, message) from stdin (format binary)";
    let types =
        [Type::TIMESTAMPTZ, Type::TIMESTAMPTZ, Type::INT8, Type::INT4, Type::INT2, Type::TEXT, Type::TEXT, Type::TEXT];
    let writer = BinaryCopyInWriter::new(client.copy_in(copy).await?, &types);
    let mut writer = std::pin::pin!(writer);
    for nth in 0..count {
        let line = lines.draw();
        let at = midnight + Duration::from_secs(86_400).mul_f64(nth as f64 / count as f64);
        let (seq, place, server) =
            (nth / BATCH - count / BATCH, (nth % BATCH + 1) as i32, format!("host-{}", nth % 40));
        writer
            .as_mut()
            .write(&[&at, &at, &seq, &place, &line.level_number, &line.source, &server, &line.message])
            .await?;
    }
    writer.finish().await?;
    client.batch_execute("vacuum analyze log_lines").await.context("vacuum")
}

/// Asks all kinds of search through the API.
pub async fn searches(stage: &Stage, client: &Client) -> Result<Vec<Searched>> {
    let row =
        client.query_one("select min(at), max(at), min(source), min(server) from log_lines where seq < 0", &[]).await?;
    let (first, last): (OffsetDateTime, OffsetDateTime) = (row.get(0), row.get(1));
    let (source, server): (String, String) = (row.get(2), row.get(3));
    let hour = |nth: usize| {
        let since = first + (last - first) * (nth as f64 / (ASKED + 2) as f64);
        format!("since={}&before={}", stamp(since), stamp(since + time::Duration::HOUR))
    };
    // Words of lines that are there: a number is rare, a word is not; nobody wrote the last.
    let sql = "select message from log_lines where seq < 0 and line = 500 and message ~ '[0-9]{5}' limit $1";
    let rare = client.query(sql, &[&(ASKED as i64)]).await?;
    let rare: Vec<String> = rare.iter().filter_map(|row| digits(row.get(0))).collect();
    ensure!(!rare.is_empty(), "lines without numbers");
    type Query<'a> = Box<dyn Fn(usize) -> String + 'a>;
    let kinds: [(&'static str, Query<'_>); 10] = [
        ("the newest 100", Box::new(|_| "/api/v1/logs".to_owned())),
        ("an hour", Box::new(|nth| format!("/api/v1/logs?{}", hour(nth)))),
        ("errors of a server", Box::new(|_| format!("/api/v1/logs?level=error&server={server}"))),
        (
            "warnings of a source in an hour",
            Box::new(|nth| format!("/api/v1/logs?level=warn&source={source}&{}", hour(nth))),
        ),
        ("a common word", Box::new(|_| "/api/v1/logs?q=failure".to_owned())),
        ("a rare word in an hour", Box::new(|nth| format!("/api/v1/logs?q={}&{}", rare[nth % rare.len()], hour(nth)))),
        ("a rare word in all", Box::new(|nth| format!("/api/v1/logs?q={}", rare[nth % rare.len()]))),
        ("a word that is not there", Box::new(|nth| format!("/api/v1/logs?q=nothing-of-the-kind-{nth}"))),
        ("the histogram of an hour", Box::new(|nth| format!("/api/v1/logs/histogram?{}", hour(nth)))),
        ("the histogram of all", Box::new(|_| format!("/api/v1/logs/histogram?since={}", stamp(first)))),
    ];
    let mut connection = Connection::open(stage.address).await?;
    let mut searched = Vec::new();
    for (name, query) in kinds {
        let mut times = Vec::new();
        for nth in 0..ASKED {
            let (path, begin) = (query(nth), Instant::now());
            let reply = connection.send(Request::get(&path, &stage.token)).await?;
            times.push(begin.elapsed());
            ensure!(reply.head.status == 200, "{path}: {}", String::from_utf8_lossy(reply.body));
        }
        searched.push(Searched { name, times: Times::of(times) });
    }
    searched.push(context(&mut connection, stage).await?);
    Ok(searched)
}

/// Neighbours of lines that a search found.
async fn context(connection: &mut Connection, stage: &Stage) -> Result<Searched> {
    #[derive(Deserialize)]
    struct Page {
        items: Vec<Named>,
    }
    #[derive(Deserialize)]
    struct Named {
        id: String,
    }
    let page: Page = connection.send(Request::get("/api/v1/logs?limit=1000", &stage.token)).await?.json()?;
    let mut times = Vec::new();
    for Named { id } in page.items.iter().step_by(page.items.len().div_ceil(ASKED)) {
        let (path, begin) = (format!("/api/v1/logs/{id}/context"), Instant::now());
        let reply = connection.send(Request::get(&path, &stage.token)).await?;
        times.push(begin.elapsed());
        ensure!(reply.head.status == 200, "{path}");
    }
    Ok(Searched { name: "the neighbours of a line", times: Times::of(times) })
}

/// Builds each candidate over all lines, and keeps it current for a few batches.
pub async fn indexes(client: &Client) -> Result<Vec<Index>> {
    let partition: String = client
        .query_one("select 'log_lines_' || to_char((now() at time zone 'UTC')::date - 1, 'YYYYMMDD')", &[])
        .await?
        .get(0);
    let candidates: [(&'static str, Option<&str>); 4] = [
        ("none but the four of the table", None),
        ("BRIN of the time", Some("brin (at)")),
        ("GIN of words (tsvector)", Some("gin (to_tsvector('simple', message))")),
        ("GIN of trigrams (pg_trgm)", Some("gin (message gin_trgm_ops)")),
    ];
    let mut measured = Vec::new();
    for (name, candidate) in candidates {
        let (mut build_s, mut mib) = (0.0, 0.0);
        if let Some(using) = candidate {
            let begin = Instant::now();
            client.batch_execute(&format!("create index candidate on {partition} using {using}")).await?;
            build_s = begin.elapsed().as_secs_f64();
            let bytes: i64 = client.query_one("select pg_relation_size('candidate')", &[]).await?.get(0);
            mib = bytes as f64 / f64::from(1 << 20);
            client.batch_execute("drop index candidate").await?;
        }
        client.batch_execute(&format!("create table kept (like {partition} including indexes)")).await?;
        if let Some(using) = candidate {
            client.batch_execute(&format!("create index on kept using {using}")).await?;
        }
        let mut times = Vec::new();
        let insert = format!("insert into kept select * from {partition} where seq = $1");
        let first: i64 = client.query_one("select min(seq) from log_lines where seq < 0", &[]).await?.get(0);
        for nth in 0..KEPT_BATCHES {
            let begin = Instant::now();
            client.execute(&insert, &[&(first + nth)]).await?;
            times.push(begin.elapsed());
        }
        client.batch_execute("drop table kept").await?;
        measured.push(Index { name, build_s, mib, kept_ms: Times::of(times).p50_ms });
    }
    Ok(measured)
}

/// The longest run of digits, if it is a rare one.
fn digits(message: &str) -> Option<String> {
    let runs = message.split(|char: char| !char.is_ascii_digit());
    runs.max_by_key(|run| run.len()).filter(|run| run.len() >= 5).map(str::to_owned)
}

fn stamp(at: OffsetDateTime) -> String {
    signalbox::log::stamp::text(at)
}
