//! Moves that are no redirect status: the `Refresh` header and `<meta http-equiv=refresh>`. Pure; hostile input.

use crate::scrape::guard::read_url;
use std::time::Duration;
use url::Url;

/// How much of a page is looked through for a meta refresh, bytes: browsers want it in the head.
const HEAD_BYTES: usize = 64 * 1024;

/// Elements whose text is no markup, or is not meant for us.
const OPAQUE: &[&str] = &["script", "style", "noscript", "template", "title", "textarea"];

/// Reads the value of a `Refresh`: the delay and the target, against the page it stands on. `None` without a target.
pub fn parse_refresh(value: &str, page: &Url) -> Option<(Duration, Url)> {
    let (delay, rest) = match value.find([';', ',']) {
        Some(at) => (&value[..at], &value[at + 1..]),
        None => return None,
    };
    let seconds = delay.trim().parse::<f64>().ok()?;
    let delay = Duration::try_from_secs_f64(seconds).ok()?;
    let rest = rest.trim();
    let target = match rest.get(..3) {
        Some(word) if word.eq_ignore_ascii_case("url") => rest[3..].trim_start().strip_prefix('=').unwrap_or(rest),
        _ => rest,
    };
    let target = target.trim().trim_matches(['"', '\'']);
    if target.is_empty() {
        return None;
    }
    Some((delay, read_url(target, Some(page)).ok()?))
}

/// Where a page moves to by itself within `longest`, if that is another page.
pub fn moves_to(value: &str, page: &Url, longest: Duration) -> Option<Url> {
    let (delay, mut target) = parse_refresh(value, page)?;
    target.set_fragment(None);
    let mut here = page.clone();
    here.set_fragment(None);
    (delay <= longest && target != here).then_some(target)
}

/// The target of the first meta refresh of a page that moves elsewhere within `longest`.
pub fn meta_refresh(html: &str, page: &Url, longest: Duration) -> Option<Url> {
    let mut end = html.len().min(HEAD_BYTES);
    while !html.is_char_boundary(end) {
        end -= 1;
    }
    let head = &html[..end];
    let mut at = 0;
    while let Some(found) = head[at..].find('<') {
        let rest = &head[at + found + 1..];
        let next = at + found + 1;
        if let Some(comment) = rest.strip_prefix("!--") {
            at = next + 3 + comment.find("-->")?;
            continue;
        }
        let name_end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let name = &rest[..name_end];
        if let Some(opaque) = OPAQUE.iter().find(|opaque| opaque.eq_ignore_ascii_case(name)) {
            at = next + name_end + end_of(&rest[name_end..], opaque)?;
            continue;
        }
        let (attributes, length) = attributes(&rest[name_end..]);
        at = next + name_end + length;
        if !name.eq_ignore_ascii_case("meta") {
            continue;
        }
        let value = |wanted: &str| attributes.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| *value);
        if value("http-equiv").is_some_and(|kind| kind.trim().eq_ignore_ascii_case("refresh"))
            && let Some(content) = value("content")
            && let Some(target) = moves_to(&content.replace("&amp;", "&"), page, longest)
        {
            return Some(target);
        }
    }
    None
}

/// Where the closing tag of an opaque element begins.
fn end_of(text: &str, element: &str) -> Option<usize> {
    let mut at = 0;
    while let Some(found) = text[at..].find("</") {
        let start = at + found;
        if text.get(start + 2..start + 2 + element.len()).is_some_and(|name| name.eq_ignore_ascii_case(element)) {
            return Some(start);
        }
        at = start + 2;
    }
    None
}

/// The attributes of a tag from behind its name, and where the tag ends.
fn attributes(text: &str) -> (Vec<(&str, &str)>, usize) {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    let until = |from: usize, stop: &dyn Fn(u8) -> bool| bytes[from..].iter().position(|b| stop(*b)).map_or(bytes.len(), |n| from + n);
    loop {
        at = until(at, &|b| !b.is_ascii_whitespace() && b != b'/');
        if at >= bytes.len() {
            return (found, bytes.len());
        }
        if bytes[at] == b'>' {
            return (found, at + 1);
        }
        // A stray `=` begins a name, as in HTML's own tokenizer, so that every round moves on.
        let name_end = until(at + 1, &|b| b.is_ascii_whitespace() || matches!(b, b'/' | b'>' | b'='));
        let name = &text[at..name_end];
        let equals = until(name_end, &|b| !b.is_ascii_whitespace());
        if bytes.get(equals) != Some(&b'=') {
            found.push((name, ""));
            at = name_end;
            continue;
        }
        let start = until(equals + 1, &|b| !b.is_ascii_whitespace());
        let (from, to, next) = match bytes.get(start) {
            Some(quote @ (b'"' | b'\'')) => {
                let close = until(start + 1, &|b| b == *quote);
                (start + 1, close, (close + 1).min(bytes.len()))
            }
            _ => {
                let stop = until(start, &|b| b.is_ascii_whitespace() || b == b'>');
                (start, stop, stop)
            }
        };
        found.push((name, &text[from..to]));
        at = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LONGEST: Duration = Duration::from_secs(5);

    fn page() -> Url {
        Url::parse("https://studio.example/team").unwrap()
    }

    fn target(html: &str) -> Option<String> {
        meta_refresh(html, &page(), LONGEST).map(String::from)
    }

    #[test]
    fn values_are_read_as_browsers_do() {
        let read = |value: &str| moves_to(value, &page(), LONGEST).map(String::from);
        for value in ["0;url=/new", "0; URL='/new'", "5 ; url = \"/new\"", "0,/new", "0;/new", "1.5;url=https://studio.example/new#top"] {
            assert_eq!(read(value).as_deref(), Some("https://studio.example/new"), "{value}");
        }
        for value in
            ["", "0", "30", "x;url=/new", "6;url=/new", "0;url=", "0;url=/team#again", "-1;url=/new", "0;url=/a\\b", "0;url=http://[x"]
        {
            assert_eq!(read(value), None, "{value}");
        }
    }

    #[test]
    fn only_real_markup_moves_a_page() {
        assert_eq!(
            target("<html><head><META content='0; url=/new?a=1&amp;b=2' HTTP-EQUIV=Refresh>").as_deref(),
            Some("https://studio.example/new?a=1&b=2")
        );
        assert_eq!(target("<meta http-equiv=refresh content=0;url=/new>").as_deref(), Some("https://studio.example/new"));
        assert_eq!(target("<p title='>'><meta/http-equiv='refresh'/content='0;/new'/>").as_deref(), Some("https://studio.example/new"));
        for html in [
            "<!-- <meta http-equiv=refresh content='0;url=/new'> --><p>",
            "<noscript><meta http-equiv=refresh content='0;url=/no-script'></noscript>",
            "<script>var a = \"<meta http-equiv=refresh content='0;url=/new'>\";</script>",
            "<title><meta http-equiv=refresh content='0;url=/new'></title>",
            "<p data-x=\"<meta http-equiv=refresh content='0;url=/new'>\">",
            "<meta http-equiv=refresh content='600'>",
            "<meta name=refresh content='0;url=/new'>",
        ] {
            assert_eq!(target(html), None, "{html}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_looked_through(html in "[<>a-z=\"'/ é!-]{0,300}", value in ".{0,60}") {
            let _ = target(&html);
            let _ = target(&format!("<meta http-equiv=refresh content=\"{value}\">{html}"));
        }
    }
}
