//! Recrawl: what an unchanged web costs, when a changed page is seen, and what is never concluded from a page that nobody
//! asked for (rules 11, 14 and 15).

use crate::support::kept::naming;
use crate::support::ledger::{report_of, row_of, rows, searchable};
use crate::support::world::{World, in_step, over, run, run_night};
use inkdex::app::App;
use inkdex::demo::{DemoWeb, RequestLog};
use inkdex::domain::artist::Life;
use inkdex::domain::lifecycle::Absence;
use inkdex::domain::session::{Session, Trigger};
use inkdex::jobs::reconcile::compare;
use inkdex::jobs::remove_artist::remove;
use inkdex::jobs::report::Report;

const SEED: u64 = 5;

/// What a session asked of the web.
struct Cost {
    report: Report,
    asked: Vec<RequestLog>,
}

impl Cost {
    fn bytes(&self) -> u64 {
        self.asked.iter().map(|request| request.bytes).sum()
    }

    fn with(&self, status: u16) -> usize {
        self.asked.iter().filter(|request| request.status == status && request.path != "/robots.txt").count()
    }

    /// Requests for pages with this path.
    fn of(&self, path: &str) -> usize {
        self.asked.iter().filter(|request| request.path == path).count()
    }
}

/// The cost of a session that began when the web had answered `before` requests.
async fn cost(app: &App, world: &World, before: usize, session: &Session) -> Cost {
    Cost { report: report_of(&app.ports, &session.id).await, asked: world.server.requests()[before..].to_vec() }
}

async fn night(app: &App, world: &World, number: u32) -> Cost {
    let before = world.server.requests().len();
    let session = run_night(app, world, number).await;
    let cost = cost(app, world, before, &session).await;
    println!(
        "night {number:>2}: {:>4} requests, {:>7} bytes of bodies ({:>7} on the wire), {:>3} pages sent, {:>3} unchanged (304), {:>3} not due",
        cost.asked.len(),
        cost.bytes(),
        cost.report.wire_bytes,
        cost.with(200),
        cost.report.unmodified_pages,
        cost.report.not_due_pages
    );
    cost
}

/// The second run over an unchanged web costs at most a twentieth of the first one's bytes, the next ones also fewer requests; a
/// list of artists is asked for every night; `--fresh` asks for everything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unchanged_web_costs_next_to_nothing() {
    let world = World::sparing(DemoWeb::generate_sized(SEED, 5, 3), true).await;
    let app = world.start().await;
    let first = night(&app, &world, 1).await;
    let everybody = searchable(&app.ports).await;
    assert_eq!((first.report.new, everybody.len()), (15, 15));
    assert_eq!((first.report.unmodified_pages, first.report.not_due_pages), (0, 0));
    let pages = first.with(200);

    // The same day nobody is asked for anything, and nothing is missing.
    let before = world.server.requests().len();
    let again = run(&app).await;
    let again = cost(&app, &world, before, &again).await;
    assert_eq!((again.asked.len(), again.report.requests, again.report.absences), (0, 0, 0));
    assert_eq!((again.report.unchanged, again.report.not_due_pages > 0), (15, true));

    let second = night(&app, &world, 2).await;
    assert_eq!((second.with(304), second.with(200)), (pages, 0), "each page is asked for, and none is sent");
    assert!(second.bytes() * 20 <= first.bytes(), "{} of {} bytes", second.bytes(), first.bytes());
    assert!(second.report.wire_bytes * 20 <= first.report.wire_bytes, "{} of {}", second.report.wire_bytes, first.report.wire_bytes);
    let lists = 5;
    for number in 3..=5 {
        let next = night(&app, &world, number).await;
        assert!(next.with(304) >= lists && next.with(200) == 0, "lists are asked for every night");
        // Pages of single artists said the same twice: they wait two days, and four from then on.
        assert_eq!((next.report.not_due_pages > 0, next.with(304) < pages), (number != 4, number != 4));
        assert_eq!((next.report.unchanged, next.report.absences, next.report.retired), (15, 0, 0));
        assert!(next.of("/") >= lists, "the entry of each studio");
    }
    assert_eq!(searchable(&app.ports).await, everybody);

    let before = world.server.requests().len();
    let id = app.control.start_session(Trigger::Fresh).await.unwrap();
    let fresh = over(&app, &id).await;
    let fresh = cost(&app, &world, before, &fresh).await;
    assert_eq!((fresh.with(200), fresh.with(304)), (pages, 0));
    assert_eq!((fresh.report.unmodified_pages, fresh.report.not_due_pages, fresh.report.unchanged), (0, 0, 15));
    app.stop().await;
}

