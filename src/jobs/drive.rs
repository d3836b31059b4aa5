//! Feeds a reader of a site with its pages: those its links lead to, and if they lead to too little, those its sitemaps name.

use super::site_visit::PageStop;
use crate::extract::{Miss, PageFindings, SiteReader, Sitemap, Styles};
use crate::scrape::guard::shown;
use crate::scrape::known::site_of;
use async_trait::async_trait;
use std::collections::{HashSet, VecDeque};
use url::Url;

/// Most sitemaps read of one site. An index names one for each kind of page; those that promise pages come first.
const SITEMAPS_MAX: usize = 5;

/// Where the pages of a site come from.
#[async_trait]
pub trait Pages: Send {
    /// Fetches and reads one page.
    async fn page(&mut self, url: &Url) -> Result<PageFindings, PageStop>;

    /// The sitemaps that the robots.txt of a page's host names of itself, as far as it is known.
    async fn sitemaps(&mut self, page: &Url) -> Result<Vec<Url>, PageStop>;

    /// Fetches and reads one sitemap.
    async fn sitemap(&mut self, url: &Url) -> Result<Sitemap, PageStop>;

    /// Whether it is remembered that people of the site were found by its sitemaps alone.
    async fn needs_sitemap(&mut self, entry: &Url) -> Result<bool, PageStop>;

    /// Remembers that these sitemaps led to people.
    async fn note_sitemaps(&mut self, entry: &Url, sitemaps: &[Url]) -> Result<(), PageStop>;
}

/// Feeds a reader with the pages it asks for, until it wants no more. A site whose people only a sitemap led to is read by its
/// sitemaps from then on, whatever its links lead to: nobody is missing from a list that was not asked for (rule 11).
///
/// # Errors
/// The page without which the site cannot be read, and why it was not read.
pub async fn drive(reader: &mut SiteReader, entry: &Url, styles: &Styles, pages: &mut dyn Pages) -> Result<(), (Url, PageStop)> {
    follow_links(reader, entry, pages).await?;
    let Some(first) = reader.pages().first().map(|page| page.url.clone()).filter(|_| reader.may_want_sitemap()) else { return Ok(()) };
    let at_entry = |stop| (entry.clone(), stop);
    let named = pages.sitemaps(&first).await.map_err(at_entry)?;
    if named.is_empty() || !(pages.needs_sitemap(entry).await.map_err(at_entry)? || reader.wants_sitemap(styles)) {
        return Ok(());
    }
    let by_links = reader.pages().len();
    let read = read_sitemaps(reader, &first, named, pages).await?;
    follow_links(reader, entry, pages).await?;
    if reader.met_people_since(by_links) {
        pages.note_sitemaps(entry, &read).await.map_err(at_entry)?;
    }
    Ok(())
}

async fn follow_links(reader: &mut SiteReader, entry: &Url, pages: &mut dyn Pages) -> Result<(), (Url, PageStop)> {
    while let Some(url) = reader.next_page() {
        let is_entry = reader.pages().is_empty() && url == *entry;
        match pages.page(&url).await {
            Ok(findings) => reader.page_read(&url, findings),
            Err(stop) => match stop.as_miss(is_entry) {
                Some(miss) => reader.page_missed(&url, miss),
                None => return Err((url, stop)),
            },
        }
    }
    Ok(())
}

