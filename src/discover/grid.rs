//! [`GridSource`]: asks a source that cuts its answers off, cell by cell, dividing cells that are full; within a budget of
//! calls and behind a breaker.
//!
//! After each cell what it named is put into the object store and the grid into the store, in this order: a run that dies asks
//! no finished cell again, and what was named is kept no longer than until it stands in studios' rows.

use crate::discover::account::Account;
pub use crate::discover::account::Budget;
use crate::discover::cells::{CallError, CellSearch, Page, told};
use crate::discover::{AreaCoverage, Asking, Discovered, SourceError, StudioSource};
use crate::domain::artist::hex;
use crate::domain::breaker::{Admission, Breaker, BreakerSettings};
use crate::domain::clock::Clock;
use crate::domain::grid::{Cell, Extent, Grid, Rectangle, rectangle_of};
use crate::domain::ids::SessionId;
use crate::domain::studio::FoundStudio;
use crate::objects::Objects;
use crate::store::{Store, StoreError};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tracing::{debug, info, warn};

/// An area to find studios in.
#[derive(Debug, Clone, PartialEq)]
pub struct Area {
    /// Its name in reports and keys: lower case letters, digits and hyphens.
    pub name: String,
    /// Where it is.
    pub rectangle: Rectangle,
}

/// How a source is asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GridSettings {
    /// How many calls may be made.
    pub budget: Budget,
    /// Cells are not divided into quarters narrower than this, metres.
    pub floor_m: f64,
    /// Between two calls.
    pub spacing: Duration,
    /// Useless answers after which a cell is given up.
    pub tries: u32,
    /// When the source is left alone.
    pub breaker: BreakerSettings,
}

/// Where what a run was named is kept until it is taken.
pub fn run_folder(run: &SessionId) -> String {
    format!("discovery/{run}")
}

/// A source over a grid of cells.
pub struct GridSource {
    search: Arc<dyn CellSearch>,
    areas: Vec<Area>,
    settings: GridSettings,
    store: Arc<dyn Store>,
    objects: Objects,
    clock: Arc<dyn Clock>,
    account: Account,
    breaker: Mutex<Breaker>,
    next_call: Mutex<Duration>,
}

impl std::fmt::Debug for GridSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GridSource").field("search", &self.search).field("areas", &self.areas.len()).finish_non_exhaustive()
    }
}

/// What a cell named, in the object store.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Named {
    studios: Vec<FoundStudio>,
    unusable: u64,
}

/// An area on the way.
struct Walk<'a> {
    area: &'a Area,
    key: String,
    stored: Option<String>,
    grid: Grid,
    named: BTreeMap<String, Named>,
}

/// Why no further cell is asked.
enum Stop {
    /// In this run: the others wait for the next.
    ThisRun(String),
    /// This answer was useless.
    Useless(String),
    /// At all.
    Source(SourceError),
}

impl<E: Into<SourceError>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Source(error.into())
    }
}

