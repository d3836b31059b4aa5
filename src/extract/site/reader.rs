//! Chooses the pages of a site without doing any fetching: says what is next and is fed what came back.

use super::super::finding::{PageFindings, PageLink, PageRole, Place};
use super::super::sitemap::NamedPage;
use super::super::styles::Styles;
use super::facts::{SiteFacts, SiteKind};
use super::resolve;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use url::Url;

/// How much of a site is read.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct SiteLimits {
    /// Pages at most, the entry included; missed ones count.
    pub pages: usize,
    /// Clicks from the entry.
    pub depth: u8,
    /// Pages beyond `pages` that only pages of single artists may use.
    pub artist_pages: usize,
    /// Leave links alone where a page asks so; off only for folders, which are nobody's server.
    pub obey_nofollow: bool,
}

impl Default for SiteLimits {
    fn default() -> Self {
        Self { pages: 12, depth: 2, artist_pages: 12, obey_nofollow: true }
    }
}

/// Why a page of the plan brought nothing.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Miss {
    /// 404, 410.
    Gone,
    /// robots.txt forbids it.
    Forbidden,
    /// Too large, too deep, too slow, not a page, or an answer that may change later.
    Failed,
}

#[derive(Clone, Debug)]
struct Candidate {
    url: Url,
    role: PageRole,
    depth: u8,
    /// Reached from inside the card of a person, or from the body of a team page.
    person: bool,
    order: usize,
}

/// A sans-I/O reader of one site.
#[derive(Debug)]
pub struct SiteReader {
    entry: Url,
    limits: SiteLimits,
    waiting: Vec<Candidate>,
    known: HashSet<String>,
    asked: HashMap<String, (PageRole, u8, bool)>,
    pages: Vec<PageFindings>,
    missed: Vec<(Url, PageRole, Miss)>,
    person_pages: usize,
    order: usize,
    /// Pages that links ask to leave alone.
    refused: HashSet<String>,
    /// A sitemap was wanted and not had whole: what it would have named is not missing.
    sitemap_missed: bool,
}

/// The form in which addresses of one page are equal: no fragment, no index file, no closing slash, no query.
pub(crate) fn page_key(url: &Url) -> String {
    let path = url.path().trim_end_matches('/');
    let path = ["/index.html", "/index.htm", "/index.php"].iter().find_map(|index| path.strip_suffix(index)).unwrap_or(path);
    let path = path.strip_suffix(".html").unwrap_or(path);
    let host = url.host_str().unwrap_or_default();
    format!("{}{path}", host.strip_prefix("www.").unwrap_or(host))
}

/// Do two addresses belong to the same registrable host?
pub(crate) fn same_site(left: &Url, right: &Url) -> bool {
    let domain = |url: &Url| {
        let host = url.host_str()?.to_lowercase();
        let known = psl::domain_str(&host).map(str::to_owned);
        Some(known.unwrap_or(host))
    };
    domain(left).is_some_and(|domain_left| domain(right) == Some(domain_left))
}

/// Do two addresses belong to the same host, with or without `www.`?
fn same_host(left: &Url, right: &Url) -> bool {
    let host = |url: &Url| url.host_str().map(|host| host.strip_prefix("www.").unwrap_or(host).to_owned());
    host(left).is_some() && host(left) == host(right) && left.port_or_known_default() == right.port_or_known_default()
}

const FILES: &[&str] = &[
    "pdf", "doc", "docx", "xls", "xlsx", "zip", "rar", "mp3", "mp4", "mov", "avi", "webm", "jpg", "jpeg", "png", "gif", "webp", "avif",
    "svg", "ico", "css", "js", "json", "xml", "rss", "txt", "ics", "vcf", "apk", "exe", "dmg", "woff", "woff2", "ttf", "heic", "psd",
    "tif", "tiff", "bmp",
];

fn is_page(url: &Url) -> bool {
    let name = url.path_segments().and_then(|mut parts| parts.next_back()).unwrap_or_default().to_lowercase();
    let ending = name.rsplit_once('.').map(|(_, ending)| ending).unwrap_or_default();
    let busy = url.query_pairs().count() > 1;
    matches!(url.scheme(), "http" | "https") && !FILES.contains(&ending) && !busy && url.as_str().len() <= 2_048
}

impl SiteReader {
    /// Begins at `entry`.
    #[must_use]
    pub fn new(entry: Url, limits: SiteLimits) -> Self {
        let first = Candidate { url: entry.clone(), role: PageRole::Other, depth: 0, person: false, order: 0 };
        let known = HashSet::from([page_key(&entry)]);
        Self {
            entry,
            limits,
            waiting: vec![first],
            known,
            asked: HashMap::new(),
            pages: Vec::new(),
            missed: Vec::new(),
            person_pages: 0,
            order: 0,
            refused: HashSet::new(),
            sitemap_missed: false,
        }
    }

