//! The time at which an event was sent, carried inside its text.

use std::sync::LazyLock;

use memchr::memmem::Finder;

const MARK: &[u8] = b"sent=";

/// Digits of a stamp: enough for 300 years in nanoseconds, and always the same number, so
/// that all events have the same size.
const DIGITS: usize = 19;

/// Length of a stamp in bytes.
pub const BYTES: usize = MARK.len() + DIGITS;

static FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(MARK));

/// A text of at least `bytes` bytes that says that it was sent at that monotonic nanosecond.
pub fn text(sent_ns: u64, bytes: usize) -> String {
    let mut text = format!("sent={sent_ns:0DIGITS$} ");
    while text.len() < bytes {
        text.push_str("the quick brown fox jumps over the lazy dog ");
    }
    text.truncate(bytes.max(BYTES));
    text
}

/// The stamps in a frame's data: none, one, or as many as a server has put into one frame.
pub fn each(data: &[u8]) -> impl Iterator<Item = u64> {
    FINDER.find_iter(data).filter_map(|mark| {
        let digits = mark + MARK.len();
        std::str::from_utf8(data.get(digits..digits + DIGITS)?).ok()?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stamp_of_a_frame_is_found_wherever_it_stands() {
        let one = |sent_ns| format!(r#"{{"seq":7,"data":{{"text":"{}"}}}}"#, text(sent_ns, 100));
        let found = |data: &str| each(data.as_bytes()).collect::<Vec<_>>();
        assert_eq!(found(&one(42)), [42]);
        assert_eq!(found(&format!("[{},{}]", one(42), one(u64::MAX >> 1))), [42, u64::MAX >> 1]);
        assert!(found(r#"{"seq":8,"data":{}}"#).is_empty());
        assert!(found("sent=12").is_empty());
        assert_eq!(text(42, 100).len(), 100);
    }
}
