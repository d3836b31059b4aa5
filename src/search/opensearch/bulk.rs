//! Bulk requests as text, and what a bulk reply says about each record, matched by id. Pure.

use crate::domain::ids::ArtistId;
use crate::search::letters::LetterOperation;
use crate::search::opensearch::errors::is_busy;
use crate::search::plan::completeness_permille;
use crate::search::{IndexDocument, IndexOperation};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::HashMap;

/// One record's part of a bulk request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Action {
    pub id: String,
    /// Its lines, each with its end.
    pub lines: String,
}

/// A document as it is indexed: the [`IndexDocument`] and what is only looked for.
#[derive(Serialize)]
struct Written<'a> {
    artist_id: &'a ArtistId,
    version: i64,
    deleted: bool,
    #[serde(flatten)]
    document: Option<&'a IndexDocument>,
    #[serde(skip_serializing_if = "Option::is_none")]
    whole_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completeness_permille: Option<u64>,
}

impl Action {
    /// Writes a document or a tombstone unless the index holds a higher version. A tombstone has no personal data.
    pub fn write(operation: &IndexOperation) -> Result<Self, serde_json::Error> {
        let document = operation.document.as_ref();
        let written = Written {
            artist_id: &operation.artist_id,
            version: operation.version,
            deleted: document.is_none(),
            document,
            whole_name: document.map(|document| document.name_tokens.join(" ")),
            completeness_permille: document.map(|document| completeness_permille(document.completeness)),
        };
        Self::index(operation.artist_id.as_str(), operation.version, &written)
    }

    /// As [`Action::write`], for a dead letter.
    pub fn write_letter(operation: &LetterOperation) -> Result<Self, serde_json::Error> {
        Self::index(operation.job_id.as_str(), operation.version, &operation.written())
    }

    fn index(id: &str, version: i64, written: &impl Serialize) -> Result<Self, serde_json::Error> {
        let head = head("index", id, version);
        Ok(Self { id: id.to_owned(), lines: format!("{head}\n{}\n", serde_json::to_string(written)?) })
    }

    /// Drops an entry if the index still holds this version of it.
    pub fn drop(id: &str, version: i64) -> Self {
        let head = head("delete", id, version);
        Self { id: id.to_owned(), lines: format!("{head}\n") }
    }
}

fn head(verb: &str, id: &str, version: i64) -> Value {
    json!({ verb: { "_id": id, "version": version, "version_type": "external_gte" } })
}

/// The body of a request.
pub(super) fn body(actions: &[Action]) -> String {
    actions.iter().map(|action| action.lines.as_str()).collect()
}

/// What became of one action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// It stands; whether anything was changed by it.
    Done { changed: bool },
    /// The index holds a higher version.
    Conflict,
    /// Not taken now; the same may be taken later.
    Busy(String),
    /// Nothing of this kind is taken: the index is gone or blocked, or we may not write.
    Stopped { status: u16, kind: String, reason: String },
    /// This one is not taken.
    Bad(String),
}

