//! What the log says of a night, in words, and what it must say.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;
use signalbox::projections::rebuild::compare;

use super::{LINES, Night};
use crate::harness::{Mail, Received};
use crate::notifications::channels::verified_by;

/// The runbook that is the rule.
pub const OPENS: &str = "Open an incident";
/// The runbook that it leads to.
pub const LOOKS: &str = "Look at it";

/// Everything that follows from the server's going down, each with what led to it; what people do, nothing led to.
/// Lines that were printed are apart: how many events carry them is a question of time.
pub const STORY: [(&str, &str); 30] = [
    ("the server is down", ""),
    ("Open an incident: queued", "the server is down"),
    ("Open an incident: started", "Open an incident: queued"),
    ("Open an incident: begins Open", "Open an incident: started"),
    ("incident created", "Open an incident: begins Open"),
    ("Open an incident: Open succeeded", "Open an incident: begins Open"),
    ("pager told of: incident created", "incident created"),
    ("mail told of: incident created", "incident created"),
    ("Open an incident: begins Note", "Open an incident: Open succeeded"),
    ("incident commented by Open an incident", "Open an incident: begins Note"),
    ("Open an incident: Note succeeded", "Open an incident: begins Note"),
    ("Open an incident: completed", "Open an incident: begins Note"),
    ("Look at it: queued", "incident created"),
    ("Look at it: started", "Look at it: queued"),
    ("Look at it: begins Diagnose", "Look at it: started"),
    ("Look at it: Diagnose succeeded", "Look at it: begins Diagnose"),
    ("Look at it: begins Tell", "Look at it: Diagnose succeeded"),
    ("Look at it: notified", "Look at it: begins Tell"),
    ("Look at it: Tell succeeded", "Look at it: begins Tell"),
    ("pager told of: Look at it: notified", "Look at it: notified"),
    ("Look at it: begins Note", "Look at it: Tell succeeded"),
    ("incident commented by Look at it", "Look at it: begins Note"),
    ("Look at it: Note succeeded", "Look at it: begins Note"),
    ("Look at it: completed", "Look at it: begins Note"),
    ("incident acknowledged by admin", ""),
    ("pager told of: incident acknowledged by admin", "incident acknowledged by admin"),
    ("incident resolved by admin", ""),
    ("pager told of: incident resolved by admin", "incident resolved by admin"),
    ("mail told of: incident resolved by admin", "incident resolved by admin"),
    // Another story: nothing above led to it.
    ("the server is up", ""),
];
/// Lines of the command.
pub const PRINTED: &str = "printed";
/// Another process went on with an execution; it may happen where one was lost, and nowhere else.
pub const CONTINUED: &str = "continued";

/// The log since the evening.
pub struct Story {
    /// All of it.
    log: Vec<Value>,
    /// What the processes do not say of themselves.
    pub events: Vec<Value>,
    words: HashMap<String, String>,
}

impl Story {
    /// As a process reads it to a client.
    pub async fn of(night: &Night) -> Story {
        let client = night.operator.client();
        client.caught_up().await;
        let page = client.get(&format!("/api/v1/events?after={}&limit=1000", night.evening)).await;
        let log = page.json["items"].as_array().unwrap_or_else(|| panic!("{}", page.text)).clone();
        let is_ours = |event: &&Value| !event["type"].as_str().is_some_and(|kind| kind.starts_with("system."));
        let events: Vec<Value> = log.iter().filter(is_ours).cloned().collect();
        let words = words(night, &events);
        Story { log, events, words }
    }

    /// What happened, in words.
    pub fn word<'a>(&'a self, event: &Value) -> &'a str {
        event["id"].as_str().and_then(|id| self.words.get(id)).map_or("", String::as_str)
    }

    /// What led to an event, in words; empty: nothing.
    pub fn cause<'a>(&'a self, event: &Value) -> &'a str {
        event["causation_id"].as_str().and_then(|id| self.words.get(id)).map_or("", String::as_str)
    }

    /// Lines that an execution printed, in order.
    pub fn printed(&self) -> Vec<&str> {
        let batches = self.events.iter().filter(|event| event["type"] == "log.added");
        let lines =
            batches.flat_map(|event| event["data"]["lines"].as_array().expect("a few lines are in their event"));
        lines.map(|line| line["message"].as_str().unwrap()).collect()
    }

    /// How often each thing happened, those left out that time or a loss repeats.
    pub fn counted(&self) -> BTreeMap<&str, usize> {
        let mut counted = BTreeMap::new();
        for word in self.events.iter().map(|event| self.word(event)) {
            if word != PRINTED && word != CONTINUED {
                *counted.entry(word).or_default() += 1;
            }
        }
        counted
    }

    /// Of each event, that its cause is in the story and came before, and that only the end is another story.
    pub fn holds_together(&self) {
        let story = &self.events[0]["correlation_id"];
        let mut before = BTreeSet::new();
        for event in &self.events {
            let word = self.word(event);
            assert_eq!(&event["correlation_id"] == story, word != "the server is up", "{word}: {event}");
            match event["causation_id"].as_str() {
                Some(cause) => assert!(before.contains(cause), "{word} comes before what led to it: {event}"),
                None => assert!(STORY.contains(&(word, "")), "nothing led to: {word}: {event}"),
            }
            before.insert(event["id"].as_str().unwrap());
        }
    }
}

/// What the log must say, as [`Story::counted`] does.
pub fn expected() -> BTreeMap<&'static str, usize> {
    STORY.into_iter().map(|(word, _)| (word, 1)).collect()
}

