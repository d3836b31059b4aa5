//! One whole session over the demo's web, and the second one over the same web.

use crate::support::ledger::{by_kind, changes, jobs_of, report_of, row_of, rows, scrape_of, searchable, subject};
use crate::support::world::{World, run};
use inkdex::demo::{DemoArtist, DemoWeb, Fate};
use inkdex::domain::job::JobKind;
use inkdex::domain::keys::{instagram_partition, location_prefix, style_partition};
use inkdex::domain::outcome::{Category, Done};
use inkdex::domain::place::key_part;
use inkdex::domain::session::{SessionState, StepState};
use inkdex::domain::text::tokens;
use inkdex::jobs::Ports;
use inkdex::jobs::reconcile::compare;
use inkdex::search::SearchQuery;
use inkdex::store::StyleQuery;
use std::collections::{BTreeMap, BTreeSet};

const SEED: u64 = 7;

fn with_fate(web: &DemoWeb, fate: Fate) -> Vec<&DemoArtist> {
    web.artists().iter().filter(|artist| artist.fate == fate).collect()
}

fn names(artists: &[&DemoArtist]) -> Vec<String> {
    let mut names: Vec<String> = artists.iter().map(|artist| artist.name.clone()).collect();
    names.sort();
    names
}

/// What differs between a record and what the generator says of the artist.
async fn differences(ports: &Ports, artist: &DemoArtist) -> Vec<String> {
    let row = row_of(ports.store.as_ref(), &artist.name).await;
    let record = row.live().unwrap();
    let mut wrong = Vec::new();
    let mut check = |field: &str, found: String, wanted: String| {
        if found != wanted {
            wrong.push(format!("{} of {} ({}): {found} instead of {wanted}", field, artist.name, artist.studio));
        }
    };
    let handle = record.instagram.as_ref().map(|fact| fact.value.clone());
    check("handle", format!("{handle:?}"), format!("{:?}", artist.instagram));
    let city = record.city.as_ref().and_then(|fact| key_part(&fact.value));
    check("city", format!("{city:?}"), format!("{:?}", key_part(&artist.city)));
    let country = record.country.as_ref().map(|fact| fact.value.clone());
    check("country", format!("{country:?}"), format!("{:?}", Some(&artist.country)));
    let styles: BTreeSet<&str> = record.styles.iter().map(|fact| fact.value.as_str()).collect();
    let wanted: BTreeSet<&str> = artist.styles.iter().map(|name| ports.styles.resolve(name).unwrap().slug.as_str()).collect();
    check("styles", format!("{styles:?}"), format!("{wanted:?}"));
    wrong
}

/// 002-R14 to R17: the artist is found by every key of its record, and by name through the index.
async fn assert_found(ports: &Ports, artist: &DemoArtist) {
    let row = row_of(ports.store.as_ref(), &artist.name).await;
    let record = row.live().unwrap();
    if let Some(handle) = &record.instagram {
        let found = ports.store.by_instagram(&instagram_partition(&handle.value)).await.unwrap();
        assert_eq!(found.map(|row| row.id), Some(row.id.clone()), "{} by handle", artist.name);
    }
    let place = record.place();
    for style in &record.styles {
        let query = StyleQuery {
            gsi1pk: style_partition(&style.value),
            gsi1sk_prefix: location_prefix(place.country.as_deref(), place.city.as_deref()),
            limit: 50,
            after: None,
        };
        let page = ports.store.by_style(&query).await.unwrap();
        assert!(page.entries.iter().any(|entry| entry.row.id == row.id), "{} by {}", artist.name, style.value);
    }
    let query = SearchQuery { tokens: tokens(&artist.name), limit: 50, ..SearchQuery::default() };
    let page = ports.index.search(&query).await.unwrap();
    let hit = page.hits.iter().find(|hit| hit.artist_id == row.id).unwrap_or_else(|| panic!("{} is not searchable", artist.name));
    assert_eq!(hit.version, row.version, "the version indexed of {}", artist.name);
}

