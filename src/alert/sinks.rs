//! Embedded alert sinks: the log, and a file with one JSON object a line.

use crate::alert::{Alert, Severity, Sink, SinkError};
use async_trait::async_trait;
use std::path::PathBuf;
use tokio::io::AsyncWriteExt;
use tracing::{error, warn};

/// Writes alerts to the log.
#[derive(Debug)]
pub struct LogSink;

#[async_trait]
impl Sink for LogSink {
    fn name(&self) -> &str {
        "log"
    }

    async fn deliver(&self, alert: &Alert) -> Result<(), SinkError> {
        match alert.severity {
            Severity::Critical => error!(alert.kind = alert.kind.as_str(), alert.subject = %alert.subject, "alert: {}", alert.text),
            Severity::Warning => warn!(alert.kind = alert.kind.as_str(), alert.subject = %alert.subject, "alert: {}", alert.text),
        }
        Ok(())
    }
}

/// Appends alerts to a file, synced before it answers.
#[derive(Debug)]
pub struct FileSink {
    path: PathBuf,
}

impl FileSink {
    /// Appends to `path`, which is made if it is absent.
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }
}

#[async_trait]
impl Sink for FileSink {
    fn name(&self) -> &str {
        "file"
    }

    async fn deliver(&self, alert: &Alert) -> Result<(), SinkError> {
        let failed = |why: String| SinkError { sink: format!("file {}", self.path.display()), why };
        let mut line = serde_json::to_vec(alert).map_err(|error| failed(error.to_string()))?;
        line.push(b'\n');
        let opened = tokio::fs::OpenOptions::new().create(true).append(true).open(&self.path).await;
        let mut file = opened.map_err(|error| failed(error.to_string()))?;
        file.write_all(&line).await.map_err(|error| failed(error.to_string()))?;
        file.sync_data().await.map_err(|error| failed(error.to_string()))
    }
}
