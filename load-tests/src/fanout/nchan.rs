//! Nchan, the peer: an nginx module in C that keeps messages in shared memory.
//!
//! Debian's packages `nginx-light` and `libnginx-mod-nchan`, set up as its manual
//! recommends for one channel with many readers: two workers that share the load by
//! `reuseport`, a message buffer that outlasts the run, and no access log.

use std::{
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use super::{System, crowd::Subscription, publisher::Publication};

/// Where Debian puts the module.
const MODULE: &str = "/usr/lib/nginx/modules/ngx_nchan_module.so";

/// How long nginx may take to accept its first connection.
const START: Duration = Duration::from_secs(5);

/// A running nginx; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Nchan {
    nginx: Child,
    directory: PathBuf,
    address: SocketAddr,
}

impl Nchan {
    /// Why Nchan cannot be measured on this machine; `None` when it can.
    pub(super) fn missing() -> Option<&'static str> {
        let found = Command::new("nginx").arg("-v").stderr(Stdio::null()).status().is_ok();
        let complete = found && Path::new(MODULE).exists();
        (!complete).then_some("not installed: apt-get install nginx-light libnginx-mod-nchan")
    }

    /// Starts nginx with a configuration of its own below `directory`.
    pub(super) fn start(directory: &Path) -> Result<Nchan> {
        // The port is free a moment later too; nginx cannot be asked to choose one itself.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let directory = &directory.join("nginx");
        fs::create_dir_all(directory)?;
        let configuration = directory.join("nginx.conf");
        fs::write(&configuration, configure(directory, address))?;
        let nginx =
            Command::new("nginx").arg("-c").arg(&configuration).stderr(Stdio::null()).spawn().context("start nginx")?;
        let mut nchan = Nchan { nginx, directory: directory.to_owned(), address };
        let deadline = Instant::now() + START;
        while TcpStream::connect(address).is_err() {
            if Instant::now() > deadline || nchan.nginx.try_wait()?.is_some() {
                let log = fs::read_to_string(directory.join("error.log")).unwrap_or_default();
                bail!("nginx does not answer on {address}: {log}");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(nchan)
    }

    /// How it is measured with messages of that many bytes.
    pub(super) fn system(&self, message_bytes: usize) -> System {
        let address = self.address;
        let request = format!("GET /stream HTTP/1.1\r\nHost: {address}\r\nAccept: text/event-stream\r\n\r\n");
        System {
            // The master; its workers are its children.
            pid: self.nginx.id(),
            postgres_pid: None,
            subscription: Subscription { address, request: request.into_bytes(), ready_event: None },
            publication: Publication {
                address,
                paths: vec!["/publish".to_owned()],
                bearer: None,
                around: ("", ""),
                text_bytes: message_bytes,
            },
        }
    }
}

impl Drop for Nchan {
    fn drop(&mut self) {
        // Killed at once, the master would leave its workers behind; asked to, it ends them.
        let stop = Command::new("nginx")
            .arg("-c")
            .arg(self.directory.join("nginx.conf"))
            .args(["-s", "stop"])
            .stderr(Stdio::null())
            .status();
        if stop.is_ok_and(|status| status.success()) {
            let _ = self.nginx.wait();
        }
    }
}

fn configure(directory: &Path, address: SocketAddr) -> String {
    let directory = directory.display();
    format!(
        "load_module {MODULE};
worker_processes 2;
worker_rlimit_nofile 20000;
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/error.log warn;
events {{ worker_connections 19000; multi_accept on; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    nchan_shared_memory_size 512M;
    nchan_message_buffer_length 100000;
    nchan_message_timeout 10m;
    server {{
        listen {address} reuseport backlog=4096;
        location = /publish {{ nchan_publisher http; nchan_channel_id events; }}
        location = /stream {{
            nchan_subscriber eventsource;
            nchan_channel_id events;
            nchan_subscriber_first_message newest;
        }}
    }}
}}
"
    )
}
