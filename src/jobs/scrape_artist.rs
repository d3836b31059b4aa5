//! Job `scrape_artist`: reads an artist's own portfolio site when there is one, else the pages on the studio's site, and
//! has the record written (002-R13).

use crate::domain::artist::BY_CITY;
use crate::domain::clock::Timestamp;
use crate::domain::facts::{Evidence, Fact, Source, SourceFacts};
use crate::domain::identity::{IdentityKey, KeyState, canonical_site, normal_handle};
use crate::domain::ids::{ArtistId, StudioId};
use crate::domain::job::{ScrapeTask, Usage};
use crate::domain::ledger::is_last_attempt;
use crate::domain::lifecycle::Absence;
use crate::domain::outcome::{Cancelled, Category, Done, Failure, Outcome};
use crate::domain::place::{Basis, country_code};
use crate::domain::studio::FoundStudio;
use crate::domain::text::{clean_line, fold};
use crate::extract::{ArtistFacts, MemberHint, SiteKind, Styles, member_facts};
use crate::jobs::find_artists::hashes_of;
use crate::jobs::write_artist::{SourceReading, WriteArtist, WriteError, Written};
use crate::jobs::{Desk, Ended, PortError, Ports, Running, remove_artist, site_visit, store_outcome, wait_for_dependency};
use std::collections::HashMap;
use tracing::info;
use url::Url;

/// Longest name kept, characters.
const NAME_MAX_CHARS: usize = 120;
/// Longest bio kept, characters.
const BIO_MAX_CHARS: usize = 2_000;
/// How far a studio's place is believed to be its artists'.
const SOURCE_CONFIDENCE: f32 = 0.7;
/// Most pictures kept of an artist.
const IMAGES_MAX: usize = 60;

/// Runs the job.
pub async fn run(ports: &Ports, desk: &dyn Desk, running: &Running, task: &ScrapeTask) -> Ended {
    match ports.store.is_denied(&hashes_of(ports, task)).await {
        Ok(false) => {}
        Ok(true) => return Outcome::Cancelled { why: Cancelled::Removed }.into(),
        Err(error) => return store_outcome(ports, &error, "scrape").into(),
    }
    let (sources, usage) = match read_sources(ports, running, task).await {
        Ok(read) => read,
        Err((Outcome::Done { how: Done::Gone }, usage)) => {
            let outcome = match propose_gone(ports, running, task).await {
                Ok(()) => Outcome::Done { how: Done::Gone },
                Err(error) => port_outcome(ports, &error),
            };
            return Ended { outcome, usage };
        }
        Err((outcome, usage)) => return Ended { outcome, usage },
    };
    if sources.is_empty() {
        return Ended { outcome: Outcome::Done { how: Done::NotTattoo }, usage };
    }
    Ended { outcome: write(ports, desk, running, sources).await, usage }
}

/// Has the artist written of whom sources were read, and says what that comes to.
pub(crate) async fn write(ports: &Ports, desk: &dyn Desk, running: &Running, sources: Vec<SourceReading>) -> Outcome {
    running.progress.step();
    let pages: Vec<Url> = sources.iter().flat_map(|source| source.facts.every_page().cloned()).collect();
    let request = WriteArtist {
        job_id: running.job.new.id.clone(),
        session_id: running.job.new.session_id.clone(),
        attempt: running.attempt.clone(),
        sources,
    };
    match desk.write(request).await {
        Ok(Written::New(id) | Written::Changed(id)) => {
            info!(job.id = %running.job.id(), artist.id = %id, "artist {id} written");
            Outcome::Done { how: Done::Written }
        }
        Ok(Written::Unchanged(_)) => Outcome::Done { how: Done::Unchanged },
        Ok(Written::Superseded) => Outcome::Done { how: Done::Superseded },
        // Rule 15: the removal has looked for copies before this job read the pages.
        Ok(Written::Denied) => match remove_artist::forget_sites(ports, &pages).await {
            Ok(_) => Outcome::Cancelled { why: Cancelled::Removed },
            Err(_) => wait_for_dependency(ports),
        },
        Err(WriteError::Invalid(failure)) => Outcome::Dead { reason: failure },
        Err(WriteError::Store(error)) => store_outcome(ports, &error, "write"),
        Err(WriteError::Unanswered(why)) => {
            // The Writer died with the request: a fault of ours, whose effect the next attempt finds out.
            Outcome::Retry { after: None, reason: Failure::new(Category::Bug, "writer_died", "write", why) }
        }
    }
}

fn port_outcome(ports: &Ports, error: &PortError) -> Outcome {
    match error {
        PortError::Store(error) => store_outcome(ports, error, "scrape"),
        _ => wait_for_dependency(ports),
    }
}

