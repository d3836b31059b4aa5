//! Pages of one site that say the same: calendars without end, lists in every order. A fingerprint (SimHash) of what a page says
//! and shows, and a count of pages with the same one, by the part of the site they lie in. Pure; hostile input.

use std::collections::HashMap;
use url::Url;

/// How much of a page is looked at, bytes.
const LOOKED_AT_BYTES: usize = 256 * 1024;

/// Words that make one feature.
const SHINGLE: usize = 3;

/// Pages with fewer features say too little to be compared.
const FEATURES_MIN: usize = 24;

/// Bits in which pages that say the same may differ.
const BITS_APART_MAX: u32 = 3;

/// What a page says and shows, in 64 bits: pages that differ little have fingerprints that differ in few bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(u64);

/// FNV-1a, with a last mixing so that every bit depends on every byte.
fn hash(parts: &[&str]) -> u64 {
    let mut value = 0xcbf2_9ce4_8422_2325_u64;
    for byte in parts.iter().flat_map(|part| part.bytes().chain([0])) {
        value = (value ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    value ^= value >> 32;
    value = value.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    value ^ value >> 29
}

impl Fingerprint {
    /// The fingerprint of a page; `None` if it says too little. Words count without digits, since a calendar's days and a
    /// list's page numbers are what differs; pictures count by their whole address, since a portfolio may have nothing else.
    pub fn of(html: &str) -> Option<Self> {
        let mut end = html.len().min(LOOKED_AT_BYTES);
        while !html.is_char_boundary(end) {
            end -= 1;
        }
        let (mut words, mut pictures) = (Vec::new(), Vec::new());
        for (at, piece) in html[..end].split('<').enumerate() {
            let (tag, text) = match piece.split_once('>') {
                Some((tag, text)) if at > 0 => (tag, text),
                _ => ("", piece),
            };
            if tag.get(..3).is_some_and(|name| name.eq_ignore_ascii_case("img")) {
                pictures.push(tag);
            }
            words.extend(text.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()));
        }
        if words.len() + pictures.len() < FEATURES_MIN {
            return None;
        }
        let mut sums = [0_i32; 64];
        let shingles = words.windows(SHINGLE).map(hash);
        for feature in shingles.chain(pictures.iter().map(|picture| hash(&[picture]))) {
            for (bit, sum) in sums.iter_mut().enumerate() {
                *sum += if feature >> bit & 1 == 1 { 1 } else { -1 };
            }
        }
        Some(Self(sums.iter().enumerate().fold(0, |value, (bit, sum)| value | u64::from(*sum > 0) << bit)))
    }

    fn is_near(self, other: Self) -> bool {
        (self.0 ^ other.0).count_ones() <= BITS_APART_MAX
    }
}

/// What a part of a site has said so far.
#[derive(Debug, Clone, Default)]
struct Said {
    first: Vec<Fingerprint>,
    again: usize,
}

/// What the parts of one site have said in one visit.
#[derive(Debug, Clone, Default)]
pub struct NearDuplicates {
    parts: HashMap<String, Said>,
}

/// The part of the site a page lies in: the first segment of its path.
fn part(url: &Url) -> String {
    url.path_segments().and_then(|mut segments| segments.next()).unwrap_or_default().to_owned()
}

impl NearDuplicates {
    /// How many pages of the part that `url` lies in said what another had said.
    pub fn of_part(&self, url: &Url) -> usize {
        self.parts.get(&part(url)).map_or(0, |said| said.again)
    }

    /// Takes note of a page.
    pub fn note(&mut self, url: &Url, html: &str) {
        let Some(fingerprint) = Fingerprint::of(html) else { return };
        let said = self.parts.entry(part(url)).or_default();
        if said.first.iter().any(|known| known.is_near(fingerprint)) {
            said.again += 1;
        } else {
            said.first.push(fingerprint);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FRAME: &str = "<!doctype html><title>Needle and Thread</title><nav><a href=/>Home</a> <a href=/team>Artists</a> \
        <a href=/shop>Shop</a> <a href=/contact>Contact</a></nav><footer>Needle and Thread, a studio for tattoos in the old mill by \
        the river, open from Tuesday to Saturday, walk in or write to us before you come</footer>";

    fn calendar(month: usize) -> String {
        let days: String = (1..=30).map(|day| format!("<td><a href='/day?m={month}&d={day}'>{day}</a> free</td>")).collect();
        format!(
            "{FRAME}<h1>Month {month} of {}</h1><table>{days}</table><a href='/calendar?m={}'>next month</a>",
            2026 + month / 12,
            month + 1
        )
    }

    fn portfolio(name: &str, pictures: usize) -> String {
        let shown: String = (0..pictures).map(|at| format!("<img src=/{name}/{at}.jpg alt=''>")).collect();
        format!("{FRAME}<h1>{name}</h1>{shown}")
    }

    fn again(pages: impl Iterator<Item = String>) -> usize {
        let mut seen = NearDuplicates::default();
        let url = Url::parse("https://studio.example/part/1").unwrap();
        pages.for_each(|html| seen.note(&url, &html));
        seen.of_part(&url)
    }

    #[test]
    fn a_calendar_says_the_same_and_portfolios_do_not() {
        assert_eq!(again((0..40).map(calendar)), 39);
        let names = ["Ana", "Bea", "Cem", "Dov", "Eva", "Fay", "Gil", "Hal"];
        assert_eq!(again(names.iter().map(|name| portfolio(name, 12))), 0);
        assert_eq!(again((0..9).map(|at| format!("<h1>Artist {at}</h1>"))), 0, "too little to be compared");
    }

    #[test]
    fn parts_of_a_site_are_counted_by_themselves() {
        let mut seen = NearDuplicates::default();
        let url = |path: &str| Url::parse("https://studio.example/").unwrap().join(path).unwrap();
        for month in 0..5 {
            seen.note(&url(&format!("/calendar/{month}")), &calendar(month));
        }
        seen.note(&url("/other"), &calendar(9));
        assert_eq!((seen.of_part(&url("/calendar?m=7")), seen.of_part(&url("/other")), seen.of_part(&url("/"))), (4, 0, 0));
    }

    proptest! {
        #[test]
        fn any_text_has_its_fingerprint(html in "[<>a-z \"'/é!0-9-]{0,400}") {
            prop_assert_eq!(Fingerprint::of(&html), Fingerprint::of(&html));
            let numbered: String = html.chars().map(|c| if c.is_ascii_digit() { '7' } else { c }).collect();
            if !html.contains("<img") {
                prop_assert_eq!(Fingerprint::of(&html), Fingerprint::of(&numbered), "digits do not count");
            }
        }
    }
}
