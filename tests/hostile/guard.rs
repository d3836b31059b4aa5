//! Every URL that leads inwards, through every entry by which a URL comes in: none of them is asked for, each is refused for its
//! own reason, and nobody knocks at the canaries.

use super::entries::{ENTRIES, Entry, Trial};
use crate::support::hostile::canary::Canary;
use crate::support::hostile::vectors::{self, Inward, Reason, Vector};
use inkdex::scrape::guard::NameLookup;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// What all attempts came to.
#[derive(Debug, Default)]
pub struct Tally {
    pub vectors: usize,
    pub entries: usize,
    pub attempts: usize,
    /// Vectors by which a client without a guard met a canary: what the zero means.
    pub unguarded: usize,
    pub canary_hits: usize,
    pub reasons: BTreeMap<Reason, usize>,
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { vectors, entries, attempts, unguarded, canary_hits, reasons } = self;
        write!(f, "{vectors} vectors by {entries} entries are {attempts} attempts, {canary_hits} canary hits; ")?;
        write!(f, "{unguarded} vectors lead a client without a guard to a canary; refused as {reasons:?}")
    }
}

/// A resolver that asks no guard.
struct Plain(Arc<Inward>);

impl reqwest::dns::Resolve for Plain {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let names = Arc::clone(&self.0);
        Box::pin(async move {
            match names.addresses(name.as_str()).await {
                Ok(found) => Ok(Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0))) as reqwest::dns::Addrs),
                Err(error) => Err(error.into()),
            }
        })
    }
}

/// How many vectors lead a client without a guard to a canary; each that is said to must.
#[expect(clippy::disallowed_methods, reason = "a client without the guard shows what the guard keeps away")]
async fn unguarded(canary: &Canary, vectors: &[Vector], names: &Arc<Inward>) -> usize {
    let client = reqwest::Client::builder().no_proxy().dns_resolver(Plain(names.clone())).timeout(Duration::from_secs(5)).build().unwrap();
    let v6 = canary.addresses.iter().any(|address| address.is_ipv6());
    let mut met = 0;
    for vector in vectors.iter().filter(|vector| vector.reaches) {
        let before = canary.hits();
        let url = Url::parse(&vector.text).unwrap();
        // It is the connection that counts; over TLS there is no answer.
        let answer = client.get(url).send().await;
        let hit = canary.hits() > before;
        assert!(hit || !v6, "{} does not lead to the canary even without a guard: {answer:?}", vector.text);
        met += usize::from(hit);
    }
    met
}

/// S1, rule 13.
pub async fn every_vector_by_every_entry() -> Tally {
    let canary = Canary::listen().await.unwrap();
    assert_eq!(canary.sing().await.unwrap(), canary.addresses.len(), "a canary is deaf");
    let before = canary.hits();
    let (vectors, names) = vectors::all(canary.port);
    let names = Arc::new(names);
    let trial = Trial::new(names.clone(), canary.port);
    let mut tally = Tally { vectors: vectors.len(), entries: ENTRIES.len(), ..Tally::default() };
    let mut wrong = Vec::new();
    for entry in ENTRIES {
        let mut left_alone = 0;
        for (n, vector) in vectors.iter().enumerate() {
            tally.attempts += 1;
            match trial.attempt(entry, n, &vector.text).await {
                Ok(reason) if reason == Reason::LeftAlone || vector.reasons.contains(&reason) => {
                    *tally.reasons.entry(reason).or_default() += 1;
                    left_alone += usize::from(reason == Reason::LeftAlone);
                }
                Ok(reason) => wrong.push(format!("{entry:?} {:?}: {reason:?} instead of {:?}", vector.text, vector.reasons)),
                Err(what) => wrong.push(format!("{entry:?} {:?}: {what}", vector.text)),
            }
            if canary.hits() > before + tally.canary_hits {
                tally.canary_hits = canary.hits() - before;
                wrong.push(format!("{entry:?} {:?} met a canary", vector.text));
            }
        }
        // Only what no visit asks for, and what an entry reads as something else, may be left alone.
        let most = if matches!(entry, Entry::Canonical | Entry::Sitemap | Entry::SitemapMoved | Entry::SitemapPage) {
            vectors.len()
        } else {
            vectors.len() / 5
        };
        assert!(left_alone <= most, "{entry:?} tried {} vectors only", vectors.len() - left_alone);
    }
    assert!(wrong.is_empty(), "{} of {} attempts:\n{}", wrong.len(), tally.attempts, wrong.join("\n"));
    assert_eq!(tally.canary_hits, 0);
    tally.unguarded = unguarded(&canary, &vectors, &names).await;
    assert!(tally.unguarded >= 60, "{} vectors lead to canaries without a guard", tally.unguarded);
    tally
}
