//! A site of ours whose pages are drawn, canaries that nobody may reach, and a browser between them.

use crate::support::hostile::told;
use crate::support::wait::{LONG, until};
use async_trait::async_trait;
use inkdex::domain::clock::SystemClock;
use inkdex::scrape::chrome::{Chrome, ChromeSettings};
use inkdex::scrape::draw::{Draw, DrawError, Drawn};
use inkdex::scrape::guard::{Guard, HostMap, MappedHost, NameLookup};
use inkdex::scrape::visit::UrlDenial;
use inkdex::scrape::{FetchedPage, Validators};
use inkdex::store::StoreError;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use url::Url;

/// The host whose pages are drawn.
pub const HOST: &str = "shell.example";

/// An answer: its headers beside the length, and its body.
pub type Reply = (&'static str, Vec<u8>);

/// Serves whatever `answer` says about a host and a path, over bare sockets; 404 where it says nothing.
pub async fn serve(answer: impl Fn(&str, &str) -> Option<Reply> + Send + Sync + 'static) -> Site {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (answer, asked) = (Arc::new(answer), Arc::<Mutex<Vec<String>>>::default());
    let log = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (answer, log) = (Arc::clone(&answer), Arc::clone(&log));
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.windows(4).any(|four| four == b"\r\n\r\n") {
                    if !matches!(stream.read_buf(&mut head).await, Ok(count) if count > 0) {
                        return;
                    }
                }
                let head = String::from_utf8_lossy(&head).into_owned();
                let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                let host = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("host: ").map(str::to_owned));
                let host = host.unwrap_or_default();
                log.lock().unwrap().push(format!("{host}{path}"));
                let (status, (headers, body)) = match answer(&host, &path) {
                    Some(reply) => ("200 OK", reply),
                    None => ("404 Not Found", ("content-type: text/plain\r\n", Vec::new())),
                };
                let head = format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n", body.len());
                // Whoever hangs up needs no answer.
                let _gone = stream.write_all(&[head.into_bytes(), body].concat()).await;
            });
        }
    });
    Site { address, asked }
}

/// A running site.
pub struct Site {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Site {
    /// How often something was asked for, as `host/path`.
    pub fn asked(&self, what: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|asked| *asked == what).count()
    }
}

/// Listens where nobody may connect to or send to.
pub struct Canary {
    pub tcp: SocketAddr,
    pub udp: SocketAddr,
    hits: Arc<AtomicUsize>,
}

impl Canary {
    pub async fn sit() -> Self {
        let (listener, socket) =
            (TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap(), UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await.unwrap());
        let (tcp, udp) = (listener.local_addr().unwrap(), socket.local_addr().unwrap());
        let hits = Arc::<AtomicUsize>::default();
        let (by_tcp, by_udp) = (Arc::clone(&hits), Arc::clone(&hits));
        tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                by_tcp.fetch_add(1, Ordering::SeqCst);
            }
        });
        tokio::spawn(async move {
            let mut datagram = [0; 2_048];
            while socket.recv_from(&mut datagram).await.is_ok() {
                by_udp.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { tcp, udp, hits }
    }

    pub fn hits(&self) -> usize {
        self.hits.load(Ordering::SeqCst)
    }
}

/// Every name leads inwards.
#[derive(Debug)]
struct Inwards;

#[async_trait]
impl NameLookup for Inwards {
    async fn addresses(&self, _: &str) -> Result<Vec<IpAddr>, String> {
        Ok(vec![Ipv4Addr::LOCALHOST.into()])
    }
}

/// Nobody was removed.
#[derive(Debug)]
pub struct NobodyDenied;

#[async_trait]
impl UrlDenial for NobodyDenied {
    async fn is_denied(&self, _: &Url) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn names_removed(&self, _: &str) -> Result<bool, StoreError> {
        Ok(false)
    }
}

/// A folder that the browser's user can reach.
pub fn open_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o711)).unwrap();
    folder
}

/// How pages are drawn here: as in production, but for times that a loaded machine keeps.
pub fn settings(folder: &Path) -> ChromeSettings {
    ChromeSettings {
        program: PathBuf::new(),
        user: "nobody".to_owned(),
        without_sandbox: false,
        user_agent: "Inkdex/0.1 (+https://inkdex.example/bot)".to_owned(),
        folder: folder.to_owned(),
        browsers: 1,
        recycle_after: 20,
        idle: Duration::from_secs(60),
        launch: Duration::from_secs(100),
        page: Duration::from_secs(60),
        settle: Duration::from_secs(10),
        quiet: Duration::from_millis(500),
        memory_bytes: 768 * 1024 * 1024,
        connections: 200,
        bytes: 20_000_000,
        text_bytes: 5_000_000,
    }
}

