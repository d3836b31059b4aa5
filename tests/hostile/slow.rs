//! Slow answers by the hundred: each is cut at its own limit, and who answers well is read meanwhile.

use super::child::limits;
use super::costs::when;
use crate::support::hostile::{codes, expect};
use crate::support::visits::Bench;
use inkdex::scrape::limits::SiteLimits;
use inkdex::scrape::visit::VisitError;
use std::sync::Arc;
use std::time::Duration;

/// Hosts that are slow at a time.
const HOSTS: usize = 200;

/// What came of it.
#[derive(Debug)]
pub struct Slow {
    cut: usize,
    latest_ms: u64,
    /// The longest that an answer without any delay took beside them: what is the machine's doing and no limit's.
    ordinary_ms: u64,
}

impl std::fmt::Display for Slow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { cut, latest_ms, ordinary_ms } = self;
        write!(f, "{cut} at once, each cut at most {latest_ms} ms after its limit; an ordinary answer took at most {ordinary_ms} ms")
    }
}

fn ms(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap()
}

/// How long an answer without any delay takes now.
async fn ordinary(bench: &Bench, owner: &str, host: &str) -> Duration {
    let (good, took) = bench.read(owner, host, "/no-type").await;
    assert!(good.is_ok(), "{good:?}");
    took
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
                let before = ordinary(&bench, &owner, &host).await;
                let slow = bench.read(&owner, &host, path).await;
                (slow, before.max(ordinary(&bench, &owner, &format!("after{n}.example")).await))
            };
            (expected, tokio::spawn(reading))
        })
        .collect();
    ordinary(&bench, "good", "good.example").await;
    let (mut read, mut ordinary_ms) = (Vec::new(), 0);
    for (expected, task) in tasks {
        let ((found, took), ordinary) = task.await.unwrap();
        ordinary_ms = ordinary_ms.max(ms(ordinary));
        read.push((expected, found, ms(took)));
    }
    let (mut cut, mut latest_ms, mut wrong) = (0, 0, Vec::new());
    for (expected, found, took_ms) in read {
        let (from, to) = when(expected).into_inner();
        match found {
            Err(VisitError::Fetch(error)) if codes(expected).contains(&error.code()) && (from..=to + ordinary_ms).contains(&took_ms) => {
                cut += 1;
                latest_ms = latest_ms.max(took_ms - from);
            }
            other => wrong.push(format!("{expected}: {other:?} after {took_ms} ms")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Slow { cut, latest_ms, ordinary_ms }
}
