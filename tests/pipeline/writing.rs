//! Writing an artist over real embedded backends, without actors: shared keys, late removals, late retirements.

use crate::support::people;
use crate::support::ports::ports_in;
use inkdex::domain::artist::{Artist, ArtistRow, Life};
use inkdex::domain::clock::{ManualClock, Timestamp};
use inkdex::domain::facts::{Source, SourceFacts};
use inkdex::domain::identity::{IdentityKey, KeyState};
use inkdex::domain::ids::{ArtistId, JobId, SessionId, StudioId};
use inkdex::domain::job::{Attempt, Job, Stage, Usage};
use inkdex::domain::write::Writer;
use inkdex::jobs::Ports;
use inkdex::jobs::tell_apart::{ConflictKind, TellApartError, conflicts, give, split};
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

/// What a studio's page says of a member.
fn listed(artist: &Artist, studio: &str, name: &str, handle: Option<&str>) -> SourceReading {
    let page = Url::parse(&format!("https://{studio}.example/team")).unwrap();
    let own = own_site(artist, name, handle, page.as_str());
    let facts = SourceFacts { own_site: None, ..own.facts };
    SourceReading { source: Source::Studio(StudioId::new(studio)), facts, own_page: false, answered: vec![page] }
}

impl Bench {
    async fn written(&self, job: &str, number: u32, sources: Vec<SourceReading>) -> ArtistId {
        match write_artist(&self.ports, &self.request(job, number, sources)).await.unwrap() {
            Written::New(id) | Written::Changed(id) | Written::Unchanged(id) => id,
            other => panic!("{other:?}"),
        }
    }

    async fn record(&self, id: &ArtistId) -> Artist {
        self.ports.store.artist(id).await.unwrap().as_ref().and_then(ArtistRow::live).expect("a live row").clone()
    }

    async fn audited(&self) -> Vec<String> {
        self.ports.store.audit_rows(10).await.unwrap().into_iter().map(|row| format!("{} by {}", row.verb, row.actor)).collect()
    }
}

/// Rule 9: an operator tells two people apart whom one handle made one, and no later night makes them one again, whatever the order
/// of its jobs, also where one job reads both.
#[tokio::test]
async fn who_was_told_apart_stays_apart() {
    let bench = bench();
    let ana = people::record_of(&bench.ports, 0);
    let mine = || own_site(&ana, "Ana Lima", Some("ana.lima.ink"), "https://ana-lima.example/");
    let theirs = || listed(&ana, "studio-b", "Ana", Some("ana.lima.ink"));
    let id = bench.written("mine", 1, vec![mine()]).await;
    assert_eq!(bench.written("theirs", 1, vec![theirs()]).await, id, "the handle makes them one");
    assert_eq!(bench.ports.store.evidence_of(&id).await.unwrap().len(), 2);

    let split_off = |source: &'static str| split(&bench.ports, &id, source, ("test", Some("two people")));
    assert!(matches!(split_off("studio:studio-z").await, Err(TellApartError::NoSource { .. })));
    let other = split_off("studio:studio-b").await.unwrap();
    assert_ne!(other, id);
    assert!(matches!(split_off("studio:studio-b").await, Err(TellApartError::NoSource { .. })), "it is not theirs any more");
    assert!(matches!(split_off("own:ana-lima.example").await, Err(TellApartError::OnlySource(_))));
    assert_eq!(bench.audited().await, ["artist.split by test"]);

    let check = async |night: u32| {
        let (first, second) = (bench.record(&id).await, bench.record(&other).await);
        assert_eq!((first.name.value.as_str(), second.name.value.as_str()), ("Ana Lima", "Ana"), "night {night}");
        assert_eq!(first.instagram.map(|handle| handle.value).as_deref(), Some("ana.lima.ink"), "night {night}");
        assert_eq!((second.instagram, second.own_site), (None, None), "the handle names one of them: night {night}");
        assert_eq!(bench.ports.store.evidence_of(&id).await.unwrap().len(), 1, "night {night}");
        assert_eq!(bench.ports.store.evidence_of(&other).await.unwrap().len(), 1, "night {night}");
    };
    check(1).await;
    for (night, orders) in [[0, 1], [1, 0], [2, 2]].iter().enumerate() {
        let night = u32::try_from(night).unwrap() + 2;
        for order in orders {
            match order {
                0 => assert_eq!(bench.written("mine", night, vec![mine()]).await, id),
                1 => assert_eq!(bench.written("theirs", night, vec![theirs()]).await, other),
                // The studio's page leads to the site of the wrong one: both are read by one job.
                _ => drop(bench.written("both", night, vec![mine(), theirs()]).await),
            }
        }
        check(night).await;
    }
}

