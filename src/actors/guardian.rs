//! The Guardian: starts every child of the table from its factory, notices deaths and missed heartbeats, restarts with
//! backoff, and gives up by ending the process with an error (rule 12).
//!
//! Actix's own `Supervisor` is not used: it does not restart an actor that panicked, and it drops what an actor spawned.

use crate::actors::messages::{Beat, ObservableState, TakeSurvey};
use crate::actors::registry::{Death, Incarnation};
use crate::actors::{CHILDREN, ChildSpec, Context};
use crate::domain::clock::Timestamp;
use crate::jobs::control::{ChildState, Survey};
use actix::{Actor, Arbiter, AsyncContext, Handler, Message, Recipient, ResponseActFuture, StreamHandler, WrapFuture};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tracing::{error, info, warn};

/// Heartbeats missed in a row after which a child counts as frozen.
const MISSED_MEANS_FROZEN: u32 = 3;
/// After this long without a restart the backoff begins anew.
const QUIET: Duration = Duration::from_secs(60);
/// First and longest delay of a restart. The longest is short enough that the whole budget of a minute can be used up
/// within a minute: with longer ones an actor that always dies would be restarted for ever.
pub const RESTART: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(4));

/// The bare delay before the restart that is the `number`th within [`QUIET`], counted from 1.
fn restart_delay((first, longest): (Duration, Duration), number: usize) -> Duration {
    first.saturating_mul(1 << number.saturating_sub(1).min(16)).min(longest)
}

struct Child {
    spec: &'static ChildSpec,
    arbiter: Arbiter,
    number: u64,
    pulse: watch::Receiver<Option<Recipient<Beat>>>,
    alive: bool,
    panics: u64,
    freezes: u64,
    missed: u32,
    restarts: VecDeque<Duration>,
    last_beat: Option<Timestamp>,
    state: ObservableState,
}

/// Supervises the children of the table.
pub struct Guardian {
    context: Context,
    children: Vec<Child>,
    deaths: mpsc::UnboundedSender<Death>,
    /// Told once, when the Guardian gives up: why.
    gave_up: watch::Sender<Option<String>>,
    /// Takes the threads of the children at the end, to be waited for.
    ending: std::sync::mpsc::Sender<Arbiter>,
}

/// Look at every child's pulse.
#[derive(Message)]
#[rtype(result = "()")]
struct TakePulse;

/// A child answered its heartbeat, or did not.
#[derive(Message)]
#[rtype(result = "()")]
struct PulseTaken {
    name: &'static str,
    number: u64,
    answer: Option<ObservableState>,
}

/// Start a child again, its backoff being over.
#[derive(Message)]
#[rtype(result = "()")]
struct Restart {
    name: &'static str,
}

impl Guardian {
    /// Starts the Guardian and every child on the current actix system. `gave_up` is told why, if it gives up; `ending` takes
    /// the children's threads when the system ends, since actix joins none of them.
    pub fn start_graph(context: Context, gave_up: watch::Sender<Option<String>>, ending: std::sync::mpsc::Sender<Arbiter>) {
        let registry = context.registry.clone();
        let (deaths, told) = mpsc::unbounded_channel();
        let addr = Self::create(move |ctx| {
            let stream = futures_util::stream::unfold(told, |mut told| async move { told.recv().await.map(|death| (death, told)) });
            ctx.add_stream(stream);
            let mut guardian = Self { context, children: Vec::new(), deaths, gave_up, ending };
            let roles = guardian.context.roles.clone();
            for spec in CHILDREN.iter().filter(|spec| spec.roles.iter().any(|role| roles.contains(role))) {
                let child = guardian.begin(spec, Arbiter::new(), 1);
                guardian.children.push(child);
            }
            ctx.notify_later(TakePulse, guardian.context.settings.heartbeat);
            guardian
        });
        registry.guardian.set(addr);
    }

    fn begin(&self, spec: &'static ChildSpec, arbiter: Arbiter, number: u64) -> Child {
        let pulse = watch::Sender::new(None);
        let heard = pulse.subscribe();
        let incarnation = Incarnation { name: spec.name, number, deaths: self.deaths.clone(), pulse };
        let context = self.context.clone();
        arbiter.spawn_fn(move || (spec.spawn)(&context, incarnation, spec.mailbox));
        Child {
            spec,
            arbiter,
            number,
            pulse: heard,
            alive: true,
            panics: 0,
            freezes: 0,
            missed: 0,
            restarts: VecDeque::new(),
            last_beat: None,
            state: ObservableState::default(),
        }
    }

    fn is_stopping(&self) -> bool {
        *self.context.stopping.borrow()
    }

    /// Plans the restart of a child that is down, or gives up.
    fn plan_restart(&mut self, index: usize, ctx: &mut actix::Context<Self>) {
        if self.is_stopping() {
            return;
        }
        let now = self.context.ports.clock.monotonic();
        let settings = self.context.settings.clone();
        let child = &mut self.children[index];
        child.alive = false;
        while child.restarts.front().is_some_and(|at| now.saturating_sub(*at) > QUIET) {
            child.restarts.pop_front();
        }
        child.restarts.push_back(now);
        if child.restarts.len() > settings.restarts_per_minute {
            let why = format!("actor {} was restarted {} times within a minute", child.spec.name, child.restarts.len() - 1);
            error!(actor = child.spec.name, severity = "critical", "{why}; the process gives up");
            self.gave_up.send_replace(Some(why));
            return;
        }
        let bare = restart_delay(settings.restart, child.restarts.len());
        let delay = bare + self.context.ports.chance.up_to(bare / 5);
        ctx.notify_later(Restart { name: child.spec.name }, delay);
    }
}

