//! Query strings: what is unknown, repeated or wrong is refused, all of it at once.

use crate::search::SearchQuery;
use crate::search::request::{SearchRequest, StyleNames};
use crate::web::errors::{ParameterProblem, WebError};
use crate::web::state::Web;
use actix_web::HttpRequest;
use std::collections::{BTreeMap, BTreeSet};

/// Longest value of a parameter, in characters.
const VALUE_MAX_CHARS: usize = 1_200;

/// The pairs of a query string, decoded.
pub fn pairs(request: &HttpRequest) -> Vec<(String, String)> {
    url::form_urlencoded::parse(request.query_string().as_bytes()).into_owned().collect()
}

/// What a search asks for, as it came and as it was read.
pub fn search(web: &Web, pairs: &[(String, String)]) -> (SearchRequest, Result<SearchQuery, WebError>) {
    let styles = &web.ports().styles;
    let resolve = |name: &str| styles.resolve(name).map(|style| style.slug.clone());
    let names = StyleNames { resolve: &resolve, known: &web.style_slugs };
    match SearchRequest::from_pairs(pairs.iter().cloned()) {
        Ok(request) => {
            let query = request.read(names, &web.tokens).map_err(WebError::from);
            (request, query)
        }
        // What is in order is read all the same, so that its problems are told together with those of names.
        Err(mut bad) => {
            let blamed: BTreeSet<String> = bad.problems.iter().map(|problem| problem.parameter.clone()).collect();
            let rest = pairs.iter().filter(|(name, _)| !blamed.contains(name)).cloned();
            let request = SearchRequest::from_pairs(rest).unwrap_or_default();
            if let Err(also) = request.read(names, &web.tokens) {
                bad.problems.extend(also.problems);
            }
            (request, Err(bad.into()))
        }
    }
}

/// The parameters of an address that takes a few.
#[derive(Debug)]
pub struct Params {
    values: BTreeMap<&'static str, String>,
    problems: Vec<ParameterProblem>,
}

impl Params {
    /// Reads those of `names`; others and repeated ones are problems.
    pub fn of(request: &HttpRequest, names: &[&'static str]) -> Self {
        let mut params = Self { values: BTreeMap::new(), problems: Vec::new() };
        for (name, value) in pairs(request) {
            let Some(known) = names.iter().copied().find(|known| *known == name) else {
                let hint = match names {
                    [] => "this address takes none".to_owned(),
                    names => format!("there are {}", names.join(", ")),
                };
                params.problem(&name, format!("there is no such parameter; {hint}"));
                continue;
            };
            if value.chars().nth(VALUE_MAX_CHARS).is_some() {
                params.problem(known, format!("it is longer than {VALUE_MAX_CHARS} characters"));
            } else if params.values.insert(known, value).is_some() {
                params.problem(known, "it is given twice; give it once");
            }
        }
        params
    }

    /// Notes a problem.
    pub fn problem(&mut self, parameter: &str, message: impl Into<String>) {
        self.problems.push(ParameterProblem { parameter: parameter.to_owned(), message: message.into() });
    }

    /// A parameter's text; none if it is blank.
    pub fn text(&self, name: &str) -> Option<String> {
        self.values.get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// A number of entries, 1 to `max`.
    pub fn limit(&mut self, default: usize, max: usize) -> usize {
        let Some(text) = self.text("limit") else { return default };
        match text.parse() {
            Ok(limit) if (1..=max).contains(&limit) => limit,
            _ => {
                self.problem("limit", format!("`{text}` is no whole number from 1 to {max}"));
                default
            }
        }
    }

    /// Refuses the request if anything was wrong.
    ///
    /// # Errors
    /// Every problem.
    pub fn finish(self) -> Result<(), WebError> {
        if self.problems.is_empty() { Ok(()) } else { Err(WebError::parameters(self.problems)) }
    }
}
