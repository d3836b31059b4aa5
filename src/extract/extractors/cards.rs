//! Cards of people: repeated blocks with a name in a part of the page that presents artists.

use super::super::finding::{MAX_CARDS, PageRole, Place};
use super::super::lexicon::{self, holds_any, role_of};
use super::super::outline::Outline;
use super::super::styles::Styles;
use super::super::text::{clean, cut, tokens};
use std::collections::HashMap;
use std::ops::Range;
use url::Url;

/// Where a card lies in the lists of the outline.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub blocks: Range<u32>,
    pub links: Range<u32>,
    pub images: Range<u32>,
    pub name: Option<String>,
    /// The heading above the card.
    pub group: String,
    /// A heading, a class or the page says that these are artists.
    pub named_artist: bool,
    pub not_artist: Option<String>,
    pub role: Option<String>,
}

const TEAM_HINTS: &[&str] = &[
    "artist",
    "artists",
    "artista",
    "artistas",
    "artiste",
    "artistes",
    "artisti",
    "artiesten",
    "artiest",
    "team",
    "member",
    "members",
    "crew",
    "staff",
    "equipo",
    "equipe",
    "tatuador",
    "tatuadores",
    "tatoueur",
    "tatoueurs",
    "tatuatori",
    "tatuatore",
    "kunstler",
    "kuenstler",
    "tattooer",
    "tattooers",
    "tattooist",
    "tattooists",
    "resident",
    "residents",
    "artysta",
    "artysci",
    "artyści",
    "master",
    "masters",
    "mastera",
    "profile",
    "person",
    "people",
];
const NAME_HINTS: &[&str] = &["name", "nombre", "nome", "naam", "nom", "imie", "title", "heading"];

/// Words that no name of a person holds.
const NO_NAME: &[&str] = &[
    "the",
    "your",
    "our",
    "my",
    "and",
    "with",
    "for",
    "book",
    "booking",
    "booked",
    "contact",
    "studio",
    "shop",
    "about",
    "follow",
    "view",
    "read",
    "more",
    "custom",
    "design",
    "designs",
    "services",
    "service",
    "gallery",
    "portfolio",
    "work",
    "works",
    "hours",
    "location",
    "address",
    "instagram",
    "facebook",
    "email",
    "phone",
    "call",
    "price",
    "prices",
    "step",
    "idea",
    "consultation",
    "aftercare",
    "faq",
    "welcome",
    "meet",
    "artist",
    "artists",
    "team",
    "crew",
    "what",
    "how",
    "why",
    "who",
    "where",
    "when",
    "all",
    "new",
    "open",
    "closed",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
    "appointment",
    "appointments",
    "de",
    "nuestro",
    "nuestros",
    "nuestra",
    "tu",
    "tus",
    "sobre",
    "contacto",
    "servicios",
    "estudio",
    "citas",
    "cita",
    "horario",
    "redes",
    "sociales",
    "equipo",
    "trabajos",
    "galeria",
    "unser",
    "unsere",
    "kontakt",
    "termin",
    "ihr",
    "dein",
    "deine",
    "wir",
    "notre",
    "nos",
    "votre",
    "vos",
    "prendre",
    "contactez",
    "onze",
    "jouw",
    "maak",
    "i",
    "nostri",
    "nostro",
    "prenota",
    "nasi",
    "nasz",
    "umow",
    "наши",
    "наша",
    "запись",
    "контакты",
    "years",
    "experience",
    "specialties",
    "specialities",
    "style",
    "styles",
    "tattoos",
    "tatuajes",
    "piercing",
    "piercings",
    "reviews",
    "testimonials",
    "flash",
    "merch",
    "giftcard",
    "gift",
    "card",
    "cards",
    "voucher",
    "vouchers",
    "info",
    "information",
    "opening",
    "find",
    "visit",
    "us",
    "join",
    "guest",
    "guests",
    "quality",
    "hygiene",
    "safety",
    "process",
    "experience",
    "clean",
    "professional",
    "licensed",
    "award",
    "awards",
    "winning",
    "made",
    "forever",
    "art",
    "skin",
    "dream",
    "home",
    "menu",
    "skip",
    "content",
    "recent",
    "latest",
    "sessions",
    "session",
    "healed",
    "policy",
    "policies",
    "deposit",
    "deposits",
    "walk",
    "ins",
    "walkins",
    "news",
    "blog",
    "events",
    "rights",
    "reserved",
    "click",
    "here",
    "load",
    "see",
    "learn",
    "get",
    "in",
    "touch",
    "to",
    "of",
    "is",
    "it",
    "on",
    "a",
    "o",
    "e",
    "u",
    "da",
    "do",
    "la",
    "el",
    "los",
    "las",
    "le",
    "les",
    "das",
    "der",
    "und",
    "et",
    "y",
];

