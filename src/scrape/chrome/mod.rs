//! [`Chrome`]: pages drawn by at most two Chromium processes, each on a thread of its own, under a hard deadline and a limit of
//! memory, through a proxy that applies the guard. The one place that knows the crate `headless_chrome`.

mod launch;
mod leash;
mod page;
mod proxy;
mod thread;

use crate::domain::clock::Clock;
use crate::scrape::draw::{Draw, DrawCounts, DrawError, Drawn};
use crate::scrape::guard::{Guard, shown};
use crate::scrape::visit::UrlDenial;
use crate::scrape::{FetchError, FetchedPage, Limit};
use async_trait::async_trait;
use leash::Leash;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak, mpsc};
use std::time::Duration;
use thread::{Order, Thread};
use tokio::sync::oneshot;

/// How often a browser at work is looked at.
const PULSE: Duration = Duration::from_millis(250);
/// How long a thread whose browser was killed may take to notice.
const GRACE: Duration = Duration::from_secs(10);
/// How long the end of all browsers is waited for.
const CLOSE_WITHIN: Duration = Duration::from_secs(8);

/// How pages are drawn.
#[derive(Debug, Clone)]
pub struct ChromeSettings {
    /// The program; empty: whichever of the usual names is found.
    pub program: PathBuf,
    /// As whom it runs if we are root.
    pub user: String,
    /// Run it without its sandbox.
    pub without_sandbox: bool,
    /// Who we say we are.
    pub user_agent: String,
    /// Below which its folders are made.
    pub folder: PathBuf,
    /// Browsers at once.
    pub browsers: usize,
    /// Pages after which a browser is replaced.
    pub recycle_after: u32,
    /// How long a browser without work is kept.
    pub idle: Duration,
    /// Time for a browser to start.
    pub launch: Duration,
    /// Time for a page; then the browser is killed.
    pub page: Duration,
    /// Time after which a page is taken as it is.
    pub settle: Duration,
    /// How long nothing may change until a page is taken.
    pub quiet: Duration,
    /// Memory of all processes of a browser, bytes.
    pub memory_bytes: u64,
    /// Connections that a page may make.
    pub connections: u32,
    /// Bytes that a page may send and receive.
    pub bytes: u64,
    /// Length of a drawn page, bytes.
    pub text_bytes: usize,
}

/// What all threads share.
#[derive(Debug)]
struct Inner {
    settings: ChromeSettings,
    guard: Arc<Guard>,
    denial: Weak<dyn UrlDenial>,
    clock: Arc<dyn Clock>,
    /// Threads without work.
    free: Mutex<Vec<usize>>,
    orders: AtomicU64,
    version: Mutex<Option<String>>,
    drawn: AtomicU64,
    started: AtomicU64,
    retired: AtomicU64,
    killed: AtomicU64,
    leaked: AtomicU64,
    refused: AtomicU64,
    running: AtomicU64,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

/// What a thread shows to whoever watches it.
#[derive(Debug, Default)]
struct Slot {
    /// The number of the order it works on.
    order: AtomicU64,
    leash: Mutex<Option<Arc<Leash>>>,
    /// Monotonic: since when the page is drawn.
    since: Mutex<Option<Duration>>,
    /// The limit over which the browser was killed.
    over: Mutex<Option<Limit>>,
}

impl Slot {
    /// Kills the browser if it still works on this order.
    fn kill(&self, order: u64, over: Option<Limit>) {
        let mut verdict = locked(&self.over);
        if self.order.load(Ordering::Relaxed) == order {
            *verdict = verdict.or(over);
            self.kill_any();
        }
    }

    fn kill_any(&self) {
        if let Some(leash) = &*locked(&self.leash) {
            leash.kill();
        }
    }

    /// Begins another order: nobody kills for the one before any more.
    fn begin(&self, order: u64) {
        let mut verdict = locked(&self.over);
        self.order.store(order, Ordering::Relaxed);
        *verdict = None;
    }

