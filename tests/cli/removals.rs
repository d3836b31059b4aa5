//! Requests to be removed, and corrections, as an operator handles them at the terminal beside a running daemon.

use super::beside_a_daemon::{Process, configuration, json};
use super::told;
use crate::support::exchange::{Answer, exchange};
use crate::support::wait::until;
use inkdex::demo::{DemoArtist, DemoWeb, Fate};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;

/// An interface by name, with whether it returns the person.
type Interface<'a> = (&'a str, Box<dyn Fn() -> bool + 'a>);

/// The promise: no interface returns the person within a minute of approval.
const MINUTE: Duration = Duration::from_secs(60);

/// A daemon that has read the made-up web once, and the verbs beside it.
struct Beside {
    _daemon: Process,
    _web: Process,
    address: SocketAddr,
    arguments: Vec<String>,
    _folder: tempfile::TempDir,
}

impl Beside {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (web, listening) = Process::start(&["__demo-web"]);
        let port = listening.trim().trim_start_matches("listening ").parse().expect("a port");
        let file = configuration(folder.path(), port, "127.0.0.1:0").display().to_string();
        let (daemon, line) = Process::start(&["serve", "--json", "-c", &file]);
        let said: Value = serde_json::from_str(&line).expect("one object");
        let address = said["listening"].as_str().expect("an address").trim_start_matches("http://").trim_end_matches('/').to_owned();
        let arguments = vec!["-c".to_owned(), file, "--set".to_owned(), format!("server.bind={address}")];
        let beside = Self { _daemon: daemon, _web: web, address: address.parse().expect("an address"), arguments, _folder: folder };
        assert_eq!(beside.ask(&["run"])["state"], "COMPLETED");
        beside
    }

    fn with<'a>(&'a self, verb: &[&'a str]) -> Vec<&'a str> {
        verb.iter().copied().chain(self.arguments.iter().map(String::as_str)).collect()
    }

    fn ask(&self, verb: &[&str]) -> Value {
        let mut arguments = self.with(verb);
        arguments.push("--json");
        json(&arguments)
    }

    /// What a verb prints, and whether it went well.
    fn hear(&self, verb: &[&str]) -> (String, bool) {
        let (out, err, code) = told(&self.with(verb));
        (format!("{out}{err}"), code == Some(0))
    }

    fn send(&self, method: &str, target: &str, body: &str) -> Answer {
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        exchange(self.address, head.as_bytes())
    }

    fn get(&self, target: &str) -> Answer {
        self.send("GET", target, "")
    }

    /// Sends a request for somebody by their handle, and has it approved at the terminal by the beginning of its id.
    fn approve(&self, artist: &DemoArtist) {
        let body = json!({ "handle": artist.instagram, "contact": "somebody@post.example" }).to_string();
        assert_eq!(self.send("POST", "/v1/removal-requests", &body).status, 201);
        let open = self.ask(&["removals"]);
        let request = open["requests"][0]["id"].as_str().expect("a request").to_owned();
        let (shown, _) = self.hear(&["removals", "show", &request[..20]]);
        assert!(shown.contains("somebody@post.example") && shown.contains("RECEIVED"), "{shown}");
        let approved = self.ask(&["removals", "approve", &request[..20], "--reason", "answered by mail"]);
        assert_eq!(approved["state"], "DONE", "{approved}");
        assert_eq!(self.ask(&["removals", "list"])["requests"], json!([]));
        let (shown, _) = self.hear(&["removals", "show", &request]);
        assert!(!shown.contains("somebody@post.example") && shown.contains("deleted with the request's end"), "{shown}");
    }
}

