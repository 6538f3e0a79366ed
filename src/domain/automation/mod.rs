//! Automations: a runbook says what to do, an execution is one time that it was done.
//!
//! Pure: no clock, no chance, no database; ids and times come in as parameters.
//!
//! | file             | what is there                                                         |
//! |------------------|-----------------------------------------------------------------------|
//! | `definition.rs`  | what a runbook says: inputs, steps, triggers                          |
//! | `check.rs`       | how large it may be, and what must fit together                       |
//! | `inputs.rs`      | values for typed inputs; those that are secret apart from the others  |
//! | `render.rs`      | `{{inputs.name}}` and `{{steps.name.incident}}` in a step's texts     |
//! | `mask.rs`        | secrets out of any text                                               |
//! | `schedule.rs`    | when a schedule is due, in its time zone                              |
//! | `runbook.rs`     | the runbook: commands, events, state                                  |
//! | `execution/`     | the execution: the same, and what its runner does next                |
//!
//! Invariants
//! - An execution runs the definition that was frozen when it was queued.
//! - A secret's value is in no event and in no state: here only its name is known.
//! - Every event of a runner carries the number of its lease; one with an older number is refused.

mod check;
mod definition;
pub mod execution;
mod inputs;
mod mask;
mod render;
pub mod runbook;
pub mod schedule;

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::Value;

pub use check::{NOTE_CHARS, Violation, check, is_note};
pub use definition::{
    Action, Approval, Command, Definition, EventTrigger, Http, IncidentUpdate, Input, InputKind, Method, NewIncident,
    Notification, Retry, Schedule, ServerTest, Step, Wait,
};
pub use inputs::{Inputs, bind};
pub use mask::{MASKED, Mask};
pub use render::{Unrenderable, Values, render, render_argument};

/// Name, description and JSON Schema of each type.
pub fn event_types() -> Vec<(&'static str, &'static str, Value)> {
    let mut types = runbook::event_types();
    types.extend(execution::event_types());
    types
}

/// JSON Schema 2020-12, self-contained.
fn schema<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<T>().to_value()
}
