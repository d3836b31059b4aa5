//! Evidence of visits: WARC files that an independent reader reads whole, kept as long as the configuration says, and gone with
//! whom they name.

use crate::support::kept::unpacked;
use crate::support::ledger::row_of;
use crate::support::world::{NOON, World, run_night};
use base64::Engine;
use inkdex::demo::{DemoArtist, DemoWeb, Layout, RequestLog};
use inkdex::jobs::Ports;
use inkdex::jobs::housekeeping::{self, Kept};
use inkdex::jobs::remove_artist::remove;
use inkdex::scrape::evidence::FOLDER;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use url::Url;

const SEED: u64 = 23;
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// The records of every kept file, as warcio reads them.
async fn records(ports: &Ports) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for (at, key) in ports.objects.keys(FOLDER).await.unwrap().into_iter().enumerate() {
        let file = folder.path().join(format!("{at:04}.warc.gz"));
        std::fs::write(&file, ports.objects.get(&key).await.unwrap().unwrap()).unwrap();
        files.push(file);
    }
    let cache =
        std::env::var_os("XDG_CACHE_HOME").map_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache"), PathBuf::from);
    let python = cache.join("inkdex/warcio-1.7.5/bin/python3");
    assert!(python.exists(), "{} is missing; scripts/test-needs.sh installs it", python.display());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pipeline/warc_read.py");
    let read = Command::new(python).arg(script).args(&files).output().unwrap();
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    let lines = String::from_utf8(read.stdout).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn text<'a>(record: &'a Value, field: &str) -> &'a str {
    record[field].as_str().unwrap_or_default()
}

fn is_answer(record: &&Value) -> bool {
    matches!(text(record, "type"), "response" | "revisit")
}

/// What was asked for and answered, each as often as it was.
fn counted(asked: impl Iterator<Item = (String, String, String)>) -> BTreeMap<(String, String, String), usize> {
    asked.fold(BTreeMap::new(), |mut counts, one| {
        *counts.entry(one).or_default() += 1;
        counts
    })
}

fn as_logged(requests: &[RequestLog]) -> BTreeMap<(String, String, String), usize> {
    counted(requests.iter().map(|request| (request.host.clone(), request.path.clone(), request.status.to_string())))
}

fn as_kept(records: &[Value]) -> BTreeMap<(String, String, String), usize> {
    counted(records.iter().filter(is_answer).map(|record| {
        let url = Url::parse(text(record, "uri")).unwrap();
        (url.host_str().unwrap().to_owned(), url.path().to_owned(), text(record, "status").to_owned())
    }))
}

/// A body as the site sent it, without its content coding.
fn plain(record: &Value) -> Vec<u8> {
    let body = base64::engine::general_purpose::STANDARD.decode(text(record, "body")).unwrap();
    match text(record, "coding") {
        _ if body.is_empty() => body,
        "" => body,
        "gzip" => unpacked(&body),
        "br" => {
            let mut plain = Vec::new();
            brotli_decompressor::BrotliDecompress(&mut body.as_slice(), &mut plain).unwrap();
            plain
        }
        other => panic!("the made-up web sends no {other}"),
    }
}

/// The pages in kept files that name an artist.
async fn pages_naming(ports: &Ports, artist: &DemoArtist) -> BTreeSet<String> {
    let handle = artist.instagram.as_ref().map(|handle| format!("instagram.com/{handle}"));
    let names = |record: &Value| {
        let page = String::from_utf8_lossy(&plain(record)).into_owned();
        page.contains(&artist.name) || handle.as_ref().is_some_and(|handle| page.contains(handle))
    };
    let records = records(ports).await;
    records.iter().filter(is_answer).filter(|record| names(record)).map(|record| text(record, "uri").to_owned()).collect()
}

