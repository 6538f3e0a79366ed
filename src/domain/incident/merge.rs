//! The rules for two incidents: a duplicate (the source) is merged into the one that goes on (the
//! target), and back.
//!
//! Both streams are appended in one transaction with both expected versions; that is what makes
//! these rules hold when two people merge at once.
//!
//! No cycle can arise. A merge leads from an incident that is not merged to another one that is not
//! merged, so it joins the roots of two trees; unmerging cuts an edge. A source that has absorbed
//! others is therefore welcome: its duplicates stay its own, and each unmerge undoes exactly one
//! merge, in any order.

use super::event::{Absorbed, Cause, Event, IncidentRef, Merged, Released, StatusChanged, Unmerged};
use super::limits::ABSORBED;
use super::refusal::Refusal;
use super::state::Incident;
use super::status::Status;

/// The events that merge the source into the target: the source's, then the target's. None, when it
/// is merged there.
///
/// The source may have any status, for a duplicate is often noticed after its end; it becomes
/// closed, and remembers.
///
/// # Errors
/// The source is merged elsewhere, or the target is the source, merged, closed, cancelled, or full.
pub fn decide_merge(source: &Incident, target: &Incident) -> Result<(Vec<Event>, Vec<Event>), Refusal> {
    match source.merged_into {
        Some(into) if into == target.id => return Ok((Vec::new(), Vec::new())),
        Some(into) => return Err(Refusal::Merged { into }),
        None => accepts(target, source)?,
    }
    let mut source_events = vec![Event::Merged(Merged { into: reference(target) })];
    source_events.extend(status_change(source, Status::Closed, Cause::Merge));
    Ok((source_events, vec![Event::Absorbed(Absorbed { incident: reference(source) })]))
}

/// The events that undo the merge: the source's, then the target's. None, when the source is not
/// merged.
///
/// The target may be in any state, merged itself included: it only loses an entry of its list.
///
/// # Errors
/// [`Refusal::Merged`] when the source is merged into another incident than this target.
pub fn decide_unmerge(source: &Incident, target: &Incident) -> Result<(Vec<Event>, Vec<Event>), Refusal> {
    match source.merged_into {
        None => return Ok((Vec::new(), Vec::new())),
        Some(into) if into != target.id => return Err(Refusal::Merged { into }),
        Some(_) => {}
    }
    let former = source.status_before_merge.unwrap_or(source.status);
    let mut source_events: Vec<Event> = status_change(source, former, Cause::Unmerge).into_iter().collect();
    source_events.push(Event::Unmerged(Unmerged { from: reference(target) }));
    Ok((source_events, vec![Event::Released(Released { incident: reference(source) })]))
}

/// May the target take the source in?
fn accepts(target: &Incident, source: &Incident) -> Result<(), Refusal> {
    if target.id == source.id {
        return Err(Refusal::MergeIntoItself);
    }
    if let Some(into) = target.merged_into {
        return Err(Refusal::MergeIntoMerged { into });
    }
    if matches!(target.status, Status::Closed | Status::Cancelled) {
        return Err(Refusal::MergeIntoEnded { status: target.status });
    }
    if target.absorbed.len() >= ABSORBED {
        return Err(Refusal::MergeIntoFull);
    }
    Ok(())
}

fn status_change(incident: &Incident, new: Status, cause: Cause) -> Option<Event> {
    let old = incident.status;
    let change = StatusChanged { old, new, cause, reason: None, resolution: None };
    (old != new).then_some(Event::StatusChanged(change))
}

fn reference(incident: &Incident) -> IncidentRef {
    IncidentRef { id: incident.id, number: incident.number }
}
