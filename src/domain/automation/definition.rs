//! What a runbook says. The same shape in requests, in events and in states.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A runbook's contents; frozen into each execution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// Unique among runbooks that are not archived.
    pub name: String,
    /// Any number of lines; may be empty.
    pub description: String,
    /// What an execution must be told.
    pub inputs: Vec<Input>,
    /// In order; at least one.
    pub steps: Vec<Step>,
    /// Executions of this runbook that may run at once; others wait in the queue.
    pub max_concurrent: u32,
    /// From the start to the end, approvals included, in seconds; `None`: the steps' own limits suffice.
    pub timeout_s: Option<u32>,
    /// Starts it at times.
    pub schedule: Option<Schedule>,
    /// Starts it when something happens.
    pub on_event: Option<EventTrigger>,
}

/// One typed input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// As in `{{inputs.name}}`: `a-z`, `0-9`, `_`.
    pub name: String,
    /// For whoever fills it in.
    pub description: String,
    /// What a value must be.
    pub kind: InputKind,
    /// Text that is masked wherever it would show, and forgotten when the execution ends.
    pub secret: bool,
    /// Without a value, and without a default, nothing starts.
    pub required: bool,
    /// Taken when no value is given. A secret has none.
    pub default: Option<Value>,
    /// The values of a `choice`.
    pub choices: Vec<String>,
}

/// Types of inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InputKind {
    /// Any text.
    Text,
    /// A whole number.
    Integer,
    /// True or false.
    Boolean,
    /// One of `choices`.
    Choice,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// For people; unique in the runbook.
    pub name: String,
    /// For one attempt, in seconds. Of an approval: until somebody decides.
    pub timeout_s: u32,
    /// What follows a failed attempt.
    pub retry: Option<Retry>,
    /// When its last attempt failed, the next step comes all the same.
    pub continue_on_failure: bool,
    /// It may be begun again when nobody knows how far it came.
    pub repeatable: bool,
    /// What to do.
    #[serde(flatten)]
    pub action: Action,
}

/// Attempts with pauses that double.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// In all, the first one included.
    pub attempts: u32,
    /// Before the second attempt, in seconds; doubled before each further one, up to an hour.
    pub pause_s: u32,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // each variant is the struct it holds
pub enum Action {
    Http(Http),
    Wait(Wait),
    ServerTest(ServerTest),
    Notification(Notification),
    Incident(IncidentUpdate),
    Approval(Approval),
    Command(Command),
}

/// An HTTP request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// Verb.
    pub method: Method,
    /// `http` or `https`.
    pub url: String,
    /// Added to the request.
    pub headers: BTreeMap<String, String>,
    /// As it is sent.
    pub body: Option<String>,
    /// Statuses that are a success; empty: 200 to 299.
    pub expect: Vec<u16>,
}

/// HTTP verbs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[allow(missing_docs)]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
}

/// Lets time pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Wait {
    /// Whole seconds.
    pub seconds: u32,
}

/// Tests a server of the inventory, as `POST /servers/{server}/test` does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerTest {
    /// Its id or name.
    pub server: String,
}

/// Says something, as the event `automation.notified`: whoever has a rule for it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Notification {
    /// One line.
    pub subject: String,
    /// Any number of lines.
    pub text: String,
}

/// Opens an incident or names one, and changes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IncidentUpdate {
    /// Its id, or its key such as `INC-42`; absent where one is opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<String>,
    /// A new one, unless one is open that has its dedup key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<NewIncident>,
    /// Written into its timeline.
    pub comment: Option<String>,
    /// The wanted status; one that it has already is no failure.
    pub status: Option<String>,
    /// Whom it is given to.
    pub assignee: Option<String>,
}

/// The facts of an incident that a step opens; each text may hold inputs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewIncident {
    /// One line.
    pub title: String,
    /// `P0` to `P4`.
    pub severity: String,
    /// Any number of lines; may be empty.
    pub description: String,
    /// Host names.
    pub affected_servers: Vec<String>,
    /// What the trouble is called: while an incident with this key is open, that one is taken.
    pub dedup_key: Option<String>,
}

/// Waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// What is to be decided.
    pub prompt: String,
    /// Whoever started the execution may not approve it.
    pub by_another: bool,
}

/// A program of the allow-list in the configuration. There is no shell: each argument arrives as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// The allow-list's name for it, never a path.
    pub name: String,
    /// Behind those of the allow-list.
    pub arguments: Vec<String>,
}

impl Step {
    /// Whether the step can be begun again when nobody knows how far it came: what reads, what RFC 9110 calls
    /// idempotent, what our own log does once, and whatever says so of itself.
    pub fn is_repeatable(&self) -> bool {
        self.repeatable
            || match &self.action {
                Action::Http(http) => !matches!(http.method, Method::Post | Method::Patch),
                Action::Command(_) => false,
                Action::Wait(_) | Action::ServerTest(_) | Action::Approval(_) => true,
                // Recorded in the same transaction as the end of the step: both, or neither.
                Action::Incident(_) | Action::Notification(_) => true,
            }
    }

    /// Attempts in all.
    pub fn attempts(&self) -> u32 {
        self.retry.map_or(1, |retry| retry.attempts)
    }
}

impl Action {
    /// Every text that may hold `{{inputs.name}}` and `{{steps.name.incident}}`.
    pub fn texts(&self) -> Vec<&str> {
        match self {
            Action::Http(http) => {
                let headers = http.headers.values().map(String::as_str);
                [http.url.as_str()].into_iter().chain(headers).chain(http.body.as_deref()).collect()
            }
            Action::Wait(_) => Vec::new(),
            Action::ServerTest(test) => vec![&test.server],
            Action::Notification(notification) => vec![&notification.subject, &notification.text],
            Action::Incident(update) => {
                let said = [&update.incident, &update.comment, &update.status, &update.assignee];
                let opened = update.open.iter().flat_map(NewIncident::texts);
                opened.chain(said.into_iter().flatten().map(String::as_str)).collect()
            }
            Action::Approval(approval) => vec![&approval.prompt],
            Action::Command(command) => command.arguments.iter().map(String::as_str).collect(),
        }
    }
}

impl NewIncident {
    fn texts(&self) -> impl Iterator<Item = &str> {
        let lines = [&self.title, &self.severity, &self.description].into_iter();
        lines.chain(&self.affected_servers).chain(&self.dedup_key).map(String::as_str)
    }
}

/// At times.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Minute, hour, day of month, month, day of week; six fields begin with the second.
    pub cron: String,
    /// An IANA name, such as `Europe/Berlin`.
    pub time_zone: String,
    /// Values for inputs.
    pub inputs: BTreeMap<String, Value>,
}

/// When something happens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventTrigger {
    /// Types such as `incident.created`, or families such as `incident.*`; at least one.
    pub types: Vec<String>,
    /// What must hold of the event, too; empty: nothing.
    pub condition: String,
    /// Values for inputs.
    pub inputs: BTreeMap<String, Value>,
    /// Values for inputs, each from the event, by a JSON pointer (RFC 6901) such as `/data/number`.
    pub inputs_from: BTreeMap<String, String>,
}
