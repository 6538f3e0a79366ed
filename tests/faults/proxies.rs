//! Behind nginx and HAProxy, with the settings they have by default and with ours: a stream is the same stream.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use http_body_util::Empty;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;

use super::short_or_long;
use crate::harness::{Client, PATIENCE, Running, Stream, own_directory, world};

/// What a proxy must not add to, from the request to the first frame.
const AT_ONCE: Duration = Duration::from_secs(1);
/// A comment comes every 15 s, a heartbeat every 30 s.
const SILENCE: Duration = Duration::from_secs(40);

/// A proxy that listens twice: without TLS, and with TLS and HTTP/2.
struct Front {
    child: Child,
    home: PathBuf,
    plain: SocketAddr,
    tls: SocketAddr,
}

/// Of nginx, in front of one server, where nothing is said about buffering.
fn nginx_by_default(server: SocketAddr) -> String {
    format!(
        "events {{ }}\nhttp {{\n server {{\n listen 8080;\n location / {{ proxy_pass http://{server}; \
         proxy_set_header Host $http_host; }}\n }}\n}}\n"
    )
}

/// The one that is deployed, with the server in the place of its two.
fn nginx_as_deployed(server: SocketAddr) -> String {
    let file = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/nginx.conf")).unwrap();
    assert!(file.contains("server signalbox-1:8080;") && file.contains("server signalbox-2:8080;"));
    let file = file.replace("server signalbox-2:8080;", "");
    file.replace("signalbox-1:8080", &server.to_string())
}

/// Of HAProxy in HTTP mode; to the server it speaks HTTP/1, or HTTP/2 when `speaks` says so.
fn haproxy(server: SocketAddr, speaks: &str) -> String {
    format!(
        "defaults\n mode http\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n\
         frontend plain\n bind PLAIN\n default_backend signalbox\n\
         frontend tls\n bind TLS ssl crt HOME/both.pem alpn h2,http/1.1\n default_backend signalbox\n\
         backend signalbox\n server one {server} {speaks}\n"
    )
}

fn free() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A certificate for `localhost` and its key; both in one file, as HAProxy wants them.
fn certify(home: &Path) {
    let new = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
               -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE \
               -keyout key.pem -out cert.pem";
    let made = Command::new("openssl").args(new.split_whitespace()).current_dir(home).output();
    let made = made.expect("openssl is missing: `make test` installs it as root, else `apt install openssl`");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let both = ["cert.pem", "key.pem"].map(|name| fs::read_to_string(home.join(name)).unwrap());
    fs::write(home.join("both.pem"), both.concat()).unwrap();
}

impl Front {
    async fn nginx(settings: &str) -> Front {
        let (home, plain, tls) = (own_directory(), free(), free());
        // It gives up root's rights, so all may read; whoever is not root may write only here.
        let places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {}/{kind};\n", home.display()));
        let listen = format!(
            "listen {plain};\nlisten {tls} ssl http2;\nssl_certificate {home}/cert.pem;\nssl_certificate_key \
             {home}/key.pem;\n",
            home = home.display()
        );
        let settings = settings
            .replace("http {", &format!("http {{\n{}access_log off;\n", places.concat()))
            .replace("access_log off;\n    access_log off;", "access_log off;")
            .replace("listen 8080;", &listen);
        let more = format!("daemon off; pid {0}/pid; error_log {0}/log;", home.display());
        let file = home.join("conf");
        let arguments = ["-c", file.to_str().unwrap(), "-g", &more, "-e", "stderr"].map(str::to_owned);
        Front::start("nginx", settings, &arguments, home, plain, tls).await
    }

    async fn haproxy(settings: &str) -> Front {
        let (home, plain, tls) = (own_directory(), free(), free());
        let settings = settings
            .replace("PLAIN", &plain.to_string())
            .replace("TLS", &tls.to_string())
            .replace("HOME", home.to_str().unwrap());
        let arguments = ["-db", "-f", home.join("conf").to_str().unwrap()].map(str::to_owned);
        Front::start("haproxy", settings, &arguments, home, plain, tls).await
    }

