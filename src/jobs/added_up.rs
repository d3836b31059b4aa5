//! What the evidence of an artist adds up to, and by which names they are known.

use crate::domain::artist::{Artist, Incomplete};
use crate::domain::facts::EvidenceRow;
use crate::domain::fields::Field;
use crate::domain::identity::{IdentityKey, KeyState};
use crate::domain::ids::ArtistId;
use crate::domain::text::names_agree;
use crate::jobs::Ports;
use crate::jobs::write_artist::{WriteError, invalid};
use crate::store::StoreResult;
use std::collections::BTreeSet;

/// The record that the newest evidence adds up to, without handles that are shared.
pub(crate) async fn resolved(ports: &Ports, id: &ArtistId, held: &BTreeSet<IdentityKey>) -> Result<Artist, WriteError> {
    added_up(ports, id, ports.store.evidence_of(id).await?, held).await
}

pub(crate) async fn added_up(
    ports: &Ports,
    id: &ArtistId,
    mut rows: Vec<EvidenceRow>,
    held: &BTreeSet<IdentityKey>,
) -> Result<Artist, WriteError> {
    for row in &mut rows {
        let key = row.facts.instagram.as_ref().and_then(|handle| IdentityKey::instagram(&handle.value));
        if let Some(key) = key
            && !held.contains(&key)
            && ports.store.identity(&key).await? != Some(KeyState::Held(id.clone()))
        {
            row.facts.instagram = None;
        }
    }
    Artist::resolve(&rows).map_err(|missing| {
        let code = match missing {
            Incomplete::Name => "no_name",
            Incomplete::Page => "no_page",
        };
        invalid(code, missing.to_string())
    })
}

/// The names that mean an artist: the one in the record and, where somebody confirmed or corrected that, those that are printed.
///
/// # Errors
/// The store failed.
pub(crate) async fn names_of(ports: &Ports, id: &ArtistId, record: &Artist) -> StoreResult<Vec<String>> {
    let mut names = vec![record.name.value.clone()];
    if record.confirmed.contains_key(&Field::Name) {
        let evidence = ports.store.evidence_of(id).await?;
        names.extend(evidence.into_iter().filter_map(|row| row.facts.name).map(|name| name.value));
    }
    Ok(names)
}

/// Of the names that mean an artist one that agrees with `name`, else the one in the record.
///
/// # Errors
/// The store failed.
pub(crate) async fn name_like(ports: &Ports, id: &ArtistId, record: &Artist, name: &str) -> StoreResult<String> {
    let names = names_of(ports, id, record).await?;
    let agreeing = names.into_iter().find(|known| names_agree(known, name));
    Ok(agreeing.unwrap_or_else(|| record.name.value.clone()))
}
