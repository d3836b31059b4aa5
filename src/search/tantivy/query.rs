//! A search as a query of tantivy whose score is exactly the sum of the tiers of `search::plan`.

use crate::domain::place::Coordinates;
use crate::search::plan::{MatchPlan, TokenPlan, WHOLE_NAME, one_typo};
use crate::search::tantivy::schema::{Fields, column};
use crate::search::{Near, SearchQuery};
use std::collections::BTreeSet;
use std::ops::Bound;
use tantivy::query::doc_predicate_query::{DocPredicateQuery, FunctionPredicate};
use tantivy::query::{BooleanQuery, ConstScoreQuery, DisjunctionMaxQuery, Occur, Query, RangeQuery, TermQuery, TermSetQuery};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocId, Searcher, SegmentReader, Term};

/// Sorts after every letter and digit, so after every token that begins as another does.
const AFTER_ALL: char = char::MAX;

/// A filter that a facet leaves out, to be counted under the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Without {
    Nothing,
    Styles,
    Country,
    City,
}

/// The query; its scores fit 32-bit floats exactly.
pub(super) fn build(
    searcher: &Searcher,
    fields: &Fields,
    query: &SearchQuery,
    plan: &MatchPlan,
    without: Without,
) -> tantivy::Result<BooleanQuery> {
    let mut clauses: Vec<(Occur, Box<dyn Query>)> = Vec::new();
    let mut filter = |filter: Box<dyn Query>| clauses.push((Occur::Must, worth(filter, 0)));
    filter(Box::new(TermQuery::new(Term::from_field_bool(fields.deleted, false), IndexRecordOption::Basic)));
    if without != Without::Styles && !query.styles.is_empty() {
        let terms = query.styles.iter().map(|style| Term::from_field_text(fields.style, style));
        filter(Box::new(TermSetQuery::new(terms.collect::<Vec<_>>())));
    }
    if without != Without::Country
        && let Some(country) = &query.country
    {
        filter(term(fields.country, country));
    }
    if without != Without::City
        && let Some(city_key) = &query.city_key
    {
        filter(term(fields.city_key, city_key));
    }
    if let Some(handle) = &query.instagram {
        filter(term(fields.instagram, handle));
    }
    if let Some(near) = query.near {
        filter(within(near));
    }
    for token in &plan.tokens {
        clauses.push((Occur::Must, Box::new(DisjunctionMaxQuery::new(ways(searcher, fields, token)?))));
    }
    if let Some(name) = &plan.whole_name {
        clauses.push((Occur::Should, worth(term(fields.whole_name, name), WHOLE_NAME)));
    }
    Ok(BooleanQuery::new(clauses))
}

/// The ways in which a token matches, each with its worth.
fn ways(searcher: &Searcher, fields: &Fields, plan: &TokenPlan) -> tantivy::Result<Vec<Box<dyn Query>>> {
    let mut ways = vec![worth(term(fields.name, &plan.token), plan.name_exact), worth(term(fields.text, &plan.token), plan.text_exact)];
    if let Some(prefix_worth) = plan.name_prefix {
        let first = Term::from_field_text(fields.name, &plan.token);
        let end = Term::from_field_text(fields.name, &format!("{}{AFTER_ALL}", plan.token));
        ways.push(worth(Box::new(RangeQuery::new(Bound::Included(first), Bound::Excluded(end))), prefix_worth));
    }
    if let Some(typo_worth) = plan.name_typo {
        let terms = names_with_a_typo(searcher, fields.name, &plan.token)?;
        if !terms.is_empty() {
            ways.push(worth(Box::new(TermSetQuery::new(terms)), typo_worth));
        }
    }
    Ok(ways)
}

/// The tokens of names that are `token` but for one typo. Only those with its first letter are read and compared.
fn names_with_a_typo(searcher: &Searcher, field: Field, token: &str) -> tantivy::Result<Vec<Term>> {
    let Some(first) = token.chars().next() else { return Ok(Vec::new()) };
    let mut found = BTreeSet::new();
    for segment in searcher.segment_readers() {
        let inverted = segment.inverted_index(field)?;
        let mut names = inverted.terms().range().ge(first.to_string()).lt(format!("{first}{AFTER_ALL}")).into_stream()?;
        while names.advance() {
            if let Ok(name) = std::str::from_utf8(names.key())
                && one_typo(token, name)
                && !found.contains(name)
            {
                found.insert(name.to_owned());
            }
        }
    }
    Ok(found.iter().map(|name| Term::from_field_text(field, name)).collect())
}

fn term(field: Field, value: &str) -> Box<dyn Query> {
    Box::new(TermQuery::new(Term::from_field_text(field, value), IndexRecordOption::Basic))
}

fn worth(query: Box<dyn Query>, worth: u32) -> Box<dyn Query> {
    Box::new(ConstScoreQuery::new(query, worth as f32))
}

/// Artists within a circle: each candidate's great-circle distance is computed, since tantivy has no geographic index.
fn within(near: Near) -> Box<dyn Query> {
    let predicate = FunctionPredicate::from(move |segment: &SegmentReader| {
        let lat = segment.fast_fields().f64(column::LAT)?;
        let lon = segment.fast_fields().f64(column::LON)?;
        Ok(move |doc: DocId| match (lat.first(doc), lon.first(doc)) {
            (Some(lat), Some(lon)) => near.centre.distance_km(Coordinates { lat, lon }) <= near.radius_km,
            _ => false,
        })
    });
    Box::new(DocPredicateQuery::from(predicate))
}
