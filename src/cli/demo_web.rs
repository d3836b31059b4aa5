//! `inkdex __demo-web`: the made-up web by itself, for tests that start and kill daemons beside it.

use crate::cli::output;
use crate::cli::signals::Signals;
use clap::Args;
use inkdex::demo::{DemoServer, DemoServerOptions, DemoWeb};
use inkdex::domain::clock::{Clock, SystemClock};
use std::process::ExitCode;
use std::sync::Arc;

/// Which web.
#[derive(Debug, Args)]
pub struct DemoWebArgs {
    /// Port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Seed of the made-up web.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// A plain web of so many studios instead of the demo's.
    #[arg(long)]
    studios: Option<usize>,
    /// Artists of each studio of a plain web.
    #[arg(long, default_value_t = 4)]
    artists: usize,
}

/// Serves until standard input closes or a signal comes. Prints `listening PORT` once.
///
/// # Errors
/// The port cannot be bound.
pub async fn run(args: DemoWebArgs) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::listen()?;
    let web = match args.studios {
        Some(studios) => DemoWeb::generate_sized(args.seed, studios, args.artists),
        None => DemoWeb::generate(args.seed),
    };
    let clock = SystemClock::new();
    let options = DemoServerOptions { port: args.port, ..DemoServerOptions::new(Arc::new(move || clock.now().0 / 1_000)) };
    let server = DemoServer::start(Arc::new(web), options).await?;
    output::line(&format!("listening {}", server.addr.port()))?;
    let (ended, closed) = tokio::sync::oneshot::channel();
    // A thread of its own: a read that never returns must not hold the process.
    std::thread::Builder::new().name("stdin".to_owned()).spawn(move || {
        let _end_or_failure = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        let _nobody_waits = ended.send(());
    })?;
    tokio::select! {
        _ = closed => {}
        _ = signals.next() => {}
    }
    server.stop().await;
    Ok(ExitCode::SUCCESS)
}
