//! Reading: pages of hits, counts, scans.

use crate::domain::ids::ArtistId;
use crate::search::opensearch::OpenSearchIndex;
use crate::search::opensearch::client::{Request, Verb};
use crate::search::opensearch::query;
use crate::search::{FacetCount, Facets, Hit, IndexDocument, IndexedVersion, PageMark, SearchError, SearchPage, SearchQuery};
use serde_json::Value;

impl OpenSearchIndex {
    pub(super) async fn page(&self, query: &SearchQuery) -> Result<SearchPage, SearchError> {
        let answer = self.ask(&self.target.searched, "search", &query::page(query)).await?;
        let found = hits(&answer)?;
        let more = found.len() > query.limit;
        let hits = found.iter().take(query.limit).map(hit).collect::<Result<Vec<_>, _>>()?;
        let next = hits.last().filter(|_| more).map(|last| PageMark { rank: last.rank, artist_id: last.artist_id.clone() });
        let total = answer["hits"]["total"]["value"].as_u64().ok_or_else(|| garbled("a total", &answer))?;
        Ok(SearchPage { hits, total, next })
    }

    pub(super) async fn counts(&self, query: &SearchQuery) -> Result<Facets, SearchError> {
        let answer = self.ask(&self.target.searched, "count", &query::facets(query)).await?;
        let count = |facet: &str| -> Result<Vec<FacetCount>, SearchError> {
            let buckets = answer["aggregations"][facet]["values"]["buckets"].as_array().ok_or_else(|| garbled("counts", &answer))?;
            let read =
                |bucket: &Value| Some(FacetCount { value: bucket["key"].as_str()?.to_owned(), count: bucket["doc_count"].as_u64()? });
            buckets.iter().map(|bucket| read(bucket).ok_or_else(|| garbled("a count", bucket))).collect()
        };
        let [styles, countries, cities] = query::FACETS;
        Ok(Facets { styles: count(styles)?, countries: count(countries)?, cities: count(cities)? })
    }

    pub(super) async fn entries(&self, asked: &Value) -> Result<Vec<IndexedVersion>, SearchError> {
        let answer = self.ask(&self.target.written, "scan", asked).await?;
        hits(&answer)?.iter().map(|entry| indexed(entry).ok_or_else(|| garbled("an entry", entry))).collect()
    }

    pub(super) async fn ask(&self, name: &str, doing: &str, body: &Value) -> Result<Value, SearchError> {
        let request = Request {
            verb: Verb::Post,
            path: format!("/{name}/_search"),
            // Half of an answer would be taken for the whole.
            parameters: &[("allow_partial_search_results", "false")],
            body: Some(body.to_string()),
            within: self.shared.settings.search_within,
        };
        self.expect_ok(doing, request).await.map(|answer| answer.body)
    }
}

pub(super) fn hits(answer: &Value) -> Result<&Vec<Value>, SearchError> {
    answer["hits"]["hits"].as_array().ok_or_else(|| garbled("hits", answer))
}

fn hit(hit: &Value) -> Result<Hit, SearchError> {
    let read = || {
        let artist_id = ArtistId::new(hit["_id"].as_str()?);
        // A whole number, see `search::plan`, that comes as a float.
        Some((artist_id, hit["_version"].as_i64()?, hit["sort"][0].as_f64()? as i64))
    };
    let (artist_id, version, rank) = read().ok_or_else(|| garbled("a hit", hit))?;
    let document: IndexDocument = serde_json::from_value(hit["_source"].clone())
        .map_err(|error| SearchError::Refused(format!("the document of {artist_id} cannot be read: {error}; run `inkdex reindex`")))?;
    Ok(Hit { artist_id, version, rank, document })
}

fn indexed(entry: &Value) -> Option<IndexedVersion> {
    let fields = &entry["fields"];
    Some(IndexedVersion {
        artist_id: ArtistId::new(fields["artist_id"][0].as_str()?),
        version: fields["version"][0].as_i64()?,
        deleted: fields["deleted"][0].as_bool()?,
    })
}

pub(super) fn garbled(what: &str, answer: &Value) -> SearchError {
    let told: String = answer.to_string().chars().take(300).collect();
    SearchError::Unavailable(format!("OpenSearch answered without {what} where one was asked for: {told}"))
}
