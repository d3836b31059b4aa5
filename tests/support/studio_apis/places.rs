//! Text Search of the Places API (New): 20 places a page, 60 in all, tokens that are valid for their search only.

use super::{Call, Canned, KEY, Known, Request};
use serde_json::{Map, Value, json};

const PAGE: usize = 20;
const CEILING: usize = 60;

/// The fields of a place that may stand in a mask here.
const FIELDS: &[&str] = &[
    "places.id",
    "places.displayName",
    "places.formattedAddress",
    "places.location",
    "places.websiteUri",
    "places.internationalPhoneNumber",
    "places.businessStatus",
    "nextPageToken",
];

/// What may be changed of the service.
#[derive(Debug)]
pub struct Rules {
    pub unknown_field: Option<String>,
    pub token_life: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Self { unknown_field: None, token_life: usize::MAX }
    }
}

fn invalid(message: &str) -> Canned {
    Canned::google("400 Bad Request", "INVALID_ARGUMENT", message)
}

/// What is asked for, as far as it must be the same for every page.
fn parameters(body: &Value) -> String {
    let mut body = body.clone();
    body.as_object_mut().map(|body| body.remove("pageToken"));
    body.to_string()
}

pub fn answer(request: &Request, number: usize, rules: &Rules, world: &[Known]) -> (Call, Canned) {
    let body: Value = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
    let rectangle = &body["locationRestriction"]["rectangle"];
    let edge = |corner: &str, axis: &str| rectangle[corner][axis].as_f64().unwrap_or(f64::NAN);
    let cell = (edge("low", "latitude"), edge("low", "longitude"), edge("high", "latitude"), edge("high", "longitude"));
    let paging = body.get("pageToken").is_some();
    let call = Call { service: "places", cell, paging, headers: request.headers.clone() };
    let answer = checked(request, &body, cell, rules).and_then(|mask| page(&body, cell, &mask, number, rules, world));
    (call, answer.unwrap_or_else(|error| error))
}

/// The fields asked for, if the request is one.
fn checked(request: &Request, body: &Value, cell: (f64, f64, f64, f64), rules: &Rules) -> Result<Vec<String>, Canned> {
    match request.header("x-goog-api-key") {
        None => {
            let message = "Method doesn't allow unregistered callers (callers without established identity).";
            return Err(Canned::google("403 Forbidden", "PERMISSION_DENIED", message));
        }
        Some(key) if key != KEY => {
            let details =
                json!([{ "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com" }]);
            let message = "API key not valid. Please pass a valid API key.";
            let error = json!({ "error": { "code": 400, "message": message, "status": "INVALID_ARGUMENT", "details": details } });
            return Err(Canned::json("400 Bad Request", &error));
        }
        Some(_) => {}
    }
    let mask = request.header("x-goog-fieldmask").unwrap_or_default();
    if mask.is_empty() {
        return Err(invalid("FieldMask is a required parameter."));
    }
    for field in mask.split(',') {
        if !FIELDS.contains(&field) || rules.unknown_field.as_deref() == Some(field) {
            return Err(invalid(&format!("Error expanding 'fields' parameter. Cannot find matching fields for path '{field}'.")));
        }
    }
    if body["textQuery"].as_str().is_none_or(str::is_empty) {
        return Err(invalid("Empty text_query."));
    }
    if !body["pageSize"].is_null() && body["pageSize"].as_u64().is_none_or(|size| size > PAGE as u64) {
        return Err(invalid("Page size must be between 0 and 20 (inclusive)."));
    }
    let (south, west, north, east) = cell;
    if !(south <= north && west <= east) {
        return Err(invalid("Invalid rectangle."));
    }
    Ok(mask.split(',').map(str::to_owned).collect())
}

fn page(
    body: &Value,
    cell: (f64, f64, f64, f64),
    mask: &[String],
    number: usize,
    rules: &Rules,
    world: &[Known],
) -> Result<Canned, Canned> {
    let size = body["pageSize"].as_u64().map_or(PAGE, |size| size as usize);
    let mut begin = 0;
    if let Some(token) = body["pageToken"].as_str() {
        let parts: Vec<&str> = token.splitn(3, '|').collect();
        let [issued, at, asked] = parts[..] else { return Err(invalid("Invalid page token.")) };
        if asked != parameters(body) {
            return Err(invalid("Request parameters for paging requests must match the initial SearchText request."));
        }
        let (issued, at): (usize, usize) = (issued.parse().expect("made here"), at.parse().expect("made here"));
        if number - issued > rules.token_life {
            return Err(invalid("The page token has expired."));
        }
        begin = at;
    }
    let (south, west, north, east) = cell;
    let mut inside: Vec<&Known> = world.iter().filter(|known| known.google && known.is_in(south, west, north, east)).collect();
    // In an order that has nothing to do with where they are.
    inside.sort_by_key(|known| known.number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    inside.truncate(CEILING);
    let has = |field: &str| mask.iter().any(|asked| asked == field);
    let mut answer = Map::new();
    let places: Vec<Value> = inside.iter().skip(begin).take(size).map(|known| place(known, &has)).collect();
    let end = begin + places.len();
    // An empty list is left out, as protobuf does.
    if !places.is_empty() {
        answer.insert("places".to_owned(), Value::Array(places));
    }
    if end < inside.len() && has("nextPageToken") {
        answer.insert("nextPageToken".to_owned(), json!(format!("{number}|{end}|{}", parameters(body))));
    }
    Ok(Canned::json("200 OK", &Value::Object(answer)))
}

fn place(known: &Known, has: &impl Fn(&str) -> bool) -> Value {
    let mut place = Map::new();
    let mut put = |field: &str, value: Value| {
        if has(&format!("places.{field}")) && !value.is_null() {
            place.insert(field.to_owned(), value);
        }
    };
    put("id", json!(known.place_id()));
    put("displayName", json!({ "text": known.name, "languageCode": "en" }));
    put("formattedAddress", json!("1 High Street"));
    put("location", json!({ "latitude": known.at.0, "longitude": known.at.1 }));
    put("websiteUri", json!(known.website));
    put("internationalPhoneNumber", json!(known.phone));
    put("businessStatus", json!("OPERATIONAL"));
    Value::Object(place)
}
