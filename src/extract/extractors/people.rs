//! People named in sentences: who introduces themselves, and rosters such as "our artists include …".

use super::super::finding::{Card, Field, PageRole, Place};
use super::super::text::{cut, sentences};
use super::cards::name_like;
use super::{At, PageView, Sink};
use regex::Regex;
use std::borrow::Cow;
use std::sync::LazyLock;

fn expression(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the expression is a constant of this file")
}

const PERSON: &str = r"\p{Lu}[\p{L}'’-]+(?:\s+(?:(?:de|da|do|van|von|der|di|del|la|le)\s+)?(?:\p{Lu}\.|\p{Lu}[\p{L}'’-]+)){0,2}";

static SELF: LazyLock<Regex> = LazyLock::new(|| {
    expression(&format!(
        r"(?:(?i:my name is|my name’s|my name's|i am|i'm|i’m|me llamo|mi nombre es|mein name ist|ich heiße|ich heisse|ich bin|je m['’]appelle|je suis|moi c['’]est|mi chiamo|il mio nome è|meu nome é|me chamo|eu sou|mijn naam is|ik ben|ik heet|nazywam się|mam na imię|jestem|jmenuji se|jmenuju se|меня зовут|мене звати|моє ім'я|моё имя)|(?:^|[.!¡,]\s*)(?i:soy|sono|sou))\s+(?i:also known as\s+)?({PERSON})"
    ))
});
static ROSTER: LazyLock<Regex> = LazyLock::new(|| {
    expression(&format!(
        r"(?i:(?:resident |tattoo |our |the )*(?:artists?|tattooers|tattooists|team|crew|residents)(?: currently)?(?: are| include[s]?| consists? of|:)|(?:nuestros |los )?(?:artistas|tatuadores)(?: son| residentes son|:)|(?:unsere |die )?(?:künstler|artists)(?: sind|:)|(?:nos |les )?(?:artistes|tatoueurs)(?: sont|:)|(?:i nostri )?(?:artisti|tatuatori)(?: sono|:))\s+((?:{PERSON})(?:\s*(?:,|&|and|y|e|und|et|,\s*and)\s*(?:{PERSON})){{1,12}})"
    ))
});
static CRAFT_NAME: LazyLock<Regex> = LazyLock::new(|| {
    expression(&format!(
        r"(?i:\b(?:tatoueuse|tatoueur|tattoo artist|tattooist|tattooer|tatuadora|tatuador|tätowiererin|tätowierer|tattoo-künstlerin|tattookünstlerin|tatuatrice|tatuatore|tattoo-artiest|tatuatorka|tatuator|artiste tatoueuse|artiste tatoueur|master tattooer|owner|propriétaire))\s+({PERSON})"
    ))
});

pub(super) fn read(view: &PageView<'_>, sink: &mut Sink<'_>) {
    if matches!(view.role, PageRole::Blog | PageRole::Legal | PageRole::Shop | PageRole::Aftercare | PageRole::Guests) {
        return;
    }
    let texts = view
        .outline
        .blocks
        .iter()
        .enumerate()
        .filter(|(_, block)| !matches!(block.place, Place::Quote | Place::Form | Place::Nav | Place::Credit))
        .map(|(index, block)| (Some(index as u32), block.line(), block.place));
    let described = view.outline.meta(&["description", "og:description"]).map(|text| (None, text.to_owned(), Place::Meta));
    for (index, text, place) in texts.chain(described) {
        let card = index.and_then(|index| view.card_of_block(index));
        for sentence in sentences(cut(&text, 3_000)) {
            for found in SELF.captures_iter(sentence).take(2) {
                let name = found[1].trim_end_matches(['.', ',']);
                if name_like(name, view.styles) {
                    sink.text(Field::Name, name, At::new(place, 0.8).card(card).context("self"));
                }
            }
            if let Some(found) = ROSTER.captures(sentence) {
                let names = found[1]
                    .split([',', '&'])
                    .flat_map(|part| part.split(" and "))
                    .flat_map(|part| part.split(" y "))
                    .flat_map(|part| part.split(" und "))
                    .flat_map(|part| part.split(" et "))
                    .flat_map(|part| part.split(" e "));
                for name in names
                    .map(|name| name.trim().trim_start_matches("and ").trim_end_matches(['.', ' ']))
                    .filter(|name| name_like(name, view.styles))
                    .take(12)
                {
                    person(sink, name, "roster", true);
                }
            }
            for found in CRAFT_NAME.captures_iter(sentence).take(2) {
                let name = found[1].trim_end_matches(['.', ',']);
                if card.is_none() && name_like(name, view.styles) {
                    person(sink, name, "mention", false);
                }
            }
        }
    }
}

fn person(sink: &mut Sink<'_>, name: &str, group: &str, named_artist: bool) {
    if !sink.people.iter().any(|known| known.name.as_deref() == Some(name)) && sink.people.len() < 60 {
        sink.people.push(Card {
            name: Some(name.to_owned()),
            group: group.to_owned(),
            named_artist,
            extractor: Cow::Borrowed("people"),
            ..Card::default()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn introductions_and_rosters_are_read() {
        let named = |text: &str| SELF.captures(text).map(|found| found[1].to_owned());
        assert_eq!(named("Hi, my name is Mila Vento and I tattoo."), Some("Mila Vento".into()));
        assert_eq!(named("Меня зовут Мила, я мастер"), Some("Мила".into()));
        assert_eq!(named("I'm based in Oslo"), None);
        let roster = ROSTER.captures("Our resident artists are Mila Vento, Jan Holt and Ida Berg.").map(|found| found[1].to_owned());
        assert_eq!(roster.as_deref(), Some("Mila Vento, Jan Holt and Ida Berg"));
    }
}