    /// The best page not yet asked for; `None` when the plan is done.
    pub fn next_page(&mut self) -> Option<Url> {
        loop {
            let best = self.waiting.iter().enumerate().min_by_key(|(_, page)| rank(page)).map(|(at, _)| at)?;
            let page = self.waiting.swap_remove(best);
            let ordinary = self.asked.len().saturating_sub(self.person_pages);
            let full = if page.person { self.asked.len() >= self.pages_in_all() } else { ordinary >= self.limits.pages };
            if full {
                if page.role == PageRole::Team && !page.person {
                    self.missed.push((page.url, page.role, Miss::Failed));
                }
                continue;
            }
            if page.person {
                self.person_pages += 1;
            }
            self.asked.insert(page_key(&page.url), (page.role, page.depth, page.person));
            return Some(page.url);
        }
    }

    fn pages_in_all(&self) -> usize {
        self.limits.pages + self.limits.artist_pages
    }

    /// Takes what a page said; `requested` is the address that was handed out, whatever it redirected to.
    pub fn page_read(&mut self, requested: &Url, mut page: PageFindings) {
        let (asked_role, depth, person) = self.asked.get(&page_key(requested)).copied().unwrap_or_default();
        if page.role == PageRole::Other || (asked_role == PageRole::Team && page.role != PageRole::Guests) {
            page.role = if asked_role == PageRole::Other { page.role } else { asked_role };
        }
        for also in [Some(&page.url), page.canonical.as_ref()].into_iter().flatten() {
            self.known.insert(page_key(also));
        }
        if depth < self.limits.depth && !(page.nofollow && self.limits.obey_nofollow) {
            let team = page.role == PageRole::Team && !person;
            for link in &page.links {
                self.consider(link, depth + 1, team);
            }
        }
        self.pages.push(page);
    }

    fn consider(&mut self, link: &PageLink, depth: u8, team: bool) {
        if link.nofollow && self.limits.obey_nofollow {
            self.refused.insert(page_key(&link.url));
            return;
        }
        if !is_page(&link.url) || !same_site(&link.url, &self.entry) {
            return;
        }
        let nav = matches!(link.place, Place::Nav | Place::Footer | Place::Header);
        let person =
            (link.card.is_some() || (team && !nav)) && matches!(link.role, PageRole::Other | PageRole::Portfolio | PageRole::About);
        if matches!(link.role, PageRole::Shop | PageRole::Blog | PageRole::Legal | PageRole::Aftercare | PageRole::Guests)
            || link.place == Place::Credit
        {
            return;
        }
        if !self.known.insert(page_key(&link.url)) {
            if let Some(waiting) = self.waiting.iter_mut().find(|page| page_key(&page.url) == page_key(&link.url)) {
                waiting.person |= person;
                if waiting.role == PageRole::Other {
                    waiting.role = link.role;
                }
            }
            return;
        }
        self.order += 1;
        self.waiting.push(Candidate { url: link.url.clone(), role: link.role, depth, person, order: self.order });
    }

    /// Whether the site's sitemaps are worth a request: its links led to too little, and no script hides the rest, for which there
    /// is a browser. Where links lead to what a record is made of, a sitemap only names more of the same. A site that begins below
    /// the root of its host may share it with others, who are none of its business; one whose first page asks that nobody goes on
    /// from it is left alone.
    #[must_use]
    pub fn wants_sitemap(&self, vocabulary: &Styles) -> bool {
        self.may_want_sitemap() && !self.wants_browser(vocabulary) && {
            let facts = resolve::site(&self.entry, &self.pages, true, vocabulary);
            match facts.kind {
                SiteKind::Negative => self.pages.len() == 1,
                SiteKind::Studio => facts.artists.is_empty() && facts.too_many_artists.is_none(),
                SiteKind::Artist => facts.name.is_none() || facts.images.is_empty() || facts.is_mute(),
            }
        }
    }

    /// Whether a sitemap may be asked for at all, whatever the pages say.
    #[must_use]
    pub fn may_want_sitemap(&self) -> bool {
        let is_root = |url: &Url| !page_key(url).contains('/') && url.query().is_none();
        let stays = self.pages.first().is_some_and(|first| !(first.nofollow && self.limits.obey_nofollow));
        is_root(&self.entry) && stays && self.waiting.is_empty() && self.asked.len() < self.limits.pages
    }

