//! `{{inputs.name}}` and `{{steps.name.incident}}` in a step's texts: replaced once, and what came in is not looked
//! at again.

use std::collections::BTreeMap;

use super::inputs::Inputs;

/// What a text can take.
#[derive(Debug, Clone)]
pub struct Values<'a> {
    /// By the input's name.
    pub inputs: &'a Inputs,
    /// Keys of the incidents that steps before it opened or changed, by the step's name.
    pub incidents: BTreeMap<&'a str, &'a str>,
}

/// Why a text cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unrenderable {
    /// An input without a value.
    #[error("the input {0} has no value")]
    NoValue(String),
    /// A step that has touched no incident.
    #[error("the step {0} has opened or changed no incident")]
    NoIncident(String),
    /// `--option` where a plain argument was meant.
    #[error("the input {0} begins with -, which the program would take for an option")]
    Option(String),
}

/// The pieces of a text.
enum Piece<'a> {
    Plain(&'a str),
    /// Its name.
    Input(&'a str),
    /// A step's name, and what of it: `Open.incident`.
    Step(&'a str),
}

/// A text with the values that it names.
///
/// # Errors
/// [`Unrenderable::NoValue`], [`Unrenderable::NoIncident`].
pub fn render(text: &str, values: &Values<'_>) -> Result<String, Unrenderable> {
    let mut rendered = String::with_capacity(text.len());
    for piece in pieces(text) {
        match piece {
            Piece::Plain(plain) => rendered += plain,
            Piece::Input(name) => rendered += &values.inputs.text(name)?,
            Piece::Step(named) => rendered += values.incident(incident_of(named).unwrap_or(named))?,
        }
    }
    Ok(rendered)
}

/// The same for an argument of a program. One that begins with an input's value is no option, whoever
/// filled it in: `--force` is a choice of the runbook's author.
///
/// # Errors
/// [`Unrenderable`].
pub fn render_argument(text: &str, values: &Values<'_>) -> Result<String, Unrenderable> {
    let rendered = render(text, values)?;
    match pieces(text).first() {
        Some(Piece::Input(name)) if rendered.starts_with('-') => Err(Unrenderable::Option((*name).to_owned())),
        _ => Ok(rendered),
    }
}

/// The inputs that a text names.
pub(super) fn names(text: &str) -> Vec<String> {
    let name = |piece| match piece {
        Piece::Input(name) => Some(str::to_owned(name)),
        Piece::Plain(_) | Piece::Step(_) => None,
    };
    pieces(text).into_iter().filter_map(name).collect()
}

/// What a text takes from other steps, such as `Open.incident`.
pub(super) fn of_steps(text: &str) -> Vec<&str> {
    let named = |piece| match piece {
        Piece::Step(named) => Some(named),
        Piece::Plain(_) | Piece::Input(_) => None,
    };
    pieces(text).into_iter().filter_map(named).collect()
}

/// The step whose incident is meant. A step has nothing else to give.
pub(super) fn incident_of(named: &str) -> Option<&str> {
    named.strip_suffix(".incident")
}

fn pieces(text: &str) -> Vec<Piece<'_>> {
    let (mut pieces, mut plain, mut rest) = (Vec::new(), text, text);
    while let Some((_, behind)) = rest.split_once("{{") {
        rest = behind;
        let Some((named, after)) = behind.split_once("}}") else { break };
        let piece = match (named.strip_prefix("inputs."), named.strip_prefix("steps.")) {
            (Some(input), _) => Piece::Input(input),
            (_, Some(step)) => Piece::Step(step),
            _ => continue, // it means nothing here, and what it holds may
        };
        let before = &plain[..plain.len() - behind.len() - 2];
        pieces.extend((!before.is_empty()).then_some(Piece::Plain(before)));
        pieces.push(piece);
        (plain, rest) = (after, after);
    }
    pieces.extend((!plain.is_empty()).then_some(Piece::Plain(plain)));
    pieces
}

impl Values<'_> {
    fn incident(&self, step: &str) -> Result<&str, Unrenderable> {
        self.incidents.get(step).copied().ok_or_else(|| Unrenderable::NoIncident(step.to_owned()))
    }
}

impl Inputs {
    fn text(&self, name: &str) -> Result<String, Unrenderable> {
        if let Some(secret) = self.secret.get(name) {
            return Ok(secret.clone());
        }
        let value = self.plain.get(name).ok_or_else(|| Unrenderable::NoValue(name.to_owned()))?;
        Ok(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn inputs() -> Inputs {
        let plain = [("host", json!("db-1")), ("n", json!(3)), ("sly", json!("{{inputs.n}}")), ("flag", json!("-rf"))];
        let plain = plain.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Inputs { plain, secret: [("token".to_owned(), "hunter22".to_owned())].into() }
    }

    #[test]
    fn a_text_takes_its_values_once() {
        let inputs = inputs();
        let values = Values { inputs: &inputs, incidents: [("Open it", "INC-7")].into() };
        let render = |text| render(text, &values).unwrap();
        assert_eq!(render("ping {{inputs.host}} {{inputs.n}} times"), "ping db-1 3 times");
        assert_eq!(render("{{inputs.sly}}"), "{{inputs.n}}", "a value is not looked at again");
        assert_eq!(render("{{inputs.token}}"), "hunter22");
        assert_eq!(render("{{ other }} {{inputs.host"), "{{ other }} {{inputs.host");
        assert_eq!(render("{{ {{inputs.n}} }}{{inputs.n}}"), "{{ 3 }}3");
        assert_eq!(render("see {{steps.Open it.incident}}"), "see INC-7");
        let refused = |text| super::render(text, &values).unwrap_err();
        assert_eq!(refused("{{inputs.none}}"), Unrenderable::NoValue("none".to_owned()));
        assert_eq!(refused("{{steps.Ask.incident}}"), Unrenderable::NoIncident("Ask".to_owned()));
    }

    #[test]
    fn an_input_never_becomes_an_option_of_a_program() {
        let inputs = inputs();
        let values = Values { inputs: &inputs, incidents: BTreeMap::new() };
        let argument = |text| render_argument(text, &values);
        assert_eq!(argument("{{inputs.flag}}"), Err(Unrenderable::Option("flag".to_owned())));
        assert_eq!(argument("--path={{inputs.flag}}").unwrap(), "--path=-rf", "the author wrote the option");
        assert_eq!(argument("-v").unwrap(), "-v");
    }
}