    fn anonymous_bytes(&self) -> u64 {
        let leash = locked(&self.leash).clone();
        leash.map_or(0, |leash| leash.anonymous_bytes())
    }
}

/// A thread's turn; it is free again when this is dropped.
#[derive(Debug)]
struct Turn {
    inner: Arc<Inner>,
    thread: usize,
}

impl Drop for Turn {
    fn drop(&mut self) {
        locked(&self.inner.free).push(self.thread);
    }
}

/// Draws pages with Chromium.
#[derive(Debug)]
pub struct Chrome {
    inner: Arc<Inner>,
    threads: Vec<(mpsc::Sender<Order>, Arc<Slot>)>,
    /// Threads and proxies end in their own time; the store that answers this is not kept open by them.
    _denial: Arc<dyn UrlDenial>,
}

/// Kills the browser of whoever no longer waits for it.
struct Watch {
    slot: Arc<Slot>,
    order: u64,
    answered: bool,
}

impl Drop for Watch {
    fn drop(&mut self) {
        if !self.answered {
            self.slot.kill(self.order, None);
        }
    }
}

impl Chrome {
    /// Prepares the threads; no browser runs before there is a page to draw. Must be called on a tokio runtime.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn new(settings: ChromeSettings, guard: Arc<Guard>, denial: Arc<dyn UrlDenial>, clock: Arc<dyn Clock>) -> std::io::Result<Self> {
        let browsers = settings.browsers;
        let inner = Arc::new(Inner {
            settings,
            guard,
            denial: Arc::downgrade(&denial),
            clock,
            free: Mutex::new((0..browsers).collect()),
            orders: AtomicU64::default(),
            version: Mutex::default(),
            drawn: AtomicU64::default(),
            started: AtomicU64::default(),
            retired: AtomicU64::default(),
            killed: AtomicU64::default(),
            leaked: AtomicU64::default(),
            refused: AtomicU64::default(),
            running: AtomicU64::default(),
        });
        let runtime = tokio::runtime::Handle::current();
        let threads = (0..browsers).map(|number| {
            let (orders, waiting) = mpsc::channel();
            let slot = Arc::<Slot>::default();
            let (inner, shown, runtime) = (Arc::clone(&inner), Arc::clone(&slot), runtime.clone());
            let thread = Thread::new(inner, shown, runtime);
            std::thread::Builder::new().name(format!("browser-{number}")).spawn(move || thread.run(&waiting))?;
            Ok((orders, slot))
        });
        let threads = threads.collect::<std::io::Result<_>>()?;
        Ok(Self { inner, threads, _denial: denial })
    }

    /// Name and version of the browser that was started last.
    pub fn version(&self) -> Option<String> {
        locked(&self.inner.version).clone()
    }

    fn turn(&self) -> Option<Turn> {
        let thread = locked(&self.inner.free).pop()?;
        Some(Turn { inner: Arc::clone(&self.inner), thread })
    }
}

#[async_trait]
impl Draw for Chrome {
    async fn draw(&self, page: &FetchedPage) -> Result<Drawn, DrawError> {
        let turn = self.turn().ok_or(DrawError::Busy)?;
        let lost = || DrawError::Page(FetchError::NotDrawn { url: shown(&page.url), why: "the browser's thread ended".to_owned() });
        let Some((orders, slot)) = self.threads.get(turn.thread) else { return Err(lost()) };
        let Inner { settings, clock, .. } = self.inner.as_ref();
        let (reply, mut answer) = oneshot::channel();
        let order = self.inner.orders.fetch_add(1, Ordering::Relaxed) + 1;
        orders.send(Order::Draw { page: Box::new(page.clone()), order, turn, reply }).map_err(|_| lost())?;
        let mut watch = Watch { slot: Arc::clone(slot), order, answered: false };
        let given_up = clock.monotonic() + settings.launch + settings.page + GRACE;
        loop {
            tokio::select! {
                answered = &mut answer => {
                    watch.answered = true;
                    return answered.unwrap_or_else(|_| Err(lost()));
                }
                () = tokio::time::sleep(PULSE) => {}
            }
            let now = clock.monotonic();
            let since = *locked(&slot.since);
            if since.is_some_and(|since| now.saturating_sub(since) > settings.page) {
                slot.kill(order, Some(Limit::Drawing));
            }
            if now > given_up {
                return Err(FetchError::OverLimit { url: shown(&page.url), limit: Limit::Drawing }.into());
            }
            let weighed = Arc::clone(slot);
            let bytes = tokio::task::spawn_blocking(move || weighed.anonymous_bytes()).await.unwrap_or(0);
            if bytes > settings.memory_bytes {
                slot.kill(order, Some(Limit::DrawingMemory));
            }
        }
    }

    fn counts(&self) -> DrawCounts {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let inner = &self.inner;
        DrawCounts {
            drawn: of(&inner.drawn),
            started: of(&inner.started),
            retired: of(&inner.retired),
            killed: of(&inner.killed),
            leaked: of(&inner.leaked),
            refused: of(&inner.refused),
            running: of(&inner.running),
        }
    }

    async fn close(&self) {
        let mut ends = Vec::new();
        for (orders, slot) in &self.threads {
            let (told, end) = oneshot::channel();
            slot.kill_any();
            if orders.send(Order::End(told)).is_ok() {
                ends.push(end);
            }
        }
        if tokio::time::timeout(CLOSE_WITHIN, futures_util::future::join_all(ends)).await.is_err() {
            tracing::warn!("a browser did not end in time; it ends with this process");
        }
    }
}
