//! A world of three incidents in which anything may be tried, in any order, at any time.

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use time::{Duration, OffsetDateTime, macros::datetime};
use uuid::Uuid;

use super::super::*;

/// When every world begins.
const DAWN: OffsetDateTime = datetime!(2026-01-02 03:04:05 UTC);

/// How many incidents a world has room for.
const STREAMS: usize = 3;

/// One stream: its log, and the state kept beside it.
pub struct Stream {
    pub id: Uuid,
    pub log: Vec<(Event, Meta)>,
    pub state: Option<Incident>,
}

impl Stream {
    fn new(id: u128) -> Self {
        Self { id: Uuid::from_u128(id), log: Vec::new(), state: None }
    }

    /// Decides and, when accepted, appends.
    pub fn try_command(&mut self, command: &Command, at: OffsetDateTime) -> Result<usize, Refusal> {
        let events = decide(self.state.as_ref(), command)?;
        let count = events.len();
        self.append(events, at);
        Ok(count)
    }

    pub fn append(&mut self, events: Vec<Event>, at: OffsetDateTime) {
        for event in events {
            let meta = Meta { stream_id: self.id, actor: "user:ada".into(), occurred_at: at };
            self.state = Some(evolve(self.state.take(), &event, &meta));
            self.log.push((event, meta));
        }
    }
}

/// Something tried at some time; clocks may run backwards.
#[derive(Debug, Clone)]
pub enum Step {
    Command { stream: usize, command: Command, at: OffsetDateTime },
    Merge { source: usize, target: usize, at: OffsetDateTime },
    Unmerge { source: usize, target: usize, at: OffsetDateTime },
}

pub struct World {
    pub streams: Vec<Stream>,
}

impl World {
    /// Two incidents and an empty stream.
    pub fn new() -> Self {
        let mut streams: Vec<Stream> = (1..=STREAMS as u128).map(Stream::new).collect();
        for (stream, number) in streams.iter_mut().zip([1, 2]) {
            stream.try_command(&Command::Create(report(number)), DAWN).unwrap();
        }
        Self { streams }
    }

    /// A world with a past.
    pub fn after(steps: &[Step]) -> Self {
        let mut world = Self::new();
        steps.iter().for_each(|step| world.take(step));
        world
    }

    /// Takes one step; a refused one changes nothing.
    pub fn take(&mut self, step: &Step) {
        match step {
            Step::Command { stream, command, at } => {
                let _refused_or_not = self.streams[*stream].try_command(command, *at);
            }
            Step::Merge { source, target, at } => self.join(*source, *target, *at, decide_merge),
            Step::Unmerge { source, target, at } => self.join(*source, *target, *at, decide_unmerge),
        }
    }

    /// Every incident there is.
    pub fn incidents(&self) -> impl Iterator<Item = &Incident> {
        self.streams.iter().filter_map(|stream| stream.state.as_ref())
    }

    fn join(&mut self, source: usize, target: usize, at: OffsetDateTime, decide: DecideTwo) {
        let (Some(one), Some(other)) = (&self.streams[source].state, &self.streams[target].state) else {
            return;
        };
        if let Ok((source_events, target_events)) = decide(one, other) {
            self.streams[source].append(source_events, at);
            self.streams[target].append(target_events, at);
        }
    }
}

type DecideTwo = fn(&Incident, &Incident) -> Result<(Vec<Event>, Vec<Event>), Refusal>;

/// A plain report.
pub fn report(number: i64) -> Create {
    Create {
        number,
        title: "checkout is slow".into(),
        description: String::new(),
        severity: Severity::P2,
        priority: Priority::Normal,
        assignee: None,
        affected_servers: vec!["web-1".into()],
        labels: [("team".into(), "shop".into())].into(),
        dedup_key: None,
    }
}

/// Any steps; the values come from small sets, so that they meet.
pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    vec(step(), 1..40)
}

pub fn step() -> impl Strategy<Value = Step> {
    let pair = || (0..STREAMS, 0..STREAMS, time());
    let command = (0..STREAMS, command(), time());
    prop_oneof![
        8 => command.prop_map(|(stream, command, at)| Step::Command { stream, command, at }),
        2 => pair().prop_map(|(source, target, at)| Step::Merge { source, target, at }),
        2 => pair().prop_map(|(source, target, at)| Step::Unmerge { source, target, at }),
    ]
}

pub fn command() -> impl Strategy<Value = Command> {
    let reason = || option::of(text());
    let transition = || {
        (status(), reason(), option::weighted(0.2, text())).prop_map(|(to, reason, resolution)| Transition {
            to,
            reason,
            resolution,
        })
    };
    prop_oneof![
        1 => Just(Command::Create(report(3))),
        2 => update().prop_map(Command::Update),
        1 => option::of(text()).prop_map(|assignee| Command::Assign { assignee }),
        1 => comment(),
        4 => transition().prop_map(Command::ChangeStatus),
        1 => transition().prop_map(Command::Record),
        1 => reason().prop_map(|reason| Command::Reopen { reason }),
        1 => reason().prop_map(|reason| Command::Cancel { reason }),
    ]
}

fn comment() -> impl Strategy<Value = Command> {
    (any::<u128>(), text()).prop_map(|(id, text)| {
        let comment_id = Uuid::from_u128(id);
        Command::Comment { comment_id, text }
    })
}

fn update() -> impl Strategy<Value = Update> {
    let labels = btree_map(prop_oneof!["[a-c]", Just("No Key".to_owned())], "[x-z]?", 0..3);
    (
        option::of(text()),
        option::of(text()),
        option::of(prop::sample::select(Severity::ALL)),
        option::of(prop::sample::select(Priority::ALL)),
        option::of(vec("web-[1-3]", 0..4)),
        option::of(labels),
        option::of(option::of(text())),
    )
        .prop_map(|(title, description, severity, priority, affected_servers, labels, dedup_key)| Update {
            title,
            description,
            severity,
            priority,
            affected_servers,
            labels,
            dedup_key,
        })
}

fn status() -> impl Strategy<Value = Status> {
    prop::sample::select(Status::ALL)
}

/// Mostly good text, now and then a bad one.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[äz]{1,2}",
        1 => Just(String::new()),
        1 => Just("two\r\nlines".to_owned()),
        1 => Just("bell \u{7}".to_owned()),
    ]
}

/// Within an hour, in any offset, finer than a microsecond.
fn time() -> impl Strategy<Value = OffsetDateTime> {
    (0..3_600_000_000_000_i64, -12..=12_i8).prop_map(|(nanoseconds, hours)| {
        let offset = time::UtcOffset::from_hms(hours, 0, 0).unwrap();
        (DAWN + Duration::nanoseconds(nanoseconds)).to_offset(offset)
    })
}
