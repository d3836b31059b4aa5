//! The permits that jobs carry: how many may run at once, growing and shrinking with the depth of the queue (002-R11).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// A resizable number of permits.
#[derive(Debug)]
pub struct Pool {
    permits: Arc<Semaphore>,
    size: AtomicUsize,
    /// Permits that are to be taken away as soon as somebody gives one back.
    owed: AtomicUsize,
    running: Arc<AtomicUsize>,
    min: usize,
    max: usize,
    /// Turns true when running jobs are to be given up, at the end of a drain.
    abort: watch::Sender<bool>,
}

/// A job that runs.
#[derive(Debug)]
pub struct Working(Arc<AtomicUsize>);

impl Drop for Working {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Pool {
    /// A pool of `min` permits that may grow to `max`.
    pub fn new(min: usize, max: usize) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(min)),
            size: AtomicUsize::new(min),
            owed: AtomicUsize::new(0),
            running: Arc::default(),
            min,
            max,
            abort: watch::Sender::new(false),
        }
    }

    /// How many jobs may run at once.
    pub fn size(&self) -> usize {
        self.size.load(Ordering::SeqCst)
    }

    /// How many jobs run.
    pub fn busy(&self) -> usize {
        self.running.load(Ordering::SeqCst)
    }

    /// Counts a job as running until the answer is dropped.
    pub fn work(&self) -> Working {
        self.running.fetch_add(1, Ordering::SeqCst);
        Working(self.running.clone())
    }

    /// How many permits are out: with running jobs, and with the Dispatcher while it waits for messages.
    pub fn held(&self) -> usize {
        (self.size() + self.owed.load(Ordering::SeqCst)).saturating_sub(self.permits.available_permits())
    }

    /// The size for so many waiting jobs.
    pub fn wanted(&self, due: u64, jobs_per_worker: usize) -> usize {
        let workers = usize::try_from(due).unwrap_or(usize::MAX).div_ceil(jobs_per_worker.max(1));
        workers.clamp(self.min, self.max)
    }

    /// Brings the pool to `size`; what is taken away while in use goes when it is given back.
    pub fn resize(&self, size: usize) {
        let size = size.clamp(self.min, self.max);
        let old = self.size.swap(size, Ordering::SeqCst);
        if size > old {
            let mut grow = size - old;
            let forgiven =
                self.owed.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |owed| Some(owed - owed.min(grow))).unwrap_or(0).min(grow);
            grow -= forgiven;
            self.permits.add_permits(grow);
        } else {
            let shrink = old - size;
            let taken = self.permits.forget_permits(shrink);
            self.owed.fetch_add(shrink - taken, Ordering::SeqCst);
        }
    }

    /// Waits for a permit.
    pub async fn acquire(&self) -> OwnedSemaphorePermit {
        loop {
            let permit = self.permits.clone().acquire_owned().await.expect("the pool's semaphore is never closed");
            let took = self.owed.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |owed| owed.checked_sub(1));
            if took.is_err() {
                return permit;
            }
            permit.forget();
        }
    }

    /// Takes a permit if one is free now.
    pub fn try_acquire(&self) -> Option<OwnedSemaphorePermit> {
        if self.owed.load(Ordering::SeqCst) > 0 {
            return None;
        }
        self.permits.clone().try_acquire_owned().ok()
    }

    /// Tells running jobs to give up.
    pub fn give_up(&self) {
        self.abort.send_replace(true);
    }

    /// Turns true when running jobs are to give up.
    pub fn giving_up(&self) -> watch::Receiver<bool> {
        self.abort.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 002-R11: the pool grows with the depth of the queue, and shrinks with it, also while permits are in use.
    #[tokio::test]
    async fn the_pool_follows_the_depth_both_ways() {
        let pool = Pool::new(1, 4);
        assert_eq!((pool.wanted(0, 2), pool.wanted(3, 2), pool.wanted(100, 2)), (1, 2, 4));
        pool.resize(pool.wanted(100, 2));
        let held = [pool.acquire().await, pool.acquire().await, pool.acquire().await];
        assert_eq!((pool.size(), pool.held()), (4, 3));
        pool.resize(1);
        assert_eq!((pool.size(), pool.held()), (1, 3));
        assert!(pool.try_acquire().is_none());
        assert_eq!(pool.busy(), 0, "a permit is not yet a job");
        let job = pool.work();
        assert_eq!(pool.busy(), 1);
        drop(job);
        assert_eq!(pool.busy(), 0);
        drop(held);
        let one = pool.acquire().await;
        assert!(pool.try_acquire().is_none(), "the pool has one permit left");
        drop(one);
        assert_eq!((pool.size(), pool.held()), (1, 0));
        pool.resize(3);
        assert_eq!([pool.try_acquire(), pool.try_acquire(), pool.try_acquire()].iter().flatten().count(), 3);
    }
}
