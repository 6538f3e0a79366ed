//! Nchan, the peer: an nginx module in C that keeps messages in shared memory.
//!
//! Debian's packages `nginx-light` and `libnginx-mod-nchan`, set up as its manual
//! recommends for one channel with many readers: two workers that share the load by
//! `reuseport`, a message buffer that outlasts the run, and no access log.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::Result;

use super::{
    Running,
    child::{Child, free_port},
};

/// Where Debian puts the module.
const MODULE: &str = "/usr/lib/nginx/modules/ngx_nchan_module.so";

const MISSING: &str = "not installed: apt-get install nginx-light libnginx-mod-nchan";

/// Starts nginx with a configuration of its own below `directory`.
pub(super) fn start(directory: &Path, message_bytes: usize) -> Result<Result<Running, String>> {
    let found = Command::new("nginx").arg("-v").stderr(Stdio::null()).status().is_ok();
    if !found || !Path::new(MODULE).exists() {
        return Ok(Err(MISSING.to_owned()));
    }
    let directory = directory.join("nginx");
    fs::create_dir_all(&directory)?;
    let address = free_port()?;
    let configuration = directory.join("nginx.conf");
    fs::write(&configuration, configure(&directory, address))?;
    let mut command = Command::new("nginx");
    command.arg("-c").arg(&configuration);
    let child = Child::start(&mut command, address, &directory)?;
    Ok(Ok(Running::new(child, ["/stream", "/publish"], ("", ""), message_bytes)))
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
