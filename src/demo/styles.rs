//! The styles the made-up artists work in: a part of the vocabulary, in wordings that real sites use.

use super::words::Lang;

/// One style of the vocabulary with the words the made-up sites use for it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Style {
    /// The canonical name of `config/styles.toml`.
    pub canonical: &'static str,
    english: &'static str,
    spanish: &'static str,
    german: &'static str,
    portuguese: &'static str,
}

impl Style {
    pub(super) fn wording(&self, lang: Lang) -> &'static str {
        match lang {
            Lang::English => self.english,
            Lang::Spanish => self.spanish,
            Lang::German => self.german,
            Lang::Portuguese => self.portuguese,
        }
    }
}

const fn style(
    canonical: &'static str,
    english: &'static str,
    spanish: &'static str,
    german: &'static str,
    portuguese: &'static str,
) -> Style {
    Style { canonical, english, spanish, german, portuguese }
}

/// All styles of the made-up web.
pub(super) static STYLES: &[Style] = &[
    style("blackwork", "Blackwork", "blackwork", "Blackwork", "blackwork"),
    style("fine line", "fine line", "línea fina", "feine Linien", "traço fino"),
    style("realism", "realism", "realismo", "Realismus", "realismo"),
    style("micro realism", "micro realism", "microrrealismo", "Micro Realism", "micro realism"),
    style("black and grey", "black & grey", "negro y gris", "Schwarz-Grau", "preto e cinza"),
    style("traditional", "American traditional", "old school", "Old School", "old school"),
    style("neo traditional", "neo traditional", "neotradicional", "Neo Traditional", "neo tradicional"),
    style("new school", "new school", "new school", "New School", "new school"),
    style("japanese", "Japanese", "japonés", "japanisch", "japonês"),
    style("dotwork", "dotwork", "puntillismo", "Dotwork", "pontilhismo"),
    style("geometric", "geometric", "geométrico", "geometrisch", "geométrico"),
    style("watercolor", "watercolour", "acuarela", "Aquarell", "aquarela"),
    style("lettering", "lettering", "caligrafía", "Schriftzug", "lettering"),
    style("ornamental", "ornamental", "ornamental", "Ornamente", "ornamental"),
    style("mandala", "mandala", "mandalas", "Mandalas", "mandalas"),
    style("portrait", "portraiture", "retratos", "Porträt", "retratos"),
    style("floral", "botanical", "botánico", "floral", "floral"),
    style("minimalist", "minimalist", "minimalista", "minimalistisch", "minimalista"),
    style("illustrative", "illustrative", "ilustrativo", "illustrative", "ilustrativo"),
    style("surrealism", "surrealism", "surrealismo", "Surrealismus", "surrealismo"),
    style("handpoke", "hand poke", "handpoke", "Handpoke", "handpoke"),
    style("polynesian", "Polynesian", "polinesio", "Polynesisch", "polinésio"),
    style("biomechanical", "biomechanical", "biomecánico", "Biomechanical", "biomech"),
    style("anime", "anime", "anime", "Anime", "anime"),
    style("abstract", "abstract", "abstracto", "abstrakt", "abstrato"),
    style("chicano", "chicano", "chicano", "Chicano", "chicano"),
];
