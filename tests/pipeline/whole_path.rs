//! One whole session over the demo's web, and the second one over the same web.

use crate::support::ledger::{by_kind, changes, jobs_of, report_of, row_of, rows, scrape_of, searchable, subject};
use crate::support::world::{World, run};
use inkdex::demo::{DemoArtist, DemoWeb, Fate, RequestLog};
use inkdex::domain::artist::{Artist, ArtistRow};
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
use std::fmt::Debug;

const SEED: u64 = 7;

fn with_fate(web: &DemoWeb, fate: Fate) -> Vec<&DemoArtist> {
    web.artists().iter().filter(|artist| artist.fate == fate).collect()
}

fn names(artists: &[&DemoArtist]) -> Vec<String> {
    let mut names: Vec<String> = artists.iter().map(|artist| artist.name.clone()).collect();
    names.sort();
    names
}

/// What differs from the plan, told together at the end: one wrong thing never hides the others.
#[derive(Default)]
struct Differences(Vec<String>);

impl Differences {
    fn compare<T: PartialEq + Debug>(&mut self, what: &str, found: T, planned: T) {
        if found != planned {
            self.0.push(format!("{what}: {found:?} instead of {planned:?}"));
        }
    }

    fn compare_names(&mut self, what: &str, found: &[String], planned: &[String]) {
        let missing: Vec<_> = planned.iter().filter(|name| !found.contains(name)).collect();
        let surplus: Vec<_> = found.iter().filter(|name| !planned.contains(name)).collect();
        if found != planned {
            self.0.push(format!("{what}: {missing:?} are missing, {surplus:?} are too many"));
        }
    }
}

impl Drop for Differences {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert!(self.0.is_empty(), "seed {SEED}, {} differences:\n{}", self.0.len(), self.0.join("\n"));
        }
    }
}

/// Compares a record with what the generator says of the artist.
fn compare_record(differences: &mut Differences, ports: &Ports, record: &Artist, artist: &DemoArtist) {
    let what = |field: &str| format!("{field} of {} ({})", artist.name, artist.studio);
    differences.compare(&what("handle"), record.instagram.as_ref().map(|fact| fact.value.clone()), artist.instagram.clone());
    let city = record.city.as_ref().and_then(|fact| key_part(&fact.value));
    differences.compare(&what("city"), city, key_part(&artist.city));
    let country = record.country.as_ref().map(|fact| fact.value.clone());
    differences.compare(&what("country"), country, Some(artist.country.clone()));
    let styles: BTreeSet<&str> = record.styles.iter().map(|fact| fact.value.as_str()).collect();
    let planned: BTreeSet<&str> = artist.styles.iter().map(|name| ports.styles.resolve(name).unwrap().slug.as_str()).collect();
    differences.compare(&what("styles"), styles, planned);
}

/// 002-R14, 002-R15, 002-R16, 002-R17: the artist is found by every key of its record, and by name through the index.
async fn assert_found(ports: &Ports, row: &ArtistRow) {
    let record = row.live().unwrap();
    let name = &record.name.value;
    if let Some(handle) = &record.instagram {
        let found = ports.store.by_instagram(&instagram_partition(&handle.value)).await.unwrap();
        assert_eq!(found.map(|row| row.id), Some(row.id.clone()), "{name} by handle");
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
        assert!(page.entries.iter().any(|entry| entry.row.id == row.id), "{name} by {}", style.value);
    }
    let query = SearchQuery { tokens: tokens(name), limit: 50, ..SearchQuery::default() };
    let page = ports.index.search(&query).await.unwrap();
    let hit = page.hits.iter().find(|hit| hit.artist_id == row.id).unwrap_or_else(|| panic!("{name} is not searchable"));
    assert_eq!(hit.version, row.version, "the version indexed of {name}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_makes_of_every_artist_what_was_planned() {
    whole_path(World::of(DemoWeb::generate(SEED)).await).await;
}

/// 002-C4, 002-C6, 002-C8, 002-C9: the same on the production backends.
#[cfg(all(feature = "cql", feature = "sqs", feature = "opensearch", feature = "s3"))]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_on_production_backends_makes_of_every_artist_what_was_planned() {
    whole_path(World::on_servers(DemoWeb::generate(SEED)).await).await;
}

