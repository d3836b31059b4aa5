//! Pages on which people ask to be removed or corrected: the form, and the receipt with the status. They work without JavaScript.

use crate::domain::removal_request::{RequestState, Wish};
use crate::jobs::prove_request::Look;
use crate::jobs::removal_requests;
use crate::web::api::removal_requests::{CONTACT_MAX_CHARS, FieldCorrection, NewRemovalRequest, RemovalRequestStatus, admit, look};
use crate::web::body::FormBody;
use crate::web::errors::{Code, ParameterProblem, WebError};
use crate::web::pages::{Frame, PageError, page, words};
use crate::web::params::pairs;
use crate::web::state::{Contact, Web};
use actix_web::http::{StatusCode, header};
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get, post};
use askama::Template;

/// The facts that can be corrected, as they are offered.
const FIELDS: &[(&str, &str)] = &[
    ("name", "Name"),
    ("studio", "Studio"),
    ("place", "Place, as Porto, Portugal"),
    ("instagram", "Instagram handle"),
    ("site", "Own site"),
    ("styles", "Styles, with commas between"),
    ("emails", "E-mail addresses"),
    ("phones", "Telephone numbers"),
    ("socials", "Profiles elsewhere"),
    ("bio", "What stands as your words"),
];

/// The form as it was filled in.
#[derive(Debug, Default)]
struct Filled {
    wish: String,
    named: String,
    about: String,
    field: String,
    value: String,
    contact: String,
}

impl Filled {
    fn of(pairs: Vec<(String, String)>) -> Self {
        let mut filled = Self::default();
        for (name, value) in pairs {
            match name.as_str() {
                "wish" => filled.wish = value,
                "named" => filled.named = value,
                "about" => filled.about = value,
                "field" => filled.field = value,
                "value" => filled.value = value,
                "contact" => filled.contact = value,
                // A browser sends nothing else.
                _ => {}
            }
        }
        filled
    }

    fn corrects(&self) -> bool {
        self.wish == Wish::Correction.as_str()
    }

    fn is_named_by(&self, how: &str) -> bool {
        self.named == how || (self.named.is_empty() && how == "site")
    }

    /// As a program would ask.
    fn request(&self) -> NewRemovalRequest {
        let about = Some(self.about.clone());
        let mut new = NewRemovalRequest { contact: self.contact.clone(), ..NewRemovalRequest::default() };
        match self.named.as_str() {
            "artist" => new.artist = about,
            "handle" => new.handle = about,
            _ => new.site = about,
        }
        new.correction = self.corrects().then(|| FieldCorrection { field: self.field.clone(), value: self.value.clone() });
        new
    }
}

#[derive(Debug, Template)]
#[template(path = "removal.html", config = "src/web/askama.toml")]
struct RemovalPage {
    frame: Frame,
    form: Filled,
    fields: &'static [(&'static str, &'static str)],
    problems: Vec<ParameterProblem>,
    contact_max: usize,
    contact: Option<Contact>,
}

#[derive(Debug, Template)]
#[template(path = "removal_status.html", config = "src/web/askama.toml")]
struct StatusPage {
    frame: Frame,
    receipt: String,
    status: RemovalRequestStatus,
    is_removal: bool,
    state_words: &'static str,
    look: Option<String>,
    created: String,
    changed: String,
}

fn form(web: &Web, form: Filled, problems: Vec<ParameterProblem>) -> HttpResponse {
    let status = if problems.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    let contact = web.state.contact.clone();
    let view = RemovalPage { frame: Frame::new(), form, fields: FIELDS, problems, contact_max: CONTACT_MAX_CHARS, contact };
    page(status, &view)
}

/// The form.
#[get("/removal")]
pub async fn removal_page(web: Data<Web>, request: HttpRequest) -> HttpResponse {
    let artist = pairs(&request).into_iter().find(|(name, _)| name == "artist").map(|(_, id)| id).unwrap_or_default();
    let named = if artist.is_empty() { String::new() } else { "artist".to_owned() };
    // Whatever stands in the address is escaped, and cut as the field is.
    let about = artist.chars().take(500).collect();
    form(&web, Filled { named, about, ..Filled::default() }, Vec::new())
}

