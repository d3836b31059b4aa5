//! Our own labelled sites: facts, figures against the rule book, and indifference to names of hosts and pages.

use super::*;
use crate::domain::clock::{Clock, SystemClock};
use crate::extract::{
    Basis, Field, MemberHint, Miss, PageFindings, ParseBudget, ParseLimits, ParseStop, SiteFacts, SiteKind, SiteLimits, SiteReader, Styles,
    member_facts, read_page,
};
use crate::scrape::folder::{FolderSite, is_page};
use crate::scrape::http::charset::decode_page;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use url::Url;

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn fixtures() -> PathBuf {
    repository("tests/fixtures/sites")
}

/// Reads a site from its folder without a browser, as `inkdex extract` does (a test compares the two).
fn predict_folder(root: &Path, entry: &str, vocabulary: &Styles) -> SiteFacts {
    let site = FolderSite::open("site.test".to_owned(), root.to_owned(), entry);
    let first = Url::parse(&site.address()).expect("an address");
    let clock = || Duration::ZERO;
    let budget = ParseBudget::new(ParseLimits::default(), &clock);
    let mut reader = SiteReader::new(first, SiteLimits { obey_nofollow: false, ..SiteLimits::default() });
    while let Some(url) = reader.next_page() {
        let file = site.file_at(url.path()).filter(|file| is_page(file));
        let text = file.map(|file| decode_page(&std::fs::read(file).expect("a page"), None, url.host_str()));
        match text.map(|text| read_page(&url, &text, vocabulary, &budget)) {
            Some(Ok(page)) => reader.page_read(&url, page),
            Some(Err(_)) => reader.page_missed(&url, Miss::Failed),
            None => reader.page_missed(&url, Miss::Gone),
        }
    }
    reader.finish(vocabulary)
}

fn predict_all(corpus: &Path, rows: &[Truth]) -> BTreeMap<String, Value> {
    let styles = Styles::standard();
    rows.iter()
        .map(|row| {
            let folder = corpus.join(row.id());
            let facts = predict_folder(&folder, &entry_of(&folder).expect("entry"), &styles);
            (row.id().to_owned(), serde_json::to_value(&facts).expect("facts"))
        })
        .collect()
}

/// 002-X8, 002-R17, 002-R9: every rule learnt has a page of ours here, and all of them hold at once.
#[test]
fn our_own_sites_are_read_without_a_fault() {
    let rows = read_truth(&fixtures()).expect("labels");
    let report = score(&rows, &predict_all(&fixtures(), &rows), false);
    assert!(rows.len() >= 16, "{} sites", rows.len());
    assert_eq!(faults_table(&report), "");
    assert!((report.macro_score - 1.0).abs() < 1e-9, "{}", table(&report));
}

/// The engineer's loop on a folder of labelled sites: `INKDEX_CORPUS=… cargo test --lib eval::tests::prints -- --nocapture`.
#[test]
fn prints_the_table_of_a_corpus() {
    let corpus = std::env::var_os("INKDEX_CORPUS").map_or_else(fixtures, PathBuf::from);
    let rows = read_truth(&corpus).expect("labels");
    let report = score(&rows, &predict_all(&corpus, &rows), false);
    println!("{}\n\n{}", faults_table(&report), table(&report));
    assert_eq!(report.predicted, report.sites);
}

/// Right answers spoilt in every way that the rules tell apart.
fn spoilt(mut predictions: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    for (at, facts) in predictions.values_mut().enumerate() {
        match at % 6 {
            0 => facts["name"] = json!("Söme  ÖTHER näme"),
            1 => {
                facts["phones"] = json!(["+49 (0) 30 / 555 999 1"]);
                facts["emails"] = json!([]);
            }
            2 => {
                facts["styles"] = json!(["tribal", "realism", "REALISM"]);
                facts["instagram"] = json!(["@Nobody.Here", null]);
            }
            3 => {
                facts["artists"] = json!([{"name": "Nobody"}, {"name": null, "instagram": "bo_rademacher", "styles": ["portrait"]}]);
                facts["images"] = json!(["http://x.test/logo.png", "http://x.test/a.svg?x", ""]);
            }
            4 => {
                facts["kind"] = json!("studio");
                facts["country"] = json!("fr");
                facts["socials"] =
                    json!(["https://m.facebook.com/profile.php?id=1&x=2", "http://www.facebook.com/brasslanternduluth/?ref=1"]);
            }
            _ => facts["bio"] = json!("x ".repeat(3_000)),
        }
    }
    predictions.pop_last();
    predictions
}

