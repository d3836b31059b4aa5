//! What is indexed of an artist: a pure function of the row, the same for every engine.

use crate::domain::artist::{Artist, ArtistRow};
use crate::domain::country;
use crate::domain::gazetteer::key_city;
use crate::domain::ids::ArtistId;
use crate::domain::place::Coordinates;
use crate::domain::text::tokens;
use crate::search::{IndexDocument, IndexOperation};
use std::collections::HashSet;

/// Raised whenever this file makes another document of the same row: an index of another form is rebuilt.
pub const DOCUMENT_FORM: u32 = 2;
/// Longest id that every engine takes, in bytes.
const ID_MAX_BYTES: usize = 512;
/// Longest token that every engine takes, in bytes; tokens of `domain::text` are far shorter.
const TOKEN_MAX_BYTES: usize = 1024;
/// Different words of text at most: what follows in a bio is not what somebody is looked for by.
const TEXT_TOKENS_MAX: usize = 600;
/// A run of digits and what stands between the digits of a phone number is one from this many digits on.
const PHONE_MIN_DIGITS: usize = 7;

impl IndexDocument {
    /// The document of a row; `None` unless the row is live and sound.
    pub fn of(row: &ArtistRow) -> Option<Self> {
        row.live().map(Self::of_artist)
    }

    fn of_artist(artist: &Artist) -> Self {
        let place = artist.place();
        let styles: Vec<String> = artist.styles.iter().map(|style| style.value.clone()).collect();
        Self {
            name: artist.name.value.clone(),
            name_tokens: tokens(&artist.name.value),
            studio: artist.studio.as_ref().map(|studio| studio.value.clone()),
            text_tokens: text_tokens(artist, &styles),
            styles,
            city_key: place.city.as_deref().and_then(key_city),
            country: place.country,
            city: place.city,
            coordinates: place.coordinates,
            instagram: artist.instagram.as_ref().map(|handle| handle.value.clone()),
            completeness: artist.completeness(),
        }
    }

    /// Why no engine can index this document under `artist_id`; `None` if nothing is wrong.
    ///
    /// Checked before an engine sees it, so that a bad record fails alone and on every engine alike (002-R31).
    pub fn problem(&self, artist_id: &ArtistId) -> Option<String> {
        if let Some(problem) = id_problem(artist_id.as_str()) {
            return Some(problem);
        }
        if let Some(Coordinates { lat, lon }) = self.coordinates
            && Coordinates::new(lat, lon).is_none()
        {
            return Some(format!("its coordinates {lat}, {lon} are not on the earth"));
        }
        if !(0.0..=1.0).contains(&self.completeness) {
            return Some(format!("its completeness {} is outside 0 to 1", self.completeness));
        }
        let keywords = self.styles.iter().chain(&self.country).chain(&self.city_key).chain(&self.instagram);
        keywords.chain(&self.name_tokens).chain(&self.text_tokens).find_map(|token| is_token_too_long(token))
    }
}

impl IndexOperation {
    /// What the index should hold of a row: its document, or a tombstone if it has none.
    pub fn of(row: &ArtistRow) -> Self {
        Self { artist_id: row.id.clone(), version: row.version, document: IndexDocument::of(row) }
    }

    /// Why no engine can take this operation; `None` if nothing is wrong.
    pub fn problem(&self) -> Option<String> {
        match &self.document {
            Some(document) => document.problem(&self.artist_id),
            None => id_problem(self.artist_id.as_str()),
        }
    }
}

/// Why no engine can hold a record under this id.
pub(super) fn id_problem(id: &str) -> Option<String> {
    let length = id.len();
    (!(1..=ID_MAX_BYTES).contains(&length)).then(|| format!("its id has {length} bytes, not 1 to {ID_MAX_BYTES}"))
}

/// Why no engine can hold this token.
pub(super) fn is_token_too_long(token: &str) -> Option<String> {
    (token.len() > TOKEN_MAX_BYTES).then(|| format!("it has a token of more than {TOKEN_MAX_BYTES} bytes"))
}

fn text_tokens(artist: &Artist, styles: &[String]) -> Vec<String> {
    let place = artist.place();
    let mut texts: Vec<String> = styles.to_vec();
    texts.extend(artist.studio.as_ref().map(|studio| studio.value.clone()));
    texts.extend(place.city);
    texts.extend(place.region);
    texts.extend(place.country.iter().flat_map(|code| country::names(code)).map(str::to_owned));
    texts.extend(artist.instagram.as_ref().map(|handle| handle.value.clone()));
    texts.extend(artist.bio.as_ref().map(|bio| without_contacts(&bio.value)));
    let mut seen = HashSet::new();
    texts.iter().flat_map(|text| tokens(text)).filter(|token| seen.insert(token.clone())).take(TEXT_TOKENS_MAX).collect()
}

/// A text without e-mail addresses and phone numbers, which the index must not hold and nobody is found by.
fn without_contacts(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().filter(|word| !is_address(word)).collect();
    without_phones(&words.join(" "))
}

/// Whether a word holds an e-mail address: something, `@`, and a domain with a dot.
fn is_address(word: &str) -> bool {
    word.match_indices('@').any(|(at, _)| at > 0 && word[at + 1..].trim_end_matches(|c: char| !c.is_alphanumeric()).contains('.'))
}

