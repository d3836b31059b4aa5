//! The pages in headless Chromium: search, filter, open an artist, go back, on a desk and on a phone (002-C6).

use crate::support::http::TestWeb;
use crate::support::wait::{LONG, until};
use headless_chrome::protocol::cdp::types::Event;
use headless_chrome::protocol::cdp::{Emulation, Log, Runtime};
use headless_chrome::{Browser, LaunchOptions, Tab};
use std::ffi::OsStr;
use std::sync::{Arc, Mutex};

/// A window of a browser of its own, and what its console says is wrong.
struct Window {
    tab: Arc<Tab>,
    complaints: Arc<Mutex<Vec<String>>>,
    _browser: Browser,
}

impl Window {
    fn open() -> Self {
        let quiet = ["--disable-quic", "--disable-component-update", "--hide-scrollbars"].map(OsStr::new);
        let options = LaunchOptions::default_builder()
            // Chromium refuses its sandbox to root, as whom tests may run; it visits nothing but our own server here.
            .sandbox(false)
            .window_size(Some((1280, 900)))
            .idle_browser_timeout(LONG)
            .args(quiet.to_vec())
            .build()
            .expect("options");
        let browser = Browser::new(options).expect("Chromium is installed (apt-get install chromium)");
        let tab = browser.new_tab().expect("a tab");
        tab.set_default_timeout(LONG);
        tab.enable_log().expect("the log");
        tab.enable_runtime().expect("the console");
        let complaints: Arc<Mutex<Vec<String>>> = Arc::default();
        let heard = complaints.clone();
        tab.add_event_listener(Arc::new(move |event: &Event| heard.lock().expect("nobody panics here").extend(complaint(event))))
            .expect("a listener");
        Self { tab, complaints, _browser: browser }
    }

    /// Opens an address and waits until its scripts have run.
    fn visit(&self, web: &TestWeb, target: &str) {
        self.tab.navigate_to(&format!("http://{}{target}", web.address)).expect("an address");
        self.tab.wait_until_navigated().expect("the page loads");
        self.wait(web, "document.readyState === 'complete'");
    }

    fn evaluate(&self, expression: &str) -> serde_json::Value {
        let answer = self.tab.evaluate(expression, false).unwrap_or_else(|error| panic!("{expression}: {error}"));
        answer.value.clone().unwrap_or_else(|| panic!("{expression} is {answer:?}"))
    }

    fn text(&self, expression: &str) -> String {
        self.evaluate(expression).as_str().unwrap_or_else(|| panic!("{expression} is no text")).to_owned()
    }

    /// Waits until a condition of the page holds; while the page changes, asking may fail.
    fn wait(&self, web: &TestWeb, condition: &str) {
        web.run(until(condition, LONG, async || {
            let answer = self.tab.evaluate(condition, false).ok()?;
            (answer.value == Some(true.into())).then_some(())
        }));
    }

    fn click(&self, selector: &str) {
        let element = self.tab.wait_for_element(selector).unwrap_or_else(|error| panic!("{selector}: {error}"));
        element.scroll_into_view().and_then(|element| element.click()).unwrap_or_else(|error| panic!("{selector}: {error}"));
    }

    fn type_into(&self, selector: &str, text: &str) {
        self.click(selector);
        self.tab.type_str(text).expect("typing");
    }

    fn resize(&self, width: u32, height: u32) {
        let metrics = Emulation::SetDeviceMetricsOverride {
            width,
            height,
            device_scale_factor: 2.0,
            mobile: width < 600,
            scale: None,
            screen_width: None,
            screen_height: None,
            position_x: None,
            position_y: None,
            dont_set_visible_size: None,
            screen_orientation: None,
            viewport: None,
            display_feature: None,
            device_posture: None,
        };
        self.tab.call_method(metrics).expect("a size");
    }

    fn complaints(&self) -> Vec<String> {
        self.complaints.lock().expect("nobody panics here").clone()
    }
}

