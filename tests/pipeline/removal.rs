//! Removal is final (rule 15, 002-X7): no interface returns the person, and no later night brings them back.

use crate::support::ledger::{jobs_of, row_of, rows, searchable};
use crate::support::world::{World, in_step, run, run_night};
use inkdex::app::App;
use inkdex::demo::{DemoArtist, DemoWeb, Fate};
use inkdex::domain::artist::{ArtistRow, Life};
use inkdex::domain::identity::KeyState;
use inkdex::domain::ids::SessionId;
use inkdex::domain::job::JobState;
use inkdex::domain::keys::{instagram_partition, location_prefix, style_partition};
use inkdex::domain::session::Trigger;
use inkdex::domain::text::tokens;
use inkdex::jobs::deny;
use inkdex::jobs::remove_artist::{OPERATIONS, remove};
use inkdex::search::SearchQuery;
use inkdex::store::StyleQuery;

const SEED: u64 = 17;

/// No search, no key, no row tells the person any more.
async fn assert_gone(app: &App, artist: &DemoArtist, met: &ArtistRow) {
    let ports = &app.ports;
    let record = met.live().unwrap();
    assert!(!searchable(ports).await.contains(&artist.name));
    let by_name = SearchQuery { tokens: tokens(&artist.name), limit: 50, ..SearchQuery::default() };
    let by_handle = SearchQuery { instagram: artist.instagram.clone(), limit: 50, ..SearchQuery::default() };
    for query in [by_name, by_handle] {
        let page = ports.index.search(&query).await.unwrap();
        assert!(page.hits.iter().all(|hit| hit.artist_id != met.id && hit.document.name != artist.name), "{query:?}");
    }
    let handle = artist.instagram.as_deref().unwrap();
    assert_eq!(ports.store.by_instagram(&instagram_partition(handle)).await.unwrap(), None);
    for style in &record.styles {
        let query =
            StyleQuery { gsi1pk: style_partition(&style.value), gsi1sk_prefix: location_prefix(None, None), limit: 50, after: None };
        let page = ports.store.by_style(&query).await.unwrap();
        assert!(page.entries.iter().all(|entry| entry.row.id != met.id));
    }
    for row in rows(ports.store.as_ref()).await {
        let named = row.record.as_ref().is_some_and(|record| record.name.value == artist.name);
        assert!(!named, "row {} still names {}", row.id, artist.name);
        assert_eq!(row.life == Life::Removed, row.id == met.id || row.life == Life::Removed);
    }
    assert_eq!(ports.store.artist(&met.id).await.unwrap().unwrap().life, Life::Removed);
    assert!(ports.store.evidence_of(&met.id).await.unwrap().is_empty());
}

/// 002-X7: somebody with a page on the studio's site and somebody with a site of their own, removed after the first night;
/// the nights after it find, queue, fetch and write neither.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_who_was_removed_comes_back() {
    let world = World::of(DemoWeb::generate(SEED)).await;
    let app = world.start().await;
    run_night(&app, &world, 1).await;
    let hosts = |artist: &DemoArtist| artist.page.trim_start_matches("http://").split('/').next().unwrap().to_owned();
    let candidates: Vec<&DemoArtist> =
        world.web.artists().iter().filter(|artist| artist.fate == Fate::Searchable && artist.instagram.is_some()).collect();
    let own_site = |artist: &&&DemoArtist| world.web.sites().iter().any(|s| s.host == hosts(artist) && s.name == artist.name);
    let with_site = (*candidates.iter().find(own_site).unwrap()).clone();
    let with_page = (*candidates.iter().find(|artist| !own_site(artist)).unwrap()).clone();
    let mut removed = Vec::new();
    for artist in [&with_site, &with_page] {
        let met = row_of(app.ports.store.as_ref(), &artist.name).await;
        remove(&app.ports, &met.id, "test", Some("asked for")).await.unwrap();
        removed.push((artist.clone(), met));
    }
    in_step(&app).await;
    let others = searchable(&app.ports).await;
    let asked = world.server.requests().len();
    for number in 2..5 {
        for (artist, met) in &removed {
            assert_gone(&app, artist, met).await;
        }
        let session = run_night(&app, &world, number).await;
        assert_eq!(searchable(&app.ports).await, others, "night {number}");
        for job in jobs_of(app.ports.store.as_ref(), &session.id).await {
            let text = serde_json::to_string(&job).unwrap();
            assert!(removed.iter().all(|(artist, _)| !text.contains(&artist.name)), "a job names the removed: {text}");
        }
    }
    for (artist, met) in &removed {
        assert_gone(&app, artist, met).await;
    }
    let host = hosts(&with_site);
    let visits = world.server.requests()[asked..].iter().filter(|request| request.host == host).count();
    assert_eq!(visits, 0, "the removed person's own site was asked again");
    app.stop().await;
}

/// Rule 15 in the middle of a session: whatever was under way about the person ends without bringing them back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removal_in_the_middle_of_a_session_holds() {
    let world = World::of(DemoWeb::generate_sized(SEED, 5, 3)).await;
    let app = world.start().await;
    run(&app).await;
    let artist = world.web.artists().iter().rfind(|artist| artist.instagram.is_some()).unwrap().clone();
    let met = row_of(app.ports.store.as_ref(), &artist.name).await;
    let id = app.control.start_session(Trigger::Manual).await.unwrap();
    crate::support::wait::until("their job stands", crate::support::wait::LONG, async || {
        let jobs = jobs_of(app.ports.store.as_ref(), &id).await;
        let named = jobs.iter().any(|job| crate::support::ledger::subject(job) == Some(&artist.name));
        let over = app.ports.store.session(&id).await.unwrap().unwrap().state.is_terminal();
        (named || over).then_some(())
    })
    .await;
    remove(&app.ports, &met.id, "test", None).await.unwrap();
    crate::support::world::over(&app, &id).await;
    in_step(&app).await;
    assert_gone(&app, &artist, &met).await;
    let store = app.ports.store.as_ref();
    for job in jobs_of(store, &id).await.iter().chain(&jobs_of(store, &SessionId::new(OPERATIONS)).await) {
        assert_ne!(job.state, JobState::Dead);
        let text = serde_json::to_string(&(job, store.attempts(job.id()).await.unwrap())).unwrap();
        assert!(!text.contains(&artist.name) && !text.contains(artist.instagram.as_deref().unwrap()), "{text}");
    }
    for key in deny::identity_keys(met.live().unwrap()) {
        let state = store.identity(&key).await.unwrap();
        assert!(!matches!(state, Some(KeyState::Held(_))), "{key:?} is {state:?}");
    }
    app.stop().await;
}