/// Small words inside names: "Ana de la Cruz", "Jan van der Berg", "Mila & Co" is none.
const PARTICLES: &[&str] =
    &["de", "la", "del", "da", "do", "dos", "di", "van", "der", "den", "von", "le", "el", "y", "e", "o", "mc", "st", "das"];

/// Does a short text look like what a person is called: a name, an artist's name or a handle?
pub(crate) fn name_like(text: &str, styles: &Styles) -> bool {
    let text = text.trim();
    let count = text.chars().count();
    let raw: Vec<&str> = text.split_whitespace().collect();
    if !(2..=40).contains(&count)
        || raw.is_empty()
        || raw.len() > 4
        || text.contains(['?', '!', ':', '©', '→', '%', '€', '$', '"', '“', '+', '*', '=', '/', '•', '·', '|', ','])
    {
        return false;
    }
    let letters = text.chars().filter(|letter| letter.is_alphabetic()).count();
    let digits = text.chars().filter(char::is_ascii_digit).count();
    if letters < 2 || digits > 4 || digits * 2 > letters {
        return false;
    }
    let handle = raw.len() == 1 && text.contains(['_', '.', '@']) && !text.ends_with('.');
    let first = text.trim_start_matches(['@', '_', '.']).chars().next().unwrap_or(' ');
    if !handle && !(first.is_uppercase() || first.is_numeric() || !first.is_lowercase() && first.is_alphabetic()) {
        return false;
    }
    if text.ends_with('.') && raw.len() > 2 {
        return false;
    }
    let words = tokens(text);
    let stopped = words.iter().enumerate().any(|(at, word)| {
        NO_NAME.contains(&word.as_str())
            && (at == 0 && !["el", "la", "da", "de", "le", "i"].contains(&word.as_str()) || !PARTICLES.contains(&word.as_str()))
    });
    if stopped && !handle || words.is_empty() {
        return false;
    }
    if raw.len() > 1
        && raw.iter().filter(|word| word.chars().next().is_some_and(char::is_lowercase) && !PARTICLES.contains(word)).count() > 1
    {
        return false;
    }
    let covered: usize = styles.hits(&words).iter().map(|hit| hit.end - hit.start).sum();
    let trade = ["tattoo", "tattooing", "tattooer", "tattooist", "ink", "tatuador", "tatuadora", "tatuaggi", "tatouage"]
        .iter()
        .filter(|word| words.iter().any(|given| given == *word))
        .count();
    covered + trade < words.len() && lexicon::not_artist(text).is_none() && (role_of(text) == PageRole::Other || handle)
}

