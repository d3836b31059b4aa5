//! Tests of the made-up web as a whole: what is promised about it stands on its pages.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::time::Duration;

use proptest::prelude::*;
use scraper::{Html, Selector};
use url::Url;

use super::*;

/// Host and path.
type At = (String, String);

/// The HTML of a page as a browser would read it.
fn html(web: &DemoWeb, host: &str, path: &str) -> String {
    let response = web.respond(host, path);
    assert_eq!(response.status, 200, "{host}{path}");
    let declared = response.headers.iter().find(|(name, _)| *name == "content-type");
    match declared.map(|(_, value)| value.as_str()) {
        Some("text/html; charset=utf-8") => String::from_utf8(response.body).unwrap(),
        Some("text/html") => encoding_rs::WINDOWS_1252.decode(&response.body).0.into_owned(),
        other => panic!("{host}{path} is {other:?}"),
    }
}

fn text(html: &str) -> String {
    Html::parse_document(html).root_element().text().collect::<Vec<_>>().join(" ")
}

/// The visible text with white space folded, so that a phrase is found across line ends.
fn folded(html: &str) -> String {
    text(html).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Every page reached by links from the entries of the studio file, with the links that answered an error.
fn crawl(web: &DemoWeb) -> (BTreeSet<At>, BTreeSet<At>) {
    let links = Selector::parse("a[href], link[href], img[src], img[data-src]").unwrap();
    let hosts: HashSet<String> = web.hosts().into_iter().collect();
    let mut queue: VecDeque<Url> =
        web.sites().iter().filter(|site| site.kind != SiteKind::Portfolio).map(|site| Url::parse(&site.entry()).unwrap()).collect();
    let mut seen: HashSet<At> = HashSet::new();
    let (mut pages, mut dead) = (BTreeSet::new(), BTreeSet::new());
    while let Some(url) = queue.pop_front() {
        let at = (url.host_str().unwrap().to_owned(), url.path().to_owned());
        if !hosts.contains(&at.0) || !seen.insert(at.clone()) {
            continue;
        }
        let response = web.respond(&at.0, &at.1);
        if response.status != 200 {
            dead.insert(at);
            continue;
        }
        if !response.headers[0].1.starts_with("text/html") {
            continue;
        }
        let document = Html::parse_document(&html(web, &at.0, &at.1));
        for element in document.select(&links) {
            for name in ["href", "src", "data-src"] {
                let Some(target) = element.value().attr(name) else {
                    continue;
                };
                let joined = url.join(target).unwrap();
                if joined.scheme() == "http" {
                    queue.push_back(joined);
                }
            }
        }
        pages.insert(at);
    }
    (pages, dead)
}

fn all_pages(web: &DemoWeb) -> BTreeSet<At> {
    let pages = web.sites().iter().flat_map(|site| site.paths().into_iter().map(|path| (site.host.clone(), path.to_owned())));
    pages.collect()
}

#[test]
fn the_demo_has_the_promised_counts_and_fates() {
    let web = DemoWeb::generate(1);
    let studios: HashSet<_> = web.artists().iter().map(|artist| &artist.studio).collect();
    assert_eq!(studios.len(), 8);
    assert_eq!(web.artists().len(), 33);
    let count = |fate| web.artists().iter().filter(|artist| artist.fate == fate).count();
    assert_eq!(count(Fate::Searchable), 31);
    assert_eq!(count(Fate::RefusedByRobots), 1);
    assert_eq!(count(Fate::DeadLetter), 1);
    let names: HashSet<_> = web.artists().iter().map(|artist| &artist.name).collect();
    assert_eq!(names.len(), 33, "two artists have one name");
    assert!(web.artists().iter().any(|artist| artist.city == "São Paulo" && artist.country == "BR"));
    assert!(web.artists().iter().any(|artist| artist.city == "London" && artist.country == "GB"));
    assert_eq!(web.sites().iter().filter(|site| site.kind == SiteKind::NotTattoo).count(), 1);
    assert_eq!(web.sites().iter().filter(|site| site.kind == SiteKind::Portfolio).count(), 4);
    assert!(web.hosts().iter().all(|host| host.ends_with(".example")));
}

#[test]
fn links_reach_every_page_and_none_is_dead_but_the_planned() {
    let first = DemoWeb::generate(1);
    for web in [first.with_changes(1), first, DemoWeb::generate_sized(5, 14, 3)] {
        let (reached, dead) = crawl(&web);
        assert_eq!(reached, all_pages(&web));
        assert_eq!(dead, web.planned_dead_links().into_iter().collect());
        assert!(!dead.is_empty());
    }
}

#[test]
fn listed_artists_stand_on_their_pages_with_what_is_said_of_them() {
    for web in [DemoWeb::generate(1), DemoWeb::generate_sized(9, 14, 4)] {
        for artist in web.artists() {
            let url = Url::parse(&artist.page).unwrap();
            let page = html(&web, url.host_str().unwrap(), url.path());
            let visible = folded(&page);
            for wanted in [&artist.name, &artist.bio] {
                assert!(visible.contains(wanted.as_str()), "{wanted} is not on {url}");
            }
            if let Some(handle) = &artist.instagram {
                let named = page.contains(&format!("instagram.com/{handle}")) || visible.contains(&format!("@{handle}"));
                assert!(named, "{handle} is not on {url}");
            }
            let site = web.sites().iter().find(|site| site.name == artist.studio).unwrap();
            let printed = site.paths().iter().any(|path| folded(&html(&web, &site.host, path)).contains(&artist.city));
            assert!(printed, "{} is nowhere on {}", artist.city, site.host);
        }
    }
}

#[test]
fn styles_stand_on_the_page_in_the_words_of_its_language() {
    let web = DemoWeb::generate(1);
    let mut shown = 0;
    for studio in &web.studios {
        for person in studio.residents() {
            let artist = web.artists().iter().find(|artist| artist.name == person.name).unwrap();
            let url = Url::parse(&artist.page).unwrap();
            let visible = folded(&html(&web, url.host_str().unwrap(), url.path()));
            for style in &person.styles {
                let wording = style.wording(studio.plan.place.lang);
                assert!(visible.contains(wording), "{wording} is not on {url}");
                shown += 1;
            }
        }
    }
    assert!(shown >= 66, "{shown}");
}

#[test]
fn decoys_stand_on_pages_and_are_not_listed() {
    let web = DemoWeb::generate(1);
    let everything: String = all_pages(&web).iter().map(|(host, path)| folded(&html(&web, host, path))).collect();
    let decoys = web.decoys();
    assert_eq!(decoys.len(), 8, "{decoys:?}");
    for decoy in &decoys {
        assert!(everything.contains(decoy.as_str()), "{decoy} stands on no page");
        assert!(web.artists().iter().all(|artist| artist.name != *decoy));
    }
}

/// Deepest level and number of nodes, walked without recursion.
fn measure(html: &str) -> (usize, usize) {
    let document = Html::parse_document(html);
    let (mut deepest, mut nodes) = (0, 0);
    let mut stack = vec![(document.tree.root(), 0)];
    while let Some((node, depth)) = stack.pop() {
        nodes += 1;
        deepest = deepest.max(depth);
        stack.extend(node.children().map(|child| (child, depth + 1)));
    }
    (deepest, nodes)
}

#[test]
fn only_the_dead_letters_page_is_beyond_the_parse_budget() {
    let web = DemoWeb::generate(1);
    let doomed: Vec<_> = web.artists().iter().filter(|artist| artist.fate == Fate::DeadLetter).collect();
    assert_eq!(doomed.len(), 1);
    for (host, path) in all_pages(&web) {
        let page = html(&web, &host, &path);
        assert!(page.len() < 2_000_000, "{host}{path} would be too large before it is too deep");
        let (depth, nodes) = measure(&page);
        if doomed[0].page == format!("http://{host}{path}") {
            assert!(depth > 2_000, "depth {depth}");
        } else {
            assert!(depth < 60 && nodes < 2_000, "{host}{path}: depth {depth}, {nodes} nodes");
        }
    }
}

#[test]
fn robots_forbids_the_refused_artists_page_and_nothing_else_that_is_linked() {
    let web = DemoWeb::generate(1);
    let mut forbidden = Vec::new();
    for (host, path) in all_pages(&web) {
        let robots = web.respond(&host, "/robots.txt");
        assert_eq!(robots.status, 200);
        let rules = robotxt::Robots::parse(&robots.body, "inkdex");
        let url = format!("http://{host}{path}");
        if !rules.is_allowed(&path) {
            forbidden.push(url);
        }
    }
    let refused: Vec<_> =
        web.artists().iter().filter(|artist| artist.fate == Fate::RefusedByRobots).map(|artist| artist.page.clone()).collect();
    assert_eq!(forbidden, refused);
}

#[test]
fn the_studio_file_names_every_studio_and_the_roaster() {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Row {
        name: String,
        website: Url,
        place: String,
        lat: Option<f64>,
        lon: Option<f64>,
        place_id: Option<String>,
    }
    let web = DemoWeb::generate(1);
    let rows: Vec<Row> = serde_norway::from_str(&web.studio_file()).unwrap();
    assert_eq!(rows.len(), 9);
    let by_host: HashMap<_, _> = web.sites().iter().map(|site| (site.host.as_str(), site)).collect();
    for row in &rows {
        let site = by_host[row.website.host_str().unwrap()];
        assert_eq!(site.name, row.name);
        assert!(row.place.contains(", "));
        assert_eq!(row.lat.is_some(), row.lon.is_some());
    }
    assert_eq!(rows[0].place, "London, UK");
    assert_eq!(rows[4].place, "São Paulo, Brazil");
    assert!(rows.iter().any(|row| row.place_id.is_some()) && rows.iter().any(|row| row.lat.is_none()));
}

#[test]
fn later_days_differ_in_the_documented_ways() {
    let first = DemoWeb::generate(4);
    assert_eq!(*first.changes(), DemoChanges::default());
    assert_eq!(first.with_changes(0).artists(), first.artists());
    let later = first.with_changes(1);
    let changes = later.changes().clone();
    let names = |web: &DemoWeb| web.artists().iter().map(|artist| artist.name.clone()).collect::<BTreeSet<_>>();
    let left = changes.left.clone().unwrap();
    let (gone, gone_page) = changes.page_gone.clone().unwrap();
    let joined = changes.joined.clone().unwrap();
    let expected: BTreeSet<_> = names(&first).into_iter().filter(|name| *name != left && *name != gone).chain([joined.clone()]).collect();
    assert_eq!(names(&later), expected);
    let everything: String = all_pages(&later).iter().map(|(host, path)| folded(&html(&later, host, path))).collect();
    assert!(!everything.contains(&left) && everything.contains(&joined) && everything.contains(&gone));
    let url = Url::parse(&gone_page).unwrap();
    assert_eq!(first.respond(url.host_str().unwrap(), url.path()).status, 200);
    assert_eq!(later.respond(url.host_str().unwrap(), url.path()).status, 404);
    let (name, sentence) = changes.bio_changed.unwrap();
    let bio = |web: &DemoWeb| web.artists().iter().find(|artist| artist.name == name).map(|artist| artist.bio.clone());
    assert_eq!(bio(&later), bio(&first).map(|bio| format!("{bio} {sentence}")));
    let unchanged = later.artists().iter().filter(|artist| first.artists().contains(artist)).count();
    assert_eq!(unchanged, 29, "besides bio, handle, leaver, gone page and newcomer nothing differs");
    let (name, handle) = changes.handle_gone.unwrap();
    let stands = |web: &DemoWeb| all_pages(web).iter().any(|(host, path)| html(web, host, path).contains(&handle));
    assert!(names(&later).contains(&name) && stands(&first) && !stands(&later));
    assert!(names(&first.with_changes(10)).contains(&left), "who left is back on day 10");
    assert_eq!(first.with_changes(3).artists(), later.artists());
}

#[test]
fn a_generated_web_has_exactly_the_artists_asked_for_and_no_oddities() {
    for (studios, each) in [(1, 1), (5, 1), (7, 4), (30, 2)] {
        let web = DemoWeb::generate_sized(2, studios, each);
        assert_eq!(web.artists().len(), studios * each);
        assert!(web.artists().iter().all(|artist| artist.fate == Fate::Searchable));
        assert!(web.sites().iter().all(|site| site.delay.is_zero() && !site.rate_limits_once));
        let hosts: HashSet<_> = web.hosts().into_iter().collect();
        assert_eq!(hosts.len(), web.sites().len());
    }
}

#[test]
fn paths_without_their_slash_move_and_others_are_not_found() {
    let web = DemoWeb::generate(1);
    let moved = web.respond("BLACK-HARBOUR.example:8080", "/artists?page=2");
    assert_eq!(moved.status, 301);
    assert!(moved.headers.contains(&("location", "/artists/".to_owned())));
    assert_eq!(web.respond("black-harbour.example", "/nowhere").status, 404);
    assert_eq!(web.respond("example.com", "/").status, 421);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_same_seed_gives_the_same_web_and_any_seed_keeps_the_promises(seed: u64) {
        let (one, two) = (DemoWeb::generate(seed), DemoWeb::generate(seed));
        prop_assert_eq!(one.studio_file(), two.studio_file());
        for (host, path) in all_pages(&one) {
            prop_assert_eq!(one.respond(&host, &path), two.respond(&host, &path));
        }
        let names = |web: &DemoWeb| {
            web.artists().iter().map(|artist| artist.name.clone()).collect::<Vec<_>>()
        };
        prop_assert_ne!(names(&one), names(&DemoWeb::generate(seed ^ 1)));
        let handles: Vec<_> =
            one.artists().iter().filter_map(|artist| artist.instagram.as_ref()).collect();
        prop_assert_eq!(handles.iter().collect::<HashSet<_>>().len(), handles.len());
        prop_assert!(one.artists().iter().all(|artist| artist.styles.len() >= 2));
        let hosts: HashSet<_> = one.hosts().into_iter().collect();
        prop_assert_eq!(hosts.len(), one.sites().len());
    }
}

#[test]
fn the_slow_site_takes_its_time() {
    let web = DemoWeb::generate(1);
    let slow: Vec<_> = web.sites().iter().filter(|site| !site.delay.is_zero()).collect();
    assert_eq!(slow.len(), 1);
    for path in slow[0].paths() {
        assert_eq!(web.respond(&slow[0].host, path).delay, Duration::from_millis(400));
    }
}
