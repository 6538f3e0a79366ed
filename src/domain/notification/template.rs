//! Texts with facts in them: `{{data.title}} is {{data.severity}}`. No logic, no functions, nothing to escape into.
//!
//! A fact is named by a path as in a condition. A text stands as it is; a number, a list or anything else as JSON; a
//! fact that is not there as nothing.

use serde_json::Value;

use crate::domain::condition::{Path, SyntaxError, fact, read_path};

/// Most characters of a template.
pub const CHARS: usize = 4_000;
/// Most characters of what it makes.
pub const RENDERED_CHARS: usize = 16_000;

/// A template that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Text(String),
    Fact(Path),
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// Where it is none, or is longer than [`CHARS`].
    pub fn parse(text: &str) -> Result<Template, SyntaxError> {
        let wrong = |at: usize, message: String| SyntaxError { position: text[..at].chars().count() + 1, message };
        if text.chars().count() > CHARS {
            return Err(SyntaxError { position: CHARS + 1, message: format!("has more than {CHARS} characters") });
        }
        let (mut parts, mut at) = (Vec::new(), 0);
        while let Some(open) = text[at..].find("{{").map(|open| at + open) {
            parts.push(Part::Text(text[at..open].to_owned()));
            let begin = skip_spaces(text, open + 2);
            let (path, length) = read_path(text, begin)?;
            let end = skip_spaces(text, begin + length);
            if !text[end..].starts_with("}}") {
                return Err(wrong(end, "expected }}".to_owned()));
            }
            parts.push(Part::Fact(path));
            at = end + 2;
        }
        parts.push(Part::Text(text[at..].to_owned()));
        Ok(Template(parts))
    }

    /// The text for an event, given as the JSON that every door shows; cut at [`RENDERED_CHARS`].
    pub fn render(&self, event: &Value) -> String {
        let texts = self.0.iter().map(|part| match part {
            Part::Text(text) => text.clone(),
            Part::Fact(path) => match fact(event, path) {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            },
        });
        texts.collect::<String>().chars().take(RENDERED_CHARS).collect()
    }
}

fn skip_spaces(text: &str, at: usize) -> usize {
    at + text[at..].len() - text[at..].trim_start_matches(' ').len()
}
