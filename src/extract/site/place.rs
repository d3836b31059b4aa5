//! Where the artist or the studio is: all addresses weighed, the country inferred only when nothing prints it, and what the
//! gazetteer knows of the city added.

mod weighed;

use super::super::finding::{Basis, Field, PostalAddress, Value};
use super::super::places;
use super::facts::{Implied, Located};
use super::resolve::Site;
use crate::domain::artist::BY_CITY;
use crate::domain::gazetteer::{self, Evidence, Found};
use crate::domain::place::Coordinates;
use url::Url;
use weighed::{Weighed, addresses};

/// How many times likelier a country is for a national mail domain or host, a language, a form of phone numbers.
const BY_NAME: f64 = 50.0;
const BY_LANGUAGE: f64 = 8.0;
const BY_NUMBERS: f64 = 4.0;
/// How far a map may point from the city that the page prints before one of the two is not believed, in kilometres.
const FAR_KM: f64 = 60.0;

/// Weighs all addresses.
pub(crate) fn resolve(site: &mut Site<'_>, phones: &[String], emails: &[String]) -> Located {
    let mut out = printed(site);
    let points = points(site);
    let hints = hints(site, phones, emails);
    let hinted: Vec<(&str, f64)> = hints.iter().map(|(code, times)| (*code, *times)).collect();
    if out.city.is_none() {
        by_map(site, &points, &mut out);
    }
    let regions = out.region.as_deref().map(|region| places::region_names(out.country.as_deref(), region)).unwrap_or_default();
    let found = out.city.as_deref().map_or(Found::Unknown, |city| {
        let name = places::name_in_gazetteer(city);
        let told = |point| Evidence { country: out.country.as_deref(), regions: &regions, point, hints: &hinted };
        let nearby =
            points.iter().map(|(point, ..)| gazetteer::get().locate(&name, &told(Some(*point)))).find(|found| found.city().is_some());
        nearby.unwrap_or_else(|| gazetteer::get().locate(&name, &told(None)))
    });
    if out.country.is_none()
        && let Some(country) = inferred(found, &hints)
    {
        let page = site.entry.clone();
        site.note("country", country, &page, "place", 0.5);
        (out.country, out.basis) = (Some(country.to_owned()), Some(Basis::Inferred));
    }
    // Again, as the country is known now.
    let found = match (found, &out.country) {
        (Found::City(city), Some(country)) if city.country == country => found,
        (_, Some(country)) => out.city.as_deref().map_or(Found::Unknown, |city| {
            let told = Evidence { country: Some(country), regions: &regions, point: None, hints: &[] };
            gazetteer::get().locate(&places::name_in_gazetteer(city), &told)
        }),
        _ => Found::Unknown,
    };
    imply(site, found, &points, &mut out);
    out
}

/// What addresses print, and what follows from their form.
fn printed(site: &mut Site<'_>) -> Located {
    let found = addresses(site);
    let fits = found.of_best_city();
    let mut out = Located::default();
    if let Some(Weighed { address, weight, page, extractor }) = fits.iter().max_by(|left, right| left.weight.total_cmp(&right.weight)) {
        out.city.clone_from(&address.city);
        if let Some(city) = &out.city {
            site.note("city", city, page, extractor, weight.min(0.99));
        }
    }
    let pick = |read: &dyn Fn(&PostalAddress) -> Option<String>| weighed::pick(&fits, read);
    let region = pick(&|address| address.region.clone());
    let printed = pick(&|address| address.country.clone().filter(|_| !address.country_inferred));
    let implied = pick(&|address| address.country.clone());
    out.street = pick(&|address| address.street.clone()).map(|vote| vote.value);
    out.postcode = pick(&|address| address.postcode.clone()).map(|vote| vote.value);
    if let Some(vote) = region {
        site.note("region", &vote.value, &vote.page, &vote.extractor, vote.weight.min(0.99));
        out.region = Some(vote.value);
    }
    if let Some(vote) = printed {
        site.note("country", &vote.value, &vote.page, &vote.extractor, vote.weight.min(0.99));
        (out.country, out.basis) = (Some(vote.value), Some(Basis::Printed));
    } else if let Some(vote) = implied.or_else(|| found.country_alone()) {
        site.note("country", &vote.value, &vote.page, &vote.extractor, (vote.weight * 0.8).min(0.9));
        (out.country, out.basis) = (Some(vote.value), Some(Basis::Inferred));
    }
    out
}

