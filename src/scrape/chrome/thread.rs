//! The thread of one browser after the other: starts it, has pages drawn, and ends it.

use super::launch::{self, Launched};
use super::leash::Leash;
use super::page::Artist;
use super::proxy::{Allowance, Proxy};
use super::{Inner, Slot, Turn, add, locked};
use crate::scrape::draw::{DrawError, Drawn};
use crate::scrape::guard::shown;
use crate::scrape::{FetchError, FetchedPage};
use headless_chrome::{Browser, Tab};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak, mpsc};
use tokio::sync::oneshot;

/// What a thread is told.
pub(super) enum Order {
    Draw { page: Box<FetchedPage>, order: u64, turn: Turn, reply: oneshot::Sender<Result<Drawn, DrawError>> },
    End(oneshot::Sender<()>),
}

/// A running browser.
struct Window {
    browser: Browser,
    desk: Arc<Tab>,
    leash: Arc<Leash>,
    proxy: Proxy,
    drawn: u32,
}

/// Why a browser ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// It drew enough, or has nothing to draw.
    Retired,
    /// Over a page.
    Killed,
}

/// The thread of one browser after the other.
pub(super) struct Thread {
    inner: Arc<Inner>,
    slot: Arc<Slot>,
    runtime: tokio::runtime::Handle,
    window: Option<Window>,
}

impl Thread {
    /// Without a browser.
    pub fn new(inner: Arc<Inner>, slot: Arc<Slot>, runtime: tokio::runtime::Handle) -> Self {
        Self { inner, slot, runtime, window: None }
    }

    /// Does what it is told until nobody can tell it anything any more.
    pub fn run(mut self, orders: &mpsc::Receiver<Order>) {
        launch::tidy(&self.inner.settings);
        loop {
            match orders.recv_timeout(self.inner.settings.idle) {
                // Whoever asked may have given up.
                Ok(Order::Draw { reply, .. }) if reply.is_closed() => {}
                Ok(Order::Draw { page, order, turn, reply }) => {
                    self.slot.begin(order);
                    let drawn = self.draw(&page);
                    // Whoever has the next turn may order it already: the order waits here.
                    drop(turn);
                    let _gone = reply.send(drawn);
                }
                Ok(Order::End(told)) => {
                    self.shut(End::Retired);
                    let _gone = told.send(());
                }
                Err(mpsc::RecvTimeoutError::Timeout) => self.shut(End::Retired),
                Err(mpsc::RecvTimeoutError::Disconnected) => return self.shut(End::Retired),
            }
        }
    }

    fn draw(&mut self, page: &FetchedPage) -> Result<Drawn, DrawError> {
        if self.window.as_ref().is_some_and(|window| !window.leash.runs()) {
            self.shut(End::Killed);
        }
        let window = match self.window.take() {
            Some(window) => window,
            None => self.open().map_err(|why| DrawError::NoBrowser { why, may_come: true })?,
        };
        let window = self.window.insert(window);
        let Inner { settings, clock, .. } = self.inner.as_ref();
        let allowance = Arc::new(Allowance::new(settings.connections, settings.bytes));
        window.proxy.open(Arc::clone(&allowance));
        *locked(&self.slot.since) = Some(clock.monotonic());
        let artist = Artist { browser: &window.browser, desk: &window.desk, settings, clock: clock.as_ref() };
        // The crate unwraps what a browser sends.
        let drawn = catch_unwind(AssertUnwindSafe(|| artist.draw(page, &allowance))).unwrap_or_else(|_| {
            Err(FetchError::NotDrawn { url: shown(&page.url), why: "the browser said what nobody understands".to_owned() })
        });
        *locked(&self.slot.since) = None;
        window.proxy.close();
        window.drawn += 1;
        let full = window.drawn >= settings.recycle_after;
        add(&self.inner.refused, u64::from(allowance.refused()));
        match drawn {
            Ok(drawn) => {
                add(&self.inner.drawn, 1);
                if full {
                    self.shut(End::Retired);
                }
                Ok(drawn)
            }
            Err(error) => {
                // Nobody knows what the page has left behind.
                self.shut(End::Killed);
                let over = locked(&self.slot.over).take();
                Err(over.map_or(error, |limit| FetchError::OverLimit { url: shown(&page.url), limit }).into())
            }
        }
    }

    /// Starts a browser with a proxy of its own.
    fn open(&self) -> Result<Window, String> {
        let Inner { settings, guard, denial, .. } = self.inner.as_ref();
        let starting = Proxy::start(Arc::clone(guard), Weak::clone(denial));
        let proxy = self.runtime.block_on(starting).map_err(|error| format!("its proxy cannot listen: {error}"))?;
        let launched = launch::launch(settings, proxy.address(), |leash| *locked(&self.slot.leash) = Some(Arc::clone(leash)));
        let opened = launched.and_then(|Launched { browser, leash, version }| {
            let desk = browser.new_tab().map_err(|error| format!("it opens no tab: {error}"));
            if desk.is_err() {
                leash.end();
            }
            desk.map(|desk| (browser, desk, leash, version))
        });
        match opened {
            Ok((browser, desk, leash, version)) => {
                add(&self.inner.started, 1);
                add(&self.inner.running, 1);
                *locked(&self.inner.version) = Some(version);
                Ok(Window { browser, desk, leash, proxy, drawn: 0 })
            }
            Err(why) => {
                *locked(&self.slot.leash) = None;
                Err(why)
            }
        }
    }

    /// Ends the browser, if one runs, and counts it.
    fn shut(&mut self, end: End) {
        let Some(window) = self.window.take() else { return };
        let leaked = window.leash.end();
        *locked(&self.slot.leash) = None;
        add(if end == End::Killed { &self.inner.killed } else { &self.inner.retired }, 1);
        self.inner.running.fetch_sub(1, Ordering::Relaxed);
        if leaked > 0 {
            add(&self.inner.leaked, leaked);
            tracing::warn!(processes = leaked, "{leaked} processes of a browser outlived it");
        }
    }
}
