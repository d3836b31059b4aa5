//! What a person is called: names, names of artists and handles, told from headings.

use crate::extract::disguise::without_look_alikes;
use crate::extract::finding::PageRole;
use crate::extract::lexicon::{self, holds_any};
use crate::extract::styles::Styles;
use crate::extract::text::{clean, tokens};

/// Small words inside names: "Ana de la Cruz", "Jan van der Berg", "Mila & Co" is none.
pub(super) const PARTICLES: &[&str] =
    &["de", "la", "del", "da", "do", "dos", "di", "van", "der", "den", "von", "le", "el", "y", "e", "o", "mc", "st", "das"];

/// Signs of quotation in pairs, as languages set them, and brackets.
const QUOTES: [(char, char); 9] =
    [('"', '"'), ('“', '”'), ('„', '“'), ('„', '”'), ('«', '»'), ('‘', '’'), ('\'', '\''), ('»', '«'), ('(', ')')];

/// "Guadalupe “Lupe” Armendáriz" without what she is called: a word or two in quotation marks between two names. `None` when
/// there is no nickname.
pub(crate) fn without_nickname(text: &str) -> Option<String> {
    let (from, open) = text.char_indices().find(|(at, letter)| *at > 0 && QUOTES.iter().any(|(open, _)| open == letter))?;
    let before = text[..from].trim_end();
    let inside = &text[from + open.len_utf8()..];
    let (length, close) = inside.char_indices().find(|(_, letter)| QUOTES.contains(&(open, *letter)))?;
    let (nickname, after) = (&inside[..length], inside[length + close.len_utf8()..].trim_start());
    let spaced = text[..from].ends_with(' ') && !after.is_empty();
    let named = |text: &str| text.chars().next().is_some_and(char::is_uppercase);
    let short = nickname.split_whitespace().count() <= 2 && nickname.chars().any(char::is_alphabetic);
    (spaced && short && named(before) && named(after)).then(|| format!("{before} {after}"))
}

/// Does a short text look like what a person is called: a name, an artist's name or a handle?
pub(crate) fn name_like(text: &str, styles: &Styles) -> bool {
    let bare = without_nickname(text.trim());
    let text = bare.as_deref().unwrap_or(text).trim();
    let count = text.chars().count();
    let raw: Vec<&str> = text.split_whitespace().collect();
    if !(2..=40).contains(&count)
        || raw.is_empty()
        || raw.len() > 4
        || text.contains(['?', '!', ':', '©', '→', '%', '€', '$', '"', '“', '+', '*', '=', '/', '•', '·', '|', ',', '&'])
    {
        return false;
    }
    if raw.len() > 1 && text.contains(['(', '@', '#']) {
        return false;
    }
    // Rule `lost letters`: what was decoded wrongly for good names nobody.
    if text.contains(char::REPLACEMENT_CHARACTER) {
        return false;
    }
    let letters = text.chars().filter(|letter| letter.is_alphabetic()).count();
    let digits = text.chars().filter(char::is_ascii_digit).count();
    if letters < 2 || digits > 4 || digits * 2 > letters {
        return false;
    }
    let handle = raw.len() == 1 && text.contains(['_', '.', '@']) && !text.ends_with('.');
    let first = text.trim_start_matches(['@', '_', '.']).chars().next().unwrap_or(' ');
    // Scripts without capitals begin a name with any letter.
    let begins_name = first.is_uppercase() || first.is_numeric() || (first.is_alphabetic() && !first.is_lowercase());
    if !(handle || begins_name) {
        return false;
    }
    if text.ends_with('.') && raw.len() > 2 {
        return false;
    }
    let words = tokens(text);
    let stopped = words.iter().enumerate().any(|(at, word)| {
        lexicon::listed(&lexicon::words().no_name, word)
            && (at == 0 && !["el", "la", "da", "de", "le", "i"].contains(&word.as_str()) || !PARTICLES.contains(&word.as_str()))
    });
    let page = lexicon::listed(&lexicon::words().nobody, &words.join(" "));
    if (stopped || page) && !handle || words.is_empty() {
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
    covered + trade < words.len() && lexicon::not_artist(text).is_none() && (lexicon::role_exact(text) == PageRole::Other || handle)
}

/// The name in a line that may also hold a handle or what the person does.
pub(crate) fn name_in(text: &str, styles: &Styles) -> Option<String> {
    let line = without_look_alikes(&clean(&text.replace('\n', " "), 90));
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
        let handle = part.trim_end_matches(')');
        part.is_empty()
            || (!handle.contains(' ')
                && crate::extract::extractors::handles::normal_handle(handle).is_some()
                && handle.contains(['@', '.', '_']))
            || holds_any(&words, &lexicon::words().tattooer)
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
