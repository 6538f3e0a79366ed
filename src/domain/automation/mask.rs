//! Secrets out of any text, in the spellings that they usually come in.

/// Stands where a secret stood.
pub const MASKED: &str = "***";
/// A line of a secret of several lines, if it has so many characters, is a secret too.
const LINE_CHARS: usize = 4;

/// Replaces secrets. The longest spelling first, so that none is left in pieces.
#[derive(Debug, Clone, Default)]
pub struct Mask {
    spellings: Vec<String>,
}

impl Mask {
    /// Of these secrets: as they are, their lines, in JSON, in a URL and in base64.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a String>) -> Mask {
        let mut spellings = Vec::new();
        for secret in secrets {
            let lines = secret.lines().map(str::trim).filter(|line| line.chars().count() >= LINE_CHARS);
            for text in lines.chain([secret.as_str()]) {
                let json = serde_json::Value::String(text.to_owned()).to_string();
                spellings.push(json[1..json.len() - 1].to_owned());
                spellings.extend([text.to_owned(), percent(text), base64(text.as_bytes())]);
            }
        }
        spellings.retain(|spelling| !spelling.is_empty());
        spellings.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        spellings.dedup();
        Mask { spellings }
    }

    /// The text without secrets.
    pub fn of(&self, text: &str) -> String {
        let mut masked = text.to_owned();
        for spelling in &self.spellings {
            if masked.contains(spelling.as_str()) {
                masked = masked.replace(spelling.as_str(), MASKED);
            }
        }
        masked
    }

    /// Bytes of the longest spelling: a text that is cut must be masked with so many bytes behind the cut.
    pub fn longest(&self) -> usize {
        self.spellings.first().map_or(0, String::len)
    }
}

/// As `encodeURIComponent` spells it.
fn percent(text: &str) -> String {
    let mut spelled = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            spelled.push(char::from(byte));
        } else {
            spelled += &format!("%{byte:02X}");
        }
    }
    spelled
}

/// RFC 4648 without padding: what comes before the padding is the secret. The domain takes no crate for ten lines.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut spelled = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().enumerate().fold(0u32, |word, (nth, byte)| word | u32::from(*byte) << (16 - 8 * nth));
        for nth in 0..=chunk.len() {
            spelled.push(char::from(LETTERS[(word >> (18 - 6 * nth)) as usize & 63]));
        }
    }
    spelled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_masked_in_every_usual_spelling() {
        let secret = "pa\"ss wörd+1".to_owned();
        let mask = Mask::new([&secret]);
        for text in [
            secret.clone(),
            serde_json::to_string(&secret).unwrap_or_default(),
            "token=pa%22ss%20w%C3%B6rd%2B1&x".to_owned(),
            "Basic cGEic3Mgd8O2cmQrMQ==".to_owned(),
        ] {
            let masked = mask.of(&text);
            assert!(
                masked.contains(MASKED) && !masked.contains("ss") && !masked.contains("cGEi"),
                "{text} -> {masked}"
            );
        }
        assert_eq!(mask.of("nothing here"), "nothing here");
        assert_eq!(Mask::default().of("any"), "any");
    }

    #[test]
    fn each_line_of_a_key_is_masked_and_a_longer_secret_before_a_shorter() {
        let (key, part) = ("-----BEGIN-----\nabcdefgh\n-----END-----".to_owned(), "abcd".to_owned());
        let mask = Mask::new([&part, &key]);
        assert_eq!(mask.of("read abcdefgh"), "read ***");
        assert_eq!(mask.of(&format!("<{key}>")), "<***>");
    }
}
