//! How large a server may be, and what text may contain. Characters are Unicode scalar values.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use time::{Duration, OffsetDateTime};

use super::refusal::{Refusal, Violation};
use super::state::{Check, Window};

/// Name, in characters of `A-Z a-z 0-9 . _ -`: the longest DNS name, since most are host names.
pub const NAME_CHARS: usize = 253;
/// Host, in characters: the longest DNS name.
pub const HOST_CHARS: usize = 253;
/// Description, in characters.
pub const DESCRIPTION_CHARS: usize = 4_096;
/// Reason, in characters: a paragraph.
pub const NOTE_CHARS: usize = 2_000;
/// What a test met with, in characters: it stands in lists and notifications.
pub const MESSAGE_CHARS: usize = 300;
/// Labels.
pub const LABELS: usize = 50;
/// Label key, in characters of `a-z 0-9 . _ / -`.
pub const LABEL_KEY_CHARS: usize = 63;
/// Label value, in characters; may be empty.
pub const LABEL_VALUE_CHARS: usize = 255;
/// Reference to a credential, in characters: a path in somebody's vault.
pub const CREDENTIAL_CHARS: usize = 255;
/// Windows that are open or to come: one a week for a year, nearly.
pub const WINDOWS: usize = 50;
/// Days that a window may last: what is down longer is not in maintenance.
pub const WINDOW_DAYS: i64 = 92;
/// Seconds from test to test: at most once in ten seconds, at least once a day.
pub const INTERVAL_S: RangeInclusive<u32> = 10..=86_400;
/// Seconds for one test; never longer than the interval.
pub const TIMEOUT_S: RangeInclusive<u32> = 1..=30;
/// Failed tests that are forgiven.
pub const RETRIES: u32 = 10;

/// Collects what is wrong with a command, so that the client hears of everything at once.
#[derive(Default)]
pub(super) struct Violations(Vec<Violation>);

impl Violations {
    pub(super) fn name(&mut self, name: Option<&str>) {
        let safe = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if name.is_some_and(|name| !(1..=NAME_CHARS).contains(&name.len()) || !name.bytes().all(safe)) {
            self.add("/name", format!("needs 1 to {NAME_CHARS} of `A-Z a-z 0-9 . _ -`"));
        }
    }

    pub(super) fn host(&mut self, host: Option<&str>) {
        self.text("/host", host, 1..=HOST_CHARS, false);
    }

    pub(super) fn port(&mut self, port: Option<u16>) {
        if port == Some(0) {
            self.add("/port", "must be 1 to 65535".to_owned());
        }
    }

    pub(super) fn description(&mut self, text: Option<&str>) {
        self.text("/description", text, 0..=DESCRIPTION_CHARS, true);
    }

    pub(super) fn reason(&mut self, text: Option<&str>) {
        self.text("/reason", text, 0..=NOTE_CHARS, true);
    }

    /// Too many are refused unread, so that the answer is bounded too.
    pub(super) fn labels(&mut self, labels: Option<&BTreeMap<String, String>>) {
        let count = labels.map_or(0, BTreeMap::len);
        if count > LABELS {
            return self.add("/labels", format!("has {count} labels, at most {LABELS} can be"));
        }
        let safe = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'/' | b'-');
        for (key, value) in labels.into_iter().flatten() {
            let pointer = format!("/labels/{}", key.replace('~', "~0").replace('/', "~1"));
            if !(1..=LABEL_KEY_CHARS).contains(&key.len()) || !key.bytes().all(safe) {
                self.add(&pointer, format!("needs a key of 1 to {LABEL_KEY_CHARS} of `a-z 0-9 . _ / -`"));
            }
            self.text(&pointer, Some(value), 0..=LABEL_VALUE_CHARS, false);
        }
    }

    pub(super) fn check(&mut self, check: Option<&Check>) {
        let Some(check) = check else { return };
        if !INTERVAL_S.contains(&check.interval_s) {
            self.add("/check/interval_s", format!("must be {} to {}", INTERVAL_S.start(), INTERVAL_S.end()));
        }
        if !TIMEOUT_S.contains(&check.timeout_s) || check.timeout_s > check.interval_s {
            let message = format!("must be {} to {}, and not above interval_s", TIMEOUT_S.start(), TIMEOUT_S.end());
            self.add("/check/timeout_s", message);
        }
        if check.retries > RETRIES {
            self.add("/check/retries", format!("must be 0 to {RETRIES}"));
        }
    }

    pub(super) fn window(&mut self, window: &Window, planned: usize, now: OffsetDateTime) {
        if window.ends_at <= window.starts_at || window.ends_at <= now {
            self.add("/ends_at", "must be in the future and after starts_at".to_owned());
        } else if window.ends_at - window.starts_at > Duration::days(WINDOW_DAYS) {
            self.add("/ends_at", format!("must be within {WINDOW_DAYS} days of starts_at"));
        }
        if planned >= WINDOWS {
            self.add("", format!("has {planned} windows planned, at most {WINDOWS} can be"));
        }
    }

    pub(super) fn text(&mut self, pointer: &str, text: Option<&str>, chars: RangeInclusive<usize>, lines: bool) {
        let Some(text) = text else { return };
        let count = text.chars().count();
        if *chars.start() > 0 && text.trim().is_empty() {
            self.add(pointer, "must not be blank".to_owned());
        }
        if count > *chars.end() {
            self.add(pointer, format!("has {count} characters, at most {} can be", chars.end()));
        }
        if text.chars().any(|char| char < ' ' && !(lines && matches!(char, '\n' | '\t'))) {
            self.add(pointer, "must not contain control characters".to_owned());
        }
    }

    pub(super) fn add(&mut self, pointer: &str, message: String) {
        self.0.push(Violation { pointer: pointer.to_owned(), message });
    }

    /// # Errors
    /// [`Refusal::Invalid`] with everything that was found.
    pub(super) fn finish(self) -> Result<(), Refusal> {
        if self.0.is_empty() { Ok(()) } else { Err(Refusal::Invalid(self.0)) }
    }
}

/// A reference to a credential, which no command carries because no event may.
///
/// # Errors
/// [`Refusal::Invalid`].
pub fn credential(reference: &str) -> Result<(), Refusal> {
    let mut found = Violations::default();
    found.text("/reference", Some(reference), 1..=CREDENTIAL_CHARS, false);
    found.finish()
}
