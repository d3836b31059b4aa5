//! What people ask for, from the request to the nights after it (rule 15): proven on their own site or approved by an operator,
//! driven to its end whatever dies, and never undone by a later night.

use crate::support::folder_web::FolderWeb;
use crate::support::kept::naming;
use crate::support::ledger::{jobs_of, row_of, rows, searchable};
use crate::support::wait::until;
use crate::support::world::{World, in_step, run_night};
use inkdex::app::App;
use inkdex::demo::{DemoArtist, DemoWeb};
use inkdex::domain::artist::{ArtistRow, Life};
use inkdex::domain::identity::IdentityKey;
use inkdex::domain::ids::{ArtistId, JobId};
use inkdex::domain::job::{JobState, NewJob, ScrapeTask, Task};
use inkdex::domain::keys::{instagram_partition, location_prefix, style_partition};
use inkdex::domain::ledger::dead_at_once;
use inkdex::domain::outcome::{Category, Failure};
use inkdex::domain::removal_request::{About, ApprovedBy, NewRequest, RemovalRequest, RequestId, RequestState};
use inkdex::domain::session::Session;
use inkdex::domain::text::tokens;
use inkdex::jobs::find_letters::find_letters;
use inkdex::jobs::housekeeping::{self, Kept};
use inkdex::jobs::letter_index::put_job;
use inkdex::jobs::prove_request::Look;
use inkdex::jobs::removal_requests::{RequestError, approve, check, find, receive, refuse};
use inkdex::scrape::{evidence, known};
use inkdex::search::SearchQuery;
use inkdex::search::letters::{LetterFilter, LetterQuery};
use inkdex::store::{DeadLetterQuery, JobPut, StyleQuery};
use std::collections::BTreeSet;
use std::time::Duration;

const SEED: u64 = 29;
const CONTACT: &str = "somebody@post.example";
/// The promise: no interface returns the person within a minute of approval.
const MINUTE: Duration = Duration::from_secs(60);
/// Sessions after the removal, a day apart.
const NIGHTS: u32 = 60;

async fn ask(app: &App, about: About) -> RequestId {
    let new = NewRequest { about, contact: CONTACT.to_owned(), correction: None };
    receive(&app.ports, new).await.unwrap().1.id
}

fn host_of(artist: &DemoArtist) -> String {
    artist.page.trim_start_matches("http://").split('/').next().unwrap().to_owned()
}

fn has_own_site(web: &DemoWeb, artist: &DemoArtist) -> bool {
    web.sites().iter().any(|site| site.host == host_of(artist) && site.name == artist.name)
}

fn handle(artist: &DemoArtist) -> &str {
    artist.instagram.as_deref().expect("somebody with a handle")
}

/// Whether no table, key or search tells the person any more.
async fn is_gone(app: &App, artist: &DemoArtist, met: &ArtistRow) -> bool {
    let ports = &app.ports;
    let by_name = SearchQuery { tokens: tokens(&artist.name), limit: 50, ..SearchQuery::default() };
    let by_handle = artist.instagram.clone().map(|handle| SearchQuery { instagram: Some(handle), limit: 50, ..SearchQuery::default() });
    for query in std::iter::once(by_name).chain(by_handle) {
        let page = ports.index.search(&query).await.unwrap();
        if page.hits.iter().any(|hit| hit.artist_id == met.id || hit.document.name == artist.name) {
            return false;
        }
    }
    if let Some(handle) = &artist.instagram
        && ports.store.by_instagram(&instagram_partition(handle)).await.unwrap().is_some()
    {
        return false;
    }
    for style in met.record.iter().flat_map(|record| &record.styles) {
        let query =
            StyleQuery { gsi1pk: style_partition(&style.value), gsi1sk_prefix: location_prefix(None, None), limit: 100, after: None };
        let page = ports.store.by_style(&query).await.unwrap();
        if page.entries.iter().any(|entry| entry.row.id == met.id) {
            return false;
        }
    }
    let named = |row: &ArtistRow| row.record.as_ref().is_some_and(|record| record.name.value == artist.name);
    !rows(ports.store.as_ref()).await.iter().any(named)
        && ports.store.artist(&met.id).await.unwrap().is_some_and(|row| row.life == Life::Removed)
        && ports.store.evidence_of(&met.id).await.unwrap().is_empty()
        && ports.store.identities_of(&met.id).await.unwrap().is_empty()
        && !searchable(ports).await.contains(&artist.name)
}

