//! From a committed change to its being searchable: changes at a fixed rate through the Writer, seen by searches of the alias.

use crate::bare;
use crate::changes::request;
use crate::fixture::Fixture;
use anyhow::{Context, bail};
use futures_util::future::try_join_all;
use inkdex::actors::Role;
use inkdex::app::{App, Surroundings, is_in_step};
use inkdex::config::Config;
use inkdex::domain::clock::{Clock, Timestamp};
use inkdex::domain::ids::ArtistId;
use inkdex::jobs::write_artist::Written;
use inkdex::jobs::{Desk, Ports};
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

/// Artists that are there before; each is changed again and again.
const POPULATION: usize = 500;
/// One change in so many is an artist that was not there.
const NEW_EVERY: usize = 10;
/// Writes under way at once at most, as of a pool of workers.
const AT_ONCE: usize = 48;
/// How often the index is searched.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Versions a search answers at most, the newest first: twenty seconds of changes at the usual rate.
const LOOK_AT: usize = 1_000;
/// After the last write, for whatever is not searchable yet.
const PATIENCE: Duration = Duration::from_secs(60);
/// Below this part of the asked rate the figure says nothing.
const RATE_MET: f64 = 0.95;

/// What came of a run.
pub struct Figure {
    changes: usize,
    wanted_per_second: f64,
    per_second: f64,
    apart: bool,
    lags: Vec<Duration>,
    own: [Option<Duration>; 2],
}

impl Figure {
    fn quantile(&self, quantile: f64) -> Duration {
        let last = self.lags.len().saturating_sub(1);
        self.lags.get((quantile * last as f64).ceil() as usize).copied().unwrap_or(Duration::MAX)
    }

    /// Whether all changes were searchable, p99 in time, at the rate that was asked for.
    pub fn is_met(&self, within: Duration) -> bool {
        self.lags.len() == self.changes && self.quantile(0.99) < within && self.per_second >= self.wanted_per_second * RATE_MET
    }
}

fn ms(duration: Option<Duration>) -> String {
    duration.map_or("none".to_owned(), |duration| format!("{} ms", duration.as_millis()))
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let where_ = if self.apart { "IndexSync in a process of its own" } else { "one process" };
        let [p50, p99, max] = [0.5, 0.99, 1.0].map(|quantile| ms(Some(self.quantile(quantile))));
        let found = self.lags.len();
        writeln!(f, "change → searchable ({where_}): {found} of {} changes at {:.1}/s", self.changes, self.per_second)?;
        writeln!(f, "  seen by searches:             p50 {p50}  p99 {p99}  max {max}")?;
        write!(f, "  inkdex_sync_seconds of it:    p50 {}  p99 {}", ms(self.own[0]), ms(self.own[1]))
    }
}

/// What was committed and what searches saw of it.
#[derive(Default)]
struct Watched {
    /// Versions that are not seen yet.
    unseen: BTreeSet<(i64, ArtistId)>,
    /// From the commit of each change to the first search that saw it or what came after it. A version is the moment just
    /// before its compare-and-set, so that these are at most too long.
    lags: Vec<Duration>,
}

type Watch = Arc<Mutex<Watched>>;

fn lock(watch: &Watch) -> MutexGuard<'_, Watched> {
    watch.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes `changes` at `per_second`. `apart`: IndexSync shares nothing with the process of the Writer but the servers.
pub async fn measure(changes: usize, per_second: f64, apart: bool) -> anyhow::Result<Figure> {
    let fixture = Fixture::prepare().await?;
    let with = |roles: &[Role]| {
        let mut config: Config = fixture.config.clone();
        config.process.roles = roles.to_vec();
        config
    };
    let both = with(&[Role::Schedule, Role::Work, Role::Sync]);
    let filling = start(&both).await?;
    populate(&filling).await?;
    // What is measured starts anew, and so do its metrics.
    filling.stop().await;
    let (writing, syncing) = if apart {
        (start(&with(&[Role::Schedule, Role::Work])).await?, Some(start(&with(&[Role::Sync])).await?))
    } else {
        (start(&both).await?, None)
    };
    let figure = run(&writing, syncing.as_ref().unwrap_or(&writing), &fixture, changes, per_second).await;
    for app in [Some(writing), syncing].into_iter().flatten() {
        app.stop().await;
    }
    fixture.drop_all().await?;
    figure.map(|figure| Figure { apart, ..figure })
}

