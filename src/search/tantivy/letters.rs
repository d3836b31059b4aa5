//! The embedded index of dead letters: tantivy in a folder of its own. There are few of them, so that a page is found by looking
//! at every letter that matches, and a batch opens a writer of its own.

use crate::domain::artist::hex;
use crate::domain::clock::Timestamp;
use crate::domain::ids::JobId;
use crate::search::batch::Batch;
use crate::search::letters::{IndexedLetter, KEYWORDS, LETTER_FORM, LetterIndex, LetterMark, LetterOperation, LetterPage, LetterQuery};
use crate::search::tantivy::collect::id_column;
use crate::search::tantivy::errors::{is_damage, unavailable};
use crate::search::tantivy::folder::Folder;
use crate::search::tantivy::held::{self, HeldVersions};
use crate::search::tantivy::open::{damaged_files, directory, drop_files, is_list_of_segments_whole};
use crate::search::tantivy::schema::{column, keyword};
use crate::search::{ItemAnswer, SearchError};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tantivy::collector::DocSetCollector;
use tantivy::indexer::IndexWriterOptions;
use tantivy::query::{BooleanQuery, Query, TermQuery};
use tantivy::schema::{FAST, Field, INDEXED, IndexRecordOption, Schema, SchemaBuilder};
use tantivy::{Index, IndexReader, IndexSettings, IndexWriter, ReloadPolicy, TantivyDocument, TantivyError, Term};
use tracing::warn;

/// The column of [`LetterOperation::settled_at`].
const SETTLED_AT: &str = "settled_at";
/// Memory of a writer, in bytes: as little as tantivy takes.
const WRITER_HEAP_BYTES: usize = 15_000_000;

/// Dead letters in a folder. One process writes to it at a time; others may read.
#[derive(Debug, Clone)]
pub struct TantivyLetters {
    core: Arc<Core>,
}

struct Core {
    index: Index,
    fields: Fields,
    reader: IndexReader,
    /// Held while something is written: what the index is called since it was emptied last.
    generation: Mutex<i64>,
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core").field("letters", &self.reader.searcher().num_docs()).finish_non_exhaustive()
    }
}

/// What a commit carries.
#[derive(Serialize, Deserialize)]
struct Payload {
    form: String,
    generation: i64,
}

struct Fields {
    id: Field,
    version: Field,
    deleted: Field,
    settled_at: Field,
    keywords: [Field; KEYWORDS.len()],
}

fn schema() -> (Schema, Fields) {
    let mut builder = SchemaBuilder::new();
    let fields = Fields {
        id: builder.add_text_field(column::ID, keyword() | FAST),
        version: builder.add_i64_field(column::VERSION, FAST),
        deleted: builder.add_bool_field(column::DELETED, FAST | INDEXED),
        settled_at: builder.add_i64_field(SETTLED_AT, FAST),
        keywords: KEYWORDS.map(|name| builder.add_text_field(name, keyword())),
    };
    (builder.build(), fields)
}

/// A hash of what decides what the index holds of a row.
fn form() -> Result<String, SearchError> {
    let text = serde_json::to_string(&(schema().0, LETTER_FORM));
    let text = text.map_err(|error| SearchError::Refused(format!("the schema of letters has no text form: {error}")))?;
    Ok(hex(&Sha256::digest(text.as_bytes())))
}

/// Why a folder's index is not used.
enum Unusable {
    /// Whatever is done about it is done by making it anew.
    Anew(String),
    /// It may pass.
    Now(SearchError),
}

impl From<TantivyError> for Unusable {
    fn from(error: TantivyError) -> Self {
        if is_damage(&error) { Self::Anew(error.to_string()) } else { Self::Now(unavailable("open the index of dead letters")(error)) }
    }
}

impl From<SearchError> for Unusable {
    fn from(error: SearchError) -> Self {
        Self::Now(error)
    }
}

impl TantivyLetters {
    /// Opens the index in `folder`; an empty one is made at `now` if there is none, or none of this form and undamaged: it has
    /// another generation, so that it is filled.
    ///
    /// # Errors
    /// [`SearchError::Unavailable`] if the folder cannot be used.
    pub fn open(folder: &Path, now: Timestamp) -> Result<Self, SearchError> {
        let directory = directory(folder)?;
        let known = Index::exists(&directory).map_err(|error| unavailable("look for the index of dead letters")(error.into()))?;
        if known {
            match Core::open(directory, folder) {
                Ok(core) => return Ok(Self { core: Arc::new(core) }),
                Err(Unusable::Now(error)) => return Err(error),
                Err(Unusable::Anew(why)) => warn!("the index of dead letters cannot be used and is made anew: {why}"),
            }
            let failed = |error| SearchError::Unavailable(format!("could not drop the old index in {}: {error}", folder.display()));
            drop_files(folder).map_err(failed)?;
        }
        let failed = unavailable("make the index of dead letters");
        let index = Index::create(self::directory(folder)?, schema().0, IndexSettings::default()).map_err(&failed)?;
        let core = Core::of(index, now.0).map_err(failed)?;
        core.commit(core.writer()?, now.0)?;
        Ok(Self { core: Arc::new(core) })
    }

