//! Handles, addresses and numbers: whose they are, and which are worth keeping.

use super::super::finding::{Field, PageFindings, PageRole, Place};
use super::super::text::{fold, squash, tokens};
use super::facts::SiteKind;
use super::members::resembles;
use super::resolve::Site;
use std::collections::{HashMap, HashSet};
use url::Url;

/// What the site can be reached by.
#[derive(Debug, Default)]
pub(crate) struct Contacts {
    pub instagram: Vec<String>,
    pub emails: Vec<String>,
    pub phones: Vec<String>,
    pub socials: Vec<String>,
}

struct Candidate {
    value: String,
    weight: f32,
    confidence: f32,
    linked: bool,
    foreign: bool,
    page: Url,
    extractor: String,
}

fn key(field: Field, value: &str) -> String {
    match field {
        Field::Phone => {
            let digits: String = value.chars().filter(char::is_ascii_digit).collect();
            digits[digits.len().saturating_sub(8)..].to_owned()
        }
        Field::Social => fold(value)
            .trim_start_matches("https://")
            .trim_start_matches("http://")
            .trim_start_matches("www.")
            .trim_end_matches('/')
            .to_owned(),
        _ => fold(value),
    }
}

/// Does the text around a handle say that it is somebody else's: the shop's, a guest's, a friend's?
fn is_foreign(context: &str, kind: SiteKind) -> bool {
    let folded = fold(context);
    let words = tokens(&folded);
    let shop = [
        "studio",
        "estudio",
        "shop",
        "salon",
        "resident",
        "residente",
        "residency",
        "guest",
        "invitada",
        "invitado",
        "collective",
        "where i work",
        "trabajo en",
        "work at",
        "working at",
        "arbeite",
        "lavoro",
        "travaille",
        "студия",
        "parlour",
        "parlor",
        "host",
    ];
    let other = [
        "photo",
        "photos",
        "photographer",
        "foto",
        "fotos",
        "model",
        "webdesign",
        "design by",
        "website",
        "friend",
        "partner",
        "sponsor",
        "supplier",
        "apprentice",
        "mentor",
        "collab",
        "collaboration",
        "credit",
        "credits",
    ];
    other.iter().any(|word| words.iter().any(|given| given == word))
        || kind == SiteKind::Artist
            && shop.iter().any(|word| if word.contains(' ') { folded.contains(word) } else { words.iter().any(|given| given == word) })
}

fn gather(site: &Site<'_>, field: Field) -> Vec<Candidate> {
    let mut out: Vec<Candidate> = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    for (at, page) in site.pages.iter().enumerate() {
        let mut seen: HashSet<(String, Place)> = HashSet::new();
        for finding in page.findings.iter().filter(|finding| finding.field == field && finding.place != Place::Credit) {
            let Some(value) = finding.value.text() else {
                continue;
            };
            let key = key(field, value);
            if !seen.insert((key.clone(), finding.place)) {
                continue;
            }
            let factor = place_factor(finding.place) * page_factor(at, page);
            // Inside a person's card, and the person is known: theirs.
            let theirs = finding.card.is_some_and(|card| page.cards.get(card as usize).is_some_and(|card| card.name.is_some()))
                && site.kind == SiteKind::Studio;
            let weight = finding.confidence * factor * if theirs { 0.2 } else { 1.0 };
            // Booking screens print numbers for payments and examples of forms.
            let screen = field == Field::Phone && page.role == PageRole::Booking && finding.extractor == "contact_text";
            let confidence = finding.confidence * if screen { 0.6 } else { 1.0 };
            let alike = site.name.as_deref().is_some_and(|name| resembles(value, name));
            let foreign = field == Field::Instagram && !alike && is_foreign(&finding.context, site.kind);
            let linked = finding.extractor == "contact_links" || finding.extractor == "json_ld";
            match known.get(&key).map(|at| &mut out[*at]) {
                Some(known) => {
                    known.weight += weight;
                    known.confidence = known.confidence.max(confidence);
                    known.linked |= linked;
                    known.foreign &= foreign;
                    if field == Field::Phone
                        && finding.extractor == "contact_text"
                        && !known.value.contains(' ')
                        && value.trim_start_matches('+').len() >= known.value.trim_start_matches('+').len()
                    {
                        known.value = value.to_owned();
                    }
                }
                None => {
                    known.insert(key, out.len());
                    out.push(Candidate {
                        value: value.to_owned(),
                        weight,
                        confidence,
                        linked,
                        foreign,
                        page: page.url.clone(),
                        extractor: finding.extractor.to_string(),
                    });
                }
            }
        }
    }
    out.sort_by(|left, right| right.weight.total_cmp(&left.weight));
    out
}

