//! Addresses of all pages with their weights, and votes among them.

use super::super::super::finding::{Field, PageRole, Place, PostalAddress, Value};
use super::super::super::text::fold;
use super::super::resolve::Site;
use std::collections::{BTreeMap, HashMap};
use url::Url;

/// More addresses than any site of a studio prints; a list beyond it is a directory.
const MAX_ADDRESSES: usize = 1_000;

/// An address, and how much it counts.
pub(super) struct Weighed {
    pub address: PostalAddress,
    pub weight: f32,
    pub page: Url,
    pub extractor: String,
}

/// A value with the weight of all who give it; page and extractor are the first's.
pub(super) struct Vote {
    pub value: String,
    pub weight: f32,
    pub page: Url,
    pub extractor: String,
}

/// All addresses of a site.
pub(super) struct Addresses(Vec<Weighed>);

/// Gathers the addresses of all pages.
pub(super) fn addresses(site: &Site<'_>) -> Addresses {
    let mut found: Vec<Weighed> = Vec::new();
    for (at, page) in site.pages.iter().enumerate() {
        let factor = match page.role {
            PageRole::Contact | PageRole::Imprint => 1.3,
            PageRole::Blog | PageRole::Shop | PageRole::Legal | PageRole::Guests => 0.3,
            _ if at == 0 => 1.1,
            _ => 0.8,
        };
        // Said twice on a page it counts once, by where it stands best.
        let mut seen: HashMap<&PostalAddress, usize> = HashMap::new();
        for finding in page.findings.iter().filter(|finding| finding.field == Field::Address && finding.place != Place::Credit) {
            let Value::Address(address) = &finding.value else { continue };
            let weight = finding.confidence * factor;
            if let Some(known) = seen.get(&**address) {
                let known: &mut Weighed = &mut found[*known];
                known.weight = known.weight.max(weight);
                continue;
            }
            if found.len() >= MAX_ADDRESSES {
                continue;
            }
            seen.insert(address, found.len());
            found.push(Weighed { address: (**address).clone(), weight, page: page.url.clone(), extractor: finding.extractor.to_string() });
        }
    }
    Addresses(found)
}

impl Addresses {
    /// Those that name the city which counts most; if none does, those that name no city.
    pub fn of_best_city(&self) -> Vec<&Weighed> {
        let mut cities: BTreeMap<String, f32> = BTreeMap::new();
        for Weighed { address, weight, .. } in &self.0 {
            if let Some(city) = &address.city {
                let extra = if address.postcode.is_some() { 0.4 } else { 0.0 };
                *cities.entry(fold(city)).or_default() += weight * (1.0 + extra);
            }
        }
        let best = cities.iter().max_by(|left, right| left.1.total_cmp(right.1)).filter(|(_, weight)| **weight >= 0.3);
        let best = best.map(|(city, _)| city.as_str());
        let fits = |found: &&Weighed| match (best, &found.address.city) {
            (Some(best), Some(city)) => fold(city) == best,
            (None, None) => true,
            _ => false,
        };
        self.0.iter().filter(fits).collect()
    }

    /// The country of the first address that names nothing smaller.
    pub fn country_alone(&self) -> Option<Vote> {
        let found = self.0.iter().find(|found| found.address.city.is_none() && found.address.country.is_some())?;
        let Weighed { address, weight, page, extractor } = found;
        Some(Vote { value: address.country.clone()?, weight: *weight, page: page.clone(), extractor: extractor.clone() })
    }
}

/// The value that counts most among addresses.
pub(super) fn pick(fits: &[&Weighed], read: &dyn Fn(&PostalAddress) -> Option<String>) -> Option<Vote> {
    let mut votes: Vec<Vote> = Vec::new();
    for Weighed { address, weight, page, extractor } in fits {
        let Some(value) = read(address) else { continue };
        match votes.iter_mut().find(|vote| fold(&vote.value) == fold(&value)) {
            Some(vote) => vote.weight += weight,
            None => votes.push(Vote { value, weight: *weight, page: page.clone(), extractor: extractor.clone() }),
        }
    }
    votes.into_iter().max_by(|left, right| left.weight.total_cmp(&right.weight))
}
