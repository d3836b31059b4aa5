//! Sources of studios against a server of ours that speaks as the services do: ceilings, page tokens, errors and nonsense.

mod calls;
mod grids;
mod key;
mod limits;
mod sessions;
mod sources;

use crate::support::ports::ports_in;
use crate::support::studio_apis::{Call, KEY, Known, OVERPASS_HOST, PLACES_HOST, StudioApis};
use inkdex::discover::Asking;
use inkdex::discover::cells::CellSearch;
use inkdex::discover::grid::{Area, Budget, GridSettings, GridSource};
use inkdex::discover::overpass::{Overpass, OverpassSettings};
use inkdex::discover::places::GooglePlaces;
use inkdex::domain::breaker::BreakerSettings;
use inkdex::domain::chance::Chance;
use inkdex::domain::clock::{ManualClock, Timestamp};
use inkdex::domain::grid::Rectangle;
use inkdex::domain::ids::SessionId;
use inkdex::domain::secret::Secret;
use inkdex::jobs::{Ports, Progress};
use inkdex::scrape::guard::{Guard, HostMap};
use inkdex::scrape::http::api::ApiClient;
use inkdex::scrape::limits::FetchLimits;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// 2026-11-22T12:00:00Z.
const NOON: Timestamp = Timestamp(1_795_348_800_000_000);
/// How long a source that failed too often is left alone here.
const LEFT_ALONE: Duration = Duration::from_secs(60);

fn london() -> Area {
    Area { name: "london".to_owned(), rectangle: Rectangle::new(51.28, -0.51, 51.69, 0.33).unwrap() }
}

fn settings() -> GridSettings {
    GridSettings {
        budget: Budget { per_run: 100_000, per_day: 100_000 },
        floor_m: 20.0,
        spacing: Duration::ZERO,
        tries: 3,
        breaker: BreakerSettings {
            window: Duration::from_secs(3_600),
            calls_min: usize::MAX,
            in_a_row: Some(3),
            open_for: LEFT_ALONE,
            ..BreakerSettings::default()
        },
    }
}

/// Ports, a clock that stands still, and a server of services over a made-up world.
struct Bench {
    apis: StudioApis,
    ports: Ports,
    clock: Arc<ManualClock>,
    folder: tempfile::TempDir,
}

impl Bench {
    fn over(world: Vec<Known>) -> Self {
        let (apis, folder) = (StudioApis::start(world), tempfile::tempdir().unwrap());
        let clock = Arc::new(ManualClock::at(NOON));
        let ports = ports_in(folder.path(), HostMap::none(), clock.clone());
        Self { apis, ports, clock, folder }
    }

    fn client(&self, decoded_bytes: usize) -> ApiClient {
        let limits = FetchLimits { decoded_bytes, head_ms: 5_000, ..FetchLimits::default() };
        let guard = Arc::new(Guard::new(self.apis.hosts()));
        ApiClient::new(guard, limits, "Inkdex/0.1 (+http://localhost/bot)", self.clock.clone()).unwrap()
    }

    fn search_with(&self, key: &str) -> GooglePlaces {
        let url = Url::parse(&format!("https://{PLACES_HOST}")).unwrap();
        GooglePlaces::new(self.client(200_000), &url, Secret::new(key), "tattoo studio", "en").unwrap()
    }

    fn overpass_search(&self, elements_max: usize) -> Overpass {
        let url = Url::parse(&format!("https://{OVERPASS_HOST}/api/interpreter")).unwrap();
        Overpass::new(self.client(200_000), OverpassSettings { url, query_s: 60, elements_max })
    }

    fn grid(&self, search: impl CellSearch + 'static, areas: Vec<Area>, settings: GridSettings) -> GridSource {
        let (store, objects) = (self.ports.store.clone(), self.ports.objects.clone());
        GridSource::new(Arc::new(search), areas, settings, store, objects, self.clock.clone())
    }

    /// Google Places over London.
    fn places(&self) -> GridSource {
        self.places_with(settings())
    }

    fn places_with(&self, settings: GridSettings) -> GridSource {
        self.grid(self.search_with(KEY), vec![london()], settings)
    }

    /// OpenStreetMap over London.
    fn overpass(&self, elements_max: usize) -> GridSource {
        self.grid(self.overpass_search(elements_max), vec![london()], settings())
    }
}

fn asking(run: &str) -> Asking {
    Asking { run: SessionId::new(run), progress: Progress::default() }
}

/// A thousand studios, most of them in a square kilometre.
fn crowded(seed: u64) -> Vec<Known> {
    println!("seed {seed}");
    let chance = Chance::seeded(seed);
    let fraction = || chance.up_to(Duration::from_secs(1)).as_secs_f64();
    let spot = |number: u64| match number % 10 {
        0..7 => (51.510 + 0.009 * fraction(), -0.140 + 0.014 * fraction()),
        7 | 8 => (51.545 + 0.010 * fraction(), -0.060 + 0.020 * fraction()),
        _ => (51.29 + 0.39 * fraction(), -0.50 + 0.82 * fraction()),
    };
    (0..1_000).map(|number| Known::new(number, &format!("Studio {number}"), spot(number))).collect()
}

/// The cells of calls that began one.
fn begun(calls: &[Call]) -> Vec<String> {
    calls.iter().filter(|call| !call.paging).map(|call| format!("{:?}", call.cell)).collect()
}

fn all_different(cells: &[String]) -> bool {
    cells.iter().collect::<BTreeSet<_>>().len() == cells.len()
}
