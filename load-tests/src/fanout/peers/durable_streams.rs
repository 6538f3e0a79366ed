//! durable-streams: a Rust server with an epoll reactor of its own that keeps streams in files.
//!
//! The crate `durable-streams` 0.1.5, set up for speed: `--durability memory` answers once the
//! bytes are in the page cache, without the write-ahead log that is its default, and
//! `--tail-cache-bytes 65536` is what its README advises for fan-out on Linux. It ends every
//! stream after 60 seconds; one measurement must be shorter, or `closed` says how many it ended.
//!
//! It puts all events that wait for a stream into one frame, without an id; their position
//! comes in a frame of its own behind it.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use super::{
    Running,
    child::{Child, free_port},
};
use crate::http::{Connection, Request};

const PROGRAM: &str = "durable-streams-server";

const MISSING: &str = "not installed: cargo install durable-streams --version 0.1.5, and put the program on PATH or into DURABLE_STREAMS_BIN";

/// Starts it with one stream of JSON.
pub(super) async fn start(directory: &Path, message_bytes: usize) -> Result<Result<Running, String>> {
    let Some(program) = find() else { return Ok(Err(MISSING.to_owned())) };
    let directory = directory.join("durable-streams");
    fs::create_dir_all(&directory)?;
    let address = free_port()?;
    let mut command = Command::new(program);
    command
        .args(["--port", &address.port().to_string(), "--durability", "memory", "--tail-cache-bytes", "65536"])
        .arg("--data-dir")
        .arg(directory.join("data"));
    let child = Child::start(&mut command, address, &directory)?;
    let create = Request { method: "PUT", path: "/events", bearer: None, idempotency_key: None, body: b"[]" };
    let mut connection = Connection::open(address).await?;
    let reply = connection.send(create).await.context("create the stream")?;
    if reply.head.status != 201 {
        bail!("the stream was not created: {} {}", reply.head.status, String::from_utf8_lossy(reply.body));
    }
    let paths = ["/events?offset=now&live=sse", "/events"];
    Ok(Ok(Running::new(child, paths, (r#"{"text":""#, r#""}"#), message_bytes)))
}

/// The program that the environment names, or the first on the path.
fn find() -> Option<PathBuf> {
    if let Some(program) = env::var_os("DURABLE_STREAMS_BIN") {
        return Some(PathBuf::from(program)).filter(|program| program.exists());
    }
    let folders = env::var_os("PATH")?;
    env::split_paths(&folders).map(|folder| folder.join(PROGRAM)).find(|program| program.exists())
}