/// What is read of an artist, and what it used; else why the job ends.
pub(crate) type Read<T> = Result<(T, Usage), site_visit::Unread>;

/// Reads what there is about the artist, a source at a time.
async fn read_sources(ports: &Ports, running: &Running, task: &ScrapeTask) -> Read<Vec<SourceReading>> {
    if !task.own_site {
        let (from_studio, usage) = read_studio(ports, running, task).await?;
        return Ok((from_studio.into_iter().collect(), usage));
    }
    let (own, used) = match read_own_site(ports, running, task).await {
        Ok(read) => read,
        Err((stop, used)) if task.studio_id.is_some() && is_final(ports, running, &stop) => {
            return beside_dead_site(ports, running, task, stop, used).await;
        }
        Err(unread) => return Err(unread),
    };
    match read_studio(ports, running, task).await {
        Ok((from_studio, also)) => Ok((own.into_iter().chain(from_studio).collect(), used + also)),
        Err((outcome, also)) => Err((outcome, used + also)),
    }
}

/// What the own site says, if it is about the person it was linked for.
pub(crate) async fn read_own_site(ports: &Ports, running: &Running, task: &ScrapeTask) -> Read<Option<SourceReading>> {
    let site = site_visit::read_site(ports, running, &task.entry).await?;
    let (answered, read_at) = (site.answered(), ReadAt { unasked: site.unasked, now: ports.clock.now() });
    let facts = site.reader.finish(&ports.styles);
    if facts.kind == SiteKind::Negative {
        return Ok((None, site.usage));
    }
    let mut artist = facts.as_artist();
    artist.name = artist.name.or_else(|| Some(task.name.clone()));
    let mut read = as_source_facts(&artist, &task.entry, &ports.styles, &read_at);
    read.pages = vec![task.entry.clone()];
    read.own_site = Some(task.entry.clone());
    let source = Source::OwnSite(canonical_site(&task.entry));
    Ok((Some(SourceReading { source, facts: read, own_page: true, answered }), site.usage))
}

/// Whether the own site will bring nothing, however often this job asks: gone, refused, broken, or failed for the last time.
/// A fault of ours, such as a panic while reading, is not the site's end: it counts until it is quarantined (rule 4).
fn is_final(ports: &Ports, running: &Running, stop: &Outcome) -> bool {
    match stop {
        Outcome::Done { how } => matches!(how, Done::Gone | Done::RefusedByRobots),
        Outcome::Dead { .. } => true,
        Outcome::Retry { reason, .. } => reason.category == Category::Transient && is_last_attempt(&running.job, &ports.settings.limits),
        Outcome::Wait { .. } | Outcome::Cancelled { .. } => false,
    }
}

/// Reads what the studio says of an artist whose own site is dead: how the site ended ends the job only if that is nothing.
async fn beside_dead_site(ports: &Ports, running: &Running, task: &ScrapeTask, stop: Outcome, used: Usage) -> Read<Vec<SourceReading>> {
    match read_studio(ports, running, task).await {
        Ok((Some(from_studio), also)) => {
            let usage = used + also;
            if stop == (Outcome::Done { how: Done::Gone }) {
                propose_gone(ports, running, task).await.map_err(|error| (port_outcome(ports, &error), usage))?;
            }
            info!(job.id = %running.job.id(), "the artist's own site brings nothing, job {} goes on without it", running.job.id());
            Ok((vec![from_studio], usage))
        }
        // The studio may still answer, and both are asked again then.
        Err((outcome @ (Outcome::Wait { .. } | Outcome::Retry { .. } | Outcome::Cancelled { .. }), also)) => Err((outcome, used + also)),
        Ok((None, also)) | Err((Outcome::Done { .. } | Outcome::Dead { .. }, also)) => Err((stop, used + also)),
    }
}

