//! The schedule against a clock that moves: nights that come, nights that were missed, and clocks that are set (002-R1).

use crate::support::ledger::{rows, searchable};
use crate::support::wait::{LONG, until};
use crate::support::world::{World, in_step, night, over, run};
use inkdex::app::App;
use inkdex::demo::DemoWeb;
use inkdex::domain::clock::{Clock, Timestamp};
use inkdex::domain::session::{Session, SessionState, Trigger};
use inkdex::jobs::sessions::{self, DAILY, Pipeline};
use std::collections::BTreeSet;
use std::time::Duration;

const SEED: u64 = 9;

/// Sessions that the schedule began, oldest first.
async fn nights(app: &App) -> Vec<Session> {
    let mut sessions = app.ports.store.sessions(100).await.unwrap();
    sessions.retain(|session| session.trigger == Trigger::Scheduled);
    sessions.sort_by_key(|session| session.scheduled_for);
    sessions
}

async fn moments(app: &App) -> Vec<Timestamp> {
    nights(app).await.iter().map(|session| session.scheduled_for).collect()
}

/// Waits until the session of a moment is there and over.
async fn night_is_over(app: &App, moment: Timestamp) -> Session {
    let id = until(&format!("the run of {moment} begins"), LONG, async || {
        nights(app).await.into_iter().find(|session| session.scheduled_for == moment).map(|session| session.id)
    })
    .await;
    over(app, &id).await
}

/// Lets the schedule be looked at many times: a whole session by hand goes by.
async fn let_it_look(app: &App) {
    assert_eq!(run(app).await.state, SessionState::Completed);
}

async fn scheduled_world() -> World {
    let mut world = World::of(DemoWeb::generate_sized(SEED, 2, 2)).await;
    world.config.pipeline.scheduled = true;
    world
}

/// 002-R1, rule 18: every night once; nights missed while down are one; a clock set back runs nothing again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_night_runs_once_whatever_the_clock_does() {
    let world = scheduled_world().await;
    let app = world.start().await;
    let_it_look(&app).await;
    assert!(moments(&app).await.is_empty(), "nothing was missed before the first start");

    world.clock.jump_to(night(1));
    assert_eq!(night_is_over(&app, night(1)).await.state, SessionState::Completed);
    let_it_look(&app).await;
    assert_eq!(moments(&app).await, [night(1)]);
    app.stop().await;

    // Three nights go by while nothing runs: the last of them is caught up, once.
    world.clock.jump_to(night(4).plus(Duration::from_secs(7 * 3_600)));
    let app = world.start().await;
    assert_eq!(night_is_over(&app, night(4)).await.state, SessionState::Completed);
    let_it_look(&app).await;
    assert_eq!(moments(&app).await, [night(1), night(4)]);

    // The clock is set back by a day and a half, and forth again over the same night.
    let noon = world.clock.now();
    world.clock.jump_to(noon.minus(Duration::from_secs(36 * 3_600)));
    let_it_look(&app).await;
    assert_eq!(moments(&app).await, [night(1), night(4)]);
    world.clock.jump_to(noon);
    let_it_look(&app).await;
    assert_eq!(moments(&app).await, [night(1), night(4)]);

    world.clock.jump_to(night(5));
    night_is_over(&app, night(5)).await;
    assert_eq!(moments(&app).await, [night(1), night(4), night(5)]);
    app.stop().await;
}

/// Missed nights are not caught up where that is not wanted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missed_nights_are_left_out_where_asked_for() {
    let mut world = scheduled_world().await;
    world.config.pipeline.catch_up = false;
    let app = world.start().await;
    let_it_look(&app).await;
    app.stop().await;
    world.clock.jump_to(night(2).plus(Duration::from_secs(3_600)));
    let app = world.start().await;
    let_it_look(&app).await;
    assert!(moments(&app).await.is_empty());
    world.clock.jump_to(night(3));
    night_is_over(&app, night(3)).await;
    assert_eq!(moments(&app).await, [night(3)]);
    app.stop().await;
}

/// A night that is due while a session still runs is skipped, and said so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_night_that_is_due_while_a_session_runs_is_skipped() {
    // The slow site keeps the session busy for seconds.
    let mut world = World::slowed(DemoWeb::generate(SEED), 1.0).await;
    world.config.pipeline.scheduled = true;
    let app = world.start().await;
    world.clock.jump_to(night(1).minus(Duration::from_millis(500)));
    let by_hand = app.control.start_session(Trigger::Manual).await.unwrap();
    until("the night is skipped", LONG, async || {
        let survey = app.control.survey().await;
        let scheduler = survey.children.into_iter().find(|child| child.name == "scheduler")?;
        (scheduler.state["skipped"] == 1).then_some(())
    })
    .await;
    assert_eq!(over(&app, &by_hand).await.state, SessionState::Completed);
    let_it_look(&app).await;
    assert!(moments(&app).await.is_empty());
    app.stop().await;
}

/// A clock set forth by half a day in the middle of a session ends every lease at once: what was in work is begun again, and
/// still nothing is lost and nothing is written twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_set_forth_in_the_middle_of_a_session_loses_nothing() {
    let world = World::of(DemoWeb::generate_sized(SEED, 5, 3)).await;
    let app = world.start().await;
    let id = app.control.start_session(Trigger::Manual).await.unwrap();
    for _ in 0..3 {
        until("jobs are in work", LONG, async || {
            let ended = app.ports.store.session(&id).await.unwrap().unwrap().state.is_terminal();
            let depth = app.ports.store.depth(world.clock.now()).await.unwrap();
            (ended || depth.running >= 2).then_some(())
        })
        .await;
        world.clock.jump_to(world.clock.now().plus(Duration::from_secs(2 * 3_600)));
    }
    assert_eq!(over(&app, &id).await.state, SessionState::Completed);
    in_step(&app).await;
    let planned: BTreeSet<String> = world.web.artists().iter().map(|artist| artist.name.clone()).collect();
    assert_eq!(searchable(&app.ports).await, planned.into_iter().collect::<Vec<_>>());
    for row in rows(app.ports.store.as_ref()).await {
        assert_eq!(row.writers.len(), row.writers.iter().collect::<BTreeSet<_>>().len(), "{} was written twice by one job", row.id);
    }
    app.stop().await;
}

/// A session that cannot be moved on, as its counts cannot be read, holds no other one up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_fails_to_move_on_holds_no_other_up() {
    let world = World::of(DemoWeb::generate_sized(SEED, 1, 1)).await;
    let app = world.start().await;
    let pipeline = Pipeline::parse("daily.yaml", DAILY).unwrap();
    let (stuck, _) = sessions::start(&app.ports, &pipeline, Timestamp(1), Trigger::Manual).await.unwrap();
    let connection = rusqlite::Connection::open(world.config.data.database()).unwrap();
    connection.busy_timeout(Duration::from_secs(5)).unwrap();
    connection.execute("INSERT INTO job_counts VALUES (?1, 'discover', 'NONSENSE', 1)", [stuck.as_str()]).unwrap();
    assert!(app.ports.store.step_counts(&stuck).await.is_err());
    assert_eq!(run(&app).await.state, SessionState::Completed);
    assert!(!app.ports.store.session(&stuck).await.unwrap().unwrap().state.is_terminal());
    app.stop().await;
}