/// The name in a line that may also hold a handle or what the person does.
pub(crate) fn name_in(text: &str, styles: &Styles) -> Option<String> {
    let line = clean(&text.replace('\n', " "), 90);
    let whole = line.trim().trim_matches(['"', '“', '”', '.', ',', '~', '-', '–', '—', '★', '✦', ' ']).trim();
    if name_like(whole, styles) {
        return Some(whole.to_owned());
    }
    let cutters: &[&str] = &[" – ", " — ", " - ", " | ", " / ", " (", " @", ", ", " • ", " · ", ": "];
    let mut parts: Vec<&str> = vec![whole];
    for cutter in cutters {
        parts = parts.into_iter().flat_map(|part| part.split(*cutter)).collect();
    }
    if parts.len() < 2 {
        return None;
    }
    let named: Vec<&str> = parts.iter().map(|part| part.trim().trim_end_matches(')')).filter(|part| name_like(part, styles)).collect();
    // What is left over must say what the person does, or be a handle; else it is a heading like any other.
    let rest_fits = parts.iter().map(|part| part.trim()).filter(|part| !named.contains(part)).all(|part| {
        let words = tokens(part);
        part.is_empty()
            || holds_any(&words, lexicon::TATTOOER)
            || lexicon::not_artist(part).is_some()
            || !styles.hits(&words).is_empty()
            || words.iter().any(|word| word.contains("tattoo") || word.contains("tatu"))
            || holds_any(
                &words,
                &[
                    "owner",
                    "founder",
                    "resident",
                    "propietario",
                    "dueno",
                    "inhaber",
                    "inhaberin",
                    "eigenaar",
                    "fondatrice",
                    "fondateur",
                    "co owner",
                    "she her",
                    "he him",
                    "they them",
                ],
            )
    });
    match named.first() {
        Some(name) if rest_fits => Some((*name).to_owned()),
        _ => None,
    }
}

struct Candidate {
    block: u32,
    name: String,
    level: u8,
    /// The line is nothing but a link.
    linked: bool,
    hinted: bool,
}

/// Finds the cards of a page.
pub(crate) fn find(page: &Outline, role: PageRole, styles: &Styles) -> Vec<Span> {
    let mut groups: HashMap<(u8, String, u16), Vec<Candidate>> = HashMap::new();
    for (index, block) in page.blocks.iter().enumerate() {
        if matches!(block.place, Place::Nav | Place::Form | Place::Quote | Place::Footer | Place::Credit) || block.text.chars().count() > 90
        {
            continue;
        }
        let element = page.element(block.element);
        let linked = page.links_of(&element.links).iter().any(|link| link.visible && link.text == block.line() && link.url.is_some());
        let hinted = page.lineage(block.element).take(2).any(|element| element.hints(NAME_HINTS));
        if block.level == 0 && !linked && !hinted {
            continue;
        }
        let Some(name) = name_in(&block.text, styles) else { continue };
        let key = (block.level, element.tag.to_string(), element.depth);
        groups.entry(key).or_default().push(Candidate { block: index as u32, name, level: block.level, linked, hinted });
    }
    let mut groups: Vec<Vec<Candidate>> = groups.into_values().collect();
    groups.sort_by_key(|group| group[0].block);
    let mut out: Vec<Span> = Vec::new();
    for group in &groups {
        for span in spans(page, role, group) {
            let overlaps = out.iter().any(|other| other.blocks.start < span.blocks.end && span.blocks.start < other.blocks.end);
            if !overlaps && out.len() < MAX_CARDS {
                out.push(span);
            }
        }
    }
    pictures_only(page, styles, &mut out);
    out.sort_by_key(|span| (span.blocks.start, span.links.start));
    out
}

/// The group heading: the nearest heading above that is no name of the group.
fn group_heading(page: &Outline, group: &[Candidate], block: u32) -> (Option<u32>, String, bool) {
    let mut at = page.blocks[block as usize].heading;
    for _ in 0..6 {
        let Some(index) = at else { break };
        if !group.iter().any(|other| other.block == index) {
            let text = page.blocks[index as usize].line();
            let eyebrow = index
                .checked_sub(1)
                .map(|above| page.blocks[above as usize].line())
                .filter(|text| text.chars().count() < 40)
                .unwrap_or_default();
            let team = role_of(&text) == PageRole::Team || role_of(&eyebrow) == PageRole::Team;
            return (Some(index), text, team);
        }
        at = page.blocks[index as usize].heading;
    }
    (None, String::new(), false)
}

