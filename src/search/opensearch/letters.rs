//! The index of dead letters on OpenSearch: a small one of its own behind the alias `<prefix>-letters`, on the connection, the
//! bulk requests and the errors of the artists' index.

use crate::domain::clock::Timestamp;
use crate::domain::ids::JobId;
use crate::search::letters::{IndexedLetter, LetterIndex, LetterOperation, LetterPage, LetterQuery};
use crate::search::opensearch::bulk::Action;
use crate::search::opensearch::query::SCAN_MAX;
use crate::search::opensearch::read::{garbled, hits};
use crate::search::opensearch::start::Family;
use crate::search::opensearch::{OpenSearchIndex, PURGE_STEP, Target};
use crate::search::{ItemAnswer, SearchError, SearchIndex};
use async_trait::async_trait;
use serde_json::{Value, json};
use std::sync::Arc;

/// Dead letters on OpenSearch.
#[derive(Debug, Clone)]
pub struct OpenSearchLetters {
    index: OpenSearchIndex,
}

impl OpenSearchLetters {
    /// Opens the index beside that of artists, making template, index and alias if they are not there.
    ///
    /// # Errors
    /// As [`OpenSearchIndex::open`].
    pub async fn open(artists: &OpenSearchIndex) -> Result<Self, SearchError> {
        let letters = Self::beside(artists);
        letters.index.prepare().await?;
        Ok(letters)
    }

    /// The index behind the alias without a look at it: for verbs that read.
    pub fn beside(artists: &OpenSearchIndex) -> Self {
        let alias = artists.shared.settings.letters();
        let target = Target { searched: alias.clone(), written: alias, is_searched: true };
        Self { index: OpenSearchIndex { shared: Arc::clone(&artists.shared), target, family: Family::Letters } }
    }

    async fn entries(&self, asked: &Value) -> Result<Vec<IndexedLetter>, SearchError> {
        let answer = self.index.ask(&self.index.target.searched, "scan", asked).await?;
        let read = |entry: &Value| {
            let fields = &entry["fields"];
            let job_id = JobId::new(entry["_id"].as_str()?);
            Some(IndexedLetter { job_id, version: fields["version"][0].as_i64()?, deleted: fields["deleted"][0].as_bool()? })
        };
        hits(&answer)?.iter().map(|entry| read(entry).ok_or_else(|| garbled("an entry", entry))).collect()
    }
}

/// A step through some of the entries, in the order of ids.
fn in_order_of_ids(query: &Value, after: Option<&JobId>, limit: usize) -> Value {
    let mut step = json!({
        "size": limit.min(SCAN_MAX), "track_total_hits": false, "_source": false,
        "docvalue_fields": ["version", "deleted"], "sort": [{ "job_id": "asc" }], "query": query,
    });
    if let Some(after) = after {
        step["search_after"] = json!([after]);
    }
    step
}

/// A page of letters. One more than the page is asked for, to tell whether there is a next one.
fn page(query: &LetterQuery) -> Value {
    let mut filters = vec![json!({ "term": { "deleted": false } })];
    filters.extend(query.filter.asked().map(|(field, value)| json!({ "term": { field: value } })));
    let mut page = json!({
        "size": query.limit + 1, "track_total_hits": false, "_source": false,
        "sort": [{ "settled_at": "desc" }, { "job_id": "desc" }], "query": { "bool": { "filter": filters } },
    });
    if let Some((at, id)) = &query.after {
        page["search_after"] = json!([at.0, id]);
    }
    page
}

#[async_trait]
impl LetterIndex for OpenSearchLetters {
    async fn apply(&self, operations: Vec<LetterOperation>) -> Result<Vec<(JobId, ItemAnswer)>, SearchError> {
        self.index.apply_now(operations, Action::write_letter).await
    }

    async fn find(&self, query: &LetterQuery) -> Result<LetterPage, SearchError> {
        let query = LetterQuery { limit: query.limit.min(SCAN_MAX - 1), ..query.clone() };
        let answer = self.index.ask(&self.index.target.searched, "search", &page(&query)).await?;
        let read = |hit: &Value| Some((Timestamp(hit["sort"][0].as_i64()?), JobId::new(hit["_id"].as_str()?)));
        let found = hits(&answer)?;
        let letters = found.iter().take(query.limit).map(|hit| read(hit).ok_or_else(|| garbled("a letter", hit)));
        Ok(LetterPage { letters: letters.collect::<Result<_, _>>()?, more: found.len() > query.limit })
    }

    async fn scan(&self, after: Option<&JobId>, limit: usize) -> Result<Vec<IndexedLetter>, SearchError> {
        self.entries(&in_order_of_ids(&json!({ "match_all": {} }), after, limit)).await
    }

    async fn generation(&self) -> Result<String, SearchError> {
        self.index.generation_of(&self.index.target.written).await
    }

    async fn purge_tombstones(&self, before: Timestamp) -> Result<u64, SearchError> {
        let old = json!({ "bool": { "filter": [{ "term": { "deleted": true } }, { "range": { "settled_at": { "lt": before.0 } } }] } });
        let (mut purged, mut after) = (0, None);
        loop {
            let step = self.entries(&in_order_of_ids(&old, after.as_ref(), PURGE_STEP)).await?;
            let Some(last) = step.last() else { return Ok(purged) };
            after = Some(last.job_id.clone());
            let actions = step.iter().map(|entry| Action::drop(entry.job_id.as_str(), entry.version)).collect();
            purged += self.index.write(actions).await?.changed;
        }
    }

    async fn clear(&self) -> Result<(), SearchError> {
        self.index.clear().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::letters::{KEYWORDS, LETTER_FORM};
    use crate::search::opensearch::OpenSearchSettings;
    use url::Url;

    /// Whoever makes another document of the same row has to raise the form in the template too.
    #[test]
    fn the_template_has_the_form_and_the_fields_of_the_code() {
        let settings = OpenSearchSettings::new(Url::parse("http://search.example").unwrap(), "people");
        let template = Family::Letters.template(&settings).expect("the template of this build");
        assert_eq!(template["index_patterns"], json!(["people-letters-v1-*"]));
        let mappings = &template["template"]["mappings"];
        assert_eq!(mappings["_meta"]["document_form"], json!(LETTER_FORM));
        for field in KEYWORDS {
            assert_eq!(mappings["properties"][field], json!({ "type": "keyword" }), "{field}");
        }
        assert_eq!(Family::Letters.index_settings(), Family::Artists.index_settings());
    }
}
