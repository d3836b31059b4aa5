//! What somebody who may says of a field: read from text, in the directory's standard forms, or refused by name. Pure.

use crate::domain::country;
use crate::domain::facts::{Evidence, Fact, SourceFacts};
use crate::domain::fields::Field;
use crate::domain::identity::normal_handle;
use crate::domain::text::{clean_line, tokens};
use url::Url;

/// The fields that can be said. Pictures stay where the artist shows them.
pub const SAYABLE: [Field; 10] = [
    Field::Name,
    Field::Studio,
    Field::Place,
    Field::Instagram,
    Field::OwnSite,
    Field::Styles,
    Field::Emails,
    Field::Phones,
    Field::Socials,
    Field::Bio,
];

/// Longest value that is read, characters.
pub const VALUE_MAX_CHARS: usize = 2_000;
/// Longest name or part of a place, characters.
const LINE_MAX_CHARS: usize = 120;
/// Longest address, bytes.
const ADDRESS_MAX_BYTES: usize = 500;
/// Longest e-mail address, bytes (RFC 5321).
const EMAIL_MAX_BYTES: usize = 254;
/// Values of a list at most.
const LIST_MAX: usize = 20;

/// Why a field cannot say a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadValue {
    /// There is no such field.
    #[error("there is no field `{0}` that can be confirmed; there are {fields}", fields = names())]
    Field(String),
    /// It would leave the artist without a name.
    #[error("a name is needed: without one there is no artist")]
    NoName,
    /// It is longer than is read.
    #[error("the value is longer than {0} characters")]
    TooLong(usize),
    /// It is none of its kind.
    #[error("`{value}` is no {kind}")]
    Not {
        /// What was said, cut.
        value: String,
        /// What it should be, with an example.
        kind: &'static str,
    },
    /// A list of more values than anybody has.
    #[error("more than {LIST_MAX} values of one field are not taken")]
    TooMany,
}

fn names() -> String {
    SAYABLE.map(Field::as_str).join(", ")
}

/// The field of a name.
///
/// # Errors
/// [`BadValue::Field`].
pub fn field_named(name: &str) -> Result<Field, BadValue> {
    let name = name.trim();
    let found = SAYABLE.into_iter().find(|field| field.as_str().eq_ignore_ascii_case(name));
    found.ok_or_else(|| BadValue::Field(clean_line(name, 40)))
}

fn not(value: &str, kind: &'static str) -> BadValue {
    BadValue::Not { value: clean_line(value, 60), kind }
}

fn line(text: &str, max: usize) -> Result<String, BadValue> {
    let line = clean_line(text, max.saturating_add(1));
    if line.chars().count() > max { Err(BadValue::TooLong(max)) } else { Ok(line) }
}

/// The parts of a list: separated by commas, semicolons or ends of lines.
fn parts(text: &str) -> Result<Vec<String>, BadValue> {
    let parts: Vec<String> =
        text.split([',', ';', '\n']).map(|part| clean_line(part, VALUE_MAX_CHARS)).filter(|part| !part.is_empty()).collect();
    if parts.len() > LIST_MAX { Err(BadValue::TooMany) } else { Ok(parts) }
}

fn address(text: &str) -> Result<Url, BadValue> {
    let kind = "address of a site, as https://ana.example/";
    let url = (text.len() <= ADDRESS_MAX_BYTES).then(|| Url::parse(text).ok()).flatten().ok_or_else(|| not(text, kind))?;
    let named = url.domain().is_some_and(|domain| domain.contains('.')) && url.username().is_empty() && url.password().is_none();
    if named && matches!(url.scheme(), "http" | "https") { Ok(url) } else { Err(not(text, kind)) }
}

fn email(text: &str) -> Result<String, BadValue> {
    let bad = || not(text, "e-mail address, as ana@ana.example");
    let (local, domain) = text.split_once('@').ok_or_else(bad)?;
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '<' | '>' | '"' | '(' | ')' | '@');
    let formed = !local.is_empty() && domain.contains('.') && !domain.starts_with('.') && !domain.ends_with('.');
    let whole = text.len() <= EMAIL_MAX_BYTES && local.chars().chain(domain.chars()).all(plain);
    if formed && whole { Ok(text.to_lowercase()) } else { Err(bad()) }
}

