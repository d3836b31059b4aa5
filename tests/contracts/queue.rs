//! The contract of the queue: at least once, receipts that mean one delivery, expiry, delays.

use super::harness::{Embedded, Harness};
use inkdex::queue::{Delivery, JobQueue, Outgoing, QueueDepth, QueueError, Receipt, Receipted};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// What the suites need of a queue, empty at the start of each.
pub trait QueueHarness {
    /// The queue as it is open now.
    fn queue(&self) -> Arc<dyn JobQueue>;
    /// Lets time pass: a manual clock is moved, a server is waited for on times scaled down.
    async fn advance(&self, by: Duration);
    /// Ends our process and starts it again.
    async fn restart(&self);
    /// How long before its time something must still be hidden: a second by a manual clock, more where a loaded machine's
    /// time goes on by itself.
    fn just_before(&self) -> Duration;
    /// The longest that one delivery may stay invisible.
    fn max_visibility(&self) -> Duration;
}

impl QueueHarness for Embedded {
    fn queue(&self) -> Arc<dyn JobQueue> {
        Harness::queue(self)
    }

    async fn advance(&self, by: Duration) {
        Harness::advance(self, by).await;
    }

    async fn restart(&self) {
        Harness::restart(self).await;
    }

    fn just_before(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn max_visibility(&self) -> Duration {
        inkdex::queue::sqlite::MAX_VISIBILITY
    }
}

/// Makes a test of each suite on each queue.
macro_rules! on_every_queue {
    ($($suite:ident),+ $(,)?) => {
        mod embedded {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $suite() {
                    super::$suite(&$crate::contracts::harness::Embedded::start()).await;
                }
            )+
        }

        #[cfg(feature = "sqs")]
        mod sqs {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $suite() {
                    super::$suite(&$crate::contracts::sqs::Sqs::start().await).await;
                }
            )+
        }
    };
}

on_every_queue!(
    a_message_is_received_hidden_and_acked,
    a_delay_is_kept,
    entries_succeed_or_fail_by_themselves,
    a_message_that_runs_out_comes_again_with_a_new_receipt,
    a_stale_receipt_disturbs_nobody,
    an_extension_replaces_the_time_left,
    an_extension_is_capped,
    a_released_message_is_visible_at_once_or_later,
    many_receivers_never_share_a_message,
    a_waiting_receiver_is_woken,
    a_waiting_receiver_gives_up,
    depth_tells_visible_in_flight_and_delayed,
    messages_survive_a_restart,
    a_start_recovers_what_was_in_flight,
    a_purge_leaves_nothing,
);

const MINUTE: Duration = Duration::from_secs(60);

fn message(body: &str, delay: Duration) -> Outgoing {
    Outgoing { body: body.as_bytes().to_vec(), delay }
}

async fn send(queue: &Arc<dyn JobQueue>, body: &str, delay: Duration) {
    let answers = queue.send(vec![message(body, delay)]).await.unwrap();
    assert!(answers.len() == 1 && answers[0].is_ok(), "{answers:?}");
}

async fn receive(queue: &Arc<dyn JobQueue>, max: usize) -> Vec<Delivery> {
    queue.receive(max, MINUTE, Duration::ZERO).await.unwrap()
}

async fn one(queue: &Arc<dyn JobQueue>) -> Delivery {
    let mut deliveries = receive(queue, 10).await;
    assert_eq!(deliveries.len(), 1);
    deliveries.remove(0)
}

/// 002-R12, 002-R22: a received message is invisible while in work, and gone once acked.
async fn a_message_is_received_hidden_and_acked(h: &impl QueueHarness) {
    let queue = h.queue();
    assert_eq!(receive(&queue, 10).await, []);
    send(&queue, "a", Duration::ZERO).await;
    let delivery = one(&queue).await;
    assert_eq!((delivery.body.as_slice(), delivery.receive_count), (&b"a"[..], 1));
    assert_eq!(receive(&queue, 10).await, []);
    assert_eq!(queue.ack(&delivery.receipt).await.unwrap(), Receipted::Ok);
    assert_eq!(queue.ack(&delivery.receipt).await.unwrap(), Receipted::Stale);
    h.advance(2 * MINUTE).await;
    assert_eq!(receive(&queue, 10).await, []);
}

