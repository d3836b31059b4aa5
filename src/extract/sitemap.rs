//! Reads a sitemap by the protocol of sitemaps.org (version 0.9): addresses of pages, or of further sitemaps, as XML or as a
//! list of lines. What it says of dates, priorities and pictures is not looked at, and of a page only what its path says.

use super::extractors::handles::percent_decoded;
use super::finding::PageRole;
use super::lexicon;
use super::parse::{ParseBudget, ParseStop};
use super::text::cut;
use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, Event};
use sha2::{Digest, Sha256};
use url::Url;

/// Most addresses taken from one sitemap; the protocol allows ten times as many, and a directory needs a dozen pages of a site.
const MAX_ENTRIES: usize = 5_000;

/// Most further sitemaps taken from one.
const MAX_SITEMAPS: usize = 200;

/// Longest address taken, bytes (the protocol allows 2,048 characters).
const MAX_ADDRESS: usize = 2_048;

/// Events between two looks at the budget.
const EVENTS_BETWEEN_LOOKS: u32 = 256;

/// Most parts of a path that is looked at: pages about people stand near the root.
const MAX_PARTS: usize = 5;

/// A page that a sitemap names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedPage {
    /// Where it is.
    pub url: Url,
    /// What its path says it is for.
    pub role: PageRole,
    /// Whether it stands below the list of a team.
    pub of_team: bool,
}

/// What a sitemap says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sitemap {
    /// Pages whose paths speak for them, in the order of the file.
    pub pages: Vec<NamedPage>,
    /// Further sitemaps, if it is an index of them: first those whose names say that they list pages, or what pages are about.
    pub sitemaps: Vec<Url>,
    /// Whether there is more of it: it broke off, or named more than is looked at.
    pub cut: bool,
    /// Addresses met, whatever they are.
    met: usize,
}

/// Why a sitemap says nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SitemapError {
    /// Over the budget.
    #[error("{0}")]
    Stopped(#[from] ParseStop),
    /// Something else is at its address.
    #[error("it is no sitemap: it names no page")]
    NotOne,
}

/// What an entry of a sitemap leads to.
#[derive(Clone, Copy)]
enum Entry {
    Page,
    Sitemap,
}

impl Sitemap {
    /// Reads a decoded text under a budget; relative addresses, which the protocol does not know but sites write, count from `base`.
    /// What comes before a mistake of the XML counts.
    ///
    /// # Errors
    /// [`SitemapError`].
    pub fn read(base: &Url, text: &str, budget: &ParseBudget<'_>) -> Result<Self, SitemapError> {
        let text = text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
        let mut found = if text.starts_with('<') { Self::of_xml(base, text, budget)? } else { Self::of_lines(text, budget)? };
        found.sitemaps.sort_by_cached_key(|url| !promises_pages(url));
        if found.met == 0 { Err(SitemapError::NotOne) } else { Ok(found) }
    }

    /// What it says, in a few bytes: a date or a comment that changes is no change.
    #[must_use]
    pub fn signature(&self) -> String {
        let mut hasher = Sha256::new();
        for url in self.pages.iter().map(|page| &page.url).chain(&self.sitemaps) {
            hasher.update(url.as_str());
            hasher.update(b"\n");
        }
        crate::domain::artist::hex(&hasher.finalize()[..16])
    }

    fn of_lines(text: &str, budget: &ParseBudget<'_>) -> Result<Self, ParseStop> {
        let mut found = Self::default();
        // Any text has lines: only whole addresses count.
        for line in text.lines().filter(|line| line.starts_with("http") && line.len() <= MAX_ADDRESS) {
            if found.is_full() {
                break;
            }
            found.add(Entry::Page, Url::parse(line.trim_end()).ok(), budget)?;
        }
        Ok(found)
    }

