//! What holds after every sequence of commands.

use proptest::prelude::*;
use proptest::sample::select;
use uuid::Uuid;

use super::super::*;
use super::world::{Step, World, command, report, steps};

proptest! {
    #[test]
    fn the_state_is_the_fold_of_the_log(steps in steps()) {
        for stream in World::after(&steps).streams {
            let fold = stream.log.iter().fold(None, |state, (event, meta)| {
                Some(evolve(state, event, meta))
            });
            prop_assert_eq!(fold, stream.state);
        }
    }

    #[test]
    fn versions_count_the_events(steps in steps()) {
        for stream in World::after(&steps).streams {
            let version = stream.state.map_or(0, |incident| incident.version);
            prop_assert_eq!(version, i64::try_from(stream.log.len()).unwrap());
        }
    }

    #[test]
    fn an_action_is_offered_if_and_only_if_it_is_accepted(steps in steps()) {
        for incident in World::after(&steps).incidents() {
            for action in Action::ALL {
                let offered = allowed_actions(incident).contains(action);
                let accepted = attempt(*action, incident).is_ok_and(|events| !events.is_empty());
                prop_assert_eq!(offered, accepted, "{} on {:?}", action, incident);
            }
        }
    }

    #[test]
    fn an_illegal_transition_is_refused_with_all_the_moves_there_are(
        steps in steps(),
        to in select(Status::ALL),
    ) {
        let command = Command::ChangeStatus(Transition::new(to, None));
        for incident in World::after(&steps).incidents() {
            let refusal = decide(Some(incident), &command).err();
            if let Some(Refusal::IllegalTransition { from, allowed, .. }) = refusal {
                prop_assert_eq!(from, incident.status);
                prop_assert!(!allowed.is_empty());
                prop_assert!(allowed.iter().all(|action| action.leads_to() != Some(to)));
                prop_assert!(allowed_actions(incident).starts_with(&allowed));
            }
        }
    }

    #[test]
    fn any_status_can_be_recorded_unless_the_incident_is_merged(
        steps in steps(),
        to in select(Status::ALL),
    ) {
        let command = Command::Record(Transition::new(to, None));
        for incident in World::after(&steps).incidents() {
            let events = decide(Some(incident), &command);
            match incident.merged_into {
                Some(into) => prop_assert_eq!(events, Err(Refusal::Merged { into })),
                None => {
                    let expected = usize::from(to != incident.status);
                    prop_assert_eq!(events.unwrap().len(), expected);
                }
            }
        }
    }

    #[test]
    fn an_accepted_command_repeated_does_nothing(steps in steps(), command in command()) {
        let mut world = World::after(&steps);
        let stream = &mut world.streams[0];
        let at = stream.log[0].1.occurred_at;
        if stream.try_command(&command, at).is_ok() {
            let again = decide(stream.state.as_ref(), &command).unwrap();
            prop_assert_eq!(!again.is_empty(), matches!(command, Command::Comment { .. }));
        }
    }

    #[test]
    fn what_the_log_stores_reads_back_as_the_same_event(steps in steps()) {
        for (event, _) in World::after(&steps).streams.iter().flat_map(|stream| &stream.log) {
            prop_assert_eq!(&Event::parse(event.kind(), &event.data()).unwrap(), event);
        }
    }

    #[test]
    fn the_state_reads_back_from_its_json_and_has_the_same_bytes(steps in steps()) {
        for incident in World::after(&steps).incidents() {
            let json = serde_json::to_string(incident).unwrap();
            let back: Incident = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(&back, incident);
            prop_assert_eq!(serde_json::to_string(&back).unwrap(), json);
        }
    }

    #[test]
    fn every_time_lies_between_the_report_and_the_last_event(steps in steps()) {
        for incident in World::after(&steps).incidents() {
            let Incident { acknowledged_at, mitigated_at, resolved_at, closed_at, .. } = incident;
            let life = incident.created_at..=incident.updated_at;
            for time in [acknowledged_at, mitigated_at, resolved_at, closed_at] {
                prop_assert!(time.is_none_or(|time| life.contains(&time)), "{:?}", incident);
            }
        }
    }

    #[test]
    fn the_times_and_the_resolution_fit_the_status(steps in steps()) {
        for incident in World::after(&steps).incidents() {
            let has = (
                incident.acknowledged_at.is_some(),
                incident.mitigated_at.is_some(),
                incident.resolved_at.is_some(),
                incident.closed_at.is_some(),
                incident.resolution.is_some(),
            );
            let fits = match incident.status {
                Status::Triggered => matches!(has, (false, false, false, false, false)),
                Status::Acknowledged | Status::Investigating => {
                    matches!(has, (true, false, false, false, false))
                }
                Status::Mitigated => matches!(has, (true, true, false, false, false)),
                Status::Resolved => matches!(has, (_, _, true, false, _)),
                Status::Closed => matches!(has, (_, _, _, true, _)),
                Status::Cancelled => matches!(has, (_, _, _, false, _)),
            };
            prop_assert!(fits, "{:?}", incident);
        }
    }

    #[test]
    fn merges_form_trees_and_both_sides_agree(steps in steps()) {
        let world = World::after(&steps);
        let find = |id: Uuid| world.incidents().find(|incident| incident.id == id).unwrap();
        let up = |incident: &&Incident| incident.merged_into.map(find);
        for incident in world.incidents() {
            prop_assert_eq!(up(&incident).is_some(), incident.status_before_merge.is_some());
            prop_assert!(up(&incident).is_none_or(|into| into.absorbed.contains(&incident.id)));
            for duplicate in incident.absorbed.iter().copied().map(find) {
                prop_assert_eq!(duplicate.merged_into, Some(incident.id));
            }
            let path = std::iter::successors(Some(incident), up).take(world.streams.len() + 1);
            prop_assert!(path.count() <= world.streams.len(), "a cycle");
        }
    }

    #[test]
    fn undoing_a_merge_leaves_no_trace_but_in_the_log(steps in steps()) {
        let mut world = World::after(&steps);
        let (source, target, at) = (0, 1, world.streams[0].log[0].1.occurred_at);
        let already_merged = world.incidents().any(|incident| incident.merged_into.is_some());
        if !already_merged {
            let before = facts(&world);
            world.take(&Step::Merge { source, target, at });
            world.take(&Step::Unmerge { source, target, at });
            prop_assert_eq!(facts(&world), before);
        }
    }
}

