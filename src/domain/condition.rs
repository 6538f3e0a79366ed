//! Conditions on an event, in a small closed language: what rules and triggers ask.
//!
//! ```text
//! data.severity in ["P0", "P1"] && !(data.title contains "drill" || actor.name == "import")
//! ```
//!
//! - A path such as `data.labels["team/name"]` names a fact of the event as every door shows it: `type`, `stream`,
//!   `actor.name`, `data.severity` … A fact that is not there is `null`.
//! - `== != < <= > >=` compare; `contains` asks for a part of a text or an element of a list; `in` asks the other way
//!   round. Values of different kinds are unequal and in no order. Texts compare by their bytes, so case counts, and
//!   times as the contract writes them compare as times.
//! - `!` binds tighter than `&&`, and that tighter than `||`. A value that stands alone holds when it is `true`.
//!
//! There are no functions, no arithmetic and no loops: the cost of asking is bounded by the length of the text.

mod lexer;
mod parser;
mod value;

#[cfg(test)]
mod tests;

use serde_json::Value;

pub use lexer::{path_end, read_path};

/// Most characters of a condition.
pub const CHARS: usize = 1_000;
/// Most parentheses and negations around one comparison.
pub const DEPTH: usize = 16;

/// A condition that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition(Node);

/// Where a text is not a condition, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at character {position}: {message}")]
pub struct SyntaxError {
    /// Of the first character that does not fit, from 1.
    pub position: usize,
    /// A phrase for people: "expected a value".
    pub message: String,
}

/// The keys that lead to a fact.
pub type Path = Vec<String>;

#[derive(Debug, Clone, PartialEq)]
enum Node {
    Or(Vec<Node>),
    And(Vec<Node>),
    Not(Box<Node>),
    Is(Operand),
    Compare(Operand, Operator, Operand),
}

#[derive(Debug, Clone, PartialEq)]
enum Operand {
    Fact(Path),
    Literal(Value),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    Unequal,
    Less,
    AtMost,
    Greater,
    AtLeast,
    Contains,
    In,
}

impl Condition {
    /// Reads a condition.
    ///
    /// # Errors
    /// Where it is none, or is longer than [`CHARS`] or deeper than [`DEPTH`].
    pub fn parse(text: &str) -> Result<Condition, SyntaxError> {
        if text.chars().count() > CHARS {
            return Err(SyntaxError { position: CHARS + 1, message: format!("has more than {CHARS} characters") });
        }
        parser::parse(text).map(Condition)
    }

    /// Whether it holds for an event, given as the JSON that every door shows.
    pub fn holds(&self, event: &Value) -> bool {
        self.0.holds(event)
    }
}

impl Node {
    fn holds(&self, event: &Value) -> bool {
        match self {
            Node::Or(any) => any.iter().any(|node| node.holds(event)),
            Node::And(all) => all.iter().all(|node| node.holds(event)),
            Node::Not(node) => !node.holds(event),
            Node::Is(operand) => operand.of(event) == &Value::Bool(true),
            Node::Compare(left, operator, right) => value::compare(left.of(event), *operator, right.of(event)),
        }
    }
}

impl Operand {
    fn of<'a>(&'a self, event: &'a Value) -> &'a Value {
        match self {
            Operand::Fact(path) => value::fact(event, path),
            Operand::Literal(value) => value,
        }
    }
}

/// The fact that a path leads to; `null` when it is not there.
pub fn fact<'a>(event: &'a Value, path: &[String]) -> &'a Value {
    value::fact(event, path)
}
