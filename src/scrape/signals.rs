//! What the headers of a page ask of robots: `X-Robots-Tag`, addressed to all or to us, and `TDM-Reservation`. What its text
//! asks (`<meta name=robots>` and the like) is read with the text. Pure.

use crate::scrape::FetchedPage;

/// What a page refuses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PageSignals {
    /// Not to be indexed (`noindex`, `none`).
    pub noindex: bool,
    /// Its links are not to be followed (`nofollow`, `none`).
    pub nofollow: bool,
    /// Not to be mined or used for machine learning (`noai`, `noimageai`, `tdm-reservation: 1`).
    pub noai: bool,
}

impl PageSignals {
    /// Whether nothing may be taken from the page.
    pub fn refuses_record(self) -> bool {
        self.noindex || self.noai
    }
}

/// Directives whose value stands behind a colon, so that what is before the colon is no robot's name.
const VALUED: &[&str] = &["max-snippet", "max-image-preview", "max-video-preview", "unavailable_after"];

/// Longest value read, characters: directives are short.
const VALUE_MAX_CHARS: usize = 1_000;

fn apply(signals: &mut PageSignals, directive: &str) {
    match directive.trim().to_ascii_lowercase().as_str() {
        "noindex" => signals.noindex = true,
        "nofollow" => signals.nofollow = true,
        "none" => {
            signals.noindex = true;
            signals.nofollow = true;
        }
        "noai" | "noimageai" => signals.noai = true,
        _ => {}
    }
}

fn capped(value: &str) -> &str {
    value.char_indices().nth(VALUE_MAX_CHARS).map_or(value, |(end, _)| &value[..end])
}

/// What the headers of a page refuse to `product_token`.
pub fn headers_refuse(page: &FetchedPage, product_token: &str) -> PageSignals {
    let mut signals = PageSignals { noai: page.tdm_reserved, ..PageSignals::default() };
    for value in &page.robots_tags {
        // `otherbot: noindex, nofollow` is addressed to one robot up to the end of the value or the next name.
        let mut for_us = true;
        for piece in capped(value).split(',') {
            let mut directive = piece.trim();
            if let Some((name, rest)) = directive.split_once(':')
                && !VALUED.iter().any(|valued| valued.eq_ignore_ascii_case(name.trim()))
            {
                for_us = name.trim().eq_ignore_ascii_case(product_token) || name.trim() == "*";
                directive = rest;
            }
            if for_us {
                apply(&mut signals, directive);
            }
        }
    }
    signals
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scrape::Validators;
    use proptest::prelude::*;

    fn with(tags: &[&str], tdm_reserved: bool) -> (bool, bool, bool) {
        let url = url::Url::parse("https://studio.example/").unwrap();
        let robots_tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        let page = FetchedPage {
            requested: url.clone(),
            url,
            status: 200,
            text: String::new(),
            robots_tags,
            tdm_reserved,
            validators: Validators::default(),
            wire_bytes: 0,
        };
        let found = headers_refuse(&page, "Inkdex");
        (found.noindex, found.nofollow, found.noai)
    }

    fn of(tags: &[&str]) -> (bool, bool, bool) {
        with(tags, false)
    }

    #[test]
    fn signals_to_all_and_to_us_count() {
        assert_eq!(of(&[]), (false, false, false));
        assert_eq!(of(&["noindex"]), (true, false, false));
        assert_eq!(of(&["NOINDEX, NoFollow"]), (true, true, false));
        assert_eq!(of(&["none"]), (true, true, false));
        assert_eq!(of(&["inkdex: noindex"]), (true, false, false));
        assert_eq!(of(&["otherbot: noindex, nofollow"]), (false, false, false));
        assert_eq!(of(&["otherbot: noindex, Inkdex: nofollow"]), (false, true, false));
        assert_eq!(of(&["otherbot: noindex", "noai"]), (false, false, true));
        assert_eq!(of(&["unavailable_after: 25 Jun 2030 15:00:00 PST, noindex"]), (true, false, false));
        assert_eq!(of(&["max-snippet: 20, noimageai"]), (false, false, true));
        assert_eq!(of(&["index, follow, all"]), (false, false, false));
        assert_eq!(with(&["nofollow"], true), (false, true, true));
    }

    proptest! {
        #[test]
        fn a_refusal_is_never_lost_among_others(before in "[a-z]{0,8}", after in "[a-z]{0,8}") {
            let value = format!("{before}, noindex ,{after}");
            prop_assert!(of(&[&value]).0);
        }
    }
}
