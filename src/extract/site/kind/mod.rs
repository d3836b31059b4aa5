//! What a site is: a tattoo artist, a studio, or something that only looks like it.

mod negative;

pub(crate) use negative::negative;

use crate::extract::finding::{Field, PageRole, Place};
use crate::extract::site::facts::SiteKind;
use crate::extract::site::names::{Person, core_key};
use crate::extract::site::resolve::Site;
use crate::extract::text::{fold, tokens};

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
    let says_studio = says(&[
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
    ]);
    score += if says_studio { 1.0 } else { 0.0 };
    let says_artist = says(&[
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
        "однои татуировщицы",
        "татуировщица",
        "татуировщик",
    ]);
    score -= if says_artist { 1.0 } else { 0.0 };
    let told: String = pages
        .iter()
        .flat_map(|page| &page.findings)
        .filter(|finding| finding.field == Field::Bio && finding.confidence >= 0.5)
        .filter_map(|finding| finding.value.text())
        .map(|text| format!(" {} ", tokens(text).join(" ")))
        .collect();
    let tells = |phrases: &[&str]| phrases.iter().any(|phrase| told.contains(&format!(" {phrase} ")));
    if tells(&[
        "salon de tatouage",
        "is a tattoo studio",
        "is a tattoo shop",
        "our studio",
        "our shop",
        "our team",
        "our artists",
        "nuestro estudio",
        "nuestro equipo",
        "nosso estudio",
        "nossa equipe",
        "unser studio",
        "unser team",
        "notre salon",
        "notre studio",
        "nostro studio",
        "nasze studio",
        "naszym studiu",
        "ons team",
        "onze shop",
        "наша студия",
        "private tattoo studio",
        "tattoo parlour",
        "estudio de tatuajes",
    ]) {
        score += 0.8;
    }
    // The site's own name: a person or a house.
    let home_people = people.iter().filter(|person| person.weight >= 0.8).count();
    score -= match home_people {
        0 => 0.0,
        1 => 0.6,
        _ => 0.2,
    };
    if people.iter().any(|person| person.introduces) {
        score -= 1.2;
    }
    let name = crate::extract::site::names::site_name(site);
    // "Grey Heron Tattoo Studio": what is left of a brand reads like a name, and is nobody's where a house speaks of itself throughout.
    let house_speaks = says_studio && !says_artist && singular == 0.0 && plural > 0.0 && !says(&["private studio"]);
    if house_speaks && is_only_a_house(name.as_deref(), people) {
        return SiteKind::Studio;
    }
    let words = name.as_deref().map(tokens).unwrap_or_default();
    if words.iter().any(|word| STUDIO_WORDS.contains(&word.as_str())) {
        score += 0.8;
    }
    if name.as_deref().is_some_and(|name| people.iter().take(20).any(|person| core_key(&person.name) == core_key(name))) {
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

/// Whether nobody is named but the house itself.
fn is_only_a_house(name: Option<&str>, people: &[Person]) -> bool {
    let house = name.map(core_key).unwrap_or_default();
    people.iter().all(|person| !person.introduces && core_key(&person.name) == house)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::{ParseBudget, ParseLimits, SiteLimits, SiteReader, Styles, read_page};
    use std::time::Duration;
    use url::Url;

    /// A house that speaks of itself and names nobody is not taken for a person; one person is, whatever their brand.
    #[test]
    fn a_house_without_people_is_no_person() {
        for (name, says, kind) in [
            ("Grey Heron Tattoo Studio", "Our doors are open in Porto, Portugal.", SiteKind::Studio),
            ("Grey Heron Tattoo Studio", "Unser Studio in Bremen öffnet bald. Wir freuen uns auf euch.", SiteKind::Studio),
            (
                "Grey Heron Tattoo Studio",
                "I tattoo in Porto, Portugal, by appointment, in a small room of my own. Write to us.",
                SiteKind::Artist,
            ),
            ("Mila Vento Tattoo", "Fine line and blackwork in Porto. Contact us.", SiteKind::Artist),
            ("Mila Vento Tattoo Studio", "<h2>Tattoo artist in Porto</h2>Write to us.", SiteKind::Artist),
            ("Mila Vento Tattoo", "Tatuagens nas linhas finas. Porto, Portugal.", SiteKind::Artist),
            ("Grey Heron", "Tattoos in fine line and blackwork. Porto, Portugal.", SiteKind::Artist),
        ] {
            let (entry, styles) = (Url::parse("https://heron.example/").unwrap(), Styles::standard());
            let text = format!("<!doctype html><title>{name}</title><h1>{name}</h1><p>{says}</p><img src=/1.jpg alt='blackwork tattoo'>");
            let elapsed = || Duration::ZERO;
            let page = read_page(&entry, &text, &styles, &ParseBudget::new(ParseLimits::default(), &elapsed)).unwrap();
            let mut reader = SiteReader::new(entry.clone(), SiteLimits::default());
            reader.next_page();
            reader.page_read(&entry, page);
            assert_eq!(reader.finish(&styles).kind, kind, "{name}: {says}");
        }
    }
}
