//! Where an artist works: "resident artist at …", "find me at …", a label with the name of a shop beside it.

use super::super::finding::{Field, PageRole, Place};
use super::super::places;
use super::super::text::{cut, fold, sentences, tokens};
use super::{At, PageView, Sink};
use regex::Regex;
use std::sync::LazyLock;

/// "студія «Мідна Голка»", "studio „Zwei Nadeln“": what stands in quotation marks after the word is its name.
static QUOTED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?i:studi[oau]|estúdio|estudio|atelier|salon|студи[яию]|студі[яїю]|салон[іе]?|тату-студи[яию])\s+[«„“"]\s*(\p{Lu}[^»“”"\n]{2,40}?)\s*[»“”"]"#)
        .expect("the expression is a constant of this file")
});

/// "…, at Hollow Oak Tattoo": a name with the trade in it says by itself that it is a shop.
static AT_HOUSE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?:^|[\s,])(?i:at|bei|chez|presso|da|en|bij|à l['’]|à)\s+(?:the |la |le |el )?((?:\p{Lu}[\p{L}\p{N}'’&.]*\s+){1,4}(?:Tattoo|Tattoos|Tattooing|Studio|Studios|Collective|Parlour|Parlor|Ink|Atelier|Tatuajes|Tatuagem|Tatouage|Tattooshop|Tattoostudio|Club|Gallery)(?:\s+(?:Tattoo|Studio|Club|Collective|Shop|Co))?)\b")
        .expect("the expression is a constant of this file")
});

/// Stems of sentences about travels and contests, where other houses are named.
const ELSEWHERE: &[&str] = &[
    "guest",
    "invitad",
    "convidad",
    "gast",
    "ospite",
    "invite",
    "goscin",
    "гост",
    "convention",
    "konwent",
    "expo",
    "festival",
    "used to",
    "before",
    "former",
    "learn",
    "apprentic",
    "trained",
];

static AT_SHOP: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r#"(?i:(?:resident|resident artist|residente|tattoo artist|tattooer|tattooing|tattoos|i work|i'm working|working|works|currently|based|located|find me|you can find me|visit me|find her|find him|see me|artist|owner|trabajo|trabajando|atiendo|tatuador residente|tatuo|tatúo|tatua|tatúa|tätowiert|tatoue|tatuuje|arbeite|künstlerin|je travaille|je tatoue|travaille|lavoro|tatuo|werk|werkzaam|pracuję|tatuuję|przyjmuję|pracuji|tetuji|trabalho|atendo|recebo|работаю|работает|принимаю|працюю|працює|татуюю|i tattoo|we tattoo|je reçois|reçois sur rendez-vous|tatoue depuis \d{4}|mi trovate|mi trovi|mi trovate anche|te vinden|ich tätowiere|located inside|inside|private studio)"#,
        r#"(?: (?:out|exclusively|full time|full-time|currently|now|artist|here))*)\s*[,:]?\s+(?i:at|@|bei der|bei dem|bei|im|in der|en|chez|presso|dal|da|bij|in|w|na|no|of|from|в|у|à)\s+(?i:the amazing |the |el |la |le |il |l['’]|studio |estudio |o )?(?:studiu |студии |студії |atelier )?[«"„“]?"#,
        r#"(\p{Lu}[\p{L}\p{N}'’&.]*(?:\s+(?:\p{Lu}[\p{L}\p{N}'’&.]*|&|of|the|de|and|la|\d+)){0,5})(?:\s+(?i:(studio|tattoo studio|tattoo shop|tattoo|shop|parlou?r|collective)))?"#
    ))
    .expect("the expression is a constant of this file")
});

const HOUSE: &[&str] = &[
    "tattoo",
    "tattoos",
    "studio",
    "studios",
    "ink",
    "shop",
    "parlor",
    "parlour",
    "collective",
    "atelier",
    "atelie",
    "taller",
    "officina",
    "bottega",
    "pracownia",
    "kuznia",
    "tatowierstube",
    "мастерская",
    "майстерня",
    "студія",
    "tattooing",
    "gallery",
    "tatuajes",
    "tatuaje",
    "tattoostudio",
    "tattooshop",
    "estudio",
    "salon",
    "студия",
    "tatouage",
    "tatuagem",
    "tatuaggi",
    "club",
];

const LABELS: &[&str] = &[
    "resident artist",
    "resident artist at",
    "resident at",
    "studio",
    "estudio",
    "shop",
    "home studio",
    "currently at",
    "i work at",
    "where i work",
    "find me at",
    "works at",
    "residencia",
    "artista residente",
    "tattoo shop",
    "место работы",
    "студия",
    "lugar de trabajo",
    "resident tattoo artist",
    "located at",
];

