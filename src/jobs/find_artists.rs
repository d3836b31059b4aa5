//! Job `find_artists`: reads a studio's site, finds who works there, and queues a `scrape_artist` job for each (002-R9, 002-R10).

use crate::domain::artist::Artist;
use crate::domain::facts::Source;
use crate::domain::identity::{IdentityKey, KeyState, canonical_site};
use crate::domain::ids::{ArtistId, StudioId};
use crate::domain::job::{JobKind, NewJob, ScrapeTask, Task};
use crate::domain::lifecycle::Absence;
use crate::domain::outcome::{Cancelled, Category, Done, Failure, Outcome};
use crate::domain::studio::{Studio, StudioKind};
use crate::domain::text::names_agree;
use crate::extract::{MAX_MEMBERS, Member, SiteFacts, SiteKind};
use crate::jobs::added_up::names_of;
use crate::jobs::discover_studios::step_of;
use crate::jobs::read_again::MetBy;
use crate::jobs::{
    Ended, PortError, Ports, Running, courier, read_again, remove_artist, remove_studio, site_visit, store_outcome, tell_apart,
    wait_for_dependency,
};
use crate::store::StoreError;
use tracing::{debug, info};
use url::Url;

/// How often a lost race for a key is tried again.
const RACES: usize = 32;

/// Runs the job.
pub async fn run(ports: &Ports, running: &Running, studio_id: &StudioId) -> Ended {
    let (studio, website) = match studio_with_site(ports, studio_id).await {
        Ok(found) => found,
        Err(outcome) => return outcome.into(),
    };
    let site = match site_visit::read_site(ports, running, &website).await {
        Ok(site) => site,
        Err((outcome, usage)) => return Ended { outcome, usage },
    };
    let (usage, lists_were_asked) = (site.usage, site.lists_were_asked());
    for page in site.reader.list_pages() {
        if let Err(error) = ports.visitor.lists(page).await {
            debug!(job.id = %running.job.id(), "a list page was not noted as one, the next reading notes it: {error}");
        }
    }
    let pages: Vec<Url> = site.reader.pages().iter().map(|page| page.url.clone()).collect();
    let mut facts = site.reader.finish(&ports.styles);
    // Rule 11: nobody is missing from a list that was not asked for.
    facts.list_pages_complete &= lists_were_asked;
    running.progress.step();
    let outcome = match settle_facts(ports, running, &studio, &website, &facts, &pages).await {
        Ok(outcome) => outcome,
        Err(PortError::Store(error)) => store_outcome(ports, &error, "queue_artists"),
        Err(_) => wait_for_dependency(ports),
    };
    Ended { outcome, usage }
}

async fn studio_with_site(ports: &Ports, id: &StudioId) -> Result<(Studio, Url), Outcome> {
    let unusable = |message: String| Outcome::Dead { reason: Failure::new(Category::Data, "no_studio", "find", message) };
    let studio = ports.store.studio(id).await.map_err(|error: StoreError| store_outcome(ports, &error, "find"))?;
    let studio = studio.ok_or_else(|| unusable(format!("studio {id} has no row")))?;
    match studio.website(ports.clock.now()) {
        Some(website) => Ok((studio, website)),
        None => Err(unusable(format!("studio {id} has no website, or none that may be kept; the next discovery names it again"))),
    }
}

