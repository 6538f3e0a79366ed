//! One line of the export, translated.

use std::collections::BTreeMap;

use csv::StringRecord;
use time::OffsetDateTime;
use uuid::{Builder, Uuid};

use super::translate;
use crate::domain::incident::limits::TITLE_CHARS;
use crate::domain::incident::{Command, Create, Incident, Priority, Refusal, Severity, Status, decide};
use crate::log::sha256;

/// The columns that are read. All of them must be there; others may be, and are ignored.
const COLUMNS: [&str; 27] = [
    "number",
    "incident_state",
    "sys_mod_count",
    "made_sla",
    "caller_id",
    "opened_by",
    "opened_at",
    "sys_updated_by",
    "sys_updated_at",
    "contact_type",
    "location",
    "category",
    "subcategory",
    "u_symptom",
    "cmdb_ci",
    "impact",
    "urgency",
    "priority",
    "assignment_group",
    "assigned_to",
    "problem_id",
    "rfc",
    "vendor",
    "caused_by",
    "closed_code",
    "resolved_by",
    "closed_at",
];

/// Columns that become labels, and those labels' keys.
const LABELS: [(&str, &str); 12] = [
    ("number", "source/number"),
    ("contact_type", "contact-type"),
    ("location", "location"),
    ("category", "category"),
    ("subcategory", "subcategory"),
    ("u_symptom", "symptom"),
    ("assignment_group", "assignment-group"),
    ("problem_id", "problem"),
    ("rfc", "change"),
    ("vendor", "vendor"),
    ("caused_by", "caused-by"),
    ("made_sla", "made-sla"),
];

/// One update of one incident.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// Where it begins in the file.
    pub line: u64,
    /// Of the row's text: equal rows of any file are one row.
    pub hash: [u8; 32],
    /// From the hash: the correlation id of the row's events.
    pub id: Uuid,
    /// The source's name for the incident: `INC0000045`.
    pub number: String,
    /// From the number: the id of the incident here.
    pub incident: Uuid,
    pub opened_at: OffsetDateTime,
    pub updated_at: OffsetDateTime,
    pub closed_at: Option<OffsetDateTime>,
    pub updated_by: Option<String>,
    pub facts: Facts,
}

/// What a row says of its incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    pub title: String,
    pub description: String,
    pub severity: Severity,
    pub priority: Priority,
    pub assignee: Option<String>,
    pub affected_servers: Vec<String>,
    pub labels: BTreeMap<String, String>,
    pub state: State,
}

/// A state in the source's word and in ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    pub word: String,
    pub status: Option<Status>,
    /// How it ended, as far as the row tells.
    pub resolution: Option<String>,
}

impl Facts {
    /// What is known of an incident when the row before is not at hand: a later file holds only newer rows.
    /// The word for the state is not known then; it is taken to be the row's if the statuses agree.
    pub fn of(incident: &Incident, row: &Row) -> Facts {
        let told = &row.facts.state;
        let agrees = told.status.is_none_or(|status| status == incident.status);
        let unknown = State { word: String::new(), status: Some(incident.status), resolution: None };
        Facts {
            title: incident.title.clone(),
            description: incident.description.clone(),
            severity: incident.severity,
            priority: incident.priority,
            assignee: incident.assignee.clone(),
            affected_servers: incident.affected_servers.clone(),
            labels: incident.labels.clone(),
            state: if agrees { told.clone() } else { unknown },
        }
    }
}

impl Row {
    /// The command that begins its incident.
    pub fn create(&self, number: i64) -> Command {
        let facts = self.facts.clone();
        Command::Create(Create {
            number,
            title: facts.title,
            description: facts.description,
            severity: facts.severity,
            priority: facts.priority,
            assignee: facts.assignee,
            affected_servers: facts.affected_servers,
            labels: facts.labels,
            dedup_key: None,
        })
    }
}

/// Where in a record the columns are, in the order of [`COLUMNS`].
pub(super) struct Columns {
    places: Vec<usize>,
    width: usize,
}

/// One record under its columns.
struct Record<'a> {
    columns: &'a Columns,
    fields: &'a StringRecord,
}

impl Columns {
    /// Finds the columns by their names.
    ///
    /// # Errors
    /// Names those that are missing.
    pub fn find(header: &StringRecord) -> Result<Columns, String> {
        let place = |name: &str| header.iter().position(|column| column.trim() == name);
        let missing: Vec<_> = COLUMNS.into_iter().filter(|name| place(name).is_none()).collect();
        if !missing.is_empty() {
            return Err(format!("the file has no column {}", missing.join(", ")));
        }
        Ok(Columns { places: COLUMNS.into_iter().filter_map(place).collect(), width: header.len() })
    }

