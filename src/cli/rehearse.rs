//! `inkdex rehearse`: a whole session over labelled sites, served on this machine under made-up names.

use crate::cli::rehearsal::{self, MappedWeb, Scratch, Tally, lag_line, lags_ms, peak_memory_mb};
use crate::cli::signals::Signals;
use crate::cli::{Common, eval, logs, output};
use clap::Args;
use inkdex::app::App;
use inkdex::demo::{FolderServer, FolderSite};
use inkdex::domain::clock::{Clock, SystemClock};
use inkdex::domain::session::SessionState;
use inkdex::eval::entry_of;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;

/// What newcomers need to know of it.
pub const HELP: &str = "Examples:
  inkdex rehearse corpus/dev                 serve, run a session, print what came of it
  inkdex rehearse corpus/dev --json
  inkdex rehearse corpus/dev --data /tmp/r   keep the data, to look at it with `inkdex dead-letters --set data.folder=/tmp/r`

Sites get names that say nothing (site-01.test …); labels are never served, and of them only `entry` is read.
Nothing leaves this machine: links to other hosts end as dead letters with the reason `guarded`.";

/// Which sites.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct RehearseArgs {
    /// The folder above the labelled sites.
    folder: PathBuf,
    /// Keep the data in this folder instead of a temporary one.
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
}

/// Runs the verb.
///
/// # Errors
/// A sentence that says what to change.
pub async fn run(common: Common, args: RehearseArgs) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::listen()?;
    let clock = SystemClock::new();
    let sites = sites_of(&args.folder)?;
    let studio_file = studio_file(&sites);
    let hosts: Vec<String> = sites.iter().map(|site| site.host.clone()).collect();
    let count = sites.len();
    let server = FolderServer::start(sites).await?;
    let scratch = Scratch::new(args.data)?;
    let mut config = rehearsal::settings(&common, MappedWeb { address: server.addr, hosts, studio_file }, scratch.folder())?;
    // The sites are files: whatever fails fails again at once.
    config.ledger.retry_ms = 200;
    config.ledger.retry_max_ms = 2_000;
    logs::start_quiet(&config.log, "error")?;
    if !common.json {
        eprintln!("{count} sites are served at {}; nothing leaves this machine", server.addr);
    }
    let app = App::start(&config, false).await?;
    let began = clock.monotonic();
    let (app, session) = rehearsal::run_unless_stopped(app, common.json, &mut signals).await?;
    let took = clock.monotonic().saturating_sub(began);
    let tally = Tally::of(&app.ports, &session).await?;
    let memory = peak_memory_mb();
    if common.json {
        let [p50, p99] = lags_ms(&app);
        output::json(&json!({
            "session": session.state, "sites": count, "studios": tally.studios, "not_tattoo": tally.not_tattoo,
            "refused_by_robots": tally.refused, "artists_searchable": tally.searchable, "dead_by_reason": tally.dead_by_reason(),
            "open": tally.open, "seconds": took.as_secs_f64(), "peak_memory_mb": memory,
            "searchable_p50_ms": p50, "searchable_p99_ms": p99,
        }))?;
    } else {
        output::line(&text_of(&tally, &app, session.state, took.as_secs_f64(), memory))?;
    }
    app.stop().await;
    server.stop().await;
    let good = session.state == SessionState::Completed && tally.open == 0;
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The labelled sites under names that give nothing away: in the order of a hash of their own.
fn sites_of(folder: &std::path::Path) -> anyhow::Result<Vec<FolderSite>> {
    let mut roots = eval::site_folders(folder)?;
    roots.sort_by_key(|root| {
        let name = root.file_name().unwrap_or_default().to_string_lossy().into_owned();
        uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, name.as_bytes())
    });
    let site = |(at, root): (usize, PathBuf)| {
        let entry = entry_of(&root)?;
        Ok(FolderSite::open(format!("site-{:02}.test", at + 1), root, &entry))
    };
    roots.into_iter().enumerate().map(site).collect()
}

fn studio_file(sites: &[FolderSite]) -> String {
    let line = |(at, site): (usize, &FolderSite)| json!({ "name": format!("Site {:02}", at + 1), "website": site.address() });
    // A JSON object a line is also YAML.
    sites.iter().enumerate().map(line).map(|entry| format!("- {entry}\n")).collect()
}

fn text_of(tally: &Tally, app: &App, state: SessionState, seconds: f64, memory: Option<f64>) -> String {
    let reasons = tally.dead_by_reason();
    let reasons: Vec<String> = reasons.iter().map(|(code, count)| format!("{code} {count}")).collect();
    let dead = if reasons.is_empty() { "0".to_owned() } else { format!("{}: {}", tally.dead.len(), reasons.join(", ")) };
    let mut rows = vec![
        ["session", state.as_str()].map(str::to_owned).to_vec(),
        vec!["artists searchable".to_owned(), tally.searchable.to_string()],
        vec!["studios and artists' sites".to_owned(), tally.studios.to_string()],
        vec!["no tattoo studio".to_owned(), tally.not_tattoo.to_string()],
        vec!["refused by the site".to_owned(), tally.refused.to_string()],
        vec!["jobs dead".to_owned(), dead],
        vec!["time".to_owned(), format!("{seconds:.1} s")],
        vec!["peak memory".to_owned(), memory.map_or_else(|| "unknown".to_owned(), |mb| format!("{mb:.0} MB"))],
        vec!["commit → searchable".to_owned(), lag_line(app)],
    ];
    if tally.open > 0 {
        rows.push(vec!["JOBS STILL OPEN".to_owned(), tally.open.to_string()]);
    }
    output::columns(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use inkdex::discover::file::parse;
    use std::path::Path;

    #[test]
    fn hosts_give_nothing_away_and_the_studio_file_can_be_read() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sites");
        let sites = sites_of(&folder).unwrap();
        assert!(sites.len() >= 16);
        let names: Vec<String> = sites.iter().map(|site| site.root.file_name().unwrap().to_string_lossy().into_owned()).collect();
        assert!(!names.is_sorted(), "the order of hosts is that of the folders");
        assert!(sites.iter().zip(&names).all(|(site, name)| !site.host.contains(name.as_str()) && site.host.ends_with(".test")));
        let read = parse(Path::new("studios.yaml"), "test", &studio_file(&sites)).unwrap();
        assert_eq!((read.studios.len(), read.problems.len()), (sites.len(), 0));
        assert_eq!(read.studios[0].website.as_ref().unwrap().host_str(), Some("site-01.test"));
    }
}
