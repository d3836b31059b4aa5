//! JSON-LD: businesses, persons and web sites, flattened without recursion and capped.

use super::super::finding::{Card, Field, Place, PostalAddress};
use super::super::lexicon;
use super::super::places;
use super::super::text::{clean, fold, tokens};
use super::cards::name_in;
use super::handles::{Profile, normal_handle, profile_of};
use super::{At, PageView, Sink};
use serde_json::{Map, Value};
use std::borrow::Cow;
use url::Url;

/// Objects looked at on one page; a graph of thousands of persons is a data dump, not a page.
const MAX_OBJECTS: usize = 600;
/// More than a studio has, so that a longer list is seen to be one and nobody of it is believed.
const MAX_PEOPLE: usize = 100;

/// Where the people of a shop stand; others are named for other reasons, as the authors of posts are.
const STAFF: &[&str] = &["founder", "founders", "employee", "employees", "member", "members", "itemListElement", "item"];

pub(super) fn read(view: &PageView<'_>, sink: &mut Sink<'_>) {
    let mut budget = MAX_OBJECTS;
    for text in &view.outline.json_ld {
        let Some(value) = parse(text) else { continue };
        let mut stack = vec![(value, false)];
        while let Some((value, staff)) = stack.pop() {
            match value {
                Value::Array(list) => stack.extend(list.into_iter().take(budget).rev().map(|value| (value, staff))),
                Value::Object(object) => {
                    if budget == 0 {
                        return;
                    }
                    budget -= 1;
                    entity(&object, staff, view, sink);
                    for key in [
                        "@graph",
                        "mainEntity",
                        "about",
                        "publisher",
                        "founder",
                        "founders",
                        "employee",
                        "employees",
                        "member",
                        "members",
                        "itemListElement",
                        "item",
                        "author",
                        "department",
                    ] {
                        if let Some(inner) = object.get(key)
                            && (inner.is_object() || inner.is_array())
                        {
                            stack.push((inner.clone(), STAFF.contains(&key)));
                        }
                    }
                }
                _ => {}
            }
        }
    }
}

fn parse(text: &str) -> Option<Value> {
    let text =
        text.trim().trim_start_matches("<!--").trim_end_matches("-->").trim_start_matches("//<![CDATA[").trim_end_matches("//]]>").trim();
    serde_json::from_str(text).ok().or_else(|| {
        // Hand-written blocks break most often by raw line ends inside strings and by commas before a closing bracket.
        let flat: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
        let mut out = String::with_capacity(flat.len());
        let mut rest = flat.as_str();
        while let Some(at) = rest.find(',') {
            out.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            if !rest.trim_start().starts_with(['}', ']']) {
                out.push(',');
            }
        }
        out.push_str(rest);
        serde_json::from_str(&out).ok()
    })
}

fn strings(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(text)) => vec![clean(text, 2_000)],
        Some(Value::Number(number)) => vec![number.to_string()],
        Some(Value::Array(list)) => list
            .iter()
            .take(60)
            .flat_map(|item| match item {
                Value::String(text) => Some(clean(text, 2_000)),
                Value::Object(object) => {
                    object.get("name").or_else(|| object.get("url")).and_then(Value::as_str).map(|text| clean(text, 2_000))
                }
                _ => None,
            })
            .collect(),
        Some(Value::Object(object)) => {
            object.get("name").or_else(|| object.get("url")).and_then(Value::as_str).map(|text| clean(text, 2_000)).into_iter().collect()
        }
        _ => Vec::new(),
    }
    .into_iter()
    .filter(|text| !text.is_empty())
    .collect()
}

fn string(object: &Map<String, Value>, key: &str) -> Option<String> {
    strings(object.get(key)).into_iter().next()
}

fn types(object: &Map<String, Value>) -> Vec<String> {
    strings(object.get("@type")).iter().map(|kind| fold(kind.rsplit(['/', ':']).next().unwrap_or(kind))).collect()
}

