//! Names that answer one address to whoever judges and another to whoever connects.

use super::entries::refused_for;
use crate::support::hostile::canary::Canary;
use crate::support::hostile::vectors::Reason;
use crate::support::visits::Bench;
use async_trait::async_trait;
use inkdex::domain::clock::{ManualClock, Timestamp};
use inkdex::scrape::guard::{Guard, NameLookup};
use inkdex::scrape::limits::{FetchLimits, SiteLimits};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use url::Url;

/// Second answers, one a strategy; the first is always public, of the one family or the other.
const STRATEGIES: [&[&str]; 10] = [
    &["127.0.0.1"],
    &["::1"],
    &["0.0.0.0"],
    &["::"],
    &["::ffff:127.0.0.1"],
    &["8.8.4.4", "127.0.0.1"],
    &["2606:4700::2", "::1"],
    &["64:ff9b::7f00:1"],
    &["10.0.0.1", "127.0.0.1"],
    &["169.254.169.254"],
];

/// Longer than an answer is used: to whoever asks again, its time to live was over at once.
const LATER: Duration = Duration::from_secs(120);

/// The resolver: what a name is depends on how often it was asked for.
#[derive(Debug)]
struct Rebinder {
    clock: Arc<ManualClock>,
    asked: Mutex<HashMap<String, usize>>,
}

/// Which fetch a name belongs to, as `rebind17.test`.
fn number(host: &str) -> Option<usize> {
    host.strip_prefix("rebind")?.strip_suffix(".test")?.parse().ok()
}

#[async_trait]
impl NameLookup for Rebinder {
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, String> {
        let n = number(host).ok_or("no such name")?;
        self.clock.advance(LATER);
        let mut asked = self.asked.lock().unwrap();
        let times = asked.entry(host.to_owned()).or_default();
        *times += 1;
        if *times > 1 {
            return Ok(STRATEGIES[n % STRATEGIES.len()].iter().map(|text| text.parse().unwrap()).collect());
        }
        let low = u16::try_from(n).unwrap();
        let [high, last] = low.to_be_bytes();
        // One address a name, so that the limit by address holds nobody up.
        Ok(vec![if n.is_multiple_of(3) {
            Ipv6Addr::new(0x2606, 0x4700, 0x1111, 0, 0, 0, 0, low).into()
        } else {
            Ipv4Addr::new(93, 184, high, last).into()
        }])
    }
}

/// What came of it.
#[derive(Debug)]
pub struct Rebinding {
    pub fetches: usize,
    pub canary_hits: usize,
}

impl std::fmt::Display for Rebinding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} fetches, {} canary hits", self.fetches, self.canary_hits)
    }
}

/// S2: every fetch is judged by a public answer, and its connector gets the other one.
pub async fn no_second_answer_is_believed(fetches: usize) -> Rebinding {
    let canary = Canary::listen().await.unwrap();
    assert_eq!(canary.sing().await.unwrap(), canary.addresses.len(), "a canary is deaf");
    let before = canary.hits();
    let clock = Arc::new(ManualClock::at(Timestamp(0)));
    let rebinder = Arc::new(Rebinder { clock: clock.clone(), asked: Mutex::default() });
    let limits = FetchLimits { connect_ms: 2_000, ..FetchLimits::default() };
    let bench =
        Bench::over(limits, SiteLimits::default(), |map| Guard::with_lookup(map, rebinder.clone(), clock.clone()).and_port(canary.port));
    for n in 0..fetches {
        let url = Url::parse(&format!("http://rebind{n}.test:{}/", canary.port)).unwrap();
        let mut visit = bench.begin("rebind", false);
        let found = visit.page(&url).await;
        visit.end().await.unwrap();
        assert_eq!(refused_for(&found), Ok(Reason::Resolves), "fetch {n}");
        let asked = rebinder.asked.lock().unwrap().get(&format!("rebind{n}.test")).copied();
        assert_eq!(asked, Some(2), "fetch {n}: the first answer passed, and the connector was given the second");
        assert_eq!(canary.hits(), before, "fetch {n} met a canary");
    }
    Rebinding { fetches, canary_hits: canary.hits() - before }
}
