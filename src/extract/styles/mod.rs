//! The style vocabulary: canonical styles, their wordings by language, and the matcher that reads them from text.

mod load;

use load::File;
pub use load::VocabularyError;

use crate::extract::text::{fold, tokens};
use std::collections::HashMap;

const DEFAULT: &str = include_str!("../../../config/styles.toml");

/// One canonical style.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Style {
    /// Lower case, as shown: `fine line`.
    pub name: String,
    /// As in keys: `fine-line`.
    pub slug: String,
    /// The style a reader would also look under.
    pub broader: Option<String>,
}

#[derive(Clone, Debug)]
struct Pattern {
    words: Vec<(String, bool)>,
    styles: Vec<usize>,
    weak: bool,
    place: String,
}

/// The vocabulary.
#[derive(Clone, Debug)]
pub struct Styles {
    styles: Vec<Style>,
    patterns: Vec<Pattern>,
    by_first: HashMap<String, Vec<usize>>,
    open_first: Vec<usize>,
    by_name: HashMap<String, usize>,
}

/// A style found in text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    /// Index into [`Styles::all`].
    pub style: usize,
    /// The wording is an everyday word.
    pub weak: bool,
    /// First word of the match.
    pub start: usize,
    /// One past the last word.
    pub end: usize,
}

impl Styles {
    /// The vocabulary that comes with the program.
    #[must_use]
    pub fn standard() -> Self {
        Self::shipped().expect("config/styles.toml is checked by a test of this file, and before a verb of the command line runs")
    }

    /// As [`Styles::standard`], for whoever tells what is wrong with it.
    ///
    /// # Errors
    /// Its first fault, with both places.
    pub fn shipped() -> Result<Self, VocabularyError> {
        Self::from_toml(DEFAULT)
    }

    /// Reads a vocabulary from TOML text.
    pub fn from_toml(text: &str) -> Result<Self, VocabularyError> {
        let file: File = toml::from_str(text).map_err(|error| VocabularyError::Syntax(error.to_string()))?;
        let mut out =
            Self { styles: Vec::new(), patterns: Vec::new(), by_first: HashMap::new(), open_first: Vec::new(), by_name: HashMap::new() };
        for entry in &file.style {
            let name = entry.name.trim().to_lowercase();
            let slug = tokens(&name).join("-");
            let style = Style { name: name.clone(), slug: slug.clone(), broader: entry.broader.clone() };
            for key in [name.clone(), slug, tokens(&name).concat()] {
                if out.by_name.insert(key, out.styles.len()).is_some_and(|other| other != out.styles.len()) {
                    return Err(VocabularyError::DuplicateStyle(name));
                }
            }
            out.styles.push(style);
        }
        out.check_broader()?;
        let mut seen: HashMap<String, (String, usize)> = HashMap::new();
        for (index, entry) in file.style.iter().enumerate() {
            let name = &out.styles[index].name.clone();
            let whole = format!("style `{name}`");
            if let Some(language) = entry.english_in.iter().find(|language| entry.wordings.contains_key(*language)) {
                return Err(VocabularyError::BothWays { style: name.clone(), language: language.clone() });
            }
            // A name that is itself an everyday word stands among the weak wordings instead.
            let everyday = entry.weak.values().flatten().any(|wording| tokens(wording) == tokens(name));
            if !everyday {
                out.add(&mut seen, name, &[index], false, whole.clone(), index)?;
            }
            for (weak, lists) in [(false, &entry.wordings), (true, &entry.weak)] {
                for (language, wordings) in lists {
                    let kind = if language == "not" {
                        "not"
                    } else if weak {
                        "weak"
                    } else {
                        "wordings"
                    };
                    let place = format!("style `{name}`, {kind}.{language}");
                    for wording in wordings {
                        let styles: &[usize] = if language == "not" { &[] } else { &[index] };
                        out.add(&mut seen, wording, styles, weak, place.clone(), index)?;
                    }
                }
            }
            for wording in &entry.not {
                out.add(&mut seen, wording, &[], false, format!("{whole}, not"), index)?;
            }
        }
        for entry in &file.compound {
            let place = format!("compound `{}`", entry.wording);
            let mut parts = Vec::new();
            for name in &entry.styles {
                let Some(part) = out.by_name.get(name) else {
                    return Err(VocabularyError::UnknownStyle { place, name: name.clone() });
                };
                parts.push(*part);
            }
            out.add(&mut seen, &entry.wording, &parts, false, place, usize::MAX)?;
        }
        Ok(out)
    }

    fn check_broader(&self) -> Result<(), VocabularyError> {
        for style in &self.styles {
            let mut at = style;
            for _ in 0..=self.styles.len() {
                let Some(broader) = &at.broader else { break };
                let Some(next) = self.by_name.get(broader) else {
                    let place = format!("style `{}`, broader,", at.name);
                    return Err(VocabularyError::UnknownStyle { place, name: broader.clone() });
                };
                at = &self.styles[*next];
                if at.name == style.name {
                    return Err(VocabularyError::Cycle { first: style.name.clone(), second: style.broader.clone().unwrap_or_default() });
                }
            }
        }
        Ok(())
    }

