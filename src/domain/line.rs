//! Lines of jobs: when a row is due, when an attempt may begin, who of each host's line goes next, and by which keys a
//! job would read an artist. What every store lists its rows by.

use crate::domain::clock::Timestamp;
use crate::domain::identity::IdentityKey;
use crate::domain::ids::JobId;
use crate::domain::job::{Job, JobState, ScrapeTask, Task};
use std::collections::HashMap;

/// When a message should be sent for a row: `is_due(job, now)` is `due_at(job) <= now` (a test holds the two together).
pub fn due_at(job: &Job) -> Option<Timestamp> {
    match job.state {
        JobState::Created | JobState::Parked => Some(job.not_before),
        JobState::Sent => Some(job.not_before.max(job.next_send_at)),
        JobState::Running => Some(job.not_before.max(job.next_send_at).max(job.lease_until)),
        JobState::Done | JobState::Dead | JobState::Cancelled => None,
    }
}

/// When an attempt at a row may begin.
pub fn startable_at(job: &Job) -> Option<Timestamp> {
    match job.state {
        JobState::Created | JobState::Parked | JobState::Sent => Some(job.not_before),
        JobState::Running => Some(job.not_before.max(job.lease_until)),
        JobState::Done | JobState::Dead | JobState::Cancelled => None,
    }
}

/// The identity keys that a scrape task would read an artist by.
pub fn keys_of(task: &ScrapeTask) -> Vec<IdentityKey> {
    let handle = task.instagram.as_deref().and_then(IdentityKey::instagram);
    let site = task.own_site.then(|| IdentityKey::site(&task.entry));
    let member = task.studio_id.as_ref().and_then(|studio| IdentityKey::member(studio, &task.name));
    [handle, site, member].into_iter().flatten().collect()
}

/// The identity keys by which a row is about somebody, in whatever state it is: a removal looks for all of them.
pub fn keys_named_by(job: &Job) -> Vec<IdentityKey> {
    match &job.new.task {
        Task::ScrapeArtist(task) => keys_of(task),
        _ => Vec::new(),
    }
}

/// An open row as its place in line shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Which row.
    pub id: JobId,
    /// The host it will visit; empty for none.
    pub host: String,
    /// Where it stands; not terminal.
    pub state: JobState,
    /// When a message should be sent for it.
    pub due_at: Timestamp,
    /// Its place in line.
    pub line_at: Timestamp,
}

/// Chooses the rows that a message should be sent for at `now`, oldest in line first, at most `limit`.
///
/// `open` must hold every open row of the hosts in question. A row that is out already (SENT or RUNNING) and due may
/// always be sent again: that leaves the number of rows out as it is. The rest only as far as there is room below
/// `max_per_host`; no host, no limit.
pub fn choose_due(open: Vec<Waiting>, now: Timestamp, max_per_host: usize, limit: usize) -> Vec<JobId> {
    let is_out = |waiting: &Waiting| matches!(waiting.state, JobState::Sent | JobState::Running);
    let mut room: HashMap<String, usize> = HashMap::new();
    for waiting in open.iter().filter(|waiting| !waiting.host.is_empty()) {
        let room = room.entry(waiting.host.clone()).or_insert(max_per_host);
        *room = room.saturating_sub(usize::from(is_out(waiting)));
    }
    let mut due: Vec<Waiting> = open.into_iter().filter(|waiting| !waiting.state.is_terminal() && waiting.due_at <= now).collect();
    due.sort_by(|one, other| (one.line_at, &one.id).cmp(&(other.line_at, &other.id)));
    let goes = |waiting: &Waiting| {
        if is_out(waiting) {
            return true;
        }
        room.get_mut(&waiting.host).is_none_or(|room| {
            let free = *room > 0;
            *room = room.saturating_sub(1);
            free
        })
    };
    due.retain(goes);
    due.into_iter().take(limit).map(|waiting| waiting.id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn waiting() -> impl Strategy<Value = Waiting> {
        let states = prop::sample::select(&JobState::ALL[..4]);
        (0u32..1_000_000, 0usize..4, states, 0i64..20, 0i64..8).prop_map(|(id, host, state, due_at, line_at)| Waiting {
            id: JobId::new(format!("{id:06}")),
            host: ["", "a", "b", "c"][host].to_owned(),
            state,
            due_at: Timestamp(due_at),
            line_at: Timestamp(line_at),
        })
    }

    fn is_out(waiting: &Waiting) -> bool {
        matches!(waiting.state, JobState::Sent | JobState::Running)
    }

    proptest! {
        #[test]
        fn the_choice_keeps_line_and_limits(open in prop::collection::vec(waiting(), 0..60), max in 0usize..4, limit in 0usize..40) {
            let mut open = open;
            open.sort_by(|one, other| one.id.cmp(&other.id));
            open.dedup_by(|one, other| one.id == other.id);
            let now = Timestamp(10);
            let all = choose_due(open.clone(), now, max, usize::MAX);
            let of = |id: &JobId| open.iter().find(|waiting| waiting.id == *id).unwrap();
            prop_assert!(all.iter().all(|id| of(id).due_at <= now));
            prop_assert!(all.iter().map(|id| (of(id).line_at, id)).is_sorted());
            for host in ["", "a", "b", "c"] {
                let line: Vec<&Waiting> = open.iter().filter(|waiting| waiting.host == host).collect();
                let out = line.iter().filter(|waiting| is_out(waiting)).count();
                let fresh: Vec<&Waiting> = all.iter().map(of).filter(|waiting| waiting.host == host && !is_out(waiting)).collect();
                let waits: Vec<&&Waiting> = line.iter().filter(|waiting| !is_out(waiting) && waiting.due_at <= now).collect();
                let room = if host.is_empty() { usize::MAX } else { max.saturating_sub(out) };
                prop_assert_eq!(fresh.len(), waits.len().min(room), "as many as there is room for");
                let last = fresh.last().map(|waiting| (waiting.line_at, &waiting.id));
                prop_assert!(waits.iter().filter(|waiting| last.is_some_and(|last| (waiting.line_at, &waiting.id) < last)).count() < fresh.len().max(1), "nobody is passed over");
                let again = line.iter().filter(|waiting| is_out(waiting) && waiting.due_at <= now).count();
                prop_assert_eq!(all.iter().map(of).filter(|waiting| waiting.host == host && is_out(waiting)).count(), again);
            }
            prop_assert_eq!(choose_due(open.clone(), now, max, limit), all.into_iter().take(limit).collect::<Vec<_>>());
        }
    }
}
