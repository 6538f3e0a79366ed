//! One attempt to send, and what came of it.

use std::time::{Duration, Instant};

use super::mail::Mailer;
use super::{Message, webhook};
use crate::domain::notification::Target;
use crate::egress::{Egress, Trust};

/// For one attempt, from the look-up of the name to the last byte of the answer.
pub(super) const ATTEMPT_WAIT: Duration = Duration::from_secs(15);

/// What came of an attempt.
#[derive(Debug, Default)]
pub struct Outcome {
    /// A stable word that says why it was not sent; `None`: it was.
    pub reason: Option<&'static str>,
    /// What the receiver said, such as `200`, or what went wrong.
    pub detail: String,
    /// The beginning of the receiver's answer.
    pub response: Option<String>,
    /// How long it took.
    pub latency: Duration,
    /// The receiver says that it will never want anything again.
    pub gone: bool,
    /// The receiver says that it will not want this message, however often it comes.
    pub refused: bool,
    /// It wants to be left alone for so long.
    pub retry_after: Option<Duration>,
}

impl Outcome {
    /// Nothing was answered.
    pub(super) fn failed(reason: &'static str, detail: impl Into<String>) -> Outcome {
        Outcome { reason: Some(reason), detail: detail.into(), ..Outcome::default() }
    }
}

/// All that sending needs, made once.
pub struct Sender {
    trust: Trust,
    mailer: Option<Mailer>,
}

impl Sender {
    /// To whom these authorities vouch for. Without `smtp`, there is no mail.
    ///
    /// # Errors
    /// The settings for mail cannot be read.
    pub fn new(trust: &Trust, smtp: Option<&str>, from: &str) -> anyhow::Result<Sender> {
        let mailer = smtp.map(|url| Mailer::new(url, from, trust)).transpose()?;
        Ok(Sender { trust: trust.clone(), mailer })
    }

    /// Whether mail can be sent at all.
    pub fn mails(&self) -> bool {
        self.mailer.is_some()
    }

    /// Sends once; however it ends, within [`ATTEMPT_WAIT`].
    pub async fn send(&self, egress: &Egress, target: &Target, message: &Message, secrets: &[Vec<u8>]) -> Outcome {
        let begun = Instant::now();
        let outcome = match (target, &self.mailer) {
            (Target::Webhook { url }, _) => webhook::post(egress, &self.trust, url, message, secrets).await,
            (Target::Mail { to }, Some(mailer)) => mailer.send(to, message).await,
            (Target::Mail { .. }, None) => Outcome::failed("mail_not_configured", "this server sends no mail"),
        };
        Outcome { latency: begun.elapsed(), ..outcome }
    }
}
