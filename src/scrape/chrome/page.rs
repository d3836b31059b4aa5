//! Draws one page in a running browser: a context of its own, the page as it was fetched, its scripts, one look at the result.

use super::ChromeSettings;
use super::proxy::Allowance;
use crate::domain::clock::Clock;
use crate::domain::text::clean_line;
use crate::scrape::draw::Drawn;
use crate::scrape::guard::{read_url, shown};
use crate::scrape::{FetchError, FetchedPage, Limit};
use base64::Engine;
use headless_chrome::browser::tab::{RequestInterceptor, RequestPausedDecision};
use headless_chrome::browser::transport::{SessionId, Transport};
use headless_chrome::protocol::cdp::types::Event;
use headless_chrome::protocol::cdp::{Browser as BrowserDomain, Fetch, Network, Page, Runtime, Target};
use headless_chrome::{Browser, Tab};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use url::Url;

/// How often open requests are looked at.
const LOOK: Duration = Duration::from_millis(50);
/// Longest account of a failure kept, characters.
const WHY_MAX_CHARS: usize = 200;

/// Runs in every document before its own scripts: nobody answers questions here, and nothing speaks past the proxy.
const MUTE: &str = "for (const name of ['alert', 'confirm', 'prompt', 'print', 'open', 'RTCPeerConnection', 'webkitRTCPeerConnection']) \
    { try { Object.defineProperty(window, name, { value: () => null, writable: false, configurable: false }) } catch { } }";

/// Resolves once the document is complete and has not changed for QUIET milliseconds, at the latest after SETTLE.
const SETTLED: &str = "new Promise(done => { const began = performance.now(); let last = began; \
    new MutationObserver(() => { last = performance.now() }).observe(document, { subtree: true, childList: true, characterData: true, attributes: true }); \
    const look = () => { const now = performance.now(); \
        if (now - began >= SETTLE || (document.readyState === 'complete' && now - last >= QUIET)) done(true); else setTimeout(look, 50) }; \
    look() })";

/// The document as it stands; nothing if it is longer than MAX.
const DOCUMENT: &str = "(() => { const html = document.documentElement ? document.documentElement.outerHTML : ''; \
    return html.length > MAX ? null : '<!doctype html>' + html })()";

/// What the crate reports, whatever it is.
struct Failed(String);

impl<E: std::fmt::Display> From<E> for Failed {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// What is known of a page while it is drawn.
#[derive(Debug, Default)]
struct State {
    /// The way to the browser itself, which the crate shows to interceptors only.
    transport: Option<Arc<Transport>>,
    served: bool,
    moved: Option<Url>,
    open: HashSet<String>,
}

type SharedState = Arc<Mutex<State>>;

fn state(shared: &SharedState) -> MutexGuard<'_, State> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Answers what the page asks for: the page itself from what was fetched, nothing that is not needed to read it.
struct Interceptor {
    page: FetchedPage,
    frame: String,
    state: SharedState,
}

fn refused(request_id: String, error_reason: Network::ErrorReason) -> RequestPausedDecision {
    RequestPausedDecision::Fail(Fetch::FailRequest { request_id, error_reason })
}

impl RequestInterceptor for Interceptor {
    fn intercept(&self, transport: Arc<Transport>, _: SessionId, event: Fetch::events::RequestPausedEvent) -> RequestPausedDecision {
        let paused = event.params;
        let is_document = paused.resource_Type == Network::ResourceType::Document;
        // Frames within the page are not read, so they are not fetched.
        if !is_document || paused.frame_id != self.frame {
            return refused(paused.request_id, Network::ErrorReason::BlockedByClient);
        }
        let mut state = state(&self.state);
        if !state.served {
            state.served = true;
            state.transport = Some(transport);
            return RequestPausedDecision::Fulfill(Fetch::FulfillRequest {
                request_id: paused.request_id,
                response_code: 200,
                response_headers: Some(vec![Fetch::HeaderEntry {
                    name: "content-type".to_owned(),
                    value: "text/html; charset=utf-8".to_owned(),
                }]),
                binary_response_headers: None,
                body: Some(base64::engine::general_purpose::STANDARD.encode(&self.page.text)),
                response_phrase: None,
            });
        }
        // A script moves on (or offers a file): that is a hop, which whoever asked judges as any other.
        if state.moved.is_none() && paused.request.method == "GET" {
            state.moved = read_url(&paused.request.url, None).ok().filter(|to| is_elsewhere(to, &self.page.url));
        }
        // Any other reason would put a page of the browser in place of the document.
        refused(paused.request_id, Network::ErrorReason::Aborted)
    }
}

fn is_elsewhere(to: &Url, page: &Url) -> bool {
    let bare = |url: &Url| {
        let mut url = url.clone();
        url.set_fragment(None);
        url
    };
    bare(to) != bare(page)
}

/// Draws pages in one browser, one after the other.
pub(super) struct Artist<'a> {
    pub browser: &'a Browser,
    /// A tab that shows nothing, for what concerns the whole browser.
    pub desk: &'a Tab,
    pub settings: &'a ChromeSettings,
    pub clock: &'a dyn Clock,
}

