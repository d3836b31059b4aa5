//! `inkdex show`: an artist's record, each fact with the page, the extractor and the confidence it rests on.

use crate::cli::{Common, output, world};
use anyhow::bail;
use clap::Args;
use inkdex::app::single;
use inkdex::domain::artist::{Artist, ArtistRow, Life};
use inkdex::domain::clock::Timestamp;
use inkdex::domain::facts::Fact;
use inkdex::domain::ids::ArtistId;
use inkdex::extract::normal_handle;
use inkdex::store::Store;
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::process::ExitCode;

/// What newcomers need to know of it.
pub const HELP: &str = "Examples:
  inkdex show artist-1f0c…          by the id that `inkdex search` prints
  inkdex show @ana.inks             by Instagram handle
  inkdex show @ana.inks --json      everything, for programs

Works beside a running daemon.";

/// Longest value in the table, characters.
const VALUE_MAX_CHARS: usize = 72;

/// The basis of a fact that no page has to say.
const CONFIRMED: &str = "confirmed";

/// Whom to show.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct ShowArgs {
    /// An artist's id, or @handle.
    artist: String,
}

/// One fact as shown.
#[derive(Debug, Serialize)]
struct Shown {
    field: &'static str,
    value: String,
    page: String,
    extractor: String,
    #[serde(serialize_with = "inkdex::domain::facts::in_thousandths")]
    confidence: f32,
    basis: String,
    observed_at: String,
    #[serde(skip)]
    at: Timestamp,
}

/// Runs the verb.
///
/// # Errors
/// There is no such artist, or a sentence that says what to change.
pub async fn run(common: Common, args: ShowArgs) -> anyhow::Result<ExitCode> {
    let config = common.config()?;
    let (store, clock) = world::reading(&config).await?;
    let row = find(store.as_ref(), &args.artist).await?;
    // Rule 15: whoever is on the denylist is shown to nobody, purged yet or not.
    let hasher = single::deny_hasher(&config, store.as_ref()).await?;
    let denied = match (&hasher, &row.record) {
        (Some(hasher), Some(record)) => store.is_denied(&hasher.of_record(&row.id, record)).await?,
        (Some(hasher), None) => store.is_denied(&[hasher.of_artist(&row.id)]).await?,
        (None, _) => false,
    };
    let record = match row.live() {
        Some(record) if !denied => record,
        _ => bail!("{}", why_hidden(&row, denied)),
    };
    let facts = facts_of(record);
    let sources: Vec<String> = store.evidence_of(&row.id).await?.iter().map(|row| row.source.key()).collect();
    let keys: Vec<String> = store.identities_of(&row.id).await?.iter().map(|key| key.as_str().to_owned()).collect();
    if common.json {
        output::json(&json!({
            "id": row.id, "name": record.name.value, "version": row.version, "checked_at": row.checked_at.rfc3339(),
            "completeness": record.completeness(), "pages": record.pages, "own_site": record.own_site, "facts": facts,
            "confirmed": confirmed_of(record), "sources": sources, "known_by": keys,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let now = clock.now();
    output::line(&format!("{}   {}", record.name.value, row.id))?;
    output::line(&format!(
        "checked {}, {:.0} % of the fields known, page {}\n",
        output::age(row.checked_at, now),
        record.completeness() * 100.0,
        record.pages.first().map_or("unknown", url::Url::as_str)
    ))?;
    let mut rows = vec![["field", "value", "confidence", "read by", "age", "page"].map(str::to_owned).to_vec()];
    rows.extend(facts.iter().map(|fact| {
        vec![
            fact.field.to_owned(),
            output::short(&fact.value, VALUE_MAX_CHARS),
            format!("{:.2}", fact.confidence),
            fact.extractor.clone(),
            output::span(now.since(fact.at)),
            if fact.basis == CONFIRMED { format!("said by the {}", fact.extractor) } else { fact.page.clone() },
        ]
    }));
    output::line(&output::columns(&rows))?;
    output::line(&format!("\nread from {}; one person by {}", sources.join(", "), keys.join(", ")))?;
    if !record.confirmed.is_empty() {
        let said: Vec<String> = confirmed_of(record).into_iter().map(|(field, by)| format!("{field} ({by})")).collect();
        output::line(&format!("confirmed, whatever pages say: {}", said.join(", ")))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn find(store: &dyn Store, asked: &str) -> anyhow::Result<ArtistRow> {
    let asked = asked.trim();
    if let Some(row) = store.artist(&ArtistId::new(asked)).await? {
        return Ok(row);
    }
    if let Some(handle) = normal_handle(asked.trim_start_matches('@'))
        && let Some(row) = store.by_instagram(&format!("INSTAGRAM#{handle}")).await?
    {
        return Ok(row);
    }
    bail!("there is no artist {asked}; `inkdex search` prints ids")
}

fn why_hidden(row: &ArtistRow, denied: bool) -> String {
    let id = &row.id;
    match row.life {
        Life::Removed => format!("artist {id} was removed for good"),
        _ if denied => format!("artist {id} was removed for good"),
        Life::Retired => format!("artist {id} is retired: no source names them any more"),
        Life::Live => format!("the row of artist {id} does not pass its own hash; it is hidden until it is scraped again"),
    }
}

/// The fields that somebody confirmed or corrected, and who.
fn confirmed_of(record: &Artist) -> BTreeMap<&'static str, &'static str> {
    record.confirmed.iter().map(|(field, by)| (field.as_str(), by.as_str())).collect()
}

fn facts_of(record: &Artist) -> Vec<Shown> {
    let mut all = vec![one("name", &record.name)];
    all.extend(record.studio.iter().map(|fact| one("studio", fact)));
    all.extend(record.city.iter().map(|fact| one("city", fact)));
    all.extend(record.region.iter().map(|fact| one("region", fact)));
    all.extend(record.country.iter().map(|fact| one("country", fact)));
    all.extend(record.coordinates.iter().map(|fact| shown("coordinates", format!("{}, {}", fact.value.lat, fact.value.lon), fact)));
    all.extend(record.instagram.iter().map(|fact| shown("instagram", format!("@{}", fact.value), fact)));
    all.extend(record.styles.iter().map(|fact| one("style", fact)));
    all.extend(record.emails.iter().map(|fact| one("e-mail", fact)));
    all.extend(record.phones.iter().map(|fact| one("phone", fact)));
    all.extend(record.socials.iter().map(|fact| one("profile", fact)));
    all.extend(record.images.iter().map(|fact| one("picture", fact)));
    all.extend(record.bio.iter().map(|fact| one("bio", fact)));
    all
}

fn one<T: ToString>(field: &'static str, fact: &Fact<T>) -> Shown {
    shown(field, fact.value.to_string(), fact)
}

fn shown<T>(field: &'static str, value: String, fact: &Fact<T>) -> Shown {
    let evidence = &fact.evidence;
    Shown {
        field,
        value,
        page: evidence.page.to_string(),
        extractor: evidence.extractor.clone(),
        confidence: evidence.confidence,
        basis: format!("{:?}", evidence.basis).to_lowercase(),
        observed_at: evidence.observed_at.rfc3339(),
        at: evidence.observed_at,
    }
}
