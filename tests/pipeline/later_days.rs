//! Nights after the first: who leaves, who comes, who returns, and when a person must decide (rule 11).

use crate::support::ledger::{report_of, row_of, rows, scrape_of, searchable};
use crate::support::wait::{LONG, until};
use crate::support::world::{World, in_step, run, run_night};
use inkdex::alert::AlertKind;
use inkdex::app::App;
use inkdex::demo::{DemoChanges, DemoWeb};
use inkdex::domain::artist::{ArtistRow, Life};
use inkdex::domain::fields::Field;
use inkdex::domain::lifecycle::Absence;
use inkdex::domain::outcome::Done;
use inkdex::domain::session::SessionState;
use inkdex::jobs::absences::{self, AcceptError};
use inkdex::jobs::reconcile::compare;
use std::collections::BTreeSet;

const SEED: u64 = 5;

fn everybody(web: &DemoWeb) -> BTreeSet<String> {
    web.artists().iter().map(|artist| artist.name.clone()).collect()
}

async fn found(app: &App) -> BTreeSet<String> {
    searchable(&app.ports).await.into_iter().collect()
}

/// The row of somebody who had `id`, whatever became of it.
async fn row(app: &App, met: &ArtistRow) -> ArtistRow {
    rows(app.ports.store.as_ref()).await.into_iter().find(|row| row.id == met.id).unwrap()
}

/// The handle in the record of somebody who had `id`.
async fn handle_of(app: &App, met: &ArtistRow) -> Option<String> {
    row(app, met).await.live().unwrap().instagram.as_ref().map(|fact| fact.value.clone())
}

struct Changed {
    left: String,
    page_gone: String,
    joined: String,
    bio: (String, String),
    handle_gone: (String, String),
}

fn all(changes: &DemoChanges) -> Changed {
    Changed {
        left: changes.left.clone().unwrap(),
        page_gone: changes.page_gone.clone().unwrap().0,
        joined: changes.joined.clone().unwrap(),
        bio: changes.bio_changed.clone().unwrap(),
        handle_gone: changes.handle_gone.clone().unwrap(),
    }
}

/// Rule 11, 002-R23, 002-R26, 002-R27: a field missed twice goes; three missed nights, or a page gone twice, retire; who returns is back; what changed is seen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_leaves_is_retired_and_who_returns_is_back() {
    let world = World::of(DemoWeb::generate_sized(SEED, 5, 3)).await;
    let app = world.start().await;
    let ports = &app.ports;
    let first = run_night(&app, &world, 1).await;
    assert_eq!(report_of(ports, &first.id).await.new, 15);
    assert_eq!(found(&app).await, everybody(&world.web));

    let changed = all(world.serve_day(1).changes());
    let (left, gone) = (row_of(ports.store.as_ref(), &changed.left).await, row_of(ports.store.as_ref(), &changed.page_gone).await);

    // Sessions by hand propose, but nothing is counted however many there are.
    for _ in 0..4 {
        let by_hand = run(&app).await;
        let report = report_of(ports, &by_hand.id).await;
        assert_eq!((report.absences, report.retired, report.fields_dropped), (3, 0, 0));
        assert!(report.absences_held.is_some_and(|why| why.contains("by hand")));
    }
    let absences: BTreeSet<_> = ports.store.proposals(&ports.store.sessions(1).await.unwrap()[0].id).await.unwrap().into_iter().collect();
    let absences: BTreeSet<_> = absences.into_iter().map(|(id, _, absence)| (id, absence)).collect();
    let nameless = row_of(ports.store.as_ref(), &changed.handle_gone.0).await;
    let expected = [
        (left.id.clone(), Absence::NotListed),
        (gone.id.clone(), Absence::PageGone),
        (nameless.id.clone(), Absence::FieldMissed(Field::Instagram)),
    ];
    assert_eq!(absences, BTreeSet::from(expected));
    for met in [&left, &gone] {
        let sightings = ports.store.sightings_of(&met.id).await.unwrap();
        assert!(sightings.iter().all(|sighting| sighting.misses + sighting.gone == 0), "{sightings:?}");
    }
    assert!(found(&app).await.contains(&changed.joined));
    let bio = row_of(ports.store.as_ref(), &changed.bio.0).await.live().unwrap().bio.clone().unwrap().value;
    assert!(bio.ends_with(&changed.bio.1), "{bio}");

    let mut with_joined = everybody(&world.web);
    with_joined.insert(changed.joined.clone());

    let second = run_night(&app, &world, 2).await;
    let report = report_of(ports, &second.id).await;
    assert_eq!((report.absences, report.retired, report.gone, report.absences_held), (3, 0, 1, None));
    // A field missed once keeps its value.
    assert_eq!((report.fields_dropped, handle_of(&app, &nameless).await), (0, Some(changed.handle_gone.1.clone())));
    assert_eq!(scrape_of(ports.store.as_ref(), &second.id, &changed.page_gone).await.done(), Some(Done::Gone));
    assert_eq!(found(&app).await, with_joined);

    // A page gone twice, and no live page of their own.
    let third = run_night(&app, &world, 3).await;
    let report = report_of(ports, &third.id).await;
    assert_eq!((report.retired, report.fields_dropped), (1, 1));
    // A field missed twice is gone, from the record and from the keys.
    assert_eq!(handle_of(&app, &nameless).await, None);
    assert!(ports.store.by_instagram(&format!("INSTAGRAM#{}", changed.handle_gone.1)).await.unwrap().is_none());
    with_joined.remove(&changed.page_gone);
    assert_eq!(found(&app).await, with_joined);
    assert_eq!(row(&app, &gone).await.life, Life::Retired);

    // Three missed nights.
    let fourth = run_night(&app, &world, 4).await;
    assert_eq!(report_of(ports, &fourth.id).await.retired, 1);
    with_joined.remove(&changed.left);
    assert_eq!(found(&app).await, with_joined);
    let retired = row(&app, &left).await;
    assert_eq!((retired.life, retired.record.as_ref()), (Life::Retired, None));

    // Retired once: the nights to come count nobody again.
    let fifth = run_night(&app, &world, 5).await;
    let report = report_of(ports, &fifth.id).await;
    assert_eq!((report.retired, report.fields_dropped), (0, 0));

    // Back on the team page: the same artist, live again.
    world.serve_day(10);
    run_night(&app, &world, 10).await;
    with_joined.insert(changed.left.clone());
    assert_eq!(found(&app).await, with_joined);
    let back = row_of(ports.store.as_ref(), &changed.left).await;
    assert_eq!(back.id, left.id);
    assert!(back.version > retired.version);
    assert!(compare(ports).await.unwrap().is_none());
    app.stop().await;
}

