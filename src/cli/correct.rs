//! `inkdex correct`: what an operator says of a field, which outranks all that is read.

use crate::cli::daemon::segment;
use crate::cli::world::{self, World};
use crate::cli::{Common, output};
use clap::Args;
use inkdex::domain::correction::field_named;
use inkdex::domain::facts::Confirmer;
use inkdex::domain::ids::ArtistId;
use inkdex::jobs::correct_artist::{Saying, correct};
use serde_json::json;
use std::process::ExitCode;

/// What newcomers need to know of it.
pub const HELP: &str = "Examples:
  inkdex correct artist-1f0c… place \"Porto, Portugal\"       says where they work
  inkdex correct artist-1f0c… styles \"fine line, floral\"    a set is replaced as a set
  inkdex correct artist-1f0c… phones \"\"                     says that there is none
  inkdex correct artist-1f0c… name --confirm                it is right as it is
  inkdex correct artist-1f0c… place --withdraw              it follows the pages again

Fields: name, studio, place, instagram, site, styles, emails, phones, socials, bio. What is said outranks every page until
it is withdrawn, and `inkdex show`, the API and the artist's page say whose word it is. Goes through the API of a running daemon.";

/// What to say of whom.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct CorrectArgs {
    /// The artist's id, as `inkdex search` prints it.
    artist: String,
    /// Which field.
    field: String,
    /// What it says; an empty one says that there is none.
    #[arg(required_unless_present_any = ["confirm", "withdraw"], conflicts_with_all = ["confirm", "withdraw"], allow_hyphen_values = true)]
    value: Option<String>,
    /// It is right as it is.
    #[arg(long, conflicts_with = "withdraw")]
    confirm: bool,
    /// It follows the pages again.
    #[arg(long)]
    withdraw: bool,
    /// Why, for the audit trail; no personal data.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// Runs the verb.
///
/// # Errors
/// A sentence that says what to change.
pub async fn run(common: Common, args: CorrectArgs) -> anyhow::Result<ExitCode> {
    let config = common.config()?;
    let field = field_named(&args.field)?;
    let id = ArtistId::new(args.artist.trim());
    let saying = match (&args.value, args.withdraw) {
        (Some(value), _) => Saying::Value(value.clone()),
        (None, true) => Saying::Withdrawn,
        (None, false) => Saying::AsItIs,
    };
    match world::open(&config).await? {
        World::Own(ports) => {
            correct(&ports, &id, Confirmer::Operator, field, &saying, ("cli", args.reason.as_deref())).await?;
            world::show_in_index(&ports, &id).await?;
        }
        World::Daemon(daemon) => {
            let body = json!({
                "field": field.as_str(), "value": args.value, "confirm": saying == Saying::AsItIs,
                "withdraw": saying == Saying::Withdrawn, "reason": args.reason,
            });
            daemon.post(&format!("/admin/v1/artists/{}:correct", segment(id.as_str())), &body).await?;
        }
    }
    if common.json {
        output::json(&json!({ "artist_id": id, "field": field.as_str() }))?;
    } else {
        let told = match saying {
            Saying::Value(_) => "is corrected",
            Saying::AsItIs => "is confirmed",
            Saying::Withdrawn => "follows the pages again",
        };
        output::line(&format!("{} of {id} {told}", field.as_str()))?;
    }
    Ok(ExitCode::SUCCESS)
}
