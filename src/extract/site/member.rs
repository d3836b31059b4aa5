//! Facts about one member of a studio from the pages of the studio's site; never the studio's own contacts.

use super::super::finding::{Basis, PageFindings};
use super::super::styles::Styles;
use super::facts::{ArtistFacts, Evidence, Located, SiteKind};
use super::members::{Draft, same_name};
use super::reader::page_key;
use super::resolve;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use url::Url;

/// What is known of a member before their pages are read.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct MemberHint {
    /// As the studio presents them.
    pub name: Option<String>,
    /// In normal form.
    pub instagram: Option<String>,
    /// Their page on the studio's site.
    pub page: Option<Url>,
}

impl MemberHint {
    fn fits(&self, draft: &Draft) -> bool {
        let named = matches!((&self.name, &draft.name), (Some(left), Some(right)) if same_name(left, right));
        let handled = self.instagram.as_ref().is_some_and(|handle| draft.handles.contains(handle));
        let paged = matches!((&self.page, &draft.page), (Some(left), Some(right)) if page_key(left) == page_key(right));
        named || handled || paged
    }
}

/// Facts about the member that the hint means; empty but for the hint when the pages do not name them.
#[must_use]
pub fn member_facts(pages: &[PageFindings], hint: &MemberHint, vocabulary: &Styles) -> ArtistFacts {
    let mut out =
        ArtistFacts { name: hint.name.clone(), instagram: hint.instagram.clone(), page: hint.page.clone(), ..ArtistFacts::default() };
    let Some(first) = pages.first() else {
        return out;
    };
    let (facts, members) = resolve::studio(&first.url, pages, vocabulary);
    if facts.kind != SiteKind::Negative {
        out.studio.clone_from(&facts.studio);
        out.place = Located {
            city: facts.city.clone(),
            region: facts.region.clone(),
            country: facts.country.clone(),
            street: facts.street.clone(),
            postcode: facts.postcode.clone(),
            basis: None,
            implied: facts.implied.clone(),
        };
        if out.place.city.is_some() || out.place.country.is_some() {
            out.place.basis = Some(Basis::Studio);
        }
    }
    let Some(draft) = members.iter().find(|draft| hint.fits(draft)) else {
        return out;
    };
    out.name = draft.name.clone().or(out.name);
    out.instagram = draft
        .handles
        .first()
        .cloned()
        .or(out.instagram)
        .filter(|handle| !facts.instagram.contains(handle) || draft.handles.contains(handle));
    out.emails = draft.emails.iter().filter(|email| !facts.emails.contains(email)).cloned().collect();
    out.phones = draft.phones.clone();
    out.socials = draft.socials.iter().filter(|social| !facts.socials.contains(social)).cloned().collect();
    out.styles.clone_from(&draft.styles);
    out.images.clone_from(&draft.images);
    out.bio = draft.bio.clone().filter(|bio| facts.bio.as_ref() != Some(bio));
    out.page = draft.page.clone().or(out.page).or_else(|| draft.seen_on.clone());
    out.own_site.clone_from(&draft.own_site);
    let page = out.page.clone().unwrap_or_else(|| first.url.clone());
    let mut evidence: BTreeMap<String, Vec<Evidence>> = BTreeMap::new();
    let mut note = |field: &str, values: &[String]| {
        for value in values {
            evidence.entry(field.to_owned()).or_default().push(Evidence {
                value: value.clone(),
                page: page.clone(),
                extractor: "members".to_owned(),
                confidence: 0.8,
            });
        }
    };
    note("name", out.name.as_slice());
    note("instagram", out.instagram.as_slice());
    note("styles", &out.styles);
    note("emails", &out.emails);
    note("phones", &out.phones);
    for (field, list) in &facts.evidence {
        if matches!(field.as_str(), "city" | "region" | "country" | "coordinates") {
            evidence.insert(field.clone(), list.clone());
        }
    }
    if let Some(studio) = facts.evidence.get("name").filter(|_| out.studio.is_some()) {
        evidence.insert("studio".to_owned(), studio.clone());
    }
    out.evidence = evidence;
    out
}