/// 006-6: one proves it on their own site, one is approved by an operator; 60 nights later both are still gone from table, keys, index
/// and copies, though the studio names both on its page, in the end by nothing but their names.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_nights_later_they_are_still_gone() {
    let mut world = World::of(DemoWeb::generate_sized(SEED, 7, 2)).await;
    let files = FolderWeb::instead_of(&mut world).await;
    let app = world.start().await;
    run_night(&app, &world, 1).await;
    let found = searchable(&app.ports).await;
    let people: Vec<&DemoArtist> = world.web.artists().iter().filter(|artist| found.contains(&artist.name)).collect();
    let with_site = *people.iter().find(|artist| has_own_site(&world.web, artist)).expect("somebody with a site of their own");
    let named_only = *people
        .iter()
        .find(|artist| !has_own_site(&world.web, artist) && artist.studio != with_site.studio && artist.instagram.is_some())
        .expect("somebody who is named by a studio alone");
    let own_host = host_of(with_site);
    let studio_of = |artist: &DemoArtist| world.web.sites().iter().find(|site| site.name == artist.studio).unwrap().host.clone();
    let mut removed = Vec::new();
    for artist in [with_site, named_only] {
        removed.push((artist, row_of(app.ports.store.as_ref(), &artist.name).await));
    }

    // Whoever has the site needs nobody: first without the token, then with it.
    let request = ask(&app, About::site(&format!("http://{own_host}/")).unwrap()).await;
    assert_eq!(check(&app.ports, &request).await.unwrap().0, Look::NotFound);
    let too_soon = check(&app.ports, &request).await;
    assert!(matches!(too_soon, Err(RequestError::NotNow(_))), "{too_soon:?}");
    let meta = format!("<meta name=\"inkdex-proof\" content=\"{}\"></head>", request.proof_token());
    // The site's first page leads to another one, which says so.
    let home = files.home(&own_host).replace("</head>", &meta);
    assert!(home.contains(&meta) && home.contains(&with_site.name));
    files.put(&own_host, "welcome.html", &home);
    files.edit_home(&own_host, |_| "<!doctype html><meta http-equiv=refresh content=\"0; url=/welcome.html\">".to_owned());
    world.clock.jump_to(app.ports.clock.now().plus(Duration::from_secs(61)));
    let (look, proven) = check(&app.ports, &request).await.unwrap();
    assert_eq!((look, proven.state, proven.approved_by), (Look::Found, RequestState::Done, Some(ApprovedBy::Proof)));
    assert_eq!(app.ports.objects.keys("pages/proofs").await.unwrap(), Vec::<String>::new(), "a look leaves nothing behind");
    // A handle is an operator's word, as Instagram is not read.
    let request = ask(&app, About::handle(handle(named_only)).unwrap()).await;
    assert_eq!(check(&app.ports, &request).await.unwrap().0, Look::NotFound);
    let approved = approve(&app.ports, &request, "test", Some("answered by mail")).await.unwrap();
    assert_eq!((approved.state, approved.approved_by), (RequestState::Done, Some(ApprovedBy::Operator)));
    for (artist, met) in &removed {
        until("a removed person is gone", MINUTE, async || is_gone(&app, artist, met).await.then_some(())).await;
    }
    let others = searchable(&app.ports).await;
    assert_eq!(others.len() + 2, found.len());

    for number in 2..2 + NIGHTS {
        if number == 20 {
            // From here on only the studio's page names them: the site is gone, and so are the link to it and the handles.
            files.take_down(&own_host);
            assert!(files.replace(&studio_of(with_site), &format!("http://{own_host}/"), "/") > 0);
            for artist in [with_site, named_only] {
                let studio = studio_of(artist);
                if let Some(handle) = &artist.instagram {
                    files.replace(&studio, handle, "");
                }
                assert!(files.replace(&studio, &artist.name, &artist.name) > 0, "the studio still names them");
            }
        }
        let session = run_night(&app, &world, number).await;
        assert_eq!(searchable(&app.ports).await, others, "night {number}");
        for job in jobs_of(app.ports.store.as_ref(), &session.id).await {
            let text = serde_json::to_string(&job).unwrap();
            assert!(removed.iter().all(|(artist, _)| !text.contains(&artist.name)), "night {number}: a job names the removed: {text}");
        }
        for (artist, met) in &removed {
            assert!(is_gone(&app, artist, met).await, "night {number}: {} is back", artist.name);
            let copies = naming(&app.ports.objects, &[known::FOLDER, evidence::FOLDER], artist).await;
            assert_eq!(copies, Vec::<String>::new(), "night {number}");
        }
    }
    // The pages of a session serve its own jobs and go with it after a day.
    world.clock.jump_to(app.ports.clock.now().plus(Duration::from_secs(25 * 3_600)));
    let day = Duration::from_secs(24 * 3_600);
    let kept = Kept { evidence: 30 * day, tombstones: 7 * day, jobs: 30 * day, letters: 90 * day };
    housekeeping::tidy(&app.ports, &kept).await.unwrap();
    for (artist, _) in &removed {
        assert_eq!(naming(&app.ports.objects, &[""], artist).await, Vec::<String>::new());
    }
    app.stop().await;
}

