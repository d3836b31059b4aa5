//! Logs on standard error, beside the progress bar where one is drawn.

use crate::cli::progress;
use anyhow::{Context as _, anyhow};
use inkdex::config::LogConfig;
use std::io::Write;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

/// Starts logging as the configuration says.
///
/// # Errors
/// `log.filter` is no filter.
pub fn start(config: &LogConfig) -> anyhow::Result<()> {
    start_with(config, &config.filter)
}

/// Starts logging for a verb that shows progress: `usual` unless the configuration asks for something else.
///
/// # Errors
/// `log.filter` is no filter.
pub fn start_quiet(config: &LogConfig, usual: &str) -> anyhow::Result<()> {
    let asked = &config.filter;
    start_with(config, if *asked == LogConfig::default().filter { usual } else { asked })
}

fn start_with(config: &LogConfig, filter: &str) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter)
        .with_context(|| format!("log.filter `{filter}` is no filter; write for example `info` or `inkdex=debug,warn`"))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_span_events(FmtSpan::NONE).with_writer(|| BesideBar);
    let started = if config.format == "json" { builder.json().try_init() } else { builder.try_init() };
    started.map_err(|error| anyhow!("logging cannot start: {error}"))
}

/// Standard error, with the progress bar taken away while a line is written.
struct BesideBar;

impl Write for BesideBar {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        progress::beside_bar(|| std::io::stderr().write_all(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}