/// Every request of a night over the demo's whole web (a 429, a redirect, a page over the budget, refusals) and of a night of 304s
/// is in one file of its visit, once, with its answer, byte by byte; an independent reader finds every digest right.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_independent_reader_reads_every_visit_whole() {
    let world = World::sparing(DemoWeb::generate(SEED), true).await;
    let app = world.start().await;
    for number in 1..=2 {
        run_night(&app, &world, number).await;
    }
    let records = records(&app.ports).await;
    assert_eq!(as_kept(&records), as_logged(&world.server.requests()));
    assert!(records.iter().all(|record| record["version"] == "WARC/1.1" && record["passed"] != false), "a digest is wrong");

    let kinds = records.iter().fold(BTreeMap::new(), |mut kinds: BTreeMap<&str, usize>, record| {
        *kinds.entry(text(record, "type")).or_default() += 1;
        kinds
    });
    let files: BTreeSet<&str> = records.iter().map(|record| text(record, "file")).collect();
    println!("{} visits: {kinds:?}", files.len());
    assert_eq!(kinds["warcinfo"], files.len(), "one file a visit");
    assert_eq!((kinds["request"], kinds["metadata"]), (kinds["response"] + kinds["revisit"], kinds["request"]));
    let ids: BTreeSet<&str> = records.iter().map(|record| text(record, "id")).collect();
    assert_eq!(ids.len(), records.len(), "record ids are unique");
    for record in records.iter().filter(|record| text(record, "type") != "warcinfo") {
        let beside = record["beside"].as_array().unwrap();
        assert!(is_answer(&record) || beside.iter().all(|id| ids.contains(id.as_str().unwrap())) && !beside.is_empty(), "{record}");
    }

    let (mut whole, mut unmodified) = (0, 0);
    for record in records.iter().filter(is_answer) {
        let url = Url::parse(text(record, "uri")).unwrap();
        let sent = world.web.respond(url.host_str().unwrap(), url.path());
        match text(record, "status") {
            "200" => {
                assert_eq!(record["truncated"], Value::Null, "{url}");
                assert!(plain(record) == sent.body, "the body of {url} is not what was sent");
                whole += 1;
            }
            "304" => {
                assert!(text(record, "profile").ends_with("server-not-modified") && !text(record, "refers_to").is_empty(), "{record}");
                unmodified += 1;
            }
            status => assert!(record["truncated"] == "unspecified" || record["body"] == "", "{status} {url}"),
        }
    }
    let tables = world.web.sites().iter().filter(|site| site.layout == Layout::Table).count();
    assert!(whole > 40 && unmodified > 30 && tables > 0, "{whole} whole, {unmodified} unmodified");
    app.stop().await;
}

/// Files of a day go with that day; a removal takes every file that names the person; with `evidence_days = 0` there are none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn evidence_goes_with_its_time_and_with_whom_it_names() {
    let mut world = World::sparing(DemoWeb::generate_sized(SEED, 5, 3), true).await;
    let app = world.start().await;
    let ports = &app.ports;
    run_night(&app, &world, 1).await;
    let artist = world.web.artists()[0].clone();
    assert!(pages_naming(ports, &artist).await.len() > 1, "their own page and the list");
    let met = row_of(ports.store.as_ref(), &artist.name).await;
    remove(ports, &met.id, "test", None).await.unwrap();
    assert_eq!(pages_naming(ports, &artist).await, BTreeSet::new());
    run_night(&app, &world, 2).await;
    assert_eq!(pages_naming(ports, &artist).await, BTreeSet::new(), "the studio goes on naming them");

    let days = ports.objects.folders(FOLDER).await.unwrap();
    assert_eq!(days, ["2026-11-23", "2026-11-24"]);
    let year = 365 * DAY;
    let kept = Kept { evidence: 30 * DAY, tombstones: year, jobs: year, letters: year };
    for (number, left) in [(31, 2), (32, 1), (33, 0)] {
        world.clock.jump_to(NOON.plus(DAY * number));
        housekeeping::tidy(ports, &kept).await.unwrap();
        let mut left_days = BTreeSet::new();
        for key in ports.objects.keys(FOLDER).await.unwrap() {
            left_days.insert(key.split('/').nth(1).unwrap().to_owned());
        }
        assert_eq!(left_days.len(), left, "day {number}: {left_days:?}");
    }
    app.stop().await;

    world.config.fetch.evidence_days = 0;
    let app = world.start().await;
    let asked = world.server.requests().len();
    run_night(&app, &world, 60).await;
    assert!(world.server.requests().len() > asked);
    assert_eq!(app.ports.objects.keys(FOLDER).await.unwrap(), Vec::<String>::new());
    app.stop().await;
}
