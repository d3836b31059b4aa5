//! Feeds a reader of a site with its pages: those its links lead to, and if they lead to too little, those its sitemaps name.

use super::site_visit::PageStop;
use crate::extract::{Miss, PageFindings, SiteReader, Sitemap, Styles, same_site};
use crate::scrape::guard::shown;
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

    /// The sitemaps that the robots.txt of a page's host names, as far as it is known.
    async fn sitemaps(&mut self, page: &Url) -> Result<Vec<Url>, PageStop>;

    /// Fetches and reads one sitemap.
    async fn sitemap(&mut self, url: &Url) -> Result<Sitemap, PageStop>;
}

/// Feeds a reader with the pages it asks for, until it wants no more.
///
/// # Errors
/// The page without which the site cannot be read, and why it was not read.
pub async fn drive(reader: &mut SiteReader, entry: &Url, styles: &Styles, pages: &mut dyn Pages) -> Result<(), (Url, PageStop)> {
    follow_links(reader, entry, pages).await?;
    let Some(first) = reader.pages().first().map(|page| page.url.clone()) else { return Ok(()) };
    let named = pages.sitemaps(&first).await.map_err(|stop| (first.clone(), stop))?;
    if named.is_empty() || !reader.wants_sitemap(styles) {
        return Ok(());
    }
    read_sitemaps(reader, &first, named, pages).await?;
    follow_links(reader, entry, pages).await
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

/// Reads the sitemaps of the site of `first`, an index before what it names. Those on other sites are theirs.
async fn read_sitemaps(reader: &mut SiteReader, first: &Url, named: Vec<Url>, pages: &mut dyn Pages) -> Result<(), (Url, PageStop)> {
    let (mut waiting, mut seen) = (VecDeque::from(named), HashSet::new());
    while let Some(url) = waiting.pop_front().filter(|_| seen.len() < SITEMAPS_MAX) {
        if !same_site(&url, first) || !seen.insert(url.clone()) {
            continue;
        }
        match pages.sitemap(&url).await {
            Ok(sitemap) => {
                reader.sitemap_read(&sitemap.pages);
                waiting.extend(sitemap.sitemaps);
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
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::{ParseBudget, ParseLimits, SiteFacts, SiteKind, SiteLimits, SitemapError, read_page};
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
            self.sitemaps.get(url.path()).cloned().ok_or(PageStop::Sitemap(SitemapError::NotOne))
        }
    }

    impl Site {
        /// Puts up a sitemap of addresses: those that end with `.xml` are further sitemaps.
        fn maps(&mut self, path: &str, urls: &[&str]) {
            let (sitemaps, pages) = urls.iter().map(|path| url(path)).partition(|url| url.path().ends_with(".xml"));
            self.sitemaps.insert(path.to_owned(), Sitemap { pages, sitemaps });
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
        site.named = vec![url("/0.xml")];
        for n in 0..20 {
            site.maps(&format!("/{n}.xml"), &[&format!("/{n}.xml"), &format!("/{}.xml", n + 1), "/0.xml"]);
        }
        site.read().await;
        assert_eq!(site.asked_for(), ["/", "/prices", "/0.xml", "/1.xml", "/2.xml", "/3.xml", "/4.xml"]);
    }

    /// Rule 11: nobody is missing from a list while a sitemap that may name another cannot be had; one that is none is an answer.
    #[tokio::test]
    async fn nobody_is_missing_because_a_sitemap_failed() {
        for (second, complete) in [("/none.xml", true), (DOWN, false)] {
            let mut site = studio();
            site.named.push(url(second));
            let facts = site.read().await;
            assert_eq!((facts.artists.len(), facts.list_pages_complete), (2, complete), "{second}");
        }
    }
}
