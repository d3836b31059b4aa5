//! The synchronous core of the tantivy index: one writer behind a lock, and a reader that is reloaded after each commit.
//!
//! tantivy's own writer runs one indexing and one merging thread. Every commit carries the feed positions and the schema
//! hash in its payload, since a commit without a payload would erase them.

use crate::domain::artist::hex;
use crate::domain::clock::Timestamp;
use crate::domain::ids::ArtistId;
use crate::feed::{Position, Shard};
use crate::search::batch::Batch;
use crate::search::tantivy::TantivySettings;
use crate::search::tantivy::errors::unavailable;
use crate::search::tantivy::held::{self, HeldVersions, VersionColumns};
use crate::search::tantivy::schema::{Fields, schema, schema_hash};
use crate::search::{IndexOperation, IndexedVersion, ItemAnswer, SearchError};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError, RwLock};
use tantivy::collector::DocSetCollector;
use tantivy::indexer::{IndexWriterOptions, LogMergePolicy};
use tantivy::query::TermQuery;
use tantivy::schema::IndexRecordOption;
use tantivy::{Index, IndexReader, IndexWriter, ReloadPolicy, Searcher, Term};

/// Segments with fewer documents than this are merged among themselves, so that a commit of a few artists stays cheap.
const SMALL_SEGMENT_DOCS: u32 = 1_000;
/// A segment with a larger share of replaced documents is rewritten.
const REPLACED_SHARE_MAX: f32 = 0.4;

type Positions = BTreeMap<Shard, Position>;

/// What a commit carries, with a sum of its own: tantivy keeps no checksum of the file that holds it, and a position that
/// changed by itself would skip artists for good.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct CommitPayload {
    pub schema_hash: String,
    pub positions: Positions,
    sum: String,
}

impl CommitPayload {
    pub fn new(schema_hash: &str, positions: &Positions) -> Self {
        Self { schema_hash: schema_hash.to_owned(), positions: positions.clone(), sum: payload_sum(schema_hash, positions) }
    }

    /// Reads a payload; `None` if it is not one that was written so.
    pub fn read(text: &str) -> Option<Self> {
        let payload: Self = serde_json::from_str(text).ok()?;
        (payload.sum == payload_sum(&payload.schema_hash, &payload.positions)).then_some(payload)
    }
}