/// What is wrong by an event: an error or a warning in the log (refusals by the content security policy among them), an
/// uncaught exception, a script that says so.
fn complaint(event: &Event) -> Option<String> {
    match event {
        Event::LogEntryAdded(event) => {
            let entry = &event.params.entry;
            let bad = matches!(entry.level, Log::LogEntryLevel::Error | Log::LogEntryLevel::Warning);
            bad.then(|| format!("{} {}", entry.text, entry.url.as_deref().unwrap_or_default()))
        }
        Event::RuntimeExceptionThrown(event) => Some(format!("{:?}", event.params.exception_details)),
        Event::RuntimeConsoleAPICalled(event) => {
            let bad = matches!(
                event.params.Type,
                Runtime::ConsoleAPICalledEventTypeOption::Error | Runtime::ConsoleAPICalledEventTypeOption::Warning
            );
            bad.then(|| format!("{:?}", event.params.args))
        }
        _ => None,
    }
}

const COUNT: &str = "document.querySelector('.count strong').textContent";

/// How many cards stand on the page.
fn cards(window: &Window) -> u64 {
    window.evaluate("document.querySelectorAll('.card').length").as_u64().expect("a number")
}

/// Search while typing, filter by style and place, open an artist, go back; no error, no refusal by the policy.
#[test]
fn a_visitor_finds_an_artist() {
    let web = TestWeb::seeded();
    let window = Window::open();
    window.visit(&web, "/");
    assert_eq!((window.text(COUNT), cards(&window)), ("30 artists".to_owned(), 24));
    assert_eq!(window.evaluate("typeof htmx.version"), "string", "the script runs");

    window.type_into("#q", "quiet needle");
    window.wait(&web, &format!("{COUNT} === '5 artists'"));
    window.wait(&web, "location.search === '?query=quiet+needle'");
    assert_eq!(window.evaluate("document.activeElement.id"), "q", "typing goes on where it was");

    window.click("#style-dotwork");
    window.wait(&web, &format!("{COUNT} === '1 artist'"));
    window.wait(&web, "location.search === '?query=quiet+needle&style=dotwork'");
    assert_eq!(window.evaluate("document.querySelector('#style-dotwork').getAttribute('aria-current')"), "true");
    assert_eq!(window.evaluate("document.activeElement.id"), "style-dotwork", "the focus survives");

    // A word less by its piece: the field follows.
    window.click(".piece");
    window.wait(&web, &format!("{COUNT} === '4 artists'"));
    window.wait(&web, "document.querySelector('#q').value === ''");
    window.click("#country-pt");
    window.wait(&web, &format!("{COUNT} === '1 artist'"));
    window.wait(&web, "document.querySelector('#place').value === 'Portugal'");
    assert_eq!(window.evaluate("document.title"), "dotwork, Portugal · Inkdex");
    assert_eq!(cards(&window), 1);
    // The form still carries the style that was picked by a link.
    window.type_into("#q", "bea");
    window.wait(&web, "location.search === '?query=bea&location=Portugal&style=dotwork'");

    window.click(".card h3 a");
    window.wait(&web, "location.pathname.startsWith('/artists/')");
    window.wait(&web, "document.querySelector('h1')?.textContent === 'Beatriz Nogueira'");
    assert!(window.text("document.querySelector('.sources').innerText").contains("style_words"));
    window.evaluate("history.back(), true");
    window.wait(&web, "location.search === '?query=bea&location=Portugal&style=dotwork'");
    window.wait(&web, &format!("{COUNT} === '1 artist'"));
    window.evaluate("history.back(), true");
    window.wait(&web, "location.search === '?style=dotwork'");
    window.wait(&web, &format!("{COUNT} === '4 artists'"));
    assert_eq!(window.complaints(), Vec::<String>::new());
}

/// A search that cannot be run is explained in place; the console notes the status and nothing else.
#[test]
fn a_wrong_search_is_explained_in_place() {
    let web = TestWeb::seeded();
    let window = Window::open();
    window.visit(&web, "/");
    window.type_into("#q", "!!!");
    window.wait(&web, "document.querySelector('.notice')?.textContent.includes('no letters') === true");
    let complaints = window.complaints();
    assert!(complaints.iter().all(|complaint| complaint.contains("400 (Bad Request)")), "{complaints:?}");
}