fn place_factor(place: Place) -> f32 {
    match place {
        Place::JsonLd => 1.4,
        Place::Header | Place::Nav => 1.2,
        Place::Footer => 1.1,
        Place::Quote => 0.1,
        _ => 1.0,
    }
}

fn page_factor(at: usize, page: &PageFindings) -> f32 {
    match page.role {
        PageRole::Contact | PageRole::Imprint => 1.3,
        PageRole::Blog | PageRole::Shop | PageRole::Legal | PageRole::Guests => 0.3,
        _ if at == 0 => 1.2,
        _ => 0.7,
    }
}

/// Weighs all contacts.
pub(crate) fn resolve(site: &mut Site<'_>) -> Contacts {
    let studio = site.kind == SiteKind::Studio;
    let taken: Vec<String> = if studio {
        site.members.iter().filter(|member| !member.is_site).flat_map(|member| member.handles.clone()).collect()
    } else {
        Vec::new()
    };
    let name = site.name.clone().unwrap_or_default();
    let mut out = Contacts::default();

    let mut handles = gather(site, Field::Instagram);
    let emails = gather(site, Field::Email);
    handles.retain(|candidate| !taken.contains(&candidate.value));
    if studio {
        // Handles that only members' pages show are theirs even when the card did not say so.
        let outside = |value: &str| {
            site.pages
                .iter()
                .filter(|page| !site.is_member_page(page))
                .flat_map(|page| &page.findings)
                .any(|finding| finding.field == Field::Instagram && finding.value.text() == Some(value))
        };
        handles.retain(|candidate| outside(&candidate.value));
    }
    if handles.iter().any(|candidate| !candidate.foreign) {
        handles.retain(|candidate| !candidate.foreign);
    }
    if handles.iter().any(|candidate| candidate.linked) {
        handles.retain(|candidate| candidate.linked);
    } else {
        handles.retain(|candidate| {
            candidate.confidence >= 0.6
                || resembles(&candidate.value, &name)
                || emails.iter().any(|email| squash(&email.value).contains(&squash(&candidate.value)))
        });
    }
    let weigh = |candidate: &Candidate| {
        let alike = resembles(&candidate.value, &name)
            || emails.iter().any(|email| email.value.split('@').next().is_some_and(|local| squash(local) == squash(&candidate.value)));
        candidate.weight * if alike { 1.6 } else { 1.0 }
    };
    handles.sort_by(|left, right| weigh(right).total_cmp(&weigh(left)));
    let top = handles.first().map(&weigh).unwrap_or_default();
    for (at, candidate) in handles.iter().enumerate() {
        if at == 0 || (weigh(candidate) >= top * 0.7 && at < 3) {
            site.note("instagram", &candidate.value, &candidate.page, &candidate.extractor, candidate.confidence);
            out.instagram.push(candidate.value.clone());
        }
    }
    let staff: Vec<String> = if studio { site.members.iter().flat_map(|member| member.emails.clone()).collect() } else { Vec::new() };
    let shop_mail = emails.iter().any(|candidate| !staff.contains(&candidate.value) && candidate.confidence >= 0.5);
    for candidate in emails
        .iter()
        .filter(|candidate| candidate.confidence >= 0.5)
        .filter(|candidate| !shop_mail || !staff.contains(&candidate.value))
        .take(4)
    {
        site.note("emails", &candidate.value, &candidate.page, &candidate.extractor, candidate.confidence);
        out.emails.push(candidate.value.clone());
    }
    for candidate in gather(site, Field::Phone).iter().filter(|candidate| candidate.confidence >= 0.55).take(12) {
        site.note("phones", &candidate.value, &candidate.page, &candidate.extractor, candidate.confidence);
        out.phones.push(candidate.value.clone());
    }
    let theirs: Vec<String> = if studio { site.members.iter().flat_map(|member| member.socials.clone()).collect() } else { Vec::new() };
    for candidate in
        gather(site, Field::Social).iter().filter(|candidate| candidate.confidence >= 0.5 && !theirs.contains(&candidate.value)).take(10)
    {
        site.note("socials", &candidate.value, &candidate.page, &candidate.extractor, candidate.confidence);
        out.socials.push(candidate.value.clone());
    }
    out
}
