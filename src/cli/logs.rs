//! Logs on standard error, beside the progress bar where one is drawn.

use crate::cli::progress;
use anyhow::anyhow;
use inkdex::config::LogConfig;
use std::io::{IsTerminal, Write};
use tracing_subscriber::EnvFilter;

/// Starts logging as the configuration says.
///
/// # Errors
/// `log.filter` is no filter.
pub fn start(config: &LogConfig) -> anyhow::Result<()> {
    start_with(config, &config.filter, true)
}

/// Starts logging for a verb that talks to a person: `usual` unless the configuration asks for something else.
///
/// # Errors
/// `log.filter` is no filter.
pub fn start_quiet(config: &LogConfig, usual: &str) -> anyhow::Result<()> {
    let asked = &config.filter;
    start_with(config, if *asked == LogConfig::default().filter { usual } else { asked }, false)
}

fn start_with(config: &LogConfig, filter: &str, whole: bool) -> anyhow::Result<()> {
    // Its own explanation repeats itself and names no key.
    let filter = EnvFilter::try_new(filter)
        .map_err(|_| anyhow!("log.filter `{filter}` is no filter; write for example `info` or `inkdex=debug,warn`"))?;
    let coloured = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(coloured).with_writer(|| BesideBar);
    let started = match (config.format.as_str(), whole) {
        ("json", _) => builder.json().try_init(),
        (_, true) => builder.try_init(),
        (_, false) => builder.without_time().with_target(false).try_init(),
    };
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
