//! Labels and pages from folders: the one place here that touches files.

use crate::extract::{Miss, ParseBudget, ParseLimits, SiteFacts, SiteLimits, SiteReader, Styles, read_page};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;
use url::Url;

/// Largest page read, in bytes.
const MAX_PAGE_BYTES: u64 = 5_000_000;

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

/// The file behind a path of the web root: itself, with `.html`, or the index of a folder; never the label.
fn file_of(root: &Path, url: &Url) -> Option<PathBuf> {
    let mut path = root.to_path_buf();
    for part in url.path_segments()? {
        let part = percent_decoded(part);
        if part.is_empty() || part == "." {
            continue;
        }
        if part == ".." || part.contains(['/', '\\', '\0']) {
            return None;
        }
        path.push(part);
    }
    let with_ending = path.with_file_name(format!("{}.html", path.file_name().unwrap_or_default().to_string_lossy()));
    let found = [path.clone(), path.join("index.html"), with_ending].into_iter().find(|path| path.is_file())?;
    let page =
        found.extension().is_some_and(|ending| ["html", "htm", "xhtml", "php"].iter().any(|known| ending.eq_ignore_ascii_case(known)));
    (page && found.file_name().is_some_and(|name| name != "truth.json")).then_some(found)
}

fn percent_decoded(part: &str) -> String {
    let query = format!("x={}", part.replace('+', "%2B").replace('&', "%26"));
    url::form_urlencoded::parse(query.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// Bytes as text: BOM, else UTF-8, else what the page declares, else windows-1252.
fn decode(bytes: &[u8]) -> String {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text.trim_start_matches('\u{feff}').to_owned();
    }
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(2_048)]).to_lowercase();
    let label = head.split("charset=").nth(1).map(|rest| {
        rest.trim_start_matches(['"', '\''])
            .chars()
            .take_while(|letter| letter.is_alphanumeric() || matches!(letter, '-' | '_'))
            .collect::<String>()
    });
    let encoding = label.and_then(|label| encoding_rs::Encoding::for_label(label.as_bytes())).unwrap_or(encoding_rs::WINDOWS_1252);
    encoding.decode(bytes).0.into_owned()
}

/// Predicts a site from its folder, served as a web root under a made-up host; other pages are reached by links only.
#[must_use]
pub fn predict_folder(site_dir: &Path, entry: &str, vocabulary: &Styles) -> SiteFacts {
    let folder = site_dir.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let host: String = folder.chars().map(|letter| if letter.is_ascii_alphanumeric() || letter == '-' { letter } else { '-' }).collect();
    let path = if entry == "index.html" { "" } else { entry };
    let fallback = || Url::parse("http://site.test/").expect("a constant address");
    let entry = Url::parse(&format!("http://{}.test/{path}", host.trim_matches('-'))).unwrap_or_else(|_| fallback());
    // Labelled folders are known pages: size and depth bound them, time need not.
    let clock = || Duration::ZERO;
    let budget = ParseBudget::new(ParseLimits::default(), &clock);
    let mut reader = SiteReader::new(entry, SiteLimits { obey_nofollow: false, ..SiteLimits::default() });
    while let Some(url) = reader.next_page() {
        let Some(file) = file_of(site_dir, &url) else {
            reader.page_missed(&url, Miss::Gone);
            continue;
        };
        let small = std::fs::metadata(&file).is_ok_and(|data| data.len() <= MAX_PAGE_BYTES);
        match std::fs::read(&file).ok().filter(|_| small).map(|bytes| read_page(&url, &decode(&bytes), vocabulary, &budget)) {
            Some(Ok(page)) => reader.page_read(&url, page),
            _ => reader.page_missed(&url, Miss::Failed),
        }
    }
    reader.finish(vocabulary)
}
