//! Replay: a change of the extractors is tried on kept pages, shows exactly whom it concerns, and is written without asking
//! any site for anything.

use crate::support::ledger::{changes, row_of, rows, searchable};
use crate::support::world::{World, in_step, program, run, run_night};
use inkdex::demo::{DemoArtist, DemoWeb};
use inkdex::domain::clock::{Clock, SystemClock};
use inkdex::domain::job::JobState;
use inkdex::domain::outcome::{Done, Outcome};
use inkdex::extract::{ParseLimits, Styles};
use inkdex::jobs::Ports;
use inkdex::jobs::reading::{ChildSettings, PageReader};
use inkdex::jobs::reconcile::compare as in_full;
use inkdex::jobs::remove_artist::{OPERATIONS, remove};
use inkdex::jobs::replay::{Replayed, apply, compare};
use inkdex::search::SearchQuery;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

const SEED: u64 = 5;

/// A wording that some of the made-up artists use of themselves, and that the vocabulary of this build does not know.
const WORDING: &str = "larger projects";
const STYLE: &str = "big-project";

/// The ports of a build whose `config/styles.toml` has gained that wording. Its parser has never seen a page.
fn with_another_wording(ports: &Ports) -> Ports {
    let vocabulary = include_str!("../../config/styles.toml");
    let styles = format!("{vocabulary}\n[[style]]\nname = \"big project\"\n[style.wordings]\nen = [\"{WORDING}\"]\n");
    with_styles(ports, Styles::from_toml(&styles).unwrap())
}

fn with_styles(ports: &Ports, styles: Styles) -> Ports {
    let styles = Arc::new(styles);
    let child = ChildSettings { program: program(), time: Duration::from_secs(60), memory_mb: 512 };
    let limits = ParseLimits { time_ms: 60_000, ..ParseLimits::default() };
    Ports { reader: Arc::new(PageReader::new(styles.clone(), limits, 2, child)), styles, ..ports.clone() }
}

/// What a replay says of everybody in the directory, by name.
async fn replayed(ports: &Ports) -> BTreeMap<String, Replayed> {
    let mut all = BTreeMap::new();
    for row in rows(ports.store.as_ref()).await {
        if let Some(one) = compare(ports, &row.id).await.unwrap() {
            all.insert(one.name.clone(), one);
        }
    }
    all
}

fn concerned(web: &DemoWeb) -> BTreeSet<String> {
    let artists = web.artists().iter().filter(|artist: &&DemoArtist| artist.bio.contains(WORDING));
    artists.map(|artist| artist.name.clone()).collect()
}

async fn found_by_style(ports: &Ports) -> BTreeSet<String> {
    let query = SearchQuery { styles: vec![STYLE.to_owned()], limit: 50, ..SearchQuery::default() };
    ports.index.search(&query).await.unwrap().hits.into_iter().map(|hit| hit.document.name).collect()
}