fn numbers_agree(ours: &Value, theirs: &Value, path: &str) {
    match (ours, theirs) {
        (Value::Object(left), Value::Object(right)) => {
            assert_eq!(left.keys().collect::<Vec<_>>(), right.keys().collect::<Vec<_>>(), "{path}");
            for (key, value) in left {
                numbers_agree(value, &right[key], &format!("{path}.{key}"));
            }
        }
        (Value::Number(left), Value::Number(right)) => {
            let (left, right) = (left.as_f64().expect("number"), right.as_f64().expect("number"));
            assert!((left - right).abs() < 1e-9, "{path}: {left} and {right}");
        }
        _ => assert_eq!(ours, theirs, "{path}"),
    }
}

fn rule_book(arguments: &[&str], predictions: &Path) -> (String, String) {
    let done = Command::new("python3")
        .arg(repository("tests/eval/score.py"))
        .arg(fixtures())
        .arg(predictions)
        .args(arguments)
        .env("PYTHONIOENCODING", "utf-8")
        .output()
        .expect("python3 is installed");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    (String::from_utf8(done.stdout).expect("text"), String::from_utf8(done.stderr).expect("text"))
}

/// The figures, the table and the faults are those of the rule book on the same predictions.
#[test]
fn figures_are_those_of_the_rule_book() {
    let rows = read_truth(&fixtures()).expect("labels");
    let right = predict_all(&fixtures(), &rows);
    for (predictions, static_only) in [(right.clone(), false), (spoilt(right.clone()), false), (spoilt(right), true)] {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("predictions.jsonl");
        let lines: Vec<String> = predictions
            .iter()
            .map(|(id, facts)| {
                let mut facts = facts.clone();
                facts["id"] = json!(id);
                facts.to_string()
            })
            .collect();
        std::fs::write(&path, lines.join("\n")).expect("predictions");
        let report = score(&rows, &predictions, static_only);
        let options: &[&str] = if static_only { &["--static"] } else { &[] };
        let (figures, _) = rule_book(&[options, &["--json"]].concat(), &path);
        numbers_agree(&serde_json::to_value(&report).expect("report"), &serde_json::from_str(&figures).expect("json"), "");
        let (printed, faults) = rule_book(&[options, &["--errors"]].concat(), &path);
        assert_eq!(table(&report), printed.trim_end());
        assert_eq!(faults_table(&report), faults.trim_end());
    }
}

