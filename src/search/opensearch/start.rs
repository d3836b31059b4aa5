//! The start: template, index and aliases made if they are not there, and checked if they are.

use crate::search::SearchError;
use crate::search::opensearch::client::{Answer, Request, Verb};
use crate::search::opensearch::errors::refused;
use crate::search::opensearch::{OpenSearchIndex, OpenSearchSettings};
use serde_json::{Map, Value, json};
use tracing::{info, warn};

/// How often an index that another process makes at the same time is looked for.
const LOOKS: usize = 3;

/// Where two mappings differ.
#[derive(Debug, PartialEq, Eq)]
struct Difference(String);

/// The indexes that a deployment has: each has a template, names and aliases of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Artists,
    Letters,
}

impl Family {
    /// The template, as an operator could put it by hand for the prefix `artists`.
    fn template_text(self) -> &'static str {
        match self {
            Self::Artists => include_str!("../../../deploy/opensearch/artists-v1.json"),
            Self::Letters => include_str!("../../../deploy/opensearch/letters-v1.json"),
        }
    }

    /// What the names of its indexes begin with: the version is that of the template's file.
    pub fn stem(self, settings: &OpenSearchSettings) -> String {
        match self {
            Self::Artists => format!("{}-v1-", settings.prefix),
            Self::Letters => format!("{}-v1-", settings.letters()),
        }
    }

    fn template_name(self, settings: &OpenSearchSettings) -> String {
        match self {
            Self::Artists => settings.prefix.clone(),
            Self::Letters => settings.letters(),
        }
    }

    pub fn template(self, settings: &OpenSearchSettings) -> Result<Value, SearchError> {
        let mut template: Value = serde_json::from_str(self.template_text())
            .map_err(|error| SearchError::Refused(format!("the {self:?} template of this build is no JSON: {error}")))?;
        template["index_patterns"] = json!([format!("{}*", self.stem(settings))]);
        Ok(template)
    }

    /// The settings of the template that an index has while it is searched.
    pub fn index_settings(self) -> Value {
        let template: Value = serde_json::from_str(self.template_text()).unwrap_or_default();
        let index = &template["template"]["settings"]["index"];
        json!({ "refresh_interval": index["refresh_interval"], "auto_expand_replicas": index["auto_expand_replicas"] })
    }

    /// The aliases of an index: that of artists has one that hides tombstones.
    pub fn aliases(self, settings: &OpenSearchSettings) -> Vec<(String, Value)> {
        match self {
            Self::Artists => {
                vec![(settings.searched(), json!({ "filter": { "term": { "deleted": false } } })), (settings.written(), json!({}))]
            }
            Self::Letters => vec![(settings.letters(), json!({}))],
        }
    }

    /// What to do about an index of another form.
    fn remedy(self) -> &'static str {
        match self {
            Self::Artists => "run `inkdex reindex`, which builds a new one beside it and swaps the alias",
            Self::Letters => "drop it: the next start makes a new one and fills it from the ledger",
        }
    }
}

impl OpenSearchIndex {
    /// Makes what is missing and checks the rest.
    ///
    /// # Errors
    /// A sentence that says what to change.
    pub(super) async fn prepare(&self) -> Result<(), SearchError> {
        self.put_template().await?;
        let index = match self.aliased().await? {
            Some(index) => index,
            None => self.create_first().await?,
        };
        self.check(&index).await
    }

    /// Puts the template, so that every index of ours has its mapping, whoever makes it.
    pub(super) async fn put_template(&self) -> Result<(), SearchError> {
        let settings = &self.shared.settings;
        let path = format!("/_index_template/{}", self.family.template_name(settings));
        self.admin("put the index template", Verb::Put, path, Some(self.family.template(settings)?)).await.map(drop)
    }

    /// The one index behind the alias that is written; none if there is no such alias.
    pub(super) async fn aliased(&self) -> Result<Option<String>, SearchError> {
        let written = &self.target.written;
        let answer = self.send_admin(Verb::Get, format!("/_alias/{written}"), None).await?;
        if answer.status == 404 {
            return Ok(None);
        }
        if !answer.is_ok() {
            return Err(refused(self.shared.client.url(), "read the aliases", &answer));
        }
        let names: Vec<&String> = answer.body.as_object().map(|indexes| indexes.keys().collect()).unwrap_or_default();
        match names[..] {
            [name] => Ok(Some(name.clone())),
            _ => Err(SearchError::Refused(format!(
                "the alias {written} stands for {} indexes ({names:?}), and must for one; remove it from the others, or set another opensearch.prefix",
                names.len()
            ))),
        }
    }

    async fn create_first(&self) -> Result<String, SearchError> {
        let settings = &self.shared.settings;
        let index = format!("{}000001", self.family.stem(settings));
        let mut last = None;
        for _ in 0..LOOKS {
            let aliases: Map<String, Value> = self.family.aliases(settings).into_iter().collect();
            let made = self.send_admin(Verb::Put, format!("/{index}"), Some(json!({ "aliases": aliases }))).await?;
            if made.is_ok() {
                info!(index, "the index {index} was made, behind the aliases {} and {}", self.target.searched, self.target.written);
                return Ok(index);
            }
            // Another process makes it at this moment, or an index lost its aliases.
            if let Some(index) = self.aliased().await? {
                return Ok(index);
            }
            if made.kind() != "resource_already_exists_exception" && made.status < 500 {
                return Err(self.not_made(&index, &made));
            }
            last = Some(made);
        }
        match last {
            Some(made) => Err(self.not_made(&index, &made)),
            None => Err(SearchError::Unavailable(format!("the index {index} was not made"))),
        }
    }

