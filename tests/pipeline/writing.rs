//! Writing an artist over real embedded backends, without actors: shared keys, late removals, late retirements.

use crate::support::people;
use crate::support::ports::ports_in;
use inkdex::domain::artist::{Artist, Life};
use inkdex::domain::clock::{ManualClock, Timestamp};
use inkdex::domain::facts::{Source, SourceFacts};
use inkdex::domain::identity::{IdentityKey, KeyState};
use inkdex::domain::ids::{ArtistId, JobId, SessionId};
use inkdex::domain::job::{Attempt, Job, Stage, Usage};
use inkdex::domain::write::Writer;
use inkdex::jobs::Ports;
use inkdex::jobs::write_artist::{SourceReading, WriteArtist, Written, remove_record, write_artist};
use inkdex::scrape::guard::HostMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use url::Url;

struct Bench {
    ports: Ports,
    session: SessionId,
    folder: tempfile::TempDir,
}

fn bench() -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(Timestamp(1_795_348_800_000_000)));
    Bench { ports: ports_in(folder.path(), HostMap::none(), clock), session: SessionId::new("daily-1"), folder }
}

/// What an artist's own site says: a name and, if there is one, a handle.
fn own_site(artist: &Artist, name: &str, handle: Option<&str>, site: &str) -> SourceReading {
    let url = Url::parse(site).unwrap();
    let named = |value: &str| inkdex::domain::facts::Fact { value: value.to_owned(), evidence: artist.name.evidence.clone() };
    let facts = SourceFacts {
        name: Some(named(name)),
        instagram: handle.map(named),
        pages: vec![url.clone()],
        own_site: Some(url.clone()),
        ..SourceFacts::default()
    };
    SourceReading { source: Source::OwnSite(inkdex::domain::identity::canonical_site(&url)), facts, own_page: true, answered: vec![url] }
}

impl Bench {
    /// A request of the `number`th attempt of a job.
    fn request(&self, job: &str, number: u32, sources: Vec<SourceReading>) -> WriteArtist {
        let fence = Timestamp(self.ports.clock.now().0 + i64::from(number));
        let attempt = Attempt {
            job_id: JobId::new(job),
            generation: 1,
            number,
            fence,
            owner: "test".to_owned(),
            build: "test".to_owned(),
            stage: Stage::Started,
            artist_ids: Vec::new(),
            ended_at: None,
            outcome: None,
            usage: Usage::default(),
        };
        WriteArtist { job_id: JobId::new(job), session_id: self.session.clone(), attempt, sources }
    }

    /// Jobs of the session: those that read the first holder of a shared key again.
    async fn again(&self) -> Vec<Job> {
        self.ports.store.jobs_in(&self.session, None, None, 100).await.unwrap()
    }

    /// Changes the database behind the back of its owner.
    fn sql(&self, statement: &str) {
        let connection = rusqlite::Connection::open(self.folder.path().join("inkdex.db")).unwrap();
        connection.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
        connection.execute_batch(statement).unwrap();
    }
}

/// Rule 9: each key that a second name claims has its first holder read again, whatever fails in between.
#[tokio::test]
async fn the_holder_of_a_shared_key_is_read_again() {
    let bench = bench();
    let ana = people::record_of(&bench.ports, 0);
    let holder = people::write(&bench.ports, "ana", ana.clone()).await;
    let handle = IdentityKey::instagram("ana.lima.ink").unwrap();
    let site = IdentityKey::site(&Url::parse("https://ana-lima.example/").unwrap());
    for key in [&handle, &site] {
        let held = KeyState::Held(holder.clone());
        bench.ports.store.point_identity(key, None, &held).await.unwrap();
    }

    // The key cannot be shared: the write fails, and the job that stands already is harmless.
    bench.sql("CREATE TRIGGER refuse BEFORE UPDATE ON identity BEGIN SELECT RAISE(ABORT, 'planned'); END");
    let claim = |site: &str| own_site(&ana, "Bo Diaz", Some("ana.lima.ink"), site);
    let first = bench.request("bo", 1, vec![claim("https://bo.example/")]);
    write_artist(&bench.ports, &first).await.unwrap_err();
    assert_eq!(bench.again().await.len(), 1, "the job stands before the key is shared");
    bench.sql("DROP TRIGGER refuse");

    let second = bench.request("bo", 2, vec![claim("https://bo.example/")]);
    assert!(matches!(write_artist(&bench.ports, &second).await.unwrap(), Written::New(_)));
    assert_eq!(bench.ports.store.identity(&handle).await.unwrap(), Some(KeyState::Shared));
    assert_eq!(bench.again().await.len(), 2, "what the first attempt made may have run before the key was shared");

    // A second key of the same holder in the same session.
    let third = bench.request("cy", 1, vec![own_site(&ana, "Cy Novak", Some("cy.novak"), "https://ana-lima.example/")]);
    assert!(matches!(write_artist(&bench.ports, &third).await.unwrap(), Written::New(_)));
    assert_eq!(bench.ports.store.identity(&site).await.unwrap(), Some(KeyState::Shared));
    assert_eq!(bench.again().await.len(), 3);
    // What was written once is not queued again by its repetition.
    write_artist(&bench.ports, &third).await.unwrap();
    assert_eq!(bench.again().await.len(), 3);
}