/// Copies a site with every page renamed, in a folder (and so a host) of another name.
fn renamed(site: &Path, into: &Path) -> (PathBuf, String) {
    let mut pages: Vec<PathBuf> = Vec::new();
    let mut folders = vec![site.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("folder").map(|entry| entry.expect("entry").path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.extension().is_some_and(|ending| ending == "html") {
                pages.push(entry);
            }
        }
    }
    pages.sort();
    let target = into.join("zz-elsewhere");
    std::fs::create_dir_all(&target).expect("folder");
    let relative = |page: &Path| page.strip_prefix(site).expect("inside").to_string_lossy().replace('\\', "/");
    let names: BTreeMap<String, String> = pages.iter().enumerate().map(|(at, page)| (relative(page), format!("q{at}x.html"))).collect();
    for page in &pages {
        let base = Url::parse(&format!("http://old.test/{}", relative(page))).expect("address");
        let mut text = std::fs::read_to_string(page).expect("page");
        let mut out = String::new();
        while let Some(at) = ["href=\"", "data-include=\""].iter().filter_map(|name| Some(text.find(name)? + name.len())).min() {
            out.push_str(&text[..at]);
            let rest = text[at..].to_owned();
            let end = rest.find('"').expect("closing mark");
            let (href, tail) = rest.split_at(end);
            let known = base.join(href).ok().filter(|url| url.host_str() == Some("old.test") && !href.starts_with('#')).and_then(|url| {
                let path = url.path().trim_start_matches('/').to_owned();
                [path.clone(), format!("{path}.html"), format!("{path}index.html")].iter().find_map(|path| names.get(path)).cloned()
            });
            match known {
                Some(name) => out.push_str(&format!("/{name}")),
                // Full-size pictures keep working from the new folder only by absolute paths.
                None if base.join(href).is_ok_and(|url| url.host_str() == Some("old.test")) && !href.starts_with('#') => {
                    out.push_str(base.join(href).expect("joined").path())
                }
                None => out.push_str(href),
            }
            text = tail.to_owned();
        }
        out.push_str(&text);
        std::fs::write(target.join(&names[&relative(page)]), out).expect("copy");
    }
    (target, names["index.html"].clone())
}

fn without_addresses(facts: &SiteFacts) -> Value {
    let mut value = serde_json::to_value(facts).expect("facts");
    value["images"] = json!(facts.images.len());
    value["evidence"] = Value::Null;
    for artist in value["artists"].as_array_mut().expect("artists") {
        artist["page"] = json!(artist["page"].is_string());
    }
    value
}

/// Names of hosts, pages and links carry no information: with all of them changed the facts are the same.
#[test]
fn renamed_pages_give_the_same_facts() {
    let styles = Styles::standard();
    for row in read_truth(&fixtures()).expect("labels") {
        let folder = tempfile::tempdir().expect("folder");
        let before = predict_folder(&fixtures().join(row.id()), "index.html", &styles);
        let (site, entry) = renamed(&fixtures().join(row.id()), folder.path());
        let after = predict_folder(&site, &entry, &styles);
        assert_eq!(without_addresses(&before), without_addresses(&after), "{}", row.id());
    }
}

/// The label is never served, whatever a page links to.
#[test]
fn the_label_is_never_served() {
    let folder = tempfile::tempdir().expect("folder");
    let site = folder.path().join("site");
    std::fs::create_dir(&site).expect("folder");
    std::fs::write(
        site.join("index.html"),
        "<title>Mila Vento Tattoo</title><p>Tattoo artist</p><a href=truth.json>About</a><a href=../outside.html>Contact</a>",
    )
    .expect("page");
    std::fs::write(site.join("truth.json"), "<p>secret@label.example</p>").expect("label");
    std::fs::write(folder.path().join("outside.html"), "<p>secret@outside.example</p>").expect("page");
    let facts = predict_folder(&site, "index.html", &Styles::standard());
    assert_eq!((facts.kind, facts.emails.len()), (SiteKind::Artist, 0));
}

fn read(text: &str) -> Result<PageFindings, ParseStop> {
    let clock = || Duration::ZERO;
    let budget = ParseBudget::new(ParseLimits::default(), &clock);
    read_page(&Url::parse("http://page.test/").expect("address"), text, &Styles::standard(), &budget)
}

/// Thousands of persons in JSON-LD are a data dump; what is kept stays bounded.
#[test]
fn a_data_dump_stays_bounded() {
    let people: Vec<Value> =
        (0..5_000).map(|n| json!({"@type": "Person", "name": format!("Mila Vento{n}"), "jobTitle": "Tattoo artist"})).collect();
    let page = read(&format!("<title>Ink House Tattoo</title><script type='application/ld+json'>{}</script>", json!({"@graph": people})))
        .expect("page");
    assert!(page.cards.len() <= 120, "{} cards", page.cards.len());
    let heading = "Mila ".repeat(2_000);
    let page = read(&format!("<h1>{heading}</h1>")).expect("page");
    assert!(page.findings.iter().filter_map(|finding| finding.value.text()).all(|text| text.chars().count() <= 2_000));
}