/// 006-6: a minute after approval no interface returns the person: not the API by id, by words, by handle or by style, not the page, not
/// the terminal's search, show and dead letters.
#[test]
fn a_minute_after_approval_no_interface_returns_them() {
    let beside = Beside::start();
    let web = DemoWeb::generate(7);
    let people = web.artists();
    let artist = people.iter().find(|artist| artist.fate == Fate::Searchable && artist.instagram.is_some()).expect("somebody");
    let handle = artist.instagram.clone().expect("a handle");
    let found = beside.ask(&["search", "--instagram", &handle]);
    let id = found["artists"][0]["id"].as_str().expect("an id").to_owned();
    let style = beside.get(&format!("/v1/artists/{id}")).json()["styles"][0]["value"].as_str().expect("a style").to_owned();
    let words: String = url::form_urlencoded::byte_serialize(artist.name.as_bytes()).collect();
    let at_handle = format!("@{handle}");

    let in_api = |target: &str| beside.get(target).body.contains(&id);
    let interfaces: Vec<Interface<'_>> = vec![
        ("API by id", Box::new(|| beside.get(&format!("/v1/artists/{id}")).status == 200)),
        ("API by words", Box::new(|| in_api(&format!("/v1/artists?query={words}")))),
        ("API by handle", Box::new(|| in_api(&format!("/v1/artists?instagram={handle}")))),
        ("API by style", Box::new(|| in_api(&format!("/v1/artists?style={style}&limit=50")))),
        ("page of the artist", Box::new(|| beside.get(&format!("/artists/{id}")).status == 200)),
        ("search page", Box::new(|| in_api(&format!("/?query={words}")))),
        ("inkdex show ID", Box::new(|| beside.hear(&["show", &id]).1)),
        ("inkdex show @HANDLE", Box::new(|| beside.hear(&["show", &at_handle]).1)),
        ("inkdex search", Box::new(|| beside.ask(&["search", &artist.name]).to_string().contains(&id))),
        (
            "dead letters",
            Box::new(|| format!("{}{}", beside.ask(&["dead-letters"]), beside.get("/admin/v1/dead-letters").body).contains(&handle)),
        ),
        ("inkdex search --style", Box::new(|| beside.ask(&["search", "--style", &style, "--limit", "50"]).to_string().contains(&id))),
    ];
    for (name, returns) in interfaces.iter().filter(|(name, _)| *name != "dead letters") {
        assert!(returns(), "{name} returns the person before");
    }
    beside.approve(artist);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(until("no interface returns the person", MINUTE, async || {
        interfaces.iter().all(|(_, returns)| !returns()).then_some(())
    }));
}

/// 006-7: an operator says what is right, is told what cannot be said, and `show` says whose word it is.
#[test]
fn an_operator_corrects_a_field() {
    let beside = Beside::start();
    let web = DemoWeb::generate(7);
    let artist = web.artists().iter().find(|artist| artist.fate == Fate::Searchable && artist.instagram.is_some()).expect("somebody");
    let found = beside.ask(&["search", "--instagram", artist.instagram.as_deref().expect("a handle")]);
    let id = found["artists"][0]["id"].as_str().expect("an id").to_owned();
    let before = beside.ask(&["show", &id]);
    assert_eq!(before["confirmed"], json!({}));
    assert_eq!(beside.ask(&["correct", &id, "place", "Porto, Portugal", "--reason", "she moved"])["field"], "place");
    beside.ask(&["correct", &id, "styles", "--confirm"]);
    beside.ask(&["correct", &id, "phones", ""]);
    let shown = beside.ask(&["show", &id]);
    assert_eq!(shown["confirmed"], json!({ "place": "operator", "styles": "operator", "phones": "operator" }));
    let city = shown["facts"].as_array().expect("facts").iter().find(|fact| fact["field"] == "city").expect("a city").clone();
    assert_eq!((&city["value"], &city["extractor"], &city["basis"]), (&json!("Porto"), &json!("operator"), &json!("confirmed")));
    let (text, _) = beside.hear(&["show", &id]);
    assert!(text.contains("said by the operator") && text.contains("confirmed, whatever pages say"), "{text}");
    for (arguments, told) in [
        (vec!["colour", "red"], "there is no field `colour`"),
        (vec!["place", "Porto, Atlantis"], "is no country"),
        (vec!["name", ""], "a name is needed"),
        (vec!["bio", "--withdraw"], "nobody has confirmed or corrected bio"),
        (vec!["place", "Porto", "--confirm"], "cannot be used with"),
        (vec!["place"], "required"),
    ] {
        let verb: Vec<&str> = ["correct", &id].into_iter().chain(arguments).collect();
        let (text, well) = beside.hear(&verb);
        assert!(!well && text.contains(told), "{verb:?}: {text}");
    }
    // The next session reads the same pages, and the word stands.
    assert_eq!(beside.ask(&["run"])["state"], "COMPLETED");
    assert_eq!(beside.ask(&["show", &id])["confirmed"], shown["confirmed"]);
    beside.ask(&["correct", &id, "place", "--withdraw"]);
    let after = beside.ask(&["show", &id]);
    let city_of = |shown: &Value| shown["facts"].as_array().and_then(|all| all.iter().find(|fact| fact["field"] == "city").cloned());
    assert_eq!(city_of(&after).map(|city| city["value"].clone()), city_of(&before).map(|city| city["value"].clone()));
}