/// 006-6: each step is in the audit trail, and no row of it says who it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_step_is_audited_without_the_person() {
    let world = World::of(DemoWeb::generate_sized(SEED, 2, 2)).await;
    let app = world.start().await;
    run_night(&app, &world, 1).await;
    let artist = world.web.artists().iter().find(|artist| artist.instagram.is_some()).unwrap();
    let met = row_of(app.ports.store.as_ref(), &artist.name).await;
    let request = ask(&app, About::artist(met.id.as_str()).unwrap()).await;
    approve(&app.ports, &request, "test", None).await.unwrap();
    let trail = app.ports.store.audit_rows(100).await.unwrap();
    // The removal's job may be faster at some of them.
    let verbs: BTreeSet<&str> = trail.iter().map(|row| row.verb.as_str()).collect();
    let expected = BTreeSet::from([
        "request.received",
        "request.approved",
        "artist.remove.deny",
        "artist.remove.jobs",
        "artist.remove.record",
        "artist.remove.copies",
        "artist.remove.evidence",
        "artist.remove.keys",
        "artist.remove",
        "request.done",
    ]);
    assert_eq!(verbs, expected);
    let text = serde_json::to_string(&trail).unwrap();
    for personal in [artist.name.as_str(), handle(artist), CONTACT, &host_of(artist)] {
        assert!(!text.contains(personal), "the trail says {personal}: {text}");
    }
    let ended = find(&app.ports, &request).await.unwrap();
    assert_eq!((ended.state, ended.about, ended.contact), (RequestState::Done, None, None));
    app.stop().await;
}

/// A dead letter about somebody who was never written, named by their handle as a studio's page names people.
async fn dead_letter(app: &App, session: &Session, artist: &DemoArtist) -> JobId {
    let task = ScrapeTask {
        studio_id: None,
        name: artist.name.clone(),
        instagram: artist.instagram.clone(),
        entry: artist.page.parse().unwrap(),
        own_site: false,
        listed_on: None,
    };
    let new = NewJob::new(&session.id, "scrape", Task::ScrapeArtist(Box::new(task)), None);
    app.ports.store.create_jobs(std::slice::from_ref(&new), app.ports.clock.now()).await.unwrap();
    until("the job is dead", MINUTE, async || {
        let job = app.ports.store.job(&new.id).await.unwrap().unwrap();
        let reason = Failure::new(Category::Data, "parse_over_budget", "parse", format!("{}: too deep", artist.page));
        let dead = dead_at_once(&job, reason, app.ports.clock.now());
        (put_job(&app.ports, &job, &dead, None).await.unwrap() == JobPut::Committed).then_some(())
    })
    .await;
    new.id
}

