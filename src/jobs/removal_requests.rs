//! Requests of people to be removed or corrected, from the form to the end: received, proven, approved, driven to where they are
//! done. A request that was approved is driven again by whoever finds it, until it is.

use crate::domain::clock::Timestamp;
use crate::domain::correction::{field_named, read_value};
use crate::domain::facts::{Confirmer, Evidence};
use crate::domain::identity::KeyState;
use crate::domain::ids::ArtistId;
use crate::domain::place::Basis;
use crate::domain::removal_request::{
    About, ApprovedBy, AskedCorrection, KEPT_FOR, NewRequest, NotNow, ReceiptToken, RemovalRequest, RequestId, RequestState, Wish,
};
use crate::jobs::audit::audit;
use crate::jobs::correct_artist::{self, CorrectError, Saying, correct, style_slug};
use crate::jobs::prove_request::{self, Look, meant};
use crate::jobs::remove_artist::{self, remove_whoever};
use crate::jobs::{PortError, Ports};
use crate::store::{StoreError, StoreResult};
use tracing::{info, warn};
use url::Url;
use uuid::Uuid;

/// How often a lost race for a row is tried again.
const RACES: usize = 8;

/// Open requests looked at in one round; more than that are many days of work for a person.
pub const OPEN_MAX: usize = 1_000;

/// Below which keys ended requests are noted, with when that was.
const ENDED: &str = "request-ended/";
/// Ended requests looked at in one round.
const ENDED_MAX: usize = 10_000;

/// Why a request did not go on.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// There is none.
    #[error("there is no such request")]
    Unknown,
    /// Not from where it stands.
    #[error(transparent)]
    NotNow(#[from] NotNow),
    /// It would take out everybody who shows the handle.
    #[error(
        "several artists' pages show this handle or site as theirs; name the person by the page here, and remove them by `inkdex remove`"
    )]
    Shared,
    /// Nobody has the id.
    #[error("there is no artist {0} in the directory; refuse the request, and say so")]
    NoArtist(ArtistId),
    /// What should be said cannot be.
    #[error(transparent)]
    Correction(#[from] CorrectError),
    /// A part of ours failed; repeat.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl From<StoreError> for RequestError {
    fn from(error: StoreError) -> Self {
        Self::Port(error.into())
    }
}

/// What a request wants a field to say, if the field can say it.
///
/// # Errors
/// [`CorrectError::Bad`].
pub fn asked_correction(ports: &Ports, field: &str, value: &str) -> Result<AskedCorrection, CorrectError> {
    let field = field_named(field)?;
    let evidence = Evidence {
        page: Url::parse("https://request.invalid/").expect("a constant that parses"),
        extractor: Confirmer::Artist.as_str().to_owned(),
        confidence: 1.0,
        observed_at: Timestamp(0),
        basis: Basis::Confirmed,
    };
    read_value(field, value, &evidence, &|name| style_slug(&ports.styles, name))?;
    Ok(AskedCorrection { field, value: value.trim().to_owned() })
}

/// Takes a request in. Whom it names is not looked up: whoever asks learns nothing about anybody.
///
/// # Errors
/// The store failed.
pub async fn receive(ports: &Ports, new: NewRequest) -> Result<(ReceiptToken, RemovalRequest), RequestError> {
    let receipt = ReceiptToken::of_random(Uuid::new_v4().as_u128());
    let request = RemovalRequest::received(&receipt, new, ports.clock.now());
    ports.store.create_request(&request).await?;
    audit(ports, "visitor", "request.received", &request.id, None, request.wish.as_str()).await?;
    info!("request {} was received", request.id);
    Ok((receipt, request))
}

/// The request of a receipt.
///
/// # Errors
/// [`RequestError::Unknown`], also for what is no receipt.
pub async fn of_receipt(ports: &Ports, receipt: &str) -> Result<RemovalRequest, RequestError> {
    let receipt = ReceiptToken::parse(receipt).ok_or(RequestError::Unknown)?;
    find(ports, &RequestId::of(&receipt)).await
}

