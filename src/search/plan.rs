//! What matches and what a match is worth: the formula that both engines compute exactly, so that both rank alike.
//!
//! A query of `n` different tokens ranks a hit by `sum(tier of each token / n) + whole name + completeness`. No statistics
//! of the corpus enter, so that the rank of a hit never depends on the others, on segments or on shards.

use crate::search::{SearchError, SearchQuery};
use strsim::osa_distance;

/// A token of the name.
pub const NAME_EXACT: u32 = 8_000_000;
/// The beginning of a token of the name; only for the last token of a query, which may be half typed.
pub const NAME_PREFIX: u32 = 6_000_000;
/// A token of the name but for one typo.
pub const NAME_TYPO: u32 = 4_000_000;
/// A token of the text: studio, place, styles, handle, bio.
pub const TEXT_EXACT: u32 = 2_000_000;
/// Added once if the query's tokens are the whole name, in its order.
pub const WHOLE_NAME: u32 = 2_000_000;
/// Added for a complete record; always less than a step between two tiers of one token.
pub const COMPLETENESS: u32 = 1_000_000;

/// Raised whenever the numbers or the rules here change: page tokens of another formula are refused.
pub const RANK_FORMULA: u32 = 1;
/// Tokens shorter than this, in characters, must be typed right.
pub const TYPO_MIN_CHARS: usize = 4;
/// Hits of a page at most.
pub const LIMIT_MAX: usize = 50;
/// Values of a facet at most, so that a directory of the whole world does not answer with every village.
pub const FACET_VALUES_MAX: usize = 250;

/// How one token of a query may match, and what each way is worth. A hit must match every token; the best way counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenPlan {
    /// The token, folded.
    pub token: String,
    /// Worth of a token of the name.
    pub name_exact: u32,
    /// Worth of the beginning of a token of the name, if that is allowed.
    pub name_prefix: Option<u32>,
    /// Worth of a token of the name with [`one_typo`], if that is allowed.
    pub name_typo: Option<u32>,
    /// Worth of a token of the text.
    pub text_exact: u32,
}

/// How a query matches and ranks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchPlan {
    /// Each different token of the query, in its order.
    pub tokens: Vec<TokenPlan>,
    /// The folded name that earns [`WHOLE_NAME`]; `None` without tokens.
    pub whole_name: Option<String>,
    /// What one thousandth of completeness is worth.
    pub completeness_factor: u32,
}

impl MatchPlan {
    /// The plan of a query. Every sum it can lead to is below 2^24, so that engines may add in 32-bit floats.
    pub fn of(query: &SearchQuery) -> Self {
        let mut words: Vec<&str> = Vec::new();
        for word in query.tokens.iter().map(String::as_str).filter(|word| !word.is_empty()) {
            if !words.contains(&word) {
                words.push(word);
            }
        }
        let last = query.tokens.iter().rev().find(|token| !token.is_empty());
        let count = u32::try_from(words.len()).unwrap_or(u32::MAX).max(1);
        let tokens = words
            .iter()
            .map(|word| TokenPlan {
                token: (*word).to_owned(),
                name_exact: NAME_EXACT / count,
                name_prefix: last.is_some_and(|last| last == word).then_some(NAME_PREFIX / count),
                name_typo: (word.chars().count() >= TYPO_MIN_CHARS).then_some(NAME_TYPO / count),
                text_exact: TEXT_EXACT / count,
            })
            .collect();
        let whole_name = (!words.is_empty()).then(|| query.tokens.join(" "));
        Self { tokens, whole_name, completeness_factor: COMPLETENESS / 1000 / count }
    }
}

/// Whether `name_token` is `token` with at most one letter put in, left out, replaced, or two neighbours swapped.
///
/// The first letter must agree: people mistype inside words, and it keeps the terms to compare few.
pub fn one_typo(token: &str, name_token: &str) -> bool {
    let lengths = (token.chars().count(), name_token.chars().count());
    lengths.0.abs_diff(lengths.1) <= 1 && token.chars().next() == name_token.chars().next() && osa_distance(token, name_token) <= 1
}

/// Completeness in thousandths, the whole number that is indexed.
pub fn completeness_permille(completeness: f32) -> u64 {
    (completeness.clamp(0.0, 1.0) * 1000.0).round() as u64
}

/// Refuses what no engine should be asked.
///
/// # Errors
/// [`SearchError::Refused`] if the limit is outside 1 to [`LIMIT_MAX`].
pub fn check_limit(query: &SearchQuery) -> Result<(), SearchError> {
    if (1..=LIMIT_MAX).contains(&query.limit) {
        return Ok(());
    }
    Err(SearchError::Refused(format!("a limit of {} hits is outside 1 to {LIMIT_MAX}", query.limit)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn query(tokens: &[&str]) -> SearchQuery {
        SearchQuery { tokens: tokens.iter().map(|token| (*token).to_owned()).collect(), ..SearchQuery::default() }
    }

    #[test]
    fn only_the_last_token_may_be_half_typed_and_short_ones_must_be_right() {
        let plan = MatchPlan::of(&query(&["anna", "li"]));
        assert_eq!(plan.tokens[0].name_prefix, None);
        assert_eq!(plan.tokens[0].name_typo, Some(2_000_000));
        assert_eq!(plan.tokens[1].name_prefix, Some(3_000_000));
        assert_eq!(plan.tokens[1].name_typo, None);
        assert_eq!(plan.whole_name.as_deref(), Some("anna li"));
    }

    #[test]
    fn without_tokens_completeness_alone_ranks_in_millionths() {
        let plan = MatchPlan::of(&query(&[]));
        assert_eq!((plan.tokens.len(), plan.whole_name, plan.completeness_factor), (0, None, 1000));
    }

    #[test]
    fn typos() {
        for near in ["anna", "ana", "annna", "anan", "anma"] {
            assert!(one_typo("anna", near), "{near}");
        }
        for far in ["hanna", "nana", "an", "anton", "bnna", ""] {
            assert!(!one_typo("anna", far), "{far}");
        }
    }

    proptest! {
        #[test]
        fn ranks_fit_32_bit_floats_and_a_better_tier_beats_completeness(words in prop::collection::vec("[a-z]{1,6}", 1..40)) {
            let plan = MatchPlan::of(&SearchQuery { tokens: words, ..SearchQuery::default() });
            let best: u32 = plan.tokens.iter().map(|token| token.name_exact).sum();
            prop_assert!(best + WHOLE_NAME + 1000 * plan.completeness_factor < 1 << 24);
            for token in &plan.tokens {
                let ways = [Some(token.name_exact), token.name_prefix, token.name_typo, Some(token.text_exact)];
                for pair in ways.iter().flatten().collect::<Vec<_>>().windows(2) {
                    prop_assert!(*pair[0] > *pair[1] + 1000 * plan.completeness_factor);
                }
            }
        }
    }
}
