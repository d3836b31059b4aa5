//! Searches as JSON whose scores are exactly the sums of the tiers of `search::plan`. Pure.
//!
//! Every score is a whole number below 2^24, which Lucene's 32-bit floats hold exactly. Distances are Lucene's haversine on
//! a sphere of the same radius, on points kept to a centimetre, so they differ from ours by less than a metre.

use crate::domain::ids::ArtistId;
use crate::search::plan::{FACET_VALUES_MAX, MatchPlan, TokenPlan, WHOLE_NAME};
use crate::search::{PageMark, SearchQuery};
use serde_json::{Value, json};

/// Entries of a step of a scan at most: what OpenSearch gives in one page.
pub(super) const SCAN_MAX: usize = 10_000;

/// The facets: the name of the count, which is the field's.
pub(super) const FACETS: [&str; 3] = ["styles", "country", "city_key"];

/// A page of hits. One more than the page is asked for, to tell whether there is a next one.
pub(super) fn page(query: &SearchQuery) -> Value {
    let plan = MatchPlan::of(query);
    let mut filters = filters(query);
    filters.extend(own_filters(query, ""));
    let mut page = json!({
        "size": query.limit + 1,
        "track_total_hits": true,
        "version": true,
        "sort": [{ "_score": "desc" }, { "artist_id": "asc" }],
        "query": { "function_score": {
            "query": matching(&plan, &filters),
            "functions": [{ "field_value_factor": {
                "field": "completeness_permille", "factor": plan.completeness_factor, "missing": 0
            } }],
            "score_mode": "sum",
            "boost_mode": "sum",
        } },
    });
    if let Some(PageMark { rank, artist_id }) = &query.after {
        page["search_after"] = json!([rank, artist_id]);
    }
    page
}

/// Counts, each under the query without its own filter.
pub(super) fn facets(query: &SearchQuery) -> Value {
    let plan = MatchPlan::of(query);
    let mut counts = serde_json::Map::new();
    for facet in FACETS {
        let values = json!({ "terms": {
            "field": facet, "size": FACET_VALUES_MAX, "order": [{ "_count": "desc" }, { "_key": "asc" }]
        } });
        let others = own_filters(query, facet);
        counts.insert(facet.to_owned(), json!({ "filter": { "bool": { "filter": others } }, "aggs": { "values": values } }));
    }
    json!({ "size": 0, "track_total_hits": true, "query": matching(&plan, &filters(query)), "aggs": counts })
}

/// A step of a scan, in the order of ids: an id never moves, so that no point in time has to be kept open between steps.
pub(super) fn scan(after: Option<&ArtistId>, limit: usize) -> Value {
    in_order_of_ids(json!({ "match_all": {} }), after, limit.min(SCAN_MAX))
}

/// A step through the tombstones whose version is below `before`.
pub(super) fn tombstones(before: i64, after: Option<&ArtistId>, limit: usize) -> Value {
    let old = json!({ "bool": { "filter": [{ "term": { "deleted": true } }, { "range": { "version": { "lt": before } } }] } });
    in_order_of_ids(old, after, limit)
}

fn in_order_of_ids(query: Value, after: Option<&ArtistId>, limit: usize) -> Value {
    let mut step = json!({
        "size": limit,
        "track_total_hits": false,
        "_source": false,
        "docvalue_fields": ["artist_id", "version", "deleted"],
        "sort": [{ "artist_id": "asc" }],
        "query": query,
    });
    if let Some(after) = after {
        step["search_after"] = json!([after]);
    }
    step
}

/// What has to match: never empty, since a query that asks nothing would give each document a score.
fn filters(query: &SearchQuery) -> Vec<Value> {
    let mut filters = vec![json!({ "term": { "deleted": false } })];
    if let Some(handle) = &query.instagram {
        filters.push(json!({ "term": { "instagram": handle } }));
    }
    if let Some(near) = &query.near {
        let distance = format!("{}km", near.radius_km);
        filters.push(json!({ "geo_distance": { "distance": distance, "coordinates": near.centre } }));
    }
    filters
}

