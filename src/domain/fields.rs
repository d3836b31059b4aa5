//! The fields of a source's facts, one by one: what a newer reading lacks is kept until it was missed twice (rule 11).

use crate::domain::clock::Timestamp;
use crate::domain::facts::{Evidence, Fact, SourceFacts};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use url::Url;

/// Counted misses after which a field's value goes.
pub const MISSES_TO_DROP: u32 = 2;

/// A field that may be missed or confirmed by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// The printed name. It is never missed: without one there is no artist.
    Name,
    /// The studio's printed name.
    Studio,
    /// Country, region, city and coordinates: a place is one statement.
    Place,
    /// The handle.
    Instagram,
    /// Profiles elsewhere.
    Socials,
    /// E-mail addresses.
    Emails,
    /// Telephone numbers.
    Phones,
    /// Styles.
    Styles,
    /// Pictures.
    Images,
    /// The artist's words.
    Bio,
    /// The artist's own site.
    OwnSite,
}

/// Every field that may be missed.
pub const FIELDS: [Field; 10] = [
    Field::Studio,
    Field::Place,
    Field::Instagram,
    Field::Socials,
    Field::Emails,
    Field::Phones,
    Field::Styles,
    Field::Images,
    Field::Bio,
    Field::OwnSite,
];

impl Field {
    /// As it is written on a command line and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Studio => "studio",
            Self::Place => "place",
            Self::Instagram => "instagram",
            Self::Socials => "socials",
            Self::Emails => "emails",
            Self::Phones => "phones",
            Self::Styles => "styles",
            Self::Images => "images",
            Self::Bio => "bio",
            Self::OwnSite => "site",
        }
    }
}

/// How often a field was missed that still has its last value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldMiss {
    /// Counted misses in a row.
    pub misses: u32,
    /// The night counted last: each counts once.
    pub night: Option<Timestamp>,
}

/// The fields of a source that its newest reading lacked.
pub type MissedFields = BTreeMap<Field, FieldMiss>;

impl SourceFacts {
    /// Whether the field has a value. A set is one value: it is replaced as a whole.
    pub fn has(&self, field: Field) -> bool {
        match field {
            Field::Name => self.name.is_some(),
            Field::Studio => self.studio.is_some(),
            Field::Place => self.city.is_some() || self.country.is_some() || self.region.is_some() || self.coordinates.is_some(),
            Field::Instagram => self.instagram.is_some(),
            Field::Socials => !self.socials.is_empty(),
            Field::Emails => !self.emails.is_empty(),
            Field::Phones => !self.phones.is_empty(),
            Field::Styles => !self.styles.is_empty(),
            Field::Images => !self.images.is_empty(),
            Field::Bio => self.bio.is_some(),
            Field::OwnSite => self.own_site.is_some(),
        }
    }

