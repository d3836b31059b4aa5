//! `inkdex demo`: a whole session over the made-up web, on embedded backends in a temporary folder.

use crate::cli::{Common, progress};
use anyhow::Context as _;
use clap::Args;
use inkdex::app::{self, App};
use inkdex::config::{Config, MappedHost};
use inkdex::demo::{DemoServer, DemoServerOptions, DemoWeb, Fate};
use inkdex::domain::clock::{Clock, SystemClock};
use inkdex::domain::text::tokens;
use inkdex::search::{SearchIndex, SearchQuery};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How long the index may take to show what was committed last.
const IN_STEP_WITHIN: Duration = Duration::from_secs(30);
/// Milliseconds between two requests to a host of the made-up web; real hosts are never visited so fast.
const SPACING_MS: u64 = 20;

/// Options of the demo.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Leave after the summary instead of serving the search page.
    #[arg(long)]
    exit: bool,
    /// Seed of the made-up web: people, handles, styles.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Keep the data in this folder instead of a temporary one.
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
}

/// Runs the verb.
///
/// # Errors
/// A sentence that says what to change.
pub async fn run(common: Common, args: DemoArgs) -> anyhow::Result<()> {
    let clock = SystemClock::new();
    let began = clock.monotonic();
    let web = Arc::new(DemoWeb::generate(args.seed));
    let wall: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let server = DemoServer::start(web.clone(), DemoServerOptions::new(Arc::new(move || wall.now().0 / 1_000))).await?;
    let scratch = Scratch::new(args.data)?;
    let config = settings(&common, &web, &server, &scratch)?;
    say(&common, &format!("a made-up web of {} sites is served at {}; nothing leaves this machine", web.sites().len(), server.addr));

    let app = App::start(&config, !args.exit).await?;
    let id = app.control.start_session().await?;
    progress::follow(&app.ports, &id, common.json).await?;
    wait_in_step(&app).await?;
    let took = clock.monotonic().saturating_sub(began);
    let summary = summarise(&app, &web).await?;
    summary.print(&common, &app, took);
    if !args.exit {
        show_searches(&common, &app, &web).await?;
        if let Some(address) = app.web {
            println!("\nsearch page: http://{address}/   (Ctrl-C ends)");
        }
        println!("{}", summary.line(took));
        tokio::signal::ctrl_c().await?;
    } else {
        show_searches(&common, &app, &web).await?;
        println!("{}", summary.line(took));
    }
    app.stop().await;
    server.stop().await;
    Ok(())
}

fn say(common: &Common, text: &str) {
    if !common.json {
        eprintln!("{text}");
    }
}

/// The folder of the demo's data, removed at the end unless the caller named it.
struct Scratch {
    folder: PathBuf,
    temporary: bool,
}

impl Scratch {
    fn new(named: Option<PathBuf>) -> anyhow::Result<Self> {
        let temporary = named.is_none();
        let folder = named.unwrap_or_else(|| std::env::temp_dir().join(format!("inkdex-demo-{}", uuid::Uuid::new_v4().simple())));
        std::fs::create_dir_all(&folder).with_context(|| format!("the folder {} cannot be made", folder.display()))?;
        Ok(Self { folder, temporary })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.temporary {
            // A temporary folder that cannot be removed is the system's to clean.
            let _left_to_the_system = std::fs::remove_dir_all(&self.folder);
        }
    }
}

fn settings(common: &Common, web: &DemoWeb, server: &DemoServer, scratch: &Scratch) -> anyhow::Result<Config> {
    let mut config = common.config()?;
    let file = scratch.folder.join("studios.yaml");
    std::fs::write(&file, web.studio_file())?;
    config.data.folder = scratch.folder.clone();
    config.discovery.studio_files = vec![file];
    config.pipeline.scheduled = false;
    let mapped = |host| MappedHost { host, address: server.addr.ip(), port: server.addr.port(), spacing_ms: SPACING_MS };
    config.fetch.hosts = web.hosts().into_iter().map(mapped).collect();
    // Everything that waits for a real web or a real night is shortened; nothing else differs from production.
    config.fetch.ask_again_ms = SPACING_MS;
    config.pipeline.tick_ms = 20;
    config.ledger.sweep_every_ms = 50;
    config.workers.resize_every_ms = 50;
    Ok(config)
}

