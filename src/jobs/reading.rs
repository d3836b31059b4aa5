//! Parsing and reading of pages: on a bounded blocking pool, or for a suspect job in a child process (rule 4).

use crate::domain::outcome::{Category, Failure, Outcome};
use crate::extract::{PageFindings, ParseBudget, ParseLimits, ParseStop, Sitemap, SitemapError, Styles, read_page};
use lru::LruCache;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;
use url::Url;

/// The hidden verb of the child process.
pub const CHILD_VERB: &str = "__read-page";

/// Most bytes of an answer taken from a child.
const ANSWER_MAX_BYTES: u64 = 64 * 1024 * 1024;

/// What a child is asked.
#[derive(Serialize, Deserialize)]
struct Question {
    url: Url,
    text: String,
    limits: ParseLimits,
    memory_mb: u64,
}

/// Why a page was not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Over the parse budget.
    #[error("{0}")]
    Stopped(ParseStop),
    /// A panic, caught: a fault of ours.
    #[error("reading panicked: {0}")]
    Panicked(String),
    /// The child process died.
    #[error("the child process that read the page died: {0}")]
    Died(String),
    /// The child process took too long and was killed.
    #[error("the child process that read the page was killed after {0} ms")]
    Overran(u64),
    /// A child process could not be started: nothing is known about the page.
    #[error("no child process could be started: {0}")]
    NoChild(String),
}

impl ReadError {
    /// The outcome of a job that cannot go on without the page.
    pub fn outcome(&self, page: &Url) -> Outcome {
        let message = format!("{page}: {self}");
        let retry = |category, code| Outcome::Retry { after: None, reason: Failure::new(category, code, "parse", &message) };
        match self {
            Self::Stopped(stop) => {
                let code = if matches!(stop, ParseStop::OverTime { .. }) { "parse_over_time" } else { "parse_over_budget" };
                Outcome::Dead { reason: Failure::new(Category::Data, code, "parse", &message) }
            }
            Self::Panicked(_) => retry(Category::Bug, "panic"),
            Self::Died(_) => retry(Category::Poison, "worker_died"),
            Self::Overran(_) => retry(Category::Poison, "worker_overran"),
            Self::NoChild(_) => retry(Category::Unknown, "no_child"),
        }
    }
}

/// Pages whose findings are kept: about what the jobs in work are busy with.
const KEPT: NonZeroUsize = NonZeroUsize::new(512).expect("512 is not zero");

/// What a page is recognised by: its address and its bytes.
type PageKey = [u8; 32];

/// Reads pages. Findings of the newest pages are kept, since every artist of a studio is read from the studio's pages.
#[derive(Debug)]
pub struct PageReader {
    kept: Mutex<LruCache<PageKey, Arc<PageFindings>>>,
    styles: Arc<Styles>,
    limits: ParseLimits,
    permits: Arc<Semaphore>,
    child: ChildSettings,
}

/// How a suspect's child process is run.
#[derive(Debug, Clone)]
pub struct ChildSettings {
    /// The binary: this one.
    pub program: PathBuf,
    /// Time for one page.
    pub time: Duration,
    /// Address space, megabytes.
    pub memory_mb: u64,
}

impl PageReader {
    /// A reader that parses at most `parsers` pages at once.
    pub fn new(styles: Arc<Styles>, limits: ParseLimits, parsers: usize, child: ChildSettings) -> Self {
        Self { kept: Mutex::new(LruCache::new(KEPT)), styles, limits, permits: Arc::new(Semaphore::new(parsers.max(1))), child }
    }

    /// Reads a page, in a child process if the job is a suspect and nobody has read the page yet: a page that was read, here
    /// or in a child, kills no reader.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn read(&self, url: &Url, text: String, suspect: bool) -> Result<PageFindings, ReadError> {
        let key = page_key(url, &text);
        if let Some(findings) = self.kept().get(&key) {
            return Ok(PageFindings::clone(findings));
        }
        let permit = self.permits.clone().acquire_owned().await.expect("the semaphore is never closed");
        if suspect {
            let findings = self.read_in_child(url, text).await?;
            drop(permit);
            self.kept().put(key, Arc::new(findings.clone()));
            return Ok(findings);
        }
        let (styles, limits, url) = (self.styles.clone(), self.limits, url.clone());
        let task = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            read_now(&styles, limits, &url, &text)
        });
        match task.await {
            Ok(Ok(findings)) => {
                self.kept().put(key, Arc::new(findings.clone()));
                Ok(findings)
            }
            Ok(Err(stop)) => Err(ReadError::Stopped(stop)),
            Err(error) => Err(ReadError::Panicked(panic_text(error))),
        }
    }

    /// Reads a sitemap. Nothing of it is worth keeping, and nothing in it recurs deeply enough to kill a process: no child is needed.
    ///
    /// # Errors
    /// [`ReadError`] if reading panicked; inside, why it is no sitemap.
    pub async fn read_sitemap(&self, url: &Url, text: String) -> Result<Result<Sitemap, SitemapError>, ReadError> {
        let permit = self.permits.clone().acquire_owned().await.expect("the semaphore is never closed");
        let (limits, url) = (self.limits, url.clone());
        let task = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let began = processor_time();
            Sitemap::read(&url, &text, &ParseBudget::new(limits, &|| processor_time().saturating_sub(began)))
        });
        task.await.map_err(|error| ReadError::Panicked(panic_text(error)))
    }

    fn kept(&self) -> MutexGuard<'_, LruCache<PageKey, Arc<PageFindings>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn read_in_child(&self, url: &Url, text: String) -> Result<PageFindings, ReadError> {
        let question = Question { url: url.clone(), text, limits: self.limits, memory_mb: self.child.memory_mb };
        let question = serde_json::to_vec(&question).map_err(|error| ReadError::NoChild(error.to_string()))?;
        let mut command = tokio::process::Command::new(&self.child.program);
        command.arg(CHILD_VERB).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| ReadError::NoChild(error.to_string()))?;
        let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(ReadError::NoChild("its pipes are missing".to_owned()));
        };
        let talk = async {
            let ask = async move {
                // A child that dies while it is being asked is met below, by its exit status.
                let _unread = stdin.write_all(&question).await;
                drop(stdin);
            };
            let mut answer = Vec::new();
            let mut limited = stdout.take(ANSWER_MAX_BYTES);
            let (_, heard) = tokio::join!(ask, limited.read_to_end(&mut answer));
            let status = child.wait().await;
            (heard, status, answer)
        };
        let Ok((heard, status, answer)) = tokio::time::timeout(self.child.time, talk).await else {
            return Err(ReadError::Overran(u64::try_from(self.child.time.as_millis()).unwrap_or(u64::MAX)));
        };
        let status = status.map_err(|error| ReadError::Died(error.to_string()))?;
        if !status.success() {
            return Err(ReadError::Died(status.to_string()));
        }
        heard.map_err(|error| ReadError::Died(error.to_string()))?;
        let answer: Result<PageFindings, ParseStop> =
            serde_json::from_slice(&answer).map_err(|error| ReadError::Died(format!("it answered nonsense: {error}")))?;
        answer.map_err(ReadError::Stopped)
    }
}

