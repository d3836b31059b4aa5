//! The figures of an evaluation, and how they are printed.

use serde::Serialize;

/// One field over all sites.
#[derive(Serialize, Clone, Debug, PartialEq)]
pub struct FieldScores {
    /// True values asked for.
    pub n: u64,
    /// Right values of those given.
    pub precision: f64,
    /// True values found.
    pub recall: f64,
    /// Harmonic mean of the two.
    pub f1: f64,
    /// Values given where there is none.
    pub inventions: u64,
    /// Right values of sites with a truth and of inventions; single-valued fields only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
}

/// Kinds of sites.
#[derive(Serialize, Clone, Debug, PartialEq)]
pub struct KindScores {
    /// Sites scored.
    pub n: u64,
    /// Share that is right.
    pub accuracy: f64,
    /// Sites that are neither artist nor studio.
    pub negatives: u64,
    /// Of these, taken for artists or studios.
    pub negatives_entered: u64,
}

/// Portfolio pictures.
#[derive(Serialize, Clone, Debug, PartialEq)]
pub struct ImageScores {
    /// Sites with a minimum.
    pub n: u64,
    /// Share of sites that reach it.
    pub met: f64,
    /// Pictures found.
    pub found: u64,
    /// Of these, by their names logos or icons.
    pub logos: u64,
}

/// Texts about the artist or the studio.
#[derive(Serialize, Clone, Debug, PartialEq)]
pub struct ShareScores {
    /// Sites with a phrase.
    pub n: u64,
    /// Share whose text holds it.
    pub has: f64,
}

/// Everything that is measured, with the names of the rule book.
#[derive(Serialize, Clone, Debug, PartialEq)]
pub struct Report {
    /// Labelled sites.
    pub sites: u64,
    /// Of these, with a prediction.
    pub predicted: u64,
    /// Sites drawn by scripts were scored on their static fields.
    #[serde(rename = "static")]
    pub static_only: bool,
    /// Artist, studio or neither.
    pub kind: KindScores,
    /// Name of the artist or the shop.
    pub name: FieldScores,
    /// The shop.
    pub studio: FieldScores,
    /// As printed.
    pub city: FieldScores,
    /// As printed.
    pub region: FieldScores,
    /// ISO 3166 alpha-2.
    pub country: FieldScores,
    /// Handles of the site.
    pub instagram: FieldScores,
    /// Addresses.
    pub emails: FieldScores,
    /// Numbers.
    pub phones: FieldScores,
    /// Profiles elsewhere.
    pub socials: FieldScores,
    /// Canonical styles.
    pub styles: FieldScores,
    /// Present tattooers of a studio.
    pub members: FieldScores,
    /// Their handles.
    pub members_instagram: FieldScores,
    /// Their styles.
    pub members_styles: FieldScores,
    /// Portfolio pictures.
    pub images: ImageScores,
    /// The text.
    pub bio: ShareScores,
    /// Values given where there is none, over all fields that count.
    pub inventions: u64,
    /// The mean of what the rule book puts into it.
    #[serde(rename = "macro")]
    pub macro_score: f64,
    /// What went wrong, site by site.
    #[serde(skip)]
    pub faults: Vec<Fault>,
}

/// One wrong, missed or invented value.
#[derive(Serialize, Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Id of the site.
    pub site: String,
    /// Which field.
    pub field: String,
    /// `wrong …`, `missed …`, `invented …`.
    pub fault: String,
}

impl Report {
    /// The fields of the table with their names, in its order.
    #[must_use]
    pub fn fields(&self) -> [(&'static str, &FieldScores); 13] {
        [
            ("name", &self.name),
            ("studio", &self.studio),
            ("city", &self.city),
            ("region", &self.region),
            ("country", &self.country),
            ("instagram", &self.instagram),
            ("emails", &self.emails),
            ("phones", &self.phones),
            ("socials", &self.socials),
            ("styles", &self.styles),
            ("members", &self.members),
            ("members_instagram", &self.members_instagram),
            ("members_styles", &self.members_styles),
        ]
    }
}

/// The table that the rule book prints.
#[must_use]
pub fn table(report: &Report) -> String {
    let only = if report.static_only { ", static fields only" } else { "" };
    let mut lines = vec![
        format!("{} of {} sites predicted{only}", report.predicted, report.sites),
        String::new(),
        format!("{:18}{:>5}{:>11}{:>8}{:>8}{:>10}{:>12}", "field", "n", "precision", "recall", "F1", "accuracy", "inventions"),
    ];
    for (name, scores) in report.fields() {
        let accuracy = scores.accuracy.map_or_else(|| " ".repeat(10), |accuracy| format!("{accuracy:10.3}"));
        lines.push(format!(
            "{name:18}{:5}{:11.3}{:8.3}{:8.3}{accuracy}{:12}",
            scores.n, scores.precision, scores.recall, scores.f1, scores.inventions
        ));
    }
    let (kind, images, bio) = (&report.kind, &report.images, &report.bio);
    lines.push(String::new());
    lines.push(format!(
        "kind       accuracy {:.3} of {}; {} of {} negatives entered",
        kind.accuracy, kind.n, kind.negatives_entered, kind.negatives
    ));
    lines.push(format!(
        "images     minimum met {:.3} of {}; {} found, {} look like logos or icons",
        images.met, images.n, images.found, images.logos
    ));
    lines.push(format!("bio        phrase held {:.3} of {}", bio.has, bio.n));
    lines.push(format!("inventions {}", report.inventions));
    lines.push(format!("macro      {:.3}", report.macro_score));
    lines.join("\n")
}

/// Which site failed which field, one fault a line.
#[must_use]
pub fn faults_table(report: &Report) -> String {
    report.faults.iter().map(|fault| format!("{:24}{:18}{}", fault.site, fault.field, fault.fault)).collect::<Vec<_>>().join("\n")
}