const BUSINESS: &[&str] = &[
    "tattooparlor",
    "tattooshop",
    "tattoostudio",
    "localbusiness",
    "organization",
    "healthandbeautybusiness",
    "beautysalon",
    "store",
    "professionalservice",
    "artgallery",
    "dayspa",
    "service",
    "brand",
    "corporation",
    "performinggroup",
    "onlinebusiness",
    "onlinestore",
    "medicalbusiness",
    "medicalclinic",
    "hairsalon",
    "nailsalon",
    "place",
];

fn entity(object: &Map<String, Value>, staff: bool, view: &PageView<'_>, sink: &mut Sink<'_>) {
    let kinds = types(object);
    let business = kinds.iter().any(|kind| BUSINESS.contains(&kind.as_str()));
    let person = kinds.iter().any(|kind| kind == "person");
    let website = kinds.iter().any(|kind| kind == "website");
    if person {
        return people(object, staff, view, sink);
    }
    let at = |confidence: f32| At::new(Place::JsonLd, confidence).context(&format!("type {}", kinds.join(" ")));
    if website && let Some(name) = string(object, "name") {
        sink.text(Field::Name, &name, at(0.7));
    }
    if !business {
        return;
    }
    sink.text(Field::Kind, &format!("type:{}", kinds.join(" ")), at(0.8));
    if let Some(name) = string(object, "name") {
        sink.text(Field::Name, &name, at(0.9));
    }
    contacts(object, sink, &at(0.9));
    if let Some(text) = string(object, "description") {
        sink.text(Field::Bio, &text, at(0.4));
        style_findings(&text, view, sink, &at(0.8));
    }
    for key in ["knowsAbout", "keywords", "makesOffer", "hasOfferCatalog", "serviceType"] {
        let offered = match object.get(key) {
            Some(Value::Object(catalog)) => strings(catalog.get("itemListElement")),
            other => strings(other),
        };
        style_findings(&offered.join(", "), view, sink, &at(0.8));
    }
    let spot = object.get("geo").or_else(|| object.get("location").and_then(|location| location.get("geo")));
    let degrees = |name: &str| match spot?.get(name)? {
        Value::String(text) => text.trim().parse().ok(),
        number => number.as_f64(),
    };
    if let (Some(lat), Some(lon)) = (degrees("latitude"), degrees("longitude")) {
        sink.point(lat, lon, at(0.9));
    }
    let places = match object.get("address") {
        Some(Value::Array(list)) => list.clone(),
        Some(value) => vec![value.clone()],
        None => object
            .get("location")
            .map(|location| location.get("address").cloned().unwrap_or_else(|| location.clone()))
            .into_iter()
            .collect(),
    };
    for place in places.iter().take(5) {
        if let Some(address) = postal(place) {
            sink.address(address, at(0.9));
        }
    }
}

fn contacts(object: &Map<String, Value>, sink: &mut Sink<'_>, at: &At) {
    for email in strings(object.get("email")) {
        if let Some(email) = super::contact_text::normal_email(email.trim_start_matches("mailto:")) {
            sink.text(Field::Email, &email, at.clone());
        }
    }
    for phone in strings(object.get("telephone")) {
        if super::contact_text::is_phone(&phone) {
            sink.text(Field::Phone, &phone, at.clone());
        }
    }
    for link in strings(object.get("sameAs")).into_iter().chain(strings(object.get("url"))) {
        if let Some(profile) = Url::parse(&link).ok().and_then(|url| profile_of(&url)) {
            match profile {
                Profile::Instagram(handle) => sink.text(Field::Instagram, &handle, at.clone()),
                Profile::Social(url) => sink.text(Field::Social, &url, at.clone()),
                _ => {}
            }
        }
    }
    if let Some(points) = object.get("contactPoint") {
        let list = points.as_array().cloned().unwrap_or_else(|| vec![points.clone()]);
        for point in list.iter().take(5).filter_map(Value::as_object) {
            for phone in strings(point.get("telephone")).iter().filter(|phone| super::contact_text::is_phone(phone)) {
                sink.text(Field::Phone, phone, at.clone());
            }
            for email in strings(point.get("email")).iter().filter_map(|email| super::contact_text::normal_email(email)) {
                sink.text(Field::Email, &email, at.clone());
            }
        }
    }
}

