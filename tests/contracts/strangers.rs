//! What is in the queue and not ours, and what the queue's service put aside: nothing is lost and nothing stops.

#[cfg(feature = "sqs")]
use crate::support::ports::ports;
use crate::support::wait::{LONG, until};
use crate::support::world::World;
use inkdex::demo::DemoWeb;
#[cfg(feature = "sqs")]
use inkdex::domain::ids::{SessionId, StudioId};
#[cfg(feature = "sqs")]
use inkdex::domain::job::{AlertDebt, NewJob};
use inkdex::domain::job::{Job, JobKind, JobState, Task};
#[cfg(feature = "sqs")]
use inkdex::jobs::courier;
use inkdex::jobs::{Ports, letters, strangers};
use inkdex::queue::{Outgoing, QueueDepth};
use inkdex::store::DeadLetterQuery;
use std::collections::BTreeSet;
use std::time::Duration;

/// Bad JSON, a schema of another build, a pointer with too much in it, and as much noise as a message holds.
fn noise() -> Vec<Vec<u8>> {
    let loud: Vec<u8> = (0..256 * 1024).map(|n: u32| b' ' + u8::try_from(n.wrapping_mul(2_654_435_761) >> 25).unwrap() % 94).collect();
    vec![b"{\"schema\":1,".to_vec(), br#"{"schema":7,"all":"new"}"#.to_vec(), br#"{"schema":1,"kind":"report"}"#.to_vec(), loud]
}

async fn letters_of(ports: &Ports) -> Vec<Job> {
    ports.store.dead_letters(&DeadLetterQuery { limit: 100, ..DeadLetterQuery::default() }).await.unwrap().jobs
}

async fn kept_bytes(ports: &Ports, letters: &[Job]) -> BTreeSet<Vec<u8>> {
    let mut kept = BTreeSet::new();
    for letter in letters {
        let Task::ReadStranger { hash } = &letter.new.task else { panic!("{letter:?}") };
        kept.insert(ports.objects.get(&strangers::key(hash)).await.unwrap().unwrap());
    }
    kept
}

fn outgoing(bodies: &[Vec<u8>]) -> Vec<Outgoing> {
    bodies.iter().map(|body| Outgoing { body: body.clone(), delay: Duration::ZERO }).collect()
}

/// Each becomes a letter once, though it comes twice, with its bytes kept; the session beside it runs to its end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn noise_among_messages_becomes_letters_and_the_batch_goes_on() {
    let world = World::of(DemoWeb::generate(3)).await;
    let app = world.start().await;
    for _ in 0..2 {
        assert!(app.ports.queue.send(outgoing(&noise())).await.unwrap().iter().all(Result::is_ok));
    }
    crate::support::world::run(&app).await;
    let recorded = async || {
        let letters: Vec<Job> = letters_of(&app.ports).await.into_iter().filter(|job| job.kind() == JobKind::ReadStranger).collect();
        let depth = app.ports.queue.depth().await.unwrap();
        (letters.len() == noise().len() && depth == QueueDepth::default()).then_some(letters)
    };
    let letters = until("every noise is a letter and the queue is empty", LONG, recorded).await;
    assert_eq!(kept_bytes(&app.ports, &letters).await, BTreeSet::from_iter(noise()));
    let codes: BTreeSet<&str> = letters.iter().map(|job| job.death().unwrap().code.as_str()).collect();
    assert_eq!(codes, BTreeSet::from(["not_a_message", "unknown_schema"]));

    // Requeued, it is read again and is still a stranger.
    let letter = &letters[0];
    assert_eq!(letters::requeue(&app.ports, letter.id(), "test", None).await.unwrap(), 2);
    let dead = async || app.ports.store.job(letter.id()).await.unwrap().filter(|job| job.state.is_terminal() && job.generation == 2);
    let again = until("the stranger is read again", LONG, dead).await;
    assert_eq!((again.state, again.death().map(|reason| reason.code.as_str())), (JobState::Dead, letter.death().map(|r| r.code.as_str())));
    app.stop().await;
}

/// Rule 8: a message in the dead-letter queue of SQS says nothing about its job.
#[cfg(feature = "sqs")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_sqs_put_aside_is_taken_back() {
    use super::sqs::{open, settings};
    use std::sync::Arc;

    let folder = tempfile::tempdir().unwrap();
    let settings = settings();
    let queue: Arc<dyn inkdex::queue::JobQueue> = Arc::new(open(&settings).await.unwrap());
    let ports = Ports { queue: queue.clone(), ..ports(folder.path()) };
    let session = SessionId::new("daily-1");
    let new = |name: &str| NewJob::new(&session, "find", Task::FindArtists { studio_id: StudioId::new(name) }, None);
    let [open_job, done_job] = [new("studio-open"), new("studio-done")];
    courier::create(&ports, &[open_job.clone(), done_job.clone()]).await.unwrap();
    assert_eq!(queue.depth().await.unwrap().visible, 2);
    queue.purge().await.unwrap();
    let row = async |id| ports.store.job(id).await.unwrap().unwrap();
    let sent = row(&open_job.id).await;
    assert_eq!(sent.state, JobState::Sent);
    let done = row(&done_job.id).await;
    courier::withdraw(&ports, &done, inkdex::domain::outcome::Cancelled::Operator).await.unwrap();
    let withdrawn = row(&done_job.id).await;

    let mut bodies = noise();
    bodies.extend([sent.message().to_bytes(), done.message().to_bytes()]);
    super::sqs::put_aside(&settings, &bodies).await;
    assert_eq!(courier::take_back(&ports).await.unwrap(), bodies.len());
    let due = row(&open_job.id).await;
    assert_eq!((due.state, due.sends), (JobState::Created, 1));
    assert!(due.next_send_at <= ports.clock.now());
    assert_eq!(row(&done_job.id).await, withdrawn);
    let letters = letters_of(&ports).await;
    assert!(letters.iter().all(|job| job.alert == AlertDebt::Owed));
    assert_eq!(kept_bytes(&ports, &letters).await, BTreeSet::from_iter(noise()));
    assert_eq!(courier::take_back(&ports).await.unwrap(), 0);
    // The sweeper sends what is owed.
    assert_eq!(courier::sweep(&ports, 10).await.unwrap(), 1);
    let delivery = queue.receive(10, Duration::from_secs(60), Duration::from_secs(5)).await.unwrap().remove(0);
    assert_eq!(delivery.body, sent.message().to_bytes());
}