async fn start(config: &Config) -> anyhow::Result<App> {
    App::start_in(Surroundings::of_this_process()?, config, false).await
}

/// Writes an artist through the Writer; answers who it is and the version that has to be searchable.
async fn write(desk: &dyn Desk, ports: &Ports, number: usize, edition: usize) -> anyhow::Result<(ArtistId, i64)> {
    let written = desk.write(request(number, edition, ports.clock.now())).await?;
    let (Written::New(id) | Written::Changed(id)) = written else { bail!("artist {number} was to be changed, and is {written:?}") };
    let row = ports.store.artist(&id).await?.context("a row that was just written")?;
    Ok((id, row.version))
}

async fn populate(app: &App) -> anyhow::Result<()> {
    for first in (0..POPULATION).step_by(AT_ONCE) {
        let numbers = first..POPULATION.min(first + AT_ONCE);
        try_join_all(numbers.map(|number| write(app.desk.as_ref(), &app.ports, number, 0))).await?;
    }
    in_step(app).await
}

async fn in_step(app: &App) -> anyhow::Result<()> {
    let waiting = async {
        while !is_in_step(&app.ports).await {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.context("the index is not in step")
}

async fn run(writing: &App, syncing: &App, fixture: &Fixture, changes: usize, per_second: f64) -> anyhow::Result<Figure> {
    let watch = Watch::default();
    let mut looking = JoinSet::new();
    looking.spawn(look(fixture.config.clone(), writing.ports.clock.clone(), watch.clone()));
    let permits = Arc::new(Semaphore::new(AT_ONCE));
    let mut writes = JoinSet::new();
    let mut ticks = interval(Duration::from_secs_f64(1.0 / per_second));
    // Late is made up for: the rate is what counts.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let began = writing.ports.clock.monotonic();
    for change in 0..changes {
        ticks.tick().await;
        let (number, edition) =
            if change % NEW_EVERY == 0 { (POPULATION + change, 0) } else { (change % POPULATION, 1 + change / POPULATION) };
        let permit = permits.clone().acquire_owned().await?;
        let (desk, ports, watch) = (writing.desk.clone(), writing.ports.clone(), watch.clone());
        writes.spawn(async move {
            let _permit = permit;
            let (id, version) = write(desk.as_ref(), &ports, number, edition).await?;
            lock(&watch).unseen.insert((version, id));
            anyhow::Ok(())
        });
    }
    while let Some(written) = writes.join_next().await {
        written??;
    }
    let took = writing.ports.clock.monotonic().saturating_sub(began);
    in_step(syncing).await?;
    // In step means written; the search that sees it may still be to come.
    let until = writing.ports.clock.monotonic() + PATIENCE;
    while lock(&watch).lags.len() < changes && writing.ports.clock.monotonic() < until {
        if let Some(ended) = looking.try_join_next() {
            ended??;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let mut lags = std::mem::take(&mut lock(&watch).lags);
    lags.sort_unstable();
    let own = [0.5, 0.99].map(|quantile| syncing.metrics.lag_quantile(quantile));
    Ok(Figure { changes, wanted_per_second: per_second, per_second: changes as f64 / took.as_secs_f64(), apart: false, lags, own })
}

/// Searches again and again for what was not seen yet, from the oldest of it on: a watch that asks for more takes the time of
/// what it measures.
async fn look(config: Config, clock: Arc<dyn Clock>, watch: Watch) -> anyhow::Result<()> {
    let index = bare::index(&config)?;
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(oldest) = lock(&watch).unseen.first().map(|(version, _)| *version) else { continue };
        let newest: HashMap<_, _> = bare::newest(&index, &config.opensearch.prefix, oldest, LOOK_AT).await?.into_iter().collect();
        let at = clock.now();
        let mut watched = lock(&watch);
        let is_seen = |(version, id): &(i64, ArtistId)| newest.get(id).is_some_and(|found| found >= version);
        let seen: Vec<_> = watched.unseen.iter().filter(|one| is_seen(one)).cloned().collect();
        for one in seen {
            watched.lags.push(at.since(Timestamp(one.0)));
            watched.unseen.remove(&one);
        }
    }
}
