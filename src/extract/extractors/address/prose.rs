//! Places named in running text: "based in Porto", "w Krakowie", the name of a large city in a short line.

use super::inflected::nominative;
use super::pairs::{original, pair};
use super::printed::{NAME, expression, is_no_city, tidy_city};
use crate::extract::extractors::{At, PageView, Sink};
use crate::extract::finding::{Place, PostalAddress};
use crate::extract::places;
use crate::extract::text::{cut, fold, sentences, tokens};
use regex::Regex;
use std::sync::LazyLock;

static BASED: LazyLock<Regex> = LazyLock::new(|| {
    expression(&format!(
        r"(?:\b(?i:based in|located in|studio in|shop in|tattoos? in|artist in|tattooer in|tattooing in|based out of|live in|work in|working in|piercing in|parlou?r in|ubicad[oa] en|tatuajes en|tatuador en|tatuadora en|estudio en|resido en|radicad[oa] en|tatuagem em|tatuador em|est[uú]dio em|tatuadora em|tatoueu[rs]e? [àa]|bas[ée]e? [àa]|tatouage [àa]|salon [àa]|studio [àa]|install[ée]e? [àa]|tatuatore a|tatuatrice a|tatuaggi a|studio a|con sede a|gevestigd in|tattooshop in|tattoostudio in|tatua[zż] w|studio w|studio tatua[zż]u w|tetov[aá]n[ií] v|тату (?:в|салон)|мастер в|студия в|в городе|г\.|город|місто|(?:^|[\s,])м\.)\s*)({NAME})"
    ))
});

/// "w Krakowie", "v Praze", "у Львові": in Slavic languages the preposition and the case say that it is a place.
static SLAVIC_IN: LazyLock<Regex> = LazyLock::new(|| expression(&format!(r"(?:^|[\s,(–—-])(?:w|we|v|ve|в|во|у)\s+({NAME})")));

/// Stems beside which a city is where somebody lives and works now.
const NOW: &[&str] = &[
    "pracuj",
    "mieszka",
    "tatuuj",
    "przyjmuj",
    "ziju",
    "tetuj",
    "pracuji",
    "работа",
    "живу",
    "живет",
    "бью",
    "татуир",
    "працю",
    "мешка",
    "татую",
    "студи",
    "studi",
];

/// Stems of sentences that tell where somebody comes from, learnt, was before or only visits.
const BEFORE: &[&str] = &[
    "born",
    "grew up",
    "raised in",
    "taught",
    "trained",
    "learned",
    "learnt",
    "studied",
    "apprentic",
    "originally from",
    "formerly",
    "used to",
    "moved from",
    "naci",
    "crecio",
    "creci ",
    "aprendi",
    "estudi",
    "formad",
    "empece",
    "pase por",
    "nasci",
    "cresci",
    "comecei",
    "estudei",
    "ne a ",
    "nee a ",
    "forme",
    "grandi",
    "appris",
    "etudi",
    "geboren",
    "aufgewachsen",
    "gelernt",
    "studiert",
    "ausbildung",
    "nato a",
    "nata a",
    "cresciut",
    "studiato",
    "imparat",
    "opgegroeid",
    "geleerd",
    "opleiding",
    "urodz",
    "wychowa",
    "uczy",
    "studiowa",
    "narozen",
    "vyrust",
    "ucil",
    "родил",
    "начина",
    "почина",
    "переех",
    "переіх",
    "zaczyna",
    "przeprowadz",
    "zacina",
    "prestehova",
    "вырос",
    "учил",
    "народи",
    "вирос",
    "навча",
    "вчи",
];

/// Whether a sentence names places where somebody is not, or no longer.
fn tells_of_before(sentence: &str) -> bool {
    let folded = fold(sentence);
    BEFORE.iter().any(|stem| folded.match_indices(stem).any(|(at, _)| at == 0 || !folded[..at].ends_with(char::is_alphanumeric)))
}

/// A place named in the sentences of a title or a description.
pub(crate) fn read_sentence(text: &str, place: Place, confidence: f32, view: &PageView<'_>, sink: &mut Sink<'_>) {
    read_sentences(text, &At::new(place, confidence), view, sink);
}

fn implied(city: String, country: &str) -> PostalAddress {
    PostalAddress { city: Some(city), country: Some(country.to_owned()), country_inferred: true, ..PostalAddress::default() }
}

pub(super) fn read_sentences(text: &str, at: &At, view: &PageView<'_>, sink: &mut Sink<'_>) {
    for sentence in sentences(cut(text, 1_500)).into_iter().take(20) {
        let told = |share: f32| At { confidence: at.confidence * share, ..at.clone() }.context(sentence);
        if let Some(address) = pair(sentence, false) {
            sink.address(address, told(1.0));
            continue;
        }
        let words = tokens(sentence);
        let before = !matches!(at.place, Place::Title | Place::Meta) && tells_of_before(sentence);
        if before {
            continue;
        }
        for found in SLAVIC_IN.captures_iter(sentence).take(4) {
            if let Some((city, country)) = nominative(&found[1]) {
                let now = words.iter().any(|word| NOW.iter().any(|stem| word.starts_with(stem)));
                sink.address(implied(city, country), told(if now { 1.0 } else { 0.5 }));
            }
        }
        if let Some(found) = BASED.captures(sentence) {
            let name = tidy_city(&found[1]);
            let name = name.split([',', '.']).next().unwrap_or_default().trim().to_owned();
            if places::country_of_city(&name).is_none() && nominative(&name).is_some() {
                continue;
            }
            if let Some(country) = places::country_of_city(&name) {
                sink.address(implied(name, country), told(1.0));
                continue;
            }
            // Which of its places is meant, the rest of the site decides.
            if places::is_place(&name) && !places::is_wide(&name) && !is_no_city(&name) {
                sink.address(PostalAddress { city: Some(name), ..PostalAddress::default() }, told(0.9));
                continue;
            }
            // A name that no table knows is a city only where the head of the page says so; a style is none.
            let style = !view.styles.hits(&tokens(&name)).is_empty();
            let head = matches!(at.place, Place::Title | Place::Meta);
            if head && !style && !places::is_wide(&name) && !is_no_city(&name) && name.chars().count() >= 3 {
                sink.address(PostalAddress { city: Some(name), ..PostalAddress::default() }, told(0.7));
                continue;
            }
        }
        // Running text names cities for many reasons: guest spots, prizes, origins. Two pages must agree.
        let head = matches!(at.place, Place::Title | Place::Meta | Place::Heading | Place::Footer | Place::Header);
        if !head && words.len() > 12 {
            continue;
        }
        let Some((start, len, country)) = places::city_in(&words) else {
            continue;
        };
        let city = original(sentence, &words[start..start + len]);
        // The names of a few small places are everyday words of other languages.
        let proper = |city: &String| {
            city.chars().count() > 3 && city.chars().next().is_some_and(|letter| letter.is_uppercase() || !letter.is_ascii())
        };
        if let Some(city) = city.filter(proper) {
            sink.address(implied(city, country), told(if head { 0.8 } else { 0.5 }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_before_is_told_from_now() {
        for text in ["I was taught in a studio in Leeds", "Nací en Bogotá", "Geboren in Wien", "Я родилась в Казани"] {
            assert!(tells_of_before(text), "{text}");
        }
        for text in ["Based in Leeds", "Vivo y tatúo en Bogotá", "Ich arbeite in Wien", "Работаю в Казани", "Informed choices in Leeds"]
        {
            assert!(!tells_of_before(text), "{text}");
        }
    }
}