    fn of_xml(base: &Url, text: &str, budget: &ParseBudget<'_>) -> Result<Self, ParseStop> {
        let mut reader = Reader::from_str(text);
        // Addresses with a bare `&` are common, and nothing here depends on the names of end tags.
        let config = reader.config_mut();
        config.allow_dangling_amp = true;
        config.check_end_names = false;
        let (mut found, mut depth, mut looks) = (Self::default(), 0_usize, 0_u32);
        // The innermost entry with its depth, and the address that is being read.
        let (mut entry, mut address): (Option<(Entry, usize)>, Option<String>) = (None, None);
        while !found.is_full() {
            looks += 1;
            if looks % EVENTS_BETWEEN_LOOKS == 0 {
                budget.check_time()?;
            }
            match reader.read_event() {
                Ok(Event::Start(start)) => {
                    depth += 1;
                    budget.check_depth(depth)?;
                    match start.local_name().as_ref() {
                        b"url" => entry = Some((Entry::Page, depth)),
                        b"sitemap" => entry = Some((Entry::Sitemap, depth)),
                        // An entry's own address: pictures and videos inside of it have theirs.
                        b"loc" if entry.is_some_and(|(_, at)| at + 1 == depth) => address = Some(String::new()),
                        _ => {}
                    }
                }
                Ok(Event::End(_)) => {
                    if let (Some(address), Some((entry, _))) = (address.take(), entry) {
                        found.add(entry, base.join(address.trim()).ok(), budget)?;
                    }
                    if entry.is_some_and(|(_, at)| at == depth) {
                        entry = None;
                    }
                    depth = depth.saturating_sub(1);
                }
                Ok(Event::Text(piece)) => push(&mut address, piece.decode().as_deref().unwrap_or_default()),
                Ok(Event::CData(piece)) => push(&mut address, piece.decode().as_deref().unwrap_or_default()),
                Ok(Event::GeneralRef(reference)) => push(&mut address, &resolved(&reference)),
                Ok(Event::Eof) => {
                    found.cut = depth > 0;
                    break;
                }
                Err(_) => {
                    found.cut = true;
                    break;
                }
                Ok(_) => {}
            }
        }
        Ok(found)
    }

    fn is_full(&mut self) -> bool {
        self.cut |= self.met >= MAX_ENTRIES;
        self.met >= MAX_ENTRIES
    }

    fn add(&mut self, entry: Entry, url: Option<Url>, budget: &ParseBudget<'_>) -> Result<(), ParseStop> {
        let Some(mut url) = url.filter(|url| matches!(url.scheme(), "http" | "https")) else { return Ok(()) };
        url.set_fragment(None);
        self.met += 1;
        match entry {
            Entry::Page => {
                budget.check_time()?;
                self.pages.extend(named(url));
            }
            Entry::Sitemap if self.sitemaps.len() < MAX_SITEMAPS => self.sitemaps.push(url),
            Entry::Sitemap => self.cut = true,
        }
        Ok(())
    }
}

/// What the path of a page says of it; `None` for one that nothing speaks for.
fn named(url: Url) -> Option<NamedPage> {
    let parts: Vec<String> = url.path_segments()?.filter(|part| !part.is_empty()).take(MAX_PARTS + 1).map(words_of_part).collect();
    let (last, above) = parts.split_last().filter(|(_, above)| above.len() < MAX_PARTS)?;
    let above: Vec<PageRole> = above.iter().map(|part| lexicon::role_exact(part)).collect();
    let leave =
        |role: &PageRole| matches!(role, PageRole::Shop | PageRole::Blog | PageRole::Legal | PageRole::Aftercare | PageRole::Guests);
    let (role, of_team) = (lexicon::role_of(last), above.contains(&PageRole::Team));
    let spoken_for = role != PageRole::Other || of_team || above.is_empty();
    (spoken_for && !leave(&role) && !above.iter().any(leave)).then_some(NamedPage { url, role, of_team })
}

/// The words of one part of a path: `our-artists.html` says `our artists`.
fn words_of_part(part: &str) -> String {
    let plain = percent_decoded(cut(part, 120));
    let name = plain.rsplit_once('.').map_or(plain.as_str(), |(name, _)| name);
    name.replace(['-', '_', '+'], " ")
}

/// Whether a sitemap's name says that it lists pages rather than posts, products or terms: `page-sitemap.xml`,
/// `wp-sitemap-posts-artists-1.xml`.
fn promises_pages(url: &Url) -> bool {
    let name = cut(url.path().rsplit('/').next().unwrap_or_default(), 120).to_lowercase();
    name.split(|letter: char| !letter.is_alphabetic()).any(|word| {
        matches!(word, "page" | "pages")
            || matches!(lexicon::role_exact(word), PageRole::Team | PageRole::About | PageRole::Contact | PageRole::Portfolio)
    })
}