fn without_phones(text: &str) -> String {
    let mut kept = String::new();
    let mut run = String::new();
    for c in text.chars().chain(['\u{0}']) {
        if c.is_numeric() || " +-.()/\u{a0}\u{2010}\u{2011}\u{2012}\u{2013}".contains(c) {
            run.push(c);
            continue;
        }
        let is_phone = run.chars().filter(|c| c.is_numeric()).count() >= PHONE_MIN_DIGITS;
        kept.push_str(if is_phone { " " } else { &run });
        run.clear();
        kept.push(c);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::artist::Life;
    use crate::domain::clock::Timestamp;
    use crate::domain::facts::{Evidence, Fact};
    use crate::domain::place::Basis;
    use proptest::prelude::*;
    use url::Url;

    fn fact<T>(value: T) -> Fact<T> {
        let evidence = Evidence {
            page: Url::parse("https://needle.example/ana").unwrap(),
            extractor: "test".to_owned(),
            confidence: 1.0,
            observed_at: Timestamp(0),
            basis: Basis::Printed,
        };
        Fact { value, evidence }
    }

    fn artist(bio: &str) -> Artist {
        Artist {
            name: fact("Ana Núñez".to_owned()),
            studio: Some(fact("Quiet Needle".to_owned())),
            studio_ids: Vec::new(),
            country: Some(fact("BR".to_owned())),
            region: None,
            city: Some(fact("São Paulo".to_owned())),
            coordinates: Some(fact(Coordinates { lat: -23.55, lon: -46.63 })),
            instagram: Some(fact("ana.inks".to_owned())),
            socials: Vec::new(),
            emails: vec![fact("ana@needle.example".to_owned())],
            phones: vec![fact("+55 11 95555-0101".to_owned())],
            styles: vec![fact("fine-line".to_owned())],
            images: Vec::new(),
            bio: Some(fact(bio.to_owned())),
            pages: vec![Url::parse("https://needle.example/ana").unwrap()],
            own_site: None,
            confirmed: std::collections::BTreeMap::new(),
        }
    }

    fn row(record: Artist) -> ArtistRow {
        ArtistRow {
            id: ArtistId::new("artist-1"),
            version: 7,
            fence: Timestamp(1),
            writers: Vec::new(),
            life: Life::Live,
            created_version: 1,
            content_hash: Some(record.content_hash()),
            record: Some(record),
            checked_at: Timestamp(1),
        }
    }

    #[test]
    fn a_live_row_gives_its_document() {
        let document = IndexDocument::of(&row(artist("Botanical lines"))).expect("a live row");
        assert_eq!(document.name_tokens, ["ana", "nunez"]);
        assert_eq!(document.city_key.as_deref(), Some("SAO-PAULO"));
        assert_eq!(document.styles, ["fine-line"]);
        for token in ["fine", "line", "quiet", "needle", "sao", "paulo", "brazil", "brasil", "inks", "botanical", "lines"] {
            assert!(document.text_tokens.iter().any(|held| held == token), "{token} is missing");
        }
        assert_eq!(document.problem(&ArtistId::new("artist-1")), None);
    }

    /// 002-R27: a row that is not live is a tombstone of its own version and carries nothing else.
    #[test]
    fn retired_removed_and_unsound_rows_are_tombstones() {
        let sound = row(artist("Botanical lines"));
        let retired = ArtistRow { life: Life::Retired, record: None, content_hash: None, ..sound.clone() };
        let removed = ArtistRow { life: Life::Removed, ..sound.clone() };
        let unsound = ArtistRow { content_hash: Some("0".repeat(64)), ..sound.clone() };
        for gone in [retired, removed, unsound] {
            let operation = IndexOperation::of(&gone);
            assert_eq!((operation.version, operation.document), (7, None));
        }
        assert!(IndexOperation::of(&sound).document.is_some());
    }

    #[test]
    fn contacts_in_a_bio_are_not_indexed() {
        let bio = "Write to ana@needle.example, or (+55 11) 95555-0101. Since 2014, 12 years; see @ana.inks.";
        let document = IndexDocument::of(&row(artist(bio))).expect("a live row");
        for token in ["55", "11", "95555", "0101", "example"] {
            assert!(!document.text_tokens.iter().any(|held| held == token), "{token} is indexed");
        }
        for token in ["write", "since", "2014", "12", "years"] {
            assert!(document.text_tokens.iter().any(|held| held == token), "{token} is missing");
        }
        let everything = serde_json::to_string(&document).unwrap();
        assert!(!everything.contains("95555") && !everything.contains("ana@"), "{everything}");
    }

    #[test]
    fn what_no_engine_takes_is_named() {
        let good = IndexDocument::of(&row(artist("lines"))).expect("a live row");
        let id = ArtistId::new("artist-1");
        let off_earth = IndexDocument { coordinates: Some(Coordinates { lat: 91.0, lon: 0.0 }), ..good.clone() };
        assert!(off_earth.problem(&id).is_some_and(|problem| problem.contains("91")));
        let nowhere = IndexDocument { coordinates: Some(Coordinates { lat: f64::NAN, lon: 0.0 }), ..good.clone() };
        assert!(nowhere.problem(&id).is_some());
        let unknown = IndexDocument { completeness: f32::NAN, ..good.clone() };
        assert!(unknown.problem(&id).is_some());
        let endless = IndexDocument { text_tokens: vec!["x".repeat(2000)], ..good.clone() };
        assert!(endless.problem(&id).is_some());
        assert!(good.problem(&ArtistId::new("")).is_some());
        assert!(good.problem(&ArtistId::new("x".repeat(513))).is_some());
    }

    proptest! {
        #[test]
        fn an_address_in_a_bio_never_becomes_a_token(local in "[a-z]{6,10}", before in "[a-z ]{0,20}", after in "[a-z ]{0,20}") {
            let bio = format!("{before} {local}@mail.example {after}");
            let document = IndexDocument::of(&row(artist(&bio))).expect("a live row");
            let said_elsewhere = tokens(&format!("{before} {after} fine line quiet needle sao paulo brazil brasil ana inks"));
            prop_assert!(said_elsewhere.contains(&local) || !document.text_tokens.contains(&local));
        }
    }
}
