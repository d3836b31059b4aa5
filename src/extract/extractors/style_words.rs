//! Style words in what a page offers: headings, lists, tags, sentences; not in forms, reviews or advice.

use super::super::finding::{Field, PageRole, Place};
use super::super::lexicon::holds_any;
use super::super::negation::{denied, heads_denials, is_denied};
use super::super::styles::{Hit, Styles};
use super::super::text::{cut, sentences, tokens};
use super::{At, PageView, Sink};

const TATTOO: &[&str] = &[
    "tattoo",
    "tattoos",
    "tattooing",
    "tattooed",
    "tatuaje",
    "tatuajes",
    "tatuagem",
    "tatuagens",
    "tatouage",
    "tatouages",
    "tatowierung",
    "tatowierungen",
    "tatuaggio",
    "tatuaggi",
    "tatoeage",
    "tatoeages",
    "tatuaz",
    "tatuaze",
    "tatuazy",
    "tetovani",
    "тату",
    "татуировка",
    "татуировки",
    "татуировок",
    "татуювання",
    "style",
    "styles",
    "estilo",
    "estilos",
    "stil",
    "stile",
    "stili",
    "stijl",
    "stijlen",
    "стиль",
    "стили",
    "стиле",
    "стилях",
    "стилі",
    "realismo",
    "specialist",
    "specialises",
    "specializes",
    "specializing",
    "specialising",
    "specialty",
    "especialidad",
    "especialidades",
    "especializado",
    "especializada",
    "spezialisiert",
    "specialise",
    "specialisee",
    "specializzato",
    "specializzata",
    "gespecialiseerd",
    "especialista",
    "tattooer",
];

/// Words of a general lesson about styles rather than an offer.
const LESSON: &[&str] =
    &["trend", "trends", "tendencia", "tendencias", "tendance", "tendances", "history of", "historia del", "origins of", "originated"];

const TOOLS: &[&str] = &["maszyn", "machines", "cartridge", "pigment", "kartusz", "nadeln", "igly", "agujas", "maquinas"];

/// Stems of "specialises in", which make even an answer an offer.
const SPECIAL: &[&str] = &["speciali", "especiali", "spezialis", "gespeciali", "specjaliz", "специализ", "спеціаліз"];

/// A line that begins so is an offer as well: "Style gravure, illustratif".
const LABEL: &[&str] =
    &["style", "styles", "estilo", "estilos", "stil", "stile", "stili", "stijl", "stijlen", "styl", "style", "стиль", "стилі", "стили"];

/// Stems of what somebody learnt from, which is not what they do.
const INSPIRED: &[&str] = &["inspir", "influen", "einfluss", "influss", "вдохнов", "натхнен"];

/// Names of the house in the title and the site name: "Dark Harbour Tattoo" offers no dark tattoos.
fn brands(view: &PageView<'_>) -> Vec<Vec<String>> {
    let page = view.outline;
    let names = [Some(page.title.as_str()), page.meta(&["og:site_name"]), page.meta(&["og:title"])];
    let mut out: Vec<Vec<String>> = Vec::new();
    for piece in names.into_iter().flatten().flat_map(|text| text.split(['|', '–', '—', '·', '•', ':'])).flat_map(|part| part.split(" - "))
    {
        let words = tokens(piece);
        if (2..=5).contains(&words.len()) && !out.contains(&words) {
            out.push(words);
        }
    }
    out
}

fn branded(words: &[String], hit: &Hit, brands: &[Vec<String>]) -> bool {
    brands.iter().any(|brand| {
        let from = hit.start.saturating_sub(brand.len());
        (from..=hit.start).any(|at| words.get(at..at + brand.len()).is_some_and(|window| window == brand.as_slice()) && hit.end <= at + brand.len())
            // The short form of the name: all but the word of the trade.
            || brand.len() > 2 && (from..=hit.start).any(|at| words.get(at..at + brand.len() - 1).is_some_and(|window| window == &brand[..brand.len() - 1]) && hit.end < at + brand.len())
    })
}

fn near_trade(words: &[String], hit: &Hit) -> bool {
    let from = hit.start.saturating_sub(3);
    let to = (hit.end + 3).min(words.len());
    words[from..to].iter().any(|word| TATTOO.contains(&word.as_str()))
}

/// Hits of one sentence; everyday words only beside the trade or beside a style in plain words.
fn accepted(words: &[String], styles: &Styles, list: bool, brands: &[Vec<String>]) -> Vec<usize> {
    let hits = styles.hits(words);
    let firm = hits.iter().any(|hit| !hit.weak);
    let denied = denied(words);
    let mut out = Vec::new();
    for hit in &hits {
        let takes = !hit.weak
            || list
            || near_trade(words, hit)
            || (firm && hits.iter().any(|other| !other.weak && other.start.abs_diff(hit.end).min(hit.start.abs_diff(other.end)) <= 6));
        let refused = is_denied(&denied, hit.start) || (hit.weak && branded(words, hit, brands));
        if takes && !refused && !out.contains(&hit.style) {
            out.push(hit.style);
        }
    }
    out
}

