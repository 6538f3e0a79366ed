//! The next thing somebody does. Pure: what is open and a random number go in, an act comes out.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};
use time::OffsetDateTime;
use uuid::{Builder, Uuid};

use super::scenes::{OPERATORS, REGIONS, SCENES, Scene};
use crate::domain::incident::{
    Command, Create, Event, Incident, Meta, Priority, Refusal, Severity, Status, Transition, Update, decide, evolve,
};

/// With so many incidents not over, no new one is opened.
pub const MOST: usize = 40;
/// The chance of a new incident with an empty house; it sinks to none at [`MOST`]. With some ten acts in
/// an incident's life this settles at about 25.
const OPENING: f64 = 0.3;
/// The chance that a new incident is a second report of trouble that is known.
const DUPLICATE: f64 = 0.15;

/// One command's worth of somebody's work.
#[derive(Debug)]
pub enum Act {
    /// Report trouble. The number is still to be drawn.
    Open { operator: &'static str, create: Create },
    /// Do one thing, or two in one go, to an incident.
    On { operator: &'static str, incident: Box<Incident>, commands: Vec<Command> },
    /// Merge a duplicate.
    Merge { operator: &'static str, source: Box<Incident>, target: Box<Incident> },
}

impl Act {
    /// Whose part it is.
    pub fn operator(&self) -> &'static str {
        match self {
            Act::Open { operator, .. } | Act::On { operator, .. } | Act::Merge { operator, .. } => operator,
        }
    }
}

/// What happens next, with these incidents not over.
pub fn next(rng: &mut StdRng, cast: &[Incident]) -> Act {
    let room = MOST.saturating_sub(cast.len()) as f64 / MOST as f64;
    if rng.random_bool(OPENING * room) {
        return open(rng, cast);
    }
    if let Some(merge) = merge(rng, cast) {
        return merge;
    }
    match cast.choose(rng) {
        Some(incident) => go_on(rng, incident),
        None => open(rng, cast),
    }
}

/// Somebody, or a monitor, reports trouble.
pub fn open(rng: &mut StdRng, cast: &[Incident]) -> Act {
    let known = cast.iter().filter(|incident| incident.status.is_open() && !is_second_report(incident));
    let known: Vec<&Incident> = known.collect();
    let operator = pick(rng, &OPERATORS);
    if let Some(first) = known.choose(rng).filter(|_| rng.random_bool(DUPLICATE)) {
        return Act::Open { operator, create: second_report(first) };
    }
    let (scene, server) = trouble(rng, cast);
    let severity = scene.severity;
    let labels = [("demo", "true"), ("service", scene.service), ("team", scene.team), ("region", region(server))];
    let create = Create {
        number: 0,
        title: scene.title.replace("{}", server),
        description: scene.report.replace("{}", server),
        severity,
        priority: if severity <= Severity::P1 {
            Priority::Urgent
        } else {
            pick(rng, &[Priority::High, Priority::Normal])
        },
        assignee: None,
        affected_servers: vec![server.to_owned()],
        labels: labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        dedup_key: None,
    };
    Act::Open { operator, create }
}

/// Something that is not broken yet.
fn trouble(rng: &mut StdRng, cast: &[Incident]) -> (&'static Scene, &'static str) {
    let broken = |scene: &Scene, server: &str| {
        let here = |incident: &Incident| incident.affected_servers.iter().any(|name| name == server);
        cast.iter()
            .any(|incident| here(incident) && incident.labels.get("service").is_some_and(|name| name == scene.service))
    };
    let all = SCENES.iter().flat_map(|scene| scene.servers.iter().map(move |server| (scene, *server)));
    let whole: Vec<_> = all.filter(|(scene, server)| !broken(scene, server)).collect();
    whole.choose(rng).copied().unwrap_or((&SCENES[0], SCENES[0].servers[0]))
}

/// A server stands where it stands.
fn region(server: &str) -> &'static str {
    let sum: usize = server.bytes().map(usize::from).sum();
    REGIONS[sum % REGIONS.len()]
}

/// The next step in an incident's life: mostly forward, sometimes sideways, seldom back.
pub fn go_on(rng: &mut StdRng, incident: &Incident) -> Act {
    // Whoever has it mostly goes on with it.
    let holder = OPERATORS.into_iter().find(|name| incident.assignee.as_deref() == Some(*name));
    let operator = match holder {
        Some(holder) if rng.random_bool(0.8) => holder,
        _ => pick(rng, &OPERATORS),
    };
    let scene = scene_of(incident);
    let commands = steps(rng, incident, scene, operator);
    Act::On { operator, incident: Box::new(incident.clone()), commands }
}

/// The events of several commands in a row.
///
/// # Errors
/// A command that the rules refuse.
pub fn decide_all(incident: &Incident, commands: &[Command], at: OffsetDateTime) -> Result<Vec<Event>, Refusal> {
    let (mut now, mut all) = (incident.clone(), Vec::new());
    for command in commands {
        for event in decide(Some(&now), command)? {
            let meta = Meta { stream_id: now.id, actor: now.created_by.clone(), occurred_at: at };
            now = evolve(Some(now), &event, &meta);
            all.push(event);
        }
    }
    Ok(all)
}

fn steps(rng: &mut StdRng, incident: &Incident, scene: &Scene, operator: &str) -> Vec<Command> {
    let take = Command::Assign { assignee: Some(operator.to_owned()) };
    let to = |status, reason: &str| Command::ChangeStatus(Transition::new(status, Some(reason.to_owned())));
    let resolve = || {
        let resolution = Some(scene.resolution.to_owned());
        Command::ChangeStatus(Transition { to: Status::Resolved, reason: None, resolution })
    };
    let comment = comment(rng, incident, scene);
    let chance = rng.random_range(0..100);
    match (incident.status, chance) {
        (Status::Triggered, 0..65) => vec![to(Status::Acknowledged, "I am on it."), take],
        (Status::Triggered, 65..85) => vec![comment],
        (Status::Triggered, 85..92) => {
            vec![Command::Cancel { reason: Some("A planned test; no harm done.".to_owned()) }]
        }
        (Status::Acknowledged, 0..60) => vec![to(Status::Investigating, "Looking for the cause."), take],
        (Status::Investigating, 0..45) => vec![comment],
        (Status::Investigating, 45..72) => vec![to(Status::Mitigated, scene.mitigation)],
        (Status::Investigating, 72..78) => vec![resolve()],
        (Status::Mitigated, 0..55) => vec![resolve()],
        (Status::Mitigated, 55..62) => vec![to(Status::Investigating, "It is back after a few minutes.")],
        (Status::Resolved, 0..60) => vec![Command::ChangeStatus(Transition::new(Status::Closed, None))],
        (Status::Resolved, 60..68) => vec![Command::Reopen { reason: Some("The alert fires again.".to_owned()) }],
        (_, 86..93) => vec![reassess(rng, incident)],
        (_, 93..98) => vec![Command::Assign { assignee: Some(pick(rng, &OPERATORS).to_owned()) }],
        _ => vec![comment],
    }
}

/// The scene's findings in their order; after them, what one writes when there is nothing new.
fn comment(rng: &mut StdRng, incident: &Incident, scene: &Scene) -> Command {
    const NOTHING_NEW: [&str; 4] = [
        "No change since the last update.",
        "Still watching; the next update in 30 minutes.",
        "Handover: all that is known is in this timeline.",
        "Support is told; the status page is up to date.",
    ];
    let told = usize::try_from(incident.comments).unwrap_or_default();
    let text = scene.findings.get(told).copied().unwrap_or_else(|| pick(rng, &NOTHING_NEW));
    Command::Comment { comment_id: random_id(rng), text: text.to_owned() }
}

/// The harm is better or worse than it looked: a step along the scale.
fn reassess(rng: &mut StdRng, incident: &Incident) -> Command {
    let place = Severity::ALL.iter().position(|severity| *severity == incident.severity).unwrap_or_default();
    let step = if rng.random_bool(0.5) { place + 1 } else { place.saturating_sub(1) };
    let severity = Severity::ALL.get(step).copied();
    let priority = severity.filter(|severity| *severity <= Severity::P1).map(|_| Priority::Urgent);
    Command::Update(Update { severity, priority, ..Update::default() })
}

/// The same trouble, seen by somebody else.
fn second_report(first: &Incident) -> Create {
    let mut labels: BTreeMap<String, String> = first.labels.clone();
    labels.insert("reported-by".to_owned(), "support".to_owned());
    Create {
        number: 0,
        title: format!("Customers report: {}", first.title),
        description: "Several tickets within a few minutes, all about the same.".to_owned(),
        severity: first.severity,
        priority: first.priority,
        assignee: None,
        affected_servers: first.affected_servers.clone(),
        labels,
        dedup_key: None,
    }
}

fn is_second_report(incident: &Incident) -> bool {
    incident.labels.contains_key("reported-by")
}

/// Sooner or later somebody sees that a second report is one.
fn merge(rng: &mut StdRng, cast: &[Incident]) -> Option<Act> {
    let source = cast.iter().find(|incident| incident.status.is_open() && is_second_report(incident))?;
    let same = |first: &&Incident| {
        first.status.is_open() && !is_second_report(first) && source.title.ends_with(first.title.as_str())
    };
    let target = cast.iter().find(same)?;
    let operator = pick(rng, &OPERATORS);
    let seen = rng.random_bool(0.15);
    seen.then(|| Act::Merge { operator, source: Box::new(source.clone()), target: Box::new(target.clone()) })
}

fn scene_of(incident: &Incident) -> &'static Scene {
    let service = incident.labels.get("service");
    SCENES.iter().find(|scene| service.is_some_and(|service| service == scene.service)).unwrap_or(&SCENES[0])
}

