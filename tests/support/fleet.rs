//! Several processes: `inkdex serve` with different roles, started again whenever one ends, as a service manager does.

use super::wait::{LONG, until};
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often it is looked whether one has ended.
const LOOK: Duration = Duration::from_millis(100);
/// Looks that pass before one that ended is started again.
const REST: u32 = 5;
/// What `inkdex serve` says before its address.
const LISTENS: &str = "inkdex listens at http://";

/// What one of the processes is started with.
#[derive(Debug, Clone, Default)]
pub struct Part {
    /// What it does.
    pub roles: &'static str,
    /// Further arguments.
    pub arguments: Vec<String>,
    /// Further variables of its environment.
    pub environment: Vec<(&'static str, String)>,
}

impl Part {
    /// One with these roles and nothing else of its own.
    pub fn doing(roles: &'static str) -> Self {
        Self { roles, ..Self::default() }
    }
}

/// One of the processes.
struct Member {
    part: Part,
    log: PathBuf,
    child: Option<Child>,
    /// Looks until it is started again.
    rest: u32,
    /// Where it listens, once it has said so.
    address: Arc<Mutex<Option<SocketAddr>>>,
}

/// All of them.
pub struct Fleet {
    config: PathBuf,
    members: Mutex<Vec<Member>>,
    /// Ends that nobody here brought about.
    by_themselves: Mutex<Vec<String>>,
}

/// The program of this build.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_inkdex");

/// Sends a signal by its name.
pub fn signal(pid: u32, name: &str) {
    let status = Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).status().expect("kill runs");
    assert!(status.success(), "kill -{name} {pid}");
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Fleet {
    /// Starts one process for each of these parts, with this configuration; their logs go to `logs`.
    pub fn start(config: PathBuf, logs: &std::path::Path, parts: Vec<Part>) -> Arc<Self> {
        let member = |(number, part): (usize, Part)| Member {
            part,
            log: logs.join(format!("process-{number}.log")),
            child: None,
            rest: 0,
            address: Arc::default(),
        };
        let members = parts.into_iter().enumerate().map(member).collect();
        let fleet = Arc::new(Self { config, members: Mutex::new(members), by_themselves: Mutex::default() });
        let tended = Arc::downgrade(&fleet);
        tokio::spawn(async move {
            while let Some(fleet) = tended.upgrade() {
                fleet.tend();
                drop(fleet);
                tokio::time::sleep(LOOK).await;
            }
        });
        fleet
    }

    fn tend(&self) {
        for member in lock(&self.members).iter_mut() {
            if let Some(status) = member.child.as_mut().and_then(|child| child.try_wait().expect("a child of ours")) {
                lock(&self.by_themselves).push(format!("{} ended by itself: {status}", member.part.roles));
                member.ended();
            }
            match member.rest.checked_sub(1) {
                _ if member.child.is_some() => {}
                Some(less) => member.rest = less,
                None => member.begin(&self.config),
            }
        }
    }

    /// The living ones.
    pub fn pids(&self) -> Vec<u32> {
        lock(&self.members).iter().filter_map(|member| member.child.as_ref().map(Child::id)).collect()
    }

    /// Where the one with the web listens, if it lives and says so.
    pub fn web(&self) -> Option<SocketAddr> {
        lock(&self.members).iter().find_map(|member| *lock(&member.address))
    }

    /// kill -9 of a living one. Answers whether it lived until then.
    pub fn kill(&self, pid: u32) -> bool {
        let mut members = lock(&self.members);
        let Some(member) = members.iter_mut().find(|member| member.child.as_ref().is_some_and(|child| child.id() == pid)) else {
            return false;
        };
        let child = member.child.as_mut().expect("it was found by its child");
        child.kill().expect("a child of ours");
        let status = child.wait().expect("a child of ours");
        member.ended();
        status.signal() == Some(9)
    }

    /// Ends that nobody here brought about.
    pub fn by_themselves(&self) -> Vec<String> {
        lock(&self.by_themselves).clone()
    }

    /// Orders all to stop, and waits until they have. Answers how each ended.
    pub async fn stop(&self) -> Vec<ExitStatus> {
        // Without members nobody is started again.
        let mut members = std::mem::take(&mut *lock(&self.members));
        let mut statuses = Vec::new();
        for child in members.iter().filter_map(|member| member.child.as_ref()) {
            signal(child.id(), "TERM");
        }
        for child in members.iter_mut().filter_map(|member| member.child.as_mut()) {
            statuses.push(until("a process stops", LONG, async || child.try_wait().expect("a child of ours")).await);
        }
        statuses
    }
}

impl Member {
    fn begin(&mut self, config: &std::path::Path) {
        let log = OpenOptions::new().create(true).append(true).open(&self.log).expect("a log file");
        // Whoever stops this test by a signal stops the processes with it.
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", PROGRAM, "serve", "--roles", self.part.roles, "--config"])
            .arg(config)
            .args(&self.part.arguments)
            .envs(self.part.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the program runs");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        let address = Arc::default();
        self.address = Arc::clone(&address);
        self.child = Some(child);
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if let Some((_, told)) = line.split_once(LISTENS) {
                    *lock(&address) = told.split('/').next().and_then(|told| told.parse().ok());
                }
            }
        });
    }

    fn ended(&mut self) {
        self.child = None;
        self.address = Arc::default();
        self.rest = REST;
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        // Only one that a failed test left running is still there.
        if let Some(child) = &mut self.child
            && child.kill().is_ok()
        {
            let _reaped = child.wait();
        }
    }
}