async fn a_delay_is_kept(h: &impl QueueHarness) {
    let queue = h.queue();
    send(&queue, "later", 2 * MINUTE).await;
    send(&queue, "now", Duration::ZERO).await;
    assert_eq!(one(&queue).await.body, b"now");
    h.advance(2 * MINUTE - h.just_before()).await;
    let redelivered = receive(&queue, 10).await;
    assert!(redelivered.iter().all(|delivery| delivery.body == b"now"), "{redelivered:?}");
    h.advance(h.just_before()).await;
    assert_eq!(one(&queue).await.body, b"later");
}

async fn entries_succeed_or_fail_by_themselves(h: &impl QueueHarness) {
    let queue = h.queue();
    let too_late = queue.max_delay() + Duration::from_secs(1);
    let huge = "x".repeat(300 * 1024);
    let messages = vec![
        message("a", Duration::ZERO),
        message("b", too_late),
        message("", Duration::ZERO),
        message(&huge, Duration::ZERO),
        message("c", queue.max_delay()),
        message("d", Duration::ZERO),
    ];
    let answers = queue.send(messages).await.unwrap();
    let accepted: Vec<bool> = answers.iter().map(Result::is_ok).collect();
    assert_eq!(accepted, [true, false, false, false, true, true]);
    assert!(answers.iter().filter_map(|answer| answer.as_ref().err()).all(|error| matches!(error, QueueError::Refused(_))));
    let bodies: BTreeSet<Vec<u8>> = receive(&queue, 10).await.into_iter().map(|delivery| delivery.body).collect();
    assert_eq!(bodies, BTreeSet::from([b"a".to_vec(), b"d".to_vec()]));
}

async fn a_message_that_runs_out_comes_again_with_a_new_receipt(h: &impl QueueHarness) {
    let queue = h.queue();
    send(&queue, "a", Duration::ZERO).await;
    let mut receipts = BTreeSet::new();
    for count in 1..=4 {
        let delivery = one(&queue).await;
        assert_eq!(delivery.receive_count, count);
        assert!(receipts.insert(delivery.receipt.0), "a receipt names one delivery");
        h.advance(MINUTE - h.just_before()).await;
        assert_eq!(receive(&queue, 10).await, [], "before its time is over");
        h.advance(h.just_before()).await;
    }
}

async fn a_stale_receipt_disturbs_nobody(h: &impl QueueHarness) {
    let queue = h.queue();
    send(&queue, "a", Duration::ZERO).await;
    let first = one(&queue).await;
    h.advance(MINUTE).await;
    let second = one(&queue).await;
    // `Ok` or `Stale`: what counts is that the second delivery stands.
    queue.extend(&first.receipt, Duration::ZERO).await.unwrap();
    queue.release(&first.receipt, Duration::ZERO).await.unwrap();
    queue.ack(&first.receipt).await.unwrap();
    assert_eq!(receive(&queue, 10).await, []);
    assert_eq!(queue.extend(&second.receipt, MINUTE).await.unwrap(), Receipted::Ok);
    assert_eq!(queue.ack(&second.receipt).await.unwrap(), Receipted::Ok);
    for strange in ["", "1", "1-", "x-y", "99999999999999999999-1"] {
        assert_eq!(queue.ack(&Receipt(strange.to_owned())).await.unwrap(), Receipted::Stale);
    }
}

/// 002-X3: the heartbeat of a worker replaces the time left, counted from the call.
async fn an_extension_replaces_the_time_left(h: &impl QueueHarness) {
    let queue = h.queue();
    send(&queue, "a", Duration::ZERO).await;
    let delivery = one(&queue).await;
    for _ in 0..5 {
        h.advance(MINUTE / 2).await;
        assert_eq!(queue.extend(&delivery.receipt, MINUTE).await.unwrap(), Receipted::Ok);
        assert_eq!(receive(&queue, 10).await, []);
    }
    assert_eq!(queue.extend(&delivery.receipt, MINUTE / 4).await.unwrap(), Receipted::Ok);
    h.advance(MINUTE / 4).await;
    assert_eq!(one(&queue).await.receive_count, 2);
}