pub(super) fn read(view: &PageView<'_>, sink: &mut Sink<'_>) {
    if matches!(view.role, PageRole::Blog | PageRole::Legal | PageRole::Shop | PageRole::Aftercare | PageRole::Guests) {
        return;
    }
    let page = view.outline;
    for (index, block) in page.blocks.iter().enumerate() {
        if matches!(block.place, Place::Quote | Place::Form | Place::Nav | Place::Credit) {
            continue;
        }
        let card = view.card_of_block(index as u32);
        let text = block.text.clone();
        for sentence in text.split('\n').flat_map(|line| sentences(cut(line, 1_000))) {
            for found in AT_SHOP.captures_iter(sentence).take(3) {
                let whole = found.get(0).map_or("", |whole| whole.as_str());
                let guest = fold(&sentence[..found.get(0).map_or(0, |whole| whole.start())]);
                if guest.ends_with("guest ") || fold(whole).contains("guest") {
                    continue;
                }
                let Some(name) = shop_name(&found[1], found.get(2).map(|tail| tail.as_str())) else {
                    continue;
                };
                let housed = tokens(&name).iter().any(|word| HOUSE.contains(&word.as_str())) || found.get(2).is_some();
                let resident = [
                    "resident",
                    "i work",
                    "find me",
                    "residente",
                    "currently",
                    "trabajo",
                    "arbeite",
                    "lavoro",
                    "werk",
                    "atendo",
                    "tatuo en",
                    "je travaille",
                    "je tatoue",
                ]
                .iter()
                .any(|word| fold(whole).contains(word));
                let linked = page.links.iter().any(|link| {
                    link.block as usize == index
                        && link.visible
                        && link
                            .url
                            .as_ref()
                            .is_some_and(|url| url.scheme().starts_with("http") && !super::super::site::reader::same_site(url, view.url))
                        && fold(&link.text).contains(&fold(&name))
                });
                let confidence = match (housed, resident || linked) {
                    (true, true) => 0.85,
                    (true, false) => 0.6,
                    (false, true) if linked || fold(whole).contains("resident") => 0.6,
                    _ => 0.3,
                };
                sink.text(Field::Studio, &name, At::new(block.place, confidence).card(card).context(sentence));
            }
        }
        if !matches!(block.place, Place::Nav | Place::Aside) {
            for sentence in text.split('\n').flat_map(|line| sentences(cut(line, 1_000))) {
                let folded = fold(sentence);
                let elsewhere = ELSEWHERE.iter().any(|stem| folded.contains(stem));
                let mut name_at = |found: Option<&str>, confidence: f32| {
                    if let Some(name) = found.and_then(|found| shop_name(found, None)) {
                        sink.text(Field::Studio, &name, At::new(block.place, confidence).card(card).context(sentence));
                    }
                };
                if !elsewhere {
                    name_at(QUOTED.captures(sentence).and_then(|found| found.get(1)).map(|found| found.as_str()), 0.65);
                    if !sentence.chars().any(|letter| letter.is_ascii_digit()) {
                        name_at(AT_HOUSE.captures(sentence).and_then(|found| found.get(1)).map(|found| found.as_str()), 0.55);
                    }
                }
            }
            // "La Remise, 14 rue Kervégan, 44000 Nantes": the house above its street.
            let line = block.text.replace('\n', ", ");
            if view.role != PageRole::Imprint
                && line.chars().count() <= 200
                && let Some(venue) =
                    super::address::printed(&line).and_then(|address| address.venue).filter(|venue| !is_part_of_building(venue))
                && shop_name(&venue, None).is_some()
            {
                sink.text(Field::Studio, &venue, At::new(block.place, 0.52).card(card).context(&line));
            }
        }
        // "London, Ontario — Soul Bird Tattoo Studio", or the shop's name above its street.
        if block.text.chars().count() <= 160 {
            let parts: Vec<&str> =
                block.text.split(['\n', '—', '–', '·', '|', '•']).flat_map(|part| part.split(" - ")).map(str::trim).collect();
            let placed = parts.iter().any(|part| super::address::printed(part).is_some() || super::address::pair(part, true).is_some())
                || super::address::printed(&block.text.replace('\n', ", ")).is_some();
            if placed && parts.len() >= 2 {
                let shop = parts.iter().find(|part| {
                    (2..=5).contains(&tokens(part).len())
                        && tokens(part).iter().any(|word| HOUSE.contains(&word.as_str()))
                        && !part.contains(['@', ',', '©'])
                        && !part.chars().any(|letter| letter.is_ascii_digit())
                        && part.split_whitespace().all(|word| word.chars().next().is_some_and(|letter| !letter.is_lowercase()))
                });
                if let Some(name) = shop.and_then(|part| shop_name(part, None)) {
                    sink.text(Field::Studio, &name, At::new(block.place, 0.55).card(card).context(&block.line()));
                }
            }
        }
        let label = fold(block.text.trim_end_matches(':'));
        if LABELS.contains(&label.as_str())
            && block.level == 0
            && let Some(next) = page.blocks.get(index + 1).filter(|next| next.text.chars().count() < 60)
            && let Some(name) =
                next.text.split('\n').next().and_then(|line| shop_name(line.split(['·', '|', ',']).next().unwrap_or_default().trim(), None))
        {
            let housed = tokens(&name).iter().any(|word| HOUSE.contains(&word.as_str()));
            let same_case = name.split_whitespace().all(|word| {
                word.chars().next().is_some_and(|letter| letter.is_uppercase() || !letter.is_alphabetic())
                    || ["of", "the", "de", "and", "&"].contains(&word)
            });
            if same_case && (housed || label.contains("resident") || label.contains("work")) {
                sink.text(Field::Studio, &name, At::new(next.place, 0.7).card(card).context(&label));
            }
        }
    }
}

