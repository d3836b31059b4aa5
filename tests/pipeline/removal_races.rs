//! Rule 15 and whoever was under way: what is put after the removal has looked goes as well.

use crate::support::ledger::row_of;
use crate::support::wait::{LONG, until};
use crate::support::world::{World, in_step, run_night};
use inkdex::app::App;
use inkdex::demo::{DemoArtist, DemoWeb};
use inkdex::domain::artist::ArtistRow;
use inkdex::domain::clock::{Clock, Timestamp};
use inkdex::domain::facts::Confirmer;
use inkdex::domain::fields::Field;
use inkdex::domain::identity::{IdentityKey, KeyState};
use inkdex::domain::ids::{ArtistId, JobId, SessionId};
use inkdex::domain::job::{JobState, NewJob, ScrapeTask, Task};
use inkdex::jobs::Ports;
use inkdex::jobs::correct_artist::{CorrectError, Saying, correct};
use inkdex::jobs::deny;
use inkdex::jobs::remove_artist::{OPERATIONS, remove};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const SEED: u64 = 41;
/// Far off, but for whoever moves the clock.
const LOOK_AGAIN: Duration = Duration::from_secs(3_600);

async fn met() -> (World, App, DemoArtist, ArtistRow) {
    let mut world = World::of(DemoWeb::generate_sized(SEED, 1, 2)).await;
    world.config.privacy.look_again_ms = u64::try_from(LOOK_AGAIN.as_millis()).unwrap();
    let app = world.start().await;
    run_night(&app, &world, 1).await;
    let artist = world.web.artists().iter().find(|artist| artist.instagram.is_some()).unwrap().clone();
    let row = row_of(app.ports.store.as_ref(), &artist.name).await;
    (world, app, artist, row)
}

/// A clock that stops whoever asks it first until they are let go.
#[derive(Debug)]
struct Gate {
    clock: Arc<dyn Clock>,
    first: Mutex<Option<(SyncSender<()>, Receiver<()>)>>,
}

impl Clock for Gate {
    fn now(&self) -> Timestamp {
        let first = self.first.lock().unwrap().take();
        if let Some((reached, go)) = first {
            reached.send(()).unwrap();
            go.recv_timeout(LONG).unwrap();
        }
        self.clock.now()
    }

    fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }
}

/// A correction whose artist is removed after it has looked them up, and before it says anything.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_correction_that_a_removal_overtakes_leaves_nothing() {
    let (_world, app, _, met) = met().await;
    let ((reached, is_reached), (go, may_go)) = (sync_channel(1), sync_channel(1));
    let clock = Arc::new(Gate { clock: app.ports.clock.clone(), first: Mutex::new(Some((reached, may_go))) });
    let (ports, id) = (Ports { clock, ..app.ports.clone() }, met.id.clone());
    let saying = Saying::Value("corrected.by.hand".to_owned());
    let correction =
        tokio::spawn(async move { correct(&ports, &id, Confirmer::Operator, Field::Instagram, &saying, ("test", None)).await });
    tokio::task::spawn_blocking(move || is_reached.recv_timeout(LONG)).await.unwrap().unwrap();
    remove(&app.ports, &met.id, "test", None).await.unwrap();
    go.send(()).unwrap();
    let answer = correction.await.unwrap();
    assert!(matches!(answer, Err(CorrectError::Unknown(_))), "{answer:?}");
    assert!(app.ports.store.evidence_of(&met.id).await.unwrap().is_empty(), "what was said is gone");
    assert!(app.ports.store.identities_of(&met.id).await.unwrap().is_empty(), "and so is the handle that was claimed");
    app.stop().await;
}

/// An attempt that died between putting evidence and looking at the denylist again, having found the person's keys gone: it gave them
/// an id of its own, or had one before. What it left is taken out by the removal's second look.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_attempt_left_is_taken_out() {
    let (world, app, artist, met) = met().await;
    let store = app.ports.store.as_ref();
    let record = met.live().unwrap();
    let evidence = store.evidence_of(&met.id).await.unwrap();
    let keys = deny::identity_keys(record);
    let key = keys.iter().find(|key| key.as_str().starts_with("member:")).expect("a studio lists them").clone();
    let anew = ArtistId::proposed(key.as_str());
    assert_ne!(anew, met.id);
    remove(&app.ports, &met.id, "test", None).await.unwrap();
    assert!(store.evidence_of(&met.id).await.unwrap().is_empty());
    for id in [&met.id, &anew] {
        let left = inkdex::domain::facts::EvidenceRow { artist_id: id.clone(), job_id: JobId::new("job-dead"), ..evidence[0].clone() };
        assert!(store.put_evidence(&left).await.unwrap());
    }
    assert_eq!(store.point_identity(&key, None, &KeyState::Held(anew.clone())).await.unwrap(), None);
    let handle = IdentityKey::instagram(artist.instagram.as_deref().unwrap()).unwrap();
    assert_eq!(store.point_identity(&handle, None, &KeyState::Held(met.id.clone())).await.unwrap(), None);
    world.clock.jump_to(app.ports.clock.now().plus(LOOK_AGAIN));
    until("the removal is over", LONG, async || {
        let jobs = crate::support::ledger::jobs_of(store, &SessionId::new(OPERATIONS)).await;
        (!jobs.is_empty() && jobs.iter().all(|job| job.state == JobState::Done)).then_some(())
    })
    .await;
    for id in [&met.id, &anew] {
        assert!(store.evidence_of(id).await.unwrap().is_empty(), "evidence of {id}");
        assert!(store.identities_of(id).await.unwrap().is_empty(), "keys of {id}");
    }
    in_step(&app).await;
    app.stop().await;
}

/// A job that a studio's job makes just after the removal has looked for jobs: it ends by the denylist, and names nobody then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_is_made_after_the_removal_ends_without_a_name() {
    let (_world, app, artist, met) = met().await;
    let ports = &app.ports;
    remove(ports, &met.id, "test", None).await.unwrap();
    let task = ScrapeTask {
        studio_id: None,
        name: artist.name.clone(),
        instagram: artist.instagram.clone(),
        entry: artist.page.parse().unwrap(),
        own_site: false,
        listed_on: None,
    };
    let new = NewJob::new(&SessionId::new(OPERATIONS), "scrape", Task::ScrapeArtist(Box::new(task)), None);
    ports.store.create_jobs(std::slice::from_ref(&new), ports.clock.now()).await.unwrap();
    let job = until("it is over", LONG, async || {
        let job = ports.store.job(&new.id).await.unwrap().unwrap();
        job.state.is_terminal().then_some(job)
    })
    .await;
    assert_eq!(job.cancelled(), Some(inkdex::domain::outcome::Cancelled::Removed));
    let text = serde_json::to_string(&(&job, ports.store.attempts(&new.id).await.unwrap())).unwrap();
    assert!(!text.contains(&artist.name) && !text.contains(artist.instagram.as_deref().unwrap()), "{text}");
    app.stop().await;
}
