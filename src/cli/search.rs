//! `inkdex search`: the index, asked directly or through the daemon that holds it.

use crate::cli::world::{self, World};
use crate::cli::{Common, output};
use anyhow::anyhow;
use clap::Args;
use inkdex::app;
use inkdex::domain::identity::IdentityKey;
use inkdex::jobs::Ports;
use inkdex::search::Hit;
use inkdex::search::request::{SearchRequest, StyleNames};
use inkdex::search::token::PageTokens;
use serde_json::{Value, json};
use std::process::ExitCode;

/// What newcomers need to know of it.
pub const HELP: &str = "Examples:
  inkdex search \"ana lima\"                                names, studios, words of a bio; one typo is forgiven
  inkdex search --style fine-line --style dotwork         any of these styles
  inkdex search --location \"London, UK\" --style blackwork
  inkdex search --near 51.5074,-0.1278 --radius-km 10
  inkdex search --instagram @ana.inks --json

Each hit ends with the id that `inkdex show` and `inkdex remove` take.";

/// Options of the search; all of them must hold.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct SearchArgs {
    /// Words to find: a name, a studio, a style, a place.
    text: Option<String>,
    /// A style by its name or an alias; give it several times for any of them.
    #[arg(long, value_name = "STYLE")]
    style: Vec<String>,
    /// A city, a country, or both: `London, UK`.
    #[arg(long, value_name = "PLACE")]
    location: Option<String>,
    /// A point: latitude and longitude in degrees.
    #[arg(long, value_name = "LAT,LON", allow_hyphen_values = true)]
    near: Option<String>,
    /// Kilometres around --near.
    #[arg(long, value_name = "N")]
    radius_km: Option<String>,
    /// An Instagram handle, with or without @.
    #[arg(long, value_name = "HANDLE")]
    instagram: Option<String>,
    /// Hits at most, 1 to 50.
    #[arg(long, value_name = "N")]
    limit: Option<String>,
}

impl SearchArgs {
    fn request(&self) -> SearchRequest {
        SearchRequest {
            query: self.text.clone(),
            style: self.style.clone(),
            location: self.location.clone(),
            near: self.near.clone(),
            radius_km: self.radius_km.clone(),
            instagram: self.instagram.clone(),
            page_token: None,
            limit: self.limit.clone(),
        }
    }

    fn pairs(&self) -> Vec<(&'static str, String)> {
        let one = |name, value: &Option<String>| value.clone().map(|value| (name, value));
        let mut pairs: Vec<(&'static str, String)> = self.style.iter().map(|style| ("style", style.clone())).collect();
        pairs.extend(one("query", &self.text));
        pairs.extend(one("location", &self.location));
        pairs.extend(one("near", &self.near));
        pairs.extend(one("radius_km", &self.radius_km));
        pairs.extend(one("instagram", &self.instagram));
        pairs.extend(one("limit", &self.limit));
        pairs
    }
}

/// Runs the verb.
///
/// # Errors
/// Every parameter that is wrong, or a sentence that says what to change.
pub async fn run(common: Common, args: SearchArgs) -> anyhow::Result<ExitCode> {
    let config = common.config()?;
    let answer = match world::open(&config).await? {
        World::Own(ports) => own(&ports, &args).await?,
        World::Daemon(daemon) => daemon.get("/v1/artists", &args.pairs()).await?,
    };
    if common.json {
        output::json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    let artists = answer.get("artists").and_then(Value::as_array).cloned().unwrap_or_default();
    let total = answer.get("total").and_then(Value::as_u64).unwrap_or(artists.len() as u64);
    let rows: Vec<Vec<String>> = artists.iter().map(row_of).collect();
    if !rows.is_empty() {
        output::line(&output::columns(&rows))?;
    }
    let shown = rows.len() as u64;
    output::line(&match (total, total > shown) {
        (0, _) => "nobody found; leave a filter out, or see `inkdex search` without any".to_owned(),
        (1, _) => "1 found".to_owned(),
        (_, false) => format!("{total} found"),
        (_, true) => format!("{total} found, {shown} shown; --limit shows up to 50"),
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn own(ports: &Ports, args: &SearchArgs) -> anyhow::Result<Value> {
    let styles = &ports.styles;
    let known: Vec<String> = styles.all().iter().map(|style| style.slug.clone()).collect();
    let resolve = |name: &str| styles.resolve(name).map(|style| style.slug.clone());
    // No page token goes in or out, so any key does.
    let query = args.request().read(StyleNames { resolve: &resolve, known: &known }, &PageTokens::new([0; 32])).map_err(|bad| {
        anyhow!("{}", bad.problems.iter().map(|p| format!("{}: {}", p.parameter, p.message)).collect::<Vec<_>>().join("\n        "))
    })?;
    if !app::is_in_step(ports).await {
        eprintln!("the index is behind the store: `inkdex serve` or `inkdex reconcile --repair` brings it up");
    }
    // A search by handle is a read by key, so the denylist is asked as well (rule 15).
    if let Some(key) = query.instagram.as_deref().and_then(IdentityKey::instagram)
        && ports.store.is_denied(&[ports.deny.of_key(&key)]).await?
    {
        return Ok(json!({ "artists": [], "total": 0 }));
    }
    let page = ports.index.search(&query).await?;
    Ok(json!({ "artists": page.hits.iter().map(value_of).collect::<Vec<_>>(), "total": page.total }))
}

fn value_of(hit: &Hit) -> Value {
    let document = &hit.document;
    json!({
        "id": hit.artist_id, "name": document.name, "studio": document.studio, "city": document.city, "country": document.country,
        "styles": document.styles, "coordinates": document.coordinates, "instagram": document.instagram, "completeness": document.completeness,
    })
}

/// A hit as a row.
pub fn row(hit: &Hit) -> Vec<String> {
    row_of(&value_of(hit))
}

fn row_of(artist: &Value) -> Vec<String> {
    let text = |field: &str| artist.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let place: Vec<String> = [text("city"), text("country")].into_iter().filter(|part| !part.is_empty()).collect();
    let styles = artist.get("styles").and_then(Value::as_array).cloned().unwrap_or_default();
    let styles: Vec<&str> = styles.iter().filter_map(Value::as_str).collect();
    vec![text("name"), place.join(", "), output::short(&styles.join(", "), 30), text("id")]
}