fn spans(page: &Outline, role: PageRole, group: &[Candidate]) -> Vec<Span> {
    let mut out = Vec::new();
    for (position, candidate) in group.iter().enumerate() {
        let block = &page.blocks[candidate.block as usize];
        let (heading, group_text, team) = group_heading(page, group, candidate.block);
        // Climb while the container holds no other name of the group and not the heading above them all.
        let mut card = block.element;
        loop {
            let parent = page.element(card).parent;
            let above = page.element(parent);
            let shared = group.iter().any(|other| other.block != candidate.block && above.blocks.contains(&other.block))
                || heading.is_some_and(|at| above.blocks.contains(&at));
            if parent == card || shared || matches!(&*above.tag, "body" | "html" | "main") {
                break;
            }
            card = parent;
        }
        let element = page.element(card);
        let lone = group.len() == 1;
        let mut blocks = element.blocks.clone();
        let mut links = element.links.clone();
        let mut images = element.images.clone();
        let flat = blocks.len() <= 1 && images.is_empty() && (links.is_empty() || candidate.linked && candidate.level > 0)
            || card == block.element && candidate.level > 0;
        if flat && candidate.level > 0 {
            let parent = page.element(page.element(card).parent);
            let next = group.get(position + 1).map(|next| next.block).filter(|next| parent.blocks.contains(next));
            let end = next.unwrap_or_else(|| {
                (candidate.block + 1..parent.blocks.end)
                    .find(|at| page.blocks[*at as usize].level > 0 && page.blocks[*at as usize].level <= candidate.level)
                    .unwrap_or(parent.blocks.end)
            });
            blocks = candidate.block..end;
            let inside = |at: u32| blocks.contains(&at);
            let first = parent.links.clone().find(|at| inside(page.links[*at as usize].block)).unwrap_or(parent.links.end);
            let last = parent.links.clone().rfind(|at| inside(page.links[*at as usize].block)).map_or(first, |at| at + 1);
            links = first..last.max(first);
            images = parent.images.end..parent.images.end;
        }
        let near: Vec<String> = (blocks.start..blocks.end.min(blocks.start + 8))
            .filter(|at| *at != candidate.block)
            .map(|at| page.blocks[at as usize].line())
            .filter(|text| text.chars().count() <= 90)
            .take(3)
            .collect();
        let own_hint = page
            .lineage(block.element)
            .take_while(|above| !matches!(&*above.tag, "body" | "html"))
            .take(5)
            .any(|above| above.hints(TEAM_HINTS));
        let role_words = near.iter().any(|line| {
            let words = tokens(line);
            holds_any(&words, lexicon::TATTOOER) && words.len() <= 7
        });
        let pictured = !images.is_empty();
        let reachable = links.clone().any(|at| page.links[at as usize].url.is_some());
        let on_team = role == PageRole::Team && candidate.level > 1 && (pictured || reachable);
        let said = team || role_words && (pictured || reachable);
        let accepted = if candidate.level == 0 && !candidate.hinted {
            // A line that is only a link is a person when its container says so.
            (team || own_hint) && !lone && (pictured || candidate.linked)
        } else {
            said && (pictured || reachable || blocks.len() > 1) || own_hint && (pictured || reachable) || on_team
        };
        if !accepted || blocks.len() > 120 {
            continue;
        }
        // A heading of the page that names the site is no card; it stands alone and owns everything.
        if lone && candidate.level == 1 && role != PageRole::Team {
            continue;
        }
        let card_hint = page.lineage(card).take(1).map(|above| above.hint.clone()).collect::<String>();
        let not_artist = near
            .iter()
            .map(String::as_str)
            .chain([group_text.as_str(), card_hint.as_str(), block.text.as_str()])
            .find_map(lexicon::not_artist)
            .map(str::to_owned);
        let role_line = near.iter().find(|line| {
            let words = tokens(line);
            holds_any(&words, lexicon::TATTOOER) || lexicon::not_artist(line).is_some()
        });
        out.push(Span {
            blocks,
            links,
            images,
            name: Some(candidate.name.clone()),
            group: cut(&group_text, 100).to_owned(),
            named_artist: said || own_hint,
            not_artist,
            role: role_line.cloned(),
        });
    }
    out
}

