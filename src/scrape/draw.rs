//! [`Draw`] is the port of drawing: a page as the site sent it goes in, what a browser makes of it comes out. Fetching the page
//! itself stays with [`crate::scrape::Fetch`], so that robots.txt, politeness, limits and evidence hold for it as for any other.

use crate::scrape::{FetchError, FetchedPage};
use async_trait::async_trait;
use url::Url;

/// What a browser made of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Drawn {
    /// The page as it stands after its scripts ran.
    Page {
        /// As HTML.
        text: String,
        /// Bytes that the browser received for it.
        wire_bytes: u64,
    },
    /// A script moves on; the caller decides whether to go there.
    Moved {
        /// The target, not yet guarded.
        to: Url,
    },
}

/// Why a page was not drawn.
#[derive(Debug, thiserror::Error)]
pub enum DrawError {
    /// Nothing about the page: there is no browser that could draw it.
    #[error("no browser: {why}")]
    NoBrowser {
        /// What is missing, and what to do.
        why: String,
        /// Whether it may be there in a while without a restart.
        may_come: bool,
    },
    /// Every browser is drawing for somebody else.
    #[error("every browser is busy")]
    Busy,
    /// The page broke a limit or the browser.
    #[error(transparent)]
    Page(#[from] FetchError),
}

/// What browsers did since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DrawCounts {
    /// Pages drawn.
    pub drawn: u64,
    /// Browsers started.
    pub started: u64,
    /// Browsers ended for having drawn enough, or for having nothing to draw.
    pub retired: u64,
    /// Browsers killed over a page.
    pub killed: u64,
    /// Processes of ended browsers that outlived the end.
    pub leaked: u64,
    /// Connections that pages asked for and did not get.
    pub refused: u64,
    /// Browsers running now.
    pub running: u64,
}

/// Draws pages. Everything that the page asks for while it is drawn passes the guard; nothing stays behind of it.
#[async_trait]
pub trait Draw: std::fmt::Debug + Send + Sync {
    /// Draws `page`. Dropping the future ends the browser that draws.
    async fn draw(&self, page: &FetchedPage) -> Result<Drawn, DrawError>;

    /// What was done so far.
    fn counts(&self) -> DrawCounts;

    /// Ends every browser; whoever draws is cut off.
    async fn close(&self);
}

/// No browser, and none to come: switched off, or not built in.
#[derive(Debug)]
pub struct NoBrowser(pub &'static str);

#[async_trait]
impl Draw for NoBrowser {
    async fn draw(&self, _: &FetchedPage) -> Result<Drawn, DrawError> {
        Err(DrawError::NoBrowser { why: self.0.to_owned(), may_come: false })
    }

    fn counts(&self) -> DrawCounts {
        DrawCounts::default()
    }

    async fn close(&self) {}
}
