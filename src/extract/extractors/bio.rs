//! Texts about the artist or the studio: paragraphs, weighed by where they stand and whom they speak of.

use super::super::finding::{Field, PageRole, Place};
use super::super::lexicon::{self, holds_any, listed};
use super::super::text::{cut, fold, is_filler, tokens};
use super::{At, PageView, Sink, contact_links};

const ABOUT_HINTS: &[&str] = &[
    "about",
    "bio",
    "biography",
    "sobre",
    "intro",
    "introduction",
    "uber",
    "apropos",
    "chi",
    "over",
    "story",
    "artist",
    "studio",
    "welcome",
    "nosotros",
    "me",
];
const NOT_BIO: &[&str] = &[
    "cookie",
    "cookies",
    "privacy",
    "deposit",
    "deposito",
    "anzahlung",
    "appointment",
    "aftercare",
    "refund",
    "cancellation",
    "cancel",
    "terms",
    "copyright",
    "javascript",
    "browser",
    "click",
    "faq",
    "price",
    "prices",
    "precio",
    "book now",
    "newsletter",
    "subscribe",
    "lightbox",
    "healing",
    "infection",
    "wash",
];

/// What the page calls its site, folded: the parts of the title that are no role of a page.
fn own_names(view: &PageView<'_>) -> Vec<String> {
    let page = view.outline;
    let titles = [Some(page.title.as_str()), page.meta(&["og:site_name"]), page.meta(&["og:title"])];
    let parts =
        titles.into_iter().flatten().flat_map(|title| title.split(['|', '–', '—', '·', ':', '•'])).flat_map(|part| part.split(" - "));
    let mut out: Vec<String> = Vec::new();
    for part in parts.filter(|part| lexicon::role_of(part) == PageRole::Other) {
        let words = tokens(part);
        // The word of the trade is left out in running text: "Dark Harbour has been …".
        let own: Vec<&str> = words.iter().map(String::as_str).filter(|word| !listed(&lexicon::words().name_trade, word)).collect();
        let name = own.join(" ");
        if (1..=4).contains(&own.len()) && name.chars().count() >= MIN_NAME && !out.contains(&name) {
            out.push(name);
        }
    }
    out
}

/// Written before the index of the block that opens a page.
pub(crate) const OPENING: &str = "(opening) ";

/// Words of refusal in a heading, and of what is refused.
const NEGATIONS: &[&str] =
    &["not", "dont", "no", "never", "nao", "non", "pas", "nicht", "kein", "keine", "niet", "geen", "nie", "ne", "не"];
const DOING: &[&str] = &[
    "do",
    "does",
    "offer",
    "tattoo",
    "mach",
    "mache",
    "machen",
    "steche",
    "stechen",
    "hago",
    "hacemos",
    "faco",
    "fazemos",
    "fais",
    "faisons",
    "faccio",
    "facciamo",
    "doe",
    "doen",
    "robie",
    "robimy",
    "delam",
    "delame",
    "делаю",
    "делаем",
    "роблю",
    "робимо",
    "tatuo",
    "tatuamos",
];

/// Texts about cookies and consent stand on every page and are about nobody.
const CONSENT: &[&str] = &[
    "cookie",
    "cookies",
    "consent",
    "zustimmung",
    "einwilligung",
    "consentimiento",
    "consentimento",
    "consentement",
    "consenso",
    "toestemming",
    "zgode",
    "zgody",
    "souhlas",
    "согласие",
    "згоду",
];

/// "What I don't do"
fn refuses(heading: &str) -> bool {
    let words = tokens(cut(heading, 60));
    let one_of = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    one_of(NEGATIONS) && one_of(DOING)
}

/// Shortest name looked for in running text, in characters.
const MIN_NAME: usize = 4;

