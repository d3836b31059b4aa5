//! Google Places API (New), Text Search: one request, one page of at most 20 places, three pages of a cell at most.
//!
//! The key is in one header of this client's requests and nowhere else. Of what comes back only the place id may be kept for
//! good, which the terms in each finding say ([`Terms::Google`]).

use crate::discover::cells::{self, CallError, CellSearch, Page, told};
use crate::domain::grid::Rectangle;
use crate::domain::place::{Coordinates, Place};
use crate::domain::secret::Secret;
use crate::domain::studio::{FoundStudio, Terms};
use crate::scrape::http::api::{ApiAnswer, ApiClient};
use async_trait::async_trait;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use url::Url;

/// The source's name.
pub const NAME: &str = "google_places";

const KEY_HEADER: HeaderName = HeaderName::from_static("x-goog-api-key");
const MASK_HEADER: HeaderName = HeaderName::from_static("x-goog-fieldmask");

/// What is asked of a place: each field costs, and what is not needed is not asked.
const FIELDS: &str = "places.id,places.displayName,places.location,places.websiteUri,places.internationalPhoneNumber,\
                      places.businessStatus,nextPageToken";

/// Places of a page, the most the API gives.
const PAGE_SIZE: usize = 20;
/// Pages of a search, the most the API gives.
const PAGES_MAX: usize = 3;

/// Longest place id, bytes: the API says that there is no limit.
const ID_MAX_BYTES: usize = 512;

/// The search.
#[derive(Debug)]
pub struct GooglePlaces {
    client: ApiClient,
    url: Url,
    key: Secret,
    headers: HeaderMap,
    query: String,
    language: String,
}

impl GooglePlaces {
    /// Searches at `base` for `query`; names are asked for in `language`.
    ///
    /// # Errors
    /// What to change in the configuration.
    pub fn new(client: ApiClient, base: &Url, key: Secret, query: &str, language: &str) -> Result<Self, String> {
        let url = base.join("/v1/places:searchText").map_err(|error| format!("places.url {base}: {error}"))?;
        let mut secret = HeaderValue::from_str(key.reveal()).map_err(|_| "places.key cannot be sent in a header".to_owned())?;
        secret.set_sensitive(true);
        let headers = [
            (KEY_HEADER, secret),
            (MASK_HEADER, HeaderValue::from_static(FIELDS)),
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        ];
        Ok(Self { client, url, key, headers: headers.into_iter().collect(), query: query.to_owned(), language: language.to_owned() })
    }

    /// What the API says, without the key should it have been repeated there.
    fn told(&self, text: &str) -> String {
        told(&text.replace(self.key.reveal(), "(secret)"))
    }

    fn error(&self, answer: &ApiAnswer, paging: bool) -> CallError {
        let error = cells::body::<ErrorBody>(&answer.body).map(|body| body.error).unwrap_or_default();
        let what = if error.message.is_empty() { String::from_utf8_lossy(&answer.body).into_owned() } else { error.message.clone() };
        let status = self.told(if error.status.is_empty() { "no status" } else { &error.status });
        let why = format!("Google Places answered {} {status}: {}", answer.status, self.told(&what));
        let wrong_key = error.details.iter().any(|detail| detail["reason"] == "API_KEY_INVALID");
        match answer.status {
            400 if wrong_key => CallError::Refused { why: format!("{why}; set places.key to a valid key") },
            // The token ran out, or is not of this search: the cell is asked again from its first page.
            400 if paging => CallError::Useless { why: format!("{why} (on a further page)") },
            401 | 403 => CallError::Refused {
                why: format!("{why}; allow the key of places.key the Places API (New), and look at its restrictions and at billing"),
            },
            404 => CallError::Refused { why: format!("{why}; check places.url") },
            408 | 429 | 500..=599 => {
                let delay = answer.retry_after.or_else(|| error.details.iter().find_map(retry_delay));
                CallError::Unavailable { why, retry_after: delay }
            }
            _ => CallError::Useless { why },
        }
    }
}

/// The body of an error.
#[derive(Debug, Default, Deserialize)]
struct ErrorBody {
    error: ApiError,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ApiError {
    status: String,
    message: String,
    details: Vec<Value>,
}

/// `google.rpc.RetryInfo`, as `30s` or `1.5s`.
fn retry_delay(detail: &Value) -> Option<Duration> {
    let seconds: f64 = detail["retryDelay"].as_str()?.strip_suffix('s')?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// The body of an answer. Places are read one by one: a bad one spoils no other.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Answer {
    #[serde(default)]
    places: Vec<Value>,
    #[serde(default)]
    next_page_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FoundPlace {
    id: String,
    display_name: Option<LocalizedText>,
    location: Option<LatLng>,
    website_uri: Option<String>,
    international_phone_number: Option<String>,
    business_status: Option<String>,
}

#[derive(Debug, Deserialize)]
struct LocalizedText {
    text: String,
}

#[derive(Debug, Deserialize)]
#[serde(default)]
#[derive(Default)]
struct LatLng {
    latitude: f64,
    longitude: f64,
}

/// A place as a studio.
///
/// # Errors
/// Why it cannot be used.
fn studio(value: Value) -> Result<FoundStudio, String> {
    let place: FoundPlace = cells::object(value).map_err(|why| format!("no place: {why}"))?;
    let id_is_one = !place.id.is_empty() && place.id.len() <= ID_MAX_BYTES;
    if !id_is_one || !place.id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')) {
        return Err(format!("`{}` is no place id", told(&place.id)));
    }
    let unusable = |what: &str| format!("{}: {what}", place.id);
    if place.business_status.as_deref() == Some("CLOSED_PERMANENTLY") {
        return Err(unusable("closed for good"));
    }
    let name = cells::name(place.display_name.as_ref().map(|name| name.text.as_str())).ok_or_else(|| unusable("without a name"))?;
    let at = place.location.as_ref().ok_or_else(|| unusable("without a location"))?;
    let coordinates = Coordinates::new(at.latitude, at.longitude).ok_or_else(|| unusable("not on the earth"))?;
    Ok(FoundStudio {
        name,
        // A place is one whatever its site is said to be; without a usable one there is just nothing to read.
        website: cells::website(place.website_uri.as_deref()).unwrap_or_default(),
        place: Place { coordinates: Some(coordinates), ..Place::default() },
        place_text: None,
        phone: cells::phone(place.international_phone_number.as_deref()),
        place_id: Some(place.id),
        source: NAME.to_owned(),
        terms: Terms::Google,
    })
}

#[async_trait]
impl CellSearch for GooglePlaces {
    fn name(&self) -> &'static str {
        NAME
    }

