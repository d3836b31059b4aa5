//! The contract of what is asked of the ledger: due jobs and their hosts' lines, counts, dead letters, alerts owed.

use super::fixtures::{begun, dead_letter, limits, made, put, retry, row, session, settled, studio_job};
use super::harness::{Harness, START, on_every_backend};
use inkdex::domain::ids::{JobId, SessionId};
use inkdex::domain::job::{AlertDebt, Job, JobState};
use inkdex::domain::ledger::{requeued, sent};
use inkdex::domain::outcome::{Category, Done, Outcome, WaitFor};
use inkdex::store::{DeadLetterQuery, Depth};
use std::time::Duration;

on_every_backend!(
    a_host_has_at_most_two_jobs_out,
    settling_a_job_sends_the_next_of_its_host,
    jobs_without_a_host_have_no_limit,
    the_oldest_in_line_goes_first,
    a_lost_message_is_sent_again_after_ever_longer,
    a_resend_does_not_count_itself,
    a_lost_lease_is_sent_again,
    counts_and_depth_are_exact,
    jobs_of_a_session_are_paged,
    dead_letters_are_paged_newest_first,
    dead_letters_are_filtered,
    alerts_are_owed_until_told,
);

async fn due(h: &impl Harness, most: usize) -> Vec<Job> {
    h.store().due_jobs(h.now(), 2, most).await.unwrap()
}

fn ids(jobs: &[Job]) -> Vec<JobId> {
    jobs.iter().map(|job| job.new.id.clone()).collect()
}

/// Sends a message for a job, as the sweeper does.
async fn send(h: &impl Harness, job: &Job) -> Job {
    let next = sent(job, &limits(), h.now());
    put(h, job, &next, None).await;
    next
}

/// Rule 14: at most two jobs of a host are SENT or RUNNING, the rest wait as rows.
async fn a_host_has_at_most_two_jobs_out(h: &impl Harness) {
    for n in 0..6 {
        made(h, &studio_job(n, Some("one.example"))).await;
        h.advance(Duration::from_millis(1)).await;
    }
    made(h, &studio_job(6, Some("two.example"))).await;
    let first = due(h, 10).await;
    let hosts: Vec<_> = first.iter().filter_map(|job| job.new.host.as_deref()).collect();
    assert_eq!(hosts, ["one.example", "one.example", "two.example"]);
    for job in &first {
        send(h, job).await;
    }
    assert_eq!(due(h, 10).await, []);
    // RUNNING is out as well as SENT.
    begun(h, first[0].id(), "w").await;
    assert_eq!(due(h, 10).await, []);
    assert_eq!(h.store().due_jobs_of_host("one.example", h.now(), 2).await.unwrap(), []);
    let more = h.store().due_jobs(h.now(), 5, 10).await.unwrap();
    assert_eq!(ids(&more), (2..5).map(|n| studio_job(n, Some("one.example")).id).collect::<Vec<_>>());
}

async fn settling_a_job_sends_the_next_of_its_host(h: &impl Harness) {
    let mut line = Vec::new();
    for n in 0..4 {
        line.push(made(h, &studio_job(n, Some("one.example"))).await);
        h.advance(Duration::from_millis(1)).await;
    }
    for job in h.store().due_jobs_of_host("one.example", h.now(), 2).await.unwrap() {
        send(h, &job).await;
    }
    let (job, attempt) = begun(h, line[0].id(), "w").await;
    settled(h, &job, &attempt, Outcome::Done { how: Done::Unchanged }).await;
    let next = h.store().due_jobs_of_host("one.example", h.now(), 2).await.unwrap();
    assert_eq!(ids(&next), [line[2].id().clone()]);
    // A parked job is not out: its place is free for another.
    send(h, &next[0]).await;
    let (job, attempt) = begun(h, line[1].id(), "w").await;
    let until = h.now().plus(Duration::from_secs(3_600));
    settled(h, &job, &attempt, Outcome::Wait { until, why: WaitFor::RateLimit }).await;
    let next = h.store().due_jobs_of_host("one.example", h.now(), 2).await.unwrap();
    assert_eq!(ids(&next), [line[3].id().clone()]);
    assert_eq!(h.store().due_jobs_of_host("nowhere.example", h.now(), 2).await.unwrap(), []);
}

async fn jobs_without_a_host_have_no_limit(h: &impl Harness) {
    for n in 0..7 {
        let job = made(h, &studio_job(n, None)).await;
        if n < 3 {
            send(h, &job).await;
        }
    }
    assert_eq!(due(h, 10).await.len(), 4);
    assert_eq!(due(h, 2).await.len(), 2);
}

