//! What goes wrong, and that every promise holds all the same. `README.md` here is the table of it.
//!
//! `make test` runs the short form. `make faults` sets `SIGNALBOX_FAULTS=long`: the same tests, more of it.

mod abandoned;
mod disk;
mod farewell;
mod handover;
mod interleave;
mod leaving;
mod letters;
mod load;
mod outage;
mod pressure;
mod proxies;
mod restart;
mod silence;
mod storm;
mod tail;

/// The first where the suite is to be quick, the second where it has time.
pub fn short_or_long<T>(short: T, long: T) -> T {
    match std::env::var("SIGNALBOX_FAULTS").as_deref() {
        Ok("long") => long,
        Ok(other) => panic!("SIGNALBOX_FAULTS is `long` or not set, not `{other}`"),
        Err(_not_set) => short,
    }
}
