//! Scores extraction against labelled sites, by the rules of the corpus; `tests/eval/score.py` is the rule book.

mod compare;
mod folder;
mod report;
mod score;

pub use folder::{Truth, TruthError, entry_of, predict_folder, read_truth};
pub use report::{Fault, FieldScores, ImageScores, KindScores, Report, ShareScores, faults_table, table};
pub use score::score;

#[cfg(test)]
mod dev {
    use super::*;
    use crate::extract::Styles;
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    /// The engineer's loop: `INKDEX_CORPUS=… cargo test --lib eval::dev -- --nocapture`; says so when it has nothing to do.
    #[test]
    fn prints_the_table_of_a_corpus() {
        let Some(corpus) = std::env::var_os("INKDEX_CORPUS").map(PathBuf::from) else {
            println!("INKDEX_CORPUS is not set: nothing to score");
            return;
        };
        let styles = Styles::standard();
        let rows = read_truth(&corpus).expect("labels");
        let mut predictions = BTreeMap::new();
        for row in &rows {
            let folder = corpus.join(row.id());
            let facts = predict_folder(&folder, &entry_of(&folder).expect("entry"), &styles);
            predictions.insert(row.id().to_owned(), serde_json::to_value(&facts).expect("facts"));
        }
        if let Some(path) = std::env::var_os("INKDEX_PREDICTIONS") {
            let lines: Vec<String> = predictions
                .iter()
                .map(|(id, facts)| {
                    let mut facts = facts.clone();
                    facts["id"] = id.clone().into();
                    facts.to_string()
                })
                .collect();
            std::fs::write(path, lines.join("\n")).expect("predictions");
        }
        let report = score(&rows, &predictions, false);
        println!("{}\n\n{}", faults_table(&report), table(&report));
        assert_eq!(report.predicted, report.sites);
    }
}
