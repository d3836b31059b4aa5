//! Labels from folders: the one place here that touches files.

use serde_json::Value;
use std::path::{Path, PathBuf};

/// Why labels cannot be read.
#[derive(thiserror::Error, Debug)]
pub enum TruthError {
    /// A file cannot be read.
    #[error("cannot read {path}: {source}; give a folder that holds one folder a site, each with truth.json")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is no label.
    #[error("{path} is not a label: {reason}")]
    Shape {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// No labels at all.
    #[error("no */truth.json under {0}; give the folder above the sites")]
    Empty(PathBuf),
}

/// The label of one site.
#[derive(Clone, Debug)]
pub struct Truth {
    value: Value,
    id: String,
}

impl Truth {
    fn new(value: Value, path: &Path) -> Result<Self, TruthError> {
        let id = value.get("id").and_then(Value::as_str).map(str::to_owned);
        let shaped = value.get("truth").is_some_and(Value::is_object);
        match id {
            Some(id) if shaped => Ok(Self { value, id }),
            _ => Err(TruthError::Shape { path: path.to_owned(), reason: "`id` or `truth` is missing".to_owned() }),
        }
    }

    /// The id that predictions carry.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn truth(&self, field: &str) -> Option<&Value> {
        self.value.get("truth")?.get(field)
    }

    pub(super) fn accept(&self, field: &str) -> Option<&Value> {
        self.truth("accept")?.get(field)
    }

    pub(super) fn kind(&self) -> Option<&str> {
        self.value.get("kind").and_then(Value::as_str)
    }

    fn list(&self, field: &str) -> Vec<String> {
        let list = self.value.get(field).and_then(Value::as_array).cloned().unwrap_or_default();
        list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    pub(super) fn kind_ok(&self) -> Vec<String> {
        self.list("kind_ok")
    }

    pub(super) fn static_fields(&self) -> Vec<String> {
        self.list("static_fields")
    }

    fn flag(&self, field: &str) -> bool {
        self.value.get(field).and_then(Value::as_bool).unwrap_or(false)
    }

    pub(super) fn js_only(&self) -> bool {
        self.flag("js_only")
    }

    pub(super) fn js_bundle(&self) -> bool {
        self.flag("js_bundle")
    }
}

fn read_json(path: &Path) -> Result<Value, TruthError> {
    let text = std::fs::read_to_string(path).map_err(|source| TruthError::Read { path: path.to_owned(), source })?;
    serde_json::from_str(&text).map_err(|error| TruthError::Shape { path: path.to_owned(), reason: error.to_string() })
}

/// The labels of all sites under a folder, in the order of their folders' names.
pub fn read_truth(folder: &Path) -> Result<Vec<Truth>, TruthError> {
    let list = std::fs::read_dir(folder).map_err(|source| TruthError::Read { path: folder.to_owned(), source })?;
    let mut paths: Vec<PathBuf> =
        list.filter_map(Result::ok).map(|entry| entry.path().join("truth.json")).filter(|path| path.is_file()).collect();
    paths.sort();
    if paths.is_empty() {
        return Err(TruthError::Empty(folder.to_owned()));
    }
    paths.iter().map(|path| Truth::new(read_json(path)?, path)).collect()
}

/// The entry page of a labelled site: the only thing that a prediction may know of its label.
pub fn entry_of(site: &Path) -> Result<String, TruthError> {
    let path = site.join("truth.json");
    let entry = read_json(&path)?.get("entry").and_then(Value::as_str).map(str::to_owned);
    entry.ok_or(TruthError::Shape { path, reason: "`entry` is missing".to_owned() })
}
