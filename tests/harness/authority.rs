//! An authority of a network of its own, and the certificates that it signs, by OpenSSL's command.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio_rustls::TlsAcceptor;

use super::own_directory;

/// Good now, and for as long as anybody runs this.
const GOOD: [&str; 2] = ["20200101000000Z", "20991231235959Z"];
/// Was good once.
const OVER: [&str; 2] = ["20200101000000Z", "20200201000000Z"];

const SETTINGS: &str = "
[ca]
default_ca = it
[it]
database = index
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
copy_extensions = copy
[any]
commonName = supplied
";

/// Has a folder of its own, removed at the end.
pub struct Authority(PathBuf);

impl Authority {
    pub fn new() -> Authority {
        Authority::named("authority")
    }

    pub fn named(name: &str) -> Authority {
        let authority = Authority(own_directory());
        fs::create_dir_all(&authority.0).unwrap();
        fs::write(authority.0.join("settings"), SETTINGS).unwrap();
        fs::write(authority.0.join("index"), "").unwrap();
        authority.openssl(&format!("req -x509 {} -days 2 -subj /CN={name}", new_key("authority")));
        authority
    }

    /// For `SIGNALBOX_EGRESS_CA_FILE`.
    pub fn setting(&self) -> String {
        format!("--egress-ca-file={}", self.0.join("authority.pem").display())
    }

    /// Who answers has a good certificate for this machine's address.
    pub fn good(&self) -> TlsAcceptor {
        self.signed("IP:127.0.0.1", GOOD)
    }

    pub fn expired(&self) -> TlsAcceptor {
        self.signed("IP:127.0.0.1", OVER)
    }

    pub fn of_another_name(&self) -> TlsAcceptor {
        self.signed("DNS:hooks.example.org", GOOD)
    }

    fn signed(&self, name: &str, [from, until]: [&str; 2]) -> TlsAcceptor {
        let server = "basicConstraints=critical,CA:FALSE";
        let asked = new_key("server").replace("server.pem", "server.csr");
        self.openssl(&format!("req -new {asked} -subj /CN=server -addext subjectAltName={name} -addext {server}"));
        self.openssl(&format!(
            "ca -batch -notext -config settings -cert authority.pem -keyfile authority.key -in server.csr -out server.pem \
             -startdate {from} -enddate {until}"
        ));
        self.acceptor("server")
    }

    /// A certificate that nobody signed but itself, with more said of it.
    pub fn self_signed(&self, more: &str) -> TlsAcceptor {
        let new = new_key("alone");
        self.openssl(&format!("req -x509 {new} -days 2 -subj /CN=alone -addext subjectAltName=IP:127.0.0.1 {more}"));
        self.acceptor("alone")
    }

    fn acceptor(&self, name: &str) -> TlsAcceptor {
        let file = |kind: &str| self.0.join(format!("{name}.{kind}"));
        let chain = CertificateDer::pem_file_iter(file("pem")).unwrap().map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_file(file("key")).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let server = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        TlsAcceptor::from(Arc::new(server.with_no_client_auth().with_single_cert(chain, key).unwrap()))
    }

    fn openssl(&self, arguments: &str) {
        let made = Command::new("openssl").args(arguments.split_whitespace()).current_dir(&self.0).output();
        let made = made.expect("openssl is missing: `make test` installs it as root, else `apt install openssl`");
        assert!(made.status.success(), "{arguments}: {}", String::from_utf8_lossy(&made.stderr));
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn new_key(name: &str) -> String {
    format!("-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout {name}.key -out {name}.pem")
}