/// Nothing changes by the extractors that read the pages; a wording more shows exactly those who use it, before and after;
/// applied, they are found by it, once; and the web was asked for nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_extractor_change_is_replayed_without_a_request() {
    let world = World::sparing(DemoWeb::generate_sized(SEED, 8, 4), true).await;
    let app = world.start().await;
    for number in 1..=2 {
        run_night(&app, &world, number).await;
    }
    let ports = &app.ports;
    let everybody = searchable(ports).await;
    let asked = world.server.requests().len();

    let unchanged = replayed(&with_styles(ports, Styles::standard())).await;
    assert_eq!(unchanged.len(), everybody.len());
    for (name, one) in &unchanged {
        assert!(one.changes.is_empty() && one.unread.is_empty(), "{name}: {one:?}");
    }

    let changed = with_another_wording(ports);
    let expected = concerned(&world.web);
    assert!(expected.len() > 1 && expected.len() < everybody.len(), "{expected:?}");
    let versions: BTreeMap<_, _> = rows(ports.store.as_ref()).await.into_iter().map(|row| (row.id.clone(), row.version)).collect();
    let replay = replayed(&changed).await;
    let would: BTreeSet<String> = replay.iter().filter(|(_, one)| !one.changes.is_empty()).map(|(name, _)| name.clone()).collect();
    println!("{} of {} artists would change: {would:?}", would.len(), replay.len());
    assert_eq!(would, expected);
    for name in &would {
        let [change] = replay[name].changes.as_slice() else { panic!("{:?}", replay[name].changes) };
        let (mut before, after) = (change.before.as_array().unwrap().clone(), change.after.as_array().unwrap());
        before.push(json!(STYLE));
        before.sort_by_key(ToString::to_string);
        assert_eq!((change.field, &before), ("styles", after), "{name}");
    }
    let untouched: BTreeMap<_, _> = rows(ports.store.as_ref()).await.into_iter().map(|row| (row.id.clone(), row.version)).collect();
    assert_eq!(untouched, versions, "a replay that is not applied writes nothing");

    let feed = self::changes(ports).await;
    for name in &would {
        let sightings = ports.store.sightings_of(&replay[name].artist_id).await.unwrap();
        let outcome = apply(&changed, &replay[name].artist_id).await.unwrap();
        assert_eq!(outcome, Outcome::Done { how: Done::Written }, "{name}");
        assert_eq!(ports.store.sightings_of(&replay[name].artist_id).await.unwrap(), sightings, "nobody was seen by it");
    }
    in_step(&app).await;
    assert_eq!(found_by_style(ports).await, expected, "searchable by the new style");
    assert_eq!(self::changes(ports).await.difference(&feed).count(), would.len(), "one change each");
    for one in replayed(&changed).await.values() {
        assert_eq!(one.changes, [], "applied once and for all: {}", one.name);
    }
    let jobs = ports.store.jobs_in(&inkdex::domain::ids::SessionId::new(OPERATIONS), None, None, 500).await.unwrap();
    assert!(jobs.len() == would.len() && jobs.iter().all(|job| job.state == JobState::Done), "the ledger knows each of them");
    assert!(in_full(ports).await.unwrap().is_none());
    assert_eq!(world.server.requests().len(), asked, "the web was asked");
    app.stop().await;
}

/// Rules 11 and 15: a replay brings nobody back who was removed or has retired, and misses nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_brings_nobody_back() {
    let world = World::sparing(DemoWeb::generate_sized(SEED, 8, 4), true).await;
    let app = world.start().await;
    run_night(&app, &world, 1).await;
    let ports = &app.ports;
    let concerned = concerned(&world.web);
    let gone = row_of(ports.store.as_ref(), concerned.iter().next().unwrap()).await;
    remove(ports, &gone.id, "test", None).await.unwrap();
    let changed = with_another_wording(ports);
    assert_eq!(compare(&changed, &gone.id).await.unwrap(), None);
    let outcome = apply(&changed, &gone.id).await.unwrap();
    assert!(matches!(outcome, Outcome::Cancelled { .. }), "{outcome:?}");
    assert_eq!(ports.store.artist(&gone.id).await.unwrap().unwrap().record, None);
    // Copies of the studio's pages went with the person: of the others there nothing is kept until the next night.
    let replay = replayed(&changed).await;
    let unread: Vec<&Replayed> = replay.values().filter(|one| !one.unread.is_empty()).collect();
    assert_eq!(unread.len(), 3, "{unread:?}");
    assert!(unread.iter().all(|one| one.changes.is_empty() && one.unread[0].contains("nothing is kept of")), "{unread:?}");
    assert!(ports.store.proposals(&ports.store.sessions(1).await.unwrap()[0].id).await.unwrap().is_empty());
    app.stop().await;
}

/// The verb: what it prints, for people and for programs, over data of this machine's time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_verb_reads_kept_pages() {
    let mut world = World::sparing(DemoWeb::generate_sized(SEED, 2, 3), true).await;
    world.clock = Arc::new(crate::support::clock::ShiftedClock::at(SystemClock::new().now()));
    let app = world.start().await;
    run(&app).await;
    let id = rows(app.ports.store.as_ref()).await[0].id.clone();
    app.stop().await;
    let asked = world.server.requests().len();
    let folder = format!("data.folder={}", world.config.data.folder.display());
    let replay = |more: &[&str]| Command::new(program()).args(["replay", "--set", &folder]).args(more).output().unwrap();
    let told = replay(&[]);
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    assert_eq!(String::from_utf8(told.stdout).unwrap(), "0 of 6 artists would change; no site was asked for anything\n");
    let one = replay(&["--json", "--apply", id.as_str()]);
    let value: serde_json::Value = serde_json::from_slice(&one.stdout).unwrap();
    assert_eq!(value, json!({ "read": 1, "changed": [], "unread": [], "applied": true }));
    let nobody = replay(&["artist-nobody"]);
    assert!(!nobody.status.success() && String::from_utf8_lossy(&nobody.stderr).contains("there is no artist artist-nobody"));
    assert_eq!(world.server.requests().len(), asked);
}
