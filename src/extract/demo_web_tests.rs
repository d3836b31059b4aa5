//! Reads every site of the made-up web as a job would, over many seeds, and compares with what its generator knows.

use super::{ArtistFacts, MemberHint, Miss, ParseBudget, ParseLimits, SiteFacts, SiteKind, SiteLimits, SiteReader, Styles};
use super::{member_facts, read_page};
use crate::demo::{DemoArtist, DemoResponse, DemoSite, DemoWeb, Fate, Layout, SiteKind as DemoKind};
use std::collections::BTreeSet;
use std::time::Duration;
use url::Url;

const SEEDS: [u64; 12] = [1, 2, 3, 5, 7, 11, 13, 42, 99, 1_000, 65_537, 987_654_321];

/// The body as text: the charset of the header, else the one that the page declares.
fn decoded(response: &DemoResponse) -> String {
    let declared = |text: &str| {
        let after = text.to_ascii_lowercase().split_once("charset=").map(|(_, after)| after.to_owned())?;
        let label: String = after.trim_start_matches(['"', '\'']).chars().take_while(|sign| !"\"'; >".contains(*sign)).collect();
        encoding_rs::Encoding::for_label(label.as_bytes())
    };
    let header = response.headers.iter().find(|(name, _)| *name == "content-type").map(|(_, value)| value.as_str());
    let start = String::from_utf8_lossy(&response.body[..response.body.len().min(1_024)]);
    let encoding = header.and_then(declared).or_else(|| declared(&start)).unwrap_or(encoding_rs::UTF_8);
    encoding.decode(&response.body).0.into_owned()
}

/// Reads a site of the web page by page, minding robots.txt and redirects.
fn visited(web: &DemoWeb, site: &DemoSite, styles: &Styles) -> SiteReader {
    let clock = || Duration::ZERO;
    let budget = ParseBudget::new(ParseLimits::default(), &clock);
    let mut reader = SiteReader::new(Url::parse(&site.entry()).expect("entry"), SiteLimits::default());
    while let Some(asked) = reader.next_page() {
        assert_eq!(asked.host_str(), Some(site.host.as_str()), "the reader stays on the site");
        if site.disallowed.iter().any(|prefix| asked.path().starts_with(prefix)) {
            reader.page_missed(&asked, Miss::Forbidden);
            continue;
        }
        let (mut url, mut response) = (asked.clone(), web.respond(&site.host, asked.path()));
        if response.status == 301 {
            let target = response.headers.iter().find(|(name, _)| *name == "location").expect("location");
            url = url.join(&target.1).expect("target");
            response = web.respond(&site.host, url.path());
        }
        match response.status {
            200 => match read_page(&url, &decoded(&response), styles, &budget) {
                Ok(page) => reader.page_read(&asked, page),
                Err(_) => reader.page_missed(&asked, Miss::Failed),
            },
            404 => reader.page_missed(&asked, Miss::Gone),
            status => panic!("{url} answered {status}"),
        }
    }
    reader
}

/// What is wrong, told by seed and site, so that one run shows every fault.
struct Faults {
    place: String,
    told: Vec<String>,
}

impl Faults {
    fn check<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, found: T, right: T) {
        if found != right {
            self.told.push(format!("{}: {what}: {found:?} instead of {right:?}", self.place));
        }
    }

    fn hold(&mut self, what: &str, holds: bool) {
        if !holds {
            self.told.push(format!("{}: {what}", self.place));
        }
    }
}

fn sorted(list: &[String]) -> Vec<String> {
    let mut list = list.to_vec();
    list.sort();
    list
}

fn place(facts: &SiteFacts) -> (Option<&str>, Option<&str>) {
    (facts.city.as_deref(), facts.country.as_deref())
}

/// The account of the shop: every made-up studio names it after its host.
fn shop_handle(site: &DemoSite) -> String {
    format!("{}.inkdemo", site.host.trim_end_matches(".example").replace('-', ""))
}

/// Those whom a studio lists, each once, and nobody else.
fn check_members(web: &DemoWeb, site: &DemoSite, facts: &SiteFacts, faults: &mut Faults) {
    let truth: Vec<&str> = web.artists().iter().filter(|artist| artist.studio == site.name).map(|artist| artist.name.as_str()).collect();
    let names = |list: Vec<&str>| list.into_iter().map(str::to_owned).collect::<BTreeSet<String>>();
    faults.check("members", names(facts.artists.iter().map(|member| member.name.as_str()).collect()), names(truth.clone()));
    faults.check("number of members", facts.artists.len(), truth.len());
}

