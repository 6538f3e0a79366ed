//! A service desk's words in ours. The tables of the README are these.

use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

use crate::domain::incident::{Priority, Severity, Status};

/// `29-02-2016 01:16`, in UTC.
const TIME: &[BorrowedFormatItem<'_>] = format_description!("[day]-[month]-[year] [hour]:[minute]");

/// The status of a state. `None`: the word says nothing, and the status stays as it was.
pub(super) fn status(word: &str) -> Result<Option<Status>, String> {
    match word {
        "New" => Ok(Some(Status::Triggered)),
        "Active" => Ok(Some(Status::Investigating)),
        "Resolved" => Ok(Some(Status::Resolved)),
        "Closed" => Ok(Some(Status::Closed)),
        // A code without a word: the desk lost the name of the state.
        "-100" => Ok(None),
        _ if word.starts_with("Awaiting ") => Ok(Some(Status::Investigating)),
        _ => Err(format!("`{word}` is no known incident_state")),
    }
}

/// How bad, from impact and urgency, each from 1 (high) to 3 (low): together they go from 2 to 6.
pub(super) fn severity(impact: &str, urgency: &str) -> Result<Severity, String> {
    let step = |column: &str, word: &str| match rank(word) {
        Some(rank @ 1..=3) => Ok(rank),
        _ => Err(format!("`{word}` is no {column} like `2 - Medium`")),
    };
    Ok(match step("impact", impact)? + step("urgency", urgency)? {
        2 => Severity::P0,
        3 => Severity::P1,
        4 => Severity::P2,
        5 => Severity::P3,
        _ => Severity::P4,
    })
}

/// How soon.
pub(super) fn priority(word: &str) -> Result<Priority, String> {
    match rank(word) {
        Some(1) => Ok(Priority::Urgent),
        Some(2) => Ok(Priority::High),
        Some(3) => Ok(Priority::Normal),
        Some(4 | 5) => Ok(Priority::Low),
        _ => Err(format!("`{word}` is no priority like `3 - Moderate`")),
    }
}

/// A time of the export.
pub(super) fn time(column: &str, text: &str) -> Result<OffsetDateTime, String> {
    let read = PrimitiveDateTime::parse(text, TIME);
    read.map(PrimitiveDateTime::assume_utc)
        .map_err(|error| format!("`{text}` is no {column} like `29-02-2016 01:16` ({error})"))
}

/// 2 of `2 - Medium`.
fn rank(word: &str) -> Option<u8> {
    word.split_once(" - ")?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

    use time::macros::datetime;

    use super::*;

    #[test]
    fn every_state_of_the_export_has_a_status() {
        let words = ["New", "Active", "Awaiting User Info", "Awaiting Problem", "Awaiting Vendor", "Awaiting Evidence"];
        let read = words.map(|word| status(word).unwrap().unwrap().as_str());
        let waiting = ["investigating"; 5];
        assert_eq!((read[0], &read[1..]), ("triggered", &waiting[..]));
        assert_eq!(status("Resolved"), Ok(Some(Status::Resolved)));
        assert_eq!(status("Closed"), Ok(Some(Status::Closed)));
        assert_eq!(status("-100"), Ok(None));
        assert_eq!(status("Lost"), Err("`Lost` is no known incident_state".to_owned()));
    }

    #[test]
    fn severity_is_the_sum_of_impact_and_urgency() {
        let words = ["1 - High", "2 - Medium", "3 - Low"];
        let table = words.map(|impact| words.map(|urgency| severity(impact, urgency).unwrap().as_str()));
        assert_eq!(table, [["P0", "P1", "P2"], ["P1", "P2", "P3"], ["P2", "P3", "P4"]]);
        assert!(severity("4 - None", "1 - High").unwrap_err().contains("impact"));
        assert!(severity("1 - High", "?").unwrap_err().contains("urgency"));
    }

    #[test]
    fn priority_goes_by_its_number() {
        let words = ["1 - Critical", "2 - High", "3 - Moderate", "4 - Low", "5 - Planning"];
        let read = words.map(|word| priority(word).unwrap().as_str());
        assert_eq!(read, ["urgent", "high", "normal", "low", "low"]);
        assert!(priority("Moderate").is_err());
    }

    #[test]
    fn times_are_day_first_and_utc() {
        assert_eq!(time("opened_at", "29-02-2016 01:16"), Ok(datetime!(2016-02-29 01:16 UTC)));
        assert_eq!(time("opened_at", "01-12-2016 23:59"), Ok(datetime!(2016-12-01 23:59 UTC)));
    }

    #[test]
    fn a_time_that_no_calendar_has_is_refused_by_name() {
        for text in ["30-02-2016 01:16", "2016-02-29 01:16", "29-02-2016 24:00", "29-02-2016", "?", ""] {
            let refused = time("sys_updated_at", text).unwrap_err();
            assert!(refused.starts_with(&format!("`{text}` is no sys_updated_at like")), "{refused}");
        }
    }
}