fn payload_sum(schema_hash: &str, positions: &Positions) -> String {
    let mut hasher = Sha256::new();
    let shards = positions.iter().flat_map(|(shard, position)| [shard.0.to_string(), position.0.clone()]);
    for part in std::iter::once(schema_hash.to_owned()).chain(shards) {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hex(&hasher.finalize())
}

/// The index itself.
pub(super) struct Core {
    index: Index,
    pub(super) fields: Fields,
    schema_hash: String,
    reader: IndexReader,
    options: IndexWriterOptions,
    /// Taken out while it is used: an error or a panic drops it with whatever it had not committed.
    writer: Mutex<Option<IndexWriter>>,
    /// Those of the last commit; beside the writer, so that reading one never waits for a commit.
    positions: RwLock<Positions>,
}

impl Core {
    /// Takes an index whose schema is [`schema`] into use; a new one is committed once to carry its payload.
    pub fn start(index: Index, settings: &TantivySettings) -> Result<Self, SearchError> {
        let (schema, fields) = schema();
        let schema_hash = schema_hash(&schema).map_err(|error| SearchError::Refused(format!("its schema has no text form: {error}")))?;
        let options = IndexWriterOptions::builder()
            .memory_budget_per_thread(settings.writer_heap_bytes)
            .num_worker_threads(1)
            .num_merge_threads(1)
            .build();
        let reader = index
            .reader_builder()
            .reload_policy(ReloadPolicy::Manual)
            .try_into()
            .map_err(unavailable("open the reader of the search index"))?;
        let core = Self { index, fields, schema_hash, reader, options, writer: Mutex::new(None), positions: RwLock::new(Positions::new()) };
        core.with_writer(|core, writer| match core.committed_payload()? {
            Some(_) => Ok(()),
            None => core.commit(writer, Positions::new()),
        })?;
        Ok(core)
    }

    /// A view of what is committed.
    pub fn searcher(&self) -> Searcher {
        self.reader.searcher()
    }

    /// The position committed last.
    pub fn position(&self, shard: Shard) -> Option<Position> {
        self.positions.read().unwrap_or_else(PoisonError::into_inner).get(&shard).cloned()
    }

    /// See `SearchIndex::apply`.
    pub fn apply(
        &self,
        operations: Vec<IndexOperation>,
        position: Option<(Shard, Position)>,
    ) -> Result<Vec<(ArtistId, ItemAnswer)>, SearchError> {
        let batch = Batch::of(operations);
        self.with_writer(|core, writer| {
            let searcher = core.searcher();
            let held = HeldVersions::of(&searcher, core.fields.id)?;
            let mut written = HashMap::new();
            for operation in batch.to_write() {
                let answer = core.write(writer, &held, operation)?;
                written.insert(operation.artist_id.to_string(), answer);
            }
            let failed = written.values().any(|answer| matches!(answer, ItemAnswer::Failed(_)));
            let mut positions = core.positions();
            let advanced = position.filter(|_| !failed).map(|(shard, position)| positions.insert(shard, position)).is_some();
            if advanced || written.values().any(|answer| *answer == ItemAnswer::Applied) {
                core.commit(writer, positions)?;
            }
            Ok(batch.answers(&written))
        })
    }

    fn write(&self, writer: &IndexWriter, held: &HeldVersions, operation: &IndexOperation) -> Result<ItemAnswer, SearchError> {
        if let Some(problem) = operation.problem() {
            return Ok(ItemAnswer::Failed(problem));
        }
        let held = held.version(operation.artist_id.as_str())?;
        if let Some(held) = held.filter(|held| *held > operation.version) {
            return Ok(ItemAnswer::Stale { held });
        }
        let document = match self.fields.written(operation) {
            Ok(document) => document,
            Err(error) => return Ok(ItemAnswer::Failed(format!("its document has no JSON form: {error}"))),
        };
        writer.delete_term(self.id_term(&operation.artist_id));
        writer.add_document(document).map_err(unavailable("write to the search index"))?;
        Ok(ItemAnswer::Applied)
    }

    /// See `SearchIndex::scan`.
    pub fn scan(&self, after: Option<&ArtistId>, limit: usize) -> tantivy::Result<Vec<IndexedVersion>> {
        let entries = held::scan(&self.searcher(), self.fields.id, after.map(ArtistId::as_str), limit)?;
        let versions = entries.into_iter().map(|entry| IndexedVersion {
            artist_id: ArtistId::new(entry.id),
            version: entry.version,
            deleted: entry.deleted,
        });
        Ok(versions.collect())
    }

    /// See `SearchIndex::purge_tombstones`. Also rewrites the segments that hold replaced documents, so that the bytes of
    /// removed people are gone with it.
    pub fn purge_tombstones(&self, before: Timestamp) -> Result<u64, SearchError> {
        let old = self.tombstones(before).map_err(unavailable("look for old tombstones in the search index"))?;
        self.with_writer(|core, writer| {
            // Looked for before the lock was taken: one that was overwritten since is kept by its version.
            let searcher = core.searcher();
            let held = HeldVersions::of(&searcher, core.fields.id)?;
            let mut purged = 0;
            for (artist_id, version) in &old {
                if held.version(artist_id.as_str())? == Some(*version) {
                    writer.delete_term(core.id_term(artist_id));
                    purged += 1;
                }
            }
            if purged > 0 {
                core.commit(writer, core.positions())?;
            }
            Ok(purged)
        })
        .and_then(|purged| self.rewrite_replaced().map(|()| purged))
    }

    fn tombstones(&self, before: Timestamp) -> tantivy::Result<Vec<(ArtistId, i64)>> {
        let searcher = self.searcher();
        let deleted = TermQuery::new(Term::from_field_bool(self.fields.deleted, true), IndexRecordOption::Basic);
        let mut old = Vec::new();
        for address in searcher.search(&deleted, &DocSetCollector)? {
            let segment = searcher.segment_reader(address.segment_ord);
            let version = VersionColumns::of(segment)?.version.first(address.doc_id).unwrap_or(0);
            if version < before.0 {
                let ids = super::collect::id_column(segment)?;
                let mut artist_id = String::new();
                if let Some(ordinal) = ids.ords().first(address.doc_id) {
                    ids.ord_to_str(ordinal, &mut artist_id)?;
                }
                old.push((ArtistId::new(artist_id), version));
            }
        }
        Ok(old)
    }

    /// Merges the segments that hold replaced documents. Writes go on meanwhile.
    fn rewrite_replaced(&self) -> Result<(), SearchError> {
        // Only the ids: whoever holds the description of a segment keeps its files.
        let replaced: Vec<_> = match self.index.searchable_segment_metas() {
            Ok(metas) => metas.iter().filter(|meta| meta.has_deletes()).map(|meta| meta.id()).collect(),
            Err(error) => return Err(unavailable("list the segments of the search index")(error)),
        };
        if replaced.is_empty() {
            return Ok(());
        }
        let merging = self.with_writer(|_, writer| Ok(writer.merge(&replaced)))?;
        if let Err(error) = merging.wait() {
            // A merge of the policy got there first and drops the same documents.
            tracing::info!("the search index is being merged already, its rewrite is left to that: {error}");
        }
        self.with_writer(|core, writer| {
            core.reader.reload().map_err(unavailable("reload the search index"))?;
            writer.garbage_collect_files().wait().map_err(unavailable("drop old files of the search index"))?;
            Ok(())
        })
    }

    /// See `SearchIndex::clear`.
    pub fn clear(&self) -> Result<(), SearchError> {
        self.with_writer(|core, writer| {
            writer.delete_all_documents().map_err(unavailable("empty the search index"))?;
            core.commit(writer, Positions::new())
        })
    }

    fn id_term(&self, artist_id: &ArtistId) -> Term {
        Term::from_field_text(self.fields.id, artist_id.as_str())
    }

    fn positions(&self) -> Positions {
        self.positions.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn committed_payload(&self) -> Result<Option<CommitPayload>, SearchError> {
        let metas = self.index.load_metas().map_err(unavailable("read the state of the search index"))?;
        match metas.payload.as_deref().map(CommitPayload::read) {
            None => Ok(None),
            Some(Some(payload)) => Ok(Some(payload)),
            Some(None) => Err(SearchError::Unavailable("the search index holds a damaged feed position; rebuild it".to_owned())),
        }
    }

    /// Commits what was written, makes it searchable and remembers the positions.
    fn commit(&self, writer: &mut IndexWriter, positions: Positions) -> Result<(), SearchError> {
        let payload = serde_json::to_string(&CommitPayload::new(&self.schema_hash, &positions))
            .map_err(|error| SearchError::Refused(format!("a feed position has no JSON form: {error}")))?;
        let mut prepared = writer.prepare_commit().map_err(unavailable("commit to the search index"))?;
        prepared.set_payload(&payload);
        prepared.commit().map_err(unavailable("commit to the search index"))?;
        // Whoever sees the position must find what it stands for: the reader comes first.
        self.reader.reload().map_err(unavailable("reload the search index"))?;
        *self.positions.write().unwrap_or_else(PoisonError::into_inner) = positions;
        Ok(())
    }

    /// Runs `work` with the one writer. After an error the next call gets a new one that knows only what was committed.
    fn with_writer<T>(&self, work: impl FnOnce(&Self, &mut IndexWriter) -> Result<T, SearchError>) -> Result<T, SearchError> {
        let mut slot = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut writer = match slot.take() {
            Some(writer) => writer,
            None => self.new_writer()?,
        };
        let result = work(self, &mut writer)?;
        *slot = Some(writer);
        Ok(result)
    }

    fn new_writer(&self) -> Result<IndexWriter, SearchError> {
        let writer: IndexWriter =
            self.index.writer_with_options(self.options.clone()).map_err(unavailable("open the writer of the search index"))?;
        let mut policy = LogMergePolicy::default();
        policy.set_min_layer_size(SMALL_SEGMENT_DOCS);
        policy.set_del_docs_ratio_before_merge(REPLACED_SHARE_MAX);
        writer.set_merge_policy(Box::new(policy));
        // A commit whose answer was an error may have been made all the same.
        if let Some(payload) = self.committed_payload()? {
            *self.positions.write().unwrap_or_else(PoisonError::into_inner) = payload.positions;
        }
        self.reader.reload().map_err(unavailable("reload the search index"))?;
        Ok(writer)
    }
}