/// What the studio's pages say of the artist, if a studio named them.
pub(crate) async fn read_studio(ports: &Ports, running: &Running, task: &ScrapeTask) -> Read<Option<SourceReading>> {
    let mut usage = Usage::default();
    let (Some(studio_id), Some(listed_on)) = (&task.studio_id, &task.listed_on) else { return Ok((None, usage)) };
    let studio = ports.store.studio(studio_id).await.map_err(|error| (store_outcome(ports, &error, "scrape"), usage))?;
    let website = studio.as_ref().and_then(|studio| studio.website(ports.clock.now()));
    let entry = website.unwrap_or_else(|| listed_on.clone());
    let site = site_visit::read_site(ports, running, &entry).await?;
    usage = usage + site.usage;
    let mut pages = site.reader.pages().to_vec();
    let (mut answered, mut unasked) = (site.answered(), site.unasked);
    if !task.own_site && task.entry != entry && !was_read(&site.reader, &task.entry) {
        // The page of the artist could not be read: ask for it by itself, so that its own reason ends the job.
        let mut visit = site_visit::begin(ports, running, site.drawn).await;
        let asked = site_visit::one_page(ports, running, &mut visit, &task.entry).await;
        usage = usage + site_visit::usage_of(&visit);
        unasked.extend(visit.unasked().clone());
        site_visit::end(visit).await;
        let page = asked.map_err(|stop| (stop.outcome(ports, &task.entry), usage))?;
        if !unasked.contains_key(&page.url) {
            answered.push(page.url.clone());
        }
        pages.push(page);
    }
    let hint = MemberHint { name: Some(task.name.clone()), instagram: task.instagram.clone(), page: Some(listed_on.clone()) };
    let read_at = ReadAt { unasked, now: ports.clock.now() };
    let mut reading = as_member(ports, task, studio_id, listed_on, member_facts(&pages, &hint, &ports.styles), &read_at);
    reading.answered = answered;
    if let Some(studio) = &studio {
        complete_place(&mut reading.facts, &studio.found, listed_on, ports.clock.now());
    }
    Ok((Some(reading), usage))
}

fn was_read(reader: &crate::extract::SiteReader, url: &Url) -> bool {
    let wanted = canonical_site(url);
    reader.pages().iter().any(|page| canonical_site(&page.url) == wanted)
}

fn as_member(
    ports: &Ports,
    task: &ScrapeTask,
    studio_id: &StudioId,
    listed_on: &Url,
    mut facts: ArtistFacts,
    read_at: &ReadAt,
) -> SourceReading {
    facts.name = facts.name.or_else(|| Some(task.name.clone()));
    facts.instagram = facts.instagram.or_else(|| task.instagram.clone());
    let page = facts.page.clone().unwrap_or_else(|| listed_on.clone());
    let mut read = as_source_facts(&facts, &page, &ports.styles, read_at);
    read.pages = vec![page];
    read.own_site = if task.own_site { Some(task.entry.clone()) } else { facts.own_site.clone() };
    SourceReading { source: Source::Studio(studio_id.clone()), facts: read, own_page: facts.page.is_some(), answered: Vec::new() }
}

/// What the source of studios knows of the place completes what the studio's pages say, unless they name another one.
fn complete_place(read: &mut SourceFacts, studio: &FoundStudio, page: &Url, now: Timestamp) {
    let differs = |said: &Option<Fact<String>>, known: &Option<String>| match (said, known) {
        (Some(said), Some(known)) => fold(&said.value) != fold(known),
        _ => false,
    };
    let place = &studio.place;
    if differs(&read.country, &place.country) || differs(&read.city, &place.city) {
        return;
    }
    let evidence = Evidence {
        page: page.clone(),
        extractor: "studio_source".to_owned(),
        confidence: SOURCE_CONFIDENCE,
        observed_at: now,
        basis: Basis::Studio,
    };
    let fact = |value: &Option<String>| value.clone().map(|value| Fact { value, evidence: evidence.clone() });
    let city_was_known = read.city.is_some();
    read.country = read.country.take().or_else(|| fact(&place.country));
    read.city = read.city.take().or_else(|| fact(&place.city));
    if !city_was_known {
        read.region = read.region.take().or_else(|| fact(&place.region));
    }
    // Where the studio is tells more than where its city is.
    let of_city = read.coordinates.take_if(|at| at.evidence.extractor == BY_CITY && place.coordinates.is_some());
    read.coordinates = read.coordinates.take().or_else(|| place.coordinates.map(|value| Fact { value, evidence })).or(of_city);
}

/// When pages answered last: now, but for those that nobody was asked for.
struct ReadAt {
    unasked: HashMap<Url, Timestamp>,
    now: Timestamp,
}

impl ReadAt {
    fn of(&self, page: &Url) -> Timestamp {
        self.unasked.get(page).copied().unwrap_or(self.now)
    }
}

