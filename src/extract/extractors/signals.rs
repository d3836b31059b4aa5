//! Counts words that tell what kind of page this is: the craft, other trades, who speaks.

use super::super::finding::{PageSignals, Place, TradeSignal};
use super::super::lexicon::{self, listed};
use super::super::outline::Outline;
use super::super::text::{cut, fold, is_filler, tokens};
use regex::Regex;
use std::sync::LazyLock;

fn count(words: &str, phrase: &str) -> f32 {
    // Words are joined with single spaces and padded, so a phrase matches whole words.
    words.matches(&format!(" {phrase} ")).count() as f32
}

/// The same as they come out of folding, which takes Korean syllables apart.
static STEMS: LazyLock<Vec<String>> = LazyLock::new(|| lexicon::words().craft_stems.iter().map(|stem| fold(stem)).collect());

/// Scripts written without spaces, where a word stands inside a run of others.
fn is_unspaced(stem: &str) -> bool {
    stem.chars().next().is_some_and(|letter| letter >= '\u{3040}' || ('\u{1100}'..='\u{11ff}').contains(&letter))
}

/// Entries of a list of posts: articles with a link, marked as posts or entries.
fn posts(page: &Outline) -> usize {
    let entries = page
        .elements
        .iter()
        .filter(|element| element.is("article") && !element.links.is_empty() && element.hints(&["post", "entry", "hentry", "blog"]));
    let count = entries.take(MAX_POSTS).count();
    if count >= 3 { count } else { 0 }
}

/// Lines that are nothing but a price, as every article of a shop has one.
fn prices(page: &Outline) -> f32 {
    let priced = page.blocks.iter().filter(|block| block.text.len() <= 40 && PRICE.is_match(&block.text)).take(MAX_PRICES).count();
    if priced >= 3 { priced as f32 } else { 0.0 }
}

static PRICE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)^\D{0,15}(?:(?:[€$£]|us\$|r\$)\s?\d[\d.,\s]*|\d[\d.,\s]*\s?(?:[€$£]|eur|zł|kč|chf|руб|₽|грн|₴))\D{0,10}$")
        .expect("the expression is a constant of this file")
});

/// Prices of one page that are counted.
const MAX_PRICES: usize = 15;

/// Posts of one page that are counted.
const MAX_POSTS: usize = 10;

/// Longest end of a sentence after a refusal that refuses all tattoos: "… on the body".
const MAX_REFUSED: usize = 14;

/// Says a text that tattoos are not offered? A refusal that goes on refuses some: hands, minors, one style.
fn denies(folded: &str) -> bool {
    let some = ["hand", "hals", "gesicht", "face", "neck", "finger", "minor", "menor", "cara", "twarz", "dlon"];
    // What these name is all there is to refuse.
    let all = ["body", "traditional", "regular", "studio", "shop", "artist", ".", "!"];
    lexicon::words().denials.iter().any(|denial| {
        let whole = all.iter().any(|part| denial.contains(part));
        folded.match_indices(denial.as_str()).any(|(at, _)| {
            let after = &folded[at + denial.len()..];
            let rest = after.split(['.', '!', '?', ',', ';', ':', '\n', '(']).next().unwrap_or_default();
            whole
                || rest.chars().count() <= MAX_REFUSED
                    && !rest.contains(|letter: char| letter.is_ascii_digit())
                    && !some.iter().any(|part| rest.contains(part))
        })
    })
}

