//! `inkdex extract`: reads one site, from the web or from a folder, and prints what it says.

use crate::cli::rehearsal::Scratch;
use crate::cli::{Common, logs, output};
use anyhow::{Context as _, bail};
use clap::Args;
use inkdex::app::single::{self, SiteAt};
use inkdex::domain::clock::SystemClock;
use inkdex::domain::phone::e164;
use inkdex::extract::SiteFacts;
use inkdex::scrape::folder::file_at;
use inkdex::scrape::guard::read_url;
use serde_json::{Value, json};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

/// What newcomers need to know of it.
pub const HELP: &str = "Examples:
  inkdex extract https://studio.example/                 one polite visit, beside any run
  inkdex extract ./saved-site                            a folder as the root of a web site
  inkdex extract ./saved-site --entry start.html --json  one line, for programs

Prints one object: kind (artist, studio, negative), name, studio, city, region, country, instagram, emails, phones,
socials, styles, images, bio, artists, and the evidence of each. Unknown is null or []. Nothing is stored.
On the web robots.txt, spacing and limits hold as in a run. Whoever the directory in data.folder leaves alone, as they were
removed or their host asked to come back later, is left alone here too; of requests that a daemon sends meanwhile nothing is
known. In a folder, other pages are reached by links only; its scripts are given its own files and nothing of the web.";

/// Which site.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct ExtractArgs {
    /// The address of a site's first page, or a folder.
    #[arg(value_name = "URL|FOLDER")]
    site: String,
    /// The first page within a folder.
    #[arg(long, value_name = "PATH")]
    entry: Option<String>,
}

/// Runs the verb.
///
/// # Errors
/// The site cannot be read, and why.
pub async fn run(common: Common, args: ExtractArgs) -> anyhow::Result<ExitCode> {
    let config = common.config()?;
    logs::start_quiet(&config.log, "error")?;
    let site = site_at(&args)?;
    let scratch = Scratch::new(None)?;
    let (visit, entry) = single::single_visit(&config, scratch.folder(), &site, Arc::new(SystemClock::new())).await?;
    let reading = visit.read_as_far(&entry).await?;
    match (&site, reading.undrawn) {
        // What stands on the web may be drawn the next time; a copy is as it is.
        (SiteAt::Web(_), Some(undrawn)) => return Err(undrawn.into()),
        (SiteAt::Folder { .. }, Some(undrawn)) => eprintln!("read as it was sent: {undrawn}"),
        (_, None) => {}
    }
    let value = prediction(&reading.facts)?;
    if common.json {
        output::json(&value)?;
    } else {
        output::line(&serde_json::to_string_pretty(&value)?)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn site_at(args: &ExtractArgs) -> anyhow::Result<SiteAt> {
    let text = args.site.trim();
    let folder = Path::new(text);
    if folder.is_dir() {
        let entry = args.entry.clone().unwrap_or_else(|| "index.html".to_owned());
        if file_at(folder, &entry).is_none() {
            let hint = if args.entry.is_some() { "name a page of the folder" } else { "name its first page with --entry" };
            bail!("{} has no page {entry}; {hint}", folder.display());
        }
        return Ok(SiteAt::Folder { root: folder.to_owned(), entry });
    }
    if args.entry.is_some() {
        bail!("--entry goes with a folder, and {text} is none");
    }
    let is_url = text.starts_with("http://") || text.starts_with("https://");
    if folder.exists() {
        bail!("{text} is a file; give the folder it lies in, and its name with --entry");
    }
    let first = text.split('/').next().unwrap_or_default();
    if !is_url && (first.starts_with(['.', '~']) || !first.contains('.')) {
        bail!("{text} is neither a folder nor an address; addresses begin with https:// or http://");
    }
    let with_scheme = if is_url { text.to_owned() } else { format!("https://{text}") };
    let url = read_url(&with_scheme, None).with_context(|| format!("{text} is neither a folder nor an address"))?;
    Ok(SiteAt::Web(url))
}

/// What a site says, with the keys that the corpus names and no others.
///
/// # Errors
/// The facts have no JSON form.
pub fn prediction(facts: &SiteFacts) -> anyhow::Result<Value> {
    let artists: Vec<Value> =
        facts.artists.iter().map(|artist| json!({ "name": artist.name, "instagram": artist.instagram, "styles": artist.styles })).collect();
    let phones: Vec<String> =
        facts.phones.iter().map(|phone| e164(phone, facts.country.as_deref()).unwrap_or_else(|| phone.clone())).collect();
    Ok(json!({
        "kind": facts.kind, "name": facts.name, "studio": facts.studio, "city": facts.city, "region": facts.region,
        "country": facts.country, "instagram": facts.instagram, "emails": facts.emails, "phones": phones,
        "socials": facts.socials, "styles": facts.styles, "images": facts.images, "bio": facts.bio, "artists": artists,
        "evidence": serde_json::to_value(&facts.evidence)?,
    }))
}
