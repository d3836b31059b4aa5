//! What is not the page's doing: certificates, browsers that die or cannot be had, callers that give up, several at once.

use super::bench::{Bench, HOST, NobodyDenied, nothing_left, open_folder, processes_of, serve, settings, text_of};
use crate::support::wait::{LONG, until};
use inkdex::domain::clock::SystemClock;
use inkdex::scrape::FetchError;
use inkdex::scrape::chrome::{Chrome, ChromeSettings};
use inkdex::scrape::draw::{Draw, DrawError};
use inkdex::scrape::guard::{Guard, HostMap};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::{TcpListener, TcpStream};

const ENDLESS: &str = "<script>for (;;) {}</script>";

/// A TLS server whose certificate nobody signed and which is for another name; it tells each request.
struct Stranger {
    server: Child,
    /// Read no further, but open: it writes there.
    _said: BufReader<std::process::ChildStdout>,
}

impl Stranger {
    fn start(folder: &std::path::Path) -> (Self, SocketAddr) {
        let file = |name: &str| folder.join(name).display().to_string();
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=other.example"])
            .args(["-addext", "subjectAltName=DNS:other.example", "-keyout", &file("key.pem"), "-out", &file("cert.pem")])
            .stderr(Stdio::null())
            .status();
        assert!(made.expect("openssl runs").success());
        let mut server = Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", "-www", "-cert", &file("cert.pem"), "-key", &file("key.pem")])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl runs");
        let mut said = BufReader::new(server.stdout.take().unwrap());
        let mut line = String::new();
        while !line.starts_with("ACCEPT ") {
            line.clear();
            assert!(said.read_line(&mut line).unwrap() > 0, "the server ended");
        }
        let address = line.trim_start_matches("ACCEPT ").trim().parse().unwrap();
        (Self { server, _said: said }, address)
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }
}

/// Stands before a server and counts who comes.
async fn counted(server: SocketAddr) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let (address, count) = (listener.local_addr().unwrap(), Arc::<AtomicUsize>::default());
    let counting = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            counting.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let mut server = TcpStream::connect(server).await.unwrap();
                // Whoever ends first ends both.
                let _ended = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    (address, count)
}

/// Chromium itself checks certificates, as it speaks through a tunnel of ours that sees nothing of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_of_another_name_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (stranger, address) = Stranger::start(folder.path());
    let (relay, connections) = counted(address).await;
    let bench = Bench::with(relay, |_| ()).await;
    let text = format!(
        "<p id=p></p><script>fetch('https://{HOST}/', {{ mode: 'no-cors' }}).then(() => p.append('trusted')).catch(() => p.append('refused'))</script>"
    );
    let text = text_of(bench.draw_at("https", "/", &text).await);
    assert!(text.contains("refused") && !text.contains("<p id=\"p\">trusted"), "{text}");
    assert!(connections.load(Ordering::SeqCst) > 0, "it was not even asked");
    drop(stranger);
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_that_is_killed_is_replaced() {
    let bench = Bench::new().await;
    let bench = Arc::new(bench);
    let drawing = tokio::spawn({
        let bench = Arc::clone(&bench);
        async move { bench.draw(ENDLESS).await }
    });
    until("the browser runs", LONG, async || (bench.chrome.counts().running == 1).then_some(())).await;
    for pid in processes_of(bench.folder.path()) {
        // Children go with their parent, and may be gone by now.
        let _gone = kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), Signal::KILL);
    }
    assert!(matches!(drawing.await.unwrap(), Err(DrawError::Page(FetchError::NotDrawn { .. }))));
    assert!(bench.text("<p id=p></p><script>p.append('next')</script>").await.contains("next"));
    let counts = bench.chrome.counts();
    assert_eq!((counts.started, counts.killed, counts.drawn), (2, 1, 1), "{counts:?}");
    Arc::into_inner(bench).unwrap().end().await;
}

/// A job that is given up leaves no browser at work.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_gives_up_takes_the_browser_along() {
    let bench = Bench::new().await;
    tokio::select! {
        drawn = bench.draw(ENDLESS) => panic!("{drawn:?}"),
        () = until("the browser runs", LONG, async || (bench.chrome.counts().running == 1).then_some(())) => {}
    }
    until("the browser is gone", LONG, async || (bench.chrome.counts().killed == 1).then_some(())).await;
    nothing_left(bench.folder.path()).await;
    bench.end().await;
}

