//! robots.txt by RFC 9309: what a file allows ([`RobotsRules`]) and the files known ([`RobotsFiles`]: in memory, and kept in
//! the object store for other processes and for times when a site is unreachable).

use crate::domain::clock::{Clock, Timestamp};
use crate::objects::{Objects, ObjectsError};
use crate::scrape::content_signal::{self, Signal};
use crate::scrape::page_cache::{pack, unpack};
use robotxt::Robots;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use url::Url;

/// The name by which robots.txt and pages address us; the user agent begins with it, so that a site sees whom to address.
pub const PRODUCT_TOKEN: &str = "Inkdex";

/// How long a file is believed (RFC 9309, section 2.4).
pub const FRESH_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// How long an old file is still obeyed while the site is unreachable (RFC 9309, section 2.3.1.4).
pub const STALE_FOR: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Most files kept in memory, and most bytes of their texts: their rules take a small multiple of that.
const IN_MEMORY_MAX: usize = 5_000;
const IN_MEMORY_TEXT_BYTES: usize = 16_000_000;

/// What robots.txt says about one URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RobotsVerdict {
    /// It may be fetched.
    Allowed,
    /// It may not.
    Disallowed {
        /// The rule that says so, as `Disallow: /private in the group of *` or `Content-Signal: search=no in line 2`.
        rule: String,
    },
}

/// A robots.txt as fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RobotsFile {
    /// Whose: scheme, host and port.
    pub origin: String,
    /// When it was fetched.
    pub fetched_at: Timestamp,
    /// The status it came with; a 4xx allows everything.
    pub status: u16,
    /// The text, at most the limit of such texts; empty for a 4xx.
    pub text: String,
}

/// The keys by which a line names an agent, as the parser knows them.
const AGENT_KEYS: [&str; 3] = ["user-agent", "user agent", "useragent"];

/// A line as the parser has to have it, if that is another; it may become two.
///
/// - Many files name a crawler as its logs show it (`Inkdex/0.1 (+https://…)`) or say more behind `*`: RFC 9309 asks for the
///   product token alone (section 2.2.1), and Google reads no further than that.
/// - `*/feed` means every `/feed`, the first one too; the parser puts a slash before the star and takes it for later ones only.
pub fn plain_line(line: &str, product_token: &str) -> Option<String> {
    let rest = line.trim_start_matches(['\u{feff}', ' ', '\t']);
    let (key, value) = rest.split('#').next()?.split_once(':')?;
    let (key, value) = (key.trim_end_matches([' ', '\t']), value.trim());
    if !AGENT_KEYS.iter().any(|known| known.eq_ignore_ascii_case(key)) {
        return value.starts_with("*/").then(|| format!("{key}: {}\n{key}: {value}", &value[1..]));
    }
    let token = match value.strip_prefix('*') {
        Some(more) if more.starts_with([' ', '\t']) => "*",
        Some(_) => return None,
        None => &value[..value.find(|c: char| !c.is_ascii_alphabetic() && !matches!(c, '-' | '_')).unwrap_or(value.len())],
    };
    let is_ours = token == "*" || token.eq_ignore_ascii_case(product_token);
    (is_ours && token != value).then(|| format!("user-agent: {token}"))
}

/// The rules of a text for a product token.
pub fn parse(text: &str, product_token: &str) -> Robots {
    if !text.split(['\n', '\r']).any(|line| plain_line(line, product_token).is_some()) {
        return Robots::parse(text.as_bytes(), product_token);
    }
    let lines = text.split_inclusive(['\n', '\r']).map(|line| match plain_line(line, product_token) {
        Some(plain) => Cow::Owned(plain + &line[line.trim_end_matches(['\n', '\r']).len()..]),
        None => Cow::Borrowed(line),
    });
    Robots::parse(lines.collect::<String>().as_bytes(), product_token)
}

/// A rule as it is shown.
fn clean(rule: &str) -> String {
    crate::domain::text::clean_line(rule, 300)
}

/// The rules of one file for one product token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RobotsRules {
    rules: Robots,
    signals: Vec<Signal>,
    fetched_at: Timestamp,
}

