//! A server of the web in this process.

pub use super::exchange::{Answer, exchange};
use super::ports::{TestControl, ports};
use inkdex::jobs::Ports;
use inkdex::metrics::Metrics;
use inkdex::web::{Contact, WebState, start};
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Duration;
use tokio::sync::watch;

/// How long the server lets a body take.
pub const BODY_DEADLINE: Duration = Duration::from_millis(400);

/// A running server over real embedded backends.
#[derive(Debug)]
pub struct TestWeb {
    /// The world behind it.
    pub ports: Ports,
    /// What its survey says may be changed.
    pub control: Arc<TestControl>,
    /// Turns it towards its end.
    pub stopping: watch::Sender<bool>,
    /// Where it listens.
    pub address: SocketAddr,
    handle: actix_web::dev::ServerHandle,
    runtime: tokio::runtime::Runtime,
    _folder: tempfile::TempDir,
}

impl TestWeb {
    /// A server with the admin API and an empty directory.
    pub fn start() -> Self {
        Self::start_with(true)
    }

    /// A server with or without the admin API.
    pub fn start_with(admin: bool) -> Self {
        Self::start_over(admin, |ports| ports)
    }

    /// A server over the ports that `change` makes of embedded ones.
    pub fn start_over(admin: bool, change: impl FnOnce(Ports) -> Ports) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let ports = change(build(&runtime, folder.path()));
        let control = Arc::new(TestControl::new(ports.clone()));
        let (stopping, stop) = watch::channel(false);
        let state = WebState {
            ports: ports.clone(),
            control: control.clone(),
            metrics: Arc::new(Metrics::new()),
            admin,
            token_key: Arc::from(*b"a key of tests"),
            contact: Some(Contact { text: "help@inkdex.example".to_owned(), href: "mailto:help@inkdex.example".to_owned() }),
            body_deadline: BODY_DEADLINE,
            stopping: stop,
        };
        let (started, starting) = mpsc::channel();
        std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let (address, server) = start(state, (Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
                started.send((address, server.handle())).expect("the test waits");
                server.await.expect("the server ends cleanly");
            });
        });
        let (address, handle) = starting.recv().expect("the server starts");
        Self { ports, control, stopping, address, handle, runtime, _folder: folder }
    }

    /// A server over a directory of thirty invented artists.
    pub fn seeded() -> Self {
        let web = Self::start();
        web.run(super::people::seed(&web.ports));
        web
    }

    /// Runs something over the ports to its end.
    pub fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// GET, as a program.
    pub fn get(&self, target: &str) -> Answer {
        self.send("GET", target, &[], None)
    }

    /// GET, as a browser that wants a page.
    pub fn page(&self, target: &str) -> Answer {
        self.send("GET", target, &[("Accept", "text/html,application/xhtml+xml")], None)
    }

    /// POST of a JSON body.
    pub fn post(&self, target: &str, body: &str) -> Answer {
        self.send("POST", target, &[("Content-Type", "application/json")], Some(body))
    }

    /// A request with exactly these headers besides `Host` (unless it is among them), `Connection` and `Content-Length`.
    pub fn send(&self, method: &str, target: &str, headers: &[(&str, &str)], body: Option<&str>) -> Answer {
        let mut head = format!("{method} {target} HTTP/1.1\r\nConnection: close\r\n");
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            write!(head, "Host: {}\r\n", self.address).expect("text grows");
        }
        for (name, value) in headers {
            write!(head, "{name}: {value}\r\n").expect("text grows");
        }
        if let Some(body) = body {
            write!(head, "Content-Length: {}\r\n", body.len()).expect("text grows");
        }
        head.push_str("\r\n");
        head.push_str(body.unwrap_or_default());
        self.raw(head.as_bytes())
    }

    /// Sends bytes and reads the answer to its end.
    pub fn raw(&self, bytes: &[u8]) -> Answer {
        exchange(self.address, bytes)
    }
}

impl Drop for TestWeb {
    fn drop(&mut self) {
        self.runtime.block_on(self.handle.stop(false));
    }
}

fn build(runtime: &tokio::runtime::Runtime, folder: &Path) -> Ports {
    let _entered = runtime.enter();
    ports(folder)
}
