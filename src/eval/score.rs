//! Counts right, given and wanted values field by field, as the rule book does.

use super::tally::{Tally, ratio};

use super::compare::{fold, key, keys, texts};
use super::folder::Truth;
use super::report::{Fault, FieldScores, ImageScores, KindScores, Report, ShareScores};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashSet};

const SINGLE: [&str; 5] = ["name", "studio", "city", "region", "country"];

const SETS: [&str; 5] = ["instagram", "emails", "phones", "socials", "styles"];

/// A text longer than this is the page, not a text about the artist; in characters.
const BIO_MAX: usize = 4_000;

fn names_of(member: &Value) -> BTreeSet<String> {
    let mut out = keys("name", member.get("name"));
    out.extend(keys("name", member.get("accept")));
    out
}

fn handle_of(member: &Value) -> Option<String> {
    keys("instagram", member.get("instagram")).into_iter().next()
}

/// Pairs of (true, given), missed, extra; by name first, then by handle.
fn pair<'a>(truth: &'a [Value], given: &[&'a Value]) -> (Vec<(&'a Value, &'a Value)>, Vec<&'a Value>, Vec<&'a Value>) {
    let mut pairs = Vec::new();
    let mut left: Vec<&Value> = given.to_vec();
    let mut rest: Vec<&Value> = truth.iter().collect();
    for by_name in [true, false] {
        for wanted in rest.clone() {
            let found = left.iter().position(|given| {
                if by_name {
                    !names_of(wanted).is_disjoint(&keys("name", given.get("name")))
                } else {
                    handle_of(wanted).is_some() && handle_of(wanted) == handle_of(given)
                }
            });
            if let Some(at) = found {
                pairs.push((wanted, left.remove(at)));
                if let Some(at) = rest.iter().position(|other| std::ptr::eq(*other, wanted)) {
                    rest.remove(at);
                }
            }
        }
    }
    (pairs, rest, left)
}

fn looks_like_logo(link: &str) -> bool {
    let link = link.to_lowercase();
    ["logo", "icon", "sprite"].iter().any(|mark| link.contains(mark))
        || [".svg", ".ico"].iter().any(|ending| {
            link.match_indices(ending).any(|(at, _)| matches!(link[at + ending.len()..].chars().next(), None | Some('?' | '#' | '\n')))
        })
}

#[derive(Default)]
struct Counts {
    kind_n: u64,
    kind_right: u64,
    negatives: u64,
    negatives_entered: u64,
    images_n: u64,
    images_met: u64,
    images_found: u64,
    images_logos: u64,
    bio_n: u64,
    bio_has: u64,
}

struct Scoring {
    tally: BTreeMap<&'static str, Tally>,
    counts: Counts,
    faults: Vec<Fault>,
}

impl Scoring {
    fn note(&mut self, site: &str, field: &str, found: Vec<String>) {
        self.faults.extend(found.into_iter().map(|fault| Fault { site: site.to_owned(), field: field.to_owned(), fault }));
    }

    fn tally(&mut self, field: &'static str) -> &mut Tally {
        self.tally.entry(field).or_default()
    }

    fn members(&mut self, row: &Truth, prediction: &Value) {
        let truth = row.truth("artists").and_then(Value::as_array).cloned().unwrap_or_default();
        let all = prediction.get("artists").and_then(Value::as_array).cloned().unwrap_or_default();
        let mut given: Vec<&Value> = all.iter().filter(|member| !names_of(member).is_empty() || handle_of(member).is_some()).collect();
        if row.kind() == Some("artist") {
            let mut own = keys("name", row.truth("name"));
            own.extend(keys("name", row.accept("name")));
            let handles = keys("instagram", row.truth("instagram"));
            given.retain(|member| {
                keys("name", member.get("name")).is_disjoint(&own) && handle_of(member).is_none_or(|handle| !handles.contains(&handle))
            });
        }
        let (pairs, missed, extra) = pair(&truth, &given);
        let tally = self.tally("members");
        tally.n += truth.len() as u64;
        tally.wanted += truth.len() as f64;
        tally.given += given.len() as f64;
        tally.right += pairs.len() as f64;
        tally.recalled += pairs.len() as f64;
        if truth.is_empty() {
            tally.inventions += extra.len() as u64;
        }
        let name = |member: &Value| texts(member.get("name")).into_iter().next().unwrap_or_else(|| "None".to_owned());
        let mut faults: Vec<String> = missed.iter().map(|member| format!("missed {}", name(member))).collect();
        faults.extend(extra.iter().map(|member| format!("wrong {}", name(member))));
        self.note(row.id(), "members", faults);
        for (wanted, found) in pairs {
            let (left, right) = (handle_of(wanted), handle_of(found));
            let faults = self.tally("members_instagram").add_single(left.as_ref(), right.as_ref(), &BTreeSet::new(), 1.0);
            self.note(row.id(), "members_instagram", faults);
            let sets = [keys("styles", wanted.get("styles")), keys("styles", found.get("styles")), keys("styles", wanted.get("styles_ok"))];
            let faults = self.tally("members_styles").add_set(&sets[0], &sets[1], &BTreeSet::new(), &sets[2]);
            self.note(row.id(), "members_styles", faults);
        }
    }

    fn pictures(&mut self, row: &Truth, prediction: &Value) {
        let images: HashSet<String> = texts(prediction.get("images")).into_iter().filter(|link| !link.is_empty()).collect();
        self.counts.images_found += images.len() as u64;
        self.counts.images_logos += images.iter().filter(|link| looks_like_logo(link)).count() as u64;
        let least = row.truth("images_min").and_then(Value::as_u64).unwrap_or_default();
        if least > 0 {
            self.counts.images_n += 1;
            if images.len() as u64 >= least {
                self.counts.images_met += 1;
            } else {
                self.note(row.id(), "images", vec![format!("{} of {least}", images.len())]);
            }
        }
    }

