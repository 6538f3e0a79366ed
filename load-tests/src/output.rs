//! What a run prints: lines in a second until they are recorded, and until they are read again.
//!
//! A runbook's command prints as fast as it is read. Beside it, in turns and on the same PostgreSQL, a bare loop reads
//! the same program and inserts batches of the same size into a plain table with the columns and indexes of the lines.

use std::{process::Stdio, time::Duration};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
    time::{Instant, sleep, timeout},
};
use tokio_postgres::Client;

use crate::{
    http::{Connection, Request},
    logs::{self, PLAIN},
    report::{self, Spread, Table, thousands},
    scratch::Scratch,
    stage::Stage,
};

/// The program: prints numbered lines of about 60 bytes.
const PROGRAM: &str = "/usr/bin/seq";
const FORMAT: &str = "--format=%.0f packets went through, the next one is on its way";
/// Lines of an insert, as many as a runner puts into one event.
const BATCH: usize = 500;
/// Lines of a page that is read.
const PAGE: usize = 1_000;
/// Between two questions whether a run has ended.
const AGAIN: Duration = Duration::from_millis(10);
/// A run that takes longer is none to measure.
const PATIENCE: Duration = Duration::from_secs(300);

/// How to measure.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Lines that a run prints.
    #[arg(long, default_value_t = 100_000)]
    lines: usize,
    /// Rounds of each way; medians are reported.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// End with one line of JSON.
    #[arg(long)]
    json: bool,
}

/// The last line of a run.
#[derive(Debug, Serialize)]
struct Line {
    lines: usize,
    lines_per_s: f64,
    insert_lines_per_s: f64,
    /// Ours divided by the bare loop's.
    ratio: f64,
    read_lines_per_s: f64,
}

#[derive(Deserialize)]
struct Named {
    id: String,
}

#[derive(Deserialize)]
struct Execution {
    status: String,
}

#[derive(Deserialize)]
struct Page {
    items: Vec<Printed>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Printed {
    text: String,
}

/// Measures and prints.
pub async fn run(options: Options) -> Result<()> {
    let scratch = Scratch::new("output-commands")?;
    let commands = scratch.path().join("commands.json");
    std::fs::write(&commands, json!({ "print": { "program": PROGRAM, "arguments": [FORMAT] } }).to_string())?;
    let stage = Stage::set("output", vec![("SIGNALBOX_COMMANDS", commands.display().to_string())]).await?;
    let client = logs::connect(&stage.database_url()).await?;
    let mut api = Api { connection: Connection::open(stage.address).await?, token: stage.token.clone() };
    let runbook = api.runbook(options.lines).await?;

    let (mut printed, mut read, mut inserted) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        let per_s = |begin: Instant| options.lines as f64 / begin.elapsed().as_secs_f64();
        let begin = Instant::now();
        let execution = api.execute(&runbook).await?;
        printed.push(per_s(begin));
        let begin = Instant::now();
        api.read_all(&execution, options.lines).await?;
        read.push(per_s(begin));
        let begin = Instant::now();
        insert_all(&client, options.lines).await?;
        inserted.push(per_s(begin));
    }
    let [printed, read, inserted] = [printed, read, inserted].map(|rates| Spread::of(&rates));
    let title = format!("A run of {} lines", thousands(options.lines as f64));
    let mut table = Table::new(title, ["", "lines/s"]);
    table.row(["run, until it has succeeded".to_owned(), printed.to_string()]);
    table.row(["bare loop, until all is inserted".to_owned(), inserted.to_string()]);
    table.row(["read again, page by page".to_owned(), read.to_string()]);
    table.print();
    if !options.json {
        return Ok(());
    }
    report::json(&Line {
        lines: options.lines,
        lines_per_s: printed.median,
        insert_lines_per_s: inserted.median,
        ratio: printed.median / inserted.median,
        read_lines_per_s: read.median,
    })
}

/// A connection of somebody who may run things.
struct Api {
    connection: Connection,
    token: String,
}

impl Api {
    async fn runbook(&mut self, lines: usize) -> Result<String> {
        let print = json!({ "name": "Print", "command": { "name": "print", "arguments": [lines.to_string()] },
                            "timeout_s": PATIENCE.as_secs() });
        let body = json!({ "name": "Print", "steps": [print] }).to_string();
        let reply = self.connection.send(Request::post("/api/v1/runbooks", &self.token, body.as_bytes())).await?;
        Ok(reply.json::<Named>()?.id)
    }

    /// Runs it to its end.
    async fn execute(&mut self, runbook: &str) -> Result<String> {
        let path = format!("/api/v1/runbooks/{runbook}/run");
        let reply = self.connection.send(Request::post(&path, &self.token, b"{}")).await?;
        let id = reply.json::<Named>()?.id;
        let path = format!("/api/v1/executions/{id}");
        let ended = async {
            loop {
                let status = self.connection.send(Request::get(&path, &self.token)).await?.json::<Execution>()?.status;
                match status.as_str() {
                    "queued" | "running" => sleep(AGAIN).await,
                    "succeeded" => return Ok(()),
                    other => anyhow::bail!("the run ended as {other}"),
                }
            }
        };
        timeout(PATIENCE, ended).await.context("the run does not end")??;
        Ok(id)
    }

    /// All lines, one page after the other, each in its place.
    async fn read_all(&mut self, execution: &str, lines: usize) -> Result<()> {
        let (mut number, mut after) = (0, String::new());
        loop {
            let path = format!("/api/v1/executions/{execution}/lines?limit={PAGE}{after}");
            let page: Page = self.connection.send(Request::get(&path, &self.token)).await?.json()?;
            for line in page.items {
                number += 1;
                ensure!(line.text.starts_with(&format!("{number} ")), "line {number} says {}", line.text);
            }
            match page.next {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        ensure!(number == lines, "{number} of {lines} lines were there");
        Ok(())
    }
}

/// The same program into a plain table.
async fn insert_all(client: &Client, lines: usize) -> Result<()> {
    client.batch_execute(&format!("drop table if exists plain; {PLAIN}")).await?;
    let mut program = Command::new(PROGRAM)
        .args([FORMAT.to_owned(), lines.to_string()])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("start the program")?;
    let mut printed = BufReader::new(program.stdout.take().context("a pipe")?).lines();
    let (mut batch, mut number) = (Vec::with_capacity(BATCH), 0);
    while let Some(line) = printed.next_line().await? {
        batch.push(line);
        if batch.len() == BATCH {
            number += 1;
            insert(client, number, &batch).await?;
            batch.clear();
        }
    }
    insert(client, number + 1, &batch).await?;
    let inserted: i64 = client.query_one("select count(*) from plain", &[]).await?.get(0);
    ensure!(inserted == lines as i64, "{inserted} of {lines} lines were inserted");
    client.batch_execute("drop table plain").await?;
    Ok(())
}

async fn insert(client: &Client, number: i64, messages: &[String]) -> Result<()> {
    let sql = "insert into plain (at, recorded_at, seq, line, level, source, message)
        select now(), now(), $1, l.line, 3, 'print', l.message
          from unnest($2::text[]) with ordinality l (message, line)";
    client.execute(sql, &[&number, &messages]).await?;
    Ok(())
}