/// A studio: its people by name, what the pages say of each, where it is, and nobody else.
fn check_studio(web: &DemoWeb, site: &DemoSite, styles: &Styles, faults: &mut Faults) {
    let reader = visited(web, site, styles);
    let pages = reader.pages().to_vec();
    let facts = reader.finish(styles);
    let truth: Vec<&DemoArtist> = web.artists().iter().filter(|artist| artist.studio == site.name).collect();
    let (city, country) = (truth[0].city.as_str(), truth[0].country.as_str());
    faults.check("kind", facts.kind, SiteKind::Studio);
    faults.check("drawn by script", facts.drawn_by_script, false);
    faults.check("name", facts.name.as_deref(), Some(site.name.as_str()));
    faults.check("place", place(&facts), (Some(city), Some(country)));
    check_members(web, site, &facts, faults);
    // The old site with tables prints no account of the shop.
    let shop: Vec<String> = if site.layout == Layout::Table { Vec::new() } else { vec![shop_handle(site)] };
    faults.check("handle of the shop", &facts.instagram, &shop);
    faults.hold("the list pages were read", facts.list_pages_complete);
    for artist in truth {
        // Whose page is refused or over budget is known by the list alone.
        let (handle, works) = match artist.fate {
            Fate::Searchable => (artist.instagram.as_deref(), sorted(&artist.styles)),
            Fate::RefusedByRobots | Fate::DeadLetter => (None, Vec::new()),
        };
        // An own site says who somebody is; the studio's page need not.
        let elsewhere = site.layout == Layout::OwnSites;
        if let Some(member) = facts.artists.iter().find(|member| member.name == artist.name) {
            faults.check(&format!("handle of {}", artist.name), member.instagram.as_deref(), handle);
            faults.check(&format!("styles of {}", artist.name), sorted(&member.styles), works.clone());
            let own = if elsewhere { member.own_site.as_ref() } else { member.page.as_ref() };
            faults.check(&format!("page of {}", artist.name), own.map(Url::as_str), Some(artist.page.as_str()));
        }
        let hint = MemberHint { name: Some(artist.name.clone()), ..MemberHint::default() };
        let told: ArtistFacts = member_facts(&pages, &hint, styles);
        faults.check(&format!("studio of {}", artist.name), told.studio.as_deref(), Some(site.name.as_str()));
        faults.check(
            &format!("place of {}", artist.name),
            (told.place.city.as_deref(), told.place.country.as_deref()),
            (Some(city), Some(country)),
        );
        faults.check(&format!("handle told of {}", artist.name), told.instagram.as_deref(), handle);
        faults.check(&format!("styles told of {}", artist.name), sorted(&told.styles), works);
        if artist.fate == Fate::Searchable && !elsewhere {
            faults.hold(
                &format!("text about {}: {:?}", artist.name, told.bio),
                told.bio.as_ref().is_some_and(|bio| bio.contains(&artist.bio)),
            );
            faults.hold(&format!("pictures of {}", artist.name), told.images.len() >= 4);
        }
    }
}

/// The site of one person, be it a shop or a portfolio: who it is, how to reach them, what they do, where.
fn check_person(web: &DemoWeb, site: &DemoSite, artist: &DemoArtist, styles: &Styles, faults: &mut Faults) {
    let facts = visited(web, site, styles).finish(styles);
    faults.check("kind", facts.kind, SiteKind::Artist);
    faults.check("name", facts.name.as_deref(), Some(artist.name.as_str()));
    faults.check("studio", facts.studio.as_deref(), Some(artist.studio.as_str()));
    faults.check("handle", &facts.instagram, &artist.instagram.iter().cloned().collect());
    faults.check("place", place(&facts), (Some(artist.city.as_str()), Some(artist.country.as_str())));
    faults.check("styles", sorted(&facts.styles), sorted(&artist.styles));
    faults.hold(&format!("text: {:?}", facts.bio), facts.bio.as_ref().is_some_and(|bio| bio.contains(&artist.bio)));
    faults.hold("pictures", facts.images.len() >= 4);
}

fn check_site(web: &DemoWeb, site: &DemoSite, styles: &Styles) -> Vec<String> {
    let mut faults = Faults { place: format!("seed {}, {}", web.seed(), site.host), told: Vec::new() };
    let alone = web.artists().iter().find(|artist| {
        site.kind == DemoKind::Portfolio && artist.page == site.entry() || site.layout == Layout::Solo && artist.studio == site.name
    });
    match (site.kind, alone) {
        (DemoKind::NotTattoo, _) => {
            let facts = visited(web, site, styles).finish(styles);
            faults.check("kind", facts.kind, SiteKind::Negative);
            faults.hold("it carries no values", facts.artists.is_empty() && facts.instagram.is_empty() && facts.name.is_none());
        }
        (_, Some(artist)) => check_person(web, site, artist, styles, &mut faults),
        (DemoKind::Studio, None) => check_studio(web, site, styles, &mut faults),
        (DemoKind::Portfolio, None) => faults.hold("somebody has this site", false),
    }
    faults.told
}

fn check_web(web: &DemoWeb) -> Vec<String> {
    let styles = Styles::standard();
    assert!(!web.decoys().is_empty(), "a web without people to leave out would prove little");
    web.sites().iter().flat_map(|site| check_site(web, site, &styles)).collect()
}

/// 002-R9, 002-R10, 002-R17: whoever the demo's studios list is found with what the pages say of them, and nobody else:
/// members are compared as sets, so a piercer, a guest or a former resident among them is a fault.
#[test]
fn the_demo_is_read_without_a_fault_whatever_its_people() {
    let faults: Vec<String> = SEEDS.iter().flat_map(|seed| check_web(&DemoWeb::generate(*seed))).collect();
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
}

/// The same of generated studios in a dozen cities, each layout at least once.
#[test]
fn generated_studios_are_read_without_a_fault() {
    let faults: Vec<String> = SEEDS.iter().flat_map(|seed| check_web(&DemoWeb::generate_sized(*seed, 12, 5))).collect();
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
}

/// Each layout in each city, so in each language that it may be written in, names its people and nobody else.
#[test]
fn every_layout_names_its_people_in_every_city() {
    let (web, styles) = (DemoWeb::generate_sized(SEEDS[0], 7 * 16, 4), Styles::standard());
    let mut told = Vec::new();
    for site in web.sites().iter().filter(|site| site.kind == DemoKind::Studio) {
        let mut faults = Faults { place: format!("seed {}, {}", web.seed(), site.host), told: Vec::new() };
        check_members(&web, site, &visited(&web, site, &styles).finish(&styles), &mut faults);
        told.extend(faults.told);
    }
    assert!(told.is_empty(), "{} faults\n{}", told.len(), told.join("\n"));
}
