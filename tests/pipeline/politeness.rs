//! Rule 14 by the log of the server that is asked: every host keeps its distance, with one process and with two. `make
//! politeness` measures the same at a request a second.

use crate::support::sites::{Plan, Sites, Tally};
use crate::support::world::{World, run};
use inkdex::demo::DemoWeb;
use inkdex::domain::session::SessionState;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

/// A world that reads `sites` and nothing else.
fn turn_to(world: &mut World, sites: &Sites, spacing: Duration) {
    let folder: PathBuf = world.config.data.folder.parent().unwrap().to_owned();
    sites.put_into(&mut world.config, &folder, spacing);
}

/// Rule 14: one process, more jobs than hosts; every page once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_host_is_asked_early() {
    const SPACING: Duration = Duration::from_millis(200);
    let plan = Plan { hosts: 20, galleries: 6, artists: 6, deep: false };
    let sites = Sites::start(plan).await;
    let mut world = World::of(DemoWeb::generate_sized(1, 1, 1)).await;
    turn_to(&mut world, &sites, SPACING);
    (world.config.workers.min, world.config.workers.max) = (24, 24);
    let app = world.start().await;
    assert_eq!(run(&app).await.state, SessionState::Completed);
    app.stop().await;
    let asked = sites.asked();
    let tally = Tally::of(&asked, SPACING);
    println!("{tally}");
    assert_eq!((tally.hosts, tally.violations), (plan.hosts, 0), "{tally}");
    let pages: BTreeSet<(&str, &str)> = asked.iter().map(|asked| (asked.host.as_str(), asked.path.as_str())).collect();
    // robots.txt, home page and list besides.
    assert_eq!((pages.len(), asked.len()), (plan.hosts * (3 + plan.galleries + plan.artists), pages.len()));
}

/// Rule 14: two processes whose clocks are 3 s apart share holds whose times are the database's.
#[cfg(all(feature = "cql", feature = "sqs", feature = "opensearch", feature = "s3"))]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn clocks_that_disagree_make_no_host_be_asked_early() {
    use crate::support::clock::ShiftedClock;
    use crate::support::world::program;
    use inkdex::actors::Role;
    use inkdex::app::{App, Surroundings};
    use inkdex::domain::clock::Clock;
    use std::sync::Arc;

    const SPACING: Duration = Duration::from_millis(500);
    let plan = Plan { hosts: 8, galleries: 0, artists: 12, deep: true };
    let sites = Sites::start(plan).await;
    let mut world = World::on_servers(DemoWeb::generate_sized(1, 1, 1)).await;
    turn_to(&mut world, &sites, SPACING);
    let one = world.start().await;
    let mut config = world.config.clone();
    config.fetch.user_agent = "Inkdex/0.1 (other)".to_owned();
    config.process.roles = vec![Role::Work];
    let clock = Arc::new(ShiftedClock::at(world.clock.now().plus(Duration::from_secs(3))));
    let other = App::start_in(Surroundings { clock, program: program(), sources: Vec::new() }, &config, false).await.unwrap();
    assert_eq!(run(&one).await.state, SessionState::Completed);
    other.stop().await;
    one.stop().await;
    let tally = Tally::of(&sites.asked(), SPACING);
    println!("{tally}; {} changes between processes, on {} hosts", tally.changes, tally.shared_hosts);
    assert_eq!((tally.hosts, tally.askers.len(), tally.violations), (plan.hosts, 2, 0), "{tally}");
    assert!(tally.changes > 0, "no host went from one process to the other");
}
