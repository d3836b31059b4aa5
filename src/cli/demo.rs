//! `inkdex demo`: a whole session over the made-up web, on embedded backends in a temporary folder.

use crate::cli::rehearsal::{self, MappedWeb, Scratch, Tally, found, lag_line, lags_ms};
use crate::cli::signals::Signals;
use crate::cli::{Common, logs, output};
use clap::Args;
use inkdex::app::{App, backends_line};
use inkdex::demo::{DemoServer, DemoServerOptions, DemoWeb, Fate};
use inkdex::domain::clock::{Clock, SystemClock};
use inkdex::domain::session::Session;
use inkdex::domain::text::tokens;
use inkdex::search::SearchQuery;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// What newcomers need to know of it.
pub const HELP: &str = "Examples:
  inkdex demo                       the whole path, then the search page until Ctrl-C
  inkdex demo --exit                leave after the summary
  inkdex demo --exit --json         the figures as JSON
  inkdex demo --data /tmp/demo      keep the data, to look at it with `inkdex show --set data.folder=/tmp/demo …`

The sites, their people and their pages are made up and served on this machine; nothing leaves it.";

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
pub async fn run(common: Common, args: DemoArgs) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::listen()?;
    let clock = SystemClock::new();
    let began = clock.monotonic();
    let web = Arc::new(DemoWeb::generate(args.seed));
    let wall: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let server = DemoServer::start(web.clone(), DemoServerOptions::new(Arc::new(move || wall.now().0 / 1_000))).await?;
    let scratch = Scratch::new(args.data)?;
    let mapped = MappedWeb { address: server.addr, hosts: web.hosts(), studio_file: web.studio_file() };
    let config = rehearsal::settings(&common, mapped, scratch.folder())?;
    logs::start_quiet(&config.log, "error")?;
    if !common.json {
        eprintln!("a made-up web of {} sites is served at {}; nothing leaves this machine", web.sites().len(), server.addr);
    }

    let app = App::start(&config, !args.exit).await?;
    let (app, session) = rehearsal::run_unless_stopped(app, common.json, &mut signals).await?;
    let took = clock.monotonic().saturating_sub(began);
    let summary = summarise(&app, &web, &session).await?;
    summary.print(&common, &app, took)?;
    show_searches(&common, &app, &web).await?;
    if let Some(address) = app.web.filter(|_| !common.json) {
        output::line(&format!("search page: http://{address}/   (Ctrl-C ends)"))?;
    }
    if !common.json {
        output::line(&backends_line(&app.ports.backends))?;
        output::line(&summary.line(took))?;
    }
    if !args.exit {
        signals.next().await;
    }
    let lost = summary.lost();
    app.stop().await;
    server.stop().await;
    Ok(if lost == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What store, ledger and index say after the drain.
#[derive(Debug)]
struct Summary {
    tally: Tally,
    missing: Vec<String>,
}

async fn summarise(app: &App, web: &DemoWeb, session: &Session) -> anyhow::Result<Summary> {
    let tally = Tally::of(&app.ports, session).await?;
    let mut missing = Vec::new();
    for artist in web.artists() {
        let ended = artist.fate != Fate::Searchable && tally.ended.contains(&artist.name);
        let (_, names) = found(app.ports.index.as_ref(), &tokens(&artist.name)).await?;
        if !ended && !names.contains(&artist.name) {
            missing.push(artist.name.clone());
        }
    }
    Ok(Summary { tally, missing })
}

impl Summary {
    fn lost(&self) -> u64 {
        self.missing.len() as u64 + self.tally.open
    }

    fn line(&self, took: Duration) -> String {
        let dead = self.tally.dead.len();
        let letters = if dead == 1 { "1 dead letter".to_owned() } else { format!("{dead} dead letters") };
        format!(
            "demo: {} studios, {} artists searchable, {letters}, {} lost, {:.1} s",
            self.tally.studios,
            self.tally.searchable,
            self.lost(),
            took.as_secs_f64()
        )
    }

    fn print(&self, common: &Common, app: &App, took: Duration) -> anyhow::Result<()> {
        let tally = &self.tally;
        if common.json {
            let [p50, p99] = lags_ms(app);
            return output::json(&json!({
                "studios": tally.studios, "artists_searchable": tally.searchable, "dead_letters": tally.dead.len(),
                "dead_by_reason": tally.dead_by_reason(), "lost": self.lost(), "lost_names": self.missing,
                "refused_by_robots": tally.refused, "not_tattoo": tally.not_tattoo, "seconds": took.as_secs_f64(),
                "searchable_p50_ms": p50, "searchable_p99_ms": p99,
            }));
        }
        let dead: Vec<String> = tally.dead.iter().map(|(code, about)| format!("{code} ({about})")).collect();
        output::line(&format!("studios read          {:>5}", tally.studios))?;
        output::line(&format!("no tattoo studio      {:>5}", tally.not_tattoo))?;
        output::line(&format!("artists searchable    {:>5}", tally.searchable))?;
        output::line(&format!("refused by robots.txt {:>5}", tally.refused))?;
        output::line(&format!("dead letters          {:>5}   {}", dead.len(), dead.join(", ")))?;
        output::line(&format!("commit → searchable         {}", lag_line(app)))?;
        for name in &self.missing {
            output::line(&format!("LOST: {name}"))?;
        }
        Ok(())
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
        output::line(&format!("\n$ {asked}     ({} found)", page.total))?;
        let rows: Vec<Vec<String>> = page.hits.iter().map(crate::cli::search::row).collect();
        output::line(&output::columns(&rows))?;
        let more = page.total.saturating_sub(page.hits.len() as u64);
        if more > 0 {
            output::line(&format!("and {more} more"))?;
        }
    }
    output::line("")
}
