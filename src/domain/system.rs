//! What the server says of itself.

use schemars::{JsonSchema, schema_for};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

/// `system.started`: a server process serves.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Started {
    /// Names the process until it ends.
    pub process: Uuid,
    /// Of the program.
    pub version: String,
}

/// `system.stopped`: a server process ended in order. One that was killed says nothing.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Stopped {
    /// As it said when it started.
    pub process: Uuid,
}

/// Name, description and JSON Schema of each type.
pub fn event_types() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        ("system.started", "A server process serves.", schema_for!(Started).to_value()),
        ("system.stopped", "A server process ended in order.", schema_for!(Stopped).to_value()),
    ]
}