/// 002-R2, 002-R9, 002-R10, 002-R13, 002-R17, 002-R21 to R28, R32: discover, find, scrape, write, feed and search, each artist once, and every
/// artist of the web ends as the generator planned.
async fn whole_path(world: World) {
    let app = world.start().await;
    let session = run(&app).await;
    let ports = &app.ports;
    assert_eq!(session.state, SessionState::Completed, "{:?}", session.failure);
    // 002-R2: in order, each ended.
    let steps: Vec<&str> = session.steps.iter().map(|step| step.definition.name.as_str()).collect();
    assert_eq!(steps, ["discover", "find_artists", "scrape", "report"]);
    assert!(session.steps.iter().all(|step| step.state == StepState::Succeeded));
    assert!(session.steps.windows(2).all(|pair| pair[0].ended_at <= pair[1].ended_at));

    let mut differences = Differences::default();
    let planned = with_fate(&world.web, Fate::Searchable);
    assert_eq!(planned.len(), 31);
    let found = searchable(ports).await;
    differences.compare_names("searchable", &found, &names(&planned));
    for decoy in world.web.decoys() {
        assert!(!found.contains(&decoy), "{decoy} is no artist");
    }
    for artist in planned.iter().filter(|artist| found.contains(&artist.name)) {
        let row = row_of(ports.store.as_ref(), &artist.name).await;
        compare_record(&mut differences, ports, row.live().unwrap(), artist);
        assert_found(ports, &row).await;
    }

    // 002-R10: one job for each artist.
    let jobs = jobs_of(ports.store.as_ref(), &session.id).await;
    assert!(jobs.iter().all(|job| job.state.is_terminal()));
    let mut scraped: Vec<String> = jobs.iter().filter_map(subject).map(str::to_owned).collect();
    scraped.sort();
    differences.compare_names("scraped", &scraped, &names(&world.web.artists().iter().collect::<Vec<_>>()));
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
    differences.compare("studios, not tattoo, found", (report.studios, report.not_tattoo, report.found), (9, 1, 33));
    differences.compare("new, changed, unchanged", (report.new, report.changed, report.unchanged), (31, 0, 0));
    differences.compare("refused, gone, retired", (report.refused_by_robots, report.gone, report.retired), (1, 0, 0));
    differences.compare("dead", report.dead_by_reason, BTreeMap::from([("parse_over_budget".to_owned(), 1)]));
    differences.compare("requests", report.requests, world.server.requests().len() as u64);
    differences.compare("live artists with a city", report.coverage["city"], 31);
    assert_polite(&world.server.requests());
    // 002-R34, 002-R35, 002-R42, 002-R43: what the session did is measured.
    let measured = app.metrics.text();
    for series in [
        "inkdex_jobs_total{kind=\"scrape_artist\",outcome=\"done_written\"} ",
        "inkdex_jobs_total{kind=\"scrape_artist\",outcome=\"dead\"} 1\n",
        "inkdex_job_seconds_count{kind=\"find_artists\"} ",
        "inkdex_step_seconds_count{step=\"discover\"} 1\n",
        "inkdex_step_seconds_count{step=\"scrape\"} 1\n",
        "inkdex_open_jobs 0\n",
    ] {
        assert!(measured.contains(series), "{series:?} is missing in {measured}");
    }
    assert!(app.metrics.lag_quantile(0.99).is_some(), "002-R34: the lag of what was indexed is known");
    assert!(compare(ports).await.unwrap().is_none());
    app.stop().await;
}

/// Rule 14: no page is fetched twice in a session, and the one 429 is obeyed.
fn assert_polite(asked: &[RequestLog]) {
    let mut by_page: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for request in asked.iter().filter(|request| request.status != 429) {
        *by_page.entry((request.host.as_str(), request.path.as_str())).or_default() += 1;
    }
    let twice: Vec<_> = by_page.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "fetched twice: {twice:?}");
    let limited: Vec<_> = asked.iter().filter(|request| request.status == 429).collect();
    assert_eq!(limited.len(), 1);
    let (host, at_ms) = (&limited[0].host, limited[0].at_ms);
    let next = asked.iter().filter(|request| request.host == *host && request.at_ms > at_ms).map(|request| request.at_ms).min();
    let gap_ms = next.expect("the host is asked again") - at_ms;
    assert!(gap_ms >= 1_000, "{host} was asked again {gap_ms} ms after it said Retry-After: 1");
}

/// 002-R22: a second session over the same web makes no version and no change, and counts everybody as unchanged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_web_read_again_changes_nothing() {
    let world = World::of(DemoWeb::generate(SEED)).await;
    let app = world.start().await;
    run(&app).await;
    let ports = &app.ports;
    let versions =
        |rows: Vec<ArtistRow>| -> BTreeMap<String, i64> { rows.into_iter().map(|row| (row.id.to_string(), row.version)).collect() };
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
