//! What our adapters reach beside the bare drivers: the same work on the same servers, in turns, so that both meet the same machine.

use crate::bare;
use crate::changes::request;
use crate::fixture::Fixture;
use anyhow::{Context, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};
use inkdex::app::{Surroundings, open_ports};
use inkdex::domain::artist::{Artist, ArtistRow};
use inkdex::domain::clock::Timestamp;
use inkdex::domain::facts::EvidenceRow;
use inkdex::domain::fields::MissedFields;
use inkdex::domain::ids::{ArtistId, JobId, SessionId};
use inkdex::domain::job::JobKind;
use inkdex::domain::message::{MESSAGE_SCHEMA, Message};
use inkdex::domain::write::{Intent, PutRow, WriteDecision, Writer, decide_write};
use inkdex::jobs::Ports;
use inkdex::jobs::write_artist::SourceReading;
use inkdex::queue::Outgoing;
use inkdex::search::IndexOperation;
use inkdex::store::PutAnswer;
use std::time::Duration;

/// Turns of each side; their sum is what is compared.
const TURNS: usize = 4;
/// Operations under way at once, on both sides.
const AT_ONCE: usize = 16;
/// Rows written in a turn.
const ROWS: usize = 200;
/// Messages sent in a turn.
const MESSAGES: usize = 1_000;
/// Messages of one call, SQS's most.
const MESSAGES_A_CALL: usize = 10;
/// Documents of a bulk request, and requests of a turn.
const DOCUMENTS: usize = 500;
const BULKS: usize = 4;

/// Time and operations of one side.
#[derive(Default)]
struct Side {
    done: usize,
    took: Duration,
}

impl Side {
    async fn turn(&mut self, ports: &Ports, count: usize, work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
        let began = ports.clock.monotonic();
        work.await?;
        self.took += ports.clock.monotonic().saturating_sub(began);
        self.done += count;
        Ok(())
    }

    fn per_second(&self) -> f64 {
        self.done as f64 / self.took.as_secs_f64()
    }
}

fn tell(what: &str, ours: &Side, bare: &Side) {
    let (ours, bare) = (ours.per_second(), bare.per_second());
    println!("{what:<58} ours {ours:>7.0}/s  bare {bare:>7.0}/s  ratio {:.2}", ours / bare);
}

/// Prints all ratios.
pub async fn measure() -> anyhow::Result<()> {
    let fixture = Fixture::prepare().await?;
    let ports = open_ports(&fixture.config, Surroundings::of_this_process()?).await?;
    println!("our adapters beside the bare drivers, {AT_ONCE} at once:");
    rows(&fixture, &ports).await?;
    sends(&fixture, &ports).await?;
    bulks(&fixture, &ports).await?;
    drop(ports);
    fixture.drop_all().await
}

/// The record of the invented artist `number` at an edition.
fn record(number: usize, edition: usize, now: Timestamp) -> anyhow::Result<Artist> {
    let request = request(number, edition, now);
    let SourceReading { source, facts, .. } = request.sources.into_iter().next().context("a source")?;
    let row = EvidenceRow {
        artist_id: id(number),
        source,
        job_id: request.job_id,
        fence: now,
        facts,
        missed: MissedFields::new(),
        settled: std::collections::BTreeSet::new(),
    };
    Artist::resolve(&[row]).map_err(|missing| anyhow::anyhow!("{missing}"))
}

fn id(number: usize) -> ArtistId {
    ArtistId::new(format!("figure-{number}"))
}

async fn all<T>(work: impl Iterator<Item = T>, run: impl AsyncFn(T) -> anyhow::Result<()>) -> anyhow::Result<()> {
    stream::iter(work.map(|item| run(item))).buffer_unordered(AT_ONCE).try_collect::<()>().await
}

/// Decides the write of a record over `current`.
fn decided(number: usize, edition: usize, current: Option<&ArtistRow>, now: Timestamp) -> anyhow::Result<PutRow> {
    let writer = Writer { job_id: JobId::new(format!("job-{number}-{}", now.0)), generation: 1, fence: now };
    let intent = Intent::Record(Box::new(record(number, edition, now)?));
    match decide_write(&id(number), current, &intent, &writer, now) {
        WriteDecision::Put(put) => Ok(*put),
        other => anyhow::bail!("a write that nobody disputes came to {other:?}"),
    }
}

async fn put(ports: &Ports, put: &PutRow) -> anyhow::Result<()> {
    ensure!(ports.store.put_artist(put).await? == PutAnswer::Committed, "a row that nobody else writes was not as expected");
    Ok(())
}