fn phone(text: &str) -> Result<String, BadValue> {
    let bad = || not(text, "telephone number, as +351 21 123 4567");
    let digits: Vec<char> = text.chars().filter(char::is_ascii_digit).collect();
    let plain = text.chars().all(|c| c.is_ascii_digit() || matches!(c, '+' | ' ' | '-' | '.' | '/' | '(' | ')'));
    let differ = digits.iter().any(|digit| Some(digit) != digits.first());
    if plain && differ && (6..=15).contains(&digits.len()) { Ok(text.to_owned()) } else { Err(bad()) }
}

/// `city`, `city, country` or `city, region, country`; of a single part, a country if it is one.
fn place(text: &str, facts: &mut SourceFacts, fact: &dyn Fn(String) -> Fact<String>) -> Result<(), BadValue> {
    let kind = "place, as `Porto, Portugal` or `Austin, Texas, US`";
    let parts = parts(text)?;
    let known = |part: &str| country::find(part);
    let named = |part: &String| line(part, LINE_MAX_CHARS).map(fact);
    let (city, region, land) = match parts.as_slice() {
        [] => (None, None, None),
        [one] => match known(one) {
            Some(code) => (None, None, Some(code)),
            None => (Some(one), None, None),
        },
        [city, land] => (Some(city), None, Some(known(land).ok_or_else(|| not(land, "country, as `PT` or `Portugal`"))?)),
        [city, region, land] => (Some(city), Some(region), Some(known(land).ok_or_else(|| not(land, "country, as `PT` or `Portugal`"))?)),
        _ => return Err(not(text, kind)),
    };
    if city.is_some_and(|city| tokens(city).is_empty()) {
        return Err(not(text, kind));
    }
    facts.city = city.map(named).transpose()?;
    facts.region = region.map(named).transpose()?;
    facts.country = land.map(fact);
    Ok(())
}

