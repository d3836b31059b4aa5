//! What every source of studios promises, whichever it is.

use super::{Bench, asking};
use crate::support::studio_apis::{Canned, Fate, Known};
use inkdex::discover::file::StudioFile;
use inkdex::discover::{SourceError, StudioSource};
use inkdex::domain::ids::SessionId;
use inkdex::domain::studio::Terms;
use std::collections::BTreeSet;

/// Three good studios and one without a name.
fn world() -> Vec<Known> {
    let mut world: Vec<Known> =
        (1..=4).map(|number| Known::new(number, &format!("Studio {number}"), (51.5 + number as f64 / 100.0, -0.1))).collect();
    for known in &mut world {
        known.website = Some(format!("https://studio-{}.example/", known.number));
    }
    world[3].name = String::new();
    world
}

fn file(bench: &Bench) -> StudioFile {
    let path = bench.folder.path().join("studios.yaml");
    let entry = |known: &Known| {
        let name = if known.name.is_empty() { "''".to_owned() } else { known.name.clone() };
        format!("- {{name: {name}, website: '{}', lat: {}, lon: {}}}\n", known.website.as_deref().unwrap(), known.at.0, known.at.1)
    };
    std::fs::write(&path, world().iter().map(entry).collect::<String>()).unwrap();
    StudioFile::new(path)
}

/// Each source names the good ones with checked fields and its own terms, counts the bad one, and says the same when asked again.
#[tokio::test]
async fn every_source_names_the_good_and_tells_the_bad() {
    let bench = Bench::over(world());
    let sources: Vec<(Box<dyn StudioSource>, Terms)> =
        vec![(Box::new(file(&bench)), Terms::Own), (Box::new(bench.overpass(100)), Terms::Odbl), (Box::new(bench.places()), Terms::Google)];
    let mut names = BTreeSet::new();
    for (source, terms) in sources {
        let source_name = source.name().to_owned();
        assert!(!source_name.is_empty() && names.insert(source_name.clone()));
        let found = source.studios(&asking("daily-1")).await.unwrap();
        assert_eq!(found.studios.len(), 3, "{source_name}: {found:?}");
        let bad = found.problems.len() as u64 + found.areas.iter().map(|area| area.unusable).sum::<u64>();
        assert_eq!(bad, 1, "{source_name}");
        for studio in &found.studios {
            assert!(studio.name.starts_with("Studio ") && studio.website.is_some() && studio.place.coordinates.is_some(), "{studio:?}");
            assert_eq!((studio.source.as_str(), studio.terms), (source_name.as_str(), terms));
        }
        let ids: BTreeSet<_> = found.studios.iter().map(inkdex::domain::studio::FoundStudio::id).collect();
        assert_eq!(ids.len(), 3);
        assert_eq!(source.studios(&asking("daily-1")).await.unwrap(), found, "{source_name}: asked again in the same run");
        source.taken(&SessionId::new("daily-1")).await.unwrap();
        let next = source.studios(&asking("daily-2")).await.unwrap();
        assert_eq!(next.studios, found.studios, "{source_name}: the next run");
    }
}

/// Each source that cannot be used says its name and what to change.
#[tokio::test]
async fn every_source_says_what_to_change() {
    let bench = Bench::over(world());
    bench.apis.plan(|_, call| match call.service {
        "places" => Fate::Canned(Canned::google("403 Forbidden", "PERMISSION_DENIED", "not enabled")),
        _ => Fate::Canned(Canned::html("403 Forbidden", "<p>not for you")),
    });
    let sources: Vec<(Box<dyn StudioSource>, &str)> = vec![
        (Box::new(StudioFile::new(bench.folder.path().join("not-there.yaml"))), "discovery.studio_files"),
        (Box::new(bench.overpass(100)), "overpass.url"),
        (Box::new(bench.places()), "places.key"),
    ];
    for (source, key) in sources {
        let error = source.studios(&asking("daily-1")).await.unwrap_err();
        assert!(matches!(error, SourceError::Refused { .. }), "{error:?}");
        let told = error.to_string();
        assert!(told.contains(source.name()) && told.contains(key), "{told}");
    }
}