async fn rows(fixture: &Fixture, ports: &Ports) -> anyhow::Result<()> {
    let bare = bare::Rows::connect(&fixture.config).await?;
    let now = ports.clock.now();
    let mut current = Vec::with_capacity(ROWS);
    for number in 0..ROWS {
        current.push(decided(number, 0, None, now)?);
    }
    all(current.iter(), async |first| put(ports, first).await).await?;
    let bodies: Vec<String> = current.iter().map(|put| serde_json::to_string(&put.row)).collect::<Result<_, _>>()?;
    all(0..ROWS, async |number| bare.insert(id(number).as_str(), &bodies[number]).await).await?;
    let (mut unchanged, mut changed, mut direct) = (Side::default(), Side::default(), Side::default());
    for turn in 0..TURNS {
        let from = i64::try_from(turn)?;
        direct.turn(ports, ROWS, all(0..ROWS, async |number| bare.update(id(number).as_str(), from, &bodies[number]).await)).await?;
        // The same record again raises the fence: the compare-and-set and nothing else.
        current = again(&current, turn, ports.clock.now())?;
        ensure!(current.iter().all(|put| put.change.is_none()), "nothing is changed by the same record");
        unchanged.turn(ports, ROWS, all(current.iter(), async |next| put(ports, next).await)).await?;
        current = again(&current, turn + 1, ports.clock.now())?;
        ensure!(current.iter().all(|put| put.change.is_some()), "another bio is a change");
        changed.turn(ports, ROWS, all(current.iter(), async |next| put(ports, next).await)).await?;
    }
    tell("CAS writes: an artist's row, unchanged record", &unchanged, &direct);
    tell("CAS writes: a change (two feed entries, row, keys)", &changed, &direct);
    Ok(())
}

/// The next write of each row.
fn again(current: &[PutRow], edition: usize, now: Timestamp) -> anyhow::Result<Vec<PutRow>> {
    current.iter().enumerate().map(|(number, put)| decided(number, edition, Some(&put.row), now)).collect()
}

async fn sends(fixture: &Fixture, ports: &Ports) -> anyhow::Result<()> {
    let bare = bare::Queue::create(&fixture.config, &format!("{}-bare", fixture.config.sqs.queue)).await?;
    let message = |number: usize| Message {
        schema: MESSAGE_SCHEMA,
        kind: JobKind::ScrapeArtist,
        job_id: JobId::new(format!("figure-{number}")),
        generation: 1,
        session_id: SessionId::new("figures"),
    };
    let bodies: Vec<Vec<u8>> = (0..MESSAGES).map(|number| message(number).to_bytes()).collect();
    let texts: Vec<String> = bodies.iter().map(|body| String::from_utf8_lossy(body).into_owned()).collect();
    let (mut ours, mut direct) = (Side::default(), Side::default());
    for _ in 0..TURNS {
        direct.turn(ports, MESSAGES, all(texts.chunks(MESSAGES_A_CALL), async |texts| bare.send(texts).await)).await?;
        let send = async |bodies: &[Vec<u8>]| {
            let outgoing = bodies.iter().map(|body| Outgoing { body: body.clone(), delay: Duration::ZERO }).collect();
            for sent in ports.queue.send(outgoing).await? {
                sent?;
            }
            Ok(())
        };
        ours.turn(ports, MESSAGES, all(bodies.chunks(MESSAGES_A_CALL), send)).await?;
    }
    tell("sends: messages, ten a call", &ours, &direct);
    Ok(())
}

async fn bulks(fixture: &Fixture, ports: &Ports) -> anyhow::Result<()> {
    let client = bare::index(&fixture.config)?;
    let name = format!("{}-v1-bare", fixture.config.opensearch.prefix);
    bare::make_index(&client, &name).await?;
    let (mut ours, mut direct) = (Side::default(), Side::default());
    for turn in 0..TURNS {
        let now = ports.clock.now();
        let mut operations = Vec::with_capacity(BULKS * DOCUMENTS);
        for number in 0..BULKS * DOCUMENTS {
            operations.push(IndexOperation::of(&decided(number, turn, None, now)?.row));
        }
        let requests: Vec<&[IndexOperation]> = operations.chunks(DOCUMENTS).collect();
        direct.turn(ports, operations.len(), all(requests.iter(), async |request| bare::bulk(&client, &name, request).await)).await?;
        let apply = async |request: &&[IndexOperation]| {
            let answers = ports.index.apply(request.to_vec(), None).await?;
            ensure!(answers.iter().all(|(_, answer)| *answer == inkdex::search::ItemAnswer::Applied), "a document was not taken");
            Ok(())
        };
        ours.turn(ports, operations.len(), all(requests.iter(), apply)).await?;
    }
    tell("bulk: documents, 500 a request, searchable at the answer", &ours, &direct);
    Ok(())
}
