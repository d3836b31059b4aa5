//! From bytes to text: BOM, header, meta, detector, then UTF-8. Never fails and never reads UTF-7.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, REPLACEMENT, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252, X_USER_DEFINED};

/// How far a `<meta>` with the charset is looked for, bytes (what HTML's encoding sniffing asks for).
const META_BYTES: usize = 1_024;

/// The text of a page. `content_type` is the header as sent, `host` tells the detector the country.
pub fn decode_page(bytes: &[u8], content_type: Option<&str>, host: Option<&str>) -> String {
    let encoding = match Encoding::for_bom(bytes) {
        Some((encoding, _)) => encoding,
        None => declared(content_type).or_else(|| in_meta(bytes)).unwrap_or_else(|| detected(bytes, host)),
    };
    encoding.decode_with_bom_removal(bytes).0.into_owned()
}

/// The text of a robots.txt: UTF-8 as RFC 9309 asks, unless a BOM or the header says otherwise.
pub fn decode_text(bytes: &[u8], content_type: Option<&str>) -> String {
    let encoding = Encoding::for_bom(bytes).map(|(encoding, _)| encoding).or_else(|| declared(content_type)).unwrap_or(UTF_8);
    encoding.decode_with_bom_removal(bytes).0.into_owned()
}

fn by_label(label: &[u8]) -> Option<&'static Encoding> {
    Encoding::for_label(label).filter(|encoding| *encoding != REPLACEMENT)
}

fn declared(content_type: Option<&str>) -> Option<&'static Encoding> {
    content_type?.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| by_label(value.trim().trim_matches(['"', '\'']).as_bytes()))?
    })
}

/// A label behind `charset=` in the first 1,024 bytes: of `<meta charset>`, `<meta content>` or an XML declaration's `encoding=`.
fn in_meta(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = bytes[..bytes.len().min(META_BYTES)].to_ascii_lowercase();
    let mut at = 0;
    while let Some(tag) = find(&head[at..], b"<") {
        at += tag + 1;
        let rest = &head[at..];
        if rest.starts_with(b"!--") {
            at += find(rest, b"-->")?;
            continue;
        }
        let end = find(rest, b">").unwrap_or(rest.len());
        let word: &[u8] = match rest {
            _ if rest.starts_with(b"meta") => b"charset",
            _ if rest.starts_with(b"?xml") => b"encoding",
            _ => continue,
        };
        if let Some(encoding) = label_after(&rest[..end], word) {
            return Some(match encoding {
                // Whoever can read the tag as ASCII has no UTF-16 before them.
                _ if encoding == UTF_16LE || encoding == UTF_16BE => UTF_8,
                _ if encoding == X_USER_DEFINED => WINDOWS_1252,
                _ => encoding,
            });
        }
    }
    None
}

fn label_after(tag: &[u8], word: &[u8]) -> Option<&'static Encoding> {
    let mut at = 0;
    while let Some(found) = find(&tag[at..], word) {
        at += found + word.len();
        let value = tag[at..].trim_ascii_start();
        let Some(value) = value.strip_prefix(b"=") else { continue };
        let value = value.trim_ascii_start();
        let value = value.strip_prefix(b"\"").or_else(|| value.strip_prefix(b"'")).unwrap_or(value);
        let end = value.iter().position(|b| matches!(b, b'"' | b'\'' | b';' | b'/') || b.is_ascii_whitespace()).unwrap_or(value.len());
        if let Some(encoding) = by_label(&value[..end]) {
            return Some(encoding);
        }
    }
    None
}

fn find(text: &[u8], word: &[u8]) -> Option<usize> {
    text.windows(word.len()).position(|window| window == word)
}

fn detected(bytes: &[u8], host: Option<&str>) -> &'static Encoding {
    if std::str::from_utf8(bytes).is_ok() {
        return UTF_8;
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(bytes, true);
    let country = host.and_then(|host| host.rsplit('.').next()).filter(|label| label.bytes().all(|b| b.is_ascii_lowercase()));
    detector.guess(country.map(str::as_bytes), Utf8Detection::Allow)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bom_then_header_then_meta_then_detector() {
        let latin = b"<meta charset=iso-8859-1><p>Sof\xeda";
        let utf8 = "<meta charset=iso-8859-1><p>Sof\u{ed}a".as_bytes();
        let cases: Vec<(Vec<u8>, Option<&str>, &str)> = vec![
            (latin.to_vec(), None, "Sofía"),
            (utf8.to_vec(), Some("text/html; charset=\"UTF-8\""), "Sofía"),
            ([b"\xef\xbb\xbf", utf8].concat(), Some("text/html; charset=iso-8859-1"), "Sofía"),
            (b"<?xml version='1.0' encoding='windows-1252'?><p>Sof\xeda".to_vec(), None, "Sofía"),
            (b"<meta http-equiv=content-type content=\"text/html; charset=windows-1251\"><p>\xc0\xed\xed\xe0".to_vec(), None, "Анна"),
            (b"<meta charset=utf-16><p>Ana".to_vec(), None, "Ana"),
            (b"<!-- <meta charset=windows-1251> --><p>Sof\xc3\xada".to_vec(), None, "Sofía"),
            ("<p>Sofía".as_bytes().to_vec(), None, "Sofía"),
            (b"<p>Estudio de tatuajes de Sof\xeda, dise\xf1o y l\xednea fina en M\xe1laga".to_vec(), None, "Sofía"),
            (b"\xff\xfe<\x00p\x00>\x00A\x00n\x00a\x00".to_vec(), None, "<p>Ana"),
            (b"+ADw-script+AD4-Ana".to_vec(), Some("text/html; charset=utf-7"), "+ADw-script"),
        ];
        for (bytes, content_type, expected) in cases {
            let text = decode_page(&bytes, content_type, Some("estudio.es"));
            assert!(text.contains(expected), "{content_type:?}: {text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_become_text(bytes: Vec<u8>, header in proptest::option::of(".{0,40}")) {
            let _ = decode_page(&bytes, header.as_deref(), Some("a.example"));
            let _ = decode_text(&bytes, header.as_deref());
        }

        #[test]
        fn utf8_stays_what_it_is(text in "[a-zéñ字 ]{0,200}") {
            prop_assert_eq!(decode_page(text.as_bytes(), None, None), text);
        }
    }
}