/// Rule 1: the sweep is bounded, and the oldest in line is first.
async fn the_oldest_in_line_goes_first(h: &impl Harness) {
    let mut made_in_order = Vec::new();
    for n in [5, 3, 9, 1, 7] {
        let host = (n % 3 != 0).then(|| format!("h{n}.example"));
        made_in_order.push(made(h, &studio_job(n, host.as_deref())).await.new.id);
        h.advance(Duration::from_millis(1)).await;
    }
    assert_eq!(ids(&due(h, 10).await), made_in_order);
    assert_eq!(ids(&due(h, 3).await), made_in_order[..3]);
    assert_eq!(due(h, 0).await, []);
}

/// Rule 1: what was not started is sent again 10 minutes after the last send, doubling to 6 hours.
async fn a_lost_message_is_sent_again_after_ever_longer(h: &impl Harness) {
    let mut job = made(h, &studio_job(1, Some("one.example"))).await;
    for minutes in [10, 20, 40, 80, 160, 320, 360, 360] {
        assert_eq!(ids(&due(h, 10).await), [job.id().clone()]);
        job = send(h, &job).await;
        h.advance(Duration::from_secs(60 * minutes - 1)).await;
        assert_eq!(due(h, 10).await, [], "before {minutes} minutes");
        h.advance(Duration::from_secs(1)).await;
    }
}

/// Rule 14: a job that is out may be sent again, it is out already; also when more are out than there should be.
async fn a_resend_does_not_count_itself(h: &impl Harness) {
    let mut line = Vec::new();
    for n in 0..5 {
        line.push(made(h, &studio_job(n, Some("one.example"))).await);
        h.advance(Duration::from_millis(1)).await;
    }
    for job in &line[..3] {
        send(h, job).await;
    }
    h.advance(limits().resend_first).await;
    assert_eq!(ids(&due(h, 10).await), ids(&line[..3]));
    send(h, &row(h, line[0].id()).await).await;
    assert_eq!(ids(&due(h, 10).await), ids(&line[1..3]));
}

/// Rule 2: a RUNNING job whose lease ran out is sent again, and stays RUNNING, so that its orphan is seen.
async fn a_lost_lease_is_sent_again(h: &impl Harness) {
    let job = made(h, &studio_job(1, Some("one.example"))).await;
    h.advance(Duration::from_millis(1)).await;
    let other = made(h, &studio_job(2, Some("one.example"))).await;
    send(h, &job).await;
    begun(h, job.id(), "w").await;
    send(h, &other).await;
    h.advance(limits().resend_first - Duration::from_secs(1)).await;
    assert_eq!(due(h, 10).await, [], "its lease is over, but its message may still come back by itself");
    h.advance(Duration::from_secs(1)).await;
    let lost = due(h, 10).await;
    assert_eq!(lost.iter().map(|job| job.state).collect::<Vec<_>>(), [JobState::Running, JobState::Sent]);
    let again = send(h, &lost[0]).await;
    assert_eq!((again.state, again.sends), (JobState::Running, 2));
    let (job, _) = begun(h, job.id(), "w").await;
    assert_eq!(job.orphans, 1);
}

/// Rule 1: exact depth, oldest age and "is this step drained" come from the ledger.
async fn counts_and_depth_are_exact(h: &impl Harness) {
    assert_eq!(h.store().depth(h.now()).await.unwrap(), Depth::default());
    assert_eq!(h.store().step_counts(&session()).await.unwrap().all("find"), 0);
    for n in 0..10 {
        made(h, &studio_job(n, None)).await;
        h.advance(Duration::from_secs(1)).await;
    }
    let outcomes = [
        Some(Outcome::Done { how: Done::Written }),
        Some(retry(Category::Transient)),
        Some(Outcome::Wait { until: h.now().plus(Duration::from_secs(3_600)), why: WaitFor::Host }),
        None,
    ];
    for (n, outcome) in outcomes.into_iter().enumerate() {
        let (job, attempt) = begun(h, &studio_job(n, None).id, "w").await;
        if let Some(outcome) = outcome {
            settled(h, &job, &attempt, outcome).await;
        }
    }
    dead_letter(h, 20, Category::Data).await;
    h.restart().await;
    let counts = h.store().step_counts(&session()).await.unwrap();
    let of = |state| counts.of("find", state);
    let states = JobState::ALL.map(of);
    // created, sent, running, parked, done, dead, cancelled
    assert_eq!(states, [6, 1, 1, 1, 1, 1, 0]);
    assert_eq!((counts.all("find"), counts.open("find")), (11, 9));
    let depth = h.store().depth(h.now()).await.unwrap();
    assert_eq!(depth, Depth { open: 9, due: 6, running: 1, oldest: Some(START.plus(Duration::from_secs(1))) });
    assert_eq!(depth.oldest_age(h.now()), Duration::from_secs(9));
    h.advance(Duration::from_secs(61)).await;
    let depth = h.store().depth(h.now()).await.unwrap();
    assert_eq!((depth.due, depth.open), (8, 9), "the retry and the lost lease could run now, the parked one could not");
    assert_eq!(h.store().step_counts(&SessionId::new("other")).await.unwrap().0.len(), 0);
}