/// All that must be so in the morning, whatever was killed: how often at most a notification may have come again.
pub async fn is_told_right(night: &mut Night, repeated: usize) -> Story {
    let story = Story::of(night).await;
    assert_eq!(story.counted(), expected());
    story.holds_together();
    let head = story.log.last().unwrap()["seq"].as_i64().unwrap();
    night.reader.reaches(head).await;
    assert!(night.reader.heard().starts_with(&story.log), "the reader has heard what is in the log");

    let executions = night.operator.client().get("/api/v1/executions").await.json;
    let executions = executions["items"].as_array().unwrap().clone();
    assert_eq!(executions.len(), 2);
    for execution in &executions {
        assert_eq!(execution["status"], "succeeded", "{execution}");
        let steps = execution["steps"].as_array().unwrap();
        assert!(steps.iter().all(|step| step["status"] == "succeeded" && step["attempt"] == 1), "{execution}");
    }
    let incidents = night.operator.client().get("/api/v1/incidents").await.json;
    assert_eq!(incidents["items"].as_array().unwrap().len(), 1, "{incidents}");
    assert_eq!((&incidents["items"][0]["status"], &incidents["items"][0]["comments"]), (&"resolved".into(), &2.into()));
    everybody_was_told(night, &story, repeated);
    let (_, differences) = compare(&night.world.database).await.unwrap();
    assert_eq!(differences, []);
    story
}

/// Each notification came, by the id that its delivery has in the log, and hardly one twice.
fn everybody_was_told(night: &mut Night, story: &Story, repeated: usize) {
    let of_channel = |channel: &Value| -> BTreeMap<String, i64> {
        let sent = story.events.iter().filter(|event| event["type"] == "notification.sent");
        let sent = sent.filter(|event| event["data"]["channel"] == channel["id"]);
        sent.map(|event| (delivery(event), event["data"]["event_seq"].as_i64().unwrap())).collect()
    };
    let requests: Vec<Received> = night.receiver.rest();
    let mut told = BTreeMap::new();
    for request in &requests {
        assert_eq!(verified_by(request, &[&night.pager["secret"]]), [true], "{request:?}");
        let event = request.json()["data"]["seq"].as_i64().unwrap();
        let id = request.headers["webhook-id"].clone();
        assert_eq!(*told.entry(id.clone()).or_insert(event), event, "{id} is of one event");
    }
    let expected = of_channel(&night.pager).into_iter().map(|(id, seq)| (format!("msg_{id}"), seq)).collect();
    assert_eq!((told.len(), told), (4, expected));
    assert!(requests.len() <= 4 + repeated, "{} requests", requests.len());

    let mails: Vec<Mail> = night.mailbox.rest();
    let id = |mail: &Mail| mail.text.split("Message-ID: <").nth(1).unwrap().split('@').next().unwrap().to_owned();
    let told: BTreeSet<String> = mails.iter().map(id).collect();
    assert_eq!((told.len(), told), (2, of_channel(&night.mail).into_keys().collect()));
    assert!(mails.len() <= 2 + repeated, "{} mails", mails.len());
}

/// Its id, as receivers see it.
fn delivery(sent: &Value) -> String {
    sent["stream"].as_str().unwrap().trim_start_matches("notification-delivery/").replace('-', "")
}

/// What each event says, by its id.
fn words(night: &Night, events: &[Value]) -> HashMap<String, String> {
    let mut runbooks: HashMap<&str, &str> = HashMap::new();
    let mut words: HashMap<String, String> = HashMap::new();
    let mut by_seq: HashMap<i64, String> = HashMap::new();
    for event in events {
        let (kind, stream, data) = (event["type"].as_str().unwrap(), event["stream"].as_str().unwrap(), &event["data"]);
        let text = |name: &str| data[name].as_str().unwrap_or_default();
        let actor = event["actor"]["name"].as_str().unwrap();
        if kind == "automation.queued" {
            runbooks.insert(stream, data["definition"]["name"].as_str().unwrap());
        }
        let runbook = runbooks.get(stream).copied().unwrap_or_default();
        let word = match kind {
            "server.status.changed" => format!("the server is {}", text("new")),
            "incident.created" => "incident created".to_owned(),
            "incident.commented" => format!("incident commented by {actor}"),
            "incident.status.changed" => format!("incident {} by {actor}", text("new")),
            "automation.step.started" => format!("{runbook}: begins {}", text("name")),
            "automation.step.finished" => format!("{runbook}: {} {}", text("name"), text("outcome")),
            "automation.continued" => CONTINUED.to_owned(),
            "log.added" => PRINTED.to_owned(),
            "notification.sent" => {
                let channel = if data["channel"] == night.pager["id"] { "pager" } else { "mail" };
                let of = by_seq.get(&data["event_seq"].as_i64().unwrap()).map_or("?", String::as_str);
                format!("{channel} told of: {of}")
            }
            kind => match kind.strip_prefix("automation.") {
                Some(what) => format!("{runbook}: {what}"),
                None => format!("{kind} {data}"), // nothing else is expected
            },
        };
        by_seq.insert(event["seq"].as_i64().unwrap(), word.clone());
        words.insert(event["id"].as_str().unwrap().to_owned(), word);
    }
    words
}

/// Whether lines are those of one run to its end, and before it those of runs that were lost on the way.
pub fn are_of_runs(lines: &[&str], lost: usize) -> bool {
    let Some(before) = lines.strip_suffix(&LINES) else { return false };
    // What was printed and not yet recorded is lost with its process: a lost run has left some of its beginning.
    let runs = before.iter().filter(|line| **line == LINES[0]).count();
    let goes_on = before.windows(2).all(|pair| pair[1] == LINES[0] || position(pair[0]) < position(pair[1]));
    runs <= lost && goes_on && before.first().is_none_or(|first| *first == LINES[0])
}

fn position(line: &str) -> Option<usize> {
    LINES.iter().position(|known| *known == line)
}