/// The incidents without what every event changes.
fn facts(world: &World) -> Vec<Incident> {
    let timeless = |incident: Incident| {
        let updated_at = incident.created_at;
        Incident { version: 0, updated_at, ..incident }
    };
    world.incidents().cloned().map(timeless).collect()
}

/// Does the action, with whatever it needs to have an effect.
fn attempt(action: Action, incident: &Incident) -> Result<Vec<Event>, Refusal> {
    let command = match action {
        Action::Merge => {
            return decide_merge(incident, &another(Uuid::max())).map(|(source, _)| source);
        }
        Action::Unmerge => {
            let target = another(incident.merged_into.unwrap_or(Uuid::max()));
            return decide_unmerge(incident, &target).map(|(source, _)| source);
        }
        Action::Update => {
            let title = Some(format!("{}!", incident.title));
            Command::Update(Update { title, ..Update::default() })
        }
        Action::Assign => {
            let assignee = incident.assignee.is_none().then(|| "ada".to_owned());
            Command::Assign { assignee }
        }
        Action::Comment => {
            let text = "same here".to_owned();
            Command::Comment { comment_id: Uuid::nil(), text }
        }
        Action::Reopen => Command::Reopen { reason: None },
        Action::Cancel => Command::Cancel { reason: None },
        _ => Command::ChangeStatus(Transition::new(action.leads_to().unwrap(), None)),
    };
    decide(Some(incident), &command)
}

/// A fresh incident with this id.
fn another(id: Uuid) -> Incident {
    let event = &decide(None, &Command::Create(report(9))).unwrap()[0];
    let occurred_at = time::OffsetDateTime::UNIX_EPOCH;
    let meta = Meta { stream_id: id, actor: "user:eve".to_owned(), occurred_at };
    evolve(None, event, &meta)
}