fn pick<T: Copy>(rng: &mut StdRng, all: &[T]) -> T {
    all[rng.random_range(0..all.len())]
}

fn random_id(rng: &mut StdRng) -> Uuid {
    let mut bytes = [0; 16];
    rng.fill_bytes(&mut bytes);
    Builder::from_random_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

    use std::collections::BTreeSet;

    use rand::SeedableRng;
    use time::macros::datetime;

    use super::*;
    use crate::domain::incident::decide_merge;

    /// Plays acts without a log. Returns every incident there ever was, and how many were not over at most.
    fn play(seed: u64, acts: i64) -> (Vec<Incident>, usize) {
        let mut rng = StdRng::seed_from_u64(seed);
        let (mut all, mut most): (Vec<Incident>, usize) = (Vec::new(), 0);
        for act in 0..acts {
            let over = |incident: &&Incident| !matches!(incident.status, Status::Closed | Status::Cancelled);
            let cast: Vec<Incident> = all.iter().filter(over).cloned().collect();
            most = most.max(cast.len());
            let at = datetime!(2026-01-01 00:00 UTC) + time::Duration::seconds(act);
            let decided = match next(&mut rng, &cast) {
                Act::Open { create, .. } => {
                    let id = random_id(&mut rng);
                    vec![(id, decide(None, &Command::Create(create)).unwrap())]
                }
                Act::On { incident, commands, .. } => {
                    vec![(incident.id, decide_all(&incident, &commands, at).unwrap())]
                }
                Act::Merge { source, target, .. } => {
                    let (from, into) = decide_merge(&source, &target).unwrap();
                    vec![(source.id, from), (target.id, into)]
                }
            };
            for (id, events) in decided {
                let place = all.iter().position(|incident| incident.id == id);
                let mut incident = place.map(|place| all.swap_remove(place));
                for event in &events {
                    let meta = Meta { stream_id: id, actor: "system:demo".to_owned(), occurred_at: at };
                    incident = Some(evolve(incident, event, &meta));
                }
                all.extend(incident);
            }
        }
        (all, most)
    }

    #[test]
    fn every_act_is_allowed_and_the_house_never_overflows() {
        for seed in 0..5 {
            let (all, most) = play(seed, 3_000);
            assert!(most <= MOST, "{most} at once");
            assert!(all.len() > 100, "{} incidents in all", all.len());
        }
    }

    #[test]
    fn all_of_an_incidents_life_is_shown() {
        let (all, _) = play(7, 5_000);
        let statuses: BTreeSet<_> = all.iter().map(|incident| incident.status).collect();
        assert_eq!(statuses.len(), Status::ALL.len(), "{statuses:?}");
        assert!(all.iter().any(|incident| incident.reopened > 0));
        assert!(all.iter().any(|incident| incident.merged_into.is_some()));
        assert!(all.iter().any(|incident| incident.comments > 2));
        assert!(all.iter().all(|incident| incident.labels["demo"] == "true"));
    }

    #[test]
    fn the_scenes_are_told_apart_by_their_service() {
        let services: BTreeSet<_> = SCENES.iter().map(|scene| scene.service).collect();
        assert_eq!(services.len(), SCENES.len());
        assert!(SCENES.iter().all(|scene| scene.title.contains("{}") && !scene.servers.is_empty()));
    }
}
