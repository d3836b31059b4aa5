//! Collectors: the best hits after a mark in the one order (rank, then id), and counts of a column's values.

use crate::search::PageMark;
use crate::search::tantivy::schema::column;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::ops::Bound;
use tantivy::collector::{Collector, SegmentCollector};
use tantivy::columnar::{Column, StrColumn};
use tantivy::{DocAddress, DocId, Score, SegmentOrdinal, SegmentReader, TantivyError};

/// A hit before its document is read. Ordered best first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RankedHit {
    pub rank: Reverse<i64>,
    pub artist_id: String,
    pub address: DocAddress,
}

/// What [`BestHits`] found.
#[derive(Debug, Default)]
pub(super) struct Best {
    /// Hits of the query in all, before the mark too.
    pub total: u64,
    /// The best of those after the mark, best first.
    pub hits: Vec<RankedHit>,
}

/// Collects the best `keep` hits after `after`, and counts them all.
pub(super) struct BestHits<'a> {
    pub keep: usize,
    pub after: Option<&'a PageMark>,
    /// What a thousandth of completeness is worth.
    pub completeness_factor: u32,
}

/// One segment of [`BestHits`]: ids are compared by their ordinals, which are in the order of the ids.
pub(super) struct SegmentBest {
    segment: SegmentOrdinal,
    ids: StrColumn,
    completeness: Column<u64>,
    completeness_factor: u32,
    keep: usize,
    after: Option<(i64, Bound<u64>)>,
    total: u64,
    /// The worst one kept on top: `(rank reversed, ordinal, doc)`, smaller is better.
    kept: BinaryHeap<(Reverse<i64>, u64, DocId)>,
}

impl Collector for BestHits<'_> {
    type Fruit = Best;
    type Child = SegmentBest;

    fn for_segment(&self, segment: SegmentOrdinal, reader: &SegmentReader) -> tantivy::Result<SegmentBest> {
        let ids = id_column(reader)?;
        let after = match self.after {
            Some(mark) => {
                let id = mark.artist_id.as_str().as_bytes();
                let (bound, _) = ids.dictionary().term_bounds_to_ord(Bound::Excluded(id), Bound::Unbounded)?;
                Some((mark.rank, bound))
            }
            None => None,
        };
        Ok(SegmentBest {
            segment,
            ids,
            completeness: reader.fast_fields().u64(column::COMPLETENESS)?,
            completeness_factor: self.completeness_factor,
            keep: self.keep,
            after,
            total: 0,
            kept: BinaryHeap::new(),
        })
    }

    fn requires_scoring(&self) -> bool {
        true
    }

    fn merge_fruits(&self, segments: Vec<tantivy::Result<Best>>) -> tantivy::Result<Best> {
        let mut best = Best::default();
        for segment in segments {
            let segment = segment?;
            best.total += segment.total;
            best.hits.extend(segment.hits);
        }
        best.hits.sort();
        best.hits.truncate(self.keep);
        Ok(best)
    }
}

impl SegmentBest {
    fn is_after(&self, rank: i64, ordinal: u64) -> bool {
        let Some((mark, bound)) = self.after else { return true };
        rank < mark
            || rank == mark
                && match bound {
                    Bound::Included(first) => ordinal >= first,
                    Bound::Excluded(last) => ordinal > last,
                    Bound::Unbounded => true,
                }
    }
}

impl SegmentCollector for SegmentBest {
    type Fruit = tantivy::Result<Best>;

    fn collect(&mut self, doc: DocId, score: Score) {
        self.total += 1;
        // The score is a whole number below 2^24 (see search::plan), so nothing is lost.
        let permille = i64::try_from(self.completeness.first(doc).unwrap_or(0)).unwrap_or(0);
        let rank = score as i64 + permille * i64::from(self.completeness_factor);
        let ordinal = self.ids.ords().first(doc).unwrap_or(u64::MAX);
        if !self.is_after(rank, ordinal) {
            return;
        }
        let hit = (Reverse(rank), ordinal, doc);
        if self.kept.len() < self.keep {
            self.kept.push(hit);
        } else if let Some(mut worst) = self.kept.peek_mut()
            && hit < *worst
        {
            *worst = hit;
        }
    }

    fn harvest(self) -> tantivy::Result<Best> {
        let mut hits = Vec::with_capacity(self.kept.len());
        for (rank, ordinal, doc) in self.kept {
            let mut artist_id = String::new();
            self.ids.ord_to_str(ordinal, &mut artist_id)?;
            hits.push(RankedHit { rank, artist_id, address: DocAddress::new(self.segment, doc) });
        }
        Ok(Best { total: self.total, hits })
    }
}

/// Counts the hits that have each value of some text columns; a count for each column, in their order.
pub(super) struct ValueCounts {
    pub columns: Vec<&'static str>,
}

/// One segment of [`ValueCounts`].
pub(super) struct SegmentCounts(Vec<ColumnCounts>);

/// A column and a count for each of its ordinals.
struct ColumnCounts {
    values: Option<StrColumn>,
    counts: Vec<u64>,
}

type Counts = Vec<BTreeMap<String, u64>>;

impl Collector for ValueCounts {
    type Fruit = Counts;
    type Child = SegmentCounts;

    fn for_segment(&self, _: SegmentOrdinal, reader: &SegmentReader) -> tantivy::Result<SegmentCounts> {
        let open = |column: &&str| {
            // A segment in which no document has a value has no such column.
            let values = reader.fast_fields().str(column)?;
            let counts = vec![0; values.as_ref().map_or(0, |values| values.num_terms())];
            Ok(ColumnCounts { values, counts })
        };
        self.columns.iter().map(open).collect::<tantivy::Result<_>>().map(SegmentCounts)
    }

    fn requires_scoring(&self) -> bool {
        false
    }

    fn merge_fruits(&self, segments: Vec<tantivy::Result<Counts>>) -> tantivy::Result<Counts> {
        let mut counts: Counts = vec![BTreeMap::new(); self.columns.len()];
        for segment in segments {
            for (column, of_segment) in counts.iter_mut().zip(segment?) {
                for (value, count) in of_segment {
                    *column.entry(value).or_default() += count;
                }
            }
        }
        Ok(counts)
    }
}

impl SegmentCollector for SegmentCounts {
    type Fruit = tantivy::Result<Counts>;

    fn collect(&mut self, doc: DocId, _: Score) {
        for column in &mut self.0 {
            if let Some(values) = &column.values {
                for ordinal in values.term_ords(doc) {
                    if let Some(count) = usize::try_from(ordinal).ok().and_then(|ordinal| column.counts.get_mut(ordinal)) {
                        *count += 1;
                    }
                }
            }
        }
    }

    fn harvest(self) -> tantivy::Result<Counts> {
        self.0.into_iter().map(ColumnCounts::named).collect()
    }
}

impl ColumnCounts {
    fn named(self) -> tantivy::Result<BTreeMap<String, u64>> {
        let mut named = BTreeMap::new();
        if let Some(values) = &self.values {
            for (ordinal, count) in (0..).zip(self.counts).filter(|(_, count)| *count > 0) {
                let mut value = String::new();
                values.ord_to_str(ordinal, &mut value)?;
                named.insert(value, count);
            }
        }
        Ok(named)
    }
}

/// The ids of a segment's documents.
pub(super) fn id_column(reader: &SegmentReader) -> tantivy::Result<StrColumn> {
    reader.fast_fields().str(column::ID)?.ok_or_else(|| TantivyError::InternalError("a segment of the search index has no ids".to_owned()))
}
