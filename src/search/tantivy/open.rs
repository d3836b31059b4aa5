//! Opening an index in a folder: as it is, or not at all if it is damaged or of another form.

use crate::search::SearchError;
use crate::search::tantivy::core::{CommitPayload, Core};
use crate::search::tantivy::errors::{is_damage, unavailable};
use crate::search::tantivy::schema::{schema, schema_hash};
use crate::search::tantivy::{OpenOutcome, TantivyIndex, TantivySettings};
use std::fs;
use std::path::Path;
use tantivy::directory::{INDEX_WRITER_LOCK, MmapDirectory};
use tantivy::{Directory, Index, IndexSettings, TantivyError};

/// See [`TantivyIndex::open`].
pub(super) fn open(folder: &Path, settings: &TantivySettings) -> Result<OpenOutcome, SearchError> {
    let directory = directory(folder)?;
    let known = Index::exists(&directory).map_err(|error| unavailable("look for a search index")(error.into()))?;
    if !known {
        return create(directory, settings).map(OpenOutcome::Ready);
    }
    let index = match Index::open(directory) {
        Ok(index) => index,
        Err(error) => return damaged_or(error, "open the search index"),
    };
    if let Some(reason) = other_form(&index)? {
        return Ok(OpenOutcome::NeedsRebuild(reason));
    }
    match index.validate_checksum() {
        Ok(damaged) if damaged.is_empty() => {}
        Ok(damaged) => return Ok(OpenOutcome::NeedsRebuild(format!("{} of its files do not pass their checksums", damaged.len()))),
        Err(error) => return damaged_or(error, "check the search index"),
    }
    // Opening a reader is the last thing that damaged files can fail; the writer's lock and the like may pass.
    if let Err(error) = index.reader() {
        return damaged_or(error, "open the reader of the search index");
    }
    Core::start(index, settings).map(|core| OpenOutcome::Ready(TantivyIndex::of(core)))
}

/// See [`TantivyIndex::recreate`].
pub(super) fn recreate(folder: &Path, settings: &TantivySettings) -> Result<TantivyIndex, SearchError> {
    let directory = directory(folder)?;
    let lock = directory
        .acquire_lock(&INDEX_WRITER_LOCK)
        .map_err(|error| unavailable("lock the search index")(TantivyError::LockFailure(error, None)))?;
    drop_files(folder)
        .map_err(|error| SearchError::Unavailable(format!("could not drop the old search index in {}: {error}", folder.display())))?;
    drop(lock);
    create(self::directory(folder)?, settings)
}

fn create(directory: MmapDirectory, settings: &TantivySettings) -> Result<TantivyIndex, SearchError> {
    let index = Index::create(directory, schema().0, IndexSettings::default()).map_err(unavailable("create the search index"))?;
    Core::start(index, settings).map(TantivyIndex::of)
}

fn directory(folder: &Path) -> Result<MmapDirectory, SearchError> {
    fs::create_dir_all(folder)
        .map_err(|error| SearchError::Unavailable(format!("could not make the folder {}: {error}", folder.display())))?;
    MmapDirectory::open(folder).map_err(|error| unavailable("open the folder of the search index")(error.into()))
}

fn damaged_or(error: TantivyError, doing: &'static str) -> Result<OpenOutcome, SearchError> {
    if is_damage(&error) { Ok(OpenOutcome::NeedsRebuild(error.to_string())) } else { Err(unavailable(doing)(error)) }
}

/// Why the index is of another form than this build writes.
fn other_form(index: &Index) -> Result<Option<String>, SearchError> {
    let payload = match index.load_metas() {
        Ok(metas) => metas.payload,
        Err(error) if is_damage(&error) => return Ok(Some(error.to_string())),
        Err(error) => return Err(unavailable("read the state of the search index")(error)),
    };
    let expected = schema_hash(&schema().0).map_err(|error| SearchError::Refused(format!("its schema has no text form: {error}")))?;
    let found: Option<CommitPayload> = payload.and_then(|payload| serde_json::from_str(&payload).ok());
    Ok(match found {
        None => Some("it was left before its first commit, or by another program".to_owned()),
        Some(found) if found.schema_hash != expected => Some("it was written by another version, with other fields".to_owned()),
        Some(_) => None,
    })
}

/// Removes what tantivy writes and nothing else: a wrong path in a configuration must not empty a folder.
fn drop_files(folder: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let stem = name.split('.').next().unwrap_or_default();
        let is_segment = stem.len() == 32 && stem.bytes().all(|byte| byte.is_ascii_hexdigit());
        if entry.file_type()?.is_file() && (is_segment || name == "meta.json" || name == ".managed.json") {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
