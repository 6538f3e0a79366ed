//! The disk is full.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use super::load::Load;
use super::short_or_long;
use uuid::Uuid;

use crate::harness::{OwnPostgres, own_directory};

/// PostgreSQL's own files take 55 MB, and 32 MB of log are kept for use again.
const DISK_MIB: u32 = 128;

/// A small disk of a test's own, in memory.
struct Disk(PathBuf);

impl Disk {
    fn mount() -> Disk {
        let directory = own_directory();
        std::fs::create_dir_all(&directory).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={DISK_MIB}m,mode=0755"), "signalbox-tests"]).arg(&directory);
        let mounted = mount.output().unwrap();
        let why = String::from_utf8_lossy(&mounted.stderr);
        assert!(mounted.status.success(), "this test mounts a tmpfs, which only root may do: {why}");
        Disk(directory)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: PostgreSQL may be about to end.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
        let _ = std::fs::remove_dir(&self.0);
    }
}

/// Takes all the space there is.
fn fill(path: &Path) {
    let mut ballast = File::options().create(true).append(true).open(path).unwrap();
    loop {
        match ballast.write_all(&[1; 4 << 10]) {
            Ok(()) => {}
            Err(full) if full.kind() == ErrorKind::StorageFull => return,
            Err(other) => panic!("{other}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_503_and_afterwards_every_acknowledged_event_is_there() {
    let disk = Disk::mount();
    // Few kept segments of log: soon it needs new space too, which ends in a PANIC and a recovery.
    let settings = [("min_wal_size", "32MB"), ("max_wal_size", "32MB"), ("shared_buffers", "16MB")];
    let (postgres, world) = OwnPostgres::start_in(disk.0.clone(), &settings).await;
    let server = world.serve().await;
    let client = server.admin().await;
    let load = Load::start(std::slice::from_ref(&client), 4, 4);
    for _ in 0..short_or_long(1, 5) {
        load.goes_on(50).await;
        let ballast = disk.0.join("ballast");
        fill(&ballast);
        let mut full = false;
        while !full {
            // The title is what the checker knows a command by.
            let report = json!({ "title": format!("large {}", Uuid::now_v7()), "description": "x".repeat(4_000) });
            let answer = client.post("/api/v1/incidents", report).await;
            full = answer.status == 503;
            assert!(full || answer.status == 201, "{}", answer.text);
            fill(&ballast);
        }
        sleep(Duration::from_secs(short_or_long(2, 5))).await; // the fault's own length
        assert_eq!(client.get("/livez").await.status, 200);
        std::fs::remove_file(&ballast).unwrap();
        postgres.revive().await;
    }
    load.goes_on(50).await;
    let met = load.ends_well(&world.owner).await;
    assert!(met.refused > 0, "{met:?}");
    drop(server);
    drop(world);
    drop(postgres);
    drop(disk);
}
