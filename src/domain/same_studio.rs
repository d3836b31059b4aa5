//! Whether two sources mean one studio: by place id, site and place, telephone, or name and distance, with a score and a reason.

use crate::domain::identity::canonical_site;
use crate::domain::studio::FoundStudio;
use crate::domain::text::{folded_name, names_agree, tokens};
use std::collections::BTreeSet;
use url::Url;

/// Beyond this two places are two studios, whatever else they share: branches have one site and one telephone. Kilometres.
const APART_KM: f64 = 1.0;
/// Within this two sources mean one house: one puts its point at the door, the other in the middle of the block. Kilometres.
const ONE_HOUSE_KM: f64 = 0.3;
/// Within this an equal name is no chance. Kilometres.
const ONE_DOOR_KM: f64 = 0.15;

/// Fewest digits of a telephone that identifies anybody.
const PHONE_DIGITS_MIN: usize = 8;

/// Sites that house many: only a page there belongs to one studio, never the domain.
const PLATFORMS: &[&str] = &[
    "beacons.ai",
    "bit.ly",
    "booksy.com",
    "facebook.com",
    "fb.com",
    "fresha.com",
    "goo.gl",
    "google.com",
    "instagram.com",
    "linktr.ee",
    "pinterest.com",
    "tiktok.com",
    "treatwell.com",
    "tumblr.com",
    "twitter.com",
    "vk.com",
    "wa.me",
    "whatsapp.com",
    "x.com",
    "yelp.com",
    "youtube.com",
];

/// Words of names that say only what kind of place it is.
const GENERIC: &[&str] = &[
    "art",
    "atelier",
    "body",
    "company",
    "estudio",
    "house",
    "ink",
    "limited",
    "llc",
    "ltd",
    "parlor",
    "parlour",
    "piercing",
    "salon",
    "shop",
    "studio",
    "studios",
    "tattoo",
    "tattooing",
    "tattoos",
    "tatuaje",
    "tatuajes",
    "tatouage",
    "the",
];

/// Why two findings are one studio.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sameness {
    /// Of a hundred.
    pub score: u8,
    /// In a sentence's part, for people.
    pub reason: String,
}

fn sameness(score: u8, reason: impl Into<String>) -> Option<Sameness> {
    Some(Sameness { score, reason: reason.into() })
}

/// The registrable domain of a site, unless the site is a platform's.
pub fn own_domain(url: &Url) -> Option<String> {
    let host = url.host_str()?.trim_end_matches('.');
    let domain = psl::domain_str(host)?;
    (!PLATFORMS.contains(&domain)).then(|| domain.to_owned())
}

/// A site as what identifies a studio: a platform's page counts only if its path names it.
pub fn site_key(url: &Url) -> Option<String> {
    let site = canonical_site(url);
    match own_domain(url) {
        Some(_) => Some(site),
        None => (site.contains('/') && url.query().is_none()).then_some(site),
    }
}

/// The last digits of a telephone, by which numbers with and without the country's code are looked up; `None` if it is none.
pub fn phone_key(phone: &str) -> Option<String> {
    let digits = digits(phone);
    (digits.len() >= PHONE_DIGITS_MIN).then(|| digits[digits.len() - PHONE_DIGITS_MIN..].to_owned())
}

fn digits(phone: &str) -> String {
    phone.chars().filter(char::is_ascii_digit).collect()
}

/// Whether two telephones are one, written with the country's code or without.
fn phones_agree(one: &str, other: &str) -> bool {
    let national = |phone: &str| digits(phone).trim_start_matches('0').to_owned();
    let (one, other) = (national(one), national(other));
    one.len().min(other.len()) >= PHONE_DIGITS_MIN && (one.ends_with(&other) || other.ends_with(&one))
}

/// The words of a name that tell it from other studios; all of them if none does.
pub fn telling_words(name: &str) -> Vec<String> {
    let all = tokens(name);
    let telling: Vec<String> = all.iter().filter(|word| !GENERIC.contains(&word.as_str())).cloned().collect();
    if telling.is_empty() { all } else { telling }
}