async fn settle_facts(
    ports: &Ports,
    running: &Running,
    studio: &Studio,
    website: &Url,
    facts: &SiteFacts,
    pages: &[Url],
) -> Result<Outcome, PortError> {
    let kind = match facts.kind {
        SiteKind::Negative => StudioKind::NotTattoo,
        SiteKind::Artist => StudioKind::OneArtist,
        SiteKind::Studio => StudioKind::Studio,
    };
    let read = studio.clone().read_as(website, facts.name.as_deref());
    let row = Studio { kind, last_session: running.job.new.session_id.clone(), updated_at: ports.clock.now(), ..read };
    let tasks = if kind == StudioKind::OneArtist { vec![one_artist(&row, website, facts)] } else { members(studio, website, facts) };
    // Rule 15: whatever becomes of the site, copies of pages that name somebody who was removed are not kept.
    let hashes: Vec<String> = tasks.iter().flat_map(|task| hashes_of(ports, task)).collect();
    if ports.store.is_denied(&hashes).await? {
        remove_artist::forget_sites(ports, pages.iter().chain([website])).await?;
    }
    if kind == StudioKind::NotTattoo && facts.drawn_by_script {
        // A browser drew it, and an empty shell still says nothing about what the site is: it is not called no studio.
        let message = format!("{website} is drawn by a script, and shows nothing in a browser either");
        return Ok(Outcome::Dead { reason: Failure::new(Category::Data, "nothing_drawn", "find", message) });
    }
    ports.store.put_studio(&row).await?;
    // Rule 15: a removal that came in between has blanked the row that was.
    if kind != StudioKind::Studio && ports.store.is_denied(&[ports.deny.of_site(website)]).await? {
        remove_studio::blank(ports, &row).await?;
        return Ok(Outcome::Cancelled { why: Cancelled::Removed });
    }
    if kind == StudioKind::NotTattoo {
        let why = facts.why_negative.as_deref().unwrap_or("nothing on it speaks of tattooing");
        info!(studio.id = %studio.id, "studio {} is no tattoo studio: {why}", studio.id);
        return Ok(Outcome::Done { how: Done::NotTattoo });
    }
    if let Some(listed) = facts.too_many_artists {
        let message = format!(
            "{website} lists {listed} artists or more; a list of more than {MAX_MEMBERS} is taken for one made by a script (rule \
             MAX_MEMBERS): nobody was queued, and nobody counts as missing; if it is none, tell the makers of Inkdex, else take the \
             studio out of its source"
        );
        return Ok(Outcome::Dead { reason: Failure::new(Category::Data, "too_many_artists", "find", message) });
    }
    if kind == StudioKind::Studio {
        share_studio_handles(ports, running, facts).await?;
    }
    let step = step_of(ports, running, JobKind::ScrapeArtist).await?;
    let (mut jobs, mut hashes, mut denied) = (Vec::new(), Vec::new(), Vec::new());
    for task in &tasks {
        let host = task.entry.host_str().map(str::to_owned);
        let job = NewJob::new(&running.job.new.session_id, &step, Task::ScrapeArtist(Box::new(task.clone())), host);
        let of_task = hashes_of(ports, task);
        // 002-X7: the denylist is checked before anything is queued.
        if ports.store.is_denied(&of_task).await? {
            info!(studio.id = %studio.id, "an artist of studio {} is on the denylist and is left out", studio.id);
            denied.push(job.id);
            continue;
        }
        jobs.push(job.made_in(running.job.generation));
        hashes.push(of_task);
    }
    courier::create(ports, &jobs).await?;
    // Rule 15: a removal that came in between has looked for jobs already, as it has for those of an attempt that died here.
    if ports.store.is_denied(&hashes.concat()).await? {
        for (job, hashes) in jobs.iter().zip(&hashes) {
            if ports.store.is_denied(hashes).await? {
                denied.push(job.id.clone());
            }
        }
    }
    for id in denied {
        if let Some(job) = ports.store.job(&id).await? {
            remove_artist::erase(ports, job).await?;
        }
    }
    // Rule 11: a studio proposes absences only if all its list pages were read and gave at least one artist.
    if facts.list_pages_complete && !tasks.is_empty() {
        propose_absences(ports, running, &studio.id, &tasks).await?;
    }
    info!(studio.id = %studio.id, artists = jobs.len(), "studio {}: {} artists queued", studio.id, jobs.len());
    Ok(Outcome::Done { how: if jobs.is_empty() { Done::Unchanged } else { Done::Written } })
}

/// A site of one person: the site itself is the portfolio.
fn one_artist(studio: &Studio, website: &Url, facts: &SiteFacts) -> ScrapeTask {
    ScrapeTask {
        studio_id: None,
        name: facts.name.clone().unwrap_or_else(|| studio.found.name.clone()),
        instagram: facts.instagram.first().cloned(),
        entry: website.clone(),
        own_site: true,
        listed_on: None,
    }
}

pub(crate) fn members(studio: &Studio, website: &Url, facts: &SiteFacts) -> Vec<ScrapeTask> {
    facts.artists.iter().map(|member| member_task(studio, website, facts, member)).collect()
}