    fn add(
        &mut self,
        seen: &mut HashMap<String, (String, usize)>,
        wording: &str,
        styles: &[usize],
        weak: bool,
        place: String,
        owner: usize,
    ) -> Result<(), VocabularyError> {
        let open = wording.trim().ends_with('*');
        let words = tokens(wording);
        if words.iter().all(|word| word == "&") {
            return Err(VocabularyError::EmptyWording(place));
        }
        let key = format!("{}{}", words.join(" "), if open { "*" } else { "" });
        if let Some((first, other)) = seen.get(&key) {
            // Languages share words, so one style may list a wording under two of them.
            if *other == owner && *first != place && !first.contains(", not") && !place.contains(", not") {
                return Ok(());
            }
            return Err(VocabularyError::DuplicateWording { wording: key, first: first.clone(), second: place });
        }
        seen.insert(key, (place.clone(), owner));
        let index = self.patterns.len();
        let last = words.len() - 1;
        let words: Vec<(String, bool)> = words.into_iter().enumerate().map(|(at, word)| (word, open && at == last)).collect();
        match &words[0] {
            (_, true) => self.open_first.push(index),
            (first, false) => self.by_first.entry(first.clone()).or_default().push(index),
        }
        self.patterns.push(Pattern { words, styles: styles.to_vec(), weak, place });
        Ok(())
    }

    /// Every style, in the order of the file.
    #[must_use]
    pub fn all(&self) -> &[Style] {
        &self.styles
    }

    /// The style that a whole text names: canonical name, slug or any wording.
    #[must_use]
    pub fn resolve(&self, text: &str) -> Option<&Style> {
        let folded = fold(text);
        if let Some(index) = self.by_name.get(folded.trim()) {
            return Some(&self.styles[*index]);
        }
        let words = tokens(&folded);
        let hits = self.hits(&words);
        match hits.as_slice() {
            [hit] if hit.start == 0 && hit.end == words.len() => Some(&self.styles[hit.style]),
            _ => None,
        }
    }

    /// All styles in a list of folded words, longest wording first at each place.
    pub(crate) fn hits(&self, words: &[String]) -> Vec<Hit> {
        let mut out = Vec::new();
        let mut at = 0;
        while at < words.len() {
            let Some((pattern, len)) = self.longest(words, at) else {
                at += 1;
                continue;
            };
            for style in &pattern.styles {
                out.push(Hit { style: *style, weak: pattern.weak, start: at, end: at + len });
            }
            at += len;
        }
        out
    }

    fn longest(&self, words: &[String], at: usize) -> Option<(&Pattern, usize)> {
        let bare = bare_tag(&words[at]);
        let first = self.by_first.get(&words[at]).into_iter().flatten();
        let mut best: Option<(&Pattern, usize)> = None;
        for index in first.chain(&self.open_first) {
            let pattern = &self.patterns[*index];
            let len = pattern.words.len();
            let fits = words.len() >= at + len
                && pattern.words.iter().zip(&words[at..at + len]).all(|((word, open), given)| {
                    if *open { given.strip_prefix(word.as_str()).is_some_and(|rest| rest.chars().count() <= 5) } else { word == given }
                });
            if fits && best.is_none_or(|(_, other)| len > other) {
                best = Some((pattern, len));
            }
        }
        if best.is_none() {
            // Hashtags glue the trade to the style: #blackworktattoo, #finelinetattoos.
            let index =
                bare.and_then(|bare| self.by_first.get(bare).into_iter().flatten().find(|index| self.patterns[**index].words.len() == 1));
            best = index.map(|index| (&self.patterns[*index], 1));
        }
        best
    }

    /// Where in the file a wording stands; for messages.
    #[must_use]
    pub fn place_of(&self, wording: &str) -> Option<&str> {
        let words = tokens(wording);
        let open = wording.trim().ends_with('*');
        self.patterns
            .iter()
            .find(|pattern| {
                pattern.words.len() == words.len()
                    && pattern.words.iter().zip(&words).all(|((word, _), given)| word == given)
                    && pattern.words.last().is_some_and(|(_, is_open)| *is_open == open)
            })
            .map(|pattern| pattern.place.as_str())
    }
}

