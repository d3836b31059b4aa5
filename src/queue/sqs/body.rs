//! Bodies as SQS takes them: characters that XML allows, and not none. Other bytes travel in base64 behind a mark.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The longest body as sent, bytes of UTF-8. Newer accounts may allow more; nothing of ours comes near.
pub const MAX_BODY_BYTES: usize = 256 * 1024;

/// Stands before a body that travels in base64.
const MARK: &str = "inkdex:base64:";

/// What goes over the wire for `bytes`: themselves where they are text that SQS takes, else base64 behind the mark.
pub fn encode(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.chars().all(is_taken) && !text.starts_with(MARK) => text.to_owned(),
        _ => format!("{MARK}{}", STANDARD.encode(bytes)),
    }
}

/// What was sent. A body that somebody else put there and that only looks like ours stays as it is.
pub fn decode(text: String) -> Vec<u8> {
    match text.strip_prefix(MARK).map(|encoded| STANDARD.decode(encoded)) {
        Some(Ok(bytes)) => bytes,
        Some(Err(_)) | None => text.into_bytes(),
    }
}

/// The characters of XML 1.0, which the service accepts.
fn is_taken(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn our_messages_travel_as_they_are() {
        let json = r#"{"schema":1,"kind":"scrape_artist","job_id":"j-é"}"#;
        assert_eq!(encode(json.as_bytes()), json);
    }

    #[test]
    fn what_only_looks_like_ours_stays_as_it_is() {
        assert_eq!(decode("inkdex:base64:%%".to_owned()), b"inkdex:base64:%%");
        assert_eq!(decode("noise".to_owned()), b"noise");
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(bytes in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..200),
            "\\PC{0,80}".prop_map(String::into_bytes),
            "inkdex:base64:[a-zA-Z0-9+/=]{0,12}".prop_map(String::into_bytes),
        ]) {
            let sent = encode(&bytes);
            prop_assert!(sent.chars().all(is_taken));
            prop_assert_eq!(decode(sent), bytes);
        }
    }
}
