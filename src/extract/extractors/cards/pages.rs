//! Which link of a card leads to the page of its person.

use super::Span;
use crate::extract::finding::PageRole;
use crate::extract::lexicon::role_of;
use crate::extract::outline::Outline;
use crate::extract::text::tokens;
use url::Url;

/// "Book Mila", "Reservar con Mila".
fn books(text: &str) -> bool {
    tokens(text).first().is_some_and(|word| {
        [
            "book",
            "booking",
            "reservar",
            "reserva",
            "agendar",
            "agenda",
            "buchen",
            "termin",
            "prenota",
            "reserver",
            "boek",
            "afspraak",
            "umow",
            "zarezerwuj",
            "записаться",
            "запись",
            "request",
            "enquire",
            "inquire",
            "email",
            "message",
            "dm",
            "call",
            "contact",
        ]
        .contains(&word.as_str())
    })
}

/// The page of a person that a card links to, on the same host.
pub(crate) fn page_of(page: &Outline, span: &Span, here: &Url) -> Option<Url> {
    let candidates = page.links.get(span.links.start as usize..span.links.end as usize)?;
    candidates
        .iter()
        .filter(|link| !link.href.starts_with('#') && !link.href.is_empty())
        .filter_map(|link| link.url.as_ref().map(|url| (link, url)))
        .filter(|(link, url)| {
            matches!(url.scheme(), "http" | "https")
                && url.host_str() == here.host_str()
                && url.path() != here.path()
                && matches!(role_of(&link.text), PageRole::Other | PageRole::Portfolio | PageRole::About | PageRole::Team)
        })
        .filter(|(link, _)| !books(&link.text))
        .find(|(_, url)| !["jpg", "jpeg", "png", "webp", "gif", "avif", "pdf"].iter().any(|end| url.path().to_lowercase().ends_with(end)))
        .map(|(_, url)| {
            let mut url = url.clone();
            url.set_fragment(None);
            url
        })
}
