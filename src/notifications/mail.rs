//! Mail, by the server that the settings name: the operator's word, so no guard stands in between.

use anyhow::Context;
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, header};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use tokio::time::timeout;

use super::Message;
use super::sender::{ATTEMPT_WAIT, Outcome};

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
    pub fn new(url: &str, from: &str) -> anyhow::Result<Mailer> {
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url).context("SIGNALBOX_SMTP_URL")?;
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
