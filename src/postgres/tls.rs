//! TLS to PostgreSQL, and the URLs that managed services hand out.
//!
//! tokio-postgres knows `sslmode` disable, prefer and require only; rustls always verifies, so
//! `verify-ca` and `verify-full` are what `require` does here, and `sslrootcert` names the trust.

use std::sync::Arc;

use anyhow::Context;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::Config;
use tokio_postgres_rustls::MakeRustlsConnect;

/// Makes TLS connections where the URL asks for them.
pub type Tls = MakeRustlsConnect;
/// A connection's byte stream under TLS.
pub type Stream = <Tls as tokio_postgres::tls::MakeTlsConnect<tokio_postgres::Socket>>::Stream;

/// Splits what tokio-postgres does not understand off a URL.
pub(super) fn parse(url: &str) -> anyhow::Result<(Config, Tls)> {
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let mut root_file = None;
    let mut kept = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("sslrootcert", file)) => root_file = Some(file.to_owned()),
            Some(("sslmode", "verify-ca" | "verify-full")) => kept.push("sslmode=require"),
            _ => kept.push(pair),
        }
    }
    let url = if kept.is_empty() { base.to_owned() } else { format!("{base}?{}", kept.join("&")) };
    let config: Config = url.parse().context("this is not a PostgreSQL URL")?;

    let mut roots = RootCertStore::empty();
    match root_file {
        Some(file) => {
            for certificate in CertificateDer::pem_file_iter(&file).with_context(|| format!("sslrootcert {file}"))? {
                roots.add(certificate?)?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok((config, MakeRustlsConnect::new(client)))
}