fn bare_tag(word: &str) -> Option<&str> {
    [
        "tattoos",
        "tattooing",
        "tattooer",
        "tattooartist",
        "tattoo",
        "tattooart",
        "tattoostyle",
        "tatuaje",
        "tatuajes",
        "tatuagem",
        "tatouage",
        "tattoist",
        "ink",
    ]
    .iter()
    .filter_map(|ending| word.strip_suffix(ending))
    .find(|rest| rest.chars().count() >= 5)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(text: &str) -> Vec<String> {
        let styles = Styles::standard();
        styles.hits(&tokens(text)).iter().map(|hit| styles.all()[hit.style].name.clone()).collect()
    }

    #[test]
    fn the_shipped_vocabulary_loads_and_resolves_itself() {
        let styles = Styles::from_toml(DEFAULT).expect("config/styles.toml");
        assert!(styles.all().len() >= 40);
        for style in styles.all() {
            assert_eq!(styles.resolve(&style.name), Some(style));
            assert_eq!(styles.resolve(&style.slug), Some(style));
        }
        assert_eq!(styles.resolve("Línea fina").map(|style| style.slug.as_str()), Some("fine-line"));
        assert_eq!(styles.resolve("watercolour").map(|style| style.name.as_str()), Some("watercolor"));
        assert_eq!(styles.resolve("flash"), None);
    }

    #[test]
    fn compounds_split_and_longer_wordings_win() {
        assert_eq!(names("Black & Grey Realism"), ["black and grey", "realism"]);
        assert_eq!(names("neo-traditional"), ["neo traditional"]);
        assert_eq!(names("Japanese traditional"), ["japanese"]);
        assert_eq!(names("chicano lettering"), ["chicano", "lettering"]);
        assert_eq!(names("(sur)realisme"), ["surrealism", "realism"]);
        assert_eq!(names("#blackworktattoo #finelinetattoos"), ["blackwork", "fine line"]);
        assert_eq!(names("traditional techniques, graphic design"), Vec::<String>::new());
        assert_eq!(names("реализма и дотворк"), ["realism", "dotwork"]);
    }

    #[test]
    fn a_duplicate_wording_names_both_places() {
        let text = "[[style]]\nname='a'\n[style.wordings]\nen=['inky']\n[[style]]\nname='b'\n[style.weak]\nes=['Inky']";
        let error = Styles::from_toml(text).expect_err("duplicate");
        assert_eq!(error.to_string(), "wording `inky` stands at style `a`, wordings.en and at style `b`, weak.es; keep it at one place");
    }

    #[test]
    fn a_circle_names_both_ends() {
        let error = Styles::from_toml("[[style]]\nname='a'\nbroader='b'\n[[style]]\nname='b'\nbroader='a'").expect_err("circle");
        assert_eq!(error, VocabularyError::Cycle { first: "a".into(), second: "b".into() });
        let error = Styles::from_toml("[[style]]\nname='a'\nbroader='x'").expect_err("unknown");
        assert!(matches!(error, VocabularyError::UnknownStyle { .. }), "{error}");
        assert!(matches!(Styles::from_toml("[[style]]\nnme='a'"), Err(VocabularyError::Syntax(_))));
    }

    /// The languages that every style is to be found in.
    const LANGUAGES: [&str; 11] = ["en", "es", "pt", "fr", "de", "it", "nl", "pl", "cs", "ru", "uk"];

    /// Every style has wordings in each language, or says that the language has it in English; and each is read.
    #[test]
    fn every_style_is_said_in_every_language() {
        let file: File = toml::from_str(DEFAULT).expect("config/styles.toml");
        let styles = Styles::standard();
        let (mut silent, mut unread, mut said) = (Vec::new(), Vec::new(), 0);
        for entry in &file.style {
            for language in LANGUAGES {
                let lists = [&entry.wordings, &entry.weak].into_iter().filter_map(|lists| lists.get(language));
                let wordings: Vec<&String> = lists.flatten().collect();
                if wordings.is_empty() && !entry.english_in.iter().any(|known| known == language) {
                    silent.push(format!("{} in {language}", entry.name));
                }
                for wording in wordings {
                    said += 1;
                    let words = tokens(wording.trim_end_matches('*'));
                    let is_read = styles.hits(&words).iter().any(|hit| styles.all()[hit.style].name == entry.name);
                    if !is_read {
                        unread.push(format!("{wording} of {} in {language}", entry.name));
                    }
                }
            }
            for (language, _) in entry.wordings.iter().chain(&entry.weak) {
                assert!(language == "not" || LANGUAGES.contains(&language.as_str()), "{}: {language}", entry.name);
            }
        }
        assert_eq!((silent, unread), (Vec::<String>::new(), Vec::new()));
        assert!(file.style.len() == 40 && said > 900, "{} styles, {said} wordings", file.style.len());
    }

    #[test]
    fn a_language_says_it_in_one_way() {
        let text = "[[style]]\nname='a'\nenglish_in=['pt']\n[style.wordings]\npt=['inky']";
        let error = Styles::from_toml(text).expect_err("both");
        assert_eq!(error.to_string(), "style `a` names pt in english_in and has wordings.pt; keep one of them");
    }

    proptest! {
        #[test]
        fn matching_never_panics_and_stays_in_bounds(text in "\\PC{0,300}") {
            let styles = Styles::standard();
            let words = tokens(&text);
            for hit in styles.hits(&words) {
                prop_assert!(hit.start < hit.end && hit.end <= words.len());
            }
        }
    }
}