/// Sends the form. What is wrong with it is said beside what was filled in.
#[post("/removal")]
pub async fn send_request(web: Data<Web>, request: HttpRequest, FormBody(pairs): FormBody) -> Result<HttpResponse, PageError> {
    let filled = Filled::of(pairs);
    let new = match filled.request().read(&web) {
        Ok(new) => new,
        Err(problems) => return Ok(form(&web, filled, problems)),
    };
    admit(&web, &request)?;
    let received = removal_requests::receive(web.ports(), new).await;
    let (receipt, _) = received.map_err(WebError::from)?;
    // Reloading the page that follows sends nothing again.
    Ok(see(receipt.reveal(), ""))
}

fn see(receipt: &str, query: &str) -> HttpResponse {
    let address = format!("/removal/{receipt}{query}");
    HttpResponse::SeeOther().insert_header((header::LOCATION, address)).insert_header((header::CACHE_CONTROL, "no-store")).finish()
}

/// The receipt and the status of a request.
#[get("/removal/{receipt}")]
pub async fn status_page(web: Data<Web>, receipt: Path<String>, request: HttpRequest) -> Result<HttpResponse, PageError> {
    let ports = web.ports();
    let found = removal_requests::of_receipt(ports, &receipt).await.map_err(WebError::from)?;
    let looked = pairs(&request).into_iter().find(|(name, _)| name == "look").map(|(_, look)| look);
    let now = ports.clock.now();
    let view = StatusPage {
        frame: Frame::new(),
        receipt: receipt.into_inner(),
        is_removal: found.wish == Wish::Removal,
        state_words: state_words(found.state, found.wish),
        look: looked.as_deref().and_then(look_words).filter(|_| found.state == RequestState::Received).map(str::to_owned),
        created: words::age(now.since(found.created_at)),
        changed: words::age(now.since(found.changed_at)),
        status: RemovalRequestStatus::of(&found),
    };
    let mut response = page(StatusCode::OK, &view);
    response.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Looks for the proof.
#[post("/removal/{receipt}/check")]
pub async fn check_request(web: Data<Web>, receipt: Path<String>) -> Result<HttpResponse, PageError> {
    let looked = match look(&web, &receipt).await {
        Ok((Look::Found, _)) => "found",
        Ok((Look::NotFound, _)) => "not-found",
        Ok((Look::Refused, _)) => "refused",
        Ok((Look::NotNow, _)) => "not-now",
        Err(error) if error.code == Code::RequestState => "too-soon",
        Err(error) => return Err(error.into()),
    };
    Ok(see(&receipt, &format!("?look={looked}")))
}

fn look_words(look: &str) -> Option<&'static str> {
    match look {
        "not-found" => {
            Some("It was looked for and not found. Is it on the site that your page here links as your own, and is the page published?")
        }
        "refused" => {
            Some("The site's robots.txt keeps our bot away, so it could not look. Allow it for a moment, or leave it to an operator.")
        }
        "not-now" => Some("The site did not answer in time. Try again in a few minutes."),
        "too-soon" => Some("It was looked for a moment ago, or often enough. Wait a minute and try again, or leave it to an operator."),
        _ => None,
    }
}

fn state_words(state: RequestState, wish: Wish) -> &'static str {
    match (state, wish) {
        (RequestState::Received, _) => "Received. It waits for your proof, or for an operator.",
        (RequestState::Proven, _) => "Proven. It is about to be done.",
        (RequestState::Approved, _) => "Approved. It is being done right now.",
        (RequestState::Done, Wish::Removal) => {
            "Done. Whoever was named is removed and does not come back. What you told us about yourself is deleted."
        }
        (RequestState::Done, Wish::Correction) => "Done. What you told us about yourself is deleted.",
        (RequestState::Refused, _) => "Refused by an operator. What you told us about yourself is deleted.",
        (RequestState::Expired, _) => "Nobody proved or decided it in time. It is closed, and what you told us about yourself is deleted.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::correction::{SAYABLE, field_named};
    use crate::domain::fields::Field;

    /// Every field that can be corrected is offered, by its name.
    #[test]
    fn every_field_is_offered() {
        let offered: Vec<Field> = FIELDS.iter().map(|(name, _)| field_named(name).unwrap()).collect();
        assert_eq!(offered, SAYABLE);
    }
}