/// A request by its id, as operators name it.
///
/// # Errors
/// [`RequestError::Unknown`].
pub async fn find(ports: &Ports, id: &RequestId) -> Result<RemovalRequest, RequestError> {
    ports.store.request(id).await?.ok_or(RequestError::Unknown)
}

/// Changes a request's row by a step, as often as somebody else is faster. Answers the row before and after.
async fn step(
    ports: &Ports,
    id: &RequestId,
    step: impl Fn(&RemovalRequest) -> Result<RemovalRequest, NotNow>,
) -> Result<RemovalRequest, RequestError> {
    for _ in 0..RACES {
        let before = find(ports, id).await?;
        let next = step(&before)?;
        if next.state.is_ended() {
            // First: what is not noted is never dropped.
            ports.store.put_meta(&format!("{ENDED}{id}"), None, &next.changed_at.0.to_string()).await?;
        }
        if ports.store.put_request(before.rev, &next).await? {
            return Ok(next);
        }
    }
    Err(StoreError::Unavailable(format!("request {id} is contended")).into())
}

/// Looks for the proof now. What is proven is approved and done at once: whoever has the site needs no operator's word.
///
/// # Errors
/// [`RequestError`]: too soon, too often, or ended.
pub async fn check(ports: &Ports, id: &RequestId) -> Result<(Look, RemovalRequest), RequestError> {
    let request = step(ports, id, |request| request.checked(ports.clock.now())).await?;
    let look = prove_request::look(ports, &request).await?;
    if look != Look::Found {
        return Ok((look, request));
    }
    let proven = step(ports, id, |request| request.proven(ports.clock.now())).await?;
    audit(ports, "visitor", "request.proven", id, None, "the token stands on the artist's own site").await?;
    let settled = go_on(ports, proven).await;
    // Whatever failed now is driven again: the proof stands.
    let request = match settled {
        Ok(request) => request,
        Err(error) => {
            warn!("request {id} is proven and goes on later: {error}");
            find(ports, id).await?
        }
    };
    Ok((look, request))
}

/// An operator says yes, and it is done; should a part of ours be out, it is done later without anybody's help.
///
/// # Errors
/// [`RequestError`].
pub async fn approve(ports: &Ports, id: &RequestId, actor: &str, reason: Option<&str>) -> Result<RemovalRequest, RequestError> {
    let approved = approve_as(ports, id, ApprovedBy::Operator, actor, reason).await?;
    match drive(ports, &approved).await {
        Ok(done) => Ok(done),
        Err(RequestError::Port(error)) => {
            warn!("request {id} is approved and is driven to its end later: {error}");
            Ok(approved)
        }
        Err(error) => Err(error),
    }
}

async fn approve_as(
    ports: &Ports,
    id: &RequestId,
    by: ApprovedBy,
    actor: &str,
    reason: Option<&str>,
) -> Result<RemovalRequest, RequestError> {
    let request = find(ports, id).await?;
    if matches!(request.state, RequestState::Approved) {
        return Ok(request);
    }
    let artist = whom(ports, &request).await?;
    let approved = step(ports, id, |request| request.approved(artist.clone(), by, ports.clock.now())).await?;
    audit(ports, actor, "request.approved", id, reason, &format!("{} of {artist}", approved.wish.as_str())).await?;
    Ok(approved)
}

/// Whom an approval is for. Somebody who is not in the directory has an id all the same: the one they would have been given.
async fn whom(ports: &Ports, request: &RemovalRequest) -> Result<ArtistId, RequestError> {
    let Some(about) = &request.about else {
        return Err(NotNow::State { state: request.state, step: "approved" }.into());
    };
    if let About::Artist(id) = about {
        let is_known = ports.store.artist(id).await?.is_some();
        return if is_known { Ok(id.clone()) } else { Err(RequestError::NoArtist(id.clone())) };
    }
    let Some(key) = about.key() else { return Err(RequestError::Unknown) };
    match ports.store.identity(&key).await? {
        Some(KeyState::Held(id)) => Ok(id),
        Some(KeyState::Shared) => Err(RequestError::Shared),
        None => Ok(ArtistId::proposed(key.as_str())),
    }
}

