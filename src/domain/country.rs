//! Countries as people write them: ISO codes, English names, and what a country calls itself.

use crate::domain::place::country_code;
use crate::domain::text::folded_name;
use std::collections::HashMap;
use std::sync::LazyLock;

/// Names beside the English ones of ISO 3166-1, in lower case; each is also searchable text of the artists there.
const OTHER_NAMES: &[(&str, &[&str])] = &[
    ("AE", &["uae"]),
    ("AT", &["osterreich", "oesterreich"]),
    ("BE", &["belgie", "belgique", "belgien"]),
    ("BG", &["българия"]),
    ("BO", &["bolivia"]),
    ("BR", &["brasil"]),
    ("BY", &["беларусь"]),
    ("CD", &["dr congo", "drc"]),
    ("CH", &["schweiz", "suisse", "svizzera"]),
    ("CI", &["ivory coast"]),
    ("CN", &["中国"]),
    ("CV", &["cape verde"]),
    ("CZ", &["cesko", "ceska republika", "czech republic"]),
    ("DE", &["deutschland"]),
    ("DK", &["danmark"]),
    ("EE", &["eesti"]),
    ("ES", &["espana", "espanya"]),
    ("FI", &["suomi"]),
    ("GB", &["uk", "united kingdom", "great britain", "britain"]),
    ("GR", &["ελλαδα", "hellas"]),
    ("HR", &["hrvatska"]),
    ("HU", &["magyarorszag"]),
    ("IE", &["eire", "republic of ireland"]),
    ("IR", &["iran"]),
    ("IS", &["island"]),
    ("IT", &["italia", "italien"]),
    ("JP", &["日本"]),
    ("KP", &["north korea"]),
    ("KR", &["south korea", "korea", "republic of korea", "대한민국", "한국"]),
    ("LA", &["laos"]),
    ("LT", &["lietuva"]),
    ("LV", &["latvija"]),
    ("MD", &["moldova"]),
    ("ME", &["crna gora"]),
    ("MK", &["macedonia"]),
    ("NL", &["nederland", "netherlands", "the netherlands", "holland"]),
    ("NO", &["norge"]),
    ("PL", &["polska", "polen"]),
    ("PS", &["palestine"]),
    ("RS", &["srbija", "србија"]),
    ("RU", &["russia", "россия"]),
    ("SE", &["sverige"]),
    ("SI", &["slovenija"]),
    ("SK", &["slovensko"]),
    ("SY", &["syria"]),
    ("TR", &["turkey"]),
    ("TW", &["taiwan", "台灣"]),
    ("TZ", &["tanzania"]),
    ("UA", &["украіна", "украина"]),
    ("US", &["usa", "united states", "america"]),
    ("VE", &["venezuela"]),
    ("VN", &["vietnam"]),
];

/// Parts of a country that people name as one; no text of all its artists, most of whom are elsewhere in it.
const PARTS: &[(&str, &[&str])] = &[("GB", &["england", "scotland", "wales", "northern ireland"])];

/// What follows a city's comma and is a country *and* a state of the United States: as a country it would hide the city.
const ALSO_STATES: &[&str] = &[
    "al", "ar", "az", "ca", "co", "de", "ga", "georgia", "id", "il", "in", "ky", "la", "ma", "md", "me", "mn", "mo", "ms", "mt", "nc",
    "ne", "pa", "pr", "sc", "sd", "tn", "va",
];

static BY_NAME: LazyLock<HashMap<String, &'static str>> = LazyLock::new(|| {
    let english = rust_iso3166::ALL.iter().map(|country| (folded_name(country.name), country.alpha2));
    let other = OTHER_NAMES.iter().chain(PARTS).flat_map(|(code, names)| names.iter().map(|name| (folded_name(name), *code)));
    english.chain(other).collect()
});

/// The alpha-2 code of a country by its code or one of its names, in any case, with or without accents and dots.
pub fn find(text: &str) -> Option<String> {
    let text = text.replace('.', "");
    country_code(&text).or_else(|| BY_NAME.get(&folded_name(&text)).map(|code| (*code).to_owned()))
}

/// Whether a word after a city may as well be a state as a country: "San Francisco, CA".
pub fn may_be_a_state(text: &str) -> bool {
    ALSO_STATES.contains(&folded_name(text).as_str())
}

/// Whether a text names a part of a country: "Scotland" is no city.
pub fn is_part(text: &str) -> bool {
    let name = folded_name(text);
    PARTS.iter().any(|(_, names)| names.contains(&name.as_str()))
}

/// The names by which free text finds a country: the English one and the others known.
pub fn names(code: &str) -> impl Iterator<Item = &'static str> {
    let english = rust_iso3166::from_alpha2(code).map(|country| country.name);
    let other = OTHER_NAMES.iter().find(|(known, _)| *known == code).map(|(_, names)| *names).unwrap_or_default();
    english.into_iter().chain(other.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_are_found_by_what_people_type() {
        for (typed, code) in [
            ("de", "DE"),
            ("Germany", "DE"),
            ("Deutschland", "DE"),
            ("UK", "GB"),
            ("U.K.", "GB"),
            ("United Kingdom", "GB"),
            ("USA", "US"),
            ("U.S.A.", "US"),
            ("España", "ES"),
            ("Brasil", "BR"),
            ("Italia", "IT"),
            ("Polska", "PL"),
            ("Nederland", "NL"),
            ("Česko", "CZ"),
            ("Österreich", "AT"),
            ("Schweiz", "CH"),
            ("Türkiye", "TR"),
            ("côte d'ivoire", "CI"),
            ("Россия", "RU"),
            ("Україна", "UA"),
        ] {
            assert_eq!(find(typed).as_deref(), Some(code), "{typed}");
        }
        for city in ["London", "Paris", "New York", "", "Xx"] {
            assert_eq!(find(city), None, "{city}");
        }
    }

    #[test]
    fn every_other_name_means_one_country() {
        let mut seen: HashMap<String, &str> = HashMap::new();
        for (code, names) in OTHER_NAMES.iter().chain(PARTS) {
            assert_eq!(country_code(code).as_deref(), Some(*code));
            for name in *names {
                assert_eq!(seen.insert(folded_name(name), code), None, "{name} is listed twice");
                assert_eq!(find(name).as_deref(), Some(*code), "{name}");
            }
        }
    }

    #[test]
    fn only_countries_are_listed_as_also_states() {
        for text in ALSO_STATES {
            assert!(find(text).is_some(), "{text} is no country, so it need not be listed");
        }
    }

    #[test]
    fn names_of_a_country() {
        assert_eq!(names("DE").collect::<Vec<_>>(), ["Germany", "deutschland"]);
        assert_eq!(names("ZZ").count(), 0);
    }
}
