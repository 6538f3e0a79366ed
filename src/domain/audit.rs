//! Who took events out of the log.

use schemars::{JsonSchema, schema_for};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

/// The stream that says so.
pub const EXPORTS: &str = "audit/exports";
/// Type name of [`Exported`].
pub const EXPORTED: &str = "audit.exported";

/// `audit.exported`: the actor began to take events out of the log. Recorded before the first of them is sent;
/// whether all arrived is not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exported {
    /// `ndjson` or `csv`.
    pub format: String,
    /// No event before this position was sent.
    pub from_seq: i64,
    /// No event behind this position was sent.
    pub to_seq: i64,
    /// What else the events had in common.
    pub filters: Filters,
}

/// What was asked for, in the words of the request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Filters {
    /// Recorded at this time or later.
    #[serde(with = "super::timestamp::option", skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "String")]
    pub since: Option<OffsetDateTime>,
    /// Recorded before this time.
    #[serde(with = "super::timestamp::option", skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "String")]
    pub before: Option<OffsetDateTime>,
    /// Names and families of types.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub types: Option<String>,
    /// One aggregate's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// One actor's, by id or name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Of one story: what shares this correlation id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<Uuid>,
    /// Of one collaboration session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
}

/// Name, description and JSON Schema of each type.
pub fn event_types() -> Vec<(&'static str, &'static str, Value)> {
    vec![(EXPORTED, "Somebody takes events out of the log.", schema_for!(Exported).to_value())]
}
