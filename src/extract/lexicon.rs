//! Words that tell what a page, a heading or a person is, in the languages of the directory; read from a table.

use super::finding::PageRole;
use super::text::{cut, tokens};
use serde::Deserialize;
use std::sync::LazyLock;

/// `config/words.toml`.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Words {
    pub quote_hints: Vec<String>,
    pub quote_headings: Vec<String>,
    pub tattooer: Vec<String>,
    pub singular: Vec<String>,
    pub plural: Vec<String>,
    pub craft_stems: Vec<String>,
    pub offer: Vec<String>,
    pub denials: Vec<String>,
    pub no_name: Vec<String>,
    pub credit: Vec<String>,
    pub third_party: Vec<String>,
    pub name_trade: Vec<String>,
    pub nobody: Vec<String>,
    pub placeholder_names: Vec<String>,
    pub learns_only: Vec<String>,
    pub house: Vec<String>,
    pub street_words: Vec<String>,
    pub no_city: Vec<String>,
    pub roles: Vec<Role>,
    pub not_artist: Vec<NotArtist>,
    pub trades: Vec<Trade>,
}

/// What links, headings and titles call one kind of page.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Role {
    pub role: PageRole,
    pub words: Vec<String>,
}

/// A role beside tattooing.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct NotArtist {
    pub why: String,
    pub words: Vec<String>,
}

/// A trade that is easily taken for tattooing.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Trade {
    pub trade: String,
    pub words: Vec<String>,
}

static WORDS: LazyLock<Words> =
    LazyLock::new(|| toml::from_str(include_str!("../../config/words.toml")).expect("config/words.toml is checked by a test of this file"));

/// The table.
pub(crate) fn words() -> &'static Words {
    &WORDS
}

/// Is the word an entry of the list?
pub(crate) fn listed(list: &[String], word: &str) -> bool {
    list.iter().any(|entry| entry == word)
}

/// Does this heading open a part where clients speak?
pub(crate) fn is_quote_heading(text: &str) -> bool {
    text.chars().count() < 80 && holds_any(&tokens(text), &words().quote_headings)
}

/// Does a list of folded words hold one of the phrases?
pub(crate) fn holds_any<S: AsRef<str>>(words: &[String], phrases: &[S]) -> bool {
    phrases.iter().map(AsRef::as_ref).any(|phrase| match phrase.split_once(' ') {
        None => words.iter().any(|word| word == phrase),
        // Entries are folded words between single spaces, so cutting at spaces is all it takes.
        Some((first, _)) => words.iter().enumerate().any(|(at, word)| {
            word == first && phrase.split(' ').enumerate().all(|(step, part)| words.get(at + step).is_some_and(|given| given == part))
        }),
    })
}

/// The role of a text that is nothing but the name of a role, such as a part of a title.
pub(crate) fn role_exact(text: &str) -> PageRole {
    let words: Vec<String> = tokens(cut(text, 80)).into_iter().filter(|word| word != "&").collect();
    let whole = words.join(" ");
    self::words().roles.iter().find(|role| listed(&role.words, &whole)).map_or(PageRole::Other, |role| role.role)
}

/// What a short text (link, heading, title part) says about the page it names.
pub(crate) fn role_of(text: &str) -> PageRole {
    let words = tokens(cut(text, 80));
    let words: Vec<String> = words.into_iter().filter(|word| word != "&").collect();
    if words.is_empty() || words.len() > 6 {
        return PageRole::Other;
    }
    let exact = role_exact(text);
    if exact != PageRole::Other || words.len() > 4 {
        return exact;
    }
    self::words()
        .roles
        .iter()
        .find(|role| role.words.iter().any(|phrase| phrase.len() > 4 && holds_any(&words, &[phrase])))
        .map_or(PageRole::Other, |role| role.role)
}

/// Why a role line speaks of somebody who is not a present tattooer; words of tattooing save those who do both.
pub(crate) fn not_artist(text: &str) -> Option<&'static str> {
    let words = tokens(text);
    let tattoos = holds_any(
        &words,
        &[
            "tattoo",
            "tattoos",
            "tattooer",
            "tattooist",
            "tattooing",
            "tatuador",
            "tatuadora",
            "tatuajes",
            "tatouage",
            "tatoueur",
            "tatoueuse",
            "tatowierer",
            "tatowiererin",
            "tatuatore",
            "tatuatrice",
            "tatuator",
            "tatuatorka",
            "tatuaze",
            "тату",
            "татуировщик",
            "тату мастер",
            "owner",
            "tater",
            "taterka",
            "tatuagem",
            "tatuagens",
        ],
    );
    self::words()
        .not_artist
        .iter()
        .find(|entry| (matches!(entry.why.as_str(), "former" | "guest") || !tattoos) && holds_any(&words, &entry.words))
        .map(|entry| entry.why.as_str())
}

/// Does a text say that somebody learns and tattoos nobody yet? Apprentices who tattoo are artists like others.
pub(crate) fn learns_only(text: &str) -> bool {
    holds_any(&tokens(cut(text, 600)), &words().learns_only)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_tell_the_role_of_their_target() {
        assert_eq!(role_of("Meet the Artists"), PageRole::Team);
        assert_eq!(role_of("Über mich"), PageRole::About);
        assert_eq!(role_of("КОНТАКТЫ"), PageRole::Contact);
        assert_eq!(role_of("Hours & Location"), PageRole::Contact);
        assert_eq!(role_of("Gift Vouchers"), PageRole::Shop);
        assert_eq!(role_of("Polityka prywatności"), PageRole::Legal);
        assert_eq!(role_of("A long sentence that merely mentions the gallery somewhere"), PageRole::Other);
    }

    #[test]
    fn every_entry_is_folded_or_it_would_never_match() {
        let table = words();
        let lists = table
            .roles
            .iter()
            .map(|role| &role.words)
            .chain(table.not_artist.iter().map(|entry| &entry.words))
            .chain(table.trades.iter().map(|entry| &entry.words));
        let single = [
            &table.quote_headings,
            &table.tattooer,
            &table.singular,
            &table.plural,
            &table.offer,
            &table.no_name,
            &table.name_trade,
            &table.nobody,
            &table.placeholder_names,
            &table.learns_only,
            &table.house,
            &table.street_words,
            &table.no_city,
        ];
        for entry in lists.chain(single).flatten() {
            assert_eq!(tokens(entry).join(" "), *entry);
        }
    }

    #[test]
    fn roles_beside_tattooing_are_told_but_not_for_those_who_do_both() {
        assert_eq!(not_artist("Professional Piercer"), Some("piercer"));
        assert_eq!(not_artist("Tattoo artist & piercer"), None);
        assert_eq!(not_artist("Guest tattoo artist"), Some("guest"));
        assert_eq!(not_artist("Blackwork"), None);
    }
}
