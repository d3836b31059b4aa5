//! Where each actor is now: looked up at each use, because a restart gives a new address.

use crate::actors::alerter::Alerter;
use crate::actors::discovery::Discovery;
use crate::actors::dispatcher::Dispatcher;
use crate::actors::guardian::Guardian;
use crate::actors::index_sync::IndexSync;
use crate::actors::messages::{Beat, ObservableState};
use crate::actors::scheduler::Scheduler;
use crate::actors::scraper::Scraper;
use crate::actors::writer::Writer;
use actix::dev::ToEnvelope;
use actix::{Actor, Addr, Handler, Message, Recipient};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// Whose place it is, and who is there.
pub struct Slot<A: Actor>(Arc<watch::Sender<Option<Addr<A>>>>);

impl<A: Actor> Clone for Slot<A> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<A: Actor> Default for Slot<A> {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }
}

impl<A: Actor> fmt::Debug for Slot<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slot(taken: {})", self.0.borrow().is_some())
    }
}

/// Why a message reached nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreached {
    /// The actor is down; the Guardian restarts it.
    #[error("the {0} is down")]
    Down(&'static str),
    /// Its mailbox is full: back-pressure.
    #[error("the mailbox of the {0} is full")]
    Full(&'static str),
    /// It did not answer in time, or died with the message: whether it was handled is unknown.
    #[error("the {0} did not answer")]
    NoAnswer(&'static str),
}

impl<A: Actor> Slot<A> {
    /// Puts an actor in its place.
    pub fn set(&self, addr: Addr<A>) {
        self.0.send_replace(Some(addr));
    }

    fn get(&self) -> Option<Addr<A>> {
        self.0.borrow().as_ref().filter(|addr| addr.connected()).cloned()
    }

    /// Waits until somebody is there.
    async fn somebody(&self) -> Addr<A> {
        let mut taken = self.0.subscribe();
        loop {
            if let Some(addr) = self.get() {
                return addr;
            }
            // The sender is held by this slot, so the channel cannot close.
            let _changed = taken.changed().await;
        }
    }

    /// Sends without waiting; a full mailbox refuses.
    ///
    /// # Errors
    /// [`Unreached`].
    pub fn tell<M>(&self, name: &'static str, message: M) -> Result<(), Unreached>
    where
        M: Message + Send + 'static,
        M::Result: Send,
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
    {
        let addr = self.get().ok_or(Unreached::Down(name))?;
        addr.try_send(message).map_err(|error| match error {
            actix::prelude::SendError::Full(_) => Unreached::Full(name),
            actix::prelude::SendError::Closed(_) => Unreached::Down(name),
        })
    }

    /// Sends and waits for the answer, at most `within`.
    ///
    /// # Errors
    /// [`Unreached`]; after [`Unreached::NoAnswer`] it is unknown whether the message was handled.
    pub async fn ask<M>(&self, name: &'static str, message: M, within: Duration) -> Result<M::Result, Unreached>
    where
        M: Message + Send + 'static,
        M::Result: Send,
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
    {
        // At the start, and between a death and the restart, the place is empty for a moment.
        let Ok(addr) = tokio::time::timeout(within, self.somebody()).await else { return Err(Unreached::Down(name)) };
        match tokio::time::timeout(within, addr.send(message)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) | Err(_) => Err(Unreached::NoAnswer(name)),
        }
    }
}

/// The places of all actors.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    /// Supervises the others.
    pub guardian: Slot<Guardian>,
    /// Cron, sessions, sweeper.
    pub scheduler: Slot<Scheduler>,
    /// Runs discovery.
    pub discovery: Slot<Discovery>,
    /// Receives, settles.
    pub dispatcher: Slot<Dispatcher>,
    /// Runs jobs.
    pub scraper: Slot<Scraper>,
    /// Writes artists.
    pub writer: Slot<Writer>,
    /// Feeds the index.
    pub index_sync: Slot<IndexSync>,
    /// Tells alerts.
    pub alerter: Slot<Alerter>,
}

/// What an actor tells the Guardian by dying.
#[derive(Debug)]
pub struct Death {
    /// Which child.
    pub name: &'static str,
    /// Which life of it.
    pub number: u64,
    /// Whether it unwound.
    pub panicked: bool,
}

/// One life of a child: held by the actor itself, so that dropping the actor, however it comes, tells the Guardian.
#[derive(Debug)]
pub struct Incarnation {
    /// Which child.
    pub name: &'static str,
    /// Which life, counted from 1.
    pub number: u64,
    /// Where deaths are told.
    pub deaths: mpsc::UnboundedSender<Death>,
    /// Where the new life's heartbeat is found.
    pub pulse: watch::Sender<Option<Recipient<Beat>>>,
}

impl Incarnation {
    /// Lets the Guardian find the new actor's heartbeat.
    pub fn begin<A>(&self, addr: &Addr<A>)
    where
        A: Actor + Handler<Beat>,
        A::Context: ToEnvelope<A, Beat>,
    {
        self.pulse.send_replace(Some(addr.clone().recipient()));
    }
}

impl Drop for Incarnation {
    fn drop(&mut self) {
        // The Guardian may be gone already, at the end of the process: then nobody needs to know.
        let _nobody_listens = self.deaths.send(Death { name: self.name, number: self.number, panicked: std::thread::panicking() });
    }
}

/// A state of an actor that tests, health and the admin API all read.
pub fn observe<T: serde::Serialize>(state: &T) -> ObservableState {
    ObservableState(serde_json::to_value(state).unwrap_or_default())
}