/// A browser, the site it draws, and the canary.
pub struct Bench {
    pub chrome: Chrome,
    pub guard: Arc<Guard>,
    pub canary: Canary,
    pub folder: tempfile::TempDir,
}

impl Bench {
    /// `HOST` and what is below it lead to `site`; every other name leads inwards.
    pub async fn with(site: SocketAddr, change: impl FnOnce(&mut ChromeSettings)) -> Self {
        let folder = open_folder();
        let mut settings = settings(folder.path());
        change(&mut settings);
        let mut map = HostMap::none();
        for pattern in [HOST.to_owned(), format!("*.{HOST}")] {
            map.add(&pattern, MappedHost { address: site.ip(), port: site.port(), spacing_ms: 1 }).unwrap();
        }
        let clock = Arc::new(SystemClock::new());
        let guard = Arc::new(Guard::with_lookup(map, Arc::new(Inwards), clock.clone()));
        let chrome = Chrome::new(settings, guard.clone(), Arc::new(NobodyDenied), clock).unwrap();
        Self { chrome, guard, canary: Canary::sit().await, folder }
    }

    pub async fn new() -> Self {
        Self::with(serve(|_, _| None).await.address, |_| ()).await
    }

    pub async fn draw(&self, text: &str) -> Result<Drawn, DrawError> {
        self.draw_at("http", "/", text).await
    }

    pub async fn draw_at(&self, scheme: &str, path: &str, text: &str) -> Result<Drawn, DrawError> {
        self.chrome.draw(&self.page(scheme, path, text)).await
    }

    /// A page as it was fetched.
    pub fn page(&self, scheme: &str, path: &str, text: &str) -> FetchedPage {
        let url = Url::parse(&format!("{scheme}://{HOST}{path}")).unwrap();
        FetchedPage {
            requested: url.clone(),
            url,
            status: 200,
            text: format!("<!doctype html><title>page</title><body>{text}"),
            robots_tags: Vec::new(),
            tdm_reserved: false,
            validators: Validators::default(),
            wire_bytes: 0,
        }
    }

    /// The text of a page that is drawn without trouble.
    pub async fn text(&self, text: &str) -> String {
        text_of(self.draw(text).await)
    }

    /// Ends the browser, and looks whether anything is left: connections to the canary, processes, files.
    pub async fn end(self) {
        self.chrome.close().await;
        nothing_left(self.folder.path()).await;
        tell_left(processes_of(self.folder.path()).len());
        let counts = self.chrome.counts();
        assert_eq!((counts.leaked, counts.running), (0, 0), "{counts:?}");
        assert_eq!(self.canary.hits(), 0, "the canary was reached");
    }
}

pub fn text_of(drawn: Result<Drawn, DrawError>) -> String {
    match drawn {
        Ok(Drawn::Page { text, .. }) => text,
        other => panic!("no page: {other:?}"),
    }
}

/// Tells `make hostile` how many processes a browser left.
fn tell_left(count: usize) {
    let Some(file) = std::env::var_os(told::FILE) else { return };
    let mut file = std::fs::OpenOptions::new().append(true).create(true).open(file).unwrap();
    // One write, since browsers end beside each other.
    file.write_all(format!("{}{count}\n", told::BROWSER).as_bytes()).unwrap();
}

/// Waits until no process names a folder, and finds it empty.
pub async fn nothing_left(folder: &Path) {
    until("no process is left", LONG, async || processes_of(folder).is_empty().then_some(())).await;
    assert_eq!(files_below(folder), Vec::<PathBuf>::new());
}

/// The living processes whose command line names a folder.
pub fn processes_of(folder: &Path) -> Vec<u32> {
    let name = folder.display().to_string();
    let all = std::fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    all.filter(|pid: &u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        *pid != std::process::id() && String::from_utf8_lossy(&line).contains(&name)
    })
    .collect()
}

/// Everything below a folder that is no folder itself.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        // The browser makes and removes files all the time.
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => open.push(entry.path()),
                _ => files.push(entry.path()),
            }
        }
    }
    files
}