/// The filters that facets are made of, but for the one of the field `without`.
fn own_filters(query: &SearchQuery, without: &str) -> Vec<Value> {
    let mut filters = Vec::new();
    if !query.styles.is_empty() && without != "styles" {
        filters.push(json!({ "terms": { "styles": query.styles } }));
    }
    for (field, value) in [("country", &query.country), ("city_key", &query.city_key)] {
        if let Some(value) = value
            && without != field
        {
            filters.push(json!({ "term": { field: value } }));
        }
    }
    filters
}

fn matching(plan: &MatchPlan, filters: &[Value]) -> Value {
    let tokens: Vec<Value> = plan.tokens.iter().map(|token| json!({ "dis_max": { "queries": ways(token) } })).collect();
    let whole_name: Vec<Value> = plan.whole_name.iter().map(|name| worth(json!({ "term": { "whole_name": name } }), WHOLE_NAME)).collect();
    json!({ "bool": { "filter": filters, "must": tokens, "should": whole_name } })
}

/// The ways in which a token matches, each with its worth; the best counts.
fn ways(plan: &TokenPlan) -> Vec<Value> {
    let token = &plan.token;
    let mut ways = vec![
        worth(json!({ "term": { "name_tokens": token } }), plan.name_exact),
        worth(json!({ "term": { "text_tokens": token } }), plan.text_exact),
    ];
    if let Some(prefix) = plan.name_prefix {
        ways.push(worth(json!({ "prefix": { "name_tokens": { "value": token } } }), prefix));
    }
    if let Some(typo) = plan.name_typo {
        // The rewrite takes every term there is; the usual one only the first fifty.
        let one_typo = json!({
            "value": token, "fuzziness": 1, "prefix_length": 1, "transpositions": true, "rewrite": "constant_score"
        });
        ways.push(worth(json!({ "fuzzy": { "name_tokens": one_typo } }), typo));
    }
    ways
}

fn worth(query: Value, worth: u32) -> Value {
    json!({ "constant_score": { "filter": query, "boost": worth } })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query() -> SearchQuery {
        SearchQuery {
            tokens: vec!["anna".to_owned(), "li".to_owned()],
            styles: vec!["dotwork".to_owned()],
            country: Some("GB".to_owned()),
            city_key: Some("LONDON".to_owned()),
            limit: 20,
            ..SearchQuery::default()
        }
    }

    #[test]
    fn a_page_has_every_filter_and_every_way() {
        let page = page(&query());
        let asked = &page["query"]["function_score"]["query"]["bool"];
        let filters = asked["filter"].as_array().expect("filters");
        assert_eq!(filters[0], json!({ "term": { "deleted": false } }));
        assert_eq!(filters.len(), 4);
        let worths = |token: usize| -> Vec<u64> {
            let ways = asked["must"][token]["dis_max"]["queries"].as_array().expect("ways");
            ways.iter().filter_map(|way| way["constant_score"]["boost"].as_u64()).collect()
        };
        assert_eq!(worths(0), [4_000_000, 1_000_000, 2_000_000], "exact, text, typo");
        assert_eq!(worths(1), [4_000_000, 1_000_000, 3_000_000], "exact, text, prefix");
        assert_eq!(page["size"], 21);
        assert!(page.get("search_after").is_none());
    }

    #[test]
    fn a_facet_leaves_out_its_own_filter_only() {
        let asked = facets(&query());
        assert_eq!(asked["query"]["bool"]["filter"], json!([{ "term": { "deleted": false } }]));
        let own = |facet: &str| asked["aggs"][facet]["filter"]["bool"]["filter"].to_string();
        assert!(!own("styles").contains("dotwork") && own("styles").contains("GB") && own("styles").contains("LONDON"));
        assert!(!own("country").contains("GB") && own("country").contains("dotwork") && own("country").contains("LONDON"));
        assert!(!own("city_key").contains("LONDON") && own("city_key").contains("GB") && own("city_key").contains("dotwork"));
    }
}
