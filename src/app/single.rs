//! Parts of the world for commands that run beside or without the daemon: the store for reading, and a single visit.

use super::drawing::DrawServed;
use super::fetching::{Reach, fetch_limits, host_map, visitor};
use super::hash_key_file;
use crate::config::Config;
use crate::demo::FolderServer;
use crate::domain::chance::Chance;
use crate::domain::clock::Clock;
use crate::extract::{ParseBudget, ParseLimits, SiteLimits, Styles, read_page};
use crate::jobs::deny::{DenyHasher, SiteDenial};
use crate::jobs::reading::{ChildSettings, PageReader};
use crate::jobs::single_visit::SingleVisit;
use crate::jobs::why::Inquiry;
use crate::objects::Objects;
use crate::scrape::folder::{FolderFetch, FolderSite};
use crate::scrape::guard::{Guard, HostMap, MappedHost};
use crate::scrape::http::HttpFetch;
use crate::scrape::http::charset::decode_page;
use crate::scrape::robots::{PRODUCT_TOKEN, RobotsFiles};
use crate::scrape::visit::UrlDenial;
use crate::search::letters::LetterIndex;
use crate::search::tantivy::{OpenOutcome, TantivyIndex, TantivyLetters, TantivySettings};
use crate::store::sqlite::{OpenMode, SqliteDb, SqliteStore};
use crate::store::{Store, StoreError};
use anyhow::Context as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// How long a person waits for a site that asks to come back later.
const PATIENCE: Duration = Duration::from_secs(90);
/// Time for a page of a folder: known pages are bounded by size and depth, and a busy machine must not change what they say.
const FOLDER_PARSE_MS: u64 = 60_000;

/// Opens the store for reading, whoever owns it.
///
/// # Errors
/// There is no database, or it is not one that this build can read.
pub async fn open_for_reading(config: &Config, clock: Arc<dyn Clock>) -> anyhow::Result<Arc<dyn Store>> {
    if !config.backends.is_embedded() {
        return super::backends::shared_store(config, &clock).await;
    }
    let db = SqliteDb::open(&config.data.database(), OpenMode::ReadOnly, clock)?;
    Ok(Arc::new(SqliteStore::new(db)))
}

/// The index of dead letters for reading, whoever writes to it.
///
/// # Errors
/// There is none yet, or it cannot be read.
pub fn letters_for_reading(config: &Config, clock: &Arc<dyn Clock>) -> anyhow::Result<Arc<dyn LetterIndex>> {
    if config.backends.search == "opensearch" {
        let chance = Arc::new(Chance::seeded(clock.now().0.unsigned_abs()));
        return super::backends::shared_letters(config, clock, &chance);
    }
    Ok(Arc::new(TantivyLetters::open_to_read(&config.data.letters())?))
}

/// What SQLite finds wrong with the structure of the database; nothing if it is sound.
///
/// # Errors
/// It cannot be opened or read.
pub async fn integrity_problems(config: &Config, clock: Arc<dyn Clock>) -> anyhow::Result<Vec<String>> {
    let db = SqliteDb::open(&config.data.database(), OpenMode::ReadOnly, clock)?;
    Ok(db.integrity_problems().await?)
}

/// Who holds the database, if anybody does; the lock is tried and let go.
///
/// # Errors
/// The lock file cannot be used.
pub fn holder(config: &Config) -> Result<Option<String>, StoreError> {
    if !config.backends.is_embedded() {
        return Ok(None);
    }
    match SqliteDb::try_lock(&config.data.database()) {
        Ok(()) => Ok(None),
        Err(StoreError::Held { holder, .. }) => Ok(Some(holder)),
        Err(error) => Err(error),
    }
}

/// Why the search index cannot be used as it is; nothing if it can. Nobody else may hold it.
///
/// # Errors
/// Its folder cannot be read.
pub fn index_damage(config: &Config) -> anyhow::Result<Option<String>> {
    match TantivyIndex::open(&config.data.index(), &TantivySettings::default())? {
        OpenOutcome::Ready(_) => Ok(None),
        OpenOutcome::NeedsRebuild(why) => Ok(Some(why)),
    }
}