fn names_tell_the_same(one: &str, other: &str) -> bool {
    let (one, other): (BTreeSet<_>, BTreeSet<_>) = (telling_words(one).into_iter().collect(), telling_words(other).into_iter().collect());
    // One word in common is not much, "Black" is a part of many names: then both have to be that word.
    !one.is_empty() && (one == other || (one.len().min(other.len()) > 1 && (one.is_subset(&other) || other.is_subset(&one))))
}

/// Whose ids of places they are: OpenStreetMap's have a prefix, Google's have none.
fn namespace(place_id: &str) -> &str {
    place_id.split_once(':').map_or("", |(space, _)| space)
}

fn distance_km(one: &FoundStudio, other: &FoundStudio) -> Option<f64> {
    Some(one.place.coordinates?.distance_km(other.place.coordinates?))
}

/// Whether both say a city, and if so whether it is one.
fn same_city(one: &FoundStudio, other: &FoundStudio) -> Option<bool> {
    Some(folded_name(one.place.city.as_deref()?) == folded_name(other.place.city.as_deref()?))
}

fn same_site(one: &FoundStudio, other: &FoundStudio) -> bool {
    let key = |studio: &FoundStudio| studio.website.as_ref().and_then(site_key);
    key(one).is_some_and(|site| Some(site) == key(other))
}

/// Whether two findings cannot be one studio, whatever connects them: one source tells them apart, or they are far apart.
pub fn contradict(one: &FoundStudio, other: &FoundStudio) -> bool {
    if let (Some(one_id), Some(other_id)) = (&one.place_id, &other.place_id) {
        if one_id == other_id {
            return false;
        }
        // A listing of the studio and one of an artist in it: one site, one door.
        let one_door = distance_km(one, other).is_some_and(|km| km <= ONE_DOOR_KM);
        if namespace(one_id) == namespace(other_id) && !(one_door && same_site(one, other)) {
            return true;
        }
    }
    distance_km(one, other).is_some_and(|km| km > APART_KM) || (distance_km(one, other).is_none() && same_city(one, other) == Some(false))
}