/// Rule 11: more than 5% and more than 10 retirements are held for a person; additions stand, and the next night goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_run_gate_holds_a_mass_retirement() {
    let world = World::of(DemoWeb::generate_sized(SEED, 5, 3)).await;
    let other = DemoWeb::generate_sized(SEED + 1, 5, 3);
    assert!(everybody(&world.web).is_disjoint(&everybody(&other)), "the two webs must not share people");
    let app = world.start().await;
    let ports = &app.ports;
    run_night(&app, &world, 1).await;
    // The same studios, and other people in all of them.
    world.server.replace(std::sync::Arc::new(other.clone()));
    let both: BTreeSet<String> = everybody(&world.web).union(&everybody(&other)).cloned().collect();
    for night in [2, 3] {
        let session = run_night(&app, &world, night).await;
        assert_eq!(report_of(ports, &session.id).await.absences_held, None);
        assert!(!session.held);
        assert_eq!(found(&app).await, both);
    }
    let held = run_night(&app, &world, 4).await;
    let report = report_of(ports, &held.id).await;
    assert_eq!((held.state, held.held, report.retired), (SessionState::Completed, true, 0));
    assert_eq!(report.absences_held.as_deref(), Some("15 of 30 artists would retire"));
    assert_eq!(found(&app).await, both);
    until("the alert of the held session is told", LONG, async || {
        world.alerts().iter().any(|alert| alert.kind == AlertKind::AbsencesHeld && alert.subject == held.id.as_str()).then_some(())
    })
    .await;

    // The next night is not blocked, and its proposals replace those held back.
    world.serve_day(0);
    let next = run_night(&app, &world, 5).await;
    assert!(!next.held);
    let replaced = absences::accept(ports, &held.id, "test", None).await;
    assert!(matches!(replaced, Err(AcceptError::Replaced { later, .. }) if later == next.id));
    assert_eq!(found(&app).await, both);
    for row in rows(ports.store.as_ref()).await {
        let name = row.live().unwrap().name.value.clone();
        let misses: Vec<u32> = ports.store.sightings_of(&row.id).await.unwrap().iter().map(|sighting| sighting.misses).collect();
        let expected = if everybody(&other).contains(&name) { 1 } else { 0 };
        assert_eq!(misses, [expected], "{name}");
    }
    app.stop().await;
}

/// Rule 11: a person decides: what the run gate held back is applied once accepted, and accepted once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_lets_held_absences_pass() {
    let world = World::of(DemoWeb::generate_sized(SEED, 5, 3)).await;
    let other = DemoWeb::generate_sized(SEED + 1, 5, 3);
    let app = world.start().await;
    let ports = &app.ports;
    run_night(&app, &world, 1).await;
    let early = run_night(&app, &world, 2).await;
    assert!(matches!(absences::accept(ports, &early.id, "test", None).await, Err(AcceptError::NotHeld(_))));
    world.server.replace(std::sync::Arc::new(other.clone()));
    for night in [3, 4] {
        run_night(&app, &world, night).await;
    }
    let held = run_night(&app, &world, 5).await;
    assert!(held.held);
    absences::accept(ports, &held.id, "test", Some("the studios moved")).await.unwrap();
    let accepted =
        until("the report is written again", LONG, async || ports.store.session(&held.id).await.unwrap().filter(|session| !session.held))
            .await;
    assert!(accepted.accepted);
    assert_eq!(report_of(ports, &held.id).await.retired, 15);
    in_step(&app).await;
    assert_eq!(found(&app).await, everybody(&other));
    assert!(matches!(absences::accept(ports, &held.id, "test", None).await, Err(AcceptError::NotHeld(_))));
    let audit = ports.store.audit_rows(10).await.unwrap();
    let effects: Vec<&str> = audit.iter().filter(|row| row.verb == "session.accept_absences").map(|row| row.effect.as_str()).collect();
    assert_eq!(effects, ["refused", "accepted", "refused"]);
    app.stop().await;
}