/// 002-R2, R9, R10, R13, R17, R21 to R28, R32: discover, find, scrape, write, feed and search, each artist once, and every
/// artist of the web ends as the generator planned.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_makes_of_every_artist_what_was_planned() {
    let world = World::of(DemoWeb::generate(SEED)).await;
    let app = world.start().await;
    let session = run(&app).await;
    let ports = &app.ports;
    assert_eq!(session.state, SessionState::Completed, "{:?}", session.failure);
    // 002-R2: in order, each ended.
    let steps: Vec<&str> = session.steps.iter().map(|step| step.definition.name.as_str()).collect();
    assert_eq!(steps, ["discover", "find_artists", "scrape", "report"]);
    assert!(session.steps.iter().all(|step| step.state == StepState::Succeeded));
    assert!(session.steps.windows(2).all(|pair| pair[0].ended_at <= pair[1].ended_at));

    let planned = with_fate(&world.web, Fate::Searchable);
    assert_eq!(planned.len(), 31);
    assert_eq!(searchable(ports).await, names(&planned), "seed {SEED}");
    for decoy in world.web.decoys() {
        assert!(!searchable(ports).await.contains(&decoy), "{decoy} is no artist");
    }

    // 002-R10: one job for each artist.
    let jobs = jobs_of(ports.store.as_ref(), &session.id).await;
    assert!(jobs.iter().all(|job| job.state.is_terminal()));
    let mut scraped: BTreeMap<&str, usize> = BTreeMap::new();
    for name in jobs.iter().filter_map(subject) {
        *scraped.entry(name).or_default() += 1;
    }
    let everybody: BTreeMap<&str, usize> = world.web.artists().iter().map(|artist| (artist.name.as_str(), 1)).collect();
    assert_eq!(scraped, everybody);
    let counts = by_kind(&jobs);
    assert_eq!((counts[&JobKind::DiscoverStudios], counts[&JobKind::FindArtists], counts[&JobKind::Report]), (1, 9, 1));

    // robots.txt refuses one: done, and no dead letter. One page is over the parse budget: a dead letter that says so.
    for refused in with_fate(&world.web, Fate::RefusedByRobots) {
        let job = scrape_of(ports.store.as_ref(), &session.id, &refused.name).await;
        assert_eq!(job.done(), Some(Done::RefusedByRobots), "{}", refused.name);
    }
    let dead: Vec<_> = jobs.iter().filter(|job| job.death().is_some()).collect();
    assert_eq!(dead.iter().filter_map(|job| subject(job)).collect::<Vec<_>>(), names(&with_fate(&world.web, Fate::DeadLetter)));
    let reason = dead[0].death().unwrap();
    assert_eq!((reason.category, reason.code.as_str()), (Category::Data, "parse_over_budget"));

    let report = report_of(ports, &session.id).await;
    assert_eq!((report.studios, report.not_tattoo, report.found), (9, 1, 33));
    assert_eq!((report.new, report.changed, report.unchanged), (31, 0, 0));
    assert_eq!((report.refused_by_robots, report.gone, report.retired), (1, 0, 0));
    assert_eq!(report.dead_by_reason, BTreeMap::from([("parse_over_budget".to_owned(), 1)]));
    let asked = world.server.requests();
    assert_eq!(report.requests, asked.len() as u64);
    assert_eq!(report.coverage["city"], 31);

    // Rule 14: no page is fetched twice in a session, and one 429 is obeyed.
    let mut by_page: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for request in asked.iter().filter(|request| request.status != 429) {
        *by_page.entry((request.host.as_str(), request.path.as_str())).or_default() += 1;
    }
    let twice: Vec<_> = by_page.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "fetched twice: {twice:?}");
    let limited: Vec<_> = asked.iter().filter(|request| request.status == 429).collect();
    assert_eq!(limited.len(), 1);
    let after: Vec<i64> = asked.iter().filter(|r| r.host == limited[0].host && r.at_ms > limited[0].at_ms).map(|r| r.at_ms).collect();
    let gap = after.iter().min().unwrap() - limited[0].at_ms;
    assert!(gap >= 1_000, "{} was asked again {gap} ms after it said Retry-After: 1", limited[0].host);

    let mut wrong = Vec::new();
    for artist in &planned {
        wrong.extend(differences(ports, artist).await);
        assert_found(ports, artist).await;
    }
    assert!(wrong.is_empty(), "seed {SEED}, {} fields differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(compare(ports).await.unwrap().is_none());
    app.stop().await;
}

/// 002-R22: a second session over the same web makes no version and no change, and counts everybody as unchanged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_web_read_again_changes_nothing() {
    let world = World::of(DemoWeb::generate(SEED)).await;
    let app = world.start().await;
    run(&app).await;
    let ports = &app.ports;
    let versions = |rows: Vec<inkdex::domain::artist::ArtistRow>| -> BTreeMap<String, i64> {
        rows.into_iter().map(|row| (row.id.to_string(), row.version)).collect()
    };
    let before = (versions(rows(ports.store.as_ref()).await), changes(ports).await, searchable(ports).await);
    let session = run(&app).await;
    let after = (versions(rows(ports.store.as_ref()).await), changes(ports).await, searchable(ports).await);
    assert_eq!(before, after);
    let report = report_of(ports, &session.id).await;
    assert_eq!((report.new, report.changed), (0, 0));
    assert_eq!(report.unchanged, before.2.len() as u64);
    assert_eq!(report.absences, 0);
    app.stop().await;
}
