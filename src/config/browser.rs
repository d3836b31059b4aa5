//! Configuration of the browser that draws pages which say nothing without their scripts.

use super::Config;
use crate::config::section::{Problem, section};
use std::path::PathBuf;

section! {
    /// The browser (Chromium) for sites that say nothing without their scripts; all others are read without it. It reaches the web
    /// through a proxy of ours only, which lets it go where the crawler itself may go.
    BrowserConfig in "browser" {
        /// Whether there is one. Without, such sites are dead letters with the code `needs_browser`.
        enabled: bool = true;
        /// The program. Empty: chromium, chromium-browser, google-chrome-stable or google-chrome, whichever is found first.
        program: PathBuf = PathBuf::new();
        /// As whom it runs if Inkdex runs as root: root would have no sandbox. Best a user that runs nothing else.
        user: String = "nobody".to_owned(), |user| !user.is_empty() && user != "root" => "a user, and not root";
        /// Run it without its sandbox. A page that breaks out of the browser then has all rights of its user: warned about.
        without_sandbox: bool = false;
        /// Where its folders are made, each removed with its browser; its user must be able to reach it, and its
        /// path is to be short. Empty: the system's own.
        folder: PathBuf = PathBuf::new();
        /// Browsers at once.
        browsers: usize = 2, |n| (1..=2).contains(n) => "1 or 2";
        /// Pages after which a browser is replaced by a fresh one.
        recycle_after: u32 = 20, |n| (1..=1_000).contains(n) => "1 to 1000";
        /// Milliseconds a browser without work is kept.
        idle_ms: u64 = 30_000, |ms| (100..=60_000).contains(ms) => "100 to 60000";
        /// Milliseconds for a browser to start.
        launch_ms: u64 = 10_000, |ms| (500..=120_000).contains(ms) => "500 to 120000";
        /// Milliseconds for a page; then its browser is killed.
        page_ms: u64 = 15_000, |ms| (500..=120_000).contains(ms) => "500 to 120000";
        /// Milliseconds after which a page that never rests is taken as it is.
        settle_ms: u64 = 5_000, |ms| (100..=60_000).contains(ms) => "100 to 60000";
        /// Milliseconds for which nothing may change until a page is taken.
        quiet_ms: u64 = 500, |ms| (50..=10_000).contains(ms) => "50 to 10000";
        /// Megabytes of memory that a browser and all its processes may have for themselves; one that only shows an empty page
        /// has about 250.
        memory_mb: u64 = 768, |mb| (384..=16_384).contains(mb) => "384 to 16384";
        /// Connections that one page may make.
        connections: u32 = 200, |n| (1..=10_000).contains(n) => "1 to 10000";
        /// Bytes that one page may send and receive.
        bytes: u64 = 20_000_000, |bytes| (100_000..=1_000_000_000).contains(bytes) => "100000 to 1000000000";
        /// Days for which it is remembered that a site needs a browser or its sitemaps; then it is read without again.
        remember_days: u32 = 14, |days| (1..=30).contains(days) => "1 to 30";
        /// Milliseconds a job waits for a browser that cannot be had before it is a dead letter, so that no session is held open.
        wait_ms: u64 = 300_000, |ms| *ms <= 86_400_000 => "0 to 86400000";
    }
}

/// Problems between keys.
pub(super) fn check_together(config: &Config) -> Vec<Problem> {
    let (browser, mut problems) = (&config.browser, Vec::new());
    let mut problem = |place: &str, what: String, hint: &str| {
        problems.push(Problem { place: place.to_owned(), what, hint: hint.to_owned() });
    };
    if browser.enabled && browser.launch_ms + browser.page_ms > config.fetch.total_ms {
        let what = format!(
            "a page may take {} ms to be drawn, with the browser's start, and a host is held for requests of {} ms",
            browser.launch_ms + browser.page_ms,
            config.fetch.total_ms
        );
        problem("browser.page_ms", what, "set browser.launch_ms and browser.page_ms to no more than fetch.total_ms together");
    }
    if browser.settle_ms >= browser.page_ms {
        let what = format!("a page is taken after {} ms, when its browser was killed after {} ms", browser.settle_ms, browser.page_ms);
        problem("browser.settle_ms", what, "set browser.settle_ms below browser.page_ms");
    }
    problems
}