impl Actor for Guardian {
    type Context = actix::Context<Self>;
}

impl StreamHandler<Death> for Guardian {
    fn handle(&mut self, death: Death, ctx: &mut Self::Context) {
        let Some(index) = self.children.iter().position(|child| child.spec.name == death.name && child.number == death.number) else {
            return;
        };
        if self.is_stopping() || !self.children[index].alive {
            return;
        }
        self.children[index].panics += u64::from(death.panicked);
        let how = if death.panicked { "panicked" } else { "stopped" };
        error!(actor = death.name, "actor {} {how}, it is restarted", death.name);
        self.plan_restart(index, ctx);
    }
}

impl Handler<Restart> for Guardian {
    type Result = ();

    fn handle(&mut self, Restart { name }: Restart, _ctx: &mut Self::Context) {
        if self.is_stopping() {
            return;
        }
        let Some(index) = self.children.iter().position(|child| child.spec.name == name) else { return };
        let (spec, number) = (self.children[index].spec, self.children[index].number + 1);
        // A new thread each time: the old one may be stuck in a system call, or hold the remains of a panic.
        let fresh = self.begin(spec, Arbiter::new(), number);
        let old = std::mem::replace(&mut self.children[index], fresh);
        old.arbiter.stop();
        let child = &mut self.children[index];
        child.panics = old.panics;
        child.freezes = old.freezes;
        child.restarts = old.restarts;
        child.last_beat = old.last_beat;
        child.state = old.state;
        info!(actor = name, life = number, "actor {name} begins its life {number}");
    }
}

impl Handler<TakePulse> for Guardian {
    type Result = ();

    fn handle(&mut self, _: TakePulse, ctx: &mut Self::Context) {
        let wait = self.context.settings.heartbeat;
        for child in self.children.iter().filter(|child| child.alive) {
            let (name, number) = (child.spec.name, child.number);
            let recipient = child.pulse.borrow().clone();
            let ask = async move {
                let answer = match recipient {
                    Some(recipient) => tokio::time::timeout(wait, recipient.send(Beat)).await.ok().and_then(Result::ok),
                    None => None,
                };
                PulseTaken { name, number, answer }
            };
            ctx.spawn(actix::ActorFutureExt::map(ask.into_actor(self), |taken, _, ctx| ctx.notify(taken)));
        }
        ctx.notify_later(TakePulse, wait);
    }
}

impl Handler<PulseTaken> for Guardian {
    type Result = ();

    fn handle(&mut self, taken: PulseTaken, ctx: &mut Self::Context) {
        let now = self.context.ports.clock.now();
        let stopping = self.is_stopping();
        let Some(index) = self.children.iter().position(|child| child.spec.name == taken.name && child.number == taken.number) else {
            return;
        };
        let child = &mut self.children[index];
        if let Some(state) = taken.answer {
            child.missed = 0;
            child.last_beat = Some(now);
            child.state = state;
            return;
        }
        child.missed += 1;
        if child.alive && child.missed >= MISSED_MEANS_FROZEN && !stopping {
            child.freezes += 1;
            warn!(actor = taken.name, "actor {} missed {} heartbeats, its thread is replaced", taken.name, child.missed);
            self.plan_restart(index, ctx);
        }
    }
}

impl Handler<TakeSurvey> for Guardian {
    type Result = ResponseActFuture<Self, Survey>;

    fn handle(&mut self, _: TakeSurvey, _ctx: &mut Self::Context) -> Self::Result {
        let states = self.children.iter().map(|child| ChildState {
            name: child.spec.name.to_owned(),
            alive: child.alive && child.missed < MISSED_MEANS_FROZEN,
            starts: child.number,
            panics: child.panics,
            freezes: child.freezes,
            missed_beats: child.missed,
            mailbox: child.spec.mailbox,
            last_beat: child.last_beat.map(Timestamp::rfc3339),
            state: child.state.0.clone(),
        });
        let survey = Survey { children: states.collect() };
        Box::pin(actix::fut::ready(survey))
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        for child in self.children.drain(..) {
            child.arbiter.stop();
            // Where nobody waits for them, they end by themselves.
            let _nobody_waits = self.ending.send(child.arbiter);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rule 12: an actor that dies at once whenever it is started uses up the budget, and the process ends.
    #[test]
    fn the_budget_of_a_minute_can_be_used_up_within_a_minute() {
        let budget = crate::config::WorkersConfig::default().restarts_per_minute;
        let spent: Duration = (1..=budget).map(|number| restart_delay(RESTART, number) * 6 / 5).sum();
        assert!(spent < QUIET, "the restart after the last allowed one would come after {spent:?}");
        assert_eq!((restart_delay(RESTART, 1), restart_delay(RESTART, 100)), RESTART);
    }
}