/// A studio that lists hundreds of generated artists has none that can be believed.
#[test]
fn generated_artists_are_refused() {
    let cards: String = (0..400)
        .map(|n| {
            format!(
                "<div class=artist><img src=a{n}.jpg><h3>Mila Vento{}</h3><p>Tattoo artist</p></div>",
                ('a'..='z').cycle().nth(n).expect("letter").to_string().repeat(n / 26 + 1)
            )
        })
        .collect();
    let page = read(&format!("<title>Ink House Tattoo Studio</title><h2>Our artists</h2>{cards}")).expect("page");
    let entry = page.url.clone();
    let mut reader = SiteReader::new(entry, SiteLimits::default());
    let first = reader.next_page().expect("entry");
    reader.page_read(&first, page);
    let facts = reader.finish(&Styles::standard());
    assert_eq!(facts.artists.len(), 0);
}

fn site_of(pages: Vec<PageFindings>) -> SiteFacts {
    let mut reader = SiteReader::new(pages[0].url.clone(), SiteLimits { pages: 40, ..SiteLimits::default() });
    let mut pages = pages.into_iter();
    while let Some(asked) = reader.next_page() {
        match pages.next() {
            Some(page) => reader.page_read(&asked, page),
            None => reader.page_missed(&asked, Miss::Gone),
        }
    }
    reader.finish(&Styles::standard())
}

/// Persons by the thousand in JSON-LD work nowhere: none of them becomes a member, and reading them takes no time to speak of.
#[test]
fn a_dump_of_persons_names_no_members() {
    let clock = SystemClock::new();
    for count in [400, 5_000] {
        let people: Vec<Value> =
            (0..count).map(|n| json!({"@type": "Person", "name": format!("Mila {}", letters(n)), "jobTitle": "Tattooer"})).collect();
        let text = format!("<title>Ink House Tattoo Studio</title><script type=application/ld+json>{}</script>", json!({"@graph": people}));
        let facts = site_of(vec![read(&text).expect("page")]);
        assert_eq!(facts.artists, [], "{count} persons");
    }
    assert!(clock.monotonic() < Duration::from_secs(20), "{:?}", clock.monotonic());
}

/// A capitalised word for a number, no two alike.
fn letters(mut number: usize) -> String {
    let mut out = String::from("Q");
    loop {
        out.push(char::from(b'a' + u8::try_from(number % 26).expect("below 26")));
        number /= 26;
        if number == 0 {
            return out;
        }
    }
}

/// Hundreds of "artists" spread over many list pages are as little believed as on one, and comparing them takes no squares.
#[test]
fn generated_artists_over_many_pages_are_refused() {
    let clock = SystemClock::new();
    let pages = (0..12)
        .map(|at| {
            let cards: String = (0..100)
                .map(|n| {
                    format!("<div class=artist><img src=a{n}.jpg><h3>Mila {}</h3><p>@m{at}x{n} realism</p></div>", letters(at * 100 + n))
                })
                .collect();
            let links: String = (0..12).map(|n| format!("<a href=/list{n}>Our artists</a>")).collect();
            let text = format!("<title>Ink House Tattoo Studio</title><nav>{links}</nav><h2>Our artists</h2>{cards}");
            let mut page = read(&text).expect("page");
            page.url = Url::parse(&format!("http://page.test/list{at}")).expect("address");
            page
        })
        .collect::<Vec<_>>();
    assert!(pages.iter().all(|page| page.cards.len() == 100), "{}", pages[0].cards.len());
    assert_eq!(site_of(pages).artists, []);
    assert!(clock.monotonic() < Duration::from_secs(30), "{:?}", clock.monotonic());
}