    fn bio(&mut self, row: &Truth, prediction: &Value) {
        let Some(phrase) = row.truth("bio_has").and_then(Value::as_str).filter(|phrase| !phrase.is_empty()) else {
            return;
        };
        let text = texts(prediction.get("bio")).into_iter().next().unwrap_or_default();
        let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(BIO_MAX).collect();
        self.counts.bio_n += 1;
        if fold(&text).contains(&fold(phrase)) {
            self.counts.bio_has += 1;
        } else {
            self.note(row.id(), "bio", vec!["missed".to_owned()]);
        }
    }

    fn site(&mut self, row: &Truth, prediction: &Value, static_only: bool) {
        let bare = row.js_only() && (static_only || !row.js_bundle());
        let scored = |field: &str| !bare || row.static_fields().iter().any(|known| known == field);
        let id = row.id().to_owned();
        if scored("kind") {
            let given = prediction.get("kind").and_then(Value::as_str);
            let right = given.is_some_and(|given| row.kind_ok().iter().any(|kind| kind == given));
            self.counts.kind_n += 1;
            self.counts.kind_right += u64::from(right);
            if row.kind() == Some("negative") {
                self.counts.negatives += 1;
                self.counts.negatives_entered += u64::from(matches!(given, Some("artist" | "studio")));
            }
            if !right {
                self.note(&id, "kind", vec![format!("wrong {}", given.unwrap_or("None"))]);
            }
        }
        for field in SINGLE.into_iter().filter(|field| scored(field)) {
            let inferred = field == "country" && row.truth("country_basis").and_then(Value::as_str) == Some("inferred");
            let first = |value: Option<&Value>| texts(value).iter().find(|text| !text.trim().is_empty()).map(|text| key(field, text));
            let (truth, given) = (first(row.truth(field)), first(prediction.get(field)));
            let accept = keys(field, row.accept(field));
            let faults = self.tally(field).add_single(truth.as_ref(), given.as_ref(), &accept, if inferred { 0.5 } else { 1.0 });
            self.note(&id, field, faults);
        }
        for field in SETS.into_iter().filter(|field| scored(field)) {
            let (truth, given) = (keys(field, row.truth(field)), keys(field, prediction.get(field)));
            let (accept, also) = (keys(field, row.accept(field)), keys(field, row.truth(&format!("{field}_ok"))));
            let faults = self.tally(field).add_set(&truth, &given, &accept, &also);
            self.note(&id, field, faults);
        }
        if scored("artists") {
            self.members(row, prediction);
        }
        if scored("images_min") {
            self.pictures(row, prediction);
        }
        if scored("bio_has") {
            self.bio(row, prediction);
        }
    }
}

/// Scores predictions (by site id, with the keys that `inkdex extract` prints) against labels.
#[must_use]
pub fn score(rows: &[Truth], predictions: &BTreeMap<String, Value>, static_only: bool) -> Report {
    let mut scoring = Scoring { tally: BTreeMap::new(), counts: Counts::default(), faults: Vec::new() };
    let nothing = Value::Object(serde_json::Map::new());
    for row in rows {
        scoring.site(row, predictions.get(row.id()).unwrap_or(&nothing), static_only);
    }
    let mut take = |field: &'static str, single: bool| scoring.tally.remove(field).unwrap_or_default().scores(single);
    let share = |part: u64, whole: u64| ratio(part as f64, whole as f64);
    let counts = &scoring.counts;
    let mut report = Report {
        sites: rows.len() as u64,
        predicted: rows.iter().filter(|row| predictions.contains_key(row.id())).count() as u64,
        static_only,
        kind: KindScores {
            n: counts.kind_n,
            accuracy: share(counts.kind_right, counts.kind_n),
            negatives: counts.negatives,
            negatives_entered: counts.negatives_entered,
        },
        name: take("name", true),
        studio: take("studio", true),
        city: take("city", true),
        region: take("region", true),
        country: take("country", true),
        instagram: take("instagram", false),
        emails: take("emails", false),
        phones: take("phones", false),
        socials: take("socials", false),
        styles: take("styles", false),
        members: take("members", false),
        members_instagram: take("members_instagram", true),
        members_styles: take("members_styles", false),
        images: ImageScores {
            n: counts.images_n,
            met: share(counts.images_met, counts.images_n),
            found: counts.images_found,
            logos: counts.images_logos,
        },
        bio: ShareScores { n: counts.bio_n, has: share(counts.bio_has, counts.bio_n) },
        inventions: 0,
        macro_score: 0.0,
        faults: scoring.faults,
    };
    report.inventions = report
        .fields()
        .iter()
        .filter(|(name, _)| !matches!(*name, "socials" | "members_styles"))
        .map(|(_, scores)| scores.inventions)
        .sum();
    let accuracy = |scores: &FieldScores| (scores.n, scores.accuracy.unwrap_or_default());
    let f1 = |scores: &FieldScores| (scores.n, scores.f1);
    let parts = [
        (report.kind.n, report.kind.accuracy),
        (report.images.n, report.images.met),
        (report.bio.n, report.bio.has),
        accuracy(&report.name),
        accuracy(&report.city),
        accuracy(&report.country),
        f1(&report.instagram),
        f1(&report.emails),
        f1(&report.phones),
        f1(&report.styles),
        f1(&report.members),
    ];
    let asked: Vec<f64> = parts.iter().filter(|(n, _)| *n > 0).map(|(_, value)| *value).collect();
    report.macro_score = ratio(asked.iter().sum(), asked.len() as f64);
    report
}