/// Weighs the words of a page; strong places count more than running text.
pub(crate) fn read(page: &Outline) -> PageSignals {
    let mut strong = format!(" {} ", tokens(&page.title).join(" "));
    for name in ["description", "og:title", "og:description", "og:site_name", "keywords"] {
        if let Some(text) = page.meta(&[name]) {
            strong.push_str(&tokens(cut(text, 600)).join(" "));
            strong.push(' ');
        }
    }
    let mut body = String::from(" ");
    let mut signals = PageSignals::default();
    let mut folded = String::new();
    let mut filler = 0.0;
    for block in &page.blocks {
        let length = block.text.chars().count();
        // "You need to enable JavaScript" is what an empty shell says, in whatever language.
        let plea = length < 400 && fold(&block.text).contains("javascript");
        if block.place != Place::Nav && !plea {
            signals.text_len += length as u32;
        }
        if is_filler(&block.text) {
            filler += 1.0;
            continue;
        }
        if body.len() > 120_000 {
            break;
        }
        let words = tokens(cut(&block.text, 3_000));
        if !matches!(block.place, Place::Quote | Place::Form | Place::Nav) {
            signals.first_person += words.iter().filter(|word| listed(&lexicon::words().singular, word)).count() as u32;
            signals.first_plural += words.iter().filter(|word| listed(&lexicon::words().plural, word)).count() as u32;
        }
        let joined = words.join(" ");
        if matches!(block.level, 1 | 2) {
            strong.push_str(&joined);
            strong.push(' ');
        }
        body.push_str(&joined);
        body.push(' ');
        if folded.len() < 200_000 {
            folded.push_str(&fold(cut(&block.text, 3_000)));
            folded.push('\n');
        }
    }
    let weigh =
        |phrases: &[String]| phrases.iter().map(|phrase| count(&strong, phrase) * 4.0 + count(&body, phrase).min(12.0)).sum::<f32>();
    let stems = |text: &str| {
        text.split(' ')
            .filter(|word| {
                !word.is_empty()
                    && STEMS.iter().any(
                        |stem| {
                            if is_unspaced(stem) { word.contains(stem.as_str()) } else { word.starts_with(stem.as_str()) }
                        },
                    )
            })
            .count() as f32
    };
    // "Tattoo removal" and "cosmetic tattoo" hold the word and are another trade.
    let mut borrowed = (0.0, 0.0);
    let offers = &lexicon::words().offer;
    let mut customers = 0.0;
    for entry in &lexicon::words().trades {
        let (trade, phrases) = (&entry.trade, &entry.words);
        let mut weight = weigh(phrases);
        let headed = phrases.iter().map(|phrase| count(&strong, phrase)).sum::<f32>();
        for phrase in phrases.iter().filter(|_| !matches!(trade.as_str(), "blog" | "convention")) {
            let held = stems(phrase);
            if trade == "supply" && offers.iter().any(|offer| count(&format!(" {phrase} "), offer) > 0.0) {
                customers += count(&strong, phrase);
            }
            if held > 0.0 {
                borrowed.0 += held * count(&strong, phrase);
                borrowed.1 += held * count(&body, phrase);
            }
        }
        if trade == "theme" {
            weight += filler * 2.0;
        }
        if trade == "supply" && weight > 0.0 {
            weight += prices(page);
        }
        if trade == "blog" {
            weight += posts(page) as f32 * 2.0;
        }
        if weight > 0.0 {
            signals.other.push(TradeSignal { trade: trade.clone(), weight, strong: headed });
        }
    }
    signals.tattoo_strong = (stems(&strong) - borrowed.0).max(0.0);
    let running = (stems(&body) - borrowed.1).clamp(0.0, 40.0);
    // "Everything for the tattoo artist" names a customer.
    signals.offer_strong = (offers.iter().map(|phrase| count(&strong, phrase)).sum::<f32>() - customers).max(0.0);
    signals.tattoo = (signals.tattoo_strong * 4.0 + running) * 0.5 + weigh(&lexicon::words().offer) * 2.0;
    signals.denies_tattooing = denies(&folded);
    signals.drawn_by_script = page.has_scripts && signals.text_len < 120;
    signals
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusing_all_tattoos_is_told_from_refusing_some() {
        for text in [
            "We do not do body tattoos.",
            "No realizo tatuajes corporales, solo cejas",
            "nie tatuujemy!",
            "We don't tattoo. We only pierce, and that well",
            "We are not a tattoo studio",
        ] {
            assert!(denies(&fold(text)), "{text}");
        }
        for text in [
            "No hacemos tatuajes a menores de edad",
            "Keine Tattoos unter 18",
            "Keine Tattoos im Gesicht",
            "Nie robimy tatuaży osobom niepełnoletnim",
        ] {
            assert!(!denies(&fold(text)), "{text}");
        }
    }

    #[test]
    fn prices_are_lines_of_their_own() {
        for text in ["€22,95", "Normale prijs €22,95", "21,90 €", "1 200 zł", "US$ 45.00", "od 89 eur"] {
            assert!(PRICE.is_match(text), "{text}");
        }
        for text in ["12:00", "Small tattoos from 80 € up to 120 €", "1990", "+49 30 1234"] {
            assert!(!PRICE.is_match(text), "{text}");
        }
    }
}