/// At most as many browsers as are allowed; whoever comes then is told so at once and does not wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_third_page_finds_both_browsers_busy() {
    let bench = Arc::new(Bench::with(serve(|_, _| None).await.address, |settings| settings.browsers = 2).await);
    let begin = || {
        let bench = Arc::clone(&bench);
        tokio::spawn(async move { bench.draw(ENDLESS).await })
    };
    let both = [begin(), begin()];
    until("both browsers run", LONG, async || (bench.chrome.counts().running == 2).then_some(())).await;
    assert!(matches!(bench.draw("<p>third").await, Err(DrawError::Busy)));
    for drawing in both {
        drawing.abort();
        assert!(drawing.await.is_err());
    }
    until("a turn is free", LONG, async || bench.draw("<p>fourth").await.is_ok().then_some(())).await;
    Arc::into_inner(bench).unwrap().end().await;
}

/// No sandbox, no browser: it runs as somebody else, in namespaces of its own, with system calls filtered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_runs_in_its_sandbox() {
    let bench = Bench::new().await;
    bench.text("<p>x").await;
    let read =
        |pid: u32, file: &str| String::from_utf8_lossy(&std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default()).into_owned();
    let group = |pid: u32| read(pid, "stat").rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(2).map(str::to_owned));
    let groups: Vec<_> = processes_of(bench.folder.path()).into_iter().filter_map(group).collect();
    let field = |status: &str, name: &str| -> Vec<String> {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.split_whitespace().map(str::to_owned).collect()
    };
    let mut filtered = 0;
    let all = std::fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    for pid in all.filter(|pid| group(*pid).is_some_and(|group| groups.contains(&group))) {
        let (line, status) = (read(pid, "cmdline"), read(pid, "status"));
        assert!(!line.contains("--no-sandbox"), "{line}");
        assert!(!field(&status, "Uid:").contains(&"0".to_owned()), "{line} runs as root");
        let in_namespace = field(&status, "NSpid:").len() > 1;
        filtered += usize::from(line.contains("--type=renderer") && in_namespace && field(&status, "Seccomp:") == ["2"]);
    }
    assert!(filtered > 0, "no renderer runs in a sandbox");
    bench.end().await;
}

/// Why there is no browser, as an operator reads it; the job may wait for one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_that_cannot_be_had_says_what_to_do() {
    let folder = open_folder();
    type Change = fn(&mut ChromeSettings);
    let cases: [(Change, &str); 3] = [
        (|settings| settings.program = PathBuf::from("/nowhere/chromium"), "browser.program is /nowhere/chromium, which is no file"),
        (|settings| settings.program = PathBuf::from("/bin/false"), "/bin/false does not start: it ended at once"),
        (|settings| settings.folder = PathBuf::from("/nowhere"), "no folder for a browser in /nowhere"),
    ];
    for (change, expected) in cases {
        let mut settings = settings(folder.path());
        change(&mut settings);
        let guard = Arc::new(Guard::new(HostMap::none()));
        let chrome = Chrome::new(settings, guard, Arc::new(NobodyDenied), Arc::new(SystemClock::new())).unwrap();
        let bench = Bench::new().await;
        let drawn = chrome.draw(&bench.page("http", "/", "<p>x")).await;
        let Err(DrawError::NoBrowser { why, may_come: true }) = drawn else { panic!("{expected}: {drawn:?}") };
        assert!(why.contains(expected), "{why}");
        chrome.close().await;
    }
    nothing_left(folder.path()).await;
}

/// What a process left that is gone is removed by the next; what belongs to one that runs stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn folders_of_the_dead_are_removed() {
    let bench = Bench::new().await;
    // No process has this number: it is above the highest possible one.
    let (dead, alive) = (bench.folder.path().join("inkdex-browser-4194999-x"), bench.folder.path().join("inkdex-browser-1-x"));
    for folder in [&dead, &alive] {
        std::fs::create_dir(folder).unwrap();
    }
    let next = Bench::with(serve(|_, _| None).await.address, |settings| settings.folder = bench.folder.path().to_owned()).await;
    until("the folder is removed", LONG, async || (!dead.exists()).then_some(())).await;
    assert!(alive.exists());
    std::fs::remove_dir(&alive).unwrap();
    next.end().await;
    bench.end().await;
}