/// What an extractor found, in the directory's standard formats (002-R19): what does not fit them is left out.
fn as_source_facts(found: &ArtistFacts, page: &Url, styles: &Styles, read_at: &ReadAt) -> SourceFacts {
    let evidence = |field: &str, value: &str, basis: Basis| {
        let rows = found.evidence.get(field);
        let row = rows.and_then(|rows| rows.iter().find(|row| row.value == value).or_else(|| rows.first()));
        let page = row.map_or(page, |row| &row.page);
        Evidence {
            page: page.clone(),
            extractor: row.map_or_else(|| "resolver".to_owned(), |row| row.extractor.clone()),
            confidence: row.map_or(0.5, |row| row.confidence),
            observed_at: read_at.of(page),
            basis,
        }
    };
    let text = |field: &str, value: &str, max: usize| {
        let cleaned = clean_line(value, max);
        (!cleaned.is_empty()).then(|| Fact { evidence: evidence(field, value, Basis::Printed), value: cleaned })
    };
    let list =
        |field: &str, values: &[String]| -> Vec<Fact<String>> { values.iter().filter_map(|value| text(field, value, 200)).collect() };
    let url_fact = |field: &str, value: &str| {
        let url = Url::parse(value).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
        Some(Fact { evidence: evidence(field, value, Basis::Printed), value: url })
    };
    let place_basis = match found.place.basis {
        Some(crate::extract::Basis::Inferred) => Basis::Inferred,
        Some(crate::extract::Basis::Studio) => Basis::Studio,
        Some(crate::extract::Basis::Printed) | None => Basis::Printed,
    };
    let placed = |field: &str, value: &str, basis: Basis| {
        // All that a studio's pages say is the studio's place.
        let basis = if place_basis == Basis::Studio { Basis::Studio } else { basis };
        text(field, value, 100).map(|mut fact| {
            fact.evidence.basis = basis;
            fact
        })
    };
    let (place, implied) = (&found.place, &found.place.implied);
    let city_basis = if implied.city { Basis::Inferred } else { Basis::Printed };
    let at = implied.coordinates.map(|point| {
        let printed = implied.basis == Some(crate::extract::Basis::Printed);
        let basis = if printed { Basis::Printed } else { Basis::Inferred };
        let basis = if place_basis == Basis::Studio { Basis::Studio } else { basis };
        Fact { evidence: evidence("coordinates", "", basis), value: point }
    });
    SourceFacts {
        name: found.name.as_deref().and_then(|name| text("name", name, NAME_MAX_CHARS)),
        studio: found.studio.as_deref().and_then(|studio| text("studio", studio, NAME_MAX_CHARS)),
        country: place.country.as_deref().and_then(country_code).and_then(|code| placed("country", &code, place_basis)),
        region: match (&place.region, &implied.region) {
            (Some(region), _) => placed("region", region, Basis::Printed),
            (None, implied) => implied.as_deref().and_then(|region| placed("city", region, Basis::Inferred)),
        },
        city: place.city.as_deref().and_then(|city| placed("city", city, city_basis)),
        coordinates: at,
        instagram: found
            .instagram
            .as_deref()
            .and_then(normal_handle)
            .map(|handle| Fact { evidence: evidence("instagram", &handle, Basis::Printed), value: handle }),
        socials: found.socials.iter().filter_map(|social| url_fact("socials", social)).collect(),
        emails: list("emails", &found.emails.iter().map(|email| email.to_lowercase()).collect::<Vec<_>>()),
        phones: list("phones", &found.phones),
        styles: found
            .styles
            .iter()
            .filter_map(|name| styles.resolve(name).map(|style| (name, style.slug.clone())))
            .map(|(name, slug)| Fact { evidence: evidence("styles", name, Basis::Printed), value: slug })
            .collect(),
        images: found.images.iter().take(IMAGES_MAX).filter_map(|url| url_fact("images", url.as_str())).collect(),
        bio: found.bio.as_deref().and_then(|bio| text("bio", bio, BIO_MAX_CHARS)),
        pages: Vec::new(),
        own_site: None,
    }
}

/// The page answered 404 or 410: if it is the page of somebody known, an absence is proposed.
async fn propose_gone(ports: &Ports, running: &Running, task: &ScrapeTask) -> Result<(), PortError> {
    let Some(artist_id) = known_artist(ports, task).await? else { return Ok(()) };
    let source = match (&task.studio_id, task.own_site) {
        (_, true) => Source::OwnSite(canonical_site(&task.entry)),
        (Some(studio_id), false) => Source::Studio(studio_id.clone()),
        (None, false) => return Ok(()),
    };
    ports.store.propose_absence(&running.job.new.session_id, &artist_id, &source, Absence::PageGone).await?;
    Ok(())
}

async fn known_artist(ports: &Ports, task: &ScrapeTask) -> Result<Option<ArtistId>, PortError> {
    let mut keys: Vec<IdentityKey> = Vec::new();
    if task.own_site {
        keys.push(IdentityKey::site(&task.entry));
    }
    keys.extend(task.studio_id.as_ref().and_then(|studio| IdentityKey::member(studio, &task.name)));
    keys.extend(task.instagram.as_deref().and_then(IdentityKey::instagram));
    for key in keys {
        if let Some(KeyState::Held(id)) = ports.store.identity(&key).await? {
            return Ok(Some(id));
        }
    }
    Ok(None)
}