/// Cards without any text: a picture that links to the page of a person.
fn pictures_only(page: &Outline, styles: &Styles, out: &mut Vec<Span>) {
    let mut found: Vec<(u32, Span)> = Vec::new();
    for (index, element) in page.elements.iter().enumerate() {
        let single = element.hints(&["artist", "artista", "artiste", "member", "tatuador", "tatoueur", "resident", "person"]);
        if !single
            || !element.blocks.is_empty()
            || element.links.is_empty()
            || element.images.is_empty()
            || matches!(element.place, Place::Nav | Place::Footer | Place::Form)
        {
            continue;
        }
        if found.iter().any(|(other, _)| page.elements[*other as usize].elements.contains(&(index as u32)))
            || out.iter().any(|span| span.links.contains(&element.links.start))
        {
            continue;
        }
        let name = page
            .images_of(&element.images)
            .iter()
            .map(|image| image.alt.as_str())
            .chain(page.links_of(&element.links).iter().map(|link| link.text.as_str()))
            .find_map(|text| name_in(text, styles));
        found.push((
            index as u32,
            Span {
                blocks: 0..0,
                links: element.links.clone(),
                images: element.images.clone(),
                name,
                group: String::new(),
                named_artist: true,
                not_artist: None,
                role: None,
            },
        ));
    }
    if found.len() >= 2 {
        out.extend(found.into_iter().map(|(_, span)| span).take(MAX_CARDS.saturating_sub(out.len())));
    }
}

/// The page of a person that a card links to, on the same host.
pub(crate) fn page_of(page: &Outline, span: &Span, here: &Url) -> Option<Url> {
    let candidates = page.links.get(span.links.start as usize..span.links.end as usize)?;
    candidates
        .iter()
        .filter(|link| !link.href.starts_with('#') && !link.href.is_empty())
        .filter_map(|link| link.url.as_ref().map(|url| (link, url)))
        .filter(|(link, url)| {
            matches!(url.scheme(), "http" | "https")
                && url.host_str() == here.host_str()
                && url.path() != here.path()
                && matches!(role_of(&link.text), PageRole::Other | PageRole::Portfolio | PageRole::About | PageRole::Team)
        })
        .find(|(_, url)| !["jpg", "jpeg", "png", "webp", "gif", "avif", "pdf"].iter().any(|end| url.path().to_lowercase().ends_with(end)))
        .map(|(_, url)| {
            let mut url = url.clone();
            url.set_fragment(None);
            url
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_headings() {
        let styles = Styles::standard();
        for text in [
            "Mila Vento",
            "Tutu.ink",
            "shezi_tattoo",
            "Ana de la Cruz",
            "JOHN O'NEILL",
            "Олена Коваль",
            "Big Tony",
            "Kordian Betcher Tattoo",
        ] {
            assert!(name_like(text, &styles), "{text}");
        }
        for text in [
            "Our Services",
            "Custom Tattoos",
            "Blackwork",
            "Book now",
            "Opening hours",
            "Fine Line Tattoo",
            "What to expect",
            "Contact",
            "Professional Piercer",
            "12:00",
            "Get in touch",
        ] {
            assert!(!name_like(text, &styles), "{text}");
        }
        assert_eq!(name_in("Mila Vento – Tattoo Artist", &styles).as_deref(), Some("Mila Vento"));
        assert_eq!(name_in("Mila Vento (@mila.ink)", &styles).as_deref(), Some("Mila Vento"));
        assert_eq!(name_in("Design – from idea to skin", &styles), None);
    }
}
