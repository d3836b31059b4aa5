//! Opening an index in a folder: as it is, or not at all if it is damaged or of another form.

use crate::search::SearchError;
use crate::search::tantivy::core::{CommitPayload, Core};
use crate::search::tantivy::errors::{is_damage, unavailable};
use crate::search::tantivy::folder::{Folder, PART};
use crate::search::tantivy::schema::{schema, schema_hash};
use crate::search::tantivy::{OpenOutcome, TantivyIndex, TantivySettings};
use serde_json::Value;
use std::fs;
use std::path::Path;
use tantivy::directory::INDEX_WRITER_LOCK;
use tantivy::{Directory, Index, IndexSettings, TantivyError};

/// The length of the checksum's record and a magic number close every file of a segment.
const FOOTER_MIN_BYTES: u64 = 8;

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
    if !is_list_of_segments_whole(&index, folder)? {
        return Ok(OpenOutcome::NeedsRebuild("its list of segments is damaged".to_owned()));
    }
    match damaged_files(&index, folder) {
        Ok(0) => {}
        Ok(count) => return Ok(OpenOutcome::NeedsRebuild(format!("{count} of its files are cut off or do not pass their checksums"))),
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

fn create(directory: Folder, settings: &TantivySettings) -> Result<TantivyIndex, SearchError> {
    let index = Index::create(directory, schema().0, IndexSettings::default()).map_err(unavailable("create the search index"))?;
    Core::start(index, settings).map(TantivyIndex::of)
}

/// The folder as tantivy's directory, made if it is not there.
pub(super) fn directory(folder: &Path) -> Result<Folder, SearchError> {
    fs::create_dir_all(folder)
        .map_err(|error| SearchError::Unavailable(format!("could not make the folder {}: {error}", folder.display())))?;
    Folder::open(folder).map_err(|error| unavailable("open the folder of the search index")(error.into()))
}

fn damaged_or(error: TantivyError, doing: &'static str) -> Result<OpenOutcome, SearchError> {
    if is_damage(&error) { Ok(OpenOutcome::NeedsRebuild(error.to_string())) } else { Err(unavailable(doing)(error)) }
}

/// Whether the list of segments holds what is written there and nothing else.
///
/// The file has no checksum, and tantivy skips keys that it does not know: with one letter changed in `deletes` it would
/// find removed people again.
pub(super) fn is_list_of_segments_whole(index: &Index, folder: &Path) -> Result<bool, SearchError> {
    let list = folder.join("meta.json");
    let text = fs::read(&list).map_err(|error| SearchError::Unavailable(format!("could not read {}: {error}", list.display())))?;
    let known = index.load_metas().map_err(unavailable("read the state of the search index"))?;
    let (Ok(written), Ok(known)) = (serde_json::from_slice::<Value>(&text), serde_json::to_value(known)) else { return Ok(false) };
    Ok(written == known)
}

/// How many files of the index are damaged, by the checksum at the end of each.
pub(super) fn damaged_files(index: &Index, folder: &Path) -> Result<usize, TantivyError> {
    let mut damaged = 0;
    for file in index.load_metas()?.list_segment_files() {
        // Those that a segment has no use for do not exist; a missing one that it needs fails the reader.
        let Ok(known) = fs::metadata(folder.join(&file)) else { continue };
        // tantivy panics on a file too short to hold the length of its checksum.
        if known.len() < FOOTER_MIN_BYTES || !index.directory().validate_checksum(&file)? {
            damaged += 1;
        }
    }
    Ok(damaged)
}

/// Why the index is of another form than this build writes.
fn other_form(index: &Index) -> Result<Option<String>, SearchError> {
    let payload = match index.load_metas() {
        Ok(metas) => metas.payload,
        Err(error) if is_damage(&error) => return Ok(Some(error.to_string())),
        Err(error) => return Err(unavailable("read the state of the search index")(error)),
    };
    let expected = schema_hash(&schema().0).map_err(|error| SearchError::Refused(format!("its schema has no text form: {error}")))?;
    Ok(match payload.as_deref().and_then(CommitPayload::read) {
        None => Some("it was left before its first commit, or what its last commit says is damaged".to_owned()),
        Some(found) if found.schema_hash != expected => Some("it was written by another version, with other fields".to_owned()),
        Some(_) if index.schema() != schema().0 => Some("its list of fields is damaged".to_owned()),
        Some(_) => None,
    })
}

/// Removes what tantivy writes and nothing else: a wrong path in a configuration must not empty a folder.
pub(super) fn drop_files(folder: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let stem = name.split('.').next().unwrap_or_default();
        let is_segment = stem.len() == 32 && stem.bytes().all(|byte| byte.is_ascii_hexdigit());
        let whole = name.strip_suffix(&format!(".{PART}")).unwrap_or(&name);
        if entry.file_type()?.is_file() && (is_segment || whole == "meta.json" || whole == ".managed.json") {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::Timestamp;
    use crate::domain::ids::ArtistId;
    use crate::feed::{Position, Shard};
    use crate::search::{IndexDocument, IndexOperation, IndexedVersion};
    use std::path::PathBuf;
    use tempfile::TempDir;

    fn artist(number: u32) -> IndexOperation {
        let name = format!("Artist {number}");
        let document = IndexDocument {
            name_tokens: crate::domain::text::tokens(&name),
            name,
            studio: None,
            styles: vec!["dotwork".to_owned()],
            country: None,
            city: None,
            city_key: None,
            coordinates: None,
            instagram: None,
            text_tokens: vec!["dotwork".to_owned()],
            completeness: 0.5,
        };
        IndexOperation { artist_id: ArtistId::new(format!("artist-{number}")), version: 1, document: Some(document) }
    }

    fn ready(folder: &Path) -> TantivyIndex {
        match open(folder, &TantivySettings::default()).expect("the folder can be used") {
            OpenOutcome::Ready(index) => index,
            OpenOutcome::NeedsRebuild(reason) => panic!("{reason}"),
        }
    }

    fn state(index: &TantivyIndex) -> (Vec<IndexedVersion>, Option<Position>) {
        (index.core.scan(None, 100).expect("a scan"), index.core.position(Shard(0)))
    }

    /// An index with segments, replaced documents and a position.
    fn written() -> TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        let index = ready(folder.path());
        index.core.apply((0..9).map(artist).collect(), None).expect("a batch");
        let gone = IndexOperation { document: None, version: 2, ..artist(3) };
        index.core.apply(vec![gone], Some((Shard(0), Position("00000042".to_owned())))).expect("a batch");
        folder
    }

    fn files(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
        let mut files: Vec<PathBuf> = entries.filter(|path| path.extension().is_none_or(|end| end != "lock")).collect();
        files.sort();
        files
    }

    /// Whatever byte of whatever file is damaged, opening tells, or the index holds what it held. It never panics.
    #[test]
    fn damage_is_told_or_does_no_harm() {
        let whole = written();
        let expected = state(&ready(whole.path()));
        assert_eq!(expected.1, Some(Position("00000042".to_owned())));
        let (mut told, mut harmless) = (0, 0);
        for victim in files(whole.path()) {
            let bytes = fs::read(&victim).expect("a file");
            let step = (bytes.len() / 12).max(1);
            let flips = (0..bytes.len()).step_by(step).map(|at| {
                let mut bytes = bytes.clone();
                bytes[at] ^= 1 << (at % 7);
                bytes
            });
            let cuts = [0, 1, 4, 5, 7, 8, bytes.len() / 2, bytes.len() - 1].map(|end| bytes[..end.min(bytes.len())].to_vec());
            for damaged in flips.chain(cuts) {
                let folder = tempfile::tempdir().expect("a folder");
                for file in files(whole.path()) {
                    fs::copy(&file, folder.path().join(file.file_name().expect("a name"))).expect("a copy");
                }
                fs::write(folder.path().join(victim.file_name().expect("a name")), &damaged).expect("a write");
                match open(folder.path(), &TantivySettings::default()).expect("a damaged file is not an outage") {
                    OpenOutcome::NeedsRebuild(_) => told += 1,
                    OpenOutcome::Ready(index) => {
                        harmless += 1;
                        assert_eq!(state(&index), expected, "{}", victim.display());
                    }
                }
            }
        }
        assert!(told > harmless, "{told} told, {harmless} harmless");
    }

    /// After a loss of power an older commit may be all that is left, beside files of later ones: it goes on from there.
    #[test]
    fn an_older_commit_among_files_of_later_ones_is_gone_on_from() {
        let folder = written();
        let lists = ["meta.json", ".managed.json"].map(|name| folder.path().join(name));
        let older = lists.clone().map(|list| fs::read(list).expect("a list"));
        let expected = state(&ready(folder.path()));
        let batch = |number: u32| vec![IndexOperation { version: 9, ..artist(number) }];
        let kept = tempfile::tempdir().expect("a folder");
        for file in files(folder.path()) {
            fs::copy(&file, kept.path().join(file.file_name().expect("a name"))).expect("a copy");
        }
        ready(folder.path()).core.apply(batch(5), Some((Shard(0), Position("00000043".to_owned())))).expect("a batch");
        // What the lost commit left: new files everywhere, the old lists, and the old files that it had dropped.
        for file in files(kept.path()) {
            fs::copy(&file, folder.path().join(file.file_name().expect("a name"))).expect("a copy");
        }
        for (list, text) in lists.iter().zip(&older) {
            fs::write(list, text).expect("a write");
        }
        let index = ready(folder.path());
        assert_eq!(state(&index), expected);
        index.core.apply(batch(5), Some((Shard(0), Position("00000043".to_owned())))).expect("the feed is read again");
        drop(index);
        let (versions, position) = state(&ready(folder.path()));
        assert_eq!(position, Some(Position("00000043".to_owned())));
        assert!(versions.contains(&IndexedVersion { artist_id: artist(5).artist_id, version: 9, deleted: false }));
        assert_eq!(versions.len(), 9);
    }

    #[test]
    fn an_index_of_another_form_is_told_and_made_anew() {
        let folder = written();
        let meta = folder.path().join("meta.json");
        let text = fs::read_to_string(&meta).expect("meta.json");
        let hash = schema_hash(&schema().0).expect("a hash");
        assert!(text.contains(&hash));
        let other = "0".repeat(hash.len());
        let mut index: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        index["payload"] = serde_json::to_string(&CommitPayload::new(&other, &Default::default())).expect("JSON").into();
        fs::write(&meta, index.to_string()).expect("a write");
        fs::write(folder.path().join("notes.txt"), "not ours").expect("a write");
        let outcome = open(folder.path(), &TantivySettings::default()).expect("the folder can be used");
        assert!(matches!(outcome, OpenOutcome::NeedsRebuild(reason) if reason.contains("another version")));

        let index = recreate(folder.path(), &TantivySettings::default()).expect("an empty index");
        assert_eq!(state(&index), (Vec::new(), None));
        assert!(folder.path().join("notes.txt").exists(), "files of others stay");
        index.core.apply(vec![artist(1)], None).expect("a batch");
        drop(index);
        assert_eq!(state(&ready(folder.path())).0.len(), 1);
    }

    /// Two processes on one folder would lose each other's commits: the second is told to wait.
    #[test]
    fn a_folder_has_one_writer() {
        let folder = written();
        let first = ready(folder.path());
        assert!(matches!(open(folder.path(), &TantivySettings::default()), Err(SearchError::Unavailable(_))));
        assert!(matches!(recreate(folder.path(), &TantivySettings::default()), Err(SearchError::Unavailable(_))));
        drop(first);
        ready(folder.path());
    }

    /// The bytes of a removed artist are gone from the folder once the tombstones have been looked after.
    #[test]
    fn purging_rewrites_what_was_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let index = ready(folder.path());
        let mut secret = artist(3);
        if let Some(document) = &mut secret.document {
            document.text_tokens.push("unforgettable".to_owned());
        }
        let mut others: Vec<IndexOperation> = (10..20).map(artist).collect();
        others.push(secret);
        index.core.apply(others, None).expect("a batch");
        let holds_secret = || files(folder.path()).iter().any(|file| contains(&fs::read(file).unwrap_or_default(), b"unforgettable"));
        assert!(holds_secret());
        index.core.apply(vec![IndexOperation { document: None, version: 2, ..artist(3) }], None).expect("a batch");
        assert_eq!(index.core.purge_tombstones(Timestamp(1)).expect("a purge"), 0);
        assert!(!holds_secret());
        assert_eq!(state(&index).0.len(), 11);
    }

    fn contains(bytes: &[u8], part: &[u8]) -> bool {
        bytes.windows(part.len()).any(|window| window == part)
    }
}
