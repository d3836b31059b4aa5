//! The identity table (rule 9): one lightweight transaction a key, between two entries of the list of an artist's keys.

use super::CqlStore;
use super::keys::all;
use super::statement::{Cql, Lwt};
use crate::domain::identity::{IdentityKey, KeyState};
use crate::domain::ids::ArtistId;
use crate::store::{IdentityStore, StoreError, StoreResult};
use async_trait::async_trait;

const STATE: Cql = Cql::serial("SELECT state FROM identity WHERE key = ?");
const CLAIM: Cql = Cql::lwt("INSERT INTO identity (key, state) VALUES (?, ?) IF NOT EXISTS");
const POINT: Cql = Cql::lwt("UPDATE identity SET state = ? WHERE key = ? IF state = ?");
const FORGET: Cql = Cql::lwt("DELETE FROM identity WHERE key = ? IF state = ?");
const LIST: Cql = Cql::serial("SELECT key FROM identity_of_artist WHERE artist_id = ?");
const ENTER: Cql = Cql::lwt("INSERT INTO identity_of_artist (artist_id, key) VALUES (?, ?) IF NOT EXISTS");
const STRIKE: Cql = Cql::lwt("DELETE FROM identity_of_artist WHERE artist_id = ? AND key = ? IF EXISTS");

pub(super) const STATEMENTS: &[Cql] = &[STATE, CLAIM, POINT, FORGET, LIST, ENTER, STRIKE];

fn write(state: &KeyState) -> StoreResult<String> {
    serde_json::to_string(state).map_err(|error| StoreError::Bug(format!("the state of a key cannot be written as JSON: {error}")))
}

fn read(key: &IdentityKey, state: &str) -> StoreResult<KeyState> {
    let corrupt = |error: serde_json::Error| StoreError::Corrupt { what: format!("identity/{}", key.as_str()), why: error.to_string() };
    serde_json::from_str(state).map_err(corrupt)
}

impl CqlStore {
    async fn key_state(&self, key: &IdentityKey) -> StoreResult<Option<KeyState>> {
        let state = self.db.one::<(Option<String>,)>(&STATE, (key.as_str(),)).await?;
        state.and_then(|(state,)| state).map(|state| read(key, &state)).transpose()
    }

    /// Sets a key from `expected` to `new`; answers what stands instead, if something does.
    async fn set_key(&self, key: &IdentityKey, expected: Option<&KeyState>, new: &KeyState) -> StoreResult<Option<Option<KeyState>>> {
        let state = write(new)?;
        let answer = match expected {
            None => self.db.lwt(&CLAIM, (key.as_str(), state)).await?,
            Some(expected) => self.db.lwt(&POINT, (state, key.as_str(), write(expected)?)).await?,
        };
        let (stands, unknown) = match answer {
            Lwt::Applied => return Ok(None),
            Lwt::Met(met) => (met.text("state").map(|state| read(key, state)).transpose()?, None),
            Lwt::Unknown(why) => (self.key_state(key).await?, Some(why)),
        };
        match unknown {
            _ if stands.as_ref() == Some(new) => Ok(None),
            // The serial read has fenced it: it was not applied and never will be.
            Some(why) if stands.as_ref() == expected => Err(StoreError::Unavailable(format!("a key was not pointed: {why}"))),
            _ => Ok(Some(stands)),
        }
    }

    /// Lists a key under an artist, or takes it off the list.
    async fn list(&self, cql: &Cql, id: &ArtistId, key: &IdentityKey) -> StoreResult<()> {
        match self.db.lwt(cql, (id.as_str(), key.as_str())).await? {
            Lwt::Applied | Lwt::Met(_) => Ok(()),
            Lwt::Unknown(why) => Err(StoreError::Unavailable(why)),
        }
    }

    async fn listed(&self, id: &ArtistId) -> StoreResult<Vec<IdentityKey>> {
        let keys = self.db.rows::<(String,)>(&LIST, (id.as_str(),)).await?;
        Ok(keys.into_iter().map(|(key,)| IdentityKey::stored(key)).collect())
    }
}

#[async_trait]
impl IdentityStore for CqlStore {
    async fn identity(&self, key: &IdentityKey) -> StoreResult<Option<KeyState>> {
        self.key_state(key).await
    }

    async fn point_identity(
        &self,
        key: &IdentityKey,
        expected: Option<&KeyState>,
        new: &KeyState,
    ) -> StoreResult<Option<Option<KeyState>>> {
        self.db.step("point_identity begins").await?;
        if let KeyState::Held(id) = new {
            // Before: a key that names an artist is always listed.
            self.list(&ENTER, id, key).await?;
            self.db.step("point_identity: listed, before it is set").await?;
        }
        let stands = self.set_key(key, expected, new).await?;
        if let (None, KeyState::Held(id)) = (&stands, new) {
            self.db.step("point_identity: set").await?;
            // Again: what the artist's keys were may have been forgotten in between.
            self.list(&ENTER, id, key).await?;
        }
        Ok(stands)
    }

    async fn identities_of(&self, id: &ArtistId) -> StoreResult<Vec<IdentityKey>> {
        let listed = self.listed(id).await?;
        let states = all(listed.iter().map(|key| self.key_state(key)).collect()).await?;
        let held = KeyState::Held(id.clone());
        Ok(listed.into_iter().zip(states).filter(|(_, state)| state.as_ref() == Some(&held)).map(|(key, _)| key).collect())
    }

    async fn forget_identities(&self, id: &ArtistId) -> StoreResult<()> {
        let held = write(&KeyState::Held(id.clone()))?;
        for key in self.listed(id).await? {
            self.db.step("forget_identities: before a key").await?;
            if let Lwt::Unknown(why) = self.db.lwt(&FORGET, (key.as_str(), &held)).await? {
                return Err(StoreError::Unavailable(why));
            }
            self.db.step("forget_identities: before its entry").await?;
            self.list(&STRIKE, id, &key).await?;
        }
        Ok(())
    }
}
