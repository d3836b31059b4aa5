//! The object store: page cache, reports, evidence. A thin layer over the `object_store` crate, which speaks both a local
//! folder and S3.

#[cfg(feature = "s3")]
pub mod s3;

use futures_util::StreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use std::sync::Arc;

/// Why an object was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum ObjectsError {
    /// The folder cannot be used.
    #[error("the object folder {folder} cannot be used: {why}; create it or set `objects.folder`")]
    Folder {
        /// Which folder.
        folder: String,
        /// What is wrong.
        why: String,
    },
    /// The bucket cannot be used.
    #[error("the bucket {bucket} cannot be used: {why}")]
    Bucket {
        /// Which bucket.
        bucket: String,
        /// What is wrong, and what to change.
        why: String,
    },
    /// The store failed.
    #[error("the object store failed at {key}: {why}")]
    Failed {
        /// Which object.
        key: String,
        /// What happened.
        why: String,
    },
}

/// Objects by key.
#[derive(Debug, Clone)]
pub struct Objects {
    inner: Arc<dyn ObjectStore>,
}

impl Objects {
    /// Objects in a local folder, which is made if it is absent.
    ///
    /// # Errors
    /// [`ObjectsError::Folder`] if it cannot be made or read.
    pub fn in_folder(folder: &std::path::Path) -> Result<Self, ObjectsError> {
        let refuse = |why: String| ObjectsError::Folder { folder: folder.display().to_string(), why };
        std::fs::create_dir_all(folder).map_err(|error| refuse(error.to_string()))?;
        let local = object_store::local::LocalFileSystem::new_with_prefix(folder).map_err(|error| refuse(error.to_string()))?;
        // A folder that is empty would go on naming whose site it was of.
        Ok(Self { inner: Arc::new(local.with_automatic_cleanup(true)) })
    }

    /// Writes an object, replacing what was there.
    ///
    /// # Errors
    /// [`ObjectsError::Failed`].
    pub async fn put(&self, key: &str, bytes: Vec<u8>) -> Result<(), ObjectsError> {
        let path = Path::from(key);
        self.inner.put(&path, PutPayload::from(bytes)).await.map(|_| ()).map_err(|error| failed(key, &error))
    }

    /// Reads an object; `None` if there is none.
    ///
    /// # Errors
    /// [`ObjectsError::Failed`].
    pub async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, ObjectsError> {
        let path = Path::from(key);
        match self.inner.get(&path).await {
            Ok(found) => Ok(Some(found.bytes().await.map_err(|error| failed(key, &error))?.to_vec())),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed(key, &error)),
        }
    }

    /// Deletes an object; one that is not there is deleted already.
    ///
    /// # Errors
    /// [`ObjectsError::Failed`].
    pub async fn delete(&self, key: &str) -> Result<(), ObjectsError> {
        match self.inner.delete(&Path::from(key)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed(key, &error)),
        }
    }

    /// Deletes every object whose key lies below `prefix`. Answers how many.
    ///
    /// # Errors
    /// [`ObjectsError::Failed`]; what was deleted is deleted, repeat for the rest.
    pub async fn delete_below(&self, prefix: &str) -> Result<u64, ObjectsError> {
        let listed = self.inner.list(Some(&Path::from(prefix))).map(|found| found.map(|object| object.location));
        let mut deleted = self.inner.delete_stream(listed.boxed());
        let mut count = 0;
        while let Some(found) = deleted.next().await {
            match found {
                Ok(_) | Err(object_store::Error::NotFound { .. }) => count += 1,
                Err(error) => return Err(failed(prefix, &error)),
            }
        }
        Ok(count)
    }

    /// The folders right below `prefix`, by name.
    ///
    /// # Errors
    /// [`ObjectsError::Failed`].
    pub async fn folders(&self, prefix: &str) -> Result<Vec<String>, ObjectsError> {
        let listed = self.inner.list_with_delimiter(Some(&Path::from(prefix))).await.map_err(|error| failed(prefix, &error))?;
        Ok(listed.common_prefixes.iter().filter_map(|folder| folder.filename().map(str::to_owned)).collect())
    }

    /// The keys of every object below `prefix`, in order.
    ///
    /// # Errors
    /// [`ObjectsError::Failed`].
    pub async fn keys(&self, prefix: &str) -> Result<Vec<String>, ObjectsError> {
        let mut listed = self.inner.list(Some(&Path::from(prefix)));
        let mut keys = Vec::new();
        while let Some(found) = listed.next().await {
            keys.push(found.map_err(|error| failed(prefix, &error))?.location.to_string());
        }
        keys.sort();
        Ok(keys)
    }

    /// Deletes the folder `name` in every folder right below `prefix`.
    ///
    /// # Errors
    /// [`ObjectsError::Failed`]; repeat.
    pub async fn delete_in_folders_of(&self, prefix: &str, name: &str) -> Result<(), ObjectsError> {
        for folder in self.folders(prefix).await? {
            self.delete_below(&format!("{prefix}/{folder}/{name}")).await?;
        }
        Ok(())
    }

    /// Deletes the folders right below `prefix` that are named by a day before `first`. Answers how many objects they held.
    ///
    /// # Errors
    /// [`ObjectsError::Failed`]; repeat.
    pub async fn delete_days_before(&self, prefix: &str, first: &str) -> Result<u64, ObjectsError> {
        let mut count = 0;
        for folder in self.folders(prefix).await?.iter().filter(|day| day.as_str() < first) {
            count += self.delete_below(&format!("{prefix}/{folder}")).await?;
        }
        Ok(count)
    }
}

fn failed(key: &str, error: &object_store::Error) -> ObjectsError {
    ObjectsError::Failed { key: key.to_owned(), why: error.to_string() }
}
