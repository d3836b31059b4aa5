//! What a site is: a tattoo artist, a studio, or something that only looks like it.

use super::super::finding::{Field, PageFindings, PageRole, Place};
use super::super::text::{fold, tokens};
use super::facts::SiteKind;
use super::names::Person;
use super::resolve::Site;

fn total(pages: &[PageFindings], trade: &str) -> f32 {
    pages.iter().flat_map(|page| &page.signals.other).filter(|(name, _)| name == trade).map(|(_, weight)| weight).sum()
}

/// Why a site is neither artist nor studio; `None` when it may be one.
pub(crate) fn negative(pages: &[PageFindings]) -> Option<String> {
    let Some(home) = pages.first() else { return Some("no page could be read".to_owned()) };
    let weighed: Vec<PageFindings>;
    // Advice, law and shop pages speak of other trades by their nature.
    let relevant: &[PageFindings] = if pages.iter().any(|page| matches!(page.role, PageRole::Aftercare | PageRole::Legal | PageRole::Shop))
    {
        weighed =
            pages.iter().filter(|page| !matches!(page.role, PageRole::Aftercare | PageRole::Legal | PageRole::Shop)).cloned().collect();
        &weighed
    } else {
        pages
    };
    let craft: f32 = relevant.iter().map(|page| page.signals.tattoo).sum();
    if relevant.iter().any(|page| page.signals.denies_tattooing) {
        return Some("says that body tattoos are not offered".to_owned());
    }
    let [pmu, removal, supply, piercing, photo, beauty, theme, blog] =
        ["pmu", "removal", "supply", "piercing", "photo", "beauty", "theme", "blog"].map(|trade| total(relevant, trade));
    let offers: f32 = craft.max(0.5);
    let home_of = |trade: &str| total(std::slice::from_ref(home), trade);
    let cases = [
        (pmu > offers * 1.1 && home_of("pmu") > 4.0, "permanent make-up"),
        (removal > offers * 0.5 && home_of("removal") >= 8.0, "tattoo removal"),
        (supply > offers * 0.7 && home_of("supply") >= 6.0, "tattoo supplies"),
        (piercing > offers * 1.5 && home_of("piercing") >= 8.0, "piercing"),
        (photo > offers * 0.9 && home_of("photo") >= 6.0, "photography"),
        (beauty > offers * 1.1 && home_of("beauty") >= 6.0, "beauty salon"),
        (beauty + pmu > offers * 1.2 && home_of("beauty") + home_of("pmu") >= 8.0, "beauty salon"),
        (theme >= 8.0 && theme > offers * 0.12 || is_theme(pages), "theme with invented content"),
        (blog > offers * 0.45 && blog >= 12.0 && !has_contact(pages), "articles"),
    ];
    if let Some((_, why)) = cases.iter().find(|(holds, _)| *holds) {
        return Some((*why).to_owned());
    }
    (craft < 2.0 && !has_style(pages)).then(|| "nothing about tattooing".to_owned())
}

fn has_contact(pages: &[PageFindings]) -> bool {
    pages.iter().flat_map(|page| &page.findings).any(|finding| {
        matches!(finding.field, Field::Phone) && finding.confidence > 0.5
            || finding.field == Field::Address && finding.confidence >= 0.7
            || finding.field == Field::Instagram && finding.confidence >= 0.9 && finding.place != Place::Credit
    })
}

fn has_style(pages: &[PageFindings]) -> bool {
    pages.iter().flat_map(|page| &page.findings).any(|finding| finding.field == Field::Style && finding.confidence >= 0.7)
}

/// Invented content: filler text on most pages, or people without a single way to reach the shop.
fn is_theme(pages: &[PageFindings]) -> bool {
    let marked = pages.iter().filter(|page| page.signals.other.iter().any(|(name, weight)| name == "theme" && *weight >= 2.0)).count();
    let says = pages.iter().any(|page| {
        let title = fold(&page.title);
        ["html template", "template", "theme demo", "responsive html", "wordpress theme", "website template"]
            .iter()
            .any(|mark| title.contains(mark))
    });
    says || marked * 2 > pages.len() && marked >= 3
}

const STUDIO_WORDS: &[&str] = &[
    "studio",
    "studios",
    "shop",
    "tattooshop",
    "parlor",
    "parlour",
    "collective",
    "collectif",
    "colectivo",
    "atelier",
    "house",
    "salon",
    "estudio",
    "gallery",
    "club",
    "company",
    "co",
    "brothers",
    "family",
    "society",
    "crew",
    "tattoostudio",
    "social",
    "temple",
    "room",
    "lounge",
    "emporium",
    "studiotatuazu",
    "bottega",
    "lab",
    "workshop",
    "den",
    "guild",
];

