//! Scores extraction against labelled sites, by the rules of the corpus; `tests/eval/score.py` is the rule book.

mod compare;
mod folder;
mod report;
mod score;
mod tally;

pub use folder::{Truth, TruthError, entry_of, read_truth};
pub use report::{Fault, FieldScores, ImageScores, KindScores, Report, ShareScores, faults_table, table};
pub use score::score;

#[cfg(test)]
mod tests;