impl Artist<'_> {
    /// Draws a page. Whatever the crate reports is a failure of the browser; whoever watches knows better if it was killed.
    ///
    /// # Errors
    /// [`FetchError`].
    pub fn draw(&self, page: &FetchedPage, allowance: &Allowance) -> Result<Drawn, FetchError> {
        let failed = |Failed(why): Failed| FetchError::NotDrawn { url: shown(&page.url), why: clean_line(&why, WHY_MAX_CHARS) };
        let context = self.browser.new_context().map_err(|error| failed(error.into()))?;
        let shared = SharedState::default();
        let drawn = self.in_context(&context, page, allowance, &shared).map_err(failed)?;
        // Its tab, cookies and storage go with it.
        let transport = state(&shared).transport.take().ok_or_else(|| failed("it never asked for the page".into()))?;
        let disposal = Target::DisposeBrowserContext { browser_context_id: context.get_id().to_owned() };
        transport.call_method_on_browser(disposal).map_err(|error| failed(error.into()))?;
        drawn.ok_or_else(|| FetchError::OverLimit { url: shown(&page.url), limit: Limit::DecodedBytes })
    }

    /// Nothing if the result is too long.
    fn in_context(
        &self,
        context: &headless_chrome::browser::context::Context<'_>,
        page: &FetchedPage,
        allowance: &Allowance,
        shared: &SharedState,
    ) -> Result<Option<Drawn>, Failed> {
        let deny = BrowserDomain::SetDownloadBehaviorBehaviorOption::Deny;
        self.desk.call_method(BrowserDomain::SetDownloadBehavior {
            behavior: deny,
            browser_context_id: Some(context.get_id().to_owned()),
            download_path: None,
            events_enabled: None,
        })?;
        let tab = context.new_tab()?;
        self.prepare(&tab, page, shared)?;
        let began = self.clock.monotonic();
        tab.call_method(Page::Navigate {
            url: page.url.to_string(),
            referrer: None,
            transition_Type: None,
            frame_id: None,
            referrer_policy: None,
        })?;
        // A world of our own: what the page does to its objects changes nothing there.
        let world = Page::CreateIsolatedWorld {
            frame_id: tab.get_target_id().clone(),
            world_name: Some("inkdex".to_owned()),
            grant_univeral_access: None,
        };
        let world = tab.call_method(world)?.execution_context_id;
        let settled = self.settle(&tab, world, shared, began);
        if let Some(to) = state(shared).moved.take() {
            return Ok(Some(Drawn::Moved { to }));
        }
        settled?;
        let text = evaluate(&tab, world, DOCUMENT.replace("MAX", &self.settings.text_bytes.to_string()))?;
        let text = text.and_then(|value| value.as_str().map(str::to_owned)).filter(|text| text.len() <= self.settings.text_bytes);
        Ok(text.map(|text| Drawn::Page { text, wire_bytes: allowance.received() }))
    }

    fn prepare(&self, tab: &Arc<Tab>, page: &FetchedPage, shared: &SharedState) -> Result<(), Failed> {
        let (weak, listening) = (Arc::downgrade(tab), Arc::clone(shared));
        tab.add_event_listener(Arc::new(move |event: &Event| match event {
            Event::PageJavascriptDialogOpening(_) => {
                if let Some(tab) = weak.upgrade() {
                    // It fails only with the tab itself.
                    let _gone = tab.get_dialog().dismiss();
                }
            }
            Event::NetworkRequestWillBeSent(event) => {
                state(&listening).open.insert(event.params.request_id.clone());
            }
            Event::NetworkLoadingFinished(event) => {
                state(&listening).open.remove(&event.params.request_id);
            }
            Event::NetworkLoadingFailed(event) => {
                state(&listening).open.remove(&event.params.request_id);
            }
            _ => {}
        }))?;
        tab.call_method(Network::Enable {
            max_total_buffer_size: Some(0),
            max_resource_buffer_size: Some(0),
            max_post_data_size: Some(0),
            report_direct_socket_traffic: None,
            enable_durable_messages: None,
        })?;
        let frame = tab.get_target_id().clone();
        tab.enable_request_interception(Arc::new(Interceptor { page: page.clone(), frame, state: Arc::clone(shared) }))?;
        use Network::ResourceType::{Document, Font, Image, Media};
        let pattern =
            |url: &str, kind| Fetch::RequestPattern { url_pattern: Some(url.to_owned()), resource_Type: kind, request_stage: None };
        let mut patterns: Vec<_> = [Document, Image, Media, Font].into_iter().map(|kind| pattern("*", Some(kind))).collect();
        // Chromium asks every site for it.
        patterns.push(pattern("*/favicon.ico", None));
        tab.enable_fetch(Some(&patterns), None)?;
        tab.call_method(Page::AddScriptToEvaluateOnNewDocument {
            source: MUTE.to_owned(),
            world_name: None,
            include_command_line_api: None,
            run_immediately: None,
        })?;
        Ok(())
    }

    /// Waits until nothing changes and nothing is on its way, or until that has taken long enough.
    fn settle(&self, tab: &Tab, world: u32, shared: &SharedState, began: Duration) -> Result<(), Failed> {
        loop {
            let left = self.settings.settle.saturating_sub(self.clock.monotonic().saturating_sub(began));
            let script = SETTLED.replace("QUIET", &self.settings.quiet.as_millis().to_string());
            evaluate(tab, world, script.replace("SETTLE", &left.as_millis().to_string()))?;
            let mut waited = false;
            while !state(shared).open.is_empty() && state(shared).moved.is_none() {
                if self.clock.monotonic().saturating_sub(began) >= self.settings.settle {
                    return Ok(());
                }
                waited = true;
                std::thread::park_timeout(LOOK);
            }
            // What has come just now may still be drawn.
            if !waited || state(shared).moved.is_some() {
                return Ok(());
            }
        }
    }
}

fn evaluate(tab: &Tab, world: u32, expression: String) -> Result<Option<serde_json::Value>, Failed> {
    let answer = tab.call_method(Runtime::Evaluate {
        expression,
        object_group: None,
        include_command_line_api: None,
        silent: Some(true),
        context_id: Some(world),
        return_by_value: Some(true),
        generate_preview: None,
        user_gesture: None,
        await_promise: Some(true),
        throw_on_side_effect: None,
        timeout: None,
        disable_breaks: None,
        repl_mode: None,
        allow_unsafe_eval_blocked_by_csp: None,
        unique_context_id: None,
        serialization_options: None,
    })?;
    match answer.exception_details {
        Some(exception) => Err(Failed(format!("a look at the page failed: {}", exception.text))),
        None => Ok(answer.result.value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_fragment_is_the_same_place() {
        let url = |text: &str| Url::parse(text).unwrap();
        let page = url("https://studio.example/a#x");
        assert!(!is_elsewhere(&url("https://studio.example/a#y"), &page));
        assert!(is_elsewhere(&url("https://studio.example/a?b"), &page) && is_elsewhere(&url("file:///etc/passwd"), &page));
    }
}