/// Rule 15: a write of somebody who was removed leaves no key that names them, and those it came with are denied.
#[tokio::test]
async fn a_denied_write_leaves_no_identity_row() {
    let bench = bench();
    let ana = people::record_of(&bench.ports, 0);
    let reading = own_site(&ana, "Ana Lima", Some("ana.lima.ink"), "https://ana-lima.example/");
    let site = IdentityKey::site(&Url::parse("https://ana-lima.example/").unwrap());
    let handle = IdentityKey::instagram("ana.lima.ink").unwrap();
    // The id alone is denied: the keys came to the person later.
    let id = ArtistId::proposed(handle.as_str());
    bench.ports.store.deny(&[bench.ports.deny.of_artist(&id)], bench.ports.clock.now()).await.unwrap();
    let request = bench.request("ana", 1, vec![reading]);
    assert_eq!(write_artist(&bench.ports, &request).await.unwrap(), Written::Denied);
    assert_eq!(bench.ports.store.identities_of(&id).await.unwrap(), []);
    for key in [&site, &handle] {
        assert_eq!(bench.ports.store.identity(key).await.unwrap(), None);
        assert!(bench.ports.store.is_denied(&[bench.ports.deny.of_key(key)]).await.unwrap());
    }
}

/// Rule 5: two pages of one artist add up, also when two jobs read them at the same moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_two_jobs_say_at_once_adds_up() {
    let bench = bench();
    let model = people::record_of(&bench.ports, 0);
    for round in 0..150 {
        let handle = format!("pair.{round}");
        let sites = ["one", "other"].map(|side| format!("https://{side}-{round}.example/"));
        let [one, other] = sites.clone().map(|site| {
            let request = bench.request(&site, 1, vec![own_site(&model, "Ana Lima", Some(&handle), &site)]);
            let ports = bench.ports.clone();
            tokio::spawn(async move { write_artist(&ports, &request).await.unwrap() })
        });
        // Whoever comes last may find that the other has written what both say.
        let (Written::New(id) | Written::Changed(id) | Written::Unchanged(id)) = one.await.unwrap() else { panic!("round {round}") };
        other.await.unwrap();
        let row = bench.ports.store.artist(&id).await.unwrap().unwrap();
        let pages: BTreeSet<&str> = row.live().unwrap().pages.iter().map(Url::as_str).collect();
        assert_eq!(pages, sites.iter().map(String::as_str).collect(), "round {round}");
    }
}

/// Rules 5 and 11: a report attempt that is late retires nobody who was written after it began; a removal knows no fence.
#[tokio::test]
async fn a_late_report_retires_nobody_who_was_just_seen() {
    let bench = bench();
    let id = people::write(&bench.ports, "ana", people::record_of(&bench.ports, 0)).await;
    let fence = bench.ports.store.artist(&id).await.unwrap().unwrap().fence;
    let report = |fence: Timestamp| Writer { job_id: JobId::new("report"), generation: 1, fence };
    let late = report(Timestamp(fence.0 - 1));
    assert!(!remove_record(&bench.ports, &id, Life::Retired, &late).await.unwrap());
    assert_eq!(bench.ports.store.artist(&id).await.unwrap().unwrap().life, Life::Live);
    assert!(remove_record(&bench.ports, &id, Life::Retired, &report(Timestamp(fence.0 + 1))).await.unwrap());
    let removal = Writer { job_id: JobId::new("remove"), ..late };
    assert!(remove_record(&bench.ports, &id, Life::Removed, &removal).await.unwrap());
    assert_eq!(bench.ports.store.artist(&id).await.unwrap().unwrap().life, Life::Removed);
}
