//! A folder as a web root: the port of fetching over the files of one site, and the rule which file stands at which path.

use crate::scrape::guard::shown;
use crate::scrape::http::charset;
use crate::scrape::limits::FetchLimits;
use crate::scrape::{Ask, Fetch, FetchError, FetchedPage, Hop, Limit, TextHop, Validators};
use async_trait::async_trait;
use std::path::{Path, PathBuf};
use url::Url;

/// The label of a labelled site: never served, whatever links to it.
const LABEL: &str = "truth.json";
/// Endings of files that are pages.
const PAGES: [&str; 4] = ["html", "htm", "xhtml", "php"];

/// Whether a file is a page by its ending.
pub fn is_page(file: &Path) -> bool {
    file.extension().is_some_and(|ending| PAGES.iter().any(|known| ending.eq_ignore_ascii_case(known)))
}

/// The file of a site's folder that stands at the path of a URL: itself, the index of a folder, or the name without its
/// `.html`. Nothing outside the folder, links of the file system included, and never a label.
pub fn file_at(root: &Path, path: &str) -> Option<PathBuf> {
    let mut file = root.to_path_buf();
    for part in path.split('/') {
        let part = percent_decoded(part);
        if part.is_empty() || part == "." {
            continue;
        }
        if part == ".." || part.contains(['/', '\\', '\0']) {
            return None;
        }
        file.push(part);
    }
    let with_ending = file.with_file_name(format!("{}.html", file.file_name().unwrap_or_default().to_string_lossy()));
    let found = [file.clone(), file.join("index.html"), with_ending].into_iter().find(|file| file.is_file())?;
    let (found, root) = (found.canonicalize().ok()?, root.canonicalize().ok()?);
    let is_label = found.file_name().is_some_and(|name| name.eq_ignore_ascii_case(LABEL));
    (found.starts_with(root) && !is_label).then_some(found)
}

fn percent_decoded(part: &str) -> String {
    let query = format!("x={}", part.replace('+', "%2B").replace('&', "%26"));
    url::form_urlencoded::parse(query.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// Pages from a folder, under one made-up host.
#[derive(Debug)]
pub struct FolderFetch {
    root: PathBuf,
    host: String,
    limits: FetchLimits,
}

impl FolderFetch {
    /// The folder `root` as the web root of `host`.
    pub fn new(root: PathBuf, host: String, limits: FetchLimits) -> Self {
        Self { root, host, limits }
    }
}

#[async_trait]
impl Fetch for FolderFetch {
    async fn fetch(&self, url: &Url, _: &Ask<'_>) -> Result<Hop, FetchError> {
        let gone = || FetchError::Gone { url: shown(url), status: 404 };
        if url.host_str() != Some(self.host.as_str()) {
            return Err(FetchError::Guarded(format!("{} is not in the folder", shown(url))));
        }
        let file = file_at(&self.root, url.path()).ok_or_else(gone)?;
        if !is_page(&file) {
            let ending = file.extension().unwrap_or_default().to_string_lossy();
            return Err(FetchError::WrongType { url: shown(url), content_type: format!("a file `.{ending}`") });
        }
        let bytes = tokio::fs::metadata(&file).await.map_err(|_| gone())?.len();
        if bytes > self.limits.wire_bytes.max(self.limits.decoded_bytes as u64) {
            return Err(FetchError::OverLimit { url: shown(url), limit: Limit::DecodedBytes });
        }
        let body = tokio::fs::read(&file).await.map_err(|error| FetchError::BadResponse { url: shown(url), why: error.to_string() })?;
        let text = charset::decode_page(&body, None, url.host_str());
        Ok(Hop::Page(FetchedPage {
            requested: url.clone(),
            url: url.clone(),
            status: 200,
            text,
            robots_tags: Vec::new(),
            tdm_reserved: false,
            validators: Validators::default(),
            wire_bytes: bytes,
        }))
    }

    /// A robots.txt holds for its host; a copy on this machine is nobody's server.
    async fn fetch_text(&self, _: &Url, _: &Ask<'_>) -> Result<TextHop, FetchError> {
        Ok(TextHop::Text { status: 404, text: String::new(), wire_bytes: 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("site");
        std::fs::create_dir_all(root.join("team")).unwrap();
        for (name, text) in [
            ("site/index.html", "<p>home"),
            ("site/about.html", "<p>about"),
            ("site/team/index.html", "<p>team"),
            ("site/a b.html", "<p>space"),
            ("site/logo.png", "png"),
            ("site/truth.json", "{}"),
            ("site/team/Truth.JSON", "{}"),
            ("outside.html", "<p>secret"),
        ] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        (folder, root)
    }

    fn name(root: &Path, path: &str) -> Option<String> {
        let root = root.canonicalize().unwrap();
        file_at(&root, path).map(|file| file.strip_prefix(&root).unwrap().display().to_string())
    }

    #[test]
    fn paths_lead_to_files_of_the_folder_only() {
        let (_folder, root) = site();
        for (path, file) in [
            ("/", Some("index.html")),
            ("/about", Some("about.html")),
            ("/about.html", Some("about.html")),
            ("/team", Some("team/index.html")),
            ("/team/", Some("team/index.html")),
            ("/a%20b.html", Some("a b.html")),
            ("/logo.png", Some("logo.png")),
            ("/nothing", None),
            ("/truth.json", None),
            ("/truth%2Ejson", None),
            ("/team/Truth.JSON", None),
            ("/../outside.html", None),
            ("/%2e%2e/outside.html", None),
            ("/..%2Foutside.html", None),
            ("/team/..%5C..%5Coutside.html", None),
        ] {
            assert_eq!(name(&root, path).as_deref(), file, "{path}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_out_of_the_folder_is_not_followed() {
        let (folder, root) = site();
        std::os::unix::fs::symlink(folder.path().join("outside.html"), root.join("inside.html")).unwrap();
        assert_eq!(name(&root, "/inside.html"), None);
        std::os::unix::fs::symlink(root.join("truth.json"), root.join("label.html")).unwrap();
        assert_eq!(name(&root, "/label.html"), None);
    }

    #[tokio::test]
    async fn pages_are_served_and_everything_else_is_typed() {
        let (_folder, root) = site();
        let fetch =
            FolderFetch::new(root, "site.test".to_owned(), FetchLimits { wire_bytes: 7, decoded_bytes: 7, ..FetchLimits::default() });
        let ask = |url: &str| {
            let url = Url::parse(url).unwrap();
            let fetch = &fetch;
            async move { fetch.fetch(&url, &Ask::default()).await }
        };
        assert!(matches!(ask("http://site.test/").await, Ok(Hop::Page(page)) if page.text == "<p>home" && page.status == 200));
        assert_eq!(ask("http://site.test/none").await.unwrap_err().code(), "gone");
        assert_eq!(ask("http://site.test/logo.png").await.unwrap_err().code(), "wrong_type");
        assert_eq!(ask("http://site.test/about").await.unwrap_err().code(), "decoded_too_large");
        assert_eq!(ask("http://other.test/").await.unwrap_err().code(), "guarded");
        let robots = fetch.fetch_text(&Url::parse("http://site.test/robots.txt").unwrap(), &Ask::default()).await;
        assert!(matches!(robots, Ok(TextHop::Text { status: 404, .. })));
    }
}
