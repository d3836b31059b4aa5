//! Figures of the production backends on real servers (`make figures`): from a committed change to its being searchable, which
//! blocks, and what our adapters reach beside the bare drivers in the same run.

mod bare;
mod changes;
mod fixture;
mod lag;
mod ratios;

use std::process::ExitCode;
use std::time::Duration;

/// At or above this, a change is searchable too late at p99, and the run fails.
const SEARCHABLE_WITHIN: Duration = Duration::from_secs(1);

/// What the command line asks for.
struct Asked {
    changes: usize,
    per_second: f64,
    lag: bool,
    ratios: bool,
}

fn asked() -> Result<Asked, String> {
    let mut asked = Asked { changes: 5_000, per_second: 50.0, lag: true, ratios: true };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} wants a value"));
        match argument.as_str() {
            "--changes" => asked.changes = value()?.parse().map_err(|error| format!("--changes: {error}"))?,
            "--rate" => asked.per_second = value()?.parse().map_err(|error| format!("--rate: {error}"))?,
            "--only" => match value()?.as_str() {
                "lag" => asked.ratios = false,
                "ratios" => asked.lag = false,
                other => return Err(format!("--only lag or --only ratios, not {other}")),
            },
            // Cargo says so to every bench.
            "--bench" => {}
            other => return Err(format!("{other}: there are --changes N, --rate N, --only lag|ratios")),
        }
    }
    if asked.changes == 0 || asked.per_second <= 0.0 {
        return Err("--changes and --rate are above 0".to_owned());
    }
    Ok(asked)
}

fn main() -> ExitCode {
    let asked = match asked() {
        Ok(asked) => asked,
        Err(why) => {
            eprintln!("figures: {why}");
            return ExitCode::from(2);
        }
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!("figures: {cores} cores, shared with the four servers");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    match runtime.block_on(run(&asked)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("figures: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Answers whether the figures that block are met.
async fn run(asked: &Asked) -> anyhow::Result<bool> {
    let mut met = true;
    if asked.lag {
        for apart in [false, true] {
            let figure = lag::measure(asked.changes, asked.per_second, apart).await?;
            println!("{figure}");
            met &= figure.is_met(SEARCHABLE_WITHIN);
        }
    }
    if asked.ratios {
        ratios::measure().await?;
    }
    Ok(met)
}
