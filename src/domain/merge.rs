//! What several sources name, as studios: findings of one studio become one, with why. The order in which sources are asked
//! changes nothing.

use crate::domain::ids::StudioId;
use crate::domain::place::{Coordinates, Place};
use crate::domain::same_studio::{Sameness, contradict, own_domain, phone_key, same_studio, site_key, telling_words};
use crate::domain::studio::{FoundStudio, NamedBy, Terms};
use std::collections::{BTreeMap, BTreeSet};
use url::Url;

/// What more findings than this share, a site or a telephone, is nobody's.
const SHARED_MAX: usize = 100;

/// Height and width of the squares in which equal names are looked for, degrees: wider than the distance within which an equal
/// name counts, also where degrees of longitude are short.
const SQUARE_DEGREES: (f64, f64) = (0.01, 0.05);

/// Findings of one studio.
#[derive(Debug, Clone, PartialEq)]
pub struct Merged {
    /// What may be kept of them; the name is empty if only Google knows one.
    pub found: FoundStudio,
    /// What only Google knows, and what may be used for a while.
    pub lent: Option<LentContent>,
    /// Who named it, and why they mean one studio.
    pub named_by: Vec<NamedBy>,
    /// Every id that one of the findings has by itself; the studio's is the first, unless another is known already.
    pub ids: Vec<StudioId>,
}

/// What a source's terms do not let us keep.
#[derive(Debug, Clone, PartialEq)]
pub struct LentContent {
    /// The studio's name.
    pub name: Option<String>,
    /// Its site.
    pub website: Option<Url>,
    /// Where it is.
    pub coordinates: Option<Coordinates>,
}

/// Makes studios of findings.
pub fn merge(found: Vec<FoundStudio>) -> Vec<Merged> {
    let found = in_order(found);
    let mut links: Vec<(u8, usize, usize, String)> = Vec::new();
    for (one, other) in candidates(&found) {
        if let Some(Sameness { score, reason }) = same_studio(&found[one], &found[other]) {
            links.push((score, one, other, reason));
        }
    }
    // The surest first: what contradicts it later is left out.
    links.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| (a.1, a.2).cmp(&(b.1, b.2))));
    let mut groups: Vec<Group> = (0..found.len()).map(Group::of).collect();
    let mut group_of: Vec<usize> = (0..found.len()).collect();
    for (score, one, other, reason) in links {
        let (into, from) = (group_of[one].min(group_of[other]), group_of[one].max(group_of[other]));
        let against = |a: &usize| groups[from].members.iter().any(|b| contradict(&found[*a], &found[*b]));
        if into == from || groups[into].members.iter().any(against) {
            continue;
        }
        let moved = std::mem::take(&mut groups[from]);
        for member in &moved.members {
            group_of[*member] = into;
        }
        groups[into].members.extend(moved.members);
        groups[into].links.extend(moved.links);
        groups[into].links.push((one, other, Sameness { score, reason }));
    }
    groups.into_iter().filter(|group| !group.members.is_empty()).map(|group| group.studio(&found)).collect()
}

/// Findings in an order of their own, each once.
fn in_order(found: Vec<FoundStudio>) -> Vec<FoundStudio> {
    let key = |studio: &FoundStudio| (studio.terms, serde_json::to_string(studio).unwrap_or_default());
    let mut keyed: Vec<((Terms, String), FoundStudio)> = found.into_iter().map(|studio| (key(&studio), studio)).collect();
    keyed.sort_by(|(a, _), (b, _)| a.cmp(b));
    keyed.dedup_by(|(a, _), (b, _)| a == b);
    keyed.into_iter().map(|(_, studio)| studio).collect()
}

/// Pairs that have something in common by which they may be one: comparing all with all takes too long for a country.
fn candidates(found: &[FoundStudio]) -> BTreeSet<(usize, usize)> {
    let mut shared: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let mut same_ids: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (n, studio) in found.iter().enumerate() {
        if let Some(id) = &studio.place_id {
            same_ids.entry(id).or_default().push(n);
        }
        let mut keys: BTreeSet<String> = BTreeSet::new();
        if let Some(site) = &studio.website {
            keys.extend(site_key(site).map(|site| format!("site {site}")));
            keys.extend(own_domain(site).map(|domain| format!("domain {domain}")));
        }
        keys.extend(studio.phone.as_deref().and_then(phone_key).map(|phone| format!("phone {phone}")));
        if let Some(at) = studio.place.coordinates {
            for (lat, lon) in squares_around(at) {
                keys.extend(telling_words(&studio.name).into_iter().map(|word| format!("name {word} {lat} {lon}")));
            }
        }
        for key in keys {
            shared.entry(key).or_default().push(n);
        }
    }
    let mut pairs = BTreeSet::new();
    for group in same_ids.values() {
        pairs.extend(group.windows(2).map(|pair| (pair[0], pair[1])));
    }
    for group in shared.values().filter(|group| group.len() <= SHARED_MAX) {
        for (at, one) in group.iter().enumerate() {
            pairs.extend(group[at + 1..].iter().map(|other| (*one, *other)));
        }
    }
    pairs
}

