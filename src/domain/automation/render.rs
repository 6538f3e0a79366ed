//! `{{inputs.name}}` in a step's texts: replaced once, and what came in is not looked at again.

use super::inputs::Inputs;

/// Why a text cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unrenderable {
    /// An input without a value.
    #[error("the input {0} has no value")]
    NoValue(String),
    /// `--option` where a plain argument was meant.
    #[error("the input {0} begins with -, which the program would take for an option")]
    Option(String),
}

/// The pieces of a text: plain, or the name of an input.
enum Piece<'a> {
    Plain(&'a str),
    Input(&'a str),
}

/// A text with its inputs' values.
///
/// # Errors
/// [`Unrenderable::NoValue`].
pub fn render(text: &str, inputs: &Inputs) -> Result<String, Unrenderable> {
    let mut rendered = String::with_capacity(text.len());
    for piece in pieces(text) {
        match piece {
            Piece::Plain(plain) => rendered += plain,
            Piece::Input(name) => rendered += &inputs.text(name)?,
        }
    }
    Ok(rendered)
}

/// The same for an argument of a program. One that begins with an input's value is no option, whoever
/// filled it in: `--force` is a choice of the runbook's author.
///
/// # Errors
/// [`Unrenderable`].
pub fn render_argument(text: &str, inputs: &Inputs) -> Result<String, Unrenderable> {
    let rendered = render(text, inputs)?;
    match pieces(text).first() {
        Some(Piece::Input(name)) if rendered.starts_with('-') => Err(Unrenderable::Option((*name).to_owned())),
        _ => Ok(rendered),
    }
}

/// The inputs that a text names.
pub(super) fn names(text: &str) -> Vec<String> {
    let name = |piece| match piece {
        Piece::Input(name) => Some(str::to_owned(name)),
        Piece::Plain(_) => None,
    };
    pieces(text).into_iter().filter_map(name).collect()
}

fn pieces(text: &str) -> Vec<Piece<'_>> {
    const OPEN: &str = "{{inputs.";
    let (mut pieces, mut rest) = (Vec::new(), text);
    while let Some(open) = rest.find(OPEN) {
        let Some(length) = rest[open..].find("}}") else { break };
        if open > 0 {
            pieces.push(Piece::Plain(&rest[..open]));
        }
        pieces.push(Piece::Input(&rest[open + OPEN.len()..open + length]));
        rest = &rest[open + length + 2..];
    }
    if !rest.is_empty() {
        pieces.push(Piece::Plain(rest));
    }
    pieces
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
    fn a_text_takes_its_inputs_values_once() {
        let render = |text| render(text, &inputs()).unwrap();
        assert_eq!(render("ping {{inputs.host}} {{inputs.n}} times"), "ping db-1 3 times");
        assert_eq!(render("{{inputs.sly}}"), "{{inputs.n}}", "a value is not looked at again");
        assert_eq!(render("{{inputs.token}}"), "hunter22");
        assert_eq!(render("{{ other }} {{inputs.host"), "{{ other }} {{inputs.host");
        assert_eq!(super::render("{{inputs.none}}", &inputs()), Err(Unrenderable::NoValue("none".to_owned())));
    }

    #[test]
    fn an_input_never_becomes_an_option_of_a_program() {
        let argument = |text| render_argument(text, &inputs());
        assert_eq!(argument("{{inputs.flag}}"), Err(Unrenderable::Option("flag".to_owned())));
        assert_eq!(argument("--path={{inputs.flag}}").unwrap(), "--path=-rf", "the author wrote the option");
        assert_eq!(argument("-v").unwrap(), "-v");
    }
}