/// 006-6: somebody of whom there is nothing but a dead letter, and somebody of whom there is nothing at all: both are denied, the letter
/// says nothing about them any more, by the ledger and by the index of letters, and no night lets them in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_not_in_the_directory_can_be_kept_out() {
    let world = World::of(DemoWeb::generate_sized(SEED, 2, 2)).await;
    let app = world.start().await;
    let ports = &app.ports;
    // Before the first night: nobody knows anybody.
    let early = world.web.artists().iter().find(|artist| artist.instagram.is_some()).unwrap();
    let request = ask(&app, About::handle(handle(early)).unwrap()).await;
    assert_eq!(approve(ports, &request, "test", None).await.unwrap().state, RequestState::Done);
    let first = run_night(&app, &world, 1).await;
    assert!(!searchable(ports).await.contains(&early.name));

    let dead = &DemoArtist {
        name: "Nadia Unseen".to_owned(),
        instagram: Some("nadia.unseen".to_owned()),
        page: "http://unseen.example/nadia".to_owned(),
        ..early.clone()
    };
    let letter = dead_letter(&app, &first, dead).await;
    let query =
        LetterQuery { filter: LetterFilter { kind: Some("scrape_artist".to_owned()), ..LetterFilter::default() }, limit: 50, after: None };
    let told = async || {
        let letters = ports.store.dead_letters(&DeadLetterQuery { limit: 50, ..DeadLetterQuery::default() }).await.unwrap().jobs;
        let found = find_letters(ports.store.as_ref(), Ok(ports.letters.as_ref()), &query).await.unwrap();
        let shown = ports.store.job(&letter).await.unwrap();
        let text = format!("{} {found:?} {}", serde_json::to_string(&letters).unwrap(), serde_json::to_string(&shown).unwrap());
        text.contains(&dead.name) || text.contains(handle(dead)) || text.contains(&dead.page)
    };
    assert!(told().await, "there is a letter about them");
    let request = ask(&app, About::handle(handle(dead)).unwrap()).await;
    assert_eq!(approve(ports, &request, "test", None).await.unwrap().state, RequestState::Done);
    until("no letter tells of them", MINUTE, async || (!told().await).then_some(())).await;
    assert_eq!(ports.store.job(&letter).await.unwrap().unwrap().state, JobState::Cancelled);
    for number in 2..4 {
        let session = run_night(&app, &world, number).await;
        for job in jobs_of(ports.store.as_ref(), &session.id).await {
            let text = serde_json::to_string(&job).unwrap();
            assert!(!text.contains(handle(early)), "night {number}: {text}");
        }
        assert!(!searchable(ports).await.contains(&early.name), "night {number}");
    }
    app.stop().await;
}

/// Rule 6: an approval whose doing died is done by the schedule, and a request that nobody decides runs out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_approved_is_driven_to_its_end() {
    let world = World::of(DemoWeb::generate_sized(SEED, 1, 2)).await;
    let app = world.start().await;
    run_night(&app, &world, 1).await;
    let ports = &app.ports;
    let [approved_one, waiting_one] = world.web.artists() else { panic!("two artists") };
    let met = row_of(ports.store.as_ref(), &approved_one.name).await;
    let request = ask(&app, About::artist(met.id.as_str()).unwrap()).await;
    let waiting = ask(&app, About::artist(row_of(ports.store.as_ref(), &waiting_one.name).await.id.as_str()).unwrap()).await;
    // Whoever approved it died before anything was done.
    let row = find(ports, &request).await.unwrap();
    let approved = row.approved(met.id.clone(), ApprovedBy::Operator, ports.clock.now()).unwrap();
    assert!(ports.store.put_request(row.rev, &approved).await.unwrap());
    let state = async |id: &RequestId| find(ports, id).await.unwrap().state;
    until("the schedule drives it", MINUTE, async || (state(&request).await == RequestState::Done).then_some(())).await;
    assert!(ports.store.artist(&met.id).await.unwrap().is_some_and(|row| row.life == Life::Removed));
    assert_eq!(state(&waiting).await, RequestState::Received);
    world.clock.jump_to(ports.clock.now().plus(Duration::from_secs(31 * 86_400)));
    until("the other one runs out", MINUTE, async || (state(&waiting).await == RequestState::Expired).then_some(())).await;
    let expired = find(ports, &waiting).await.unwrap();
    assert!(expired.about.is_none() && expired.contact.is_none());
    let late = approve(ports, &waiting, "test", None).await;
    assert!(matches!(late, Err(RequestError::NotNow(_))), "{late:?}");
    assert!(searchable(ports).await.contains(&waiting_one.name), "nobody is removed by waiting");

    // Whoever has the receipt reads how it ended for three months.
    let day = Duration::from_secs(24 * 3_600);
    let kept = Kept { evidence: 30 * day, tombstones: 7 * day, jobs: 30 * day, letters: 90 * day };
    world.clock.jump_to(expired.changed_at.plus(89 * day));
    housekeeping::tidy(ports, &kept).await.unwrap();
    assert_eq!(state(&waiting).await, RequestState::Expired);
    world.clock.jump_to(expired.changed_at.plus(91 * day));
    housekeeping::tidy(ports, &kept).await.unwrap();
    for id in [&request, &waiting] {
        assert!(matches!(find(ports, id).await, Err(RequestError::Unknown)), "{id} is dropped");
    }
    assert_eq!(ports.store.metas("request-ended/", 10).await.unwrap(), []);
    let robots = async || ports.objects.keys("robots").await.unwrap();
    until("no robots.txt that is not obeyed any more is kept", MINUTE, async || robots().await.is_empty().then_some(())).await;
    app.stop().await;
}

