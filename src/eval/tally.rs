//! Right, given and wanted values of one field over all sites.

use super::report::FieldScores;
use std::collections::BTreeSet;

#[derive(Default)]
pub(super) struct Tally {
    pub(super) n: u64,
    pub(super) right: f64,
    pub(super) given: f64,
    pub(super) recalled: f64,
    pub(super) wanted: f64,
    pub(super) inventions: u64,
}

pub(super) fn ratio(part: f64, whole: f64) -> f64 {
    if whole == 0.0 { 0.0 } else { part / whole }
}

impl Tally {
    pub(super) fn scores(&self, single: bool) -> FieldScores {
        let precision = ratio(self.right, self.given);
        let recall = ratio(self.recalled, self.wanted);
        let f1 = ratio(2.0 * precision * recall, precision + recall);
        let asked = self.wanted + self.inventions as f64;
        FieldScores { n: self.n, precision, recall, f1, inventions: self.inventions, accuracy: single.then(|| ratio(self.right, asked)) }
    }

    pub(super) fn add_single(
        &mut self,
        truth: Option<&String>,
        given: Option<&String>,
        accept: &BTreeSet<String>,
        weight: f64,
    ) -> Vec<String> {
        let accepted = given.is_some_and(|given| accept.contains(given));
        let neutral = truth.is_none() && accepted;
        let right = given.is_some() && (given == truth || accepted) && !neutral;
        let scored = if right { weight } else { 0.0 };
        if truth.is_some() {
            self.n += 1;
            self.wanted += weight;
            self.recalled += scored;
        }
        if given.is_some() && !neutral {
            self.given += weight;
            self.right += scored;
            self.inventions += u64::from(truth.is_none());
        }
        match (truth, given) {
            (Some(truth), None) => vec![format!("missed {truth}")],
            (_, Some(given)) if !right && !neutral => vec![format!("{} {given}", if truth.is_none() { "invented" } else { "wrong" })],
            _ => Vec::new(),
        }
    }

    pub(super) fn add_set(
        &mut self,
        truth: &BTreeSet<String>,
        given: &BTreeSet<String>,
        accept: &BTreeSet<String>,
        also_right: &BTreeSet<String>,
    ) -> Vec<String> {
        let given: BTreeSet<String> = given.iter().filter(|value| truth.contains(*value) || !accept.contains(*value)).cloned().collect();
        let wrong: Vec<&String> = given.iter().filter(|value| !truth.contains(*value) && !also_right.contains(*value)).collect();
        self.n += truth.len() as u64;
        self.wanted += truth.len() as f64;
        self.recalled += given.intersection(truth).count() as f64;
        self.given += given.len() as f64;
        self.right += (given.len() - wrong.len()) as f64;
        if truth.is_empty() {
            self.inventions += wrong.len() as u64;
        }
        let word = if truth.is_empty() { "invented" } else { "wrong" };
        wrong.iter().map(|value| format!("{word} {value}")).chain(truth.difference(&given).map(|value| format!("missed {value}"))).collect()
    }
}