    /// The pages on which the field's value stands.
    pub fn pages_of(&self, field: Field) -> Vec<&Url> {
        fn pages<'a, T: 'a>(facts: impl IntoIterator<Item = &'a Fact<T>>) -> Vec<&'a Url> {
            facts.into_iter().map(|fact| &fact.evidence.page).collect()
        }
        match field {
            Field::Name => pages(&self.name),
            Field::Studio => pages(&self.studio),
            Field::Place => {
                let mut all = pages(self.country.iter().chain(&self.region).chain(&self.city));
                all.extend(pages(&self.coordinates));
                all
            }
            Field::Instagram => pages(&self.instagram),
            Field::Socials => pages(&self.socials),
            Field::Emails => pages(&self.emails),
            Field::Phones => pages(&self.phones),
            Field::Styles => pages(&self.styles),
            Field::Images => pages(&self.images),
            Field::Bio => pages(&self.bio),
            Field::OwnSite => self.pages.iter().take(1).collect(),
        }
    }

    /// Every page that these facts name: where a value stands, the artist's pages, and their own site.
    pub fn every_page(&self) -> impl Iterator<Item = &Url> {
        let values = FIELDS.into_iter().flat_map(|field| self.pages_of(field));
        values.chain(self.name.iter().map(|name| &name.evidence.page)).chain(&self.pages).chain(&self.own_site)
    }

    /// Takes over the field as `other` has it.
    pub fn take(&mut self, field: Field, other: &Self) {
        match field {
            Field::Name => self.name.clone_from(&other.name),
            Field::Studio => self.studio.clone_from(&other.studio),
            Field::Place => {
                self.country.clone_from(&other.country);
                self.region.clone_from(&other.region);
                self.city.clone_from(&other.city);
                self.coordinates.clone_from(&other.coordinates);
            }
            Field::Instagram => self.instagram.clone_from(&other.instagram),
            Field::Socials => self.socials.clone_from(&other.socials),
            Field::Emails => self.emails.clone_from(&other.emails),
            Field::Phones => self.phones.clone_from(&other.phones),
            Field::Styles => self.styles.clone_from(&other.styles),
            Field::Images => self.images.clone_from(&other.images),
            Field::Bio => self.bio.clone_from(&other.bio),
            Field::OwnSite => self.own_site.clone_from(&other.own_site),
        }
    }

    /// Does something to the evidence of every value.
    pub fn each_evidence(&mut self, mut change: impl FnMut(&mut Evidence)) {
        let texts =
            [&mut self.name, &mut self.studio, &mut self.country, &mut self.region, &mut self.city, &mut self.instagram, &mut self.bio];
        texts.into_iter().flatten().for_each(|fact| change(&mut fact.evidence));
        self.coordinates.iter_mut().for_each(|fact| change(&mut fact.evidence));
        let lists = [&mut self.emails, &mut self.phones, &mut self.styles];
        lists.into_iter().flatten().for_each(|fact| change(&mut fact.evidence));
        self.socials.iter_mut().chain(&mut self.images).for_each(|fact| change(&mut fact.evidence));
    }

    /// Leaves the field without a value.
    pub fn clear(&mut self, field: Field) {
        self.take(field, &Self::default());
    }

    /// Whether the field says less than it said: nothing, or of a place only the country it was in.
    fn lacks(&self, field: Field, before: &Self) -> bool {
        let country = |facts: &Self| facts.country.as_ref().map(|fact| fact.value.clone());
        let less_of_a_place = field == Field::Place && self.city.is_none() && before.city.is_some() && country(self) == country(before);
        before.has(field) && (!self.has(field) || less_of_a_place)
    }

    /// Keeps what the reading `before` had and this one lacks. Answers those fields.
    pub fn keep_from(&mut self, before: &Self) -> Vec<Field> {
        let kept: Vec<Field> = FIELDS.into_iter().filter(|field| self.lacks(*field, before)).collect();
        for field in &kept {
            self.take(*field, before);
        }
        kept
    }
}

/// Counts a miss of `field` for `night`, once; on the last counted one the value goes. Answers whether anything changed.
pub fn count_miss(facts: &mut SourceFacts, missed: &mut MissedFields, field: Field, night: Timestamp) -> bool {
    // What a later reading found again is not missed any more.
    let Some(miss) = missed.get_mut(&field).filter(|miss| miss.night.is_none_or(|counted| counted < night)) else { return false };
    miss.misses += 1;
    miss.night = Some(night);
    if miss.misses >= MISSES_TO_DROP {
        missed.remove(&field);
        facts.clear(field);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::place::{Basis, Coordinates};

    fn fact<T>(value: T) -> Fact<T> {
        let evidence = Evidence {
            page: Url::parse("https://studio.example/ana").unwrap(),
            extractor: "test".to_owned(),
            confidence: 1.0,
            observed_at: Timestamp(1),
            basis: Basis::Printed,
        };
        Fact { value, evidence }
    }

    fn text(value: &str) -> Fact<String> {
        fact(value.to_owned())
    }

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn full() -> SourceFacts {
        SourceFacts {
            name: Some(text("Ana")),
            studio: Some(text("Studio")),
            country: Some(text("PT")),
            region: Some(text("Norte")),
            city: Some(text("Porto")),
            coordinates: Some(fact(Coordinates { lat: 41.1, lon: -8.6 })),
            instagram: Some(text("ana")),
            socials: vec![fact(url("https://social.example/ana"))],
            emails: vec![text("ana@studio.example")],
            phones: vec![text("+351 1")],
            styles: vec![text("fine-line")],
            images: vec![fact(url("https://studio.example/1.jpg"))],
            bio: Some(text("Words.")),
            pages: vec![url("https://studio.example/ana")],
            own_site: Some(url("https://ana.example/")),
        }
    }

    /// Rule 11: each field stays when a reading lacks it, alone and all together, and knows its pages.
    #[test]
    fn what_a_reading_lacks_is_kept() {
        for field in FIELDS {
            let mut read = full();
            read.clear(field);
            assert!(!read.has(field), "{field:?}");
            assert_eq!(read.keep_from(&full()), [field]);
            assert_eq!(read, full());
            assert!(!full().pages_of(field).is_empty(), "{field:?}");
        }
        let mut read = SourceFacts { name: full().name, pages: full().pages, ..SourceFacts::default() };
        assert_eq!(read.keep_from(&full()), FIELDS);
        assert_eq!(read, full());
        assert_eq!(full().keep_from(&full()), []);
    }

    #[test]
    fn a_set_is_replaced_as_a_set() {
        let mut read = SourceFacts { styles: vec![text("blackwork")], ..full() };
        assert_eq!(read.keep_from(&full()), []);
        assert_eq!(read.styles, [text("blackwork")]);
    }

    #[test]
    fn a_place_is_one_statement() {
        let mut moved = SourceFacts { country: Some(text("ES")), city: None, region: None, coordinates: None, ..full() };
        assert_eq!(moved.keep_from(&full()), [], "a city of Portugal is not kept beside Spain");
        let mut vague = SourceFacts { city: None, region: None, coordinates: None, ..full() };
        assert_eq!(vague.keep_from(&full()), [Field::Place]);
        assert_eq!(vague, full());
    }

    /// Rule 11: a value goes with its second counted miss; a night counts once; what is found again starts anew.
    #[test]
    fn the_second_counted_miss_drops_a_value() {
        let (mut facts, mut missed) = (full(), MissedFields::from([(Field::Bio, FieldMiss::default())]));
        assert!(!count_miss(&mut facts, &mut missed, Field::Styles, Timestamp(1)), "it was not missed");
        assert!(count_miss(&mut facts, &mut missed, Field::Bio, Timestamp(1)));
        assert!(!count_miss(&mut facts, &mut missed, Field::Bio, Timestamp(1)), "a night counts once");
        assert_eq!(facts, full());
        assert!(count_miss(&mut facts, &mut missed, Field::Bio, Timestamp(2)));
        assert_eq!((facts.bio.as_ref(), missed.is_empty()), (None, true));
        assert!(!count_miss(&mut facts, &mut missed, Field::Bio, Timestamp(3)));
    }
}