    fn not_made(&self, index: &str, made: &Answer) -> SearchError {
        let (searched, written) = (&self.target.searched, &self.target.written);
        match made.kind() {
            "resource_already_exists_exception" => SearchError::Refused(format!(
                "the index {index} exists but the alias {written} is gone; point the aliases (of artists, {searched} with the filter deleted:false, and {written}) at the index to use, or drop {index}"
            )),
            "invalid_alias_name_exception" | "invalid_index_name_exception" => SearchError::Refused(format!(
                "an index of OpenSearch has the name of our alias ({}); drop it, or set another opensearch.prefix",
                made.reason()
            )),
            _ => refused(self.shared.client.url(), "make the index", made),
        }
    }

    /// Checks that an index is of the form that this build writes and reads.
    async fn check(&self, index: &str) -> Result<(), SearchError> {
        let told = self.admin("read the mapping", Verb::Get, format!("/{index}"), None).await?;
        let expected = self.family.template(&self.shared.settings)?;
        if let Some(Difference(difference)) = difference(&expected["template"]["mappings"], &told.body[index]["mappings"]) {
            return Err(SearchError::Refused(format!(
                "the index {index} has another mapping than this build needs: {difference}; {}",
                self.family.remedy()
            )));
        }
        let searched = &self.target.searched;
        let filter = &told.body[index]["aliases"][searched]["filter"];
        if self.family == Family::Artists && *filter != json!({ "term": { "deleted": false } }) {
            return Err(SearchError::Refused(format!(
                "the alias {searched} of the index {index} does not hide tombstones (its filter is {filter}); give it the filter {{\"term\": {{\"deleted\": false}}}}, or run `inkdex reindex`"
            )));
        }
        let settings = &told.body[index]["settings"]["index"];
        let wanted = self.family.index_settings();
        if settings["refresh_interval"] != wanted["refresh_interval"] {
            // Unset, a shard that nobody searches stops refreshing; switched off, nothing would ever become searchable.
            warn!(index, found = %settings["refresh_interval"], "the refresh interval of the index {index} is set to {}", wanted["refresh_interval"]);
            self.put_settings(index, &json!({ "index": { "refresh_interval": wanted["refresh_interval"] } })).await?;
        }
        Ok(())
    }

    pub(super) async fn put_settings(&self, index: &str, settings: &Value) -> Result<(), SearchError> {
        self.admin("change the index's settings", Verb::Put, format!("/{index}/_settings"), Some(settings.clone())).await.map(drop)
    }

    pub(super) async fn admin(&self, doing: &str, verb: Verb, path: String, body: Option<Value>) -> Result<Answer, SearchError> {
        let answer = self.send_admin(verb, path, body).await?;
        if answer.is_ok() { Ok(answer) } else { Err(refused(self.shared.client.url(), doing, &answer)) }
    }

    pub(super) async fn send_admin(&self, verb: Verb, path: String, body: Option<Value>) -> Result<Answer, SearchError> {
        let body = body.map(|body| body.to_string());
        self.shared.client.send(Request { verb, path, parameters: &[], body, within: self.shared.settings.admin_within }).await
    }
}

/// The first place where `found` is not what `expected` says; what a form of documents means is part of it.
fn difference(expected: &Value, found: &Value) -> Option<Difference> {
    let told = |what: String| Some(Difference(what));
    if found["dynamic"] != expected["dynamic"] {
        return told(format!("`dynamic` is {}, not {}", found["dynamic"], expected["dynamic"]));
    }
    if found["_meta"]["document_form"] != expected["_meta"]["document_form"] {
        let (found, expected) = (&found["_meta"]["document_form"], &expected["_meta"]["document_form"]);
        return told(format!("its documents are of form {found}, not {expected}"));
    }
    let none = Map::new();
    let fields = |mapping: &Value| mapping["properties"].as_object().cloned().unwrap_or_else(|| none.clone());
    let (expected, found) = (fields(expected), fields(found));
    for (field, wanted) in &expected {
        match found.get(field) {
            None => return told(format!("the field `{field}` is missing")),
            Some(has) if has != wanted => return told(format!("the field `{field}` is {has}, not {wanted}")),
            Some(_) => {}
        }
    }
    found.keys().find(|field| !expected.contains_key(*field)).and_then(|field| told(format!("it has a field `{field}` that nobody fills")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::document::DOCUMENT_FORM;
    use url::Url;

    fn mappings() -> Value {
        let settings = OpenSearchSettings::new(Url::parse("http://search.example").unwrap(), "people");
        let template = Family::Artists.template(&settings).expect("the template of this build");
        assert_eq!(template["index_patterns"], json!(["people-v1-*"]));
        template["template"]["mappings"].clone()
    }

    /// Whoever makes another document of the same row has to raise the form in the template too.
    #[test]
    fn the_template_has_the_form_of_the_code() {
        assert_eq!(mappings()["_meta"]["document_form"], json!(DOCUMENT_FORM));
        assert_eq!(Family::Artists.index_settings(), json!({ "refresh_interval": "200ms", "auto_expand_replicas": "0-1" }));
    }

    #[test]
    fn differences_of_mappings_are_named() {
        let expected = mappings();
        assert_eq!(difference(&expected, &expected), None);
        let changed = |change: fn(&mut Value)| {
            let mut found = expected.clone();
            change(&mut found);
            difference(&expected, &found).expect("a difference").0
        };
        assert!(changed(|found| found["dynamic"] = json!("true")).contains("dynamic"));
        assert!(changed(|found| found["_meta"]["document_form"] = json!(99)).contains("99"));
        assert!(changed(|found| found["properties"]["country"] = json!({ "type": "text" })).contains("country"));
        assert!(changed(|found| found["properties"]["extra"] = json!({ "type": "text" })).contains("extra"));
        assert!(changed(|found| found["properties"] = json!({})).contains("artist_id"));
    }
}