    /// Opens the index in `folder` beside the process that writes to it.
    ///
    /// # Errors
    /// [`SearchError`] if there is none that can be read.
    pub fn open_to_read(folder: &Path) -> Result<Self, SearchError> {
        if !folder.is_dir() {
            return Err(SearchError::Unavailable(format!("there is no index of dead letters in {} yet", folder.display())));
        }
        match Core::open(directory(folder)?, folder) {
            Ok(core) => Ok(Self { core: Arc::new(core) }),
            Err(Unusable::Now(error)) => Err(error),
            Err(Unusable::Anew(why)) => Err(SearchError::Unavailable(format!("the index of dead letters cannot be used: {why}"))),
        }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Core) -> Result<T, SearchError> + Send + 'static,
    ) -> Result<T, SearchError> {
        let core = Arc::clone(&self.core);
        match tokio::task::spawn_blocking(move || work(&core)).await {
            Ok(result) => result,
            Err(error) => Err(SearchError::Unavailable(format!("a call of the index of dead letters did not end: {error}"))),
        }
    }
}

impl Core {
    fn open(directory: Folder, folder: &Path) -> Result<Self, Unusable> {
        let index = Index::open(directory)?;
        let payload = index.load_metas()?.payload.unwrap_or_default();
        let expected = form()?;
        let written = serde_json::from_str::<Payload>(&payload).ok().filter(|written| written.form == expected);
        let Some(Payload { generation, .. }) = written else {
            return Err(Unusable::Anew("it was written by another version, or before its first commit".to_owned()));
        };
        if index.schema() != schema().0 || !is_list_of_segments_whole(&index, folder)? || damaged_files(&index, folder)? > 0 {
            return Err(Unusable::Anew("its files are damaged".to_owned()));
        }
        Ok(Self::of(index, generation)?)
    }

    fn of(index: Index, generation: i64) -> tantivy::Result<Self> {
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        Ok(Self { index, fields: schema().1, reader, generation: Mutex::new(generation) })
    }

    fn writer(&self) -> Result<IndexWriter, SearchError> {
        let options =
            IndexWriterOptions::builder().memory_budget_per_thread(WRITER_HEAP_BYTES).num_worker_threads(1).num_merge_threads(1).build();
        self.index.writer_with_options(options).map_err(unavailable("open the writer of dead letters"))
    }

    /// Commits what was written under a generation, ends the writer and makes it all searchable.
    fn commit(&self, mut writer: IndexWriter, generation: i64) -> Result<(), SearchError> {
        let payload = serde_json::to_string(&Payload { form: form()?, generation });
        let payload = payload.map_err(|error| SearchError::Refused(format!("a commit of letters has no JSON form: {error}")))?;
        let failed = unavailable("commit dead letters");
        let mut prepared = writer.prepare_commit().map_err(&failed)?;
        prepared.set_payload(&payload);
        prepared.commit().map_err(&failed)?;
        self.end(writer)
    }

    fn end(&self, writer: IndexWriter) -> Result<(), SearchError> {
        writer.wait_merging_threads().map_err(unavailable("merge dead letters"))?;
        self.reader.reload().map_err(unavailable("reload dead letters"))
    }

    fn written(&self, operation: &LetterOperation) -> TantivyDocument {
        let mut written = TantivyDocument::new();
        written.add_text(self.fields.id, operation.job_id.as_str());
        written.add_i64(self.fields.version, operation.version);
        written.add_bool(self.fields.deleted, operation.document.is_none());
        written.add_i64(self.fields.settled_at, operation.settled_at.0);
        if let Some(document) = &operation.document {
            for (field, value) in self.fields.keywords.into_iter().zip(document.keywords()) {
                if let Some(value) = value {
                    written.add_text(field, value);
                }
            }
        }
        written
    }

    fn apply(&self, operations: Vec<LetterOperation>) -> Result<Vec<(JobId, ItemAnswer)>, SearchError> {
        let generation = self.generation.lock().unwrap_or_else(PoisonError::into_inner);
        let batch = Batch::of(operations);
        // A commit whose answer was an error may have been made all the same.
        self.reader.reload().map_err(unavailable("reload dead letters"))?;
        let searcher = self.reader.searcher();
        let held = HeldVersions::of(&searcher, self.fields.id)?;
        let mut answers = HashMap::new();
        let mut taken = Vec::new();
        for operation in batch.to_write() {
            let id = operation.job_id.as_str();
            let answer = match (operation.problem(), held.version(id)?) {
                (Some(problem), _) => ItemAnswer::Failed(problem),
                (None, Some(held)) if held > operation.version => ItemAnswer::Stale { held },
                (None, _) => {
                    taken.push(operation);
                    ItemAnswer::Applied
                }
            };
            answers.insert(id.to_owned(), answer);
        }
        if !taken.is_empty() {
            let writer = self.writer()?;
            for operation in taken {
                writer.delete_term(Term::from_field_text(self.fields.id, operation.job_id.as_str()));
                writer.add_document(self.written(operation)).map_err(unavailable("write dead letters"))?;
            }
            self.commit(writer, *generation)?;
        }
        Ok(batch.answers(&answers))
    }