async fn an_extension_is_capped(h: &impl QueueHarness) {
    let queue = h.queue();
    send(&queue, "a", Duration::ZERO).await;
    let delivery = one(&queue).await;
    let hour = h.max_visibility() / 12;
    for _ in 0..5 {
        assert_eq!(queue.extend(&delivery.receipt, 4 * hour).await.unwrap(), Receipted::Ok);
        h.advance(2 * hour).await;
    }
    assert_eq!(receive(&queue, 10).await, []);
    // The services refuse or shorten what goes beyond 12 hours from the receipt; either way the message comes back.
    let answer = queue.extend(&delivery.receipt, 8 * hour).await;
    assert!(matches!(answer, Ok(_) | Err(QueueError::Refused(_))), "{answer:?}");
    h.advance(hour * 9 / 4).await;
    assert_eq!(one(&queue).await.receive_count, 2);
}

/// 002-R37: a message returns to the queue and reappears after its time.
async fn a_released_message_is_visible_at_once_or_later(h: &impl QueueHarness) {
    let queue = h.queue();
    send(&queue, "a", Duration::ZERO).await;
    let first = one(&queue).await;
    assert_eq!(queue.release(&first.receipt, Duration::ZERO).await.unwrap(), Receipted::Ok);
    let second = one(&queue).await;
    assert_eq!(second.receive_count, 2);
    assert_ne!(second.receipt, first.receipt);
    assert_eq!(queue.release(&second.receipt, MINUTE).await.unwrap(), Receipted::Ok);
    assert_eq!(receive(&queue, 10).await, []);
    h.advance(MINUTE).await;
    let third = one(&queue).await;
    let refused = queue.release(&third.receipt, queue.max_delay() + Duration::from_secs(1)).await;
    assert!(matches!(refused, Err(QueueError::Refused(_))), "{refused:?}");
    assert_eq!(queue.ack(&third.receipt).await.unwrap(), Receipted::Ok);
}

/// 002-R11: workers process concurrently; while a delivery lives its message is nobody else's.
async fn many_receivers_never_share_a_message(h: &impl QueueHarness) {
    let queue = h.queue();
    for chunk in 0..20 {
        let messages = (0..10).map(|n| message(&format!("{chunk}-{n}"), Duration::ZERO)).collect();
        assert!(queue.send(messages).await.unwrap().iter().all(Result::is_ok));
    }
    let workers: Vec<_> = (0..8)
        .map(|_| {
            let queue = queue.clone();
            tokio::spawn(async move {
                let mut bodies = Vec::new();
                loop {
                    let deliveries = receive(&queue, 3).await;
                    if deliveries.is_empty() {
                        return bodies;
                    }
                    assert!(deliveries.len() <= 3);
                    for delivery in deliveries {
                        assert_eq!(queue.ack(&delivery.receipt).await.unwrap(), Receipted::Ok);
                        bodies.push(delivery.body);
                    }
                }
            })
        })
        .collect();
    let mut all = Vec::new();
    for worker in workers {
        all.extend(worker.await.unwrap());
    }
    let each: BTreeSet<_> = all.iter().cloned().collect();
    assert_eq!((all.len(), each.len()), (200, 200));
}