/// The denylist's hashes beside the daemon; none if the store was never used with a key.
///
/// # Errors
/// The key file is lost or changed.
pub async fn deny_hasher(config: &Config, store: &dyn Store) -> anyhow::Result<Option<DenyHasher>> {
    let file = hash_key_file(config);
    if store.meta(crate::jobs::deny::CHECK_KEY).await?.is_none() {
        return Ok(None);
    }
    Ok(Some(DenyHasher::open(&file, store).await?))
}

/// Where a site lies.
#[derive(Debug, Clone)]
pub enum SiteAt {
    /// On the web.
    Web(Url),
    /// In a folder, with the path of its entry page.
    Folder {
        /// The web root.
        root: PathBuf,
        /// The entry page within it.
        entry: String,
    },
}

/// Prepares a single visit whose holds and page copies lie in `scratch`. Answers it with the entry's URL.
///
/// # Errors
/// A sentence that says what to change.
pub async fn single_visit(config: &Config, scratch: &Path, site: &SiteAt, clock: Arc<dyn Clock>) -> anyhow::Result<(SingleVisit, Url)> {
    let own = own_store(scratch, &clock)?;
    match site {
        SiteAt::Web(entry) => {
            let beside = Beside::of(config, &own, &clock).await?;
            Ok((beside.visit(config, scratch, own, clock).await?, entry.clone()))
        }
        SiteAt::Folder { root, entry } => folder_visit(config, scratch, own, clock, root, entry).await,
    }
}

/// A visit to a folder: its pages are its files, and what scripts ask for while a browser draws them is served on this machine.
async fn folder_visit(
    config: &Config,
    scratch: &Path,
    own: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    root: &Path,
    entry: &str,
) -> anyhow::Result<(SingleVisit, Url)> {
    let site = FolderSite::open(host_of(root), root.to_owned(), entry);
    let url = Url::parse(&site.address()).with_context(|| format!("--entry {entry} is no path of a page"))?;
    let server = FolderServer::start(vec![site.clone()]).await.context("the folder cannot be served to a browser")?;
    let mut map = HostMap::none();
    map.add(&site.host, MappedHost { address: server.addr.ip(), port: server.addr.port(), spacing_ms: 0 })?;
    let guard = Arc::new(Guard::new(map).only_mapped(true));
    let denial: Arc<dyn UrlDenial> = Arc::new(SiteDenial::new(own.clone(), Arc::new(DenyHasher::new(vec![0; 16]))));
    let draw = DrawServed::new(super::drawing::draw(config, &guard, &denial, &clock)?, server);
    let draws_itself = draws_itself(&site, &url);
    let reach = Reach {
        fetch: Arc::new(FolderFetch::new(site, draws_itself, fetch_limits(&config.fetch))),
        guard,
        denial,
        keeps: false,
        shared_holds: None,
        remembers: own.clone(),
        draw: Arc::new(draw),
    };
    // Nobody else is asked, so no interval has to pass.
    let mut config = config.clone();
    config.fetch.only_mapped = true;
    Ok((visit_within(&config, scratch, own, clock, reach, false).await?, url))
}

/// Whether the first page of a folder is a shell that a script fills, whatever the path.
fn draws_itself(site: &FolderSite, url: &Url) -> bool {
    let Some(bytes) = site.file_at(url.path()).and_then(|file| std::fs::read(file).ok()) else { return false };
    let clock = || Duration::ZERO;
    let budget = ParseBudget::new(ParseLimits::default(), &clock);
    let text = decode_page(&bytes, None, url.host_str());
    read_page(url, &text, &Styles::standard(), &budget).is_ok_and(|page| page.signals.drawn_by_script)
}

