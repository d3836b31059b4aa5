//! `inkdex migrate`: brings the keyspace of a store in CQL to the schema of this build.

use crate::cli::{Common, output};
use anyhow::bail;
use clap::Args;
use inkdex::app::cql_settings;
use inkdex::store::cql::Migrator;
use serde_json::json;
use std::process::ExitCode;

/// What newcomers need to know of it.
pub const HELP: &str = "Examples:
  inkdex migrate --plan --config config/production.toml     the statements it would run, and nothing else
  inkdex migrate --config config/production.toml            make the keyspace if it is missing, and run what is still to run

Running it again changes nothing. Two at once wait for each other. The embedded store brings itself up to date.";

/// What to do.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct MigrateArgs {
    /// Only print what would be run.
    #[arg(long)]
    plan: bool,
}

/// Runs the verb.
///
/// # Errors
/// A sentence that says what to change.
pub async fn run(common: Common, args: MigrateArgs) -> anyhow::Result<ExitCode> {
    let config = common.config()?;
    if config.backends.is_embedded() {
        bail!("backends.store is `embedded`, which brings itself up to date at the start; this verb is for `cql`");
    }
    let migrator = Migrator::connect(cql_settings(&config)?).await?;
    if args.plan {
        let plan = migrator.plan().await?;
        if common.json {
            output::json(&json!({ "statements": plan }))?;
        } else if plan.is_empty() {
            output::line("nothing to run: the schema is that of this build")?;
        } else {
            for statement in &plan {
                output::line(&format!("{statement};"))?;
            }
        }
        return Ok(ExitCode::SUCCESS);
    }
    let ran = migrator.run().await?;
    if common.json {
        output::json(&json!({ "ran": ran }))?;
    } else if ran.is_empty() {
        output::line("nothing to run: the schema is that of this build")?;
    } else {
        output::line(&format!("keyspace {}: ran {}", config.cql.keyspace, ran.join(", ")))?;
    }
    Ok(ExitCode::SUCCESS)
}