/// Why two findings are one studio; `None` if nothing says so. The order of the two does not matter.
pub fn same_studio(one: &FoundStudio, other: &FoundStudio) -> Option<Sameness> {
    if one.place_id.is_some() && one.place_id == other.place_id {
        return sameness(100, "the same place id");
    }
    if contradict(one, other) {
        return None;
    }
    let distance = distance_km(one, other);
    let shown = distance.map_or_else(String::new, |km| format!(", {:.0} m apart", km * 1_000.0));
    let one_house = distance.is_some_and(|km| km <= ONE_HOUSE_KM);
    let one_city = distance.is_none() && same_city(one, other) == Some(true);
    if same_site(one, other) {
        return match (one_house, distance, one_city) {
            (true, ..) => sameness(95, format!("the same site{shown}")),
            (_, Some(_), _) => sameness(80, format!("the same site{shown}")),
            (_, None, true) => sameness(85, "the same site in the same city"),
            (_, None, false) => sameness(70, "the same site"),
        };
    }
    if let (Some(one_phone), Some(other_phone)) = (&one.phone, &other.phone)
        && phones_agree(one_phone, other_phone)
    {
        return match (distance, one_city) {
            (Some(_), _) => sameness(90, format!("the same telephone{shown}")),
            (None, true) => sameness(85, "the same telephone in the same city"),
            (None, false) => sameness(70, "the same telephone"),
        };
    }
    let domain = |studio: &FoundStudio| studio.website.as_ref().and_then(own_domain);
    let (one_domain, other_domain) = (domain(one), domain(other));
    if one_domain.is_some() && one_domain == other_domain {
        // Site builders put many studios under one domain: the name has to agree as well.
        let named_alike = names_agree(&one.name, &other.name) || names_tell_the_same(&one.name, &other.name);
        return match (named_alike, one_house, one_city) {
            (true, true, _) => sameness(90, format!("the same domain and name{shown}")),
            (true, false, true) => sameness(75, "the same domain and name in the same city"),
            _ => None,
        };
    }
    let two_sites = one_domain.is_some() && other_domain.is_some();
    match distance {
        Some(km) if km <= ONE_DOOR_KM && !two_sites && names_tell_the_same(&one.name, &other.name) => {
            sameness(if km <= ONE_DOOR_KM / 3.0 { 80 } else { 65 }, format!("the same name{shown}"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::place::{Coordinates, Place};
    use crate::domain::studio::Terms;

    /// A studio some metres north of a point in London.
    fn studio(name: &str, place_id: &str, website: &str, phone: &str, north_m: f64) -> FoundStudio {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let coordinates = (north_m >= 0.0).then(|| Coordinates::new(51.5 + north_m / 111_195.0, -0.1).unwrap());
        FoundStudio {
            name: name.to_owned(),
            website: given(website).map(|text| Url::parse(&text).unwrap()),
            place: Place { coordinates, ..Place::default() },
            place_text: None,
            place_id: given(place_id),
            phone: given(phone),
            source: "test".to_owned(),
            terms: Terms::Own,
        }
    }

    fn score(one: &FoundStudio, other: &FoundStudio) -> u8 {
        let (there, back) = (same_studio(one, other), same_studio(other, one));
        assert_eq!(there, back);
        there.map_or(0, |sameness| sameness.score)
    }

    #[test]
    fn each_way_to_be_one_studio_has_its_score() {
        let site = "https://www.quiet.example/";
        let quiet = studio("Quiet Needle Tattoo", "ChIJ1", site, "+44 20 7946 0001", 0.0);
        for (other, expected) in [
            (studio("Another name", "ChIJ1", "", "", 90_000.0), 100),
            (studio("Another name", "osm:node/1", "http://quiet.example/index.html", "", 200.0), 95),
            (studio("Another name", "osm:node/1", site, "", 800.0), 80),
            (studio("Another name", "", site, "", -1.0), 70),
            (studio("Another name", "osm:node/1", site, "", 1_100.0), 0),
            (studio("Another name", "osm:node/1", "", "020 7946 0001", 900.0), 90),
            (studio("Another name", "osm:node/1", "", "020 7946 0001", 1_100.0), 0),
            (studio("Quiet Needle", "osm:node/1", "https://soho.quiet.example/team", "", 100.0), 90),
            (studio("Loud Needle", "osm:node/1", "https://soho.quiet.example/team", "", 100.0), 0),
            (studio("QUIET NEEDLE", "osm:node/1", "", "", 40.0), 80),
            (studio("Quiet Needle Studio", "osm:node/1", "", "", 140.0), 65),
            (studio("Quiet Needle Studio", "osm:node/1", "", "", 160.0), 0),
            (studio("Quiet", "osm:node/1", "", "", 10.0), 0),
            (studio("Tattoo Studio", "osm:node/1", "", "", 10.0), 0),
            (studio("Quiet Needle", "osm:node/1", "https://elsewhere.example/", "", 10.0), 0),
        ] {
            assert_eq!(score(&quiet, &other), expected, "{other:?}");
        }
    }

    /// One source that names two places means two, unless they share door and site, as a studio and its artist may.
    #[test]
    fn two_listings_of_one_source_are_two_studios() {
        let site = "https://quiet.example/";
        let quiet = studio("Quiet Needle", "ChIJ1", site, "", 0.0);
        assert_eq!(score(&quiet, &studio("Quiet Needle", "ChIJ2", site, "", 200.0)), 0);
        assert_eq!(score(&quiet, &studio("Ana at Quiet Needle", "ChIJ2", site, "", 100.0)), 95);
        assert_eq!(score(&quiet, &studio("Quiet Needle", "ChIJ2", "", "", 10.0)), 0);
    }

    #[test]
    fn a_platform_is_nobodys_site() {
        for (one, other, expected) in [
            ("https://instagram.com/quiet", "https://www.instagram.com/quiet/", 95),
            ("https://instagram.com/quiet", "https://instagram.com/loud", 0),
            ("https://facebook.com/profile.php?id=1", "https://facebook.com/profile.php?id=2", 0),
            ("https://linktr.ee/", "https://linktr.ee/", 0),
        ] {
            let with = |name: &str, id: &str, site: &str| studio(name, id, site, "", 0.0);
            assert_eq!(score(&with("Quiet", "ChIJ1", one), &with("Loud", "osm:node/1", other)), expected, "{one} {other}");
        }
    }
}
