//! The sources of studios that the configuration names.

use super::backends::secret;
use super::fetching::fetch_limits;
use crate::config::Config;
use crate::discover::StudioSource;
use crate::discover::cells::CellSearch;
use crate::discover::file::StudioFile;
use crate::discover::grid::{Area, Budget, GridSettings, GridSource};
use crate::discover::overpass::{self, Overpass, OverpassSettings};
use crate::discover::places::{self, GooglePlaces};
use crate::domain::breaker::BreakerSettings;
use crate::domain::clock::Clock;
use crate::objects::Objects;
use crate::scrape::guard::Guard;
use crate::scrape::http::api::ApiClient;
use crate::scrape::limits::FetchLimits;
use crate::store::Store;
use anyhow::{Context as _, anyhow};
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Failures in a row after which a source is left alone, and useless answers after which a cell is given up (002-R5, 002-R8).
const TRIES: u32 = 3;
/// How long a source that failed so often is left alone, unless it asks for longer.
const LEFT_ALONE: Duration = Duration::from_secs(60);
/// How far apart failures may be and still be in a row.
const IN_A_ROW_WITHIN: Duration = Duration::from_secs(3_600);

/// What sources need besides their settings.
pub(super) struct Around<'a> {
    pub config: &'a Config,
    pub guard: &'a Arc<Guard>,
    pub store: &'a Arc<dyn Store>,
    pub objects: &'a Objects,
    pub clock: &'a Arc<dyn Clock>,
}

/// Files and services, in the order in which they are asked.
pub(super) fn sources(around: &Around<'_>) -> anyhow::Result<Vec<Arc<dyn StudioSource>>> {
    let config = around.config;
    let mut sources: Vec<Arc<dyn StudioSource>> = Vec::new();
    for path in &config.discovery.studio_files {
        sources.push(Arc::new(StudioFile::new(path)));
    }
    if config.discovery.asks(overpass::NAME) {
        sources.push(openstreetmap(around)?);
    }
    if config.discovery.asks(places::NAME) {
        sources.push(google_places(around)?);
    }
    Ok(sources)
}

fn google_places(around: &Around<'_>) -> anyhow::Result<Arc<dyn StudioSource>> {
    let settings = &around.config.places;
    let key = secret("places.key", &settings.key)?.context("places.key is empty, and discovery.services names `google_places`")?;
    let client = client(around, settings.answer_ms, settings.answer_bytes)?;
    let url = Url::parse(&settings.url).with_context(|| format!("places.url {}", settings.url))?;
    let search = GooglePlaces::new(client, &url, key, &settings.query, &settings.language).map_err(|why| anyhow!(why))?;
    let budget = Budget { per_run: settings.calls_per_run, per_day: settings.calls_per_day };
    Ok(grid(around, Arc::new(search), budget, settings.cell_min_m, settings.spacing_ms, settings.answer_ms))
}

fn openstreetmap(around: &Around<'_>) -> anyhow::Result<Arc<dyn StudioSource>> {
    let settings = &around.config.overpass;
    let client = client(around, settings.answer_ms, settings.answer_bytes)?;
    let url = Url::parse(&settings.url).with_context(|| format!("overpass.url {}", settings.url))?;
    let search = Overpass::new(client, OverpassSettings { url, query_s: settings.query_s, elements_max: settings.elements_max });
    let budget = Budget { per_run: settings.calls_per_run, per_day: settings.calls_per_day };
    Ok(grid(around, Arc::new(search), budget, settings.cell_min_m, settings.spacing_ms, settings.answer_ms))
}

/// A client of one API: the guard and the user agent are those of every request.
fn client(around: &Around<'_>, answer_ms: u64, answer_bytes: usize) -> anyhow::Result<ApiClient> {
    let fetch = &around.config.fetch;
    let limits = FetchLimits {
        head_ms: answer_ms,
        idle_ms: answer_ms,
        total_ms: answer_ms,
        wire_bytes: u64::try_from(answer_bytes).unwrap_or(u64::MAX),
        decoded_bytes: answer_bytes,
        ..fetch_limits(fetch)
    };
    Ok(ApiClient::new(around.guard.clone(), limits, &fetch.user_agent, around.clock.clone())?)
}

fn grid(
    around: &Around<'_>,
    search: Arc<dyn CellSearch>,
    budget: Budget,
    floor_m: f64,
    spacing_ms: u64,
    answer_ms: u64,
) -> Arc<dyn StudioSource> {
    let breaker = BreakerSettings {
        window: IN_A_ROW_WITHIN,
        calls_min: usize::MAX,
        in_a_row: Some(usize::try_from(TRIES).unwrap_or(usize::MAX)),
        open_for: LEFT_ALONE,
        trial_for: Duration::from_millis(answer_ms),
        ..BreakerSettings::default()
    };
    let settings = GridSettings { budget, floor_m, spacing: Duration::from_millis(spacing_ms), tries: TRIES, breaker };
    let areas: Vec<Area> = around.config.discovery.areas.iter().filter_map(crate::config::AreaConfig::area).collect();
    Arc::new(GridSource::new(search, areas, settings, around.store.clone(), around.objects.clone(), around.clock.clone()))
}