/// Styles in a text that offers: a description, a job title, a keyword list.
pub(crate) fn styles_in_offer(text: &str, styles: &Styles) -> Vec<usize> {
    let mut out = Vec::new();
    for sentence in sentences(cut(text, 3_000)) {
        let short_list = sentence.split([',', '/', '|', '·', '&']).count() > 2 || tokens(sentence).len() <= 5;
        for style in accepted(
            &tokens(sentence),
            styles,
            short_list && styles.hits(&tokens(sentence)).iter().filter(|hit| !hit.weak).count() > 0,
            &[],
        ) {
            if !out.contains(&style) {
                out.push(style);
            }
        }
    }
    out
}

pub(super) fn read(view: &PageView<'_>, sink: &mut Sink<'_>) {
    let page = view.outline;
    let brands = brands(view);
    let factor = match view.role {
        PageRole::Blog | PageRole::Legal | PageRole::Shop | PageRole::Aftercare | PageRole::Guests => 0.2,
        PageRole::Faq | PageRole::Booking => 0.5,
        _ => 1.0,
    };
    for (index, block) in page.blocks.iter().enumerate() {
        if block.text.chars().count() < 3 || matches!(block.place, Place::Form | Place::Quote | Place::Credit) {
            continue;
        }
        let card = view.card_of_block(index as u32);
        let heading = page.heading_text(block.heading);
        if heads_denials(&tokens(&heading)) {
            continue;
        }
        let lesson = holds_any(&tokens(&heading), LESSON) || block.level > 0 && holds_any(&tokens(cut(&block.text, 100)), LESSON);
        let base = match block.place {
            Place::Nav => 0.3,
            Place::Footer | Place::Aside => 0.6,
            _ => 0.8,
        } * factor
            * if lesson { 0.4 } else { 1.0 };
        for sentence in sentences(cut(&block.text, 4_000)) {
            let words = tokens(sentence);
            let question = sentence.ends_with('?');
            // What a machine or an ink is good for is not what is offered.
            let tool = words.iter().any(|word| TOOLS.iter().any(|tool| word.starts_with(tool)));
            let special = words.iter().any(|word| SPECIAL.iter().any(|stem| word.starts_with(stem)))
                || words.first().is_some_and(|word| LABEL.contains(&word.as_str()));
            let inspired = words.first().is_some_and(|word| INSPIRED.iter().any(|stem| word.starts_with(stem)));
            let base = base * if tool || inspired { 0.5 } else { 1.0 } * if special && factor == 0.5 { 1.6 } else { 1.0 };
            let tag = words.len() <= 4;
            let listed = words.len() <= 14 && sentence.split([',', '/', '|', '·', '•', '&', '+']).count() >= 3;
            // A one-word block is an entry of a list when its neighbours are styles too.
            let listed = listed || (tag && is_entry(view, index));
            for style in accepted(&words, view.styles, listed, &brands) {
                let confidence = if question {
                    base * 0.5
                } else if tag || listed {
                    base
                } else {
                    base * 0.9
                };
                sink.text(
                    Field::Style,
                    &view.styles.all()[style].name.clone(),
                    At::new(if block.level > 0 && block.place == Place::Main { Place::Heading } else { block.place }, confidence)
                        .card(card)
                        .context(&format!("{} | {}", cut(sentence, 120), cut(&heading, 60))),
                );
            }
        }
    }
    for (index, image) in page.images.iter().enumerate() {
        if image.alt.chars().count() < 4 || matches!(image.place, Place::Nav | Place::Footer | Place::Quote) {
            continue;
        }
        for hit in view.styles.hits(&tokens(&image.alt)).iter().filter(|hit| !hit.weak) {
            sink.text(
                Field::Style,
                &view.styles.all()[hit.style].name.clone(),
                At::new(image.place, 0.25 * factor).card(view.card_of_image(index as u32)).context("alt"),
            );
        }
    }
}

fn is_entry(view: &PageView<'_>, index: usize) -> bool {
    let page = view.outline;
    let heading = page.heading_text(page.blocks[index].heading);
    if super::super::lexicon::role_of(&heading) == PageRole::Services
        || holds_any(
            &tokens(&heading),
            &["styles", "style", "estilos", "estilo", "stile", "stili", "stijlen", "стили", "specialties", "especialidades"],
        )
    {
        return true;
    }
    [index.wrapping_sub(1), index + 1, index.wrapping_sub(2), index + 2].into_iter().filter_map(|at| page.blocks.get(at)).any(|near| {
        let words = tokens(cut(&near.text, 60));
        words.len() <= 4 && view.styles.hits(&words).iter().any(|hit| !hit.weak)
    })
}