/// Points that pages give, the surest first.
fn points(site: &Site<'_>) -> Vec<(Coordinates, Url, String, f32)> {
    let mut all: Vec<(Coordinates, Url, String, f32)> = Vec::new();
    for page in site.pages {
        for finding in page.findings.iter().filter(|finding| finding.field == Field::Point).take(20) {
            if let Value::Point(point) = finding.value
                && !all.iter().any(|(known, ..)| *known == point)
            {
                all.push((point, page.url.clone(), finding.extractor.to_string(), finding.confidence));
            }
        }
    }
    all.sort_by(|left, right| right.3.total_cmp(&left.3));
    all.truncate(10);
    all
}

/// Where nothing prints a place, all points of maps lie in one city.
fn by_map(site: &mut Site<'_>, points: &[(Coordinates, Url, String, f32)], out: &mut Located) {
    let Some((point, page, extractor, confidence)) = points.first() else { return };
    if points.iter().any(|(other, ..)| other.distance_km(*point) > FAR_KM) {
        return;
    }
    let Some(city) = gazetteer::get().at(*point) else { return };
    if out.country.as_ref().is_some_and(|country| country != city.country) {
        return;
    }
    site.note("city", city.name, page, extractor, confidence * 0.8);
    (out.city, out.implied.city) = (Some(city.name.to_owned()), true);
    if out.country.is_none() {
        site.note("country", city.country, page, extractor, confidence * 0.8);
        (out.country, out.basis) = (Some(city.country.to_owned()), Some(Basis::Inferred));
    }
}

/// Countries that something beside the address hints at.
fn hints(site: &Site<'_>, phones: &[String], emails: &[String]) -> Vec<(&'static str, f64)> {
    let mut hints: Vec<(&'static str, f64)> = Vec::new();
    hints.extend(phones.iter().find_map(|phone| places::country_by_dialling(phone)).map(|code| (code, BY_NAME)));
    let mail = emails.iter().filter_map(|email| email.split_once('@')).find_map(|(_, host)| places::country_by_domain(host));
    hints.extend(mail.map(|code| (code, BY_NAME)));
    hints.extend(site.entry.host_str().and_then(places::country_by_domain).map(|code| (code, BY_NAME)));
    if let Some(tag) = site.pages.first().and_then(|page| page.lang.as_deref()) {
        let mut parts = tag.split(['-', '_']);
        let language = parts.next().unwrap_or_default().to_lowercase();
        // A country in the tag comes with the theme more often than from somebody's hand.
        let primary = |country: &&gazetteer::Country| country.languages.first() == Some(&language);
        hints.extend(gazetteer::get().countries().iter().filter(primary).map(|country| (country.code.as_str(), BY_LANGUAGE)));
    }
    hints.extend(phones.iter().find_map(|phone| places::countries_by_form(phone)).into_iter().flatten().map(|code| (*code, BY_NUMBERS)));
    hints
}

/// From what is printed beside an address: a known city, dialling codes, national domains of mail and host.
fn inferred(found: Found<'static>, hints: &[(&'static str, f64)]) -> Option<&'static str> {
    found.country().or_else(|| hints.iter().find(|(_, times)| *times == BY_NAME).map(|(code, _)| *code))
}

/// Adds what the gazetteer knows: the region where none is printed, and where it is.
fn imply(site: &mut Site<'_>, found: Found<'_>, points: &[(Coordinates, Url, String, f32)], out: &mut Located) {
    let city = found.city();
    let near = |point: &Coordinates| city.is_none_or(|city| city.at.distance_km(*point) <= FAR_KM);
    // Without a known city beside it, a point is believed only if it is the only one.
    let told = points.iter().find(|(point, ..)| near(point)).filter(|_| city.is_some() || points.len() == 1);
    let mut implied = Implied { city: out.implied.city, ..Implied::default() };
    if let Some((point, page, extractor, confidence)) = told {
        site.note("coordinates", &format!("{}, {}", point.lat, point.lon), page, extractor, *confidence);
        (implied.coordinates, implied.basis) = (Some(*point), Some(Basis::Printed));
    } else if let Some(city) = city {
        let page = site.evidence.get("city").and_then(|rows| rows.first()).map_or_else(|| site.entry.clone(), |row| row.page.clone());
        site.note("coordinates", &format!("{}, {}", city.at.lat, city.at.lon), &page, BY_CITY, 0.6);
        (implied.coordinates, implied.basis) = (Some(city.at), Some(Basis::Inferred));
    }
    if out.region.is_none() {
        implied.region = city.and_then(|city| gazetteer::get().region(city.country, city.region_code)).map(str::to_owned);
    }
    out.implied = implied;
}

#[cfg(test)]
mod tests;
