//! Which part of a body is wrong. The framework stops at the first and does not say where; the document knows.
//!
//! Asked only when a body has been refused, so it need not know all of JSON Schema: what it does not know it lets pass,
//! and the framework's own words stand.

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

/// Mistakes that are told at once.
const MOST_ERRORS: usize = 20;

/// The named schemas of the document.
pub struct Shapes(Value);

impl Shapes {
    /// Those of this document.
    pub fn of(document: &Value) -> Shapes {
        Shapes(document["components"]["schemas"].clone())
    }

    /// JSON pointers to what does not fit, each with what would.
    pub fn errors(&self, schema: &Value, body: &Value) -> Vec<(String, String)> {
        let mut found = Vec::new();
        self.visit(schema, body, "", &mut found);
        found.truncate(MOST_ERRORS);
        found
    }

    fn visit(&self, schema: &Value, value: &Value, at: &str, found: &mut Vec<(String, String)>) {
        if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
            return self.visit(&self.0[name], value, at, found);
        }
        for part in schema["allOf"].as_array().into_iter().flatten() {
            self.visit(part, value, at, found);
        }
        if let Some(ways) = schema["anyOf"].as_array() {
            return self.any(ways, value, at, found);
        }
        let before = found.len();
        found.extend(unlike(schema, value).map(|message| (at.to_owned(), message)));
        if found.len() > before {
            return;
        }
        match value {
            Value::Object(fields) => self.fields(schema, fields, at, found),
            Value::Array(items) => {
                let items = items.iter().enumerate().take_while(|_| schema.get("items").is_some());
                items.for_each(|(nth, item)| self.visit(&schema["items"], item, &format!("{at}/{nth}"), found));
            }
            _ => {}
        }
    }

    /// What fits one of these fits; else what is wrong is said of the one that is no null.
    fn any(&self, ways: &[Value], value: &Value, at: &str, found: &mut Vec<(String, String)>) {
        let tried = ways.iter().map(|way| {
            let mut wrong = Vec::new();
            self.visit(way, value, at, &mut wrong);
            (way["type"] == "null", wrong)
        });
        let tried: Vec<_> = tried.collect();
        if tried.iter().all(|(_, wrong)| !wrong.is_empty()) {
            found.extend(tried.into_iter().filter(|(is_null, _)| !is_null).flat_map(|(_, wrong)| wrong));
        }
    }

    fn fields(
        &self,
        schema: &Value,
        fields: &serde_json::Map<String, Value>,
        at: &str,
        found: &mut Vec<(String, String)>,
    ) {
        let place = |name: &str| format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
        let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        for name in required.filter(|name| !fields.contains_key(*name)) {
            found.push((place(name), "is required".to_owned()));
        }
        let properties = schema["properties"].as_object();
        for (name, value) in fields {
            match (properties.and_then(|all| all.get(name)), &schema["additionalProperties"]) {
                (Some(known), _) => self.visit(known, value, &place(name), found),
                (None, Value::Bool(false)) => {
                    let names = Vec::from_iter(properties.into_iter().flat_map(|all| all.keys()).map(String::as_str));
                    found.push((place(name), format!("is not known; there are: {}", names.join(", "))));
                }
                (None, other) => self.visit(other, value, &place(name), found),
            }
        }
    }
}

/// What a value must be and is not, its parts apart.
fn unlike(schema: &Value, value: &Value) -> Option<String> {
    let types: Vec<&str> = match &schema["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect(),
    };
    if !types.is_empty() && !types.iter().any(|one| is(one, value)) {
        let wanted = types.iter().find(|one| **one != "null").unwrap_or(&"null");
        return Some(format!("must be {}", called(wanted)));
    }
    if let Some(words) = schema["enum"].as_array().filter(|words| !words.contains(value)) {
        let words = words.iter().map(|word| word.as_str().map_or_else(|| word.to_string(), str::to_owned));
        return Some(format!("must be one of: {}", Vec::from_iter(words).join(", ")));
    }
    let number = value.as_i64().map(i128::from).or(value.as_u64().map(i128::from));
    match (schema["format"].as_str(), value.as_str()) {
        (Some("uuid"), Some(text)) if text.parse::<Uuid>().is_err() => Some("must be a UUID".to_owned()),
        (Some("date-time"), Some(text)) if OffsetDateTime::parse(text, &Rfc3339).is_err() => {
            Some("must be a time such as 2026-01-31T12:00:00Z".to_owned())
        }
        (Some(format), None) => {
            let (least, most) = range(format)?;
            number.filter(|number| !(least..=most).contains(number)).map(|_| format!("must be {least} to {most}"))
        }
        _ => None,
    }
}

fn is(kind: &str, value: &Value) -> bool {
    match kind {
        "null" => value.is_null(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => true,
    }
}

fn called(kind: &str) -> &'static str {
    match kind {
        "string" => "a string",
        "boolean" => "true or false",
        "integer" => "a whole number",
        "number" => "a number",
        "array" => "a list",
        "null" => "null",
        _ => "an object",
    }
}

fn range(format: &str) -> Option<(i128, i128)> {
    Some(match format {
        "uint8" => (0, u8::MAX.into()),
        "uint16" => (0, u16::MAX.into()),
        "uint32" => (0, u32::MAX.into()),
        "uint64" => (0, u64::MAX.into()),
        "int32" => (i32::MIN.into(), i32::MAX.into()),
        "int64" => (i64::MIN.into(), i64::MAX.into()),
        _ => return None,
    })
}