/// An operator says no.
///
/// # Errors
/// [`RequestError`].
pub async fn refuse(ports: &Ports, id: &RequestId, actor: &str, answer: Option<&str>) -> Result<RemovalRequest, RequestError> {
    let refused = step(ports, id, |request| request.refused(answer.map(str::to_owned), ports.clock.now())).await?;
    // The answer is for whoever asked, and may name them: the trail does not repeat it.
    audit(ports, actor, "request.refused", id, None, "refused").await?;
    Ok(refused)
}

/// Takes a request the next step that needs nobody's word.
async fn go_on(ports: &Ports, request: RemovalRequest) -> Result<RemovalRequest, RequestError> {
    match request.state {
        RequestState::Received if ports.clock.now() >= request.expires_at() => expire(ports, &request).await,
        RequestState::Proven => match approve_as(ports, &request.id, ApprovedBy::Proof, "proof", None).await {
            Ok(approved) => drive(ports, &approved).await,
            // Several people show the handle, and no operator said whom it means.
            Err(RequestError::Shared) if ports.clock.now() >= request.expires_at() => expire(ports, &request).await,
            Err(error) => Err(error),
        },
        RequestState::Approved => drive(ports, &request).await,
        RequestState::Received | RequestState::Done | RequestState::Refused | RequestState::Expired => Ok(request),
    }
}

async fn expire(ports: &Ports, request: &RemovalRequest) -> Result<RemovalRequest, RequestError> {
    let expired = step(ports, &request.id, |request| request.expired(ports.clock.now())).await?;
    audit(ports, "schedule", "request.expired", &request.id, None, "nobody proved or decided it in time").await?;
    Ok(expired)
}

/// Does what was approved, and says so. Every part may be repeated.
async fn drive(ports: &Ports, request: &RemovalRequest) -> Result<RemovalRequest, RequestError> {
    let (Some(id), Some(about)) = (&request.artist_id, &request.about) else {
        return Err(NotNow::State { state: request.state, step: "driven" }.into());
    };
    let actor = if request.approved_by == Some(ApprovedBy::Proof) { "proof" } else { "operator" };
    match (request.wish, &request.correction) {
        (Wish::Removal, _) => take_out(ports, id, about, actor).await?,
        (Wish::Correction, Some(AskedCorrection { field, value })) => {
            let by = if request.approved_by == Some(ApprovedBy::Proof) { Confirmer::Artist } else { Confirmer::Operator };
            let said = correct(ports, id, by, *field, &Saying::Value(value.clone()), (actor, None)).await;
            if let Some(answer) = final_answer(said)? {
                return give_up(ports, request, actor, answer).await;
            }
        }
        (Wish::Correction, None) => {}
    }
    let done = step(ports, &request.id, |request| request.done(ports.clock.now())).await?;
    audit(ports, actor, "request.done", &request.id, None, done.wish.as_str()).await?;
    info!("request {} is done", request.id);
    Ok(done)
}

/// Why a correction will never be made; `None` if it was.
///
/// # Errors
/// A part of ours failed, and it may be made later.
fn final_answer(said: Result<(), CorrectError>) -> Result<Option<String>, RequestError> {
    match said {
        Ok(()) => Ok(None),
        Err(CorrectError::Port(error)) => Err(error.into()),
        // Whose a handle is, or that somebody is not here, is an operator's to know.
        Err(CorrectError::Unknown(_)) => Ok(Some("nobody in the directory is meant by this".to_owned())),
        Err(CorrectError::Taken { field, .. }) => Ok(Some(correct_artist::CorrectError::Shared(field).to_string())),
        Err(error) => Ok(Some(error.to_string())),
    }
}