/// Reads the sitemaps of the host of `first`, an index before what it names. Answers which were read.
async fn read_sitemaps(reader: &mut SiteReader, first: &Url, named: Vec<Url>, pages: &mut dyn Pages) -> Result<Vec<Url>, (Url, PageStop)> {
    let (mut waiting, mut seen, mut read) = (VecDeque::from(named), HashSet::new(), Vec::new());
    while let Some(url) = waiting.pop_front() {
        if site_of(&url) != site_of(first) || !seen.insert(url.clone()) {
            continue;
        }
        if seen.len() > SITEMAPS_MAX {
            reader.sitemap_missed();
            break;
        }
        match pages.sitemap(&url).await {
            Ok(sitemap) => {
                reader.sitemap_read(&sitemap.pages);
                if sitemap.cut {
                    reader.sitemap_missed();
                }
                waiting.extend(sitemap.sitemaps);
                read.push(url);
            }
            Err(stop) => {
                let Some(miss) = stop.as_miss(false) else { return Err((url, stop)) };
                tracing::info!(site.url = %shown(&url), "a sitemap was not read: {stop}");
                if miss != Miss::Gone {
                    reader.sitemap_missed();
                }
            }
        }
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::{ParseBudget, ParseLimits, SiteFacts, SiteKind, SiteLimits, read_page};
    use crate::scrape::FetchError;
    use crate::scrape::visit::VisitError;
    use std::collections::HashMap;
    use std::time::Duration;

    /// Pages and sitemaps in memory.
    #[derive(Default)]
    struct Site {
        named: Vec<Url>,
        pages: HashMap<&'static str, &'static str>,
        sitemaps: HashMap<String, Sitemap>,
        asked: Vec<String>,
        noted: Vec<Url>,
    }

    /// A sitemap that nobody can have now.
    const DOWN: &str = "/down.xml";

    fn url(path: &str) -> Url {
        Url::parse("https://studio.example/").unwrap().join(path).unwrap()
    }

    fn budget(elapsed: &dyn Fn() -> Duration) -> ParseBudget<'_> {
        ParseBudget::new(ParseLimits::default(), elapsed)
    }

    fn gone(url: &Url) -> PageStop {
        PageStop::Visit(VisitError::Fetch(FetchError::Gone { url: url.to_string(), status: 404 }))
    }

    #[async_trait]
    impl Pages for Site {
        async fn page(&mut self, url: &Url) -> Result<PageFindings, PageStop> {
            self.asked.push(url.path().to_owned());
            let text = self.pages.get(url.path()).ok_or_else(|| gone(url))?;
            Ok(read_page(url, text, &Styles::standard(), &budget(&|| Duration::ZERO)).unwrap())
        }

        async fn sitemaps(&mut self, _: &Url) -> Result<Vec<Url>, PageStop> {
            Ok(self.named.clone())
        }

        async fn sitemap(&mut self, url: &Url) -> Result<Sitemap, PageStop> {
            self.asked.push(url.path().to_owned());
            if url.path() == DOWN {
                return Err(PageStop::Visit(VisitError::Fetch(FetchError::Server { url: url.to_string(), status: 500 })));
            }
            self.sitemaps.get(url.path()).cloned().ok_or_else(|| gone(url))
        }

        async fn needs_sitemap(&mut self, _: &Url) -> Result<bool, PageStop> {
            Ok(!self.noted.is_empty())
        }

        async fn note_sitemaps(&mut self, _: &Url, sitemaps: &[Url]) -> Result<(), PageStop> {
            self.noted = sitemaps.to_vec();
            Ok(())
        }
    }

    impl Site {
        /// Puts up a sitemap of addresses: those that end with `.xml` are further sitemaps.
        fn maps(&mut self, path: &str, urls: &[&str]) {
            let entry = |path: &&str| {
                let kind = if path.ends_with(".xml") { "sitemap" } else { "url" };
                format!("<{kind}><loc>{path}</loc></{kind}>")
            };
            let text = format!("<urlset>{}</urlset>", urls.iter().map(entry).collect::<String>());
            self.sitemaps.insert(path.to_owned(), Sitemap::read(&url("/"), &text, &budget(&|| Duration::ZERO)).unwrap());
        }

        async fn read(&mut self) -> SiteFacts {
            self.read_from("/").await
        }

        async fn read_from(&mut self, entry: &str) -> SiteFacts {
            let styles = Styles::standard();
            let mut reader = SiteReader::new(url(entry), SiteLimits::default());
            drive(&mut reader, &url(entry), &styles, self).await.unwrap();
            reader.finish(&styles)
        }

        fn asked_for(&mut self) -> Vec<String> {
            std::mem::take(&mut self.asked)
        }
    }

    const HOME: &str = "<!doctype html><title>Grey Heron Tattoo</title><h1>Grey Heron Tattoo</h1><p>Our tattoo studio in Porto, Portugal.</p>\
        <a href=/prices>Prices</a>";
    const TEAM: &str = "<!doctype html><title>Artists</title><h1>Our artists</h1>\
        <div class=artist><img src=/bo.jpg><h3>Bo Marchbank</h3><p>Tattoo artist, blackwork</p><a href=/artists/bo>More</a></div>\
        <div class=artist><img src=/cleo.jpg><h3>Cleo Tidewater</h3><p>Tattoo artist, fine line</p></div>";

    fn studio() -> Site {
        let mut site = Site { named: vec![url("/index.xml")], ..Site::default() };
        site.pages = HashMap::from([("/", HOME), ("/artists", TEAM)]);
        site.maps("/index.xml", &["/pages.xml"]);
        site.maps("/pages.xml", &["/", "/blog/ten-ideas", "/deep/er/still", "/artists", "/shop/ink", "https://elsewhere.example/artists"]);
        site
    }

    #[tokio::test]
    async fn a_team_that_no_link_leads_to_is_found_by_the_sitemap() {
        let mut site = studio();
        let names: Vec<String> = site.read().await.artists.into_iter().map(|member| member.name).collect();
        assert_eq!(names, ["Bo Marchbank", "Cleo Tidewater"]);
        assert_eq!(site.asked_for(), ["/", "/prices", "/index.xml", "/pages.xml", "/artists", "/artists/bo"], "and nothing else is read");
    }

    #[tokio::test]
    async fn where_links_lead_to_everything_no_sitemap_is_asked_for() {
        let mut site = studio();
        site.pages.insert("/", TEAM);
        assert_eq!(site.read().await.kind, SiteKind::Studio);
        assert_eq!(site.asked_for(), ["/", "/artists/bo"]);
        let mut silent = Site { named: Vec::new(), ..studio() };
        assert_eq!(silent.read().await.artists, []);
        assert_eq!(silent.asked_for(), ["/", "/prices"], "paths are not guessed");
        let mut shared = studio();
        shared.pages.insert("/grey-heron", HOME);
        shared.read_from("/grey-heron").await;
        assert_eq!(shared.asked_for(), ["/grey-heron", "/prices"], "others may have the rest of the host");
    }

    #[tokio::test]
    async fn sitemaps_of_others_and_circles_of_them_are_left_alone() {
        let mut site = studio();
        site.named = vec![Url::parse("https://elsewhere.example/index.xml").unwrap()];
        site.read().await;
        assert_eq!(site.asked_for(), ["/", "/prices"]);
        site.named = vec![url("/neighbour.xml")];
        site.maps("/neighbour.xml", &["https://other.studio.example/artists", "https://elsewhere.example/more.xml"]);
        site.read().await;
        assert_eq!(site.asked_for(), ["/", "/prices", "/neighbour.xml"]);
        site.named = vec![url("/0.xml")];
        for n in 0..20 {
            site.maps(&format!("/{n}.xml"), &[&format!("/{n}.xml"), &format!("/{}.xml", n + 1), "/0.xml"]);
        }
        site.read().await;
        assert_eq!(site.asked_for(), ["/", "/prices", "/0.xml", "/1.xml", "/2.xml", "/3.xml", "/4.xml"]);
    }

    /// What a page asks to leave alone is left alone, whatever a sitemap names.
    #[tokio::test]
    async fn a_sitemap_overrules_no_page() {
        let nofollow = HOME.replace("<title>", "<meta name=robots content=nofollow><title>").leak();
        let mut site = studio();
        site.pages.insert("/", nofollow);
        site.read().await;
        assert_eq!(site.asked_for(), ["/"]);
        let refused = HOME.replace("<a href=/prices>", "<a rel=nofollow href=/artists>Artists</a><a href=/prices>").leak();
        site.pages.insert("/", refused);
        site.read().await;
        assert_eq!(site.asked_for(), ["/", "/prices", "/index.xml", "/pages.xml"]);
    }

    /// Rule 11: nobody is missing from a list while a sitemap that may name another was not had whole; one that is gone is an answer.
    #[tokio::test]
    async fn nobody_is_missing_because_a_sitemap_failed() {
        for (second, complete) in [("/none.xml", true), (DOWN, false), ("/cut.xml", false)] {
            let mut site = studio();
            let cut = Sitemap::read(&url("/"), "<urlset><url><loc>/about</loc></url>", &budget(&|| Duration::ZERO)).unwrap();
            site.sitemaps.insert("/cut.xml".to_owned(), cut);
            site.named.push(url(second));
            let facts = site.read().await;
            assert_eq!((facts.artists.len(), facts.list_pages_complete), (2, complete), "{second}");
        }
        let mut site = studio();
        site.named.extend(["/1.xml", "/2.xml", "/3.xml", "/4.xml"].map(url));
        assert!(!site.read().await.list_pages_complete, "one sitemap is left over");
    }

    /// Rule 11: whom the sitemap led to is not missing because a link leads to somebody else one night.
    #[tokio::test]
    async fn a_site_that_needed_its_sitemap_is_read_by_it_from_then_on() {
        let mut site = studio();
        site.read().await;
        assert_eq!(site.noted, [url("/index.xml"), url("/pages.xml")]);
        let guest = "<h2>Our artists</h2><div class=artist><img src=/ida.jpg><h3>Ida Thornfield</h3><p>Tattoo artist, dotwork</p></div>\
                     <div class=artist><img src=/udo.jpg><h3>Udo Larkmoor</h3><p>Tattoo artist, lettering</p></div>";
        site.pages.insert("/", format!("{HOME}{guest}").leak());
        let mut names: Vec<String> = site.read().await.artists.into_iter().map(|member| member.name).collect();
        names.sort();
        assert_eq!(names, ["Bo Marchbank", "Cleo Tidewater", "Ida Thornfield", "Udo Larkmoor"]);
    }
}