impl RobotsRules {
    /// The rules of a file for our product token.
    pub fn of(file: &RobotsFile, product_token: &str) -> Self {
        if !(200..300).contains(&file.status) {
            return Self { rules: Robots::allow_all(), signals: Vec::new(), fetched_at: file.fetched_at };
        }
        let signals = content_signal::signals(&file.text, product_token);
        Self { rules: parse(&file.text, product_token), signals, fetched_at: file.fetched_at }
    }

    /// Whether `url` may be fetched, and the rule if not.
    pub fn verdict(&self, url: &Url) -> RobotsVerdict {
        let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
        if self.rules.is_url_allowed(url) {
            return match content_signal::refusal(&self.signals, path) {
                Some(signal) => RobotsVerdict::Disallowed { rule: clean(&format!("{} in line {}", signal.rule(), signal.line)) },
                None => RobotsVerdict::Allowed,
            };
        }
        let pattern = self.rules.matching_rule(path).map_or("/", robotxt::Rule::pattern);
        let rule = format!("Disallow: {pattern} in the group of {}", self.rules.user_agent());
        RobotsVerdict::Disallowed { rule: clean(&rule) }
    }

    /// The sitemaps that the file names, whatever group it names them in. Anybody's: they may lie on other sites.
    pub fn sitemaps(&self) -> &[Url] {
        self.rules.sitemaps()
    }

    /// The `Crawl-delay` of our group, if there is one.
    pub fn crawl_delay(&self) -> Option<Duration> {
        self.rules.crawl_delay()
    }
}

/// The origin a robots.txt belongs to, as `https://studio.example` or `http://studio.example:8080`.
pub fn origin(url: &Url) -> String {
    url[..url::Position::BeforePath].to_owned()
}

/// The files known to this process and, through the object store, to others.
#[derive(Debug)]
pub struct RobotsFiles {
    objects: Objects,
    clock: Arc<dyn Clock>,
    product_token: String,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    by_origin: HashMap<String, Arc<RobotsRules>>,
    text_bytes: usize,
}

pub(super) fn key(origin: &str) -> String {
    format!("robots/{}", crate::domain::artist::hex(&Sha256::digest(origin.as_bytes())[..]))
}

impl RobotsFiles {
    /// No file known yet but those in the object store.
    pub fn new(objects: Objects, clock: Arc<dyn Clock>, product_token: &str) -> Self {
        Self { objects, clock, product_token: product_token.to_owned(), known: Mutex::default() }
    }

    fn younger_than(&self, fetched_at: Timestamp, age: Duration) -> bool {
        self.clock.now().since(fetched_at) < age
    }

