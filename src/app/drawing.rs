//! How pages are drawn: by Chromium if this build and the configuration have it.

use crate::config::Config;
use crate::demo::FolderServer;
use crate::domain::clock::Clock;
use crate::scrape::FetchedPage;
use crate::scrape::draw::{Draw, DrawCounts, DrawError, Drawn, NoBrowser};
use crate::scrape::guard::Guard;
use crate::scrape::visit::UrlDenial;
use async_trait::async_trait;
use std::sync::Arc;

/// What is said of a configuration without a browser.
const SWITCHED_OFF: &str = "browser.enabled is false";

/// What draws pages. No browser is started here.
#[cfg(feature = "chrome")]
pub(super) fn draw(
    config: &Config,
    guard: &Arc<Guard>,
    denial: &Arc<dyn UrlDenial>,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Arc<dyn Draw>> {
    use crate::scrape::chrome::Chrome;
    if !config.browser.enabled {
        return Ok(Arc::new(NoBrowser(SWITCHED_OFF)));
    }
    if config.browser.without_sandbox {
        tracing::warn!("browser.without_sandbox is set: a page that breaks out of the browser has the rights of its user");
    }
    Ok(Arc::new(Chrome::new(chrome_settings(config), guard.clone(), denial.clone(), clock.clone())?))
}

/// What draws pages in a build without Chromium: nothing.
#[cfg(not(feature = "chrome"))]
pub(super) fn draw(config: &Config, _: &Arc<Guard>, _: &Arc<dyn UrlDenial>, _: &Arc<dyn Clock>) -> anyhow::Result<Arc<dyn Draw>> {
    Ok(Arc::new(NoBrowser(if config.browser.enabled { "this build has none; build with the feature `chrome`" } else { SWITCHED_OFF })))
}

/// How the configuration has Chromium draw pages.
#[cfg(feature = "chrome")]
fn chrome_settings(config: &Config) -> crate::scrape::chrome::ChromeSettings {
    use std::time::Duration;
    let (browser, ms) = (&config.browser, Duration::from_millis);
    let folder = if browser.folder.as_os_str().is_empty() { std::env::temp_dir() } else { browser.folder.clone() };
    crate::scrape::chrome::ChromeSettings {
        program: browser.program.clone(),
        user: browser.user.clone(),
        without_sandbox: browser.without_sandbox,
        user_agent: config.fetch.user_agent.clone(),
        folder,
        browsers: browser.browsers,
        recycle_after: browser.recycle_after,
        idle: ms(browser.idle_ms),
        launch: ms(browser.launch_ms),
        page: ms(browser.page_ms),
        settle: ms(browser.settle_ms),
        quiet: ms(browser.quiet_ms),
        memory_bytes: browser.memory_mb * 1024 * 1024,
        connections: browser.connections,
        bytes: browser.bytes,
        text_bytes: config.fetch.decoded_bytes,
    }
}

/// What draws the pages of a folder: the same, over a server of the folder, which lives as long.
#[derive(Debug)]
pub(super) struct DrawServed {
    draw: Arc<dyn Draw>,
    _server: FolderServer,
}

impl DrawServed {
    /// Lets `draw` ask `server`.
    pub fn new(draw: Arc<dyn Draw>, server: FolderServer) -> Self {
        Self { draw, _server: server }
    }
}

#[async_trait]
impl Draw for DrawServed {
    async fn draw(&self, page: &FetchedPage) -> Result<Drawn, DrawError> {
        self.draw.draw(page).await
    }

    fn counts(&self) -> DrawCounts {
        self.draw.counts()
    }

    async fn close(&self) {
        self.draw.close().await;
    }
}

/// Has a page drawn that only a script fills, in a browser started as a job would start it. Answers its name and version;
/// nothing if no browser is wanted.
///
/// # Errors
/// Why none can be had, and what to do.
#[cfg(feature = "chrome")]
pub async fn look_at_browser(config: &Config, clock: Arc<dyn Clock>) -> anyhow::Result<Option<String>> {
    use crate::scrape::Validators;
    use crate::scrape::chrome::Chrome;
    use crate::scrape::guard::HostMap;
    use url::Url;
    if !config.browser.enabled {
        return Ok(None);
    }
    let url = Url::parse("http://doctor.invalid/")?;
    let page = FetchedPage {
        requested: url.clone(),
        url,
        status: 200,
        text: "<!doctype html><title>doctor</title><p id=p></p><script>p.textContent = ['drawn', 'here'].join(' ')</script>".to_owned(),
        robots_tags: Vec::new(),
        tdm_reserved: false,
        validators: Validators::default(),
        wire_bytes: 0,
    };
    let guard = Arc::new(Guard::new(HostMap::none()).only_mapped(true));
    let chrome = Chrome::new(chrome_settings(config), guard, Arc::new(Nobody), clock)?;
    let drawn = chrome.draw(&page).await;
    chrome.close().await;
    match drawn? {
        Drawn::Page { text, .. } if text.contains("drawn here") => Ok(Some(chrome.version().unwrap_or_default())),
        other => anyhow::bail!("it drew something else: {other:?}"),
    }
}

/// As above: this build has no browser.
#[cfg(not(feature = "chrome"))]
pub async fn look_at_browser(config: &Config, _: Arc<dyn Clock>) -> anyhow::Result<Option<String>> {
    if config.browser.enabled { anyhow::bail!("this build has none; build with the feature `chrome`") } else { Ok(None) }
}

/// The page of the doctor is about nobody.
#[cfg(feature = "chrome")]
#[derive(Debug)]
struct Nobody;

#[cfg(feature = "chrome")]
#[async_trait]
impl UrlDenial for Nobody {
    async fn is_denied(&self, _: &url::Url) -> Result<bool, crate::store::StoreError> {
        Ok(false)
    }

    async fn names_removed(&self, _: &str) -> Result<bool, crate::store::StoreError> {
        Ok(false)
    }
}