fn page_key(url: &Url, text: &str) -> PageKey {
    let mut hasher = Sha256::new();
    hasher.update(url.as_str().len().to_le_bytes());
    hasher.update(url.as_str());
    hasher.update(text);
    hasher.finalize().into()
}

/// A page that touches what extractors prepare when they are first used.
const WARM_UP: &str = "<title>Ana, tattoo artist</title><meta name=description content='Fine line tattoos'>\
    <script type='application/ld+json'>{\"@type\":\"Person\",\"name\":\"Ana\"}</script><h1>Ana</h1>\
    <p>Rua Um 12, 4000-001 Porto, Portugal. Tel. +351 22 123 45 67, ana@studio.example, @ana.inks</p>\
    <a href='https://www.instagram.com/ana.inks/'>Instagram</a><img src='/1.jpg' alt='fine line tattoo'>";

/// Reads a page on this thread. Its time is that of the processor spent on it: beside others on a busy machine a page takes
/// no more of it than alone, and what is prepared once for all pages is not put down to the first.
fn read_now(styles: &Styles, limits: ParseLimits, url: &Url, text: &str) -> Result<PageFindings, ParseStop> {
    static WARM: Once = Once::new();
    WARM.call_once(|| {
        // What it says is of no matter, and its own budget is never short.
        let _warm = read_page(url, WARM_UP, styles, &ParseBudget::new(ParseLimits::default(), &|| Duration::ZERO));
    });
    crate::faults::hit(crate::faults::Point::ReadPage, text);
    let began = processor_time();
    let elapsed = || processor_time().saturating_sub(began);
    read_page(url, text, styles, &ParseBudget::new(limits, &elapsed))
}

/// Processor time of this thread.
fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

fn panic_text(error: tokio::task::JoinError) -> String {
    if !error.is_panic() {
        return "the task was cancelled".to_owned();
    }
    let payload = error.into_panic();
    let text = payload.downcast_ref::<&str>().map(ToString::to_string).or_else(|| payload.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "a panic without a message".to_owned())
}

/// The body of the child process: one question on standard input, one answer on standard output.
///
/// # Errors
/// What went wrong, for the exit status; the parent counts any failure as a death it saw.
pub fn child_main(styles: &Styles) -> Result<(), String> {
    let question: Question = serde_json::from_reader(std::io::stdin().lock()).map_err(|error| error.to_string())?;
    let bytes = question.memory_mb.saturating_mul(1024 * 1024);
    rlimit::setrlimit(rlimit::Resource::AS, bytes, bytes).map_err(|error| error.to_string())?;
    let answer = read_now(styles, question.limits, &question.url, &question.text);
    serde_json::to_writer(std::io::stdout().lock(), &answer).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rule 4: only a page that nobody has read needs a child for a suspect; here none can be started.
    #[tokio::test]
    async fn a_page_that_was_read_needs_no_child() {
        let child = ChildSettings { program: PathBuf::from("/nowhere/inkdex"), time: Duration::from_secs(5), memory_mb: 512 };
        let limits = ParseLimits { time_ms: 60_000, ..ParseLimits::default() };
        let reader = PageReader::new(Arc::new(Styles::standard()), limits, 1, child);
        let url = Url::parse("https://studio.example/").unwrap();
        let text = || "<!doctype html><title>Ana</title><h1>Ana</h1>".to_owned();
        assert!(matches!(reader.read(&url, text(), true).await, Err(ReadError::NoChild(_))));
        let json = |findings: Result<PageFindings, ReadError>| serde_json::to_string(&findings.unwrap()).unwrap();
        let read = json(reader.read(&url, text(), false).await);
        assert_eq!(json(reader.read(&url, text(), true).await), read);
        let other = Url::parse("https://studio.example/other").unwrap();
        assert!(matches!(reader.read(&other, text(), true).await, Err(ReadError::NoChild(_))), "another page");
    }
}