async fn a_waiting_receiver_is_woken(h: &impl QueueHarness) {
    let queue = h.queue();
    let waiting = |queue: &Arc<dyn JobQueue>| {
        let queue = queue.clone();
        tokio::spawn(async move { queue.receive(1, MINUTE, Duration::from_secs(30)).await.unwrap() })
    };
    for _ in 0..20 {
        let receiver = waiting(&queue);
        tokio::task::yield_now().await;
        send(&queue, "a", Duration::ZERO).await;
        let deliveries = tokio::time::timeout(Duration::from_secs(20), receiver).await.unwrap().unwrap();
        assert_eq!(deliveries.len(), 1);
        // A release wakes as well as a send.
        let receiver = waiting(&queue);
        tokio::task::yield_now().await;
        queue.release(&deliveries[0].receipt, Duration::ZERO).await.unwrap();
        let deliveries = tokio::time::timeout(Duration::from_secs(20), receiver).await.unwrap().unwrap();
        assert_eq!(deliveries.len(), 1);
        queue.ack(&deliveries[0].receipt).await.unwrap();
    }
}

async fn a_waiting_receiver_gives_up(h: &impl QueueHarness) {
    let queue = h.queue();
    send(&queue, "later", 10 * MINUTE).await;
    let waited = tokio::time::timeout(Duration::from_secs(20), queue.receive(1, MINUTE, Duration::from_millis(50))).await;
    assert_eq!(waited.unwrap().unwrap(), []);
}

async fn depth_tells_visible_in_flight_and_delayed(h: &impl QueueHarness) {
    let queue = h.queue();
    assert_eq!(queue.depth().await.unwrap(), QueueDepth::default());
    for (body, delay) in [("a", Duration::ZERO), ("b", Duration::ZERO), ("c", Duration::ZERO), ("d", MINUTE)] {
        send(&queue, body, delay).await;
    }
    assert_eq!(receive(&queue, 2).await.len(), 2);
    assert_eq!(queue.depth().await.unwrap(), QueueDepth { visible: 1, in_flight: 2, delayed: 1 });
    h.advance(MINUTE).await;
    assert_eq!(queue.depth().await.unwrap(), QueueDepth { visible: 4, in_flight: 0, delayed: 0 });
}

async fn messages_survive_a_restart(h: &impl QueueHarness) {
    let queue = h.queue();
    send(&queue, "a", Duration::ZERO).await;
    send(&queue, "b", MINUTE).await;
    let delivery = one(&queue).await;
    drop(queue);
    h.restart().await;
    let queue = h.queue();
    assert_eq!(receive(&queue, 10).await, []);
    assert_eq!(queue.extend(&delivery.receipt, 2 * MINUTE).await.unwrap(), Receipted::Ok);
    h.advance(MINUTE).await;
    assert_eq!(one(&queue).await.body, b"b");
    assert_eq!(queue.ack(&delivery.receipt).await.unwrap(), Receipted::Ok);
}

/// Rule 17: a start that knows itself alone need not wait for dead receivers; elsewhere visibility runs out by itself.
async fn a_start_recovers_what_was_in_flight(h: &impl QueueHarness) {
    let queue = h.queue();
    send(&queue, "a", Duration::ZERO).await;
    send(&queue, "b", 10 * MINUTE).await;
    let dead = one(&queue).await;
    drop(queue);
    h.restart().await;
    let queue = h.queue();
    if queue.recover().await.unwrap() == 0 {
        h.advance(MINUTE).await;
    }
    let again = one(&queue).await;
    assert_eq!((again.body.as_slice(), again.receive_count), (&b"a"[..], 2));
    queue.ack(&dead.receipt).await.unwrap();
    assert_eq!(queue.extend(&again.receipt, MINUTE).await.unwrap(), Receipted::Ok);
}

async fn a_purge_leaves_nothing(h: &impl QueueHarness) {
    let queue = h.queue();
    for n in 0..5 {
        send(&queue, &n.to_string(), if n < 3 { Duration::ZERO } else { MINUTE }).await;
    }
    let held = receive(&queue, 1).await;
    queue.purge().await.unwrap();
    assert_eq!(queue.depth().await.unwrap(), QueueDepth::default());
    h.advance(2 * MINUTE).await;
    assert_eq!(receive(&queue, 10).await, []);
    queue.ack(&held[0].receipt).await.unwrap();
    assert_eq!(queue.drain_undeliverable(10).await.unwrap(), []);
}