async fn jobs_of_a_session_are_paged(h: &impl Harness) {
    for n in 0..15 {
        let job = made(h, &studio_job(n, None)).await;
        if n % 3 == 0 {
            send(h, &job).await;
        }
    }
    for (state, expected) in [(None, 15), (Some(JobState::Created), 10), (Some(JobState::Sent), 5), (Some(JobState::Done), 0)] {
        let mut seen: Vec<JobId> = Vec::new();
        loop {
            let page = h.store().jobs_in(&session(), state, seen.last(), 4).await.unwrap();
            if page.is_empty() {
                break;
            }
            assert!(page.len() <= 4 && page.iter().all(|job| state.is_none_or(|state| job.state == state)));
            seen.extend(ids(&page));
        }
        assert_eq!(seen.len(), expected, "{state:?}");
        assert!(seen.is_sorted_by(|one, other| one < other));
    }
    assert_eq!(h.store().jobs_in(&SessionId::new("other"), None, None, 9).await.unwrap(), []);
}

/// 002-C7: letters are listed newest first, each once, also those that died in the same moment.
async fn dead_letters_are_paged_newest_first(h: &impl Harness) {
    for n in 0..9 {
        dead_letter(h, n, Category::Data).await;
        if n % 3 == 2 {
            h.advance(Duration::from_secs(1)).await;
        }
    }
    for limit in [1, 2, 3, 9, 10] {
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let query = DeadLetterQuery { limit, after, ..DeadLetterQuery::default() };
            let page = h.store().dead_letters(&query).await.unwrap();
            seen.extend(page.jobs);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let mut each = ids(&seen);
        each.sort();
        each.dedup();
        assert_eq!((seen.len(), each.len()), (9, 9), "pages of {limit}");
        assert!(seen.is_sorted_by_key(|job| std::cmp::Reverse(job.settled_at)));
    }
}

/// 002-C7: letters by session and by category; one that was requeued is no letter.
async fn dead_letters_are_filtered(h: &impl Harness) {
    let mut letters = Vec::new();
    for (n, category) in [Category::Data, Category::Blocked, Category::Data, Category::Poison].into_iter().enumerate() {
        letters.push(dead_letter(h, n, category).await);
        h.advance(Duration::from_secs(1)).await;
    }
    let list = async |session: Option<SessionId>, category: Option<&str>| {
        let query = DeadLetterQuery { session, category: category.map(ToOwned::to_owned), limit: 10, after: None };
        ids(&h.store().dead_letters(&query).await.unwrap().jobs)
    };
    let of = |numbers: &[usize]| numbers.iter().map(|n| letters[*n].id().clone()).collect::<Vec<_>>();
    assert_eq!(list(None, None).await, of(&[3, 2, 1, 0]));
    assert_eq!(list(None, Some("data")).await, of(&[2, 0]));
    assert_eq!(list(Some(session()), Some("blocked")).await, of(&[1]));
    assert_eq!(list(Some(session()), None).await, of(&[3, 2, 1, 0]));
    assert_eq!(list(Some(SessionId::new("other")), None).await, []);
    assert_eq!(list(None, Some("config")).await, []);
    put(h, &letters[2], &requeued(&letters[2], h.now()).unwrap(), None).await;
    assert_eq!(list(None, Some("data")).await, of(&[0]));
}

/// Rule 19, 002-R39: a restart delivers what a dead process owed; what was told is not told again.
async fn alerts_are_owed_until_told(h: &impl Harness) {
    let letters = [dead_letter(h, 1, Category::Blocked).await, dead_letter(h, 2, Category::Data).await];
    h.restart().await;
    let mut owed = h.store().jobs_owing_alert(10).await.unwrap();
    assert_eq!(owed.len(), 2);
    assert_eq!(h.store().jobs_owing_alert(1).await.unwrap().len(), 1);
    let told = Job { alert: AlertDebt::Told(h.now()), ..letters[0].clone() };
    put(h, &letters[0], &told, None).await;
    owed.retain(|job| job.id() != letters[0].id());
    assert_eq!(h.store().jobs_owing_alert(10).await.unwrap(), owed);
}