pub(super) fn read(view: &PageView<'_>, sink: &mut Sink<'_>) {
    let page = view.outline;
    let names = own_names(view);
    let (mut kept, mut paragraphs) = (0, 0);
    for (index, block) in page.blocks.iter().enumerate() {
        let text = block.line();
        let length = text.chars().count();
        if length < 40
            || matches!(block.place, Place::Form | Place::Quote | Place::Nav | Place::Credit)
            || is_filler(&text)
            || kept >= 60
            || contact_links::is_credit(&text)
        {
            continue;
        }
        kept += 1;
        let heading = page.heading_text(block.heading);
        let eyebrow = block
            .heading
            .and_then(|at| at.checked_sub(1))
            .and_then(|at| page.blocks.get(at as usize))
            .filter(|above| above.level == 0)
            .map(|above| cut(&above.text, 40).to_owned())
            .unwrap_or_default();
        let about =
            lexicon::role_of(&heading) == PageRole::About || lexicon::role_of(&eyebrow) == PageRole::About || begins_about(&heading);
        let hinted = page.lineage(block.element).take(6).any(|element| element.hints(ABOUT_HINTS) && element.blocks.len() < 40);
        let words = tokens(cut(&text, 1_200));
        let person =
            words.iter().filter(|word| listed(&lexicon::words().singular, word) || listed(&lexicon::words().plural, word)).count() as f32;
        let trade = fold(&text);
        let trade =
            ["tattoo", "tatua", "tatou", "tatow", "tatoe", "tetov", "тату", "ink", "タトゥー"].iter().any(|word| trade.contains(word));
        // The first words below the title of a page that is about nothing else present whoever it belongs to.
        paragraphs += usize::from(block.level == 0);
        let opening = paragraphs == 1
            && view.role == PageRole::Other
            && block.level == 0
            && block.heading.is_none_or(|at| page.blocks[at as usize].level <= 2)
            && block.place == Place::Main;
        let joined = words.join(" ");
        let named = names.iter().any(|name| joined.contains(name.as_str()));
        let advice = holds_any(&words, NOT_BIO);
        let question = heading.trim_end().ends_with('?') || text.trim_end().ends_with('?');
        let mut weight: f32 = 0.2;
        weight += if about { 0.35 } else { 0.0 } + if hinted { 0.12 } else { 0.0 };
        weight += match view.role {
            PageRole::About => 0.2,
            PageRole::Blog | PageRole::Legal | PageRole::Shop | PageRole::Aftercare | PageRole::Booking | PageRole::Imprint => -0.25,
            // "Info" heads questions as well as all there is to know about somebody.
            PageRole::Faq => -0.12,
            _ => 0.0,
        };
        weight += (person * 0.03).min(0.12) + if trade { 0.1 } else { 0.0 } + if length > 140 { 0.08 } else { 0.0 };
        // "Tattoo artist at …" is what somebody is, not a text about them.
        let told = length >= 80 || text.trim_end().ends_with(['.', '!', '?', '…', '。', ':']);
        if told {
            weight += if named { 0.1 } else { 0.0 } + if opening { 0.08 } else { 0.0 };
        } else {
            weight -= 0.12;
        }
        weight -= if refuses(&heading) { 0.25 } else { 0.0 } + if holds_any(&words, CONSENT) { 0.3 } else { 0.0 };
        weight -=
            if advice { 0.15 } else { 0.0 } + if question { 0.2 } else { 0.0 } + if block.place == Place::Footer { 0.12 } else { 0.0 };
        if block.level > 2 && length < 80 {
            weight -= 0.1;
        }
        sink.text(
            Field::Bio,
            &text,
            At::new(block.place, weight.clamp(0.01, 0.99)).card(view.card_of_block(index as u32)).context(&format!(
                "{} | {eyebrow} {}#{index}",
                cut(&heading, 120),
                if opening && told { OPENING } else { "" }
            )),
        );
    }
}

/// "About Mila", "Über Mila", "Sobre Mila".
fn begins_about(heading: &str) -> bool {
    let words = tokens(cut(heading, 60));
    words.len() <= 4
        && words.first().is_some_and(|word| {
            [
                "about",
                "sobre",
                "uber",
                "acerca",
                "meet",
                "conoce",
                "hi",
                "hello",
                "hola",
                "привет",
                "over",
                "welcome",
                "bienvenidos",
                "willkommen",
                "benvenuti",
                "bienvenue",
            ]
            .contains(&word.as_str())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_of_refusal_are_told_from_slogans() {
        for heading in ["What I don't do", "Was ich nicht mache", "O que não faço", "Wat wij niet doen", "Чего не делаю"] {
            assert!(refuses(heading), "{heading}");
        }
        for heading in ["Black is no colour", "Schwarz ist keine Farbe", "What I do", "No. 9"] {
            assert!(!refuses(heading), "{heading}");
        }
    }
}
