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

/// Longest prefix of [`base_of`], in parts of a path.
const BASE_PARTS: usize = 4;

/// The path at which a site's own scripts and styles expect its folder to stand, `/` for most: a build for `/name/` asks for
/// `/name/app.js`, which lies in the folder as `app.js`. Told by the page itself.
pub fn base_of(root: &Path, page: &str) -> String {
    let quoted = page.split(['"', '\'']).filter(|text| text.starts_with('/') && !text.starts_with("//"));
    for path in quoted.map(|text| text.split(['?', '#']).next().unwrap_or(text)) {
        let is_asset = [".js", ".mjs", ".css"].iter().any(|ending| path.to_lowercase().ends_with(ending));
        if !is_asset || file_at(root, path).is_some() {
            continue;
        }
        let cuts = path.match_indices('/').map(|(at, _)| at).skip(1).take(BASE_PARTS);
        if let Some(at) = cuts.into_iter().find(|at| file_at(root, &path[*at..]).is_some()) {
            return path[..=at].to_owned();
        }
    }
    "/".to_owned()
}

/// A path below where the folder stands; one that is not below it is taken as it is.
pub fn below<'a>(base: &str, path: &'a str) -> &'a str {
    let base = base.trim_end_matches('/');
    path.strip_prefix(base).filter(|rest| rest.is_empty() || rest.starts_with('/')).unwrap_or(path)
}

fn percent_decoded(part: &str) -> String {
    let query = format!("x={}", part.replace('+', "%2B").replace('&', "%26"));
    url::form_urlencoded::parse(query.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// Pages from a folder, under one made-up host.
#[derive(Debug)]
pub struct FolderFetch {
    site: FolderSite,
    /// The page that stands for every path without a file, as hosts of sites that draw themselves have it.
    stands_in: Option<PathBuf>,
    limits: FetchLimits,
}

/// A folder that stands for a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderSite {
    /// The made-up host.
    pub host: String,
    /// The web root.
    pub root: PathBuf,
    /// The path at which the folder stands, `/` for most.
    pub base: String,
    /// Its first page, relative to the root.
    pub entry: String,
}

impl FolderSite {
    /// The folder `root` with the first page `entry`, at the path that the page expects.
    pub fn open(host: String, root: PathBuf, entry: &str) -> Self {
        let page = file_at(&root, entry).filter(|file| is_page(file)).and_then(|file| std::fs::read(file).ok());
        let base = base_of(&root, &String::from_utf8_lossy(&page.unwrap_or_default()));
        Self { host, root, base, entry: entry.trim_start_matches('/').to_owned() }
    }

    /// The address of its first page.
    pub fn address(&self) -> String {
        let path = if self.entry == "index.html" { "" } else { self.entry.as_str() };
        format!("http://{}{}{path}", self.host, self.base)
    }

    /// The file at the path of a URL.
    pub fn file_at(&self, path: &str) -> Option<PathBuf> {
        file_at(&self.root, below(&self.base, path))
    }
}

impl FolderFetch {
    /// The folder as the site of its host; `draws_itself` says that a script draws its pages, whatever their path.
    pub fn new(site: FolderSite, draws_itself: bool, limits: FetchLimits) -> Self {
        let stands_in = draws_itself.then(|| file_at(&site.root, &site.entry)).flatten();
        Self { site, stands_in, limits }
    }

    fn page_at(&self, path: &str) -> Option<PathBuf> {
        let has_ending = path.rsplit('/').next().is_some_and(|name| name.contains('.'));
        self.site.file_at(path).or_else(|| self.stands_in.clone().filter(|_| !has_ending))
    }
}

#[async_trait]
impl Fetch for FolderFetch {
    async fn fetch(&self, url: &Url, _: &Ask<'_>) -> Result<Hop, FetchError> {
        let gone = || FetchError::Gone { url: shown(url), status: 404 };
        if url.host_str() != Some(self.site.host.as_str()) {
            return Err(FetchError::Guarded(format!("{} is not in the folder", shown(url))));
        }
        let file = self.page_at(url.path()).ok_or_else(gone)?;
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

    #[test]
    fn a_build_for_a_path_of_its_host_is_found_by_its_own_scripts() {
        let (_folder, root) = site();
        std::fs::create_dir(root.join("assets")).unwrap();
        std::fs::write(root.join("assets/app.js"), "").unwrap();
        for (page, base) in [
            ("<script src=\"/assets/app.js\"></script>", "/"),
            ("<script src='/ana/ink/assets/app.js?v=1'></script>", "/ana/ink/"),
            ("<a href=\"/ana/about.html\">", "/"),
            ("<script src=\"/ana/none.js\"></script><script src=\"//cdn.example/assets/app.js\"></script>", "/"),
        ] {
            assert_eq!(base_of(&root, page), base, "{page}");
        }
        for (base, path, below_it) in [("/", "/a", "/a"), ("/ana/", "/ana/a", "/a"), ("/ana/", "/ana", ""), ("/ana/", "/anabel", "/anabel")]
        {
            assert_eq!(below(base, path), below_it, "{base} {path}");
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
        let limits = FetchLimits { wire_bytes: 7, decoded_bytes: 7, ..FetchLimits::default() };
        let site = FolderSite { host: "site.test".to_owned(), root, base: "/".to_owned(), entry: "index.html".to_owned() };
        let fetch = FolderFetch::new(site.clone(), false, limits.clone());
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
        // What draws itself draws any path but that of a file.
        let fetch = FolderFetch::new(site, true, limits);
        let text = async |path: &str| match fetch.fetch(&Url::parse(&format!("http://site.test{path}")).unwrap(), &Ask::default()).await {
            Ok(Hop::Page(page)) => page.text,
            other => format!("{other:?}"),
        };
        assert_eq!((text("/artists/ana").await.as_str(), text("/team").await.as_str()), ("<p>home", "<p>team"));
        assert!(text("/none.html").await.contains("Gone"));
        let robots = fetch.fetch_text(&Url::parse("http://site.test/robots.txt").unwrap(), &Ask::default()).await;
        assert!(matches!(robots, Ok(TextHop::Text { status: 404, .. })));
    }
}
