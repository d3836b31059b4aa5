//! Slow answers by the hundred: each is cut at its own limit, and who answers well is read meanwhile.

use super::child::limits;
use super::costs::when;
use crate::support::hostile::{codes, expect};
use crate::support::visits::Bench;
use inkdex::scrape::limits::SiteLimits;
use inkdex::scrape::visit::VisitError;
use std::sync::Arc;

/// Hosts that are slow at a time.
const HOSTS: usize = 200;

/// What came of it.
#[derive(Debug)]
pub struct Slow {
    cut: usize,
    latest_ms: u64,
}

impl std::fmt::Display for Slow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at once, each cut at most {} ms after its limit", self.cut, self.latest_ms)
    }
}

/// S4: hosts that never begin, that stop and that drip.
pub async fn each_is_cut_at_its_limit() -> Slow {
    let bench = Arc::new(Bench::new(limits(), SiteLimits::default()));
    let kinds = [("/hang", expect::HEAD_TIMEOUT), ("/stall", expect::IDLE_TIMEOUT), ("/drip", expect::TOTAL_TIMEOUT)];
    let tasks: Vec<_> = (0..HOSTS)
        .map(|n| {
            let ((path, expected), bench) = (kinds[n % kinds.len()], Arc::clone(&bench));
            let reading = async move {
                let (owner, host) = (format!("slow-{n}"), format!("slow{n}.example"));
                // What it says to robots is asked for first, so that the time is that of the slow answer alone.
                let (good, _) = bench.read(&owner, &host, "/no-type").await;
                assert!(good.is_ok(), "{good:?}");
                bench.read(&owner, &host, path).await
            };
            (expected, tokio::spawn(reading))
        })
        .collect();
    let (good, _) = bench.read("good", "good.example", "/no-type").await;
    assert!(good.is_ok(), "{good:?}");
    let (mut cut, mut latest_ms, mut wrong) = (0, 0, Vec::new());
    for (expected, task) in tasks {
        let (found, took) = task.await.unwrap();
        let took_ms = u64::try_from(took.as_millis()).unwrap();
        match found {
            Err(VisitError::Fetch(error)) if codes(expected).contains(&error.code()) && when(expected).contains(&took_ms) => {
                cut += 1;
                latest_ms = latest_ms.max(took_ms - when(expected).start());
            }
            other => wrong.push(format!("{expected}: {other:?} after {took_ms} ms")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Slow { cut, latest_ms }
}
