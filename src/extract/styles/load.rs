//! Reads the vocabulary from TOML and refuses what would mean two things.

use serde::Deserialize;
use std::collections::BTreeMap;

/// Why a vocabulary is refused; every message names both places of a clash.
#[derive(thiserror::Error, Clone, Debug, PartialEq, Eq)]
pub enum VocabularyError {
    /// Not TOML, or not our tables.
    #[error("style vocabulary cannot be read: {0}; compare with config/styles.toml")]
    Syntax(String),
    /// Two styles share a name or a slug.
    #[error("style `{0}` is defined twice; keep one entry")]
    DuplicateStyle(String),
    /// One wording would mean two things.
    #[error("wording `{wording}` stands at {first} and at {second}; keep it at one place")]
    DuplicateWording {
        /// The wording, folded.
        wording: String,
        /// Where it stands first.
        first: String,
        /// Where it stands again.
        second: String,
    },
    /// `broader` or a compound names a style that is not there.
    #[error("{place} names the style `{name}`, which is not defined; add it or correct the name")]
    UnknownStyle {
        /// Who names it.
        place: String,
        /// The missing name.
        name: String,
    },
    /// `broader` leads back to its start.
    #[error("`broader` runs in a circle: style `{first}` and style `{second}` are above each other; remove one")]
    Cycle {
        /// A style of the circle.
        first: String,
        /// The style it names as broader.
        second: String,
    },
    /// A language says it in English, and in its own words.
    #[error("style `{style}` names {language} in english_in and has wordings.{language}; keep one of them")]
    BothWays {
        /// Which style.
        style: String,
        /// The language.
        language: String,
    },
    /// A wording without letters.
    #[error("{0} holds a wording without letters; remove it")]
    EmptyWording(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) style: Vec<StyleEntry>,
    #[serde(default)]
    pub(super) compound: Vec<CompoundEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StyleEntry {
    pub(super) name: String,
    pub(super) broader: Option<String>,
    /// The languages that say it in English.
    #[serde(default)]
    pub(super) english_in: Vec<String>,
    #[serde(default)]
    pub(super) wordings: Wordings,
    #[serde(default)]
    pub(super) weak: Wordings,
    #[serde(default)]
    pub(super) not: Vec<String>,
}

/// Language → wordings; `not` may also be written below the table of a style, where TOML files it here.
pub(super) type Wordings = BTreeMap<String, Vec<String>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CompoundEntry {
    pub(super) wording: String,
    pub(super) styles: Vec<String>,
}