    async fn start(
        program: &str,
        settings: String,
        arguments: &[String],
        home: PathBuf,
        plain: SocketAddr,
        tls: SocketAddr,
    ) -> Front {
        fs::create_dir_all(&home).unwrap();
        certify(&home);
        fs::write(home.join("conf"), settings).unwrap();
        let mut command = Command::new(program);
        command.env("PATH", format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default()));
        let said = fs::File::create(home.join("said")).unwrap();
        let child = command.args(arguments).stdout(Stdio::null()).stderr(said).spawn();
        let missing = format!("{program} is missing: `make test` installs it as root, else `apt install {program}`");
        let mut front = Front { child: child.expect(&missing), home, plain, tls };
        let up = async {
            while TcpStream::connect(front.plain).await.is_err() || TcpStream::connect(front.tls).await.is_err() {
                let ended = front.child.try_wait().unwrap();
                assert!(ended.is_none(), "{}", fs::read_to_string(front.home.join("said")).unwrap());
            }
        };
        timeout(PATIENCE, up).await.expect("the proxy listens");
        front
    }

    /// A client of the API in front of it.
    fn client(&self, token: &str) -> Client {
        Client::new(&format!("http://{}", self.plain)).with_token(token)
    }

    /// Opens a stream as a browser would: over TLS, in HTTP/2.
    async fn browse(&self, token: &str, last_id: Option<i64>) -> Stream {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.home.join("cert.pem")).unwrap()).unwrap();
        let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let name = ServerName::try_from("localhost").unwrap();
        let socket = TcpStream::connect(self.tls).await.unwrap();
        let socket = TlsConnector::from(Arc::new(config)).connect(name, socket).await.unwrap();
        assert_eq!(socket.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(socket)).await.unwrap();
        tokio::spawn(connection);
        let request = http::Request::get("https://localhost/api/v1/events/stream")
            .header("authorization", format!("Bearer {token}"))
            .header("last-event-id", last_id.map_or(String::new(), |id| id.to_string()));
        let response = sender.send_request(request.body(Empty::<bytes::Bytes>::new()).unwrap()).await.unwrap();
        Stream::of(response.map(reqwest::Body::wrap).into())
    }

    async fn open(&self, browser: bool, token: &str, last_id: Option<i64>) -> Stream {
        match browser {
            true => self.browse(token, last_id).await,
            false => self.client(token).stream("", last_id).await,
        }
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        // In order: nginx's workers are its own children.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.home);
    }
}

/// Through one proxy, one way: opened, lived through silence, left, resumed.
async fn follow(front: &Front, browser: bool, client: &Client) -> Stream {
    let asked = Instant::now();
    let mut stream = timeout(AT_ONCE, front.open(browser, &client.token, None)).await.expect("an answer at once");
    let opening = timeout(AT_ONCE, stream.next()).await.expect("a first frame at once").unwrap();
    assert!(opening.retry_ms.is_some() && asked.elapsed() < AT_ONCE, "{opening:?} {:?}", asked.elapsed());
    assert_eq!(stream.status, 200);
    stream.until("ready").await;
    let told = stream.comments;
    let alive = async {
        match short_or_long(true, false) {
            true => while stream.comment().await == told {},
            false => drop(stream.until("heartbeat").await),
        }
    };
    timeout(SILENCE, alive).await.expect("a sign of life");
    client.report("heard at once").await;
    let heard = timeout(AT_ONCE, stream.until("incident.created")).await.expect("an event at once");
    let last = heard.last().unwrap().id.unwrap();
    drop(stream);
    client.report("missed").await;
    // What others reported meanwhile is there too, and the first is the one right behind.
    let mut stream = front.open(browser, &client.token, Some(last)).await;
    assert_eq!(stream.event().await.id, Some(last + 1));
    stream.until("ready").await;
    stream
}

async fn is_the_same_behind(fronts: &[Front], server: &Running) {
    let client = server.admin().await;
    let ways = fronts.iter().flat_map(|front| [(front, false), (front, true)]);
    let streams = join_all(ways.map(|(front, browser)| follow(front, browser, &client))).await;
    server.app.hub.change_mode(|mode| mode.disabled = true);
    for mut stream in streams {
        stream.is_closed_with("disabled").await;
    }
    server.has_open(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_behind_nginx_or_haproxy_is_the_same_stream() {
    let world = world().await;
    let server = world.serve().await;
    let fronts = [
        Front::nginx(&nginx_by_default(server.address)).await,
        Front::nginx(&nginx_as_deployed(server.address)).await,
        Front::haproxy(&haproxy(server.address, "")).await,
        Front::haproxy(&haproxy(server.address, "proto h2")).await,
    ];
    is_the_same_behind(&fronts, &server).await;
}
