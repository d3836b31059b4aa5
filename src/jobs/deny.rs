//! The denylist's keyed hashes (rule 15): HMAC-SHA256 over identity keys, so that the list names nobody.

use crate::domain::artist::{Artist, hex};
use crate::domain::identity::IdentityKey;
use crate::domain::ids::{ArtistId, StudioId};
use crate::jobs::named_sites;
use crate::scrape::visit::UrlDenial;
use crate::store::{Store, StoreResult};
use async_trait::async_trait;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::path::Path;
use std::sync::Arc;
use url::Url;

/// Meta key under which the check value of the hash key is stored.
pub const CHECK_KEY: &str = "denylist.key_check";

/// Makes the hashes.
pub struct DenyHasher {
    key: Vec<u8>,
}

impl std::fmt::Debug for DenyHasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DenyHasher")
    }
}

/// Why the hash key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or made.
    #[error("the denylist key file {file} cannot be used: {why}")]
    File {
        /// Which file.
        file: String,
        /// What is wrong.
        why: String,
    },
    /// The store was used with a key, and the file is not there.
    #[error(
        "the denylist key file {file} is missing; this store was used with a key, and without it removed people could not be \
         recognised: put the file back from a backup"
    )]
    Lost {
        /// Which file.
        file: String,
    },
    /// The store was used with another key.
    #[error(
        "the denylist key in {file} is not the one this store was used with, so removed people could not be recognised; \
         put the old key file back"
    )]
    Changed {
        /// Which file.
        file: String,
    },
    /// The check value could not be read or written.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
}

impl DenyHasher {
    /// A hasher with a key of at least 16 bytes.
    pub fn new(key: Vec<u8>) -> Self {
        Self { key }
    }

    /// Reads the key file, making it (mode 0600) if neither it nor a check value in the store exists yet.
    ///
    /// # Errors
    /// [`KeyError`]: a lost or changed key refuses the start.
    pub async fn open(file: &Path, store: &dyn Store) -> Result<Self, KeyError> {
        let name = file.display().to_string();
        let refuse = |why: String| KeyError::File { file: name.clone(), why };
        let stored = store.meta(CHECK_KEY).await?;
        let key = match std::fs::read(file) {
            Ok(key) if key.len() >= 16 => key,
            Ok(key) => return Err(refuse(format!("it holds {} bytes, at least 16 are needed", key.len()))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && stored.is_none() => {
                let key: Vec<u8> = [uuid::Uuid::new_v4(), uuid::Uuid::new_v4()].iter().flat_map(|id| *id.as_bytes()).collect();
                write_private(file, &key).map_err(|error| refuse(error.to_string()))?;
                key
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(KeyError::Lost { file: name }),
            Err(error) => return Err(refuse(error.to_string())),
        };
        let hasher = Self::new(key);
        let check = hasher.hash("check value of the denylist key");
        match stored {
            Some(stored) if stored == check => Ok(hasher),
            Some(_) => Err(KeyError::Changed { file: name }),
            None => match store.put_meta(CHECK_KEY, None, &check).await? {
                None => Ok(hasher),
                Some(Some(stored)) if stored == check => Ok(hasher),
                Some(_) => Err(KeyError::Changed { file: name }),
            },
        }
    }

    fn hash(&self, text: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes keys of any length");
        mac.update(text.as_bytes());
        hex(&mac.finalize().into_bytes())
    }

    /// A key for another purpose, the same wherever this key is.
    pub fn derived(&self, purpose: &str) -> String {
        self.hash(&format!("derived key for {purpose}"))
    }

    /// The hash of an identity key.
    pub fn of_key(&self, key: &IdentityKey) -> String {
        self.hash(key.as_str())
    }

    /// The hash of an artist's id.
    pub fn of_artist(&self, id: &ArtistId) -> String {
        self.hash(&format!("artist:{id}"))
    }

    /// The hash of a site.
    pub fn of_site(&self, url: &Url) -> String {
        self.of_key(&IdentityKey::site(url))
    }

    /// The hash of a site whose pages name somebody who was removed.
    pub fn of_named_site(&self, site: &str) -> String {
        self.hash(&format!("names-removed:{site}"))
    }

    /// Every hash under which a record would be listed, and the one of its id.
    pub fn of_record(&self, id: &ArtistId, artist: &Artist) -> Vec<String> {
        let mut hashes = vec![self.of_artist(id)];
        hashes.extend(identity_keys(artist).iter().map(|key| self.of_key(key)));
        hashes
    }
}

/// Every identity key of a record.
pub fn identity_keys(artist: &Artist) -> Vec<IdentityKey> {
    let mut keys = Vec::new();
    keys.extend(artist.instagram.as_ref().and_then(|handle| IdentityKey::instagram(&handle.value)));
    keys.extend(artist.own_site.as_ref().map(IdentityKey::site));
    keys.extend(artist.studio_ids.iter().filter_map(|studio: &StudioId| IdentityKey::member(studio, &artist.name.value)));
    keys
}

#[cfg(unix)]
fn write_private(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut open = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    open.write_all(bytes)?;
    open.sync_all()
}

#[cfg(not(unix))]
fn write_private(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    std::fs::write(file, bytes)
}

/// Refuses URLs that are a denied person's own site, and says which sites name somebody who was removed.
#[derive(Debug)]
pub struct SiteDenial {
    store: Arc<dyn Store>,
    hasher: Arc<DenyHasher>,
}

impl SiteDenial {
    /// Over a store and its hasher.
    pub fn new(store: Arc<dyn Store>, hasher: Arc<DenyHasher>) -> Self {
        Self { store, hasher }
    }
}

#[async_trait]
impl UrlDenial for SiteDenial {
    async fn is_denied(&self, url: &Url) -> StoreResult<bool> {
        let mut root = url.clone();
        root.set_path("/");
        root.set_query(None);
        self.store.is_denied(&[self.hasher.of_site(url), self.hasher.of_site(&root)]).await
    }

    async fn names_removed(&self, site: &str) -> StoreResult<bool> {
        Ok(self.store.meta(&named_sites::key(&self.hasher, site)).await?.is_some())
    }
}