/// What `text` says of `field`: facts with this field alone; an empty text says that it has no value. `style` knows the slugs of
/// styles by their names.
///
/// # Errors
/// [`BadValue`].
pub fn read_value(field: Field, text: &str, evidence: &Evidence, style: &dyn Fn(&str) -> Option<String>) -> Result<SourceFacts, BadValue> {
    if text.chars().nth(VALUE_MAX_CHARS).is_some() {
        return Err(BadValue::TooLong(VALUE_MAX_CHARS));
    }
    let mut facts = SourceFacts::default();
    let fact = |value: String| Fact { value, evidence: evidence.clone() };
    let facts_of = |values: Vec<String>| values.into_iter().map(fact).collect::<Vec<_>>();
    let text = text.trim();
    match field {
        Field::Name => {
            let name = line(text, LINE_MAX_CHARS)?;
            if tokens(&name).is_empty() {
                return Err(BadValue::NoName);
            }
            facts.name = Some(fact(name));
        }
        Field::Place => place(text, &mut facts, &fact)?,
        Field::Styles => {
            let slug = |name: String| style(&name).ok_or_else(|| not(&name, "style that this directory knows; /v1/styles lists them"));
            let mut slugs: Vec<String> = parts(text)?.into_iter().map(slug).collect::<Result<_, _>>()?;
            slugs.sort();
            slugs.dedup();
            facts.styles = facts_of(slugs);
        }
        Field::Emails => facts.emails = facts_of(parts(text)?.iter().map(|part| email(part)).collect::<Result<_, _>>()?),
        Field::Phones => facts.phones = facts_of(parts(text)?.iter().map(|part| phone(part)).collect::<Result<_, _>>()?),
        Field::Socials => {
            let urls: Vec<Url> = parts(text)?.iter().map(|part| address(part)).collect::<Result<_, _>>()?;
            facts.socials = urls.into_iter().map(|value| Fact { value, evidence: evidence.clone() }).collect();
        }
        Field::Images => return Err(BadValue::Field(field.as_str().to_owned())),
        _ if text.is_empty() => {}
        Field::Studio => facts.studio = Some(line(text, LINE_MAX_CHARS)?).filter(|name| !name.is_empty()).map(fact),
        Field::Instagram => {
            let handle = normal_handle(text).ok_or_else(|| not(text, "Instagram handle, as @ana.inks"))?;
            facts.instagram = Some(fact(handle));
        }
        Field::Bio => facts.bio = Some(line(text, VALUE_MAX_CHARS)?).filter(|bio| !bio.is_empty()).map(fact),
        Field::OwnSite => facts.own_site = Some(address(text)?),
    }
    Ok(facts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::Timestamp;
    use crate::domain::place::Basis;
    use proptest::prelude::*;

    fn evidence() -> Evidence {
        Evidence {
            page: Url::parse("https://ana.example/").unwrap(),
            extractor: "operator".to_owned(),
            confidence: 1.0,
            observed_at: Timestamp(1),
            basis: Basis::Confirmed,
        }
    }

    fn style(name: &str) -> Option<String> {
        name.eq_ignore_ascii_case("fine line").then(|| "fine-line".to_owned())
    }

    fn read(field: Field, text: &str) -> Result<SourceFacts, String> {
        read_value(field, text, &evidence(), &style).map_err(|error| error.to_string())
    }

    #[test]
    fn values_are_read_in_standard_form() {
        let of = |field, text: &str| read(field, text).unwrap();
        assert_eq!(of(Field::Instagram, " @Ana.Ink ").instagram.unwrap().value, "ana.ink");
        assert_eq!(of(Field::Styles, "fine line, FINE LINE").styles.len(), 1);
        let porto = of(Field::Place, "Porto, Portugal");
        assert_eq!((porto.city.unwrap().value, porto.country.unwrap().value), ("Porto".to_owned(), "PT".to_owned()));
        let texas = of(Field::Place, "Austin, Texas, US");
        assert_eq!((texas.region.unwrap().value, texas.country.unwrap().value), ("Texas".to_owned(), "US".to_owned()));
        assert!(of(Field::Place, "Portugal").city.is_none());
        assert_eq!(of(Field::Emails, "Ana@Post.example; b@c.example").emails[0].value, "ana@post.example");
        assert!(of(Field::Phones, "").phones.is_empty(), "an empty value says that there is none");
        assert_eq!(of(Field::OwnSite, "https://ana.example/").own_site.unwrap().as_str(), "https://ana.example/");
    }

    #[test]
    fn what_a_field_cannot_say_is_refused_by_name() {
        for (field, text, told) in [
            (Field::Name, " . ", "a name is needed"),
            (Field::Name, &"x".repeat(121), "longer than 120"),
            (Field::Instagram, "ana ink", "no Instagram handle"),
            (Field::Styles, "fine line, glitter", "`glitter` is no style"),
            (Field::Place, "Porto, Atlantis", "`Atlantis` is no country"),
            (Field::Place, "a, b, c, d", "no place"),
            (Field::Emails, "ana at post", "no e-mail address"),
            (Field::Phones, "0000000", "no telephone number"),
            (Field::Phones, "call me", "no telephone number"),
            (Field::OwnSite, "javascript:alert(1)", "no address"),
            (Field::Socials, "https://me:word@a.example/", "no address"),
            (Field::Images, "https://a.example/1.jpg", "there is no field `images`"),
        ] {
            let error = read(field, text).unwrap_err();
            assert!(error.contains(told), "{field:?} {text}: {error}");
        }
        assert!(field_named("colour").unwrap_err().to_string().contains("name, studio, place, instagram, site"));
        assert_eq!(field_named(" SITE "), Ok(Field::OwnSite));
    }

    proptest! {
        /// Whatever is typed says something of its own field alone, or is refused.
        #[test]
        fn a_value_touches_its_field_alone(text in "\\PC{0,80}", which in 0..SAYABLE.len()) {
            let field = SAYABLE[which];
            if let Ok(mut facts) = read_value(field, &text, &evidence(), &style) {
                facts.clear(field);
                prop_assert_eq!(facts, SourceFacts::default());
            }
        }
    }
}