/// The square of a point and its neighbours to the north and east: two points in neighbouring squares share one of them.
fn squares_around(at: Coordinates) -> impl Iterator<Item = (i32, i32)> {
    let square = ((at.lat / SQUARE_DEGREES.0).floor() as i32, (at.lon / SQUARE_DEGREES.1).floor() as i32);
    [(0, 0), (0, 1), (1, 0), (1, 1)].into_iter().map(move |(north, east)| (square.0 + north, square.1 + east))
}

/// Findings that are one studio, by their numbers.
#[derive(Debug, Default)]
struct Group {
    members: Vec<usize>,
    links: Vec<(usize, usize, Sameness)>,
}

impl Group {
    fn of(member: usize) -> Self {
        Self { members: vec![member], links: Vec::new() }
    }

    fn studio(mut self, found: &[FoundStudio]) -> Merged {
        self.members.sort_unstable();
        let members: Vec<&FoundStudio> = self.members.iter().map(|n| &found[*n]).collect();
        let (kept, google): (Vec<&FoundStudio>, Vec<&FoundStudio>) = members.iter().partition(|studio| studio.terms != Terms::Google);
        let first = |from: &[&FoundStudio], of: &dyn Fn(&FoundStudio) -> Option<String>| from.iter().find_map(|studio| of(studio));
        let site = |from: &[&FoundStudio]| from.iter().find_map(|studio| studio.website.clone());
        let point = |from: &[&FoundStudio]| from.iter().find_map(|studio| studio.place.coordinates);
        let name = |studio: &FoundStudio| (!studio.name.is_empty()).then(|| studio.name.clone());
        let found_of = FoundStudio {
            name: first(&kept, &name).unwrap_or_default(),
            website: site(&kept),
            place: Place {
                country: first(&kept, &|studio| studio.place.country.clone()),
                region: first(&kept, &|studio| studio.place.region.clone()),
                city: first(&kept, &|studio| studio.place.city.clone()),
                coordinates: point(&kept),
            },
            place_text: first(&kept, &|studio| studio.place_text.clone()),
            place_id: first(&google, &|studio| studio.place_id.clone()).or_else(|| first(&kept, &|studio| studio.place_id.clone())),
            phone: None,
            source: members[0].source.clone(),
            terms: members[0].terms,
        };
        let lent = LentContent {
            name: first(&google, &name).filter(|_| found_of.name.is_empty()),
            website: site(&google).filter(|_| found_of.website.is_none()),
            coordinates: point(&google).filter(|_| found_of.place.coordinates.is_none()),
        };
        let lends = lent.name.is_some() || lent.website.is_some() || lent.coordinates.is_some();
        Merged { lent: lends.then_some(lent), named_by: self.named_by(found), ids: ids(&members), found: found_of }
    }

    /// Each source with the link that leads to it from the first finding.
    fn named_by(&self, found: &[FoundStudio]) -> Vec<NamedBy> {
        let mut reached: BTreeMap<usize, Option<&Sameness>> = [(self.members[0], None)].into();
        while reached.len() < self.members.len() {
            let before = reached.len();
            for (one, other, link) in &self.links {
                let next = match (reached.contains_key(one), reached.contains_key(other)) {
                    (true, false) => *other,
                    (false, true) => *one,
                    _ => continue,
                };
                reached.insert(next, Some(link));
            }
            if reached.len() == before {
                break;
            }
        }
        let mut named: BTreeMap<(String, Option<String>), NamedBy> = BTreeMap::new();
        for (member, link) in reached {
            let studio = &found[member];
            let by = NamedBy {
                source: studio.source.clone(),
                place_id: studio.place_id.clone(),
                terms: studio.terms,
                score: link.map_or(100, |link| link.score),
                reason: link.map(|link| link.reason.clone()),
            };
            named.entry((by.source.clone(), by.place_id.clone())).or_insert(by);
        }
        named.into_values().collect()
    }
}

/// The ids of findings, the most lasting first: of a place at Google, of another place, of a site or a name.
fn ids(members: &[&FoundStudio]) -> Vec<StudioId> {
    let rank = |studio: &FoundStudio| match (&studio.place_id, studio.terms) {
        (Some(_), Terms::Google) => 0,
        (Some(_), Terms::Own) => 1,
        (Some(_), Terms::Odbl) => 2,
        (None, _) if studio.website.is_some() => 3,
        (None, _) => 4,
    };
    let mut ranked: Vec<(u8, StudioId)> = members.iter().map(|studio| (rank(studio), studio.id())).collect();
    ranked.sort();
    let mut ids: Vec<StudioId> = Vec::new();
    for (_, id) in ranked {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    ids
}

#[cfg(test)]
mod tests;
