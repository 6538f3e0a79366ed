//! A condition's text as words with their positions.

use serde_json::Value;

use super::{Operator, Path, SyntaxError};

/// Most keys of a path.
const PATH_KEYS: usize = 16;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Or,
    And,
    Not,
    Open,
    Close,
    ListOpen,
    ListClose,
    Comma,
    Operator(Operator),
    Literal(Value),
    Path(Path),
    End,
}

/// All words, each with the byte it begins at; the last is [`Token::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<(usize, Token)>, SyntaxError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    loop {
        at += text[at..].len() - text[at..].trim_start().len();
        let (token, length) = token(text, at)?;
        let ends = token == Token::End;
        tokens.push((at, token));
        if ends {
            return Ok(tokens);
        }
        at += length;
    }
}

/// An error at a byte, told in characters.
pub(super) fn wrong(text: &str, at: usize, message: impl Into<String>) -> SyntaxError {
    SyntaxError { position: text[..at].chars().count() + 1, message: message.into() }
}

/// The word at a byte, and its length in bytes.
fn token(text: &str, at: usize) -> Result<(Token, usize), SyntaxError> {
    const SIGNS: [(&str, Token); 15] = [
        ("||", Token::Or),
        ("&&", Token::And),
        ("==", Token::Operator(Operator::Equal)),
        ("!=", Token::Operator(Operator::Unequal)),
        ("<=", Token::Operator(Operator::AtMost)),
        (">=", Token::Operator(Operator::AtLeast)),
        ("<", Token::Operator(Operator::Less)),
        (">", Token::Operator(Operator::Greater)),
        ("!", Token::Not),
        ("(", Token::Open),
        (")", Token::Close),
        ("[", Token::ListOpen),
        ("]", Token::ListClose),
        (",", Token::Comma),
        ("", Token::End),
    ];
    let rest = &text[at..];
    match rest.bytes().next() {
        Some(b'"') => return string(text, at).map(|(string, length)| (Token::Literal(Value::String(string)), length)),
        Some(b'-' | b'0'..=b'9') => return number(text, at),
        Some(byte) if byte.is_ascii_alphabetic() || byte == b'_' => return word(text, at),
        _ => {}
    }
    let sign =
        SIGNS.into_iter().find(|(sign, _)| if sign.is_empty() { rest.is_empty() } else { rest.starts_with(sign) });
    sign.map(|(sign, token)| (token, sign.len())).ok_or_else(|| {
        let found = rest.chars().next().unwrap_or_default();
        wrong(text, at, format!("{found:?} means nothing here"))
    })
}

fn word(text: &str, at: usize) -> Result<(Token, usize), SyntaxError> {
    let length = name_length(&text[at..]);
    let token = match &text[at..at + length] {
        "contains" => Token::Operator(Operator::Contains),
        "in" => Token::Operator(Operator::In),
        "true" => Token::Literal(Value::Bool(true)),
        "false" => Token::Literal(Value::Bool(false)),
        "null" => Token::Literal(Value::Null),
        _ => return read_path(text, at).map(|(path, length)| (Token::Path(path), length)),
    };
    Ok((token, length))
}

/// The path at a byte, and its length in bytes: names behind dots, or any text in `["…"]`.
///
/// # Errors
/// No path begins there, or it has no end.
pub fn read_path(text: &str, at: usize) -> Result<(Path, usize), SyntaxError> {
    let mut path = Path::new();
    let mut end = at;
    loop {
        let rest = &text[end..];
        if path.len() == PATH_KEYS {
            return Err(wrong(text, end, format!("a path has at most {PATH_KEYS} keys")));
        }
        if !path.is_empty() && rest.starts_with("[\"") {
            let (key, length) = string(text, end + 1)?;
            end += 1 + length;
            if !text[end..].starts_with(']') {
                return Err(wrong(text, end, "expected ]"));
            }
            (path.push(key), end += 1);
        } else {
            let dot = usize::from(!path.is_empty());
            let name = name_length(&rest[dot..]);
            if name == 0 {
                return Err(wrong(text, end + dot, "expected a name"));
            }
            path.push(rest[dot..dot + name].to_owned());
            end += dot + name;
        }
        if path_end(&text[end..]) {
            return Ok((path, end - at));
        }
    }
}

/// Whether a path ends in front of this.
pub fn path_end(rest: &str) -> bool {
    !rest.starts_with('.') && !rest.starts_with("[\"")
}

fn name_length(rest: &str) -> usize {
    let begins = rest.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    let belongs = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    if begins { rest.bytes().take_while(belongs).count() } else { 0 }
}

/// A text in JSON's notation.
fn string(text: &str, at: usize) -> Result<(String, usize), SyntaxError> {
    let mut escaped = false;
    for (offset, character) in text[at..].char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => {
                let length = offset + 1;
                let read = serde_json::from_str(&text[at..at + length]);
                return read
                    .map(|string| (string, length))
                    .map_err(|error| wrong(text, at, format!("not a text: {error}")));
            }
            _ => {}
        }
    }
    Err(wrong(text, at, "this text has no end"))
}

fn number(text: &str, at: usize) -> Result<(Token, usize), SyntaxError> {
    let belongs = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    let length = text[at..].bytes().take_while(belongs).count();
    match serde_json::from_str::<serde_json::Number>(&text[at..at + length]) {
        Ok(number) => Ok((Token::Literal(Value::Number(number)), length)),
        Err(error) => Err(wrong(text, at, format!("not a number: {error}"))),
    }
}
