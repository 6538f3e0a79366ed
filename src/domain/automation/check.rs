//! How large a runbook may be, and what in it must fit together.

use std::collections::BTreeSet;

use serde_json::Value;

use super::definition::{Action, Definition, IncidentUpdate, Input, InputKind, Step};
use super::{render, schedule};
use crate::domain::incident::Severity;

/// Inputs of a runbook: a form that a person fills in.
pub const INPUTS: usize = 50;
/// Steps of a runbook. With 100 attempts each, an execution has some 10,000 events at most.
pub const STEPS: usize = 50;
/// Attempts of a step.
const ATTEMPTS: u32 = 100;
/// Characters of a name.
pub const NAME_CHARS: usize = 200;
/// Characters of a reason, a prompt or a description.
pub const NOTE_CHARS: usize = 2_000;
/// Characters of any other text, such as a body or an argument.
const TEXT_CHARS: usize = 16_384;
/// Bytes of a whole definition as JSON: it is in every state of every execution.
const DEFINITION_BYTES: usize = 64 << 10;
/// Arguments of a command, headers of a request, choices of an input, types of a trigger.
const ENTRIES: usize = 100;
/// A week: what takes longer is another execution. In seconds.
const LONGEST_S: u32 = 7 * 24 * 3_600;
/// At once, of one runbook.
const MOST_CONCURRENT: u32 = 100;
/// A shorter secret would mask half of every text, and hide nothing.
pub const SECRET_CHARS_LEAST: usize = 4;

/// One broken limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// JSON pointer (RFC 6901) into what was sent.
    pub pointer: String,
    /// What is wrong, as a phrase that follows the field's name.
    pub message: String,
}

/// Everything that is wrong with a definition; empty: nothing.
pub fn check(definition: &Definition) -> Vec<Violation> {
    let mut found = Found::default();
    found.line("/name", &definition.name);
    found.note("/description", &definition.description, 0);
    found.within("/max_concurrent", definition.max_concurrent, MOST_CONCURRENT);
    if let Some(timeout_s) = definition.timeout_s {
        found.within("/timeout_s", timeout_s, LONGEST_S);
    }
    found.count("/inputs", definition.inputs.len(), 0, INPUTS);
    found.count("/steps", definition.steps.len(), 1, STEPS);
    if serde_json::to_string(definition).map_or(0, |text| text.len()) > DEFINITION_BYTES {
        found.add("", format!("has more than {DEFINITION_BYTES} bytes"));
    }
    if !found.0.is_empty() {
        return found.0; // too much to be read on
    }
    found.inputs(&definition.inputs);
    found.steps(definition);
    found.triggers(definition);
    found.0
}

#[derive(Default)]
struct Found(Vec<Violation>);

impl Found {
    fn inputs(&mut self, inputs: &[Input]) {
        let mut names = BTreeSet::new();
        for (index, input) in inputs.iter().enumerate() {
            let at = |field: &str| format!("/inputs/{index}/{field}");
            if !is_word(&input.name) {
                self.add(at("name"), "is 1 to 63 of a-z, 0-9 and _");
            }
            if !names.insert(&input.name) {
                self.add(at("name"), "is the name of another input");
            }
            self.note(at("description"), &input.description, 0);
            self.count(at("choices"), input.choices.len(), 0, ENTRIES);
            if (input.kind == InputKind::Choice) == input.choices.is_empty() {
                self.add(at("choices"), "belongs to the kind choice, and only to it");
            }
            for (nth, choice) in input.choices.iter().enumerate().take(ENTRIES) {
                self.line(format!("/inputs/{index}/choices/{nth}"), choice);
            }
            if input.secret && input.kind != InputKind::Text {
                self.add(at("secret"), "needs the kind text");
            }
            match &input.default {
                Some(_) if input.secret => self.add(at("default"), "is not for a secret: it would stand in the log"),
                Some(value) => self.0.extend(input.wrong(value).map(|message| violation(at("default"), message))),
                None => {}
            }
        }
    }

