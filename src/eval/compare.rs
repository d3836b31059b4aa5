//! When two values are the same: case, accents, look-alike letters and white space do not count.

use serde_json::Value;
use std::collections::BTreeSet;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::canonical_combining_class;

/// Case, accents, look-alike letters and white space made equal, as the rule book does it.
pub(super) fn fold(text: &str) -> String {
    let lowered: String = text.nfkc().flat_map(char::to_lowercase).collect();
    let cased = lowered.replace('ß', "ss").replace('ς', "σ");
    let plain: String = cased.nfkd().filter(|letter| canonical_combining_class(*letter) == 0).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn bare_url(text: &str) -> String {
    let rest = text.strip_prefix("https:").or_else(|| text.strip_prefix("http:")).unwrap_or(text).trim_start_matches('/');
    let rest = ["www.", "web.", "m."].iter().find_map(|prefix| rest.strip_prefix(prefix)).unwrap_or(rest);
    let rest = if rest.contains("profile.php") { rest } else { rest.split('?').next().unwrap_or(rest) };
    rest.split('#').next().unwrap_or(rest).trim_end_matches('/').to_owned()
}

/// What two values of a field have in common when they are the same.
pub(super) fn key(field: &str, text: &str) -> String {
    let folded = fold(text);
    match field {
        "phones" => {
            let digits: Vec<char> = folded.chars().filter(char::is_ascii_digit).collect();
            let tail: String = digits[digits.len().saturating_sub(8)..].iter().collect();
            if tail.is_empty() { folded } else { tail }
        }
        "instagram" => folded.trim_start_matches('@').to_owned(),
        "socials" => bare_url(&folded),
        _ => folded,
    }
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// The texts of a value that is null, one text or a list.
pub(super) fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Array(list)) => list.iter().filter_map(plain).collect(),
        Some(value) => plain(value).into_iter().collect(),
        None => Vec::new(),
    }
}

/// The keys of a value that is null, one text or a list.
pub(super) fn keys(field: &str, value: Option<&Value>) -> BTreeSet<String> {
    texts(value).iter().filter(|text| !text.trim().is_empty()).map(|text| key(field, text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_have_equal_keys() {
        assert_eq!(key("name", " Zoë\u{a0} STRAßE"), key("name", "zoe strasse"));
        assert_eq!(key("phones", "+49 (30) 1234-5678"), "12345678");
        assert_eq!(key("socials", "https://www.facebook.com/ink/?ref=1"), "facebook.com/ink");
        assert_eq!(key("socials", "http://facebook.com/profile.php?id=7"), "facebook.com/profile.php?id=7");
        assert_eq!(key("instagram", "@Mila.Ink"), "mila.ink");
    }
}