/// Prepares to answer what would happen to URLs; holds and copies of the visit it may need lie in `scratch`.
///
/// # Errors
/// A sentence that says what to change.
pub async fn inquiry(config: &Config, scratch: &Path, clock: Arc<dyn Clock>) -> anyhow::Result<Inquiry> {
    let own = own_store(scratch, &clock)?;
    let beside = Beside::of(config, &own, &clock).await?;
    let (known, back_offs) = match &beside.directory {
        Some(store) => {
            let (objects, _) = super::open_objects(config).await?;
            let known = RobotsFiles::new(objects, clock.clone(), PRODUCT_TOKEN);
            (Some(known), store.host_back_offs(clock.now()).await?)
        }
        None => (None, Vec::new()),
    };
    let (guard, denial) = (beside.guard.clone(), beside.denial.clone());
    let visit = beside.visit(config, scratch, own, clock.clone()).await?;
    Ok(Inquiry { visit, guard, denial, known, back_offs, clock })
}

/// The store of a single visit, for its holds.
fn own_store(scratch: &Path, clock: &Arc<dyn Clock>) -> anyhow::Result<Arc<dyn Store>> {
    Ok(Arc::new(SqliteStore::new(SqliteDb::open(&scratch.join("visit.db"), OpenMode::Owner, clock.clone())?)))
}

/// What decides about sites on the web, beside the daemon.
struct Beside {
    guard: Arc<Guard>,
    /// The directory on this machine, if there is one.
    directory: Option<Arc<dyn Store>>,
    denial: Arc<dyn UrlDenial>,
}

impl Beside {
    async fn of(config: &Config, own: &Arc<dyn Store>, clock: &Arc<dyn Clock>) -> anyhow::Result<Self> {
        let guard = Arc::new(Guard::new(host_map(&config.fetch)?).only_mapped(config.fetch.only_mapped));
        let directory = directory(config, clock.clone()).await?;
        let denial = denial(config, directory.as_ref(), own).await?;
        Ok(Self { guard, directory, denial })
    }

    async fn visit(self, config: &Config, scratch: &Path, own: Arc<dyn Store>, clock: Arc<dyn Clock>) -> anyhow::Result<SingleVisit> {
        let Self { guard, directory, denial } = self;
        let fetch = HttpFetch::new(guard.clone(), fetch_limits(&config.fetch), &config.fetch.user_agent, clock.clone())?;
        let remembers = directory.unwrap_or_else(|| own.clone());
        let draw = super::drawing::draw(config, &guard, &denial, &clock)?;
        let reach = Reach { fetch: Arc::new(fetch), draw, guard, denial, keeps: false, shared_holds: None, remembers };
        visit_within(config, scratch, own, clock, reach, true).await
    }
}

/// A visit within `reach`: on the web, or in a folder of this machine, whose pages have more time and no wishes.
async fn visit_within(
    config: &Config,
    scratch: &Path,
    own: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    reach: Reach,
    on_web: bool,
) -> anyhow::Result<SingleVisit> {
    let objects = Objects::in_folder(&scratch.join("objects"))?;
    let chance = Arc::new(Chance::seeded(clock.now().0.unsigned_abs()));
    let time_ms = if on_web { config.fetch.parse_ms } else { FOLDER_PARSE_MS };
    let parse = ParseLimits { time_ms, nodes: config.fetch.parse_nodes, depth: config.fetch.parse_depth };
    let styles = Arc::new(Styles::standard());
    let child = ChildSettings { program: PathBuf::new(), time: Duration::ZERO, memory_mb: 0 };
    Ok(SingleVisit {
        visitor: visitor(config, &own, &objects, &clock, &chance, reach).await?,
        reader: PageReader::new(styles.clone(), parse, 1, child),
        styles,
        clock,
        site: SiteLimits { pages: config.fetch.pages_per_site, obey_nofollow: on_web, ..SiteLimits::default() },
        obeys_noindex: on_web,
        draws: config.browser.enabled,
        patience: PATIENCE,
    })
}

/// The directory on this machine, for reading, if there is one: whom it leaves alone is not read by hand either.
async fn directory(config: &Config, clock: Arc<dyn Clock>) -> anyhow::Result<Option<Arc<dyn Store>>> {
    if config.backends.is_embedded() && !config.data.database().is_file() {
        return Ok(None);
    }
    open_for_reading(config, clock).await.map(Some)
}