    fn steps(&mut self, definition: &Definition) {
        let mut names = BTreeSet::new();
        for (index, step) in definition.steps.iter().enumerate() {
            let at = |field: &str| format!("/steps/{index}/{field}");
            self.line(at("name"), &step.name);
            if !names.insert(&step.name) {
                self.add(at("name"), "is the name of another step");
            }
            self.within(at("timeout_s"), step.timeout_s, LONGEST_S);
            if let Some(retry) = step.retry {
                self.within(at("retry/attempts"), retry.attempts, ATTEMPTS);
                self.at_most(at("retry/pause_s"), retry.pause_s, LONGEST_S);
            }
            self.action(index, step);
            for text in step.action.texts() {
                if text.chars().count() > TEXT_CHARS {
                    self.add(format!("/steps/{index}"), format!("has a text of more than {TEXT_CHARS} characters"));
                }
                for name in render::names(text) {
                    if !definition.inputs.iter().any(|input| input.name == name) {
                        self.add(format!("/steps/{index}"), format!("names the input {name}, which there is not"));
                    }
                }
                for named in render::of_steps(text) {
                    let before = &definition.steps[..index];
                    let has_one = |step: &Step| matches!(step.action, Action::Incident(_));
                    let step = render::incident_of(named);
                    if !step.is_some_and(|name| before.iter().any(|step| step.name == name && has_one(step))) {
                        let message = format!("names steps.{named}, which is not the incident of a step before it");
                        self.add(format!("/steps/{index}"), message);
                    }
                }
            }
            if matches!(
                step.action,
                Action::Incident(_) | Action::Notification(_) | Action::Approval(_) | Action::ServerTest(_)
            ) && step.action.texts().into_iter().flat_map(render::names).any(|name| definition.is_secret(&name))
            {
                self.add(format!("/steps/{index}"), "would write a secret down: only http and command may use one");
            }
        }
    }

    fn action(&mut self, index: usize, step: &Step) {
        let at = |field: &str| format!("/steps/{index}/{field}");
        match &step.action {
            Action::Http(http) => {
                self.text(at("http/url"), &http.url);
                self.count(at("http/headers"), http.headers.len(), 0, ENTRIES);
                self.count(at("http/expect"), http.expect.len(), 0, ENTRIES);
                let is_header = |name: &String| {
                    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
                };
                if !http.headers.keys().all(is_header) {
                    self.add(at("http/headers"), "has a name that is none of letters, digits, - and _");
                }
            }
            Action::Wait(wait) => {
                self.within(at("wait/seconds"), wait.seconds, LONGEST_S);
                if wait.seconds > step.timeout_s {
                    self.add(at("timeout_s"), "is shorter than the wait");
                }
            }
            Action::ServerTest(test) => self.line(at("server_test/server"), &test.server),
            Action::Notification(notification) => {
                self.line(at("notification/subject"), &notification.subject);
                self.text(at("notification/text"), &notification.text);
            }
            Action::Incident(update) => self.incident(&at("incident"), update),
            Action::Approval(approval) => {
                self.note(at("approval/prompt"), &approval.prompt, 1);
                if step.retry.is_some() {
                    self.add(at("retry"), "is not for an approval");
                }
            }
            Action::Command(command) => {
                if command.name.contains("{{") {
                    self.add(at("command/name"), "is fixed: an input cannot choose a program");
                }
                self.line(at("command/name"), &command.name);
                self.count(at("command/arguments"), command.arguments.len(), 0, ENTRIES);
            }
        }
    }

    fn incident(&mut self, pointer: &str, update: &IncidentUpdate) {
        match (&update.incident, &update.open) {
            (Some(incident), None) => {
                self.line(format!("{pointer}/incident"), incident);
                if update.comment.is_none() && update.status.is_none() && update.assignee.is_none() {
                    self.add(pointer, "changes nothing");
                }
            }
            (None, Some(open)) => {
                self.line(format!("{pointer}/open/title"), &open.title);
                self.count(format!("{pointer}/open/affected_servers"), open.affected_servers.len(), 0, ENTRIES);
                if !open.severity.contains("{{") && Severity::parse(&open.severity).is_none() {
                    self.add(format!("{pointer}/open/severity"), "is P0, P1, P2, P3 or P4");
                }
                if let Some(key) = &open.dedup_key {
                    self.line(format!("{pointer}/open/dedup_key"), key);
                }
            }
            _ => self.add(pointer, "either names an incident or opens one"),
        }
    }