    /// Translates a record.
    ///
    /// # Errors
    /// A phrase that says what is wrong with it.
    pub fn read(&self, line: u64, fields: &StringRecord) -> Result<Row, String> {
        if fields.len() != self.width {
            return Err(format!("has {} columns, the header has {}", fields.len(), self.width));
        }
        let record = Record { columns: self, fields };
        let number = record.words("number").ok_or("has no number")?;
        let hash = record.hash();
        let row = Row {
            line,
            id: name(&hash),
            hash,
            incident: incident_id(&number),
            opened_at: translate::time("opened_at", record.field("opened_at"))?,
            updated_at: translate::time("sys_updated_at", record.field("sys_updated_at"))?,
            closed_at: record.words("closed_at").map(|text| translate::time("closed_at", &text)).transpose()?,
            updated_by: record.words("sys_updated_by"),
            facts: record.facts(&number)?,
            number,
        };
        // Whatever the rules would refuse in the whole of it is a bad row here, before anything is appended.
        decide(None, &row.create(1)).map_err(|refusal| reason(&refusal))?;
        Ok(row)
    }
}

impl Record<'_> {
    fn field(&self, column: &str) -> &str {
        let place = COLUMNS.iter().zip(&self.columns.places).find(|(name, _)| **name == column);
        place.and_then(|(_, place)| self.fields.get(*place)).unwrap_or_default().trim()
    }

    /// A field's words, one space between them. `None` where the export has nothing: `?`.
    fn words(&self, column: &str) -> Option<String> {
        let words = self.field(column).split_whitespace().collect::<Vec<_>>().join(" ");
        (!words.is_empty() && words != "?").then_some(words)
    }

    fn facts(&self, number: &str) -> Result<Facts, String> {
        let label = |(column, key): (&str, &str)| Some((key.to_owned(), self.words(column)?));
        Ok(Facts {
            title: self.title(number),
            description: self.description(number),
            severity: translate::severity(self.field("impact"), self.field("urgency"))?,
            priority: translate::priority(self.field("priority"))?,
            assignee: self.words("assigned_to"),
            affected_servers: self.words("cmdb_ci").into_iter().collect(),
            labels: LABELS.into_iter().filter_map(label).collect(),
            state: self.state()?,
        })
    }

    /// `Symptom 72 in Category 55, Subcategory 170`, as much of it as is known.
    fn title(&self, number: &str) -> String {
        let place: Vec<_> = ["category", "subcategory"].into_iter().filter_map(|column| self.words(column)).collect();
        let title = match (self.words("u_symptom"), place.join(", ")) {
            (Some(symptom), place) if place.is_empty() => symptom,
            (Some(symptom), place) => format!("{symptom} in {place}"),
            (None, place) if place.is_empty() => format!("Incident {number}"),
            (None, place) => place,
        };
        title.chars().take(TITLE_CHARS).collect()
    }

    fn description(&self, number: &str) -> String {
        let line = |(column, word)| Some(format!("\n{word}: {}", self.words(column)?));
        let lines = [("caller_id", "Caller"), ("opened_by", "Opened by")].into_iter().filter_map(line);
        format!("{number} of the service desk.{}", lines.collect::<String>())
    }

    fn state(&self) -> Result<State, String> {
        let word = self.words("incident_state").unwrap_or_default();
        let status = translate::status(&word)?;
        // The export repeats how it ended on all rows of an incident, also on those from before its end.
        let ended = matches!(status, Some(Status::Resolved | Status::Closed));
        let resolution = self.words("closed_code").filter(|_| ended).map(|code| match self.words("resolved_by") {
            Some(resolver) => format!("{code}, {resolver}"),
            None => code,
        });
        Ok(State { word, status, resolution })
    }

    fn hash(&self) -> [u8; 32] {
        let mut text = String::new();
        for name in COLUMNS {
            text.push_str(self.field(name));
            text.push('\x1f');
        }
        sha256(text.as_bytes())
    }
}

/// A refusal with its details in one line.
pub(super) fn reason(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Invalid(violations) => {
            let phrases = violations.iter().map(|broken| format!("{} {}", broken.pointer, broken.message));
            phrases.collect::<Vec<_>>().join("; ")
        }
        _ => refusal.to_string(),
    }
}

/// The id that an incident of this number has in every Signalbox.
fn incident_id(number: &str) -> Uuid {
    name(&sha256(format!("signalbox-import:{number}").as_bytes()))
}

