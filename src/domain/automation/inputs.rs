//! Values for typed inputs.

use std::collections::BTreeMap;

use serde_json::Value;

use super::check::{SECRET_CHARS_LEAST, Violation};
use super::definition::{Definition, Input, InputKind};

/// Characters of a value.
const VALUE_CHARS: usize = 8_192;
/// What every reader of JSON keeps exactly (RFC 8785 writes numbers as IEEE 754 does).
const INTEGER_MOST: i64 = (1 << 53) - 1;

/// Values that fit a definition.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Inputs {
    /// What may be seen, defaults included.
    pub plain: BTreeMap<String, Value>,
    /// What may not; it never becomes part of an event or a state.
    pub secret: BTreeMap<String, String>,
}

/// Fits given values to a definition's inputs.
///
/// # Errors
/// Everything that is wrong, with pointers below `/inputs`.
pub fn bind(definition: &Definition, given: &BTreeMap<String, Value>) -> Result<Inputs, Vec<Violation>> {
    let mut bound = Inputs::default();
    let mut wrong = Vec::new();
    let mut refuse = |name: &str, message: String| {
        let name = name.replace('~', "~0").replace('/', "~1");
        wrong.push(Violation { pointer: format!("/inputs/{name}"), message });
    };
    for name in given.keys().filter(|name| !definition.inputs.iter().any(|input| &input.name == *name)) {
        refuse(name, "is no input of this runbook".to_owned());
    }
    for input in &definition.inputs {
        let value = given.get(&input.name).filter(|value| !value.is_null()).or(input.default.as_ref());
        match value {
            None if input.required => refuse(&input.name, "is required".to_owned()),
            None => {}
            Some(value) => match (input.wrong(value), value) {
                (Some(message), _) => refuse(&input.name, message),
                (None, Value::String(secret)) if input.secret => {
                    bound.secret.insert(input.name.clone(), secret.clone());
                }
                (None, value) => {
                    bound.plain.insert(input.name.clone(), value.clone());
                }
            },
        }
    }
    if wrong.is_empty() { Ok(bound) } else { Err(wrong) }
}

impl Input {
    /// What is wrong with a value; `None`: it fits.
    pub fn wrong(&self, value: &Value) -> Option<String> {
        let text = value.as_str();
        let wanted = match self.kind {
            InputKind::Text => {
                let text = match text {
                    Some(text) => text,
                    None => return Some("is text".to_owned()),
                };
                let chars = text.chars().count();
                if chars > VALUE_CHARS || text.contains('\0') {
                    return Some(format!("has at most {VALUE_CHARS} characters, none of them NUL"));
                }
                let too_short = self.secret && chars < SECRET_CHARS_LEAST;
                return too_short.then(|| format!("is a secret of {SECRET_CHARS_LEAST} characters or more"));
            }
            InputKind::Integer
                if value.as_i64().is_some_and(|number| number.unsigned_abs() <= INTEGER_MOST.unsigned_abs()) =>
            {
                return None;
            }
            InputKind::Integer => format!("is a whole number of -{INTEGER_MOST} to {INTEGER_MOST}"),
            InputKind::Boolean if value.is_boolean() => return None,
            InputKind::Boolean => "is true or false".to_owned(),
            InputKind::Choice if text.is_some_and(|text| self.choices.iter().any(|choice| choice == text)) => {
                return None;
            }
            InputKind::Choice => format!("is one of {}", self.choices.join(", ")),
        };
        Some(wanted)
    }
}
