//! When a schedule is due. Pure: now is a parameter.

use croner::Cron;
use croner::parser::{CronParser, Seconds};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use time::OffsetDateTime;

use super::definition::Schedule;

/// Times counted when a schedule was missed for long; more are "so many and more".
pub const MISSED_MOST: u32 = 1_000;

/// A schedule that can be asked.
#[derive(Debug, Clone)]
pub struct Times {
    cron: Cron,
    zone: TimeZone,
}

/// A time that has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// The latest time that has come.
    pub at: OffsetDateTime,
    /// Earlier ones that nobody took, up to [`MISSED_MOST`]: they are not made up for.
    pub missed: u32,
}

/// Reads a schedule.
///
/// # Errors
/// What is wrong, as a phrase that follows the field's name.
pub fn parse(schedule: &Schedule) -> Result<Times, String> {
    let parser = CronParser::builder().seconds(Seconds::Optional).build();
    let cron =
        parser.parse(&schedule.cron).map_err(|error| format!("has a cron pattern that cannot be read: {error}"))?;
    // Bundled, so that every process has the same rules, whatever its machine knows.
    let zone = TimeZone::get(&schedule.time_zone)
        .map_err(|_unknown| format!("has the time zone {}, which there is not", schedule.time_zone.escape_debug()))?;
    Ok(Times { cron, zone })
}

impl Times {
    /// The first time behind `after`; `None`: there is none for thousands of years.
    ///
    /// A time that summer time skips is taken right behind the gap; one that it repeats is taken once.
    pub fn next(&self, after: OffsetDateTime) -> Option<OffsetDateTime> {
        let next = self.cron.find_next_occurrence(&self.zoned(after)?, false).ok()?;
        time(&next)
    }

    /// The time that is due at `now` for a schedule whose times up to `taken` are done with.
    pub fn due(&self, taken: OffsetDateTime, now: OffsetDateTime) -> Option<Due> {
        let mut at = self.next(taken).filter(|first| *first <= now)?;
        let mut missed = 0;
        while missed < MISSED_MOST {
            match self.next(at).filter(|next| *next <= now) {
                Some(next) => (at, missed) = (next, missed + 1),
                None => return Some(Due { at, missed }),
            }
        }
        let latest = self.cron.find_previous_occurrence(&self.zoned(now)?, true).ok()?;
        Some(Due { at: time(&latest)?, missed })
    }

    fn zoned(&self, at: OffsetDateTime) -> Option<Zoned> {
        let timestamp = Timestamp::from_microsecond((at.unix_timestamp_nanos() / 1_000).try_into().ok()?).ok()?;
        Some(timestamp.to_zoned(self.zone.clone()))
    }
}

fn time(zoned: &Zoned) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(zoned.timestamp().as_second()).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn times(cron: &str, time_zone: &str) -> Times {
        let schedule = Schedule { cron: cron.to_owned(), time_zone: time_zone.to_owned(), inputs: Default::default() };
        parse(&schedule).unwrap()
    }

    #[test]
    fn a_schedule_keeps_the_clock_of_its_zone_over_summer_time() {
        let at_nine = times("0 9 * * *", "Europe/Berlin");
        let before = at_nine.next(datetime!(2026-03-27 12:00 UTC)).unwrap();
        let change = at_nine.next(before).unwrap();
        assert_eq!((before, change), (datetime!(2026-03-28 08:00 UTC), datetime!(2026-03-29 07:00 UTC)));
        let skipped = times("30 2 * * *", "Europe/Berlin"); // 02:30 is not there on 29 March
        let taken = skipped.next(datetime!(2026-03-28 12:00 UTC)).unwrap();
        assert_eq!(taken, datetime!(2026-03-29 01:00 UTC), "right behind the gap");
        let repeated = times("30 2 * * *", "Europe/Berlin"); // 02:30 is there twice on 25 October
        let first = repeated.next(datetime!(2026-10-24 12:00 UTC)).unwrap();
        let second = repeated.next(first).unwrap();
        assert_eq!((first, second), (datetime!(2026-10-25 00:30 UTC), datetime!(2026-10-26 01:30 UTC)), "once");
    }

    #[test]
    fn a_missed_schedule_is_due_once_and_says_how_many_it_skipped() {
        let hourly = times("0 * * * *", "UTC");
        let taken = datetime!(2026-01-01 10:00 UTC);
        assert_eq!(hourly.due(taken, datetime!(2026-01-01 10:59:59 UTC)), None);
        let on_time = hourly.due(taken, datetime!(2026-01-01 11:00 UTC)).unwrap();
        assert_eq!(on_time, Due { at: datetime!(2026-01-01 11:00 UTC), missed: 0 });
        let late = hourly.due(taken, datetime!(2026-01-01 15:30 UTC)).unwrap();
        assert_eq!(late, Due { at: datetime!(2026-01-01 15:00 UTC), missed: 4 });
        assert_eq!(hourly.due(late.at, datetime!(2026-01-01 15:59 UTC)), None, "taken once, it is done with");
        let years = hourly.due(taken, datetime!(2027-01-01 10:20 UTC)).unwrap();
        assert_eq!(years, Due { at: datetime!(2027-01-01 10:00 UTC), missed: MISSED_MOST });
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for (cron, zone) in [("61 * * * *", "UTC"), ("", "UTC"), ("0 9 * * *", "Mars/Olympus"), ("@often", "UTC")] {
            let schedule = Schedule { cron: cron.into(), time_zone: zone.into(), inputs: Default::default() };
            assert!(parse(&schedule).is_err(), "{cron} {zone}");
        }
        assert_eq!(times("0 0 30 2 *", "UTC").next(datetime!(2026-01-01 00:00 UTC)), None, "there is no 30 February");
    }
}