fn style_findings(text: &str, view: &PageView<'_>, sink: &mut Sink<'_>, at: &At) {
    for style in super::style_words::styles_in_offer(text, view.styles) {
        let name = view.styles.all()[style].name.clone();
        sink.text(Field::Style, &name, at.clone().context(text));
    }
}

fn postal(value: &Value) -> Option<PostalAddress> {
    let object = match value {
        Value::String(text) => return super::address::printed(text),
        Value::Object(object) => object,
        _ => return None,
    };
    let real = |key: &str| string(object, key).filter(|text| !is_placeholder(text));
    let country = strings(object.get("addressCountry")).first().and_then(|name| places::country_by_name(name));
    let address = PostalAddress {
        street: real("streetAddress"),
        postcode: real("postalCode"),
        city: real("addressLocality"),
        region: real("addressRegion"),
        country: country.map(str::to_owned),
        country_inferred: false,
        venue: None,
    };
    (address.city.is_some() || address.country.is_some() || address.postcode.is_some()).then_some(address)
}

fn is_placeholder(text: &str) -> bool {
    let folded = fold(text);
    ["your city", "your street", "city name", "example", "placeholder", "todo", "xx", "12345", "your ", "ciudad", "citta"]
        .iter()
        .any(|mark| folded == *mark)
        || folded.starts_with("your ")
}

fn people(object: &Map<String, Value>, staff: bool, view: &PageView<'_>, sink: &mut Sink<'_>) {
    let Some(name) = string(object, "name").and_then(|name| name_in(&name, view.styles)) else {
        return;
    };
    if sink.people.len() >= MAX_PEOPLE {
        return;
    }
    let job = string(object, "jobTitle").unwrap_or_default();
    let tattoos =
        lexicon::holds_any(&tokens(&job), &lexicon::words().tattooer) || fold(&job).contains("tattoo") || fold(&job).contains("tatua");
    let at = At::new(Place::JsonLd, 0.9).context(&format!("person {job}"));
    let mut card = Card {
        name: Some(name.clone()),
        role: (!job.is_empty()).then(|| job.clone()),
        not_artist: lexicon::not_artist(&job).map(str::to_owned),
        named_artist: tattoos,
        group: if tattoos || staff { String::new() } else { "mention".to_owned() },
        extractor: Cow::Borrowed("json_ld"),
        ..Card::default()
    };
    for link in strings(object.get("sameAs")).into_iter().chain(strings(object.get("url"))) {
        let Ok(url) = Url::parse(&link) else {
            if let Some(handle) = link.strip_prefix('@').and_then(normal_handle) {
                card.instagram.push(handle);
            }
            continue;
        };
        match profile_of(&url) {
            Some(Profile::Instagram(handle)) => card.instagram.push(handle),
            Some(Profile::Social(social)) => card.socials.push(social),
            Some(_) => {}
            None if super::super::site::reader::same_site(&url, view.url) => card.page = Some(url),
            None => {}
        }
    }
    card.emails = strings(object.get("email"))
        .iter()
        .filter_map(|email| super::contact_text::normal_email(email.trim_start_matches("mailto:")))
        .collect();
    let mut words = strings(object.get("knowsAbout"));
    words.push(job);
    card.bio = string(object, "description");
    words.extend(card.bio.clone());
    card.styles = super::style_words::styles_in_offer(&words.join(", "), view.styles)
        .into_iter()
        .map(|style| view.styles.all()[style].name.clone())
        .collect();
    sink.text(Field::Name, &name, at.clone());
    if let Some(Value::Object(shop)) = object.get("worksFor").or_else(|| object.get("workLocation")) {
        if let Some(shop) = string(shop, "name") {
            sink.text(Field::Studio, &shop, At::new(Place::JsonLd, 0.95).context(&name));
        }
    } else if let Some(Value::String(shop)) = object.get("worksFor") {
        sink.text(Field::Studio, shop, At::new(Place::JsonLd, 0.9).context(&name));
    }
    if let Some(address) = object.get("address").and_then(postal) {
        sink.address(address, at);
    }
    sink.people.push(card);
}
