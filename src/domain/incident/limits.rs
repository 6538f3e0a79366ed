//! How large an incident may be, and what text may contain.
//!
//! Characters are Unicode scalar values: what JSON Schema's `maxLength` and PostgreSQL's
//! `char_length` count. At four bytes each, the largest `Create` is 64 KiB of description, 99 KiB
//! of servers, 53 KiB of labels and 3 KiB of the rest: 219 KiB, under the 256 KiB of a request
//! body.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use super::refusal::{Refusal, Violation};
use super::status::Status;

/// Title, in characters: a line in a list, a subject, a notification on a phone.
pub const TITLE_CHARS: usize = 200;
/// Description, in characters: a long report with a stack trace. Longer evidence is a link.
pub const DESCRIPTION_CHARS: usize = 16_384;
/// Comment, in characters: it travels whole to every open timeline, so half a description.
pub const COMMENT_CHARS: usize = 8_192;
/// Reason and resolution, in characters: a paragraph; lists show them whole.
pub const NOTE_CHARS: usize = 2_000;
/// Affected servers: with more, name the group in a label.
pub const SERVERS: usize = 100;
/// Server name, in characters: the longest DNS name (RFC 1035, 255 octets on the wire).
pub const SERVER_CHARS: usize = 253;
/// Labels.
pub const LABELS: usize = 50;
/// Label key, in characters of `a-z 0-9 . _ / -`: a DNS label's length, a URL's safe letters, no
/// two spellings of one key.
pub const LABEL_KEY_CHARS: usize = 63;
/// Label value, in characters; may be empty, for a label that only marks.
pub const LABEL_VALUE_CHARS: usize = 255;
/// Dedup key, in characters: what monitors send to pagers today.
pub const DEDUP_KEY_CHARS: usize = 255;
/// Assignee, in characters: the longest username.
pub const ASSIGNEE_CHARS: usize = 64;
/// Duplicates merged into one incident: 500 ids are 19 KiB of state, written again with every
/// event.
pub const ABSORBED: usize = 500;

/// How much layout a text may have.
///
/// NUL cannot be stored by PostgreSQL. The other C0 controls change a terminal, a log or a mail
/// without being seen. CR is refused, not rewritten: a line end has one spelling, and what is
/// stored is what was sent.
#[derive(Clone, Copy, PartialEq)]
enum Layout {
    /// One line: it ends up in subjects and log lines, where a line break starts something else.
    Line,
    /// Line breaks and tabs as well.
    Lines,
}

impl Layout {
    fn forbids(self, char: char) -> bool {
        char < ' ' && !(self == Self::Lines && matches!(char, '\n' | '\t'))
    }
}

/// Collects what is wrong with a command, so that the client hears of everything at once.
///
/// Every check takes an `Option`, as the fields of an update are; what is absent is never wrong.
#[derive(Default)]
pub(super) struct Check(Vec<Violation>);

impl Check {
    pub(super) fn title(&mut self, title: Option<&str>) {
        self.text("/title", title, 1..=TITLE_CHARS, Layout::Line);
    }

    pub(super) fn description(&mut self, text: Option<&str>) {
        self.text("/description", text, 0..=DESCRIPTION_CHARS, Layout::Lines);
    }

    pub(super) fn assignee(&mut self, username: Option<&str>) {
        self.text("/assignee", username, 1..=ASSIGNEE_CHARS, Layout::Line);
    }

    pub(super) fn dedup_key(&mut self, key: Option<&str>) {
        self.text("/dedup_key", key, 1..=DEDUP_KEY_CHARS, Layout::Line);
    }

    pub(super) fn comment(&mut self, text: Option<&str>) {
        self.text("/text", text, 1..=COMMENT_CHARS, Layout::Lines);
    }

    pub(super) fn reason(&mut self, reason: Option<&str>) {
        self.text("/reason", reason, 0..=NOTE_CHARS, Layout::Lines);
    }

    /// A resolution tells how the incident ended, so it comes with an end.
    pub(super) fn resolution(&mut self, resolution: Option<&str>, to: Status) {
        if resolution.is_some() && !matches!(to, Status::Resolved | Status::Closed) {
            let message = format!("belongs to resolved and closed, not to {to}");
            self.add("/resolution", message);
        }
        self.text("/resolution", resolution, 0..=NOTE_CHARS, Layout::Lines);
    }

    /// A name given twice is looked at once, and too many are refused unread: the length of the
    /// answer is bounded too.
    pub(super) fn affected_servers(&mut self, servers: Option<&[String]>) {
        const POINTER: &str = "/affected_servers";
        let servers = servers.unwrap_or_default();
        let count = servers.iter().collect::<BTreeSet<_>>().len();
        if count > SERVERS {
            let message = format!("has {count} different servers, at most {SERVERS} can be");
            return self.add(POINTER, message);
        }
        let mut seen = BTreeSet::new();
        for (index, server) in servers.iter().enumerate() {
            if seen.insert(server) {
                let pointer = format!("{POINTER}/{index}");
                self.text(&pointer, Some(server), 1..=SERVER_CHARS, Layout::Line);
            }
        }
    }

    /// As with servers: too many are refused unread.
    pub(super) fn labels(&mut self, labels: Option<&BTreeMap<String, String>>) {
        const POINTER: &str = "/labels";
        let count = labels.map_or(0, BTreeMap::len);
        if count > LABELS {
            let message = format!("has {count} labels, at most {LABELS} can be");
            return self.add(POINTER, message);
        }
        for (key, value) in labels.into_iter().flatten() {
            let pointer = format!("{POINTER}/{}", escape(key));
            if !is_label_key(key) {
                let message = format!("needs a key of 1 to {LABEL_KEY_CHARS} of `a-z 0-9 . _ / -`");
                self.add(&pointer, message);
            }
            self.text(&pointer, Some(value), 0..=LABEL_VALUE_CHARS, Layout::Line);
        }
    }

    /// # Errors
    /// [`Refusal::Invalid`] with everything that was found.
    pub(super) fn finish(self) -> Result<(), Refusal> {
        if self.0.is_empty() { Ok(()) } else { Err(Refusal::Invalid(self.0)) }
    }

    fn text(&mut self, pointer: &str, text: Option<&str>, chars: RangeInclusive<usize>, layout: Layout) {
        let Some(text) = text else { return };
        if *chars.start() > 0 && text.trim().is_empty() {
            self.add(pointer, "must not be blank".to_owned());
        }
        let (count, most) = (text.chars().count(), chars.end());
        if count > *most {
            let message = format!("has {count} characters, at most {most} can be");
            self.add(pointer, message);
        }
        if let Some(control) = text.chars().find(|char| layout.forbids(*char)) {
            let code = u32::from(control);
            let message = format!("must not contain the control character U+{code:04X}");
            self.add(pointer, message);
        }
    }

    fn add(&mut self, pointer: &str, message: String) {
        let pointer = pointer.to_owned();
        self.0.push(Violation { pointer, message });
    }
}

fn is_label_key(key: &str) -> bool {
    let safe = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'/' | b'-');
    (1..=LABEL_KEY_CHARS).contains(&key.len()) && key.bytes().all(safe)
}

/// A key as one token of an RFC 6901 pointer. The order matters: `~` first, or the tilde of `~1` is
/// escaped again.
fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
