//! Rule 15 and studios that are one person: with the person goes what is kept of the studio.

use crate::support::kept::{named, unpacked};
use crate::support::ledger::{jobs_of, row_of, searchable};
use crate::support::wait::{LONG, until};
use crate::support::world::{World, run_night};
use inkdex::demo::{DemoArtist, DemoWeb};
use inkdex::domain::job::JobKind;
use inkdex::domain::ledger::dead_at_once;
use inkdex::domain::outcome::{Category, Failure};
use inkdex::jobs::Ports;
use inkdex::jobs::find_letters::find_letters;
use inkdex::jobs::letter_index::put_job;
use inkdex::jobs::remove_artist::remove;
use inkdex::search::letters::{LetterFilter, LetterQuery};
use inkdex::store::JobPut;
use std::path::PathBuf;

const SEED: u64 = 37;

/// Where something tells of the artist: studios, jobs and attempts of every session, dead letters, robots.txt.
async fn told(ports: &Ports, artist: &DemoArtist, host: &str) -> Vec<&'static str> {
    let names = |text: &str| [artist.name.as_str(), artist.studio.as_str(), host].iter().any(|told| text.contains(told));
    let mut places = Vec::new();
    let mut place = |place: &'static str, text: &str| {
        if names(text) && !places.contains(&place) {
            places.push(place);
        }
    };
    place("studio", &serde_json::to_string(&ports.store.scan_studios(None, 1_000).await.unwrap()).unwrap());
    for session in ports.store.sessions(100).await.unwrap() {
        for job in jobs_of(ports.store.as_ref(), &session.id).await {
            place("job", &serde_json::to_string(&job).unwrap());
            place("attempt", &serde_json::to_string(&ports.store.attempts(job.id()).await.unwrap()).unwrap());
        }
    }
    let query =
        LetterQuery { filter: LetterFilter { kind: Some("find_artists".to_owned()), ..Default::default() }, limit: 50, after: None };
    place("letter", &format!("{:?}", find_letters(ports.store.as_ref(), Ok(ports.letters.as_ref()), &query).await.unwrap()));
    for key in ports.objects.keys("robots").await.unwrap() {
        let bytes = ports.objects.get(&key).await.unwrap().unwrap_or_default();
        place("robots.txt", &String::from_utf8_lossy(&unpacked(&bytes)));
    }
    places
}

/// Somebody whose own site the sources list as a studio, and a dead letter that names the site.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_of_a_studio_that_is_one_person() {
    let world = World::of(DemoWeb::generate_sized(SEED, 3, 1)).await;
    let app = world.start().await;
    let ports = &app.ports;
    run_night(&app, &world, 1).await;
    let session = run_night(&app, &world, 2).await;
    let found = searchable(ports).await;
    let ana = world.web.artists().iter().find(|artist| found.contains(&artist.name)).unwrap();
    let host = ana.page.trim_start_matches("http://").split('/').next().unwrap();
    let is_theirs = |job: &inkdex::domain::job::Job| job.kind() == JobKind::FindArtists && job.new.host.as_deref() == Some(host);
    let find = jobs_of(ports.store.as_ref(), &session.id).await.into_iter().find(is_theirs).expect("the studio's job");
    let reason = Failure::new(Category::Data, "too_many_artists", "find", format!("{} lists 101 artists", ana.page));
    let dead = dead_at_once(&find, reason, ports.clock.now());
    assert_eq!(put_job(ports, &find, &dead, None).await.unwrap(), JobPut::Committed);
    until("the letter is in the index", LONG, async || {
        let told = told(ports, ana, host).await;
        // An attempt tells of them only where the site was slow.
        ["studio", "job", "letter", "robots.txt"].iter().all(|place| told.contains(place)).then_some(())
    })
    .await;
    let met = row_of(ports.store.as_ref(), &ana.name).await;
    assert!(!named(&world.config.data.folder, host).is_empty(), "copies lie in folders of that name");
    let studios = ports.store.studio_count().await.unwrap();
    remove(ports, &met.id, "test", None).await.unwrap();
    until("nothing tells of them", LONG, async || told(ports, ana, host).await.is_empty().then_some(())).await;
    assert_eq!(named(&world.config.data.folder, host), Vec::<PathBuf>::new());
    let trail = ports.store.audit_rows(100).await.unwrap();
    assert!(trail.iter().any(|row| row.verb == "artist.remove.studios"));
    // The source goes on listing them.
    for number in 3..5 {
        run_night(&app, &world, number).await;
        assert_eq!(told(ports, ana, host).await, Vec::<&str>::new(), "night {number}");
        assert_eq!(searchable(ports).await.len() + 1, found.len());
    }
    let rows = ports.store.scan_studios(None, 1_000).await.unwrap();
    assert_eq!(rows.iter().filter(|row| row.is_blanked()).count(), 1, "the others are as they were");
    assert_eq!(ports.store.studio_count().await.unwrap(), studios);
    app.stop().await;
}