    fn triggers(&mut self, definition: &Definition) {
        if let Some(schedule) = &definition.schedule {
            if let Err(message) = schedule::parse(schedule) {
                self.add("/schedule", message);
            }
            for (name, value) in &schedule.inputs {
                self.given(format!("/schedule/inputs/{name}"), definition, name, Some(value));
            }
        }
        if let Some(trigger) = &definition.on_event {
            self.count("/on_event/types", trigger.types.len(), 1, ENTRIES);
            for (nth, kind) in trigger.types.iter().enumerate().take(ENTRIES) {
                self.line(format!("/on_event/types/{nth}"), kind);
            }
            self.note("/on_event/condition", &trigger.condition, 0);
            for (name, value) in &trigger.inputs {
                self.given(format!("/on_event/inputs/{name}"), definition, name, Some(value));
            }
            for name in trigger.inputs_from.keys() {
                self.given(format!("/on_event/inputs_from/{name}"), definition, name, None);
            }
            if trigger.inputs_from.values().any(|pointer| !pointer.starts_with('/')) {
                self.add("/on_event/inputs_from", "has a pointer that does not begin with /");
            }
        }
    }

    /// A trigger's value for an input.
    fn given(&mut self, pointer: String, definition: &Definition, name: &str, value: Option<&Value>) {
        match definition.inputs.iter().find(|input| input.name == name) {
            None => self.add(pointer, format!("names the input {name}, which there is not")),
            Some(input) if input.secret => self.add(pointer, "is for a secret: it would stand in the log"),
            Some(input) => {
                self.0.extend(value.and_then(|value| input.wrong(value)).map(|message| violation(pointer, message)));
            }
        }
    }

    fn line(&mut self, pointer: impl Into<String>, text: &str) {
        let fits = (1..=NAME_CHARS).contains(&text.chars().count()) && !text.trim().is_empty();
        if !fits || text.chars().any(char::is_control) {
            self.add(pointer, format!("is one line of 1 to {NAME_CHARS} characters"));
        }
    }

    fn note(&mut self, pointer: impl Into<String>, text: &str, least: usize) {
        if !is_note(text) || text.trim().chars().count() < least {
            let message = format!("has {least} to {NOTE_CHARS} characters, none of them a control character");
            self.add(pointer, message);
        }
    }

    fn text(&mut self, pointer: impl Into<String>, text: &str) {
        if text.is_empty() || text.contains('\0') {
            self.add(pointer, "must not be empty, nor hold NUL");
        }
    }

    fn within(&mut self, pointer: impl Into<String>, value: u32, most: u32) {
        if value == 0 || value > most {
            self.add(pointer, format!("is 1 to {most}"));
        }
    }

    fn at_most(&mut self, pointer: impl Into<String>, value: u32, most: u32) {
        if value > most {
            self.add(pointer, format!("is 0 to {most}"));
        }
    }

    fn count(&mut self, pointer: impl Into<String>, count: usize, least: usize, most: usize) {
        if !(least..=most).contains(&count) {
            self.add(pointer, format!("has {count} entries; {least} to {most} can be"));
        }
    }

    fn add(&mut self, pointer: impl Into<String>, message: impl Into<String>) {
        self.0.push(violation(pointer, message));
    }
}

impl Definition {
    /// Whether this input is a secret.
    pub fn is_secret(&self, name: &str) -> bool {
        self.inputs.iter().any(|input| input.secret && input.name == name)
    }
}

fn violation(pointer: impl Into<String>, message: impl Into<String>) -> Violation {
    Violation { pointer: pointer.into(), message: message.into() }
}

/// Whether a text may stand in logs and on terminals: nothing in it moves a cursor.
pub fn is_note(text: &str) -> bool {
    text.chars().count() <= NOTE_CHARS && text.chars().all(|char| char >= ' ' || matches!(char, '\n' | '\t'))
}

/// Whether a text can name an input.
pub fn is_word(name: &str) -> bool {
    (1..=63).contains(&name.len()) && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}