/// The denylist of the directory, if there is one.
async fn denial(config: &Config, directory: Option<&Arc<dyn Store>>, own: &Arc<dyn Store>) -> anyhow::Result<Arc<dyn UrlDenial>> {
    if let Some(store) = directory
        && let Some(hasher) = deny_hasher(config, store.as_ref()).await?
    {
        return Ok(Arc::new(SiteDenial::new(store.clone(), Arc::new(hasher))));
    }
    Ok(Arc::new(SiteDenial::new(own.clone(), Arc::new(DenyHasher::new(vec![0; 16])))))
}

/// A made-up host for a folder.
fn host_of(root: &Path) -> String {
    let name = root.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let host: String = name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).take(60).collect();
    let host = host.trim_matches('-');
    if host.is_empty() { "site.test".to_owned() } else { format!("{host}.test") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::MappedHost as Entry;
    use crate::domain::clock::SystemClock;
    use crate::domain::outcome::WaitFor;
    use crate::jobs::site_visit::PageStop;
    use crate::scrape::visit::VisitError;
    use crate::store::Meta;
    use std::net::Ipv4Addr;

    fn mapped(config: &mut Config, host: &str, port: u16) {
        config.fetch.hosts.push(Entry { host: host.to_owned(), address: Ipv4Addr::LOCALHOST.into(), port, spacing_ms: 1 });
    }

    #[tokio::test]
    async fn a_host_that_asked_the_directory_to_stay_away_is_not_visited_by_hand() {
        let folder = tempfile::tempdir().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let mut config = Config::default();
        config.data.folder = folder.path().join("data");
        std::fs::create_dir_all(&config.data.folder).unwrap();
        // Whoever connects is met by this listener, which nobody ever does.
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        mapped(&mut config, "studio.example", listener.local_addr().unwrap().port());
        let until = clock.now().plus(Duration::from_secs(24 * 3_600));
        let owner = SqliteStore::new(SqliteDb::open(&config.data.database(), OpenMode::Owner, clock.clone()).unwrap());
        owner.put_host_back_off("studio.example", until).await.unwrap();

        let site = SiteAt::Web(Url::parse("http://studio.example/").unwrap());
        let (visit, entry) = single_visit(&config, folder.path(), &site, clock).await.unwrap();
        let not_read = visit.read(&entry).await.unwrap_err();
        assert!(
            matches!(&not_read.stop, PageStop::Visit(VisitError::Wait { until: told, why: WaitFor::Host }) if *told == until),
            "{not_read}"
        );
        let asked = std::future::poll_fn(|context| std::task::Poll::Ready(listener.poll_accept(context).is_ready())).await;
        assert!(!asked, "the host was asked all the same");
    }

    /// Mapped hosts or not: unless all others are refused, the process before may just have asked somebody.
    #[tokio::test]
    async fn a_start_waits_an_interval_unless_only_mapped_hosts_are_reached() {
        let page = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 12\r\nconnection: close\r\n\r\n<h1>Ana</h1>";
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 4_096];
                tokio::io::AsyncReadExt::read(&mut stream, &mut request).await.unwrap();
                tokio::io::AsyncWriteExt::write_all(&mut stream, page).await.unwrap();
            }
        });
        for only_mapped in [true, false] {
            let folder = tempfile::tempdir().unwrap();
            let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
            let mut config = Config::default();
            config.data.folder = folder.path().join("data");
            config.fetch.only_mapped = only_mapped;
            // Longer than anybody's patience.
            config.fetch.spacing_ms = 3_600_000;
            mapped(&mut config, "studio.example", port);
            let site = SiteAt::Web(Url::parse("http://studio.example/").unwrap());
            let (visit, entry) = single_visit(&config, folder.path(), &site, clock).await.unwrap();
            match visit.read(&entry).await {
                Ok(_) => assert!(only_mapped, "the first request came at once"),
                Err(not_read) => {
                    let waits = matches!(not_read.stop, PageStop::Visit(VisitError::Wait { why: WaitFor::Host, .. }));
                    assert!(waits && !only_mapped, "{not_read}");
                }
            }
        }
        server.abort();
    }
}
