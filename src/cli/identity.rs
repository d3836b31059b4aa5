//! `inkdex identity`: who is who, where keys alone cannot tell: the conflicts, and an operator's word on them.

use crate::cli::daemon::segment;
use crate::cli::world::{self, World};
use crate::cli::{Common, output};
use clap::{Args, Subcommand};
use inkdex::domain::ids::ArtistId;
use inkdex::jobs::tell_apart::{self, CONFLICTS_MAX};
use serde_json::json;
use std::process::ExitCode;

/// What newcomers need to know of it.
pub const HELP: &str = "Examples:
  inkdex identity                                            keys that two artists claim, the oldest conflict first
  inkdex identity give 7d3a… artist-1f0c…                    this one has the key, for good
  inkdex identity split artist-1f0c… studio:studio-9a2e…     what that source says is somebody else

A conflict is `shared`: two names claim one handle or site, which names nobody until you give it to one of them; or `may_be_one`:
one page has keys of two records whose names agree. `inkdex show` prints the sources of a record. What is decided lasts: no night
merges again what was split. Looking works beside a running daemon; give and split go through its API.";

/// How a person at this terminal is named in the audit trail.
const ACTOR: &str = "cli";

/// What to do about who is who.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct IdentityArgs {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List the conflicts that nobody has decided, the oldest first.
    List,
    /// Give the key of a conflict to one of the two.
    Give {
        /// The conflict's id, or its beginning.
        conflict: String,
        /// The artist's id.
        artist: String,
        /// Why, for the audit trail; no personal data.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Make an artist of their own of what one source says.
    Split {
        /// The id of the artist who is two.
        artist: String,
        /// The source, as `inkdex show` prints it.
        source: String,
        /// Why, for the audit trail; no personal data.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
}

/// Runs the verb.
///
/// # Errors
/// There is no such conflict or source, or a sentence that says what to change.
pub async fn run(common: Common, args: IdentityArgs) -> anyhow::Result<ExitCode> {
    match args.what {
        None | Some(What::List) => list(&common).await?,
        Some(What::Give { conflict, artist, reason }) => give(&common, &conflict, &ArtistId::new(artist.trim()), reason).await?,
        Some(What::Split { artist, source, reason }) => split(&common, &ArtistId::new(artist.trim()), source.trim(), reason).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(common: &Common) -> anyhow::Result<()> {
    let (store, clock) = world::reading(&common.config()?).await?;
    let conflicts = tell_apart::conflicts(store.as_ref(), CONFLICTS_MAX).await?;
    if common.json {
        return output::json(&json!({ "conflicts": conflicts }));
    }
    if conflicts.is_empty() {
        return output::line("no two artists claim one key");
    }
    let now = clock.now();
    let mut rows = vec![["conflict", "what", "key", "first", "second", "age"].map(str::to_owned).to_vec()];
    rows.extend(conflicts.iter().map(|conflict| {
        vec![
            conflict.id.clone(),
            conflict.kind.as_str().to_owned(),
            conflict.key.clone(),
            conflict.holder.to_string(),
            conflict.claimant.as_ref().map_or_else(|| "a studio's own pages".to_owned(), ToString::to_string),
            output::age(conflict.at, now),
        ]
    }));
    output::line(&output::list(&rows))
}

async fn give(common: &Common, asked: &str, artist: &ArtistId, reason: Option<String>) -> anyhow::Result<()> {
    let config = common.config()?;
    let (store, _) = world::reading(&config).await?;
    let asked = asked.trim().trim_end_matches('…');
    let known = tell_apart::conflicts(store.as_ref(), CONFLICTS_MAX).await?;
    let mut like = known.into_iter().filter(|conflict| conflict.id.starts_with(asked));
    let (Some(conflict), None) = (like.next(), like.next()) else {
        anyhow::bail!("there is no conflict {asked}, or there are several; `inkdex identity` lists them");
    };
    match world::open(&config).await? {
        World::Own(ports) => {
            tell_apart::give(&ports, &conflict.id, artist, (ACTOR, reason.as_deref())).await?;
            for party in std::iter::once(&conflict.holder).chain(&conflict.claimant) {
                world::show_in_index(&ports, party).await?;
            }
        }
        World::Daemon(daemon) => {
            let path = format!("/admin/v1/identity-conflicts/{}:give", segment(&conflict.id));
            daemon.post(&path, &json!({ "artist_id": artist, "reason": reason })).await?;
        }
    }
    if common.json {
        return output::json(&json!({ "conflict": conflict.id, "artist_id": artist }));
    }
    output::line(&format!("the key is that of {artist}, whoever else claims it"))
}

async fn split(common: &Common, artist: &ArtistId, source: &str, reason: Option<String>) -> anyhow::Result<()> {
    let other = match world::open(&common.config()?).await? {
        World::Own(ports) => {
            let other = tell_apart::split(&ports, artist, source, (ACTOR, reason.as_deref())).await?;
            for party in [artist, &other] {
                world::show_in_index(&ports, party).await?;
            }
            other.to_string()
        }
        World::Daemon(daemon) => {
            let path = format!("/admin/v1/artists/{}:split", segment(artist.as_str()));
            let answer = daemon.post(&path, &json!({ "source": source, "reason": reason })).await?;
            answer["other_id"].as_str().unwrap_or_default().to_owned()
        }
    };
    if common.json {
        return output::json(&json!({ "artist_id": artist, "other_id": other }));
    }
    output::line(&format!("what {source} says is {other} from now on; the rest is {artist}"))
}