/// "Suite B", "2nd floor", "Galerie Lux": where in a house, and no house of their own.
fn is_part_of_building(venue: &str) -> bool {
    const PARTS: &[&str] = &[
        "suite",
        "floor",
        "unit",
        "level",
        "building",
        "mall",
        "centre",
        "center",
        "passage",
        "piso",
        "andar",
        "sala",
        "etage",
        "stock",
        "hof",
        "haus",
        "piano",
        "interno",
        "lokal",
        "pietro",
        "patro",
        "этаж",
        "поверх",
        "офис",
        "local",
        "col",
        "bairro",
        "barrio",
        "address",
        "adresse",
        "direccion",
        "endereco",
        "indirizzo",
        "adres",
        "where",
        "shop",
        "room",
        "ltd",
        "gmbh",
        "srl",
        "inh",
        "inhaber",
        "inhaberin",
    ];
    tokens(venue).iter().any(|word| PARTS.contains(&word.as_str()))
}

/// The name without a city at its end; nothing when it is only a place or a word of the trade.
fn shop_name(text: &str, tail: Option<&str>) -> Option<String> {
    let text = text.split(" · ").next().unwrap_or(text).trim().trim_end_matches(['.', ',', '!']);
    let mut words: Vec<&str> = text.split_whitespace().collect();
    while words.len() > 1 && words.last().is_some_and(|word| places::country_of_city(word).is_some() || places::is_wide(word)) {
        words.pop();
    }
    while words.last().is_some_and(|word| ["of", "the", "de", "and", "&", "la"].contains(word)) {
        words.pop();
    }
    let name = words.join(" ");
    let own = tokens(&name)
        .iter()
        .filter(|word| {
            !HOUSE.contains(&word.as_str())
                && ![
                    "the",
                    "a",
                    "my",
                    "our",
                    "private",
                    "instagram",
                    "facebook",
                    "whatsapp",
                    "email",
                    "monday",
                    "tuesday",
                    "wednesday",
                    "thursday",
                    "friday",
                    "saturday",
                    "sunday",
                    "i",
                    "in",
                    "and",
                ]
                .contains(&word.as_str())
        })
        .count();
    if own == 0
        || places::country_of_city(&name).is_some()
        || places::is_wide(&name)
        || !(3..=50).contains(&name.chars().count())
        || !name.chars().next().is_some_and(|letter| letter.is_uppercase() || letter.is_numeric())
    {
        return None;
    }
    // "the Copper Fox studio": the word in small letters says what it is and is no part of the name.
    Some(match tail {
        Some(tail) if tail.chars().next().is_some_and(char::is_uppercase) => {
            format!("{name} {tail}")
        }
        _ => name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shops_are_read_from_sentences() {
        let shop = |text: &str| AT_SHOP.captures(text).and_then(|found| shop_name(&found[1], found.get(2).map(|tail| tail.as_str())));
        assert_eq!(shop("Resident artist at Copper Fox Tattoo"), Some("Copper Fox Tattoo".into()));
        assert_eq!(shop("Currently, I work at the Copper Fox studio in Turin, Italy."), Some("Copper Fox".into()));
        assert_eq!(shop("Resident Artist bei Over The Hill Hamburg."), Some("Over The Hill".into()));
        assert_eq!(shop("Tatúa en Zorro Rojo Tattoo, Valencia"), Some("Zorro Rojo Tattoo".into()));
        assert_eq!(shop("I work in Berlin"), None);
        assert_eq!(shop("My name is Ada and I tattoo out of Grey Heron Tattoo Collective"), Some("Grey Heron Tattoo Collective".into()));
        assert_eq!(shop("Pracuję w studiu Czarny Bez, razem z innymi"), Some("Czarny Bez".into()));
        assert_eq!(shop("Je reçois sur rendez-vous à La Grange, un atelier privé"), Some("Grange".into()));
        assert_eq!(shop("Працюю у студії «Срібна Нитка»"), Some("Срібна Нитка".into()));
        let quoted = |text: &str| QUOTED.captures(text).map(|found| found[1].to_owned());
        assert_eq!(quoted("вул. Шевченка 3, студія «Срібна Нитка»").as_deref(), Some("Срібна Нитка"));
        let house = |text: &str| AT_HOUSE.captures(text).map(|found| found[1].to_owned());
        assert_eq!(house("I make small tattoos, at Grey Heron Tattoo in town").as_deref(), Some("Grey Heron Tattoo"));
        assert_eq!(house("at home I draw"), None);
    }
}