/// The fates in a bulk reply by id; an id that it does not name is not among them.
pub(super) fn fates(reply: &Value) -> HashMap<String, Fate> {
    let items = reply["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(fate).collect()
}

fn fate(item: &Value) -> Option<(String, Fate)> {
    let (verb, item) = item.as_object()?.iter().next()?;
    let id = item["_id"].as_str()?.to_owned();
    let status = u16::try_from(item["status"].as_u64()?).ok()?;
    let kind = item["error"]["type"].as_str().unwrap_or_default();
    let reason = match (item["error"]["reason"].as_str(), item["error"]["caused_by"]["reason"].as_str()) {
        (Some(reason), Some(cause)) => format!("{kind}: {reason}: {cause}"),
        (Some(reason), None) => format!("{kind}: {reason}"),
        _ => format!("status {status}"),
    };
    let fate = match status {
        200..=299 => Fate::Done { changed: item["result"] != "noop" },
        // Gone already, which is what a delete is for.
        404 if verb == "delete" && kind.is_empty() => Fate::Done { changed: false },
        409 => Fate::Conflict,
        401 | 403 | 404 => Fate::Stopped { status, kind: kind.to_owned(), reason },
        status if is_busy(status) => Fate::Busy(reason),
        _ => Fate::Bad(reason),
    };
    Some((id, fate))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn item(verb: &str, id: &str, status: u16, error: Option<&str>) -> Value {
        match error {
            Some(kind) => json!({ verb: { "_id": id, "status": status, "error": { "type": kind, "reason": "why" } } }),
            None => json!({ verb: { "_id": id, "status": status, "result": "updated" } }),
        }
    }

    fn fate_of(verb: &str, status: u16, error: Option<&str>) -> Fate {
        let reply = json!({ "errors": error.is_some(), "items": [item(verb, "artist-1", status, error)] });
        fates(&reply).remove("artist-1").expect("a fate")
    }

    /// 002-R27: what is left of a removed artist is an id, a version and that it is gone.
    #[test]
    fn a_tombstone_says_nothing_about_the_person() {
        let gone = IndexOperation { artist_id: ArtistId::new("artist-1"), version: 7, document: None };
        let action = Action::write(&gone).expect("JSON");
        let lines: Vec<Value> = action.lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(lines[0], json!({ "index": { "_id": "artist-1", "version": 7, "version_type": "external_gte" } }));
        assert_eq!(lines[1], json!({ "artist_id": "artist-1", "version": 7, "deleted": true }));
    }

    #[test]
    fn each_status_has_its_fate() {
        assert_eq!(fate_of("index", 201, None), Fate::Done { changed: true });
        assert_eq!(fate_of("delete", 404, None), Fate::Done { changed: false });
        assert_eq!(fate_of("index", 409, Some("version_conflict_engine_exception")), Fate::Conflict);
        for status in [429, 503] {
            assert!(matches!(fate_of("index", status, Some("rejected_execution_exception")), Fate::Busy(_)), "{status}");
        }
        for (verb, status) in [("index", 404), ("delete", 404), ("index", 403), ("index", 401)] {
            let fate = fate_of(verb, status, Some("index_not_found_exception"));
            assert!(matches!(fate, Fate::Stopped { .. }), "{verb} {status}");
        }
        for status in [400, 413, 500] {
            assert!(matches!(fate_of("index", status, Some("mapper_parsing_exception")), Fate::Bad(_)), "{status}");
        }
    }

    #[test]
    fn a_reply_of_another_form_names_nobody() {
        for reply in [json!({}), json!({ "items": 3 }), json!({ "items": [3, {}, { "index": {} }, { "index": { "_id": "a" } }] })] {
            assert!(fates(&reply).is_empty(), "{reply}");
        }
    }

    proptest! {
        /// 002-R31: whatever the order and the mix of statuses, each artist gets the fate of its own item.
        #[test]
        fn fates_are_matched_by_id(
            mix in prop::collection::btree_map("[a-z]{1,6}", prop::sample::select(vec![200, 201, 400, 409, 413, 429, 500, 503]), 0..40),
            seed: u64,
        ) {
            let error = |status: u16| (status >= 400).then_some("some_exception");
            let mut items: Vec<Value> = mix.iter().map(|(id, status)| item("index", id, *status, error(*status))).collect();
            let places = items.len().max(1);
            items.rotate_left(usize::try_from(seed % places as u64).unwrap() % places);
            let found = fates(&json!({ "items": items }));
            prop_assert_eq!(found.len(), mix.len());
            for (id, status) in &mix {
                prop_assert_eq!(&found[id], &fate_of("index", *status, error(*status)));
            }
        }

        #[test]
        fn a_body_has_two_lines_for_each_document_whatever_it_says(name in ".{0,40}", id in ".{1,20}") {
            let document = IndexDocument {
                name_tokens: crate::domain::text::tokens(&name), name, studio: None, styles: Vec::new(), country: None, city: None,
                city_key: None, coordinates: None, instagram: None, text_tokens: Vec::new(), completeness: 0.5,
            };
            let operation = IndexOperation { artist_id: ArtistId::new(id.clone()), version: 3, document: Some(document.clone()) };
            let action = Action::write(&operation).expect("JSON");
            let lines: Vec<&str> = action.lines.split_terminator('\n').collect();
            prop_assert_eq!(lines.len(), 2);
            let written: Value = serde_json::from_str(lines[1]).expect("JSON");
            prop_assert_eq!(written["artist_id"].as_str(), Some(id.as_str()));
            prop_assert_eq!(serde_json::from_value::<IndexDocument>(written).expect("a document"), document);
        }
    }
}
