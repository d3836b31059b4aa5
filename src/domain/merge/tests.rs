//! Tests of merging: rules by example, and by property that no order changes it.

use super::*;
use proptest::prelude::*;

/// A finding some metres north of a point in London.
fn finding(terms: Terms, name: &str, place_id: Option<&str>, website: Option<&str>, north_m: f64) -> FoundStudio {
    FoundStudio {
        name: name.to_owned(),
        website: website.map(|text| Url::parse(text).unwrap()),
        place: Place { coordinates: Coordinates::new(51.5 + north_m / 111_195.0, -0.1), ..Place::default() },
        place_text: None,
        place_id: place_id.map(str::to_owned),
        phone: None,
        source: match terms {
            Terms::Own => "file:studios.yaml",
            Terms::Odbl => "openstreetmap",
            Terms::Google => "google_places",
        }
        .to_owned(),
        terms,
    }
}

const SITE: &str = "https://quiet.example/";

#[test]
fn three_sources_are_one_studio_with_why() {
    let own = FoundStudio {
        place: Place { city: Some("London".to_owned()), ..Place::default() },
        ..finding(Terms::Own, "Quiet Needle", None, Some(SITE), 0.0)
    };
    let osm = finding(Terms::Odbl, "Quiet Needle Tattoo", Some("osm:node/7"), None, 30.0);
    let google = finding(Terms::Google, "QUIET NEEDLE", Some("ChIJ7"), Some("http://www.quiet.example"), 0.0);
    let merged = merge(vec![own.clone(), google.clone(), osm.clone()]);
    assert_eq!(merged.len(), 1, "{merged:?}");
    let studio = &merged[0];
    assert_eq!((studio.found.name.as_str(), studio.found.place.city.as_deref()), ("Quiet Needle", Some("London")));
    assert_eq!(studio.found.place.coordinates, osm.place.coordinates, "Google's are not kept where others know them");
    assert_eq!((studio.found.place_id.as_deref(), &studio.lent), (Some("ChIJ7"), &None));
    assert_eq!(studio.ids, [google.id(), osm.id(), own.id()]);
    let why: Vec<_> = studio.named_by.iter().map(|by| (by.source.as_str(), by.score, by.reason.as_deref())).collect();
    let expected = [
        ("file:studios.yaml", 100, None),
        ("google_places", 70, Some("the same site")),
        ("openstreetmap", 80, Some("the same name, 30 m apart")),
    ];
    assert_eq!(why, expected);
}

#[test]
fn what_only_google_knows_is_lent() {
    let merged = merge(vec![finding(Terms::Google, "Quiet Needle", Some("ChIJ7"), Some(SITE), 0.0)]);
    let studio = &merged[0];
    assert_eq!((studio.found.name.as_str(), &studio.found.website, studio.found.place.coordinates), ("", &None, None));
    let lent = studio.lent.clone().unwrap();
    assert_eq!(lent.name.as_deref(), Some("Quiet Needle"));
    assert!(lent.website.is_some() && lent.coordinates.is_some());
}

/// A studio between two of one chain never makes them one.
#[test]
fn a_link_never_joins_what_a_source_tells_apart() {
    let one = finding(Terms::Google, "Quiet Needle", Some("ChIJ1"), Some(SITE), 0.0);
    let other = finding(Terms::Google, "Quiet Needle", Some("ChIJ2"), Some(SITE), 280.0);
    let between = finding(Terms::Odbl, "Quiet Needle", Some("osm:way/3"), Some(SITE), 140.0);
    let merged = merge(vec![one, between, other]);
    let mut sizes: Vec<usize> = merged.iter().map(|studio| studio.ids.len()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [1, 2]);
}

