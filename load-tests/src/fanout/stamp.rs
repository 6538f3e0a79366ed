//! The time at which an event was sent, carried inside its text.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::clock;

const MARK: &[u8] = b"sent=";

/// Digits of a stamp: enough for 300 years in nanoseconds, and always the same number, so
/// that all events have the same size.
const DIGITS: usize = 19;

static FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(MARK));

/// A text of at least `bytes` bytes that says that it was written now.
pub fn text(bytes: usize) -> String {
    let mut text = format!("sent={:0DIGITS$} ", clock::now_ns());
    while text.len() < bytes {
        text.push_str("the quick brown fox jumps over the lazy dog ");
    }
    text.truncate(bytes.max(MARK.len() + DIGITS));
    text
}

/// The monotonic nanoseconds at which the text in this event was written.
pub fn find(data: &[u8]) -> Option<u64> {
    let digits = FINDER.find(data)? + MARK.len();
    std::str::from_utf8(data.get(digits..digits + DIGITS)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_found_in_the_middle_of_an_event() {
        let before = clock::now_ns();
        let event = format!(r#"{{"seq":7,"data":{{"text":"{}"}}}}"#, text(100));
        let sent = find(event.as_bytes()).expect("a stamp");
        assert!((before..=clock::now_ns()).contains(&sent));
        assert_eq!(find(br#"{"seq":8,"data":{}}"#), None);
    }
}
