//! Mail, by the server that the settings name: the operator's word, so no guard stands in between.

use anyhow::Context;
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, header};
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use tokio::time::timeout;
use url::Url;

use super::Message;
use super::sender::{ATTEMPT_WAIT, Outcome};
use crate::egress::{Trust, distrusted};

/// Sends by SMTP, a connection for each mail.
pub(super) struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Mailer {
    /// By a server such as `smtps://user:password@mail.example.org`, or `smtp://…?tls=required` for STARTTLS.
    ///
    /// # Errors
    /// The URL or the sender's address cannot be read.
    pub fn new(url: &str, from: &str, trust: &Trust) -> anyhow::Result<Mailer> {
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url).context("SIGNALBOX_SMTP_URL")?;
        let tls = tls(&Url::parse(url).context("SIGNALBOX_SMTP_URL")?, trust).context("SIGNALBOX_SMTP_URL")?;
        let transport = transport.tls(tls);
        let from = from.parse().with_context(|| format!("SIGNALBOX_SMTP_FROM: {from:?} is no mail address"))?;
        Ok(Mailer { transport: transport.timeout(Some(ATTEMPT_WAIT)).build(), from })
    }

    /// Sends once, to all at once.
    pub async fn send(&self, to: &[String], message: &Message) -> Outcome {
        let mail = match self.mail(to, message) {
            Ok(mail) => mail,
            Err(error) => return Outcome { refused: true, ..Outcome::failed("malformed_mail", error.to_string()) },
        };
        match timeout(ATTEMPT_WAIT, self.transport.send(mail)).await {
            Ok(Ok(response)) => Outcome { detail: response.code().to_string(), ..Outcome::default() },
            Ok(Err(error)) => {
                if let Some(why) = distrusted(&error).or_else(|| unprotected(&error)) {
                    return Outcome::failed("tls", why);
                }
                let answer = error.status().map_or_else(|| chain(&error), |code| format!("{code} {}", chain(&error)));
                let reason = match () {
                    () if error.is_permanent() => "refused",
                    () if error.is_transient() => "answered",
                    () if error.is_timeout() => "timeout",
                    () if error.is_tls() => "tls",
                    () => "connection",
                };
                Outcome { refused: error.is_permanent(), ..Outcome::failed(reason, answer) }
            }
            Err(_elapsed) => Outcome::failed("timeout", format!("no answer within {} s", ATTEMPT_WAIT.as_secs())),
        }
    }

    fn mail(&self, to: &[String], message: &Message) -> anyhow::Result<lettre::Message> {
        // Stays the same at each attempt, so that a mailbox can know a repetition.
        let id = format!("<{}@{}>", message.id.simple(), self.from.email.domain());
        let mut mail = lettre::Message::builder().from(self.from.clone()).subject(message.subject.clone());
        for address in to {
            mail = mail.to(Mailbox::new(None, address.parse::<Address>()?));
        }
        // RFC 3834: nobody's holiday answers this.
        let automatic = header::HeaderName::new_from_ascii_str("Auto-Submitted");
        let automatic = header::HeaderValue::new(automatic, "auto-generated".to_owned());
        let mail = mail.message_id(Some(id)).date_now().raw_header(automatic).header(ContentType::TEXT_PLAIN);
        Ok(mail.body(message.text.clone())?)
    }
}

/// What the URL says of TLS, with the authorities of the settings beside those of this machine.
fn tls(url: &Url, trust: &Trust) -> anyhow::Result<Tls> {
    let asked = url.query_pairs().find(|(name, _)| name == "tls").map(|(_, value)| value.into_owned());
    let kind = match (url.scheme(), asked.as_deref()) {
        ("smtps", _) => Tls::Wrapper,
        (_, Some("required")) => Tls::Required,
        (_, Some("opportunistic")) => Tls::Opportunistic,
        _ => return Ok(Tls::None),
    };
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let mut parameters = TlsParameters::builder(host.to_owned());
    for certificate in trust.added() {
        parameters = parameters.add_root_certificate(Certificate::from_der(certificate.to_vec())?);
    }
    Ok(kind(parameters.build()?))
}

/// That TLS was asked for and is not offered; then nothing was sent, the password least of all.
fn unprotected(error: &lettre::transport::smtp::Error) -> Option<String> {
    let is_missing = error.is_client() && chain(error).contains("STARTTLS");
    is_missing.then(|| "the mail server offers no STARTTLS, so nothing was sent to it".to_owned())
}

/// An error with its causes, in one line without control characters.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text += &format!(": {cause}");
        source = cause.source();
    }
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(500).collect()
}