/// A site without validators sends its pages again, and what they say decides: other tokens and times are no change, and a page
/// is asked for as rarely as if its text had been the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_validators_what_a_page_says_decides() {
    let mut seen: Vec<Vec<(usize, usize)>> = Vec::new();
    for world in [
        World::sparing(DemoWeb::generate_sized(SEED, 5, 3), false).await,
        World::sparing_with_nonces(DemoWeb::generate_sized(SEED, 5, 3)).await,
    ] {
        let app = world.start().await;
        let first = night(&app, &world, 1).await;
        let mut nights = Vec::new();
        for number in 2..=8 {
            let next = night(&app, &world, number).await;
            println!("night {number}: {:.1}% of the first one's bytes", 100.0 * next.bytes() as f64 / first.bytes() as f64);
            assert_eq!((next.with(304), next.report.unmodified_pages), (0, 0), "nothing tells that a page is the same but the page");
            assert_eq!((next.report.unchanged, next.report.absences), (15, 0));
            nights.push((next.with(200), usize::try_from(next.report.not_due_pages).unwrap()));
        }
        assert_eq!(nights[0].0, first.with(200), "the second night asks for all pages");
        assert!(nights[1].0 < first.with(200) && nights[1].1 > 0, "what said the same twice waits two days");
        seen.push(nights);
        // What does change is seen when the page is due, though it changes each time.
        let (whose, sentence) = world.serve_day(1).changes().bio_changed.clone().unwrap();
        for number in 9..=16 {
            night(&app, &world, number).await;
        }
        let bio = row_of(app.ports.store.as_ref(), &whose).await.live().unwrap().bio.clone().unwrap().value;
        assert!(bio.ends_with(&sentence), "{bio}");
        app.stop().await;
    }
    assert_eq!(seen[0], seen[1], "pages asked for and not due, night by night: without nonces and with them");
}

/// Rule 11 with pages that wait: who leaves and who joins is seen the same night, what changed on other pages the next time they
/// are due, and nothing is missed on a page that nobody asked for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changed_is_seen_when_it_is_due_and_nothing_is_missed_before() {
    let world = World::sparing(DemoWeb::generate_sized(SEED, 5, 3), true).await;
    let app = world.start().await;
    let ports = &app.ports;
    for number in 1..=2 {
        night(&app, &world, number).await;
    }
    // Pages of single artists said the same twice: they are due again in the fourth night.
    let changes = world.serve_day(1).changes().clone();
    let (left, (page_gone, page)) = (changes.left.unwrap(), changes.page_gone.unwrap());
    let path = page.rsplit_once(".example").unwrap().1.to_owned();
    let (left, gone) = (row_of(ports.store.as_ref(), &left).await, row_of(ports.store.as_ref(), &page_gone).await);

    let third = night(&app, &world, 3).await;
    assert!(searchable(ports).await.contains(&changes.joined.unwrap()), "lists are read every night");
    assert_eq!(third.of(&path), 0, "not due");
    let proposed = ports.store.proposals(&ports.store.sessions(1).await.unwrap()[0].id).await.unwrap();
    assert!(proposed.iter().any(|(id, _, absence)| *id == left.id && *absence == Absence::NotListed));
    assert!(proposed.iter().all(|(id, ..)| *id != gone.id), "{proposed:?}");

    let fourth = night(&app, &world, 4).await;
    assert_eq!((fourth.of(&path), fourth.report.gone), (1, 1));
    let (whose, sentence) = changes.bio_changed.unwrap();
    let bio = row_of(ports.store.as_ref(), &whose).await.live().unwrap().bio.clone().unwrap().value;
    assert!(bio.ends_with(&sentence), "{bio}");
    // Asked again the next night, whatever its interval was: gone twice, and missed three nights.
    let fifth = night(&app, &world, 5).await;
    assert_eq!((fifth.of(&path), fifth.report.retired), (1, 2));
    for met in [&left, &gone] {
        let row = rows(ports.store.as_ref()).await.into_iter().find(|row| row.id == met.id).unwrap();
        assert_eq!(row.life, Life::Retired);
    }
    assert!(compare(ports).await.unwrap().is_none());
    app.stop().await;
}

/// Rule 15: nothing that is kept across sessions names somebody who was removed, though their studio goes on naming them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_kept_names_the_removed() {
    let world = World::sparing(DemoWeb::generate_sized(SEED, 5, 3), true).await;
    let app = world.start().await;
    night(&app, &world, 1).await;
    let removed: Vec<_> = world.web.artists().iter().step_by(4).cloned().collect();
    for artist in &removed {
        assert!(!naming(&app.ports.objects, &["known"], artist).await.is_empty(), "{} was kept", artist.name);
        let met = row_of(app.ports.store.as_ref(), &artist.name).await;
        remove(&app.ports, &met.id, "test", None).await.unwrap();
        assert_eq!(naming(&app.ports.objects, &["known"], artist).await, Vec::<String>::new(), "{}", artist.name);
    }
    in_step(&app).await;
    let others = searchable(&app.ports).await;
    for number in 2..=4 {
        night(&app, &world, number).await;
        assert_eq!(searchable(&app.ports).await, others);
        for artist in &removed {
            assert_eq!(naming(&app.ports.objects, &["known"], artist).await, Vec::<String>::new(), "{} in night {number}", artist.name);
        }
    }
    app.stop().await;
}
