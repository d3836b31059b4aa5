//! What a view of an index holds under which version: the columns that every index of ours has.

use crate::search::SearchError;
use crate::search::tantivy::errors::unavailable;
use crate::search::tantivy::schema::column;
use tantivy::columnar::Column;
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocSet, Searcher, SegmentReader, TERMINATED, Term};

/// The columns of a segment that every document has.
pub(super) struct VersionColumns {
    pub version: Column<i64>,
    pub deleted: Column<bool>,
}

impl VersionColumns {
    pub fn of(segment: &SegmentReader) -> tantivy::Result<Self> {
        let columns = segment.fast_fields();
        Ok(Self { version: columns.i64(column::VERSION)?, deleted: columns.bool(column::DELETED)? })
    }
}

/// Looks up the versions that a view of the index holds.
pub(super) struct HeldVersions<'a> {
    searcher: &'a Searcher,
    id: Field,
    columns: Vec<VersionColumns>,
}

impl<'a> HeldVersions<'a> {
    /// Of an index whose ids are in the field `id`.
    pub fn of(searcher: &'a Searcher, id: Field) -> Result<Self, SearchError> {
        let columns = searcher.segment_readers().iter().map(VersionColumns::of).collect::<tantivy::Result<_>>();
        Ok(Self { searcher, id, columns: columns.map_err(unavailable("read the versions of the search index"))? })
    }

    /// The version held under an id.
    pub fn version(&self, id: &str) -> Result<Option<i64>, SearchError> {
        self.look_up(id).map_err(unavailable("read the version of an indexed record"))
    }

    fn look_up(&self, id: &str) -> tantivy::Result<Option<i64>> {
        let term = Term::from_field_text(self.id, id);
        for (segment, columns) in self.searcher.segment_readers().iter().zip(&self.columns) {
            let ids = segment.inverted_index(self.id)?;
            if let Some(postings) = ids.read_postings(&term, IndexRecordOption::Basic)?
                && let Some(doc) = alive(segment, postings)
            {
                return Ok(columns.version.first(doc));
            }
        }
        Ok(None)
    }
}

/// An entry of a scan.
pub(super) struct Entry {
    pub id: String,
    pub version: i64,
    pub deleted: bool,
}

/// What a view holds, in the order of ids after `after`, at most `limit`.
pub(super) fn scan(searcher: &Searcher, id: Field, after: Option<&str>, limit: usize) -> tantivy::Result<Vec<Entry>> {
    let mut found = Vec::new();
    for segment in searcher.segment_readers() {
        let columns = VersionColumns::of(segment)?;
        let ids = segment.inverted_index(id)?;
        let range = ids.terms().range();
        let mut terms = match after {
            Some(after) => range.gt(after).into_stream()?,
            None => range.into_stream()?,
        };
        let mut of_segment = 0;
        while of_segment < limit && terms.advance() {
            let postings = ids.read_postings_from_terminfo(terms.value(), IndexRecordOption::Basic)?;
            let Some(doc) = alive(segment, postings) else { continue };
            let id = String::from_utf8_lossy(terms.key()).into_owned();
            let deleted = columns.deleted.first(doc).unwrap_or(false);
            found.push(Entry { id, version: columns.version.first(doc).unwrap_or(0), deleted });
            of_segment += 1;
        }
    }
    found.sort_by(|one, other| one.id.cmp(&other.id));
    found.truncate(limit);
    Ok(found)
}

/// The document that is not replaced; an id has one at most.
fn alive(segment: &SegmentReader, mut postings: impl DocSet) -> Option<u32> {
    let mut doc = postings.doc();
    while doc != TERMINATED {
        if !segment.is_deleted(doc) {
            return Some(doc);
        }
        doc = postings.advance();
    }
    None
}