    fn question(&self) -> String {
        format!("{}|{}", self.query, self.language)
    }

    fn pages_max(&self) -> usize {
        PAGES_MAX
    }

    async fn page(&self, cell: &Rectangle, token: Option<&str>) -> Result<Page, CallError> {
        let corner = |latitude: f64, longitude: f64| json!({ "latitude": latitude, "longitude": longitude });
        let mut body = json!({
            "textQuery": self.query,
            "languageCode": self.language,
            "pageSize": PAGE_SIZE,
            "locationRestriction": { "rectangle": { "low": corner(cell.south, cell.west), "high": corner(cell.north, cell.east) } },
        });
        if let Some(token) = token {
            body["pageToken"] = json!(token);
        }
        let asked = self.client.post(&self.url, self.headers.clone(), body.to_string()).await;
        let answer = asked.map_err(|error| cells::failed(NAME, &error))?;
        if answer.status != 200 {
            return Err(self.error(&answer, token.is_some()));
        }
        let read: Answer = cells::body(&answer.body)
            .map_err(|why| CallError::Useless { why: format!("Google Places answered with no list of places: {}", self.told(&why)) })?;
        let mut page = Page { next: read.next_page_token.filter(|token| !token.is_empty()), ..Page::default() };
        // A last page that is full may have been cut off: the token is sometimes missing.
        page.full = page.next.is_none() && read.places.len() >= PAGE_SIZE;
        for place in read.places.into_iter().take(PAGE_SIZE) {
            match studio(place) {
                Ok(studio) => page.studios.push(studio),
                Err(why) => page.unusable.push(why),
            }
        }
        Ok(page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(change: impl Fn(&mut Value)) -> Result<FoundStudio, String> {
        let mut value = json!({
            "id": "ChIJ1-_x", "displayName": { "text": "Quiet Needle", "languageCode": "en" },
            "location": { "latitude": 51.5, "longitude": -0.1 }, "websiteUri": "https://quiet.example/",
            "internationalPhoneNumber": "+44 20 7946 0001", "businessStatus": "OPERATIONAL",
        });
        change(&mut value);
        studio(value)
    }

    #[test]
    fn what_a_place_says_is_checked() {
        let good = place(|_| {}).unwrap();
        assert_eq!((good.name.as_str(), good.place_id.as_deref(), good.terms), ("Quiet Needle", Some("ChIJ1-_x"), Terms::Google));
        assert!(good.website.is_some() && good.phone.is_some() && good.place.coordinates.is_some());
        for (field, value) in [
            ("id", json!("")),
            ("id", json!("../../etc")),
            ("id", json!("x".repeat(513))),
            ("id", json!(7)),
            ("displayName", json!(null)),
            ("displayName", json!({ "text": "\u{202e}\u{0}" })),
            ("location", json!(null)),
            ("location", json!({ "latitude": 91.0, "longitude": 0.0 })),
            ("location", json!("London")),
            ("businessStatus", json!("CLOSED_PERMANENTLY")),
        ] {
            assert!(place(|place| place[field] = value.clone()).is_err(), "{field}: {value}");
        }
        // The API leaves out what is zero.
        assert!(place(|place| place["location"] = json!({ "latitude": 51.5 })).is_ok());
        let bent = place(|place| place["displayName"]["text"] = json!(format!("  Al\u{202e}ex\n{}", "x".repeat(900)))).unwrap();
        assert!(bent.name.starts_with("Alex x") && bent.name.chars().count() == 200);
    }

    #[test]
    fn a_website_that_is_none_costs_only_itself() {
        for site in ["javascript:alert(1)", "ftp://quiet.example/", "https://user:pw@quiet.example/", "http://", "https://a\\b.example/"] {
            assert_eq!(place(|place| place["websiteUri"] = json!(site)).unwrap().website, None, "{site}");
        }
        assert_eq!(place(|place| place["websiteUri"] = json!(format!("https://q.example/{}", "x".repeat(2_048)))).unwrap().website, None);
    }

    #[test]
    fn a_retry_delay_is_read() {
        let detail = |delay: &str| retry_delay(&json!({ "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay }));
        assert_eq!(detail("30s"), Some(Duration::from_secs(30)));
        assert_eq!(detail("1.5s"), Some(Duration::from_millis(1_500)));
        for nonsense in ["", "s", "-3s", "NaNs", "infs", "soon", "30"] {
            assert_eq!(detail(nonsense), None, "{nonsense}");
        }
    }
}