impl GridSource {
    /// Over `areas`, keeping its grids in `store` and `objects`.
    pub fn new(
        search: Arc<dyn CellSearch>,
        areas: Vec<Area>,
        settings: GridSettings,
        store: Arc<dyn Store>,
        objects: Objects,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let account = Account::of(store.clone(), search.name(), settings.budget);
        let breaker = Mutex::new(Breaker::new(settings.breaker));
        Self { search, areas, settings, store, objects, clock, account, breaker, next_call: Mutex::default() }
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is asked where, as a hash.
    fn question(&self, area: &Area) -> String {
        let asked = format!("{}|{}|{}", self.search.question(), area.rectangle, self.settings.floor_m);
        hex(&Sha256::digest(asked.as_bytes())[..8])
    }

    fn grid_key(&self, area: &Area) -> String {
        format!("discovery.grid/{}/{}", self.search.name(), area.name)
    }

    fn area_folder(&self, run: &SessionId, area: &Area) -> String {
        format!("{}/cells/{}/{}", run_folder(run), self.search.name(), area.name)
    }

    fn cell_key(&self, run: &SessionId, area: &Area, path: &str) -> String {
        format!("{}/{path}.json", self.area_folder(run, area))
    }

    /// The grid of an area where it stood, or a new one if that one is over or asked another question.
    async fn open<'a>(&self, area: &'a Area, run: &SessionId) -> Result<Walk<'a>, SourceError> {
        let key = self.grid_key(area);
        let stored = self.store.meta(&key).await?;
        let question = self.question(area);
        let known = stored.as_deref().and_then(|text| serde_json::from_str::<Grid>(text).ok());
        let grid = known.filter(|grid| grid.question == question && (grid.run == *run || !grid.is_over()));
        let mut grid = grid.unwrap_or_else(|| Grid::new(question, run.clone()));
        let mut named = BTreeMap::new();
        for (path, asked_in) in grid.untaken() {
            let bytes = self.objects.get(&self.cell_key(&asked_in, area, &path)).await?;
            match bytes.and_then(|bytes| serde_json::from_slice::<Named>(&bytes).ok()) {
                Some(found) => {
                    named.insert(path, found);
                }
                None => grid.lost(&path),
            }
        }
        grid.run = run.clone();
        let mut walk = Walk { area, key, stored, grid, named };
        self.save(&mut walk).await?;
        Ok(walk)
    }

    /// Stores a grid, if nobody else did meanwhile.
    async fn save(&self, walk: &mut Walk<'_>) -> Result<(), SourceError> {
        let text = serde_json::to_string(&walk.grid).map_err(|error| StoreError::Bug(error.to_string()))?;
        if walk.stored.as_ref() == Some(&text) {
            return Ok(());
        }
        if self.store.put_meta(&walk.key, walk.stored.as_deref(), &text).await?.is_some() {
            let why = format!("another attempt works on the area {}", walk.area.name);
            return Err(SourceError::Unavailable { source_name: self.name().to_owned(), why, retry_after: None });
        }
        walk.stored = Some(text);
        Ok(())
    }

    /// Waits until the next call may be made.
    async fn pause(&self) {
        let now = self.clock.monotonic();
        let at = {
            let mut next = self.next_call.lock().unwrap_or_else(PoisonError::into_inner);
            let at = (*next).max(now);
            *next = at + self.settings.spacing;
            at
        };
        tokio::time::sleep(at.saturating_sub(now)).await;
    }

    /// One call, counted before it is made.
    async fn call(&self, asking: &Asking, cell: &Rectangle, token: Option<&str>) -> Result<Page, Stop> {
        let failing = |why: String, retry_after: Option<Duration>, in_a_row: u32| {
            Stop::Source(SourceError::Failing { source_name: self.name().to_owned(), why, retry_after, in_a_row })
        };
        let admitted = self.breaker().admit(self.clock.monotonic());
        let ticket = match admitted {
            Admission::Go(ticket) => ticket,
            Admission::Wait(wait) => {
                // 002-R8
                let (_, in_a_row) = self.account.of_run(&asking.run).await?;
                let why = format!("it failed too often just now and is left alone for {} s", wait.as_secs_f32().ceil());
                return Err(failing(why, Some(wait), in_a_row));
            }
        };
        if let Err(spent) = self.account.charge(&asking.run, self.clock.now()).await? {
            return Err(Stop::ThisRun(spent));
        }
        self.pause().await;
        let answer = self.search.page(cell, token).await;
        asking.progress.step();
        let was_open = self.breaker().is_open();
        self.breaker().ended(ticket, self.clock.monotonic(), answer.is_ok());
        match (was_open, self.breaker().is_open()) {
            (false, true) => warn!(source = self.name(), "studio source {} failed too often and is left alone for a while", self.name()),
            (true, false) => info!(source = self.name(), "studio source {} answers again", self.name()),
            _ => {}
        }
        match answer {
            Ok(page) => {
                self.account.went_well(&asking.run).await?;
                Ok(page)
            }
            Err(CallError::Unavailable { why, retry_after }) => {
                let in_a_row = self.account.failed(&asking.run).await?;
                Err(failing(why, retry_after, in_a_row))
            }
            Err(CallError::Refused { why }) => Err(Stop::Source(SourceError::Refused { source_name: self.name().to_owned(), why })),
            Err(CallError::Useless { why }) => Err(Stop::Useless(told(&why))),
        }
    }

    /// All pages of a cell. Answers what it named, and whether there may be more.
    async fn ask(&self, asking: &Asking, cell: &Rectangle) -> Result<(Named, bool), Stop> {
        let (mut named, mut token, mut full) = (Named::default(), None, false);
        for asked in 1.. {
            let page = self.call(asking, cell, token.as_deref()).await?;
            named.studios.extend(page.studios);
            named.unusable += page.unusable.len() as u64;
            for why in &page.unusable {
                debug!(source = self.name(), "an entry of {} cannot be used: {why}", self.name());
            }
            full |= page.full;
            token = page.next;
            if token.is_none() || asked >= self.search.pages_max() {
                break;
            }
        }
        Ok((named, full || token.is_some()))
    }

    /// Asks open cells until none is left. Answers why it ended earlier, if it did.
    async fn walk(&self, asking: &Asking, walks: &mut [Walk<'_>]) -> Result<Option<String>, SourceError> {
        loop {
            let open = walks.iter().enumerate().filter_map(|(n, walk)| walk.grid.next_open().map(|(tries, path)| (tries, n, path)));
            let Some((tries, n, path)) = open.min() else { return Ok(None) };
            let (path, walk) = (path.to_owned(), &mut walks[n]);
            let cell = rectangle_of(&walk.area.rectangle, &path);
            match self.ask(asking, &cell).await {
                Ok((named, full)) => {
                    let bytes = serde_json::to_vec(&named).map_err(|error| StoreError::Bug(error.to_string()))?;
                    // What was named first: a grid never says that a cell is finished whose answer is not there.
                    self.objects.put(&self.cell_key(&asking.run, walk.area, &path), bytes).await?;
                    walk.grid.answered(&walk.area.rectangle, &path, named.studios.len(), full, self.settings.floor_m);
                    walk.named.insert(path, named);
                    self.save(walk).await?;
                }
                Err(Stop::Useless(why)) => {
                    let given_up = walk.grid.useless(&path, &why, self.settings.tries);
                    let then = if given_up { "it is given up" } else { "it is asked again" };
                    // 002-R4
                    warn!(source = self.name(), area = %walk.area.name, retry = tries + 1, "no use of {} for {cell} at attempt {}, {then}: {why}", self.name(), tries + 1);
                    self.save(walk).await?;
                    if self.breaker().is_open() {
                        return Ok(Some(format!("too many useless answers in a row, the last: {why}")));
                    }
                }
                Err(Stop::ThisRun(why)) => return Ok(Some(why)),
                Err(Stop::Source(error)) => return Err(error),
            }
            asking.progress.step();
        }
    }

    fn coverage(&self, walk: &Walk<'_>, stopped: Option<&str>) -> AreaCoverage {
        let mut coverage = AreaCoverage { source: self.name().to_owned(), area: walk.area.name.clone(), ..AreaCoverage::default() };
        for (path, cell) in walk.grid.cells() {
            let shown = || rectangle_of(&walk.area.rectangle, path).to_string();
            match cell {
                Cell::Open { .. } => coverage.open += 1,
                Cell::Failed { why } => coverage.failed.push(format!("{}: {why}", shown())),
                Cell::Answered { extent, .. } => {
                    coverage.cells += 1;
                    if *extent == Extent::StillFull {
                        coverage.still_full.push(shown());
                    }
                }
            }
        }
        coverage.unusable = walk.named.values().map(|named| named.unusable).sum();
        coverage.stopped = stopped.filter(|_| coverage.open > 0).map(str::to_owned);
        coverage
    }
}

