//! Counts words that tell what kind of page this is: the craft, other trades, who speaks.

use super::super::finding::{PageSignals, Place, TradeSignal};
use super::super::lexicon::{self, listed};
use super::super::outline::Outline;
use super::super::text::{cut, fold, is_filler, tokens};
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
            folded.push(' ');
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
    for entry in &lexicon::words().trades {
        let (trade, phrases) = (&entry.trade, &entry.words);
        let mut weight = weigh(phrases);
        let headed = phrases.iter().map(|phrase| count(&strong, phrase)).sum::<f32>();
        for phrase in phrases.iter().filter(|phrase| phrase.contains("tattoo") && trade != "blog") {
            borrowed.0 += count(&strong, phrase);
            borrowed.1 += count(&body, phrase);
        }
        if trade == "theme" {
            weight += filler * 2.0;
        }
        if weight > 0.0 {
            signals.other.push(TradeSignal { trade: trade.clone(), weight, strong: headed });
        }
    }
    signals.tattoo_strong = (stems(&strong) - borrowed.0).max(0.0);
    let running = (stems(&body) - borrowed.1).clamp(0.0, 40.0);
    let offers = &lexicon::words().offer;
    signals.offer_strong = offers.iter().map(|phrase| count(&strong, phrase)).sum();
    signals.tattoo = (signals.tattoo_strong * 4.0 + running) * 0.5 + weigh(&lexicon::words().offer) * 2.0;
    signals.denies_tattooing = lexicon::words().denials.iter().any(|denial| folded.contains(denial.as_str()));
    signals.drawn_by_script = page.has_scripts && signals.text_len < 120;
    signals
}