/// A UUIDv8: the first half of a hash.
fn name(hash: &[u8; 32]) -> Uuid {
    let mut half = [0; 16];
    half.copy_from_slice(&hash[..16]);
    Builder::from_custom_bytes(half).into_uuid()
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

    use time::macros::datetime;

    use super::*;

    /// A row of the export, with some fields replaced.
    pub fn row(fields: &[(&str, &str)]) -> Result<Row, String> {
        let ordinary = |name: &str| match name {
            "number" => "INC0000045",
            "incident_state" => "New",
            "sys_mod_count" => "0",
            "made_sla" => "TRUE",
            "caller_id" => "Caller 2403",
            "opened_by" => "Opened by  8",
            "opened_at" | "sys_updated_at" => "29-02-2016 01:16",
            "sys_updated_by" => "Updated by 21",
            "category" => "Category 55",
            "subcategory" => "Subcategory 170",
            "u_symptom" => "Symptom 72",
            "impact" | "urgency" => "2 - Medium",
            "priority" => "3 - Moderate",
            "closed_code" => "code 5",
            "resolved_by" => "Resolved by 149",
            "closed_at" => "05-03-2016 12:00",
            _ => "?",
        };
        let field = |name: &str| fields.iter().find(|field| field.0 == name).map_or(ordinary(name), |field| field.1);
        let columns = Columns::find(&StringRecord::from(COLUMNS.to_vec())).unwrap();
        columns.read(2, &StringRecord::from(COLUMNS.map(field).to_vec()))
    }

    #[test]
    fn a_row_tells_all_it_knows_of_its_incident() {
        let row = row(&[("cmdb_ci", "cmdb_ci 31"), ("assigned_to", "Resolver 193"), ("made_sla", "FALSE")]).unwrap();
        let facts = &row.facts;
        assert_eq!(facts.title, "Symptom 72 in Category 55, Subcategory 170");
        assert_eq!(facts.description, "INC0000045 of the service desk.\nCaller: Caller 2403\nOpened by: Opened by 8");
        assert_eq!((facts.severity, facts.priority), (Severity::P2, Priority::Normal));
        assert_eq!(facts.assignee.as_deref(), Some("Resolver 193"));
        assert_eq!(facts.affected_servers, ["cmdb_ci 31"]);
        assert_eq!(facts.labels["source/number"], "INC0000045");
        assert_eq!(facts.labels["made-sla"], "FALSE");
        assert!(!facts.labels.contains_key("location"), "a question mark is no fact");
        assert_eq!(row.opened_at, datetime!(2016-02-29 01:16 UTC));
        assert_eq!(row.closed_at, Some(datetime!(2016-03-05 12:00 UTC)));
    }

    #[test]
    fn how_it_ended_is_told_only_once_it_has() {
        assert_eq!(row(&[]).unwrap().facts.state.resolution, None);
        let resolved = row(&[("incident_state", "Resolved")]).unwrap();
        assert_eq!(resolved.facts.state.resolution.as_deref(), Some("code 5, Resolved by 149"));
        let unsaid = row(&[("incident_state", "Closed"), ("closed_code", "?")]).unwrap();
        assert_eq!(unsaid.facts.state.resolution, None);
    }

    #[test]
    fn a_title_makes_do_with_what_is_known() {
        let title = |fields: &[(&str, &str)]| row(fields).unwrap().facts.title;
        assert_eq!(title(&[("u_symptom", "?")]), "Category 55, Subcategory 170");
        assert_eq!(title(&[("category", "?"), ("subcategory", "?")]), "Symptom 72");
        assert_eq!(title(&[("u_symptom", "?"), ("category", "?"), ("subcategory", "?")]), "Incident INC0000045");
    }

    #[test]
    fn ids_follow_from_what_they_name() {
        let (first, again, later) = (row(&[]).unwrap(), row(&[]).unwrap(), row(&[("sys_mod_count", "1")]).unwrap());
        assert_eq!((first.id, first.incident), (again.id, again.incident));
        assert_eq!(first.incident, later.incident);
        assert_ne!(first.id, later.id);
        assert_ne!(first.incident, row(&[("number", "INC0000046")]).unwrap().incident);
        assert_eq!(first.incident.get_version_num(), 8);
    }

    #[test]
    fn a_bad_row_says_why() {
        let reason = |fields: &[(&str, &str)]| row(fields).unwrap_err();
        assert_eq!(reason(&[("number", "?")]), "has no number");
        assert_eq!(reason(&[("incident_state", "Lost")]), "`Lost` is no known incident_state");
        assert!(reason(&[("closed_at", "soon")]).starts_with("`soon` is no closed_at"));
        let long = "x".repeat(300);
        assert!(reason(&[("location", &long)]).contains("/labels/location has 300 characters"));
    }

    #[test]
    fn missing_columns_are_named_and_short_rows_refused() {
        let header = StringRecord::from(COLUMNS[2..].to_vec());
        assert_eq!(Columns::find(&header).err().unwrap(), "the file has no column number, incident_state");
        let columns = Columns::find(&StringRecord::from(COLUMNS.to_vec())).unwrap();
        let short = columns.read(2, &StringRecord::from(vec!["INC0000045", "New"]));
        assert_eq!(short.unwrap_err(), "has 2 columns, the header has 27");
    }
}
