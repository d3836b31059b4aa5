//! Where the artist or the studio is: all addresses weighed, the country inferred only when nothing prints it.

use super::super::finding::{Basis, Field, PageRole, Place, PostalAddress, Value};
use super::super::places;
use super::super::text::fold;
use super::facts::Located;
use super::resolve::Site;
use std::collections::{BTreeMap, HashSet};
use url::Url;

/// More addresses than any site of a studio prints; a list beyond it is a directory.
const MAX_ADDRESSES: usize = 1_000;

/// Weighs all addresses.
pub(crate) fn resolve(site: &mut Site<'_>, phones: &[String], emails: &[String]) -> Located {
    let mut found: Vec<(PostalAddress, f32, Url, String)> = Vec::new();
    for (at, page) in site.pages.iter().enumerate() {
        let factor = match page.role {
            PageRole::Contact | PageRole::Imprint => 1.3,
            PageRole::Blog | PageRole::Shop | PageRole::Legal | PageRole::Guests => 0.3,
            _ if at == 0 => 1.1,
            _ => 0.8,
        };
        let mut seen: HashSet<&PostalAddress> = HashSet::new();
        for finding in page.findings.iter().filter(|finding| finding.field == Field::Address && finding.place != Place::Credit) {
            let Value::Address(address) = &finding.value else {
                continue;
            };
            if !seen.insert(address) || found.len() >= MAX_ADDRESSES {
                continue;
            }
            found.push(((**address).clone(), finding.confidence * factor, page.url.clone(), finding.extractor.to_string()));
        }
    }
    let mut cities: BTreeMap<String, f32> = BTreeMap::new();
    for (address, weight, ..) in &found {
        if let Some(city) = &address.city {
            let extra = if address.postcode.is_some() { 0.4 } else { 0.0 };
            *cities.entry(fold(city)).or_default() += weight * (1.0 + extra);
        }
    }
    let best =
        cities.iter().max_by(|left, right| left.1.total_cmp(right.1)).filter(|(_, weight)| **weight >= 0.3).map(|(city, _)| city.clone());
    let mut out = Located::default();
    let fits: Vec<_> = found
        .iter()
        .filter(|(address, ..)| match (&best, &address.city) {
            (Some(best), Some(city)) => fold(city) == *best,
            (None, None) => true,
            _ => false,
        })
        .collect();
    if let Some((address, weight, page, extractor)) = fits.iter().max_by(|left, right| left.1.total_cmp(&right.1)).copied() {
        out.city.clone_from(&address.city);
        if let Some(city) = &out.city {
            site.note("city", city, page, extractor, weight.min(0.99));
        }
    }
    let pick = |read: &dyn Fn(&PostalAddress) -> Option<String>| {
        let mut votes: Vec<(String, f32, Url, String)> = Vec::new();
        for (address, weight, page, extractor) in &fits {
            if let Some(value) = read(address) {
                match votes.iter_mut().find(|(known, ..)| fold(known) == fold(&value)) {
                    Some((_, sum, ..)) => *sum += weight,
                    None => votes.push((value, *weight, page.clone(), extractor.clone())),
                }
            }
        }
        votes.into_iter().max_by(|left, right| left.1.total_cmp(&right.1))
    };
    let region = pick(&|address| address.region.clone());
    let street = pick(&|address| address.street.clone());
    let postcode = pick(&|address| address.postcode.clone());
    let printed = pick(&|address| address.country.clone().filter(|_| !address.country_inferred));
    let implied = pick(&|address| address.country.clone());
    if let Some((value, weight, page, extractor)) = region {
        site.note("region", &value, &page, &extractor, weight.min(0.99));
        out.region = Some(value);
    }
    out.street = street.map(|(value, ..)| value);
    out.postcode = postcode.map(|(value, ..)| value);
    let anywhere = found
        .iter()
        .filter(|(address, ..)| address.city.is_none() && address.country.is_some())
        .map(|(address, weight, page, extractor)| (address.country.clone().unwrap_or_default(), *weight, page.clone(), extractor.clone()))
        .next();
    if let Some((value, weight, page, extractor)) = printed {
        site.note("country", &value, &page, &extractor, weight.min(0.99));
        (out.country, out.basis) = (Some(value), Some(Basis::Printed));
    } else if let Some((value, weight, page, extractor)) = implied.or(anywhere) {
        site.note("country", &value, &page, &extractor, (weight * 0.8).min(0.9));
        (out.country, out.basis) = (Some(value), Some(Basis::Inferred));
    } else if let Some(country) = inferred(site, phones, emails, &out) {
        let page = site.entry.clone();
        site.note("country", country, &page, "place", 0.5);
        (out.country, out.basis) = (Some(country.to_owned()), Some(Basis::Inferred));
    }
    out
}

/// From what is printed beside an address: dialling codes, national mail domains, a known city.
fn inferred(site: &Site<'_>, phones: &[String], emails: &[String], out: &Located) -> Option<&'static str> {
    let city = out.city.as_deref().and_then(places::country_of_city);
    let dialled = phones.iter().find_map(|phone| places::country_by_dialling(phone));
    let mail = emails.iter().filter_map(|email| email.split_once('@')).find_map(|(_, host)| places::country_by_domain(host));
    let _ = site;
    city.or(dialled).or(mail)
}