async fn wait_in_step(app: &App) -> anyhow::Result<()> {
    let began = app.ports.clock.monotonic();
    while !app::is_in_step(&app.ports).await {
        anyhow::ensure!(app.ports.clock.monotonic().saturating_sub(began) < IN_STEP_WITHIN, "the index did not catch up");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

/// What store, ledger and index say after the drain.
#[derive(Debug)]
struct Summary {
    studios: usize,
    searchable: u64,
    dead: usize,
    dead_reasons: Vec<String>,
    refused: usize,
    not_tattoo: usize,
    missing: Vec<String>,
    open: u64,
}

async fn summarise(app: &App, web: &DemoWeb) -> anyhow::Result<Summary> {
    let ports = &app.ports;
    let mut summary =
        Summary { studios: 0, searchable: 0, dead: 0, dead_reasons: Vec::new(), refused: 0, not_tattoo: 0, missing: Vec::new(), open: 0 };
    let Some(session) = ports.store.sessions(1).await?.into_iter().next() else { return Ok(summary) };
    let mut ended_planned = BTreeSet::new();
    let mut after = None;
    loop {
        let jobs = ports.store.jobs_in(&session.id, None, after.as_ref(), 500).await?;
        for job in &jobs {
            use inkdex::domain::job::{JobKind, Task};
            use inkdex::domain::outcome::Done;
            let name = match &job.new.task {
                Task::ScrapeArtist(task) => Some(task.name.clone()),
                _ => None,
            };
            if let Some(reason) = job.death() {
                summary.dead += 1;
                summary.dead_reasons.push(format!("{} ({})", reason.code, name.clone().unwrap_or_default()));
                ended_planned.extend(name.clone());
            }
            match (job.kind(), job.done()) {
                (JobKind::FindArtists, Some(Done::NotTattoo)) => summary.not_tattoo += 1,
                (JobKind::FindArtists, Some(_)) => summary.studios += 1,
                (JobKind::ScrapeArtist, Some(Done::RefusedByRobots)) => {
                    summary.refused += 1;
                    ended_planned.extend(name);
                }
                _ => {}
            }
            summary.open += u64::from(!job.state.is_terminal());
        }
        match jobs.last() {
            Some(job) => after = Some(job.new.id.clone()),
            None => break,
        }
    }
    summary.searchable = search(ports.index.as_ref(), "").await?.0;
    for artist in web.artists() {
        let ended = artist.fate != Fate::Searchable && ended_planned.contains(&artist.name);
        let (_, names) = search(ports.index.as_ref(), &artist.name).await?;
        if !ended && !names.contains(&artist.name) {
            summary.missing.push(artist.name.clone());
        }
    }
    Ok(summary)
}

async fn search(index: &dyn SearchIndex, text: &str) -> anyhow::Result<(u64, Vec<String>)> {
    let page = index.search(&SearchQuery { tokens: tokens(text), limit: 50, ..SearchQuery::default() }).await?;
    Ok((page.total, page.hits.into_iter().map(|hit| hit.document.name).collect()))
}

impl Summary {
    fn lost(&self) -> u64 {
        self.missing.len() as u64 + self.open
    }

    fn line(&self, took: Duration) -> String {
        let letters = if self.dead == 1 { "1 dead letter".to_owned() } else { format!("{} dead letters", self.dead) };
        format!(
            "demo: {} studios, {} artists searchable, {letters}, {} lost, {:.1} s",
            self.studios,
            self.searchable,
            self.lost(),
            took.as_secs_f64()
        )
    }

    fn print(&self, common: &Common, app: &App, took: Duration) {
        let lag = |quantile| app.metrics.lag_quantile(quantile).map_or(0.0, |lag| lag.as_secs_f64() * 1_000.0);
        if common.json {
            let value = serde_json::json!({
                "studios": self.studios, "artists_searchable": self.searchable, "dead_letters": self.dead, "lost": self.lost(),
                "refused_by_robots": self.refused, "not_tattoo": self.not_tattoo, "seconds": took.as_secs_f64(),
                "searchable_p50_ms": lag(0.5), "searchable_p99_ms": lag(0.99),
            });
            println!("{value}");
            return;
        }
        println!("studios read          {:>5}", self.studios);
        println!("no tattoo studio      {:>5}", self.not_tattoo);
        println!("artists searchable    {:>5}", self.searchable);
        println!("refused by robots.txt {:>5}", self.refused);
        println!("dead letters          {:>5}   {}", self.dead, self.dead_reasons.join(", "));
        println!("commit → searchable   p50 {:.0} ms, p99 {:.0} ms", lag(0.5), lag(0.99));
        for name in &self.missing {
            println!("LOST: {name}");
        }
    }
}

async fn show_searches(common: &Common, app: &App, web: &DemoWeb) -> anyhow::Result<()> {
    if common.json {
        return Ok(());
    }
    let example = web.artists().iter().find(|artist| artist.fate == Fate::Searchable);
    let name = example.map_or("ana", |artist| artist.name.as_str());
    let queries = [
        ("a name", SearchQuery { tokens: tokens(name), ..SearchQuery::default() }),
        ("a style", SearchQuery { styles: vec!["fine-line".to_owned()], ..SearchQuery::default() }),
        ("a place", SearchQuery { country: Some("GB".to_owned()), city_key: Some("LONDON".to_owned()), ..SearchQuery::default() }),
    ];
    for (what, query) in queries {
        let page = app.ports.index.search(&SearchQuery { limit: 3, ..query.clone() }).await?;
        let asked = match what {
            "a name" => format!("inkdex search \"{name}\""),
            "a style" => "inkdex search --style fine-line".to_owned(),
            _ => "inkdex search --location \"London, UK\"".to_owned(),
        };
        println!("\n$ {asked}     ({} found)", page.total);
        for hit in page.hits {
            let document = hit.document;
            let place = [document.city.as_deref(), document.country.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(", ");
            println!("  {:<24} {:<22} {}", document.name, place, document.styles.join(", "));
        }
    }
    println!();
    Ok(())
}
