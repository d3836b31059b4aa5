//! An index beside the one that is searched: filled without refreshes and copies, then put in its place in one step.

use crate::search::opensearch::client::Verb;
use crate::search::opensearch::{OpenSearchIndex, Target};
use crate::search::{Replacement, SearchError, SearchIndex};
use async_trait::async_trait;
use serde_json::{Value, json};
use std::sync::Arc;
use tracing::{info, warn};

/// A new index that nobody searches yet.
#[derive(Debug)]
pub(super) struct Beside {
    /// The aliases.
    current: OpenSearchIndex,
    /// The new index by its name.
    new: OpenSearchIndex,
}

impl OpenSearchIndex {
    /// Makes an empty index that is loaded fast. What an interrupted rebuild left is dropped.
    pub(super) async fn make_beside(&self) -> Result<Beside, SearchError> {
        self.put_template().await?;
        self.drop_unused().await?;
        let name = format!("{}{}", self.family.stem(&self.shared.settings), self.shared.clock.now().0);
        let loading = json!({ "settings": { "index": {
            "refresh_interval": "-1", "auto_expand_replicas": false, "number_of_replicas": 0
        } } });
        self.admin("make an index", Verb::Put, format!("/{name}"), Some(loading)).await?;
        let target = Target { searched: name.clone(), written: name, is_searched: false };
        Ok(Beside { current: self.clone(), new: Self { shared: Arc::clone(&self.shared), target, family: self.family } })
    }

    /// Drops indexes of ours that no alias names.
    async fn drop_unused(&self) -> Result<(), SearchError> {
        let path = format!("/{}*/_alias", self.family.stem(&self.shared.settings));
        let answer = self.admin("list the indexes", Verb::Get, path, None).await?;
        for (name, index) in answer.body.as_object().into_iter().flatten() {
            let is_named = index["aliases"].as_object().is_some_and(|aliases| !aliases.is_empty());
            if !is_named {
                info!(index = name, "the index {name}, which nobody uses, is dropped");
                self.drop_index(name).await?;
            }
        }
        Ok(())
    }

    async fn drop_index(&self, name: &str) -> Result<(), SearchError> {
        let answer = self.send_admin(Verb::Delete, format!("/{name}"), None).await?;
        if answer.is_ok() || answer.status == 404 {
            return Ok(());
        }
        Err(super::errors::refused(self.shared.client.url(), "drop an index", &answer))
    }
}

impl Beside {
    fn name(&self) -> &str {
        &self.new.target.written
    }

    /// Gives the new index the settings of one that is searched, and makes what it holds searchable.
    async fn end_load(&self) -> Result<(), SearchError> {
        self.new.put_settings(self.name(), &json!({ "index": self.new.family.index_settings() })).await?;
        self.new.refresh().await
    }

    /// Moves the aliases in one step; with `drops_old` the old index goes in the same step.
    pub(super) async fn swap(&self, drops_old: bool) -> Result<(), SearchError> {
        self.new.refresh().await?;
        let settings = &self.current.shared.settings;
        let old = self.current.aliased().await?;
        let mut actions: Vec<Value> = Vec::new();
        for (alias, body) in self.current.family.aliases(settings) {
            if let (Some(old), false) = (&old, drops_old) {
                actions.push(json!({ "remove": { "index": old, "alias": alias, "must_exist": false } }));
            }
            let mut add = json!({ "index": self.name(), "alias": alias });
            if let Some(filter) = body.get("filter") {
                add["filter"] = filter.clone();
            }
            actions.push(json!({ "add": add }));
        }
        if let (Some(old), true) = (&old, drops_old) {
            actions.push(json!({ "remove_index": { "index": old } }));
        }
        self.current.admin("move the aliases", Verb::Post, "/_aliases".to_owned(), Some(json!({ "actions": actions }))).await?;
        self.current.forget_generation();
        info!(index = self.name(), "the aliases stand for the index {} now", self.name());
        Ok(())
    }
}

#[async_trait]
impl Replacement for Beside {
    fn index(&self) -> Arc<dyn SearchIndex> {
        Arc::new(self.new.clone())
    }

    async fn loaded(&self) -> Result<(), SearchError> {
        self.end_load().await
    }

    async fn take_place(&self) -> Result<(), SearchError> {
        self.swap(false).await
    }

    async fn drop_old(&self) -> Result<(), SearchError> {
        self.current.drop_unused().await
    }

    async fn abandon(&self) {
        // By what the aliases say: a swap whose answer was lost may have been made.
        if let Err(error) = self.current.drop_unused().await {
            warn!(index = self.name(), %error, "the unfinished index {} could not be dropped; the next rebuild does it", self.name());
        }
    }
}
