//! Puts the judgements of a site together; each field has its own file.

use super::super::finding::{Field, PageFindings};
use super::super::styles::Styles;
use super::facts::{Evidence, Member, SiteFacts, SiteKind};
use super::{bio, contacts, kind, members, names, place, styles};
use std::collections::BTreeMap;
use url::Url;

/// What the judgements share.
pub(crate) struct Site<'pages> {
    pub entry: &'pages Url,
    pub pages: &'pages [PageFindings],
    pub vocabulary: &'pages Styles,
    pub members: Vec<members::Draft>,
    pub kind: SiteKind,
    pub name: Option<String>,
    pub evidence: BTreeMap<String, Vec<Evidence>>,
}

impl Site<'_> {
    pub fn note(&mut self, field: &str, value: &str, page: &Url, extractor: &str, confidence: f32) {
        let list = self.evidence.entry(field.to_owned()).or_default();
        if list.len() < 40 {
            list.push(Evidence { value: value.to_owned(), page: page.clone(), extractor: extractor.to_owned(), confidence });
        }
    }

    /// The page of a member, so that what stands there is theirs.
    pub fn is_member_page(&self, page: &PageFindings) -> bool {
        self.members.iter().any(|member| member.owns(page))
    }
}

/// Weighs all pages of a site.
pub(crate) fn site(entry: &Url, pages: &[PageFindings], lists_missed: bool, vocabulary: &Styles) -> SiteFacts {
    weigh(entry, pages, lists_missed, vocabulary, false).0
}

/// The same for pages known to be a studio's, with its people in full.
pub(crate) fn studio(entry: &Url, pages: &[PageFindings], vocabulary: &Styles) -> (SiteFacts, Vec<members::Draft>) {
    weigh(entry, pages, false, vocabulary, true)
}

fn weigh(
    entry: &Url,
    pages: &[PageFindings],
    lists_missed: bool,
    vocabulary: &Styles,
    known_studio: bool,
) -> (SiteFacts, Vec<members::Draft>) {
    let drawn = pages.first().is_some_and(|page| page.signals.drawn_by_script);
    if let Some(why) = kind::negative(pages) {
        let mut facts = SiteFacts::empty(SiteKind::Negative);
        facts.why_negative = Some(why);
        facts.drawn_by_script = drawn;
        return (facts, Vec::new());
    }
    let (people, too_many) = match members::collect(pages, vocabulary) {
        Ok(people) => (people, None),
        Err(listed) => (Vec::new(), Some(listed)),
    };
    let mut site = Site { entry, pages, vocabulary, members: people, kind: SiteKind::Studio, name: None, evidence: BTreeMap::new() };
    let people = names::people(&site);
    site.kind = if known_studio || too_many.is_some() { SiteKind::Studio } else { kind::artist_or_studio(&site, &people) };
    site.name = names::resolve(&mut site, &people);
    members::settle(&mut site);
    let mut facts = SiteFacts::empty(site.kind);
    facts.drawn_by_script = drawn;
    facts.too_many_artists = too_many;
    let found = contacts::resolve(&mut site);
    facts.studio = match site.kind {
        SiteKind::Studio => site.name.clone(),
        _ => names::studio_of_artist(&mut site),
    };
    let located = place::resolve(&mut site, &found.phones, &found.emails);
    (facts.city, facts.region, facts.country) = (located.city, located.region, located.country);
    (facts.street, facts.postcode, facts.country_basis) = (located.street, located.postcode, located.basis);
    facts.implied = located.implied;
    facts.styles = styles::resolve(&mut site);
    facts.images = images(&site);
    facts.bio = bio::resolve(&mut site);
    (facts.instagram, facts.emails, facts.phones, facts.socials) = (found.instagram, found.emails, found.phones, found.socials);
    if site.kind == SiteKind::Studio {
        facts.artists = site.members.iter().filter(|member| member.counts()).map(members::Draft::member).collect::<Vec<Member>>();
    }
    facts.list_pages_complete =
        !lists_missed && site.kind == SiteKind::Studio && !facts.artists.is_empty() && members::lists_complete(&site);
    facts.name = site.name.clone();
    facts.evidence = site.evidence;
    (facts, site.members)
}

/// Portfolio pictures of all pages, each once; pictures that stand on most pages belong to the theme.
fn images(site: &Site<'_>) -> Vec<Url> {
    let mut pages_of: BTreeMap<&str, usize> = BTreeMap::new();
    for page in site.pages {
        let mut seen = std::collections::BTreeSet::new();
        for finding in page.findings.iter().filter(|finding| finding.field == Field::Image) {
            if let Some(text) = finding.value.text()
                && seen.insert(text)
            {
                *pages_of.entry(text).or_default() += 1;
            }
        }
    }
    let mut out: Vec<Url> = Vec::new();
    let mut known = std::collections::HashSet::new();
    for page in site.pages {
        if site.members.iter().any(|member| member.not_artist.is_some() && member.owns(page)) {
            continue;
        }
        for finding in page.findings.iter().filter(|finding| finding.field == Field::Image && finding.confidence >= 0.3) {
            let Some(text) = finding.value.text() else {
                continue;
            };
            let shared = pages_of.get(text).copied().unwrap_or_default();
            let theme = shared >= 4 && shared * 2 > site.pages.len();
            if theme || !known.insert(text.to_owned()) || out.len() >= 1_000 {
                continue;
            }
            out.extend(Url::parse(text).ok());
        }
    }
    out
}