    /// The letters of a state that hold every term, in no order.
    fn matching(&self, deleted: bool, terms: Vec<Term>) -> tantivy::Result<Vec<LetterMark>> {
        let searcher = self.reader.searcher();
        let state = Term::from_field_bool(self.fields.deleted, deleted);
        let terms = terms.into_iter().chain([state]);
        let clauses = terms.map(|term| Box::new(TermQuery::new(term, IndexRecordOption::Basic)) as Box<dyn Query>).collect();
        let mut found = Vec::new();
        for address in searcher.search(&BooleanQuery::intersection(clauses), &DocSetCollector)? {
            let segment = searcher.segment_reader(address.segment_ord);
            let ids = id_column(segment)?;
            let mut id = String::new();
            if let Some(ordinal) = ids.ords().first(address.doc_id) {
                ids.ord_to_str(ordinal, &mut id)?;
            }
            let settled_at = segment.fast_fields().i64(SETTLED_AT)?.first(address.doc_id).unwrap_or_default();
            found.push((Timestamp(settled_at), JobId::new(id)));
        }
        Ok(found)
    }

    fn find(&self, query: &LetterQuery) -> tantivy::Result<LetterPage> {
        let field = |name| KEYWORDS.into_iter().zip(self.fields.keywords).find(|(known, _)| *known == name);
        let asked = query.filter.asked().filter_map(|(name, value)| Some(Term::from_field_text(field(name)?.1, value)));
        let mut letters = self.matching(false, asked.collect())?;
        letters.retain(|letter| query.after.as_ref().is_none_or(|after| letter < after));
        letters.sort_unstable_by(|one, other| other.cmp(one));
        let more = letters.len() > query.limit;
        letters.truncate(query.limit);
        Ok(LetterPage { letters, more })
    }

    /// Also rewrites the segments that hold replaced letters, so that the host of a removed artist's page is gone with it.
    fn purge(&self, before: Timestamp) -> Result<u64, SearchError> {
        let generation = self.generation.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = unavailable("purge dead letters");
        let old: Vec<JobId> =
            self.matching(true, Vec::new()).map_err(&failed)?.into_iter().filter(|(at, _)| *at < before).map(|(_, id)| id).collect();
        if !old.is_empty() {
            let writer = self.writer()?;
            for id in &old {
                writer.delete_term(Term::from_field_text(self.fields.id, id.as_str()));
            }
            self.commit(writer, *generation)?;
        }
        let metas = self.index.searchable_segment_metas().map_err(&failed)?;
        let replaced: Vec<_> = metas.iter().filter(|meta| meta.has_deletes()).map(|meta| meta.id()).collect();
        drop(metas);
        if !replaced.is_empty() {
            let mut writer = self.writer()?;
            writer.merge(&replaced).wait().map_err(&failed)?;
            self.reader.reload().map_err(&failed)?;
            writer.garbage_collect_files().wait().map_err(&failed)?;
            self.end(writer)?;
        }
        Ok(old.len() as u64)
    }

    fn clear(&self) -> Result<(), SearchError> {
        let mut generation = self.generation.lock().unwrap_or_else(PoisonError::into_inner);
        let writer = self.writer()?;
        writer.delete_all_documents().map_err(unavailable("empty the index of dead letters"))?;
        self.commit(writer, *generation + 1)?;
        *generation += 1;
        Ok(())
    }
}

#[async_trait]
impl LetterIndex for TantivyLetters {
    async fn apply(&self, operations: Vec<LetterOperation>) -> Result<Vec<(JobId, ItemAnswer)>, SearchError> {
        self.blocking(|core| core.apply(operations)).await
    }

    async fn find(&self, query: &LetterQuery) -> Result<LetterPage, SearchError> {
        let query = query.clone();
        self.blocking(move |core| core.find(&query).map_err(unavailable("search dead letters"))).await
    }

    async fn scan(&self, after: Option<&JobId>, limit: usize) -> Result<Vec<IndexedLetter>, SearchError> {
        let after = after.cloned();
        let scan = move |core: &Core| {
            let entries = held::scan(&core.reader.searcher(), core.fields.id, after.as_ref().map(JobId::as_str), limit);
            let entries = entries.map_err(unavailable("scan dead letters"))?.into_iter();
            let read = |entry: held::Entry| IndexedLetter { job_id: JobId::new(entry.id), version: entry.version, deleted: entry.deleted };
            Ok(entries.map(read).collect())
        };
        self.blocking(scan).await
    }

    async fn generation(&self) -> Result<String, SearchError> {
        self.blocking(|core| Ok(core.generation.lock().unwrap_or_else(PoisonError::into_inner).to_string())).await
    }

    async fn purge_tombstones(&self, before: Timestamp) -> Result<u64, SearchError> {
        self.blocking(move |core| core.purge(before)).await
    }

    async fn clear(&self) -> Result<(), SearchError> {
        self.blocking(Core::clear).await
    }
}
