//! What a runbook says, as clients see and send it.
//!
//! The shapes are those of `domain::automation`, so one goes into the other by their JSON: a field that one of them
//! lacks is found by the first test that sends it.

use std::collections::BTreeMap;

use poem_openapi::types::ToJSON;
use poem_openapi::{Enum, Object};
use serde_json::{Value, json};

use super::view::shape;
use crate::domain::automation::Definition;
use crate::http::problem::Problem;
use crate::http::text::Text;

/// What a runbook says.
#[derive(Debug, Clone, Object)]
#[oai(rename = "RunbookDefinition", deny_unknown_fields)]
pub struct DefinitionView {
    /// One line, 1 to 200 characters; unique among runbooks that are not put away.
    name: Text,
    /// At most 2,000 characters.
    #[oai(default)]
    description: Text,
    /// At most 50.
    #[oai(default)]
    inputs: Vec<InputView>,
    /// In order, 1 to 50.
    steps: Vec<StepView>,
    /// Executions that may run at once, 1 to 100; others wait in the queue.
    #[oai(default = "one")]
    max_concurrent: u32,
    /// From the start to the end, approvals included, in seconds.
    timeout_s: Option<u32>,
    /// Starts it at times.
    schedule: Option<ScheduleView>,
    /// Starts it when something happens.
    on_event: Option<EventTriggerView>,
}

/// One typed input, in texts of steps `{{inputs.name}}`.
#[derive(Debug, Clone, Object)]
#[oai(rename = "RunbookInput", deny_unknown_fields)]
pub struct InputView {
    /// Of `a-z`, `0-9` and `_`.
    name: Text,
    #[oai(default)]
    description: Text,
    /// Default `text`.
    #[oai(default)]
    kind: InputKindView,
    /// Masked wherever it would show, and forgotten when the execution ends; `http` and `command` may use it.
    #[oai(default)]
    secret: bool,
    /// Nothing starts without a value.
    #[oai(default)]
    required: bool,
    /// Taken when no value is given.
    default: Option<Value>,
    /// Of the kind `choice`.
    #[oai(default)]
    choices: Vec<Text>,
}

/// What a value must be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Enum)]
#[oai(rename = "RunbookInputKind", rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum InputKindView {
    #[default]
    Text,
    Integer,
    Boolean,
    Choice,
}

/// One step: exactly one of `http`, `wait`, `server_test`, `notification`, `incident`, `approval` and `command`.
#[derive(Debug, Clone, Object)]
#[oai(rename = "RunbookStep", deny_unknown_fields, skip_serializing_if_is_none)]
pub struct StepView {
    /// One line; unique in the runbook.
    name: Text,
    /// For one attempt, in seconds, at most a week; default 60, of an approval 86,400.
    timeout_s: Option<u32>,
    /// What follows a failed attempt.
    retry: Option<RetryView>,
    /// When its last attempt failed, the next step comes all the same.
    #[oai(default)]
    continue_on_failure: bool,
    /// It may be begun again when its process was lost and nobody knows how far it came.
    #[oai(default)]
    repeatable: bool,
    /// Sends a request.
    http: Option<HttpView>,
    /// Lets time pass.
    wait: Option<WaitView>,
    /// Tests a server of the inventory.
    server_test: Option<ServerTestView>,
    /// Says something, as the event `automation.notified`.
    notification: Option<NotificationView>,
    /// Opens an incident, or changes one.
    incident: Option<IncidentUpdateView>,
    /// Waits for a person.
    approval: Option<ApprovalView>,
    /// Runs a program of the allow-list.
    command: Option<CommandView>,
}

/// Attempts with pauses that double.
#[derive(Debug, Clone, Object)]
#[oai(rename = "RunbookRetry", deny_unknown_fields)]
pub struct RetryView {
    /// In all, 1 to 100.
    attempts: u32,
    /// Before the second attempt, in seconds; doubled before each further one, up to an hour.
    pause_s: u32,
}

/// An HTTP request. Redirects are not followed.
#[derive(Debug, Clone, Object)]
#[oai(rename = "RunbookHttp", deny_unknown_fields)]
pub struct HttpView {
    method: MethodView,
    url: Text,
    #[oai(default)]
    headers: BTreeMap<String, Text>,
    body: Option<Text>,
    /// Statuses that are a success; none: 200 to 299.
    #[oai(default)]
    expect: Vec<u16>,
}

/// HTTP verbs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename = "RunbookHttpMethod", rename_all = "UPPERCASE")]
#[allow(missing_docs)]
pub enum MethodView {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
}

/// Time that passes.
#[derive(Debug, Clone, Object)]
#[oai(rename = "RunbookWait", deny_unknown_fields)]
pub struct WaitView {
    seconds: u32,
}

/// A test of a server.
#[derive(Debug, Clone, Object)]
#[oai(rename = "RunbookServerTest", deny_unknown_fields)]
pub struct ServerTestView {
    /// Its id or name.
    server: Text,
}