    /// Takes the pages that a sitemap names: of this host, and none that a page asked to leave alone.
    pub fn sitemap_read(&mut self, pages: &[NamedPage]) {
        let mut pages: Vec<&NamedPage> =
            pages.iter().filter(|page| same_host(&page.url, &self.entry) && !self.refused.contains(&page_key(&page.url))).collect();
        pages.sort_by_key(|page| order_of(1, page.of_team, page.role));
        // Some lead to pages that were read: more than could be read are enough.
        for NamedPage { url, role, of_team } in pages.into_iter().take(2 * self.pages_in_all()) {
            let link = PageLink { url: url.clone(), text: String::new(), nofollow: false, place: Place::Main, role: *role, card: None };
            self.consider(&link, 1, *of_team);
        }
    }

    /// Takes note that a sitemap, or a part of one, could not be had.
    pub fn sitemap_missed(&mut self) {
        self.sitemap_missed = true;
    }

    /// Takes note that a page could not be had.
    pub fn page_missed(&mut self, requested: &Url, reason: Miss) {
        let (role, ..) = self.asked.get(&page_key(requested)).copied().unwrap_or_default();
        self.missed.push((requested.clone(), role, reason));
    }

    /// The pages read so far.
    #[must_use]
    pub fn pages(&self) -> &[PageFindings] {
        &self.pages
    }

    /// The pages on which people come and go: the entry, lists of the team, and others that present people in cards, unless
    /// they are somebody's own.
    pub fn list_pages(&self) -> impl Iterator<Item = &Url> {
        let entry = page_key(&self.entry);
        let lists = self.pages.iter().enumerate().filter(move |(at, page)| {
            let key = page_key(&page.url);
            let own = self.asked.get(&key).is_some_and(|(.., person)| *person);
            *at == 0 || key == entry || page.role == PageRole::Team || (!own && page.cards.iter().any(|card| card.name.is_some()))
        });
        lists.map(|(_, page)| &page.url)
    }

    /// Whether any page but the first `before` read presents people.
    #[must_use]
    pub fn met_people_since(&self, before: usize) -> bool {
        let since = self.pages.iter().skip(before);
        since.into_iter().any(|page| page.role == PageRole::Team || page.cards.iter().any(|card| card.name.is_some()))
    }

    /// The pages that answered for good: those read, and those gone.
    pub fn answered(&self) -> impl Iterator<Item = &Url> {
        let gone = self.missed.iter().filter(|(.., why)| *why == Miss::Gone).map(|(url, ..)| url);
        self.pages.iter().map(|page| &page.url).chain(gone)
    }

    /// Whether a browser would see more: a page that was read is drawn by a script, and what a record requires did not come out
    /// of the site without it; or all pages are, and beside their heads they gave neither pictures nor a way to write to anybody.
    /// That pages failed is no sign of it.
    #[must_use]
    pub fn wants_browser(&self, vocabulary: &Styles) -> bool {
        let drawn = self.pages.iter().filter(|page| page.signals.drawn_by_script).count();
        drawn > 0 && {
            let facts = resolve::site(&self.entry, &self.pages, true, vocabulary);
            match facts.kind {
                SiteKind::Negative => true,
                _ if drawn == self.pages.len() && (facts.is_mute() || facts.images.is_empty()) => true,
                SiteKind::Studio => facts.artists.is_empty() && facts.too_many_artists.is_none(),
                SiteKind::Artist => facts.name.is_none(),
            }
        }
    }

    /// Weighs everything that was found.
    #[must_use]
    pub fn finish(self, vocabulary: &Styles) -> SiteFacts {
        let lists_missed = self.sitemap_missed
            || self.missed.iter().any(|(_, role, _)| *role == PageRole::Team)
            || self.waiting.iter().any(|page| page.role == PageRole::Team && page.depth <= self.limits.depth);
        resolve::site(&self.entry, &self.pages, lists_missed, vocabulary)
    }
}

fn rank(page: &Candidate) -> (u8, usize) {
    (order_of(page.depth, page.person, page.role), page.order)
}

/// In which order pages are read: the entry, then what says most about people.
fn order_of(depth: u8, person: bool, role: PageRole) -> u8 {
    match (depth, person, role) {
        (0, ..) => 0,
        (_, _, PageRole::Team) => 1,
        (_, _, PageRole::About) => 2,
        (_, _, PageRole::Contact) => 3,
        (_, true, _) => 4,
        (_, _, PageRole::Portfolio) => 5,
        (_, _, PageRole::Imprint) => 6,
        (_, _, PageRole::Services) => 7,
        (_, _, PageRole::Other) => 8,
        (_, _, PageRole::Faq) => 9,
        (_, _, PageRole::Booking) => 10,
        _ => 11,
    }
}
