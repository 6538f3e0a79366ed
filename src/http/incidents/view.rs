//! Incidents as clients see and send them.

use std::collections::BTreeMap;

use poem_openapi::types::MaybeUndefined;
use poem_openapi::{Enum, Object};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::incident::{self, Create, Incident, Update, allowed_actions, key};
use crate::http::text::Text;

macro_rules! scale {
    ($(#[$about:meta])* $name:ident = $domain:ident { $($value:ident = $word:literal),+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
        pub enum $name { $(#[oai(rename = $word)] #[allow(missing_docs)] $value),+ }

        impl From<$name> for incident::$domain {
            fn from(value: $name) -> Self {
                match value { $($name::$value => Self::$value),+ }
            }
        }

        impl From<incident::$domain> for $name {
            fn from(value: incident::$domain) -> Self {
                match value { $(incident::$domain::$value => Self::$value),+ }
            }
        }
    };
}

scale! {
    /// How far along an incident is.
    Status = Status {
        Triggered = "triggered", Acknowledged = "acknowledged", Investigating = "investigating",
        Mitigated = "mitigated", Resolved = "resolved", Closed = "closed", Cancelled = "cancelled"
    }
}
scale! {
    /// How bad the harm is; P0 is the worst.
    Severity = Severity { P0 = "P0", P1 = "P1", P2 = "P2", P3 = "P3", P4 = "P4" }
}
scale! {
    /// How soon to work on it: the team's choice, apart from severity.
    Priority = Priority { Low = "low", Normal = "normal", High = "high", Urgent = "urgent" }
}
scale! {
    /// What can be done to an incident as it is now.
    Action = Action {
        Acknowledge = "acknowledge", Unacknowledge = "unacknowledge", Investigate = "investigate",
        Mitigate = "mitigate", Resolve = "resolve", Close = "close", Reopen = "reopen", Cancel = "cancel",
        Update = "update", Assign = "assign", Comment = "comment", Merge = "merge", Unmerge = "unmerge"
    }
}

/// An incident as it is now.
#[derive(Debug, Object)]
#[oai(rename = "Incident")]
pub struct IncidentView {
    /// Names it for programs; its stream is `incident/<id>`.
    id: Uuid,
    /// Names it for people: `INC-42`.
    key: String,
    /// 42 in `INC-42`.
    number: i64,
    /// One line.
    title: String,
    /// Any number of lines.
    description: String,
    /// How far along.
    status: Status,
    /// How bad.
    severity: Severity,
    /// How soon.
    priority: Priority,
    /// Whoever works on it.
    assignee: Option<String>,
    /// Host names.
    affected_servers: Vec<String>,
    /// Free facts.
    labels: BTreeMap<String, String>,
    /// What a monitor calls this trouble.
    dedup_key: Option<String>,
    /// How it ended.
    resolution: Option<String>,
    /// The incident that this one is a duplicate of.
    merged_into: Option<Uuid>,
    /// Its duplicates.
    absorbed: Vec<Uuid>,
    /// How many comments the timeline holds.
    comments: i64,
    /// How often it came back.
    reopened: i64,
    /// The actor who reported it.
    created_by: String,
    /// When it was reported.
    created_at: OffsetDateTime,
    /// When it last changed.
    updated_at: OffsetDateTime,
    /// Since when somebody answers for it.
    acknowledged_at: Option<OffsetDateTime>,
    /// Since when the harm has stopped.
    mitigated_at: Option<OffsetDateTime>,
    /// Since when the cause is gone.
    resolved_at: Option<OffsetDateTime>,
    /// Since when it is closed.
    closed_at: Option<OffsetDateTime>,
    /// How many events made this state; the ETag.
    version: i64,
    /// What may be done to it as it is now.
    allowed_actions: Vec<Action>,
}

impl From<&Incident> for IncidentView {
    fn from(incident: &Incident) -> IncidentView {
        let allowed_actions = allowed_actions(incident).into_iter().map(Action::from).collect();
        let incident = incident.clone();
        IncidentView {
            id: incident.id,
            key: key(incident.number),
            number: incident.number,
            title: incident.title,
            description: incident.description,
            status: incident.status.into(),
            severity: incident.severity.into(),
            priority: incident.priority.into(),
            assignee: incident.assignee,
            affected_servers: incident.affected_servers,
            labels: incident.labels,
            dedup_key: incident.dedup_key,
            resolution: incident.resolution,
            merged_into: incident.merged_into,
            absorbed: incident.absorbed,
            comments: incident.comments,
            reopened: incident.reopened,
            created_by: incident.created_by,
            created_at: incident.created_at,
            updated_at: incident.updated_at,
            acknowledged_at: incident.acknowledged_at,
            mitigated_at: incident.mitigated_at,
            resolved_at: incident.resolved_at,
            closed_at: incident.closed_at,
            version: incident.version,
            allowed_actions,
        }
    }
}

/// A page of incidents.
#[derive(Debug, Object)]
pub struct IncidentPage {
    /// At most `limit`.
    pub items: Vec<IncidentView>,
    /// Pass it as `cursor` for the next page; absent on the last one.
    #[oai(skip_serializing_if_is_none)]
    pub next: Option<String>,
}

/// A new incident.
#[derive(Debug, Clone, Object)]
#[oai(deny_unknown_fields)]
pub struct NewIncident {
    /// One line, 1 to 200 characters.
    title: Text,
    /// At most 16,384 characters.
    #[oai(default)]
    description: Text,
    /// Default P3.
    severity: Option<Severity>,
    /// Default normal.
    priority: Option<Priority>,
    /// A user name.
    assignee: Option<Text>,
    /// At most 100 host names.
    #[oai(default)]
    affected_servers: Vec<Text>,
    /// At most 50.
    #[oai(default)]
    labels: BTreeMap<String, Text>,
    /// While an incident with this key is open, creating another one gives that one.
    dedup_key: Option<Text>,
}

impl NewIncident {
    /// As the rules want it; its number is drawn later.
    pub fn create(self) -> Create {
        Create {
            number: 0,
            title: self.title.0,
            description: self.description.0,
            severity: self.severity.unwrap_or(Severity::P3).into(),
            priority: self.priority.unwrap_or(Priority::Normal).into(),
            assignee: self.assignee.map(String::from),
            affected_servers: strings(self.affected_servers),
            labels: pairs(self.labels),
            dedup_key: self.dedup_key.map(String::from),
        }
    }
}

/// The facts to change; absent ones stay. Lists and labels are replaced whole.
#[derive(Debug, Clone, Object)]
#[oai(deny_unknown_fields)]
pub struct IncidentChanges {
    title: Option<Text>,
    description: Option<Text>,
    severity: Option<Severity>,
    priority: Option<Priority>,
    affected_servers: Option<Vec<Text>>,
    labels: Option<BTreeMap<String, Text>>,
    /// `null` removes it.
    dedup_key: MaybeUndefined<Text>,
}

impl IncidentChanges {
    /// As the rules want it.
    pub fn update(self) -> Update {
        Update {
            title: self.title.map(String::from),
            description: self.description.map(String::from),
            severity: self.severity.map(Into::into),
            priority: self.priority.map(Into::into),
            affected_servers: self.affected_servers.map(strings),
            labels: self.labels.map(pairs),
            dedup_key: match self.dedup_key {
                MaybeUndefined::Undefined => None,
                MaybeUndefined::Null => Some(None),
                MaybeUndefined::Value(key) => Some(Some(key.0)),
            },
        }
    }
}

/// Who shall work on it.
#[derive(Debug, Clone, Object)]
#[oai(deny_unknown_fields)]
pub struct Assignment {
    /// A user name; `null` or absent: nobody.
    pub assignee: Option<Text>,
}

/// A comment.
#[derive(Debug, Clone, Object)]
#[oai(deny_unknown_fields)]
pub struct NewComment {
    /// 1 to 8,192 characters.
    pub text: Text,
}

/// A step of the status machine.
#[derive(Debug, Clone, Object)]
#[oai(deny_unknown_fields)]
pub struct StatusStep {
    /// The wanted status. To open an incident again, use `reopen`.
    pub to: Status,
    /// Why; at most 2,000 characters.
    pub reason: Option<Text>,
    /// How it ended; only with `resolved` and `closed`; at most 2,000 characters.
    pub resolution: Option<Text>,
}

/// Why.
#[derive(Debug, Clone, Object)]
#[oai(deny_unknown_fields)]
pub struct Reason {
    /// At most 2,000 characters.
    pub reason: Option<Text>,
}

/// Which incident goes on.
#[derive(Debug, Clone, Object)]
#[oai(deny_unknown_fields)]
pub struct MergeTarget {
    /// Its id or key.
    pub into: Text,
}

fn strings(texts: Vec<Text>) -> Vec<String> {
    texts.into_iter().map(String::from).collect()
}

fn pairs(texts: BTreeMap<String, Text>) -> BTreeMap<String, String> {
    texts.into_iter().map(|(key, text)| (key, text.0)).collect()
}