#[test]
fn neighbouring_squares_share_one() {
    for (lat, lon) in [(51.5, -0.1), (0.0, 0.0), (-33.9, 151.2), (69.65, 18.95)] {
        let here: Vec<_> = squares_around(Coordinates::new(lat, lon).unwrap()).collect();
        for (north_m, east_m) in [(150.0, 0.0), (-150.0, 0.0), (0.0, 150.0), (0.0, -150.0), (106.0, 106.0), (-106.0, 106.0)] {
            let (north, east) = (north_m / 111_195.0, east_m / 111_195.0 / f64::to_radians(lat).cos());
            let there: Vec<_> = squares_around(Coordinates::new(lat + north, lon + east).unwrap()).collect();
            assert!(here.iter().any(|square| there.contains(square)), "{lat} {lon}, {north_m} m north, {east_m} m east");
        }
    }
}

fn any_finding() -> impl Strategy<Value = FoundStudio> {
    let terms = prop_oneof![Just(Terms::Own), Just(Terms::Odbl), Just(Terms::Google)];
    let name = prop_oneof![Just("Quiet Needle"), Just("Quiet Needle Tattoo"), Just("Black Harbour"), Just("Tattoo Studio"), Just("Ana")];
    let site = prop_oneof![
        Just(None),
        Just(Some("https://quiet.example/")),
        Just(Some("https://www.quiet.example/team")),
        Just(Some("https://harbour.example/")),
        Just(Some("https://instagram.com/quiet")),
    ];
    let phone = prop_oneof![Just(None), Just(Some("+44 20 7946 0001")), Just(Some("020 7946 0001")), Just(Some("020 7946 0002"))];
    (terms, name, prop::option::of(0_u8..6), site, phone, prop::option::of(0_u32..2_500)).prop_map(
        |(terms, name, id, site, phone, north)| {
            let id = id.map(|id| match terms {
                Terms::Odbl => format!("osm:node/{id}"),
                _ => format!("ChIJ{id}"),
            });
            let mut studio = finding(terms, name, id.as_deref(), site, f64::from(north.unwrap_or(0)));
            if north.is_none() {
                studio.place.coordinates = None;
            }
            studio.phone = phone.map(str::to_owned);
            studio
        },
    )
}

proptest! {
    /// The order of sources, and what is named twice, changes nothing.
    #[test]
    fn no_order_changes_what_is_merged(found in prop::collection::vec(any_finding(), 0..14), seed: u64, again in 0_usize..5) {
        let merged = merge(found.clone());
        let mut shuffled = found.clone();
        shuffled.extend(found.iter().take(again).cloned());
        let chance = crate::domain::chance::Chance::seeded(seed);
        for at in (1..shuffled.len()).rev() {
            let other = chance.up_to(std::time::Duration::from_micros(at as u64)).as_micros() as usize;
            shuffled.swap(at, other);
        }
        prop_assert_eq!(merge(shuffled), merged);
    }

    /// Nothing is lost, nobody is in two studios, and no studio holds two that contradict each other.
    #[test]
    fn every_finding_is_in_one_studio(found in prop::collection::vec(any_finding(), 0..14)) {
        let merged = merge(found.clone());
        for studio in &found {
            let by = |named: &NamedBy| named.source == studio.source && named.place_id == studio.place_id;
            prop_assert!(merged.iter().any(|merged| merged.named_by.iter().any(by)));
        }
        for studio in &merged {
            let google: BTreeSet<_> = studio.named_by.iter().filter(|by| by.terms == Terms::Google).filter_map(|by| by.place_id.as_ref()).collect();
            if google.len() > 1 {
                // Two of Google's are one only by door and site.
                prop_assert!(studio.found.website.is_some() || studio.lent.as_ref().is_some_and(|lent| lent.website.is_some()));
            }
            prop_assert!(!studio.ids.is_empty());
        }
        let mut place_ids: Vec<_> = merged.iter().filter_map(|studio| studio.found.place_id.clone()).collect();
        let all = place_ids.len();
        place_ids.sort();
        place_ids.dedup();
        prop_assert_eq!(place_ids.len(), all, "one place id, one studio");
    }
}