    /// The rules of an origin that are still believed, if they are known.
    ///
    /// # Errors
    /// [`ObjectsError`] if the object store fails.
    pub async fn fresh(&self, origin: &str) -> Result<Option<Arc<RobotsRules>>, ObjectsError> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).by_origin.get(origin).cloned();
        if let Some(rules) = known
            && self.younger_than(rules.fetched_at, FRESH_FOR)
        {
            return Ok(Some(rules));
        }
        match self.stored(origin).await? {
            Some(file) if self.younger_than(file.fetched_at, FRESH_FOR) => Ok(Some(self.remember(&file))),
            _ => Ok(None),
        }
    }

    /// The rules of an origin that are obeyed while it is unreachable, if they are known.
    ///
    /// # Errors
    /// [`ObjectsError`] if the object store fails.
    pub async fn stale(&self, origin: &str) -> Result<Option<Arc<RobotsRules>>, ObjectsError> {
        let stored = self.stored(origin).await?;
        let usable = stored.filter(|file| self.younger_than(file.fetched_at, STALE_FOR));
        Ok(usable.map(|file| Arc::new(RobotsRules::of(&file, &self.product_token))))
    }

    /// Keeps a file that was just fetched. The object store failing is logged only: the file is known to this process.
    pub async fn keep(&self, file: RobotsFile) -> Arc<RobotsRules> {
        let rules = self.remember(&file);
        match pack(&file) {
            Ok(bytes) => {
                if let Err(error) = self.objects.put(&key(&file.origin), bytes).await {
                    tracing::warn!(site.origin = %file.origin, "robots.txt not kept: {error}");
                }
            }
            Err(error) => tracing::warn!(site.origin = %file.origin, "robots.txt not packed: {error}"),
        }
        rules
    }

    fn remember(&self, file: &RobotsFile) -> Arc<RobotsRules> {
        let rules = Arc::new(RobotsRules::of(file, &self.product_token));
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.text_bytes += file.text.len();
        if known.by_origin.len() >= IN_MEMORY_MAX || known.text_bytes > IN_MEMORY_TEXT_BYTES {
            // The object store still has them all.
            *known = Known { by_origin: HashMap::new(), text_bytes: file.text.len() };
        }
        known.by_origin.insert(file.origin.clone(), Arc::clone(&rules));
        rules
    }

    /// The file of an origin as it was kept last, however old.
    ///
    /// # Errors
    /// [`ObjectsError`] if the object store fails.
    pub async fn stored(&self, origin: &str) -> Result<Option<RobotsFile>, ObjectsError> {
        let bytes = self.objects.get(&key(origin)).await?;
        let file: Option<RobotsFile> = bytes.and_then(|bytes| unpack(&bytes));
        Ok(file.filter(|file| file.origin == origin))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::ManualClock;

    fn url(path: &str) -> Url {
        Url::parse("https://studio.example/").unwrap().join(path).unwrap()
    }

    fn file(status: u16, text: &str) -> RobotsFile {
        RobotsFile { origin: "https://studio.example".into(), fetched_at: Timestamp(1_000_000), status, text: text.into() }
    }

    fn allowed(text: &str, path: &str) -> bool {
        RobotsRules::of(&file(200, text), "Inkdex").verdict(&url(path)) == RobotsVerdict::Allowed
    }

    #[test]
    fn groups_and_rules_are_read_as_rfc_9309_says() {
        let cases: &[(&str, &[&str], &[&str])] = &[
            ("", &["/", "/a"], &[]),
            ("User-agent: *\nDisallow:", &["/", "/a"], &[]),
            ("User-agent: *\nDisallow: /", &["/robots.txt"], &["/", "/a"]),
            ("user-agent: INKDEX\ndisallow: /x\n\nUser-agent: *\nDisallow: /", &["/", "/a"], &["/x", "/xy"]),
            (
                "User-agent: inkdex\nDisallow: /a\n\nUser-agent: other\nDisallow: /\n\nUser-agent: Inkdex\nDisallow: /b",
                &["/c"],
                &["/a", "/b"],
            ),
            ("User-agent: other\nUser-agent: inkdex\nDisallow: /a", &["/"], &["/a"]),
            ("User-agent: inkdex-images\nDisallow: /\n", &["/"], &[]),
            ("User-agent: Inkdex/0.1 (+https://x.example)\nDisallow: /a\n\nUser-agent: inkdex\nDisallow: /b", &["/"], &["/a", "/b"]),
            ("\u{feff}User-agent: *  # all\nDisallow: /a\n\nUser-agent : * and others\nDisallow: /b", &["/"], &["/a", "/b"]),
            ("User-agent: *\nDisallow: */feed # all\nDisallow: */x/$", &["/x", "/x/y"], &["/feed", "/feeds", "/a/feed", "/x/", "/a/x/"]),
            ("User-agent: InkdexTwo/1\nUser-agent: *bot\nDisallow: /", &["/"], &[]),
            ("User-agent: *\nDisallow: /p\nAllow: /p/ok", &["/p/ok", "/p/ok/deep"], &["/p", "/p/no"]),
            ("User-agent: *\nAllow: /p\nDisallow: /p", &["/p"], &[]),
            ("User-agent: *\nDisallow: /*.php$", &["/a.php?x=1", "/a.phpx"], &["/a.php", "/b/c.php"]),
            ("User-agent: *\nDisallow: /a%3Cd", &["/a"], &["/a%3cd", "/a%3Cd/e"]),
            ("User-agent: *\nDisallow: /caf\u{e9}", &["/cafe"], &["/caf%C3%A9"]),
            ("\u{feff}User-agent: *\r\nDisallow: /a\rnoise\r\nDisallow: /b # why\n", &["/c"], &["/a", "/b"]),
            ("Disallow: /before-any-group\nUser-agent: *\nDisallow: /x", &["/before-any-group"], &["/x"]),
            ("<html><title>Page not found</title>", &["/", "/a"], &[]),
        ];
        for (text, open, closed) in cases {
            for path in *open {
                assert!(allowed(text, path), "{text:?} should allow {path}");
            }
            for path in *closed {
                assert!(!allowed(text, path), "{text:?} should refuse {path}");
            }
        }
    }

    #[test]
    fn refusals_name_their_rule_and_delays_are_read() {
        let rules = RobotsRules::of(&file(200, "User-agent: *\nDisallow: /priv\nDisallow: /private/x\nCrawl-delay: 2.5"), "Inkdex");
        let expected = RobotsVerdict::Disallowed { rule: "Disallow: /private/x in the group of *".into() };
        assert_eq!(rules.verdict(&url("/private/x/y?z=1")), expected);
        assert_eq!(rules.crawl_delay(), Some(Duration::from_millis(2_500)));
        let signals = RobotsRules::of(&file(200, "User-agent: *\nContent-Signal: search=no\nDisallow: /no"), "Inkdex");
        let refused = |rule: &str| RobotsVerdict::Disallowed { rule: rule.into() };
        assert_eq!(signals.verdict(&url("/a")), refused("Content-Signal: search=no in line 2"));
        assert_eq!(signals.verdict(&url("/no")), refused("Disallow: /no in the group of *"));
        assert_eq!(RobotsRules::of(&file(404, "Content-Signal: search=no"), "Inkdex").verdict(&url("/a")), RobotsVerdict::Allowed);
        for status in [400, 401, 403, 404, 410, 451] {
            assert_eq!(RobotsRules::of(&file(status, ""), "Inkdex").verdict(&url("/")), RobotsVerdict::Allowed, "{status}");
        }
    }

    #[tokio::test]
    async fn memory_is_bounded_and_the_object_store_remembers() {
        let folder = tempfile::tempdir().unwrap();
        let files = RobotsFiles::new(Objects::in_folder(folder.path()).unwrap(), Arc::new(ManualClock::at(Timestamp(5))), "Inkdex");
        let text = format!("User-agent: *\nDisallow: /no\n{}", "# long\n".repeat(70_000));
        for site in 0..40 {
            files.keep(RobotsFile { origin: format!("https://site{site}.example"), ..file(200, &text) }).await;
        }
        assert!(files.known.lock().unwrap().by_origin.len() < 40);
        let first = files.fresh("https://site0.example").await.unwrap().expect("it is in the object store");
        assert!(matches!(first.verdict(&url("/no")), RobotsVerdict::Disallowed { .. }));
    }

    #[tokio::test]
    async fn files_are_believed_a_day_and_obeyed_a_month_while_unreachable() {
        let folder = tempfile::tempdir().unwrap();
        let objects = Objects::in_folder(folder.path()).unwrap();
        let clock = Arc::new(ManualClock::at(Timestamp(1_000_000)));
        let files = || RobotsFiles::new(objects.clone(), clock.clone(), "Inkdex");
        let first = files();
        assert_eq!(first.fresh("https://studio.example").await.unwrap(), None);
        let kept = first.keep(file(200, "User-agent: *\nDisallow: /")).await;
        assert_eq!(first.fresh("https://studio.example").await.unwrap().as_ref(), Some(&kept));
        assert_eq!(files().fresh("https://studio.example").await.unwrap(), Some(kept), "another process reads it from the object store");
        assert_eq!(files().fresh("http://studio.example").await.unwrap(), None, "rules belong to one origin");
        clock.advance(FRESH_FOR);
        assert_eq!(first.fresh("https://studio.example").await.unwrap(), None);
        assert!(files().stale("https://studio.example").await.unwrap().is_some());
        clock.advance(STALE_FOR);
        assert_eq!(files().stale("https://studio.example").await.unwrap(), None);
    }
}