#[async_trait]
impl StudioSource for GridSource {
    fn name(&self) -> &str {
        self.search.name()
    }

    async fn studios(&self, asking: &Asking) -> Result<Discovered, SourceError> {
        let mut walks = Vec::new();
        for area in &self.areas {
            walks.push(self.open(area, &asking.run).await?);
            asking.progress.step();
        }
        let stopped = self.walk(asking, &mut walks).await?;
        if let Some(why) = &stopped {
            warn!(source = self.name(), "studio source {} is not asked further in this run: {why}", self.name());
        }
        let mut discovered = Discovered { calls: self.account.of_run(&asking.run).await?.0, ..Discovered::default() };
        // Cells share edges, and a full cell names what its quarters name again.
        let mut all: BTreeMap<String, FoundStudio> = BTreeMap::new();
        for walk in walks {
            let mut coverage = self.coverage(&walk, stopped.as_deref());
            let mut here: BTreeMap<String, FoundStudio> = BTreeMap::new();
            for studio in walk.named.into_values().flat_map(|named| named.studios) {
                here.insert(studio.place_id.clone().unwrap_or_else(|| studio.id().to_string()), studio);
            }
            coverage.studios = here.len() as u64;
            discovered.areas.push(coverage);
            all.extend(here);
        }
        discovered.studios = all.into_values().collect();
        Ok(discovered)
    }

    async fn taken(&self, run: &SessionId) -> Result<(), SourceError> {
        for area in &self.areas {
            let key = self.grid_key(area);
            let stored = self.store.meta(&key).await?;
            let Some(mut grid) = stored.as_deref().and_then(|text| serde_json::from_str::<Grid>(text).ok()) else { continue };
            if grid.run != *run {
                continue;
            }
            let mut runs: Vec<SessionId> = grid.untaken().into_iter().map(|(_, asked_in)| asked_in).collect();
            grid.take();
            let walk = &mut Walk { area, key, stored, grid, named: BTreeMap::new() };
            self.save(walk).await?;
            runs.push(run.clone());
            runs.sort();
            runs.dedup();
            for run in runs {
                self.objects.delete_below(&self.area_folder(&run, area)).await?;
            }
        }
        Ok(())
    }
}