/// Only the artist's own site proves anything: not the studio's, not a site that nobody here has, not one that is shared.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_taken_out_by_a_site_that_is_not_theirs() {
    let mut world = World::of(DemoWeb::generate_sized(SEED, 7, 2)).await;
    let files = FolderWeb::instead_of(&mut world).await;
    let app = world.start().await;
    run_night(&app, &world, 1).await;
    let ports = &app.ports;
    let with_site = world.web.artists().iter().find(|artist| has_own_site(&world.web, artist)).unwrap();
    let named_only = world.web.artists().iter().find(|artist| !has_own_site(&world.web, artist) && artist.instagram.is_some()).unwrap();
    let studio = world.web.sites().iter().find(|site| site.name == named_only.studio).unwrap().host.clone();
    let site_of = |host: &str| About::site(&format!("http://{host}/")).unwrap();
    let id_of = async |artist: &DemoArtist| row_of(ports.store.as_ref(), &artist.name).await.id;
    let put = |host: &str, token: &str| files.put(host, ".well-known/inkdex-proof.txt", token);
    let found = searchable(ports).await;
    // The studio's site, for itself and for its artist; the artist's handle; the artist's page.
    for about in [site_of(&studio), About::handle(handle(named_only)).unwrap(), About::Artist(id_of(named_only).await)] {
        let request = ask(&app, about).await;
        put(&studio, &request.proof_token());
        assert_eq!(check(ports, &request).await.unwrap().0, Look::NotFound);
    }
    // Somebody else's token on the right site.
    let (mine, other) = (ask(&app, site_of(&host_of(with_site))).await, ask(&app, site_of(&host_of(with_site))).await);
    put(&host_of(with_site), &other.proof_token());
    assert_eq!(check(ports, &mine).await.unwrap().0, Look::NotFound);
    // The right token in a file, but the site is shared with somebody.
    let key = IdentityKey::site(&format!("http://{}/", host_of(with_site)).parse().unwrap());
    let held = ports.store.identity(&key).await.unwrap();
    assert_eq!(ports.store.point_identity(&key, held.as_ref(), &inkdex::domain::identity::KeyState::Shared).await.unwrap(), None);
    assert_eq!(check(ports, &other).await.unwrap().0, Look::NotFound);
    let by_operator = approve(ports, &other, "test", None).await;
    assert!(matches!(by_operator, Err(RequestError::Shared)), "{by_operator:?}");
    let nobody = ask(&app, About::Artist(ArtistId::new("artist-nobody"))).await;
    assert!(matches!(approve(ports, &nobody, "test", None).await, Err(RequestError::NoArtist(_))));
    assert_eq!(refuse(ports, &nobody, "test", Some("nobody has this id")).await.unwrap().state, RequestState::Refused);
    in_step(&app).await;
    assert_eq!(searchable(ports).await, found);
    let open: Vec<RemovalRequest> = ports.store.open_requests(100).await.unwrap();
    assert!(open.iter().all(|request| request.state == RequestState::Received) && open.len() == 5);
    app.stop().await;
}