/// Artist or studio, by what the pages say of themselves.
pub(crate) fn artist_or_studio(site: &Site<'_>, people: &[Person]) -> SiteKind {
    let pages = site.pages;
    let members = site.members.iter().filter(|member| member.counts()).count();
    let firm = site.members.iter().filter(|member| member.counts() && member.named_artist).count();
    let mut score = 0.0_f32;
    score += match members {
        0 => 0.0,
        1 => 0.3,
        2 => 1.2 + 0.6 * firm as f32,
        _ => 1.8 + 0.5 * firm.min(4) as f32,
    };
    let links_team = pages.iter().flat_map(|page| &page.links).any(|link| {
        link.role == PageRole::Team
            && [
                "artists",
                "artist",
                "team",
                "crew",
                "staff",
                "tatuadores",
                "artistas",
                "equipo",
                "equipe",
                "kunstler",
                "artisti",
                "artiesten",
                "artysci",
                "мастера",
                "команда",
                "tatoueurs",
                "artistes",
            ]
            .iter()
            .any(|word| tokens(&link.text).iter().any(|given| given == word || given.ends_with("s") && given.starts_with(word)))
            && fold(&link.text) != "artist"
    });
    score += if links_team || pages.iter().any(|page| page.role == PageRole::Team) { 1.2 } else { 0.0 };
    let singular: u32 = pages.iter().map(|page| page.signals.first_person).sum();
    let plural: u32 = pages.iter().map(|page| page.signals.first_plural).sum();
    let (singular, plural) = (singular as f32, plural as f32);
    if singular + plural >= 3.0 {
        score += ((plural - singular * 1.3) / (plural + singular * 1.3) * 1.6).clamp(-1.6, 1.6);
    }
    let strong: String = pages
        .iter()
        .take(1)
        .flat_map(|page| &page.findings)
        .filter(|finding| {
            matches!(finding.place, Place::Title | Place::Meta | Place::Heading | Place::JsonLd)
                && matches!(finding.field, Field::Name | Field::Bio)
        })
        .filter_map(|finding| finding.value.text())
        .map(|text| format!(" {} ", tokens(text).join(" ")))
        .collect();
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| strong.contains(&format!(" {phrase} ")));
    if says(&[
        "tattoo studio",
        "tattoo shop",
        "tattoo parlor",
        "tattoo parlour",
        "tattoostudio",
        "tattooshop",
        "tattoo collective",
        "estudio de tatuajes",
        "studio di tatuaggi",
        "salon de tatouage",
        "studio tatuazu",
        "estudio de tatuagem",
        "tetovaci studio",
        "private studio",
        "тату студия",
        "тату салон",
        "our studio",
        "our artists",
        "studio professionale",
        "artists",
        "prive tattooshop",
    ]) {
        score += 1.0;
    }
    if says(&[
        "tattoo artist",
        "tattooer",
        "tattooist",
        "tatuador",
        "tatuadora",
        "tatoueur",
        "tatoueuse",
        "tattoo kunstlerin",
        "tattoo kunstler",
        "tatowierer",
        "tatowiererin",
        "tatuatore",
        "tatuatrice",
        "tatuatorka",
        "тату мастер",
        "resident artist",
        "artista tatuador",
        "tattoos by",
        "tattoo art by",
        "одной татуировщицы",
        "татуировщица",
        "татуировщик",
    ]) {
        score -= 1.0;
    }
    // The site's own name: a person or a house.
    let home_people = people.iter().filter(|person| person.weight >= 0.8).count();
    score -= match home_people {
        0 => 0.0,
        1 => 1.0,
        _ => 0.4,
    };
    if people.iter().any(|person| person.introduces) {
        score -= 1.2;
    }
    let name = super::names::site_name(site);
    let words = name.as_deref().map(tokens).unwrap_or_default();
    if words.iter().any(|word| STUDIO_WORDS.contains(&word.as_str())) {
        score += 0.8;
    }
    if name.as_deref().is_some_and(|name| people.iter().any(|person| super::names::core_key(&person.name) == super::names::core_key(name)))
    {
        score -= 1.2;
    }
    let types: String = pages
        .iter()
        .flat_map(|page| &page.findings)
        .filter(|finding| finding.field == Field::Kind)
        .filter_map(|finding| finding.value.text())
        .collect();
    if ["tattooparlor", "localbusiness", "tattooshop", "healthandbeautybusiness"].iter().any(|kind| types.contains(kind)) {
        score += 0.6;
    }
    if score > 0.4 { SiteKind::Studio } else { SiteKind::Artist }
}