/// 390 pixels wide, no page scrolls sideways, and nothing is wrong on any of them.
#[test]
fn pages_fit_a_phone() {
    let web = TestWeb::seeded();
    let window = Window::open();
    let found = web.get("/v1/artists?query=rosalind").json();
    let artist = format!("/artists/{}", found["artists"][0]["id"].as_str().expect("an id"));
    let asked = web.post("/v1/removal-requests", r#"{"handle":"rosalind.af","contact":"rosalind@post.example"}"#).json();
    let status = format!("/removal/{}", asked["receipt"].as_str().expect("a receipt"));
    for width in [390, 1280] {
        window.resize(width, 844);
        for target in [
            "/",
            "/?style=blackwork&style=fine-line&location=Berlin,+Germany",
            "/?query=zebra",
            artist.as_str(),
            "/bot",
            "/privacy",
            "/errors",
            "/removal",
            status.as_str(),
        ] {
            window.visit(&web, target);
            assert_eq!(window.evaluate("innerWidth"), width);
            let reach = window.evaluate("document.documentElement.scrollWidth").as_u64().expect("a number");
            assert!(reach <= u64::from(width), "{target} is {reach} wide on {width}");
        }
    }
    assert_eq!(window.complaints(), Vec::<String>::new());
}

/// The policy is in force: what would be injected does not run, and the window would have told.
#[test]
fn inline_code_is_refused() {
    let web = TestWeb::seeded();
    let window = Window::open();
    window.visit(&web, "/");
    let inject = "(() => { const s = document.createElement('script'); s.textContent = 'window.ran = true'; document.body.append(s); \
                  document.body.setAttribute('style', 'color: red'); return window.ran === true })()";
    assert_eq!(window.evaluate(inject), false);
    web.run(until("two complaints", LONG, async || (window.complaints().len() >= 2).then_some(())));
    let complaints = window.complaints();
    assert!(complaints.iter().all(|complaint| complaint.contains("Content Security Policy")), "{complaints:?}");
}

/// 006-6: somebody goes from their page here through the form to the receipt, and sees by it that they are removed.
#[test]
fn an_artist_is_removed_through_the_form() {
    let web = TestWeb::seeded();
    let window = Window::open();
    let found = web.get("/v1/artists?query=rosalind").json();
    let id = found["artists"][0]["id"].as_str().expect("an id").to_owned();
    window.visit(&web, &format!("/artists/{id}"));
    window.click(".sources a[href^='/removal']");
    window.wait(&web, "location.pathname === '/removal'");
    window.wait(&web, &format!("document.querySelector('#about')?.value === '{id}'"));
    assert_eq!(window.evaluate("document.querySelector('input[name=named]:checked').value"), "artist");
    window.type_into("#contact", "rosalind@post.example");
    window.click(".ask button");
    window.wait(&web, "/^.removal.[0-9a-f]{32}$/.test(location.pathname)");
    window.wait(&web, "document.querySelector('#state')?.dataset.state === 'RECEIVED'");
    let receipt = window.text("document.querySelector('#receipt').textContent");
    assert!(window.text("document.querySelector('ol').innerText").contains("<meta name=\"inkdex-proof\""));
    // A look finds nothing, and says so where the eye is.
    window.click("form[action$='/check'] button");
    window.wait(&web, "document.querySelector('.notice')?.textContent.includes('not found') === true");

    let open = web.get("/admin/v1/removal-requests").json();
    let request = open["requests"][0]["id"].as_str().expect("a request").to_owned();
    assert!(!open.to_string().contains(&receipt));
    let approved = web.post(&format!("/admin/v1/removal-requests/{request}:approve"), "{}");
    assert_eq!(approved.status, 200, "{}", approved.body);
    window.visit(&web, &format!("/removal/{receipt}"));
    window.wait(&web, "document.querySelector('#state')?.dataset.state === 'DONE'");
    assert!(window.text("document.querySelector('main').innerText").contains("does not come back"));
    assert_eq!(window.evaluate("document.querySelectorAll('form').length"), 0, "nothing is left to prove");
    assert_eq!(window.complaints(), Vec::<String>::new());
    window.visit(&web, &format!("/artists/{id}"));
    assert!(!window.text("document.body.innerText").contains("Rosalind"));
}
