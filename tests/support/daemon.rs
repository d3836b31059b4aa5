//! The application as a process of its own that can be killed: this test binary, executed again.
//!
//! Commands go in line by line (`session`, `survey`), answers come out; the end of its input is the order to stop.

use super::wait::until;
use super::world::{World, program};
use inkdex::app::{App, Surroundings};
use inkdex::config::{Config, ConfigText};
use inkdex::demo::DemoWeb;
use inkdex::domain::clock::{Clock, SystemClock};
use inkdex::domain::ids::SessionId;
use inkdex::domain::session::Trigger;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, mpsc};
use std::time::Duration;

const CONFIG: &str = "INKDEX_TEST_DAEMON_CONFIG";
/// Begins every line that is ours; the test runner of the child speaks too.
const MARK: &str = "inkdex-test ";
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(120);

/// A running daemon.
pub struct Daemon {
    child: Child,
    commands: Option<ChildStdin>,
    lines: mpsc::Receiver<String>,
    /// Its name in leases and attempts.
    pub owner: String,
    /// From its being executed until it was ready.
    pub took: Duration,
}

impl Daemon {
    /// Starts a daemon over the data of `world` and waits until it is ready.
    pub async fn start(world: &World, faults: &str) -> Self {
        match Self::try_start(world, faults).await {
            Ok(daemon) => daemon,
            Err(status) => panic!("the daemon ended before it was ready: {status}"),
        }
    }

    /// Starts a daemon; one that ends before it is ready answers how.
    pub async fn try_start(world: &World, faults: &str) -> Result<Self, ExitStatus> {
        let file = world.config.discovery.studio_files[0].with_file_name("inkdex.toml");
        std::fs::write(&file, toml::to_string(&world.config).unwrap()).unwrap();
        let clock = SystemClock::new();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "support::daemon::runs_as_a_daemon", "--nocapture"])
            .env(CONFIG, &file)
            .env("INKDEX_FAULTS", faults)
            .env("INKDEX_FAULTS_TALLY", world.tally())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = child.stdout.take().unwrap();
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || read_lines(output, &sender));
        let commands = child.stdin.take();
        let mut daemon = Self { child, commands, lines, owner: String::new(), took: Duration::ZERO };
        let ready = daemon.line("ready").await;
        let Some(owner) = ready else { return Err(daemon.child.wait().unwrap()) };
        daemon.owner = owner;
        daemon.took = clock.monotonic();
        Ok(daemon)
    }

    /// The next line that begins with `word`, without it; `None` if the daemon ends first.
    async fn line(&self, word: &str) -> Option<String> {
        until(&format!("the daemon says {word}"), ANSWER, async || {
            loop {
                match self.lines.try_recv() {
                    Ok(line) => match line.split_once(' ') {
                        Some((first, rest)) if first == word => return Some(Some(rest.to_owned())),
                        _ => {}
                    },
                    Err(mpsc::TryRecvError::Empty) => return None,
                    Err(mpsc::TryRecvError::Disconnected) => return Some(None),
                }
            }
        })
        .await
    }

    fn command(&mut self, line: &str) {
        // A daemon that has just died is found out by who waits for its answer.
        let _dead = self.commands.as_mut().unwrap().write_all(format!("{line}\n").as_bytes());
    }

    /// Has a session begin; `None` if the daemon ends first.
    pub async fn session(&mut self) -> Option<SessionId> {
        self.command("session");
        self.line("session").await.map(SessionId::new)
    }

    /// The state of every actor, as `ChildState` is written; `None` if the daemon ends first.
    pub async fn survey(&mut self) -> Option<Vec<serde_json::Value>> {
        self.command("survey");
        self.line("survey").await.map(|text| serde_json::from_str(&text).unwrap())
    }

    /// Why it gave up; `None` if it ended without saying so.
    pub async fn gave_up(&self) -> Option<String> {
        self.line("gave_up").await
    }

    /// Whether it has ended by itself, and how.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// kill -9.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        let status = self.child.wait().unwrap();
        #[cfg(unix)]
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9), "{status}");
    }

    /// Orders it to stop, and waits until it has.
    pub async fn stop(mut self) -> ExitStatus {
        drop(self.commands.take());
        until("the daemon stops", ANSWER, async || self.child.try_wait().unwrap()).await
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Only one that a failed test left running is still there.
        if self.child.kill().is_ok() {
            let _reaped = self.child.wait();
        }
    }
}

fn read_lines(output: std::process::ChildStdout, sender: &mpsc::Sender<String>) {
    let mut output = BufReader::new(output);
    let mut line = String::new();
    while output.read_line(&mut line).unwrap_or(0) > 0 {
        // A line without its end was cut by a kill: what it said was not said.
        if let Some((_, ours)) = line.split_once(MARK).filter(|_| line.ends_with('\n'))
            && sender.send(ours.trim_end().to_owned()).is_err()
        {
            return;
        }
        line.clear();
    }
}

fn say(text: &str) {
    println!("{MARK}{text}");
}

/// Executed by other tests it is their daemon; by itself it starts one, asks it, and stops it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn runs_as_a_daemon() {
    let Some(file) = std::env::var_os(CONFIG) else {
        let world = World::of(DemoWeb::generate_sized(1, 1, 1)).await;
        let mut daemon = Daemon::start(&world, "").await;
        assert!(daemon.survey().await.is_some_and(|children| children.iter().any(|child| child["name"] == "scheduler")));
        assert!(daemon.stop().await.success());
        return;
    };
    let config = Config::read(&[ConfigText::from_file(Path::new(&file)).unwrap()]).unwrap();
    let surroundings = Surroundings { clock: Arc::new(SystemClock::new()), program: program(), sources: Vec::new() };
    let app = App::start_in(surroundings, &config, false).await.unwrap();
    say(&format!("ready {}", app.ports.settings.owner));
    let (sender, mut commands) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    loop {
        let command = tokio::select! {
            command = commands.recv() => command,
            why = app.gave_up() => {
                say(&format!("gave_up {why}"));
                std::process::exit(3);
            }
        };
        match command.as_deref() {
            Some("session") => match app.control.start_session(Trigger::Manual).await {
                Ok(id) => say(&format!("session {id}")),
                Err(error) => say(&format!("refused {error}")),
            },
            Some("survey") => say(&format!("survey {}", serde_json::to_string(&app.control.survey().await.children).unwrap())),
            Some(other) => panic!("there is no command {other}"),
            None => break,
        }
    }
    app.stop().await;
}