/// An empty root that a script fills is told from a page that merely has scripts.
#[test]
fn pages_drawn_by_script_are_told() {
    let shells = [
        "<title>Ink House</title><div id=root></div><script type=module src=/assets/index-4f2a.js></script>",
        "<noscript>You need to enable JavaScript to run this app, and this sentence goes on until nobody could call it short any more.</noscript><div id=app>Loading…</div><script src=/app.js></script>",
        "<div id=__next></div><script>self.__next_f=self.__next_f||[]</script>",
    ];
    for shell in shells {
        assert!(read(shell).expect("page").signals.drawn_by_script, "{shell}");
    }
    let text = "We tattoo by appointment in a quiet back room, mostly botanical and fine line work, and we take our time for every design we draw.";
    for page in [
        format!("<h1>Ink House</h1><p>{text}</p><script src=/menu.js></script><script>track()</script>"),
        "<h1>Ink House</h1><script type=application/ld+json>{}</script>".to_owned(),
        String::new(),
    ] {
        assert!(!read(&page).expect("page").signals.drawn_by_script, "{page}");
    }
    let facts = site_of(vec![read(shells[0]).expect("page")]);
    assert_eq!((facts.kind, facts.drawn_by_script), (SiteKind::Negative, true), "a shell tells nothing, but that a browser would see more");
}

/// Reads the pages of a fixture as a job would: every page that the reader asks for.
fn pages_of(site: &str) -> Vec<PageFindings> {
    let styles = Styles::standard();
    let clock = || Duration::ZERO;
    let budget = ParseBudget::new(ParseLimits::default(), &clock);
    let root = fixtures().join(site);
    let mut reader = SiteReader::new(Url::parse("http://studio.test/index.html").expect("address"), SiteLimits::default());
    while let Some(url) = reader.next_page() {
        let path = url.path().trim_start_matches('/').to_owned();
        let file = [root.join(&path), root.join(&path).join("index.html")].into_iter().find(|file| file.is_file());
        match file {
            Some(file) => {
                reader.page_read(&url, read_page(&url, &std::fs::read_to_string(file).expect("page"), &styles, &budget).expect("page"))
            }
            None => reader.page_missed(&url, Miss::Gone),
        }
    }
    reader.pages().to_vec()
}

/// 002-R9: a member of a team list without pages of their own: their card, the studio's place, nothing of the studio's contacts.
#[test]
fn a_member_is_read_from_a_card() {
    let pages = pages_of("brass-lantern");
    let hint = MemberHint { name: Some("Marisol Quade".into()), ..MemberHint::default() };
    let facts = member_facts(&pages, &hint, &Styles::standard());
    assert_eq!(facts.instagram.as_deref(), Some("marisol.quade"));
    assert_eq!(facts.emails, ["marisol@brasslantern.example"]);
    assert_eq!(facts.styles, ["black and grey", "lettering"]);
    assert_eq!(facts.studio.as_deref(), Some("Brass Lantern Tattoo Co."));
    assert_eq!(
        (facts.place.city.as_deref(), facts.place.country.as_deref(), facts.place.basis),
        (Some("Duluth"), Some("US"), Some(Basis::Studio))
    );
    assert!(facts.phones.is_empty() && facts.socials.is_empty());
    assert!(facts.bio.is_some_and(|bio| bio.contains("script") && !bio.contains("We opened")));
}

/// A member with a page of their own, meant by that page or by the handle alone.
#[test]
fn a_member_is_read_from_their_page() {
    let pages = pages_of("tinta-luna");
    let page = Url::parse("http://studio.test/artistas/teo.html").expect("address");
    for hint in [
        MemberHint { page: Some(page.clone()), ..MemberHint::default() },
        MemberHint { instagram: Some("teovidal_tattoo".into()), ..MemberHint::default() },
    ] {
        let facts = member_facts(&pages, &hint, &Styles::standard());
        assert_eq!((facts.name.as_deref(), facts.instagram.as_deref()), (Some("Teo Vidal"), Some("teovidal_tattoo")));
        assert_eq!((facts.page.as_ref(), facts.images.len()), (Some(&page), 2));
        assert!(facts.emails.is_empty(), "the studio's address is not his");
    }
}