/// Appends to the address that is being read, if one is; one that gets too long is none.
fn push(address: &mut Option<String>, piece: &str) {
    if let Some(so_far) = address {
        so_far.push_str(piece);
        if so_far.len() > MAX_ADDRESS {
            *address = None;
        }
    }
}

/// A reference as text. Those that a document declares by itself stay as they are: expanding them is how XML bombs work.
fn resolved(reference: &BytesRef<'_>) -> String {
    if let Ok(Some(letter)) = reference.resolve_char_ref() {
        return letter.to_string();
    }
    let name = reference.decode().unwrap_or_default();
    resolve_predefined_entity(&name).map_or_else(|| format!("&{name};"), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::ParseLimits;
    use proptest::prelude::*;
    use std::cell::Cell;
    use std::time::Duration;

    const NAMESPACE: &str = "http://www.sitemaps.org/schemas/sitemap/0.9";

    fn read(text: &str) -> Result<Sitemap, SitemapError> {
        let base = Url::parse("https://studio.example/sitemap.xml").unwrap();
        Sitemap::read(&base, text, &ParseBudget::new(ParseLimits::default(), &|| Duration::ZERO))
    }

    fn urls_of(read: Result<Sitemap, SitemapError>) -> Vec<Url> {
        read.map(|found| found.pages.into_iter().map(|page| page.url).collect()).unwrap_or_default()
    }

    fn pages(text: &str) -> Vec<String> {
        urls_of(read(text)).iter().map(Url::to_string).collect()
    }

    /// What a sitemap tells of a page is its path.
    #[test]
    fn a_path_says_what_its_page_is_for() {
        for (path, said) in [
            ("/our-artists.html", Some((PageRole::Team, false))),
            ("/about_us/", Some((PageRole::About, false))),
            ("/artists/bo-marchbank", Some((PageRole::Other, true))),
            ("/en/kontakt", Some((PageRole::Contact, false))),
            ("/k%C3%BCnstler", Some((PageRole::Team, false))),
            ("/bo-marchbank", Some((PageRole::Other, false))),
            ("/", None),
            ("/blog/our-artists", None),
            ("/shop/flash-prints", None),
            ("/aftercare", None),
            ("/2024/05/a-new-machine", None),
            ("/a/b/c/d/e/our-artists", None),
        ] {
            let url = Url::parse("https://studio.example").unwrap().join(path).unwrap();
            assert_eq!(named(url).map(|page| (page.role, page.of_team)), said, "{path}");
        }
    }

    #[test]
    fn pages_and_further_sitemaps_are_told_apart_and_pictures_left_out() {
        let text = format!(
            "\u{feff}<?xml version='1.0'?><!-- built by hand --><urlset xmlns='{NAMESPACE}' xmlns:image='http://example/image'>\
             <url><loc> https://studio.example/team </loc><lastmod>2026-01-01</lastmod><image:image><image:loc>https://studio.example/a.jpg\
             </image:loc></image:image></url><url><image:image><image:loc>/b.jpg</image:loc></image:image><loc><![CDATA[/a?x=1&y=2#z]]></loc></url>\
             <url><loc>https://studio.example/b?x=1&amp;y=&#50;</loc></url><url><loc>https://studio.example/c?x=1&y=2</loc></url>\
             <url><loc>mailto:x@y</loc></url><url><loc/></url></urlset>"
        );
        let expected = ["team", "a?x=1&y=2", "b?x=1&y=2", "c?x=1&y=2"].map(|path| format!("https://studio.example/{path}"));
        assert_eq!(pages(&text), expected);
        let names = ["post-sitemap.xml", "product-sitemap1.xml", "wp-sitemap-posts-artists-1.xml", "page-sitemap.xml"];
        let entries = names.map(|name| format!("<x:sitemap><x:loc>https://studio.example/{name}</x:loc></x:sitemap>")).concat();
        let found = read(&format!("<x:sitemapindex xmlns:x='{NAMESPACE}'>{entries}</x:sitemapindex>")).unwrap();
        let order: Vec<&str> = found.sitemaps.iter().map(|url| &url.path()[1..]).collect();
        assert_eq!((found.pages.len(), order), (0, vec![names[2], names[3], names[0], names[1]]));
    }

    #[test]
    fn lines_are_a_sitemap_if_they_are_addresses() {
        assert_eq!(
            pages("https://studio.example/a\r\nhttps://studio.example/b\n\nnoise\n"),
            ["https://studio.example/a", "https://studio.example/b"]
        );
        assert_eq!(read("User-agent: *\nDisallow: /"), Err(SitemapError::NotOne));
    }

    #[test]
    fn what_is_broken_counts_up_to_the_mistake() {
        let one = "<urlset><url><loc>https://studio.example/a</loc></url>";
        assert_eq!(pages(&format!("{one}<url><loc>https://studio.example/b")), ["https://studio.example/a"]);
        assert_eq!(
            pages(&format!("{one}</wrong></wrong></wrong><url><loc>https://studio.example/b</loc></url>")).first().unwrap(),
            "https://studio.example/a"
        );
        assert_eq!(pages(&format!("{one}<!bogus <<<")), ["https://studio.example/a"]);
        for (end, cut) in [("</urlset>", false), ("", true), ("<!bogus <<<", true), ("</urlset></x>", true)] {
            assert_eq!(read(&format!("{one}{end}")).unwrap().cut, cut, "{end}");
        }
        for text in [
            "",
            "<!doctype html><html><body><a href=/team>Team</a></body></html>",
            "<urlset></urlset>",
            "<loc>https://studio.example/a</loc>",
        ] {
            assert_eq!(read(text), Err(SitemapError::NotOne), "{text}");
        }
    }

    /// C: a sitemap bomb. Entities of the document's own are not expanded, and everything that grows has its limit.
    #[test]
    fn bombs_are_cut_by_name() {
        let laughs: String = (1..20).map(|n| format!("<!ENTITY l{n} '{}'>", format!("&l{};", n - 1).repeat(10))).collect();
        let bomb = format!("<!DOCTYPE x [<!ENTITY l0 'ha'>{laughs}]><urlset><url><loc>https://studio.example/&l19;</loc></url></urlset>");
        assert_eq!(pages(&bomb), ["https://studio.example/&l19;"]);
        assert_eq!(read(&"<a>".repeat(100_000)), Err(SitemapError::Stopped(ParseStop::TooDeep { limit: 512 })));
        let many = "<url><loc>https://studio.example/a</loc></url>".repeat(50_000);
        let many = read(&format!("<urlset>{many}</urlset>")).unwrap();
        assert_eq!((many.pages.len(), many.cut), (MAX_ENTRIES, true));
        let long = format!("<urlset><url><loc>https://studio.example/{}</loc></url></urlset>", "a".repeat(1_000_000));
        assert_eq!(read(&long), Err(SitemapError::NotOne));
        let ticks = Cell::new(0_u64);
        let clock = || Duration::from_millis(ticks.replace(ticks.get() + 200));
        let base = Url::parse("https://studio.example/").unwrap();
        let slow = Sitemap::read(&base, &"<a/>".repeat(100_000), &ParseBudget::new(ParseLimits::default(), &clock));
        assert_eq!(slow, Err(SitemapError::Stopped(ParseStop::OverTime { limit_ms: 500 })));
    }

    proptest! {
        /// What is written is read, whatever stands in the addresses, and nothing makes the reading fail in another way.
        #[test]
        fn addresses_come_back(paths in proptest::collection::vec("[a-zA-Z0-9&<>;'\"%äж ]{0,30}", 1..20), cut in 0_usize..400) {
            let base = Url::parse("https://studio.example/").unwrap();
            let urls: Vec<Url> = paths.iter().map(|path| { let mut url = base.join("/team").unwrap(); url.set_query(Some(path)); url }).collect();
            let entries: String = urls.iter().map(|url| format!("<url>\n<loc>{}</loc></url>", quick_xml::escape::escape(url.as_str()))).collect();
            let text = format!("<urlset xmlns='{NAMESPACE}'>{entries}</urlset>");
            prop_assert_eq!(urls_of(read(&text)), urls.clone());
            let part: String = text.chars().take(cut).collect();
            prop_assert!(urls.starts_with(&urls_of(read(&part))));
            let _said = read(&paths.concat());
        }
    }
}