/// What is said.
#[derive(Debug, Clone, Object)]
#[oai(rename = "RunbookNotification", deny_unknown_fields)]
pub struct NotificationView {
    subject: Text,
    text: Text,
}

/// An incident: the one that `incident` names, or the one that is opened. Then it is changed as the rest says.
#[derive(Debug, Clone, Object)]
#[oai(rename = "RunbookIncidentUpdate", deny_unknown_fields, skip_serializing_if_is_none)]
pub struct IncidentUpdateView {
    /// Its id, or its key such as `INC-42` or `{{steps.Open.incident}}`: that of the step `Open` before this one.
    incident: Option<Text>,
    /// Opens one, once, whatever becomes of the process.
    open: Option<NewIncidentView>,
    comment: Option<Text>,
    /// As for `POST /incidents/{incident}/status`.
    status: Option<Text>,
    assignee: Option<Text>,
}

/// The facts of an incident that a step opens. Each text may hold inputs.
#[derive(Debug, Clone, Object)]
#[oai(rename = "RunbookNewIncident", deny_unknown_fields)]
pub struct NewIncidentView {
    /// One line; with its values at most 200 characters.
    title: Text,
    /// `P0` to `P4`; default `P3`.
    #[oai(default = "p3")]
    severity: Text,
    #[oai(default)]
    description: Text,
    /// At most 100 host names.
    #[oai(default)]
    affected_servers: Vec<Text>,
    /// While an incident with this key is open, that one is taken, as by `POST /incidents`.
    dedup_key: Option<Text>,
}

/// A question to a person.
#[derive(Debug, Clone, Object)]
#[oai(rename = "RunbookApproval", deny_unknown_fields)]
pub struct ApprovalView {
    prompt: Text,
    /// Whoever started the execution may not approve it.
    #[oai(default)]
    by_another: bool,
}

/// A program of the allow-list in the configuration. There is no shell.
#[derive(Debug, Clone, Object)]
#[oai(rename = "RunbookCommand", deny_unknown_fields)]
pub struct CommandView {
    /// The allow-list's name for it.
    name: Text,
    /// Behind those of the allow-list, each as it is. One that begins with an input is never an option.
    #[oai(default)]
    arguments: Vec<Text>,
}

/// At times.
#[derive(Debug, Clone, Object)]
#[oai(rename = "RunbookSchedule", deny_unknown_fields)]
pub struct ScheduleView {
    /// Minute, hour, day of month, month, day of week; six fields begin with the second.
    cron: Text,
    /// An IANA name, such as `Europe/Berlin`.
    time_zone: Text,
    /// Values for inputs.
    #[oai(default)]
    inputs: BTreeMap<String, Value>,
}

/// When something happens.
#[derive(Debug, Clone, Object)]
#[oai(rename = "RunbookEventTrigger", deny_unknown_fields)]
pub struct EventTriggerView {
    /// Types such as `incident.created`, or families such as `incident.*`.
    types: Vec<Text>,
    /// What must hold of the event, too, such as `data.severity in ["P0", "P1"]`.
    #[oai(default)]
    condition: Text,
    /// Values for inputs.
    #[oai(default)]
    inputs: BTreeMap<String, Value>,
    /// Values for inputs, each from the event, by a JSON pointer such as `/data/number`.
    #[oai(default)]
    inputs_from: BTreeMap<String, Text>,
}

fn one() -> u32 {
    1
}

fn p3() -> Text {
    Text("P3".to_owned())
}

/// The limits of a step when it names none, in seconds.
const STEP_S: u32 = 60;
const APPROVAL_S: u32 = 24 * 3_600;

impl DefinitionView {
    /// As the rules want it.
    ///
    /// # Errors
    /// 422 where a step does nothing, or two things.
    pub fn definition(mut self) -> Result<Definition, Problem> {
        let mut wrong = Vec::new();
        for (index, step) in self.steps.iter_mut().enumerate() {
            let asks = step.approval.is_some();
            step.timeout_s.get_or_insert(if asks { APPROVAL_S } else { STEP_S });
            let done = [
                step.http.is_some(),
                step.wait.is_some(),
                step.server_test.is_some(),
                step.notification.is_some(),
                step.incident.is_some(),
                asks,
                step.command.is_some(),
            ];
            if done.into_iter().filter(|does| *does).count() != 1 {
                let message = "is exactly one of http, wait, server_test, notification, incident, approval, command";
                wrong.push((format!("/steps/{index}"), message.to_owned()));
            }
        }
        if !wrong.is_empty() {
            return Err(Problem::unacceptable("invalid", "the input is not acceptable: errors says why").errors(wrong));
        }
        let json = self.to_json().unwrap_or_default();
        serde_json::from_value(json).map_err(|error| Problem::unacceptable("invalid", error.to_string()))
    }

    /// As clients see it.
    pub fn of(definition: &Definition) -> Result<DefinitionView, Problem> {
        shape(json!(definition))
    }
}
