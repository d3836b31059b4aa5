//! An Overpass interpreter that reads just the queries of ours: a bounding box, tags, `out tags center` and a limit.

use super::{Call, Canned, Known, Request};
use serde_json::{Value, json};

/// What may be changed of the service.
#[derive(Debug)]
pub struct Rules {
    pub elements_in_time: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Self { elements_in_time: usize::MAX }
    }
}

/// What stands between two texts.
fn between<'a>(text: &'a str, begin: &str, end: &str) -> Option<&'a str> {
    text.split_once(begin)?.1.split_once(end).map(|(found, _)| found)
}

pub fn answer(request: &Request, rules: &Rules, world: &[Known]) -> (Call, Canned) {
    let data = url::form_urlencoded::parse(&request.body).find(|(name, _)| name == "data").map(|(_, value)| value.into_owned());
    let query = data.unwrap_or_default();
    let edges: Vec<f64> = between(&query, "[bbox:", "]").unwrap_or_default().split(',').filter_map(|edge| edge.parse().ok()).collect();
    let most = between(&query, "out tags center ", ";").and_then(|limit| limit.parse::<usize>().ok());
    let is_ours = query.starts_with("[out:json][timeout:")
        && query.contains("nwr[\"shop\"=\"tattoo\"];")
        && query.contains("nwr[\"craft\"=\"tattoo\"];")
        && request.header("content-type") == Some("application/x-www-form-urlencoded");
    let [south, west, north, east] = edges[..] else { return (call(request, (0.0, 0.0, 0.0, 0.0)), refused(&query)) };
    let Some(most) = most.filter(|_| is_ours) else { return (call(request, (south, west, north, east)), refused(&query)) };
    let inside = world.iter().filter(|known| known.osm.is_some() && known.is_in(south, west, north, east));
    let mut elements: Vec<Value> = inside.filter_map(element).take(most).collect();
    let mut answer = json!({
        "version": 0.6,
        "generator": "Overpass API",
        "osm3s": {
            "timestamp_osm_base": "2026-11-22T01:59:00Z",
            "copyright": "The data included in this document is from www.openstreetmap.org. The data is made available under ODbL.",
        },
    });
    if elements.len() > rules.elements_in_time {
        elements.truncate(rules.elements_in_time);
        answer["remark"] = json!("runtime error: Query timed out in \"query\" at line 1 after 61 seconds.");
    }
    answer["elements"] = Value::Array(elements);
    (call(request, (south, west, north, east)), Canned::json("200 OK", &answer))
}

fn call(request: &Request, cell: (f64, f64, f64, f64)) -> Call {
    Call { service: "overpass", cell, paging: false, headers: request.headers.clone() }
}

fn refused(query: &str) -> Canned {
    Canned::html("400 Bad Request", &format!("<p><strong>Error</strong>: line 1: parse error: Unknown type \"{query}\"</p>"))
}

fn element(known: &Known) -> Option<Value> {
    let kind = known.osm?;
    let mut tags = json!({ "name": known.name, "addr:city": known.city });
    tags[if known.number.is_multiple_of(5) { "craft" } else { "shop" }] = json!("tattoo");
    if let Some(website) = &known.website {
        tags["contact:website"] = json!(website);
    }
    if let Some(phone) = &known.phone {
        tags["phone"] = json!(phone);
    }
    let (lat, lon) = known.at;
    Some(match kind {
        "node" => json!({ "type": kind, "id": known.number, "lat": lat, "lon": lon, "tags": tags }),
        _ => json!({ "type": kind, "id": known.number, "center": { "lat": lat, "lon": lon }, "nodes": [1, 2], "tags": tags }),
    })
}
