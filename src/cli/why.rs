//! `inkdex why`: what would happen to a URL, and which rule says so.

use crate::cli::rehearsal::Scratch;
use crate::cli::{Common, logs, output};
use anyhow::{Context as _, bail};
use clap::Args;
use inkdex::app::single;
use inkdex::domain::clock::SystemClock;
use inkdex::jobs::why::{Decision, Inquiry, Why, offline};
use inkdex::scrape::guard::{Guard, HostMap};
use inkdex::scrape::robots::PRODUCT_TOKEN;
use serde::Deserialize;
use std::io::{BufRead, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// What newcomers need to know of it.
pub const HELP: &str = "Examples:
  inkdex why https://studio.example/artists           form, denylist, guard, robots.txt, the host's wish to wait
  inkdex why URL --robots robots.txt --agent Inkdex   judged by a file at hand; nothing is asked of the network
  inkdex why --json < urls.jsonl                      one line each: {\"url\": …, \"robots\": TEXT, \"agent\": …}

Without --robots the copy of the day that the directory holds decides; if there is none, robots.txt is fetched, politely,
and nothing else. `robots` and `agent` of a line may be left out. Exit code 0: everything asked was judged.";

/// Longest line read from standard input, bytes: a robots.txt of the largest size that is parsed, escaped.
const LINE_MAX: usize = 4_000_000;

/// About what.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct WhyArgs {
    /// Addresses; without any, JSON lines are read from standard input.
    #[arg(value_name = "URL")]
    urls: Vec<String>,
    /// A robots.txt to judge by, instead of the site's own.
    #[arg(long, value_name = "FILE")]
    robots: Option<PathBuf>,
    /// Whom it addresses; Inkdex if not given.
    #[arg(long, value_name = "NAME", requires = "robots")]
    agent: Option<String>,
}

/// One line of standard input.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    url: String,
    /// The text of a robots.txt.
    robots: Option<String>,
    agent: Option<String>,
}

/// Judges URLs; what needs the directory or the network is prepared when it is first asked for.
struct Judge {
    common: Common,
    offline: Guard,
    online: Option<(Inquiry, Scratch)>,
}

impl Judge {
    async fn judge(&mut self, asked: &Asked) -> anyhow::Result<Why> {
        let agent = asked.agent.as_deref().unwrap_or(PRODUCT_TOKEN);
        if let Some(robots) = &asked.robots {
            return Ok(offline(&asked.url, &self.offline, robots, agent));
        }
        if asked.agent.is_some() {
            bail!("an agent is judged by a robots.txt at hand; give that too, or leave the agent out");
        }
        if self.online.is_none() {
            let config = self.common.config()?;
            logs::start_quiet(&config.log, "error")?;
            let scratch = Scratch::new(None)?;
            self.online = Some((single::inquiry(&config, scratch.folder(), Arc::new(SystemClock::new())).await?, scratch));
        }
        match &self.online {
            Some((inquiry, _)) => inquiry.ask(&asked.url).await,
            None => bail!("nothing was prepared to ask"),
        }
    }
}

/// Runs the verb.
///
/// # Errors
/// A file or a line cannot be read, or the directory.
pub async fn run(common: Common, args: WhyArgs) -> anyhow::Result<ExitCode> {
    let json = common.json;
    let mut judge = Judge { common, offline: Guard::new(HostMap::none()), online: None };
    if args.urls.is_empty() {
        return from_input(&mut judge, &args, json).await;
    }
    let robots = match &args.robots {
        Some(file) => {
            let bytes = std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
            Some(String::from_utf8_lossy(&bytes).into_owned())
        }
        None => None,
    };
    for url in &args.urls {
        let why = judge.judge(&Asked { url: url.clone(), robots: robots.clone(), agent: args.agent.clone() }).await?;
        print(&why, json)?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn from_input(judge: &mut Judge, args: &WhyArgs, json: bool) -> anyhow::Result<ExitCode> {
    if args.robots.is_some() {
        bail!("name the URLs to judge by --robots on the command line");
    }
    let input = std::io::stdin();
    if input.is_terminal() {
        bail!("name a URL, or give JSON lines on standard input; `inkdex why --help` shows both");
    }
    for (at, line) in input.lock().lines().enumerate() {
        let line = line.with_context(|| format!("line {} of standard input cannot be read", at + 1))?;
        if line.trim().is_empty() {
            continue;
        }
        if line.len() > LINE_MAX {
            bail!("line {} has {} bytes; at most {LINE_MAX} are read", at + 1, line.len());
        }
        let asked: Asked = serde_json::from_str(&line).with_context(|| format!("line {} is not {{\"url\": …}}", at + 1))?;
        let why = judge.judge(&asked).await.with_context(|| format!("line {}", at + 1))?;
        print(&why, json)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print(why: &Why, json: bool) -> anyhow::Result<()> {
    if json {
        return output::json(why);
    }
    let mut rows: Vec<Vec<String>> = Vec::new();
    if let Some(canonical) = why.canonical.as_ref().filter(|canonical| **canonical != why.url) {
        rows.push(vec!["  ".to_owned(), "fetched as".to_owned(), canonical.clone()]);
    }
    rows.extend(why.parts.iter().map(|part| {
        let sign = output::mark(if part.passes { output::Mark::Good } else { output::Mark::Bad });
        vec![format!("  {sign}"), part.name.to_owned(), part.says.clone()]
    }));
    let end = match why.decision {
        Decision::Fetch => "it would be fetched".to_owned(),
        Decision::Wait => "it would be fetched later".to_owned(),
        Decision::Refuse => format!("it would not be fetched: {} decides", why.decided_by),
        Decision::Unknown => format!("it would be tried again later: {} has no answer", why.decided_by),
    };
    output::line(&format!("{}\n{}\n  {end}\n", why.url, output::columns(&rows)))
}