/// What was approved cannot be done: its end says why.
async fn give_up(ports: &Ports, request: &RemovalRequest, actor: &str, answer: String) -> Result<RemovalRequest, RequestError> {
    let done = |request: &RemovalRequest| {
        let done = request.done(ports.clock.now())?;
        Ok(RemovalRequest { answer: Some(format!("It could not be done: {answer}")), ..done })
    };
    let ended = step(ports, &request.id, done).await?;
    audit(ports, actor, "request.done", &request.id, None, "the correction could not be made").await?;
    Ok(ended)
}

/// Takes a person out, known or not: what named them is denied first, then everything about whoever it means goes.
async fn take_out(ports: &Ports, id: &ArtistId, about: &About, actor: &str) -> Result<(), PortError> {
    let mut hashes = vec![ports.deny.of_artist(id)];
    hashes.extend(about.key().map(|key| ports.deny.of_key(&key)));
    ports.store.deny(&hashes, ports.clock.now()).await?;
    if let Some(key) = about.key() {
        // The ledger's jobs are found through the identity table, so somebody without a row gets their key now and loses it below.
        let met = ports.store.point_identity(&key, None, &KeyState::Held(id.clone())).await?;
        if let Some(Some(KeyState::Held(other))) = met
            && other != *id
        {
            // Whoever came to have the key since the approval is the same person.
            remove_whoever(ports, &other, actor, None).await?;
        }
    }
    remove_whoever(ports, id, actor, None).await?;
    if let About::Site(site) = about {
        remove_artist::forget_sites(ports, [site]).await?;
        remove_artist::forget_robots(ports, site).await?;
    }
    Ok(())
}

/// Drives what was approved, approves what was proven, and ends what nobody proved in time. Answers how many moved.
///
/// # Errors
/// The store failed.
pub async fn drive_open(ports: &Ports) -> Result<usize, PortError> {
    let mut moved = 0;
    for request in ports.store.open_requests(OPEN_MAX).await? {
        let (id, before) = (request.id.clone(), request.state);
        match go_on(ports, request).await {
            Ok(after) => moved += usize::from(after.state != before),
            // What one request fails on holds no other one up.
            Err(error) => warn!("request {id} is driven again later: {error}"),
        }
    }
    Ok(moved)
}

/// Drops requests that ended long ago, with what was answered. Answers how many.
///
/// # Errors
/// The store failed; the next round goes on.
pub(crate) async fn drop_ended(ports: &Ports) -> StoreResult<u64> {
    let since = ports.clock.now().minus(KEPT_FOR);
    let mut dropped = 0;
    for (key, at) in ports.store.metas(ENDED, ENDED_MAX).await? {
        if at.parse().is_ok_and(|at| Timestamp(at) > since) {
            continue;
        }
        let id = RequestId::new(key.trim_start_matches(ENDED));
        match ports.store.request(&id).await {
            // Whoever noted its end died before it stood.
            Ok(Some(request)) if !request.state.is_ended() || request.changed_at > since => continue,
            Ok(_) => {}
            Err(StoreError::Corrupt { .. }) => continue,
            Err(error) => return Err(error),
        }
        ports.store.drop_request(&id).await?;
        ports.store.drop_meta(&key).await?;
        dropped += 1;
    }
    Ok(dropped)
}

/// Whom a request means, for an operator who decides: an id, if the directory has them.
///
/// # Errors
/// The store failed.
pub async fn known_as(ports: &Ports, request: &RemovalRequest) -> StoreResult<Option<ArtistId>> {
    match (&request.artist_id, &request.about) {
        (Some(id), _) => Ok(Some(id.clone())),
        (None, Some(about)) => Ok(meant(ports, about).await?),
        (None, None) => Ok(None),
    }
}