/// Rule 9: an attempt that began before two were told apart changes nothing of it.
#[tokio::test]
async fn a_late_attempt_does_not_bring_back_what_was_split_off() {
    let bench = bench();
    let ana = people::record_of(&bench.ports, 0);
    let theirs = || listed(&ana, "studio-b", "Ana", Some("ana.lima.ink"));
    let id = bench.written("mine", 1, vec![own_site(&ana, "Ana Lima", Some("ana.lima.ink"), "https://ana-lima.example/")]).await;
    bench.written("theirs", 1, vec![theirs()]).await;
    let before = bench.ports.store.evidence_of(&id).await.unwrap();
    let stray = before.into_iter().find(|row| matches!(row.source, Source::Studio(_))).unwrap();
    let other = split(&bench.ports, &id, "studio:studio-b", ("test", None)).await.unwrap();
    // It had decided whom it read, and puts that now.
    assert!(bench.ports.store.put_evidence(&stray).await.unwrap());
    assert_eq!(bench.written("theirs", 2, vec![theirs()]).await, other);
    let left = bench.ports.store.evidence_of(&id).await.unwrap();
    assert_eq!(left.iter().map(|row| row.source.key()).collect::<Vec<_>>(), ["own:ana-lima.example"]);
}

/// Rule 9: a key that two names claim is listed until an operator gives it to one of them; then it is theirs for good.
#[tokio::test]
async fn a_shared_key_is_listed_and_given_for_good() {
    let bench = bench();
    let store = bench.ports.store.as_ref();
    let ana = people::record_of(&bench.ports, 0);
    let of_ana = || own_site(&ana, "Ana Lima", Some("the.shop"), "https://ana-lima.example/");
    let of_bo = || own_site(&ana, "Bo Diaz", Some("the.shop"), "https://bo.example/");
    let first = bench.written("ana", 1, vec![of_ana()]).await;
    let second = bench.written("bo", 1, vec![of_bo()]).await;
    let handle = IdentityKey::instagram("the.shop").unwrap();
    assert_eq!(store.identity(&handle).await.unwrap(), Some(KeyState::Shared));
    let listed = conflicts(store, 10).await.unwrap();
    let told: Vec<_> = listed.iter().map(|one| (one.kind, one.key.as_str(), &one.holder, one.claimant.as_ref())).collect();
    assert_eq!(told, [(ConflictKind::Shared, "instagram", &first, Some(&second))]);
    assert!(!listed[0].id.contains("shop"), "a key may name somebody");

    let give_to = |id: ArtistId| {
        let (ports, conflict) = (&bench.ports, listed[0].id.clone());
        async move { give(ports, &conflict, &id, ("test", None)).await }
    };
    assert!(matches!(give_to(ArtistId::new("artist-nobody")).await, Err(TellApartError::NotAParty { .. })));
    give_to(second.clone()).await.unwrap();
    assert!(matches!(give_to(second.clone()).await, Err(TellApartError::NoConflict(_))));
    assert_eq!(conflicts(store, 10).await.unwrap(), []);
    for night in 2..5 {
        assert_eq!(store.identity(&handle).await.unwrap(), Some(KeyState::Held(second.clone())), "before night {night}");
        assert_eq!(bench.record(&second).await.instagram.map(|handle| handle.value).as_deref(), Some("the.shop"));
        assert_eq!(bench.record(&first).await.instagram, None);
        assert_eq!(bench.written("ana", night, vec![of_ana()]).await, first);
        assert_eq!(bench.written("bo", night, vec![of_bo()]).await, second);
    }
    assert_eq!(conflicts(store, 10).await.unwrap(), [], "what is decided is no conflict");
    assert_eq!(bench.audited().await, ["identity.give by test"]);
}

/// Rule 9: two records that one page has keys of may be one; that is listed, and nothing is merged unasked.
#[tokio::test]
async fn two_records_that_may_be_one_are_listed() {
    let bench = bench();
    let ana = people::record_of(&bench.ports, 0);
    let first = bench.written("one", 1, vec![own_site(&ana, "Ana Lima", Some("ana.one"), "https://one.example/")]).await;
    let second = bench.written("two", 1, vec![own_site(&ana, "Ana Lima", Some("ana.two"), "https://two.example/")]).await;
    assert_ne!(first, second);
    bench.written("three", 1, vec![own_site(&ana, "Ana Lima", Some("ana.one"), "https://two.example/")]).await;
    let listed = conflicts(bench.ports.store.as_ref(), 10).await.unwrap();
    assert_eq!(listed.iter().map(|one| one.kind).collect::<Vec<_>>(), [ConflictKind::MayBeOne]);
    // Both were made in one moment of the clock, so either may count as the older.
    assert_eq!(BTreeSet::from([Some(&listed[0].holder), listed[0].claimant.as_ref()]), BTreeSet::from([Some(&first), Some(&second)]));
}