fn member_task(studio: &Studio, website: &Url, facts: &SiteFacts, member: &Member) -> ScrapeTask {
    let listed_on = member.page.clone().unwrap_or_else(|| website.clone());
    // A handle that the shop shows as its own names nobody in it.
    let instagram = member.instagram.clone().filter(|handle| facts.artists.len() == 1 || !facts.instagram.contains(handle));
    let own_site = member.own_site.clone().filter(|url| url.host_str() != website.host_str());
    ScrapeTask {
        studio_id: Some(studio.id.clone()),
        name: member.name.clone(),
        instagram,
        own_site: own_site.is_some(),
        entry: own_site.unwrap_or_else(|| listed_on.clone()),
        listed_on: Some(listed_on),
    }
}

/// Rule 9: a handle on the studio's own pages is shared from the start, unless one person is the studio. Whoever was read before
/// it with that handle as theirs loses it: the order of jobs never changes who is who.
async fn share_studio_handles(ports: &Ports, running: &Running, facts: &SiteFacts) -> Result<(), PortError> {
    if facts.artists.len() <= 1 {
        return Ok(());
    }
    let members: Vec<&String> = facts.artists.iter().filter_map(|member| member.instagram.as_ref()).collect();
    for handle in facts.instagram.iter().filter(|handle| !members.contains(handle)) {
        let Some(key) = IdentityKey::instagram(handle) else { continue };
        let mut state = ports.store.identity(&key).await?;
        // Whoever is faster has claimed or shared it: nobody claims it twice.
        for _ in 0..RACES {
            state = match &state {
                Some(KeyState::Shared) => break,
                None => match ports.store.point_identity(&key, None, &KeyState::Shared).await? {
                    None => break,
                    Some(stands) => stands,
                },
                Some(KeyState::Held(_)) if tell_apart::fixed(ports, &key).await?.is_some() => break,
                Some(KeyState::Held(holder)) => {
                    tell_apart::note_shop(ports, &key, holder).await?;
                    let met = MetBy { session_id: &running.job.new.session_id, job_id: running.job.id(), attempt: &running.attempt };
                    if read_again::share(ports, met, &key, holder).await? {
                        break;
                    }
                    ports.store.identity(&key).await?
                }
            };
        }
    }
    Ok(())
}

/// The denylist's hashes of an artist as a page names them.
pub(crate) fn hashes_of(ports: &Ports, task: &ScrapeTask) -> Vec<String> {
    let mut keys: Vec<IdentityKey> = Vec::new();
    keys.extend(task.instagram.as_deref().and_then(IdentityKey::instagram));
    if task.own_site {
        keys.push(IdentityKey::site(&task.entry));
    }
    keys.extend(task.studio_id.as_ref().and_then(|studio| IdentityKey::member(studio, &task.name)));
    keys.iter().map(|key| ports.deny.of_key(key)).collect()
}

async fn propose_absences(ports: &Ports, running: &Running, studio_id: &StudioId, tasks: &[ScrapeTask]) -> Result<(), PortError> {
    let source = Source::Studio(studio_id.clone());
    for artist_id in ports.store.seen_at(&source).await? {
        if !is_listed(ports, &artist_id, tasks).await? {
            ports.store.propose_absence(&running.job.new.session_id, &artist_id, &source, Absence::NotListed).await?;
        }
    }
    Ok(())
}

async fn is_listed(ports: &Ports, artist_id: &ArtistId, tasks: &[ScrapeTask]) -> Result<bool, PortError> {
    let Some(row) = ports.store.artist(artist_id).await? else { return Ok(true) };
    let Some(record) = &row.record else { return Ok(true) };
    let names = names_of(ports, artist_id, record).await?;
    Ok(tasks.iter().any(|task| is_about(task, record, &names)))
}

/// Whether a studio that names somebody as `task` says means the artist of `record`, who is known by `names`.
pub(crate) fn is_about(task: &ScrapeTask, record: &Artist, names: &[String]) -> bool {
    let handle = record.instagram.as_ref().map(|fact| fact.value.as_str());
    names.iter().any(|name| names_agree(&task.name, name))
        || (handle.is_some() && task.instagram.as_deref() == handle)
        || (task.own_site && Some(canonical_site(&task.entry)) == record.own_site.as_ref().map(canonical_site))
}
