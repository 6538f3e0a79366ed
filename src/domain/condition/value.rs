//! What the operators mean.

use std::cmp::Ordering;

use serde_json::Value;

use super::Operator;

/// The fact that a path leads to; `null` when it is not there.
pub(super) fn fact<'a>(event: &'a Value, path: &[String]) -> &'a Value {
    path.iter().try_fold(event, |value, key| value.get(key)).unwrap_or(&Value::Null)
}

/// Whether two values stand so to each other.
pub(super) fn compare(left: &Value, operator: Operator, right: &Value) -> bool {
    match operator {
        Operator::Equal => equal(left, right),
        Operator::Unequal => !equal(left, right),
        Operator::Less => order(left, right) == Some(Ordering::Less),
        Operator::AtMost => matches!(order(left, right), Some(Ordering::Less | Ordering::Equal)),
        Operator::Greater => order(left, right) == Some(Ordering::Greater),
        Operator::AtLeast => matches!(order(left, right), Some(Ordering::Greater | Ordering::Equal)),
        Operator::Contains => contains(left, right),
        Operator::In => contains(right, left),
    }
}

/// 1 and 1.0 are the same number.
fn equal(left: &Value, right: &Value) -> bool {
    left == right || order(left, right) == Some(Ordering::Equal)
}

fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        (Value::Number(left), Value::Number(right)) => match (left.as_i64(), right.as_i64()) {
            (Some(left), Some(right)) => Some(left.cmp(&right)),
            _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
        },
        _ => None,
    }
}

fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::String(whole), Value::String(part)) => whole.contains(part.as_str()),
        (Value::Array(whole), part) => whole.iter().any(|element| equal(element, part)),
        (Value::Object(whole), Value::String(key)) => whole.contains_key(key),
        _ => false,
    }
}