/// A page crosses to a child process and back as it is.
#[test]
fn findings_survive_a_process_boundary() {
    for page in pages_of("nadelwerk") {
        let text = serde_json::to_string(&page).expect("json");
        let back: PageFindings = serde_json::from_str(&text).expect("findings");
        assert_eq!(serde_json::to_string(&back).expect("json"), text);
    }
}

/// Shapes that would cost a careless reader the square of their length end within the caps.
#[test]
fn long_lists_cost_no_squares() {
    let lines: String = (0..6_000).map(|n| format!("<p>@nobody{n} call 0151 23{n:04} 11</p>")).collect();
    let links: String = (0..3_000).map(|n| format!("<div class=artist><a href=/x{n}><img src=/i{n}.jpg></a></div>")).collect();
    let menu: String = (0..1_000).map(|n| format!("<li><a href=/a{n}>Artists</a>")).collect();
    let page = read(&format!("<nav>{menu}</nav>{lines}{links}")).expect("page");
    assert!(page.findings.len() <= 4_000 && page.links.len() <= 1_500 && page.cards.len() <= 120);
}

/// Disguised names are cleaned before anything is compared or kept.
#[test]
fn disguises_are_stripped_from_names() {
    let page = read("<title>Mi\u{200b}la\u{202e} Vento Tattoo</title>").expect("page");
    let name = page.findings.iter().find(|finding| finding.field == Field::Name).and_then(|finding| finding.value.text());
    assert_eq!(name, Some("Mila Vento Tattoo"));
}

/// A list page that could not be had leaves the list incomplete, so nobody's absence may be proposed.
#[test]
fn a_missed_list_page_is_told() {
    let styles = Styles::standard();
    let clock = || Duration::ZERO;
    let budget = ParseBudget::new(ParseLimits::default(), &clock);
    let home = "<title>Ink House Tattoo Studio</title><nav><a href=/crew>Our artists</a></nav><p>Our studio is a tattoo studio.</p>";
    let crew = "<title>Our artists</title><h1>Our artists</h1><div class=artist><img src=a.jpg><h3>Mila Vento</h3></div><div class=artist><img src=b.jpg><h3>Jan Holt</h3></div>";
    let run = |served: bool| {
        let mut reader = SiteReader::new(Url::parse("http://house.test/").expect("address"), SiteLimits::default());
        while let Some(url) = reader.next_page() {
            match url.path() {
                "/" => reader.page_read(&url, read_page(&url, home, &styles, &budget).expect("page")),
                "/crew" if served => reader.page_read(&url, read_page(&url, crew, &styles, &budget).expect("page")),
                _ => reader.page_missed(&url, Miss::Failed),
            }
        }
        reader.finish(&styles)
    };
    let whole = run(true);
    assert_eq!((whole.artists.len(), whole.list_pages_complete), (2, true));
    assert!(!run(false).list_pages_complete);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever stands on a page, reading it neither panics nor goes beyond its bounds.
    #[test]
    fn reading_never_panics(text in "\\PC{0,400}", tags in proptest::collection::vec("</?(div|p|h[1-3]|a href=[a-z:/@.0-9]{0,20}|img src=[a-z.]{0,8}|li|section class=artist|script type=application/ld\\+json|br|form|td)>", 0..40)) {
        let mut page = String::new();
        for (at, tag) in tags.iter().enumerate() {
            page.push_str(tag);
            page.extend(text.chars().skip(at * 9).take(13));
        }
        page.push_str(&text);
        let read = read(&page);
        prop_assert!(read.is_ok());
        let mut reader = SiteReader::new(Url::parse("http://page.test/").expect("address"), SiteLimits::default());
        let first = reader.next_page().expect("entry");
        reader.page_read(&first, read.expect("page"));
        let facts = reader.finish(&Styles::standard());
        prop_assert!(facts.kind != SiteKind::Negative || facts.instagram.is_empty());
    }
}
