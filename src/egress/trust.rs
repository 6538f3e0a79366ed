//! Whose word is taken for who answers over TLS: that of the authorities which this machine trusts, and of those
//! that the settings add, since an operations network often has an authority of its own.

use std::error::Error;
use std::io;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, ensure};
use rustls::pki_types::{CertificateDer, UnixTime, pem::PemObject};
use rustls::{CertificateError, ClientConfig, Error as TlsError, RootCertStore};
use time::OffsetDateTime;
use tokio_rustls::TlsConnector;

/// The authorities, read once at the start.
#[derive(Clone)]
pub struct Trust {
    connector: TlsConnector,
    added: Arc<[CertificateDer<'static>]>,
}

impl Trust {
    /// Those of this machine, and those in a PEM file.
    ///
    /// # Errors
    /// The file cannot be read, or holds something other than certificates of authorities.
    pub fn read(file: Option<&Path>) -> anyhow::Result<Trust> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let added = match file {
            Some(file) => add(file, &mut roots).with_context(|| format!("SIGNALBOX_EGRESS_CA_FILE {}", file.display())),
            None => Ok(Vec::new()),
        }?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Trust { connector: TlsConnector::from(Arc::new(client)), added: added.into() })
    }

    /// Secures a connection, if whoever answers is vouched for.
    pub fn connector(&self) -> &TlsConnector {
        &self.connector
    }

    /// What the file added, for a client that loads those of this machine by itself.
    pub fn added(&self) -> &[CertificateDer<'static>] {
        &self.added
    }
}

fn add(file: &Path, roots: &mut RootCertStore) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let certificates: Vec<_> = CertificateDer::pem_file_iter(file)?.collect::<Result<_, _>>()?;
    ensure!(!certificates.is_empty(), "there is no certificate in it");
    for certificate in &certificates {
        roots.add(certificate.clone())?;
    }
    Ok(certificates)
}

/// Why a connection could not be secured, in a sentence; `None` where TLS is not what failed.
pub fn distrusted(error: &(dyn Error + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(cause) = next {
        // An io::Error hides what it was made of from source().
        let within = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(tls) = within.and_then(|within| within.downcast_ref::<TlsError>()) {
            return Some(sentence(tls));
        }
        next = cause.source();
    }
    None
}

fn sentence(error: &TlsError) -> String {
    let why = match error {
        TlsError::InvalidCertificate(why) => why,
        TlsError::InvalidMessage(_) => return "what answers there does not speak TLS".to_owned(),
        other => return format!("TLS failed: {other}"),
    };
    match why {
        CertificateError::UnknownIssuer => {
            "the certificate is self-signed, or signed by an authority that this server \
                                            does not trust: SIGNALBOX_EGRESS_CA_FILE adds one"
                .to_owned()
        }
        CertificateError::ExpiredContext { not_after, .. } => format!("the certificate expired on {}", day(not_after)),
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("the certificate is not valid before {}", day(not_before))
        }
        CertificateError::NotValidForNameContext { expected, presented } if !presented.is_empty() => {
            let presented: Vec<&str> = presented.iter().map(|name| bare(name)).collect();
            format!("the certificate is for {}, and not for {}", presented.join(", "), expected.to_str())
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the certificate is for another name".to_owned()
        }
        // What `openssl req -x509` makes by default.
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            "the certificate is that of an authority, self-signed, and none of a server".to_owned()
        }
        other => format!("the certificate is not good: {other}"),
    }
}

fn day(at: &UnixTime) -> String {
    let at = i64::try_from(at.as_secs()).ok().and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok());
    at.map_or_else(|| "a day that no calendar has".to_owned(), |at| at.date().to_string())
}

/// `DnsName("a.example")` as people write it.
fn bare(name: &str) -> &str {
    name.split_once('(').map_or(name, |(_, name)| name.trim_end_matches(')')).trim_matches('"')
}
