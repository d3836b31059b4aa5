//! What the configuration comes to in the terms of jobs and actors.

use super::BUILD;
use crate::actors::{ActorSettings, guardian};
use crate::config::Config;
use crate::extract::SiteLimits;
use crate::jobs::JobSettings;
use crate::jobs::housekeeping::Kept;
use crate::jobs::sync_index::SyncSettings;
use std::time::Duration;

/// For jobs.
pub(super) fn jobs(config: &Config, owner: String) -> JobSettings {
    JobSettings {
        limits: config.ledger.limits(),
        jobs_per_host: config.ledger.jobs_per_host,
        site: SiteLimits { pages: config.fetch.pages_per_site, ..SiteLimits::default() },
        strict_sources: config.discovery.strict,
        browser_wait: Duration::from_millis(config.browser.wait_ms),
        look_again: Duration::from_millis(config.privacy.look_again_ms),
        owner,
        build: BUILD.to_owned(),
    }
}

/// For actors.
pub(super) fn actors(config: &Config) -> ActorSettings {
    let ms = Duration::from_millis;
    ActorSettings {
        tick: ms(config.pipeline.tick_ms),
        sweep: ms(config.ledger.sweep_every_ms),
        extend_lease: ms(config.workers.extend_lease_ms),
        stall: ms(config.workers.stall_ms),
        resize: ms(config.workers.resize_every_ms),
        jobs_per_worker: config.workers.jobs_per_worker,
        alerts: ms(config.alerts.every_ms),
        scheduled: config.pipeline.scheduled,
        catch_up: config.pipeline.catch_up,
        sync_batch: config.sync.batch,
        sync_linger: ms(config.sync.linger_ms),
        sync: sync_settings(config),
        kept: kept(config),
        shared: !config.backends.is_embedded(),
        heartbeat: ms(config.workers.heartbeat_ms),
        restart: guardian::RESTART,
        restarts_per_minute: config.workers.restarts_per_minute,
    }
}

/// How long things are kept.
fn kept(config: &Config) -> Kept {
    let days = |days: u32| Duration::from_secs(u64::from(days) * 24 * 3_600);
    let jobs = days(config.ledger.keep_days);
    let evidence = days(config.fetch.evidence_days);
    Kept { evidence, tombstones: days(config.sync.tombstone_days), jobs, letters: days(config.ledger.keep_letters_days).max(jobs) }
}

/// How batches are indexed.
pub fn sync_settings(config: &Config) -> SyncSettings {
    SyncSettings { item_attempts: config.sync.item_attempts, parked_per_hour: config.sync.parked_per_hour }
}

/// When the feed in CQL looks again.
#[cfg(feature = "cql")]
pub(super) fn feed_times(config: &Config) -> crate::feed::cql::FeedTimes {
    let looks = [config.cql.feed_look_again_ms, config.cql.feed_look_last_ms].map(Duration::from_millis);
    crate::feed::cql::FeedTimes { looks, ..crate::feed::cql::FeedTimes::default() }
}
