//! A site server that misbehaves in every way a crawler meets: one path per behaviour ([`PATHS`]), one host per
//! kind of robots.txt ([`ROBOTS`]). It speaks HTTP by hand over bare sockets, as no HTTP library would send
//! most of this. A second port, the trap, must never be reached: redirects lead there.

pub mod bombs;
pub mod canary;
mod cases;
pub mod shapes;
pub mod told;
pub mod vectors;

use std::collections::HashMap;
use std::future::pending;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{sleep, timeout};

pub use cases::{HostileCase, PATHS, READS, ROBOTS, RobotsCase, codes, expect};

/// The host of [`PATHS`]; any host without a robots variant of its own is served the same.
pub const HOST: &str = "hostile.example";

/// No connection lives longer, whatever its behaviour.
const CONNECTION_LIFETIME: Duration = Duration::from_secs(120);
/// Nor are there more at a time; further ones wait to be accepted.
const MAX_CONNECTIONS: usize = 256;
/// The most that an endless answer sends.
const ENDLESS_BYTES: usize = 1 << 30;

#[derive(Debug, Default)]
struct Counts {
    /// By host and path.
    requests: Mutex<HashMap<(String, String), usize>>,
    /// Connections to the trap.
    trapped: Mutex<usize>,
    /// Body and head bytes sent, by path.
    sent_bytes: Mutex<HashMap<String, usize>>,
    /// What a test put up by itself, by host and path.
    own: Mutex<HashMap<(String, String), Vec<u8>>>,
}

/// A running hostile server; dropping it closes every connection and frees both ports.
#[derive(Debug)]
pub struct HostileServer {
    /// Where the hostile sites are served.
    pub addr: SocketAddr,
    /// A port that nothing may ever connect to.
    pub trap: SocketAddr,
    counts: Arc<Counts>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl HostileServer {
    /// Binds two free ports on 127.0.0.1 and serves on a thread of its own.
    pub fn start() -> io::Result<Self> {
        let bind = || -> io::Result<std::net::TcpListener> {
            let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            listener.set_nonblocking(true)?;
            Ok(listener)
        };
        let (sites, trap_listener) = (bind()?, bind()?);
        let (addr, trap) = (sites.local_addr()?, trap_listener.local_addr()?);
        let counts = Arc::new(Counts::default());
        let shared = Arc::clone(&counts);
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name("hostile".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    result = serve(sites, trap, &shared) => panic!("the hostile server ended: {result:?}"),
                    result = spring(trap_listener, &shared) => panic!("the trap ended: {result:?}"),
                    _ = stopped => {}
                }
            });
            // Dropping the runtime drops every connection's task, and with it its socket.
        })?;
        Ok(Self { addr, trap, counts, stop: Some(stop), thread: Some(thread) })
    }

    /// Answers `path` of `host` with just these bytes, head and body.
    pub fn put_up(&self, host: &str, path: &str, answer: Vec<u8>) {
        locked(&self.counts.own).insert((host.to_owned(), path.to_owned()), answer);
    }

    /// How often a path was asked for, over all hosts.
    pub fn hits(&self, path: &str) -> usize {
        let requests = locked(&self.counts.requests);
        requests.iter().filter(|((_, asked), _)| asked == path).map(|(_, count)| count).sum()
    }

    /// How often a path was asked for on a host.
    pub fn hits_on(&self, host: &str, path: &str) -> usize {
        let key = (host.to_owned(), path.to_owned());
        locked(&self.counts.requests).get(&key).copied().unwrap_or(0)
    }

    /// How many connections reached the trap; anything but 0 is a hole in the guard.
    pub fn trap_hits(&self) -> usize {
        *locked(&self.counts.trapped)
    }

    /// Bytes written for a path so far, over all requests: what a client let itself be sent, plus what the
    /// sockets between hold.
    pub fn sent_bytes(&self, path: &str) -> usize {
        locked(&self.counts.sent_bytes).get(path).copied().unwrap_or(0)
    }
}

impl Drop for HostileServer {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The thread is gone only if it panicked, which its own output tells.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: std::net::TcpListener, trap: SocketAddr, counts: &Arc<Counts>) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let permit = Arc::clone(&permits).acquire_owned().await.map_err(io::Error::other)?;
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let counts = Arc::clone(counts);
        tokio::spawn(async move {
            let mut wire = Wire { stream, counts, path: String::new(), trap };
            // A client that goes away is what most of these behaviours are there to make it do.
            let _ = timeout(CONNECTION_LIFETIME, wire.talk()).await;
            drop(permit);
        });
    }
}

async fn spring(listener: std::net::TcpListener, counts: &Counts) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        listener.accept().await?;
        *locked(&counts.trapped) += 1;
    }
}

/// One connection, which serves one request.
struct Wire {
    stream: TcpStream,
    counts: Arc<Counts>,
    path: String,
    trap: SocketAddr,
}

impl Wire {
    async fn talk(&mut self) -> io::Result<()> {
        let Some((host, path)) = self.request().await? else {
            return Ok(());
        };
        self.path.clone_from(&path);
        *locked(&self.counts.requests).entry((host.clone(), path.clone())).or_insert(0) += 1;
        let own = locked(&self.counts.own).get(&(host.clone(), path.clone())).cloned();
        if let Some(answer) = own {
            self.send(&answer).await?;
        } else if ROBOTS.iter().any(|case| case.host == host) {
            self.robots(&host, &path).await?;
        } else {
            self.page(&host, &path).await?;
        }
        self.stream.shutdown().await
    }

    /// Host without port and path without query, from a head of at most 64 KiB.
    async fn request(&mut self) -> io::Result<Option<(String, String)>> {
        let mut head = Vec::new();
        while !head.windows(4).any(|window| window == b"\r\n\r\n") {
            let mut piece = [0; 4096];
            let read = self.stream.read(&mut piece).await?;
            if read == 0 || head.len() > 64 * 1024 {
                return Ok(None);
            }
            head.extend(&piece[..read]);
        }
        let head = String::from_utf8_lossy(&head);
        let target = head.split(' ').nth(1).unwrap_or("/");
        let path = target.split('?').next().unwrap_or("/").to_owned();
        let host = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("host").then(|| value.trim())
        });
        let host = host.unwrap_or_default().split(':').next().unwrap_or_default();
        Ok(Some((host.to_ascii_lowercase(), path)))
    }

    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        *locked(&self.counts.sent_bytes).entry(self.path.clone()).or_insert(0) += bytes.len();
        Ok(())
    }

    /// A whole answer with a true Content-Length.
    async fn answer(&mut self, status: &str, headers: &str, body: &[u8]) -> io::Result<()> {
        let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        self.send(head.as_bytes()).await?;
        self.send(body).await
    }

    async fn html(&mut self, body: &[u8]) -> io::Result<()> {
        self.answer("200 OK", "Content-Type: text/html; charset=utf-8\r\n", body).await
    }

    async fn coded(&mut self, coding: &str, body: &[u8]) -> io::Result<()> {
        let headers = format!("Content-Type: text/html\r\nContent-Encoding: {coding}\r\n");
        self.answer("200 OK", &headers, body).await
    }

    async fn redirect(&mut self, to: &str) -> io::Result<()> {
        self.answer("302 Found", &format!("Location: {to}\r\n"), b"").await
    }

    /// Sends `head`, then `piece` until [`ENDLESS_BYTES`].
    async fn endless(&mut self, head: &str, piece: &[u8]) -> io::Result<()> {
        self.send(head.as_bytes()).await?;
        for _ in 0..ENDLESS_BYTES / piece.len() {
            self.send(piece).await?;
        }
        Ok(())
    }

    async fn drip(&mut self, bytes: &[u8]) -> io::Result<()> {
        for byte in bytes {
            self.send(&[*byte]).await?;
            sleep(Duration::from_secs(1)).await;
        }
        Ok(())
    }

    async fn page(&mut self, host: &str, path: &str) -> io::Result<()> {
        let trap = self.trap;
        let port = trap.port();
        match path {
            "/robots.txt" => {
                let rules = b"User-agent: *\nAllow: /\n";
                self.answer("200 OK", "Content-Type: text/plain\r\n", rules).await
            }
            "/hang" => pending().await,
            "/hang-in-head" => {
                self.send(b"HTTP/1.1 200 OK\r\nContent-Ty").await?;
                pending().await
            }
            "/drip-head" => {
                let line = format!("HTTP/1.1 200 OK\r\nX-Slow: {}", "a".repeat(600));
                self.drip(line.as_bytes()).await
            }
            "/drip" => {
                self.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5000\r\n\r\n").await?;
                self.drip(&[b'a'; 5000]).await
            }
            "/stall" => {
                self.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5000\r\n\r\n<p>half").await?;
                pending().await
            }
            "/endless" => {
                let mut chunk = b"4000\r\n".to_vec();
                chunk.extend(b"<p>more</p>\n".iter().cycle().take(0x4000));
                chunk.extend(b"\r\n");
                let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n";
                self.endless(head, &chunk).await
            }
            "/huge" => {
                let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 500000000\r\n\r\n";
                self.send(head.as_bytes()).await?;
                for _ in 0..50_000 {
                    self.send(&[b'a'; 10_000]).await?;
                }
                Ok(())
            }
            "/deep-div" => self.html("<div>".repeat(100_000).as_bytes()).await,
            "/deep-list" => self.html("<ul><li>".repeat(64_000).as_bytes()).await,
            "/attributes" => {
                let attributes: String = (0..120_000).map(|at| format!(" a{at}=x")).collect();
                self.html(format!("<p{attributes}>Ada</p>").as_bytes()).await
            }
            "/nodes" => self.html("<br>".repeat(310_000).as_bytes()).await,
            "/bomb-gzip" => self.coded("gzip", &bombs::gzip()).await,
            "/bomb-deflate" => self.coded("deflate", &bombs::deflate()).await,
            "/bomb-brotli" => self.coded("br", &bombs::brotli()).await,
            "/bomb-zstd" => self.coded("zstd", &bombs::zstd(1)).await,
            "/bomb-zstd-10" => self.coded("zstd", &bombs::zstd(10)).await,
            "/bomb-zstd-window" => self.coded("zstd", &bombs::zstd_window()).await,
            "/bomb-zstd-skipped" => self.coded("zstd", &bombs::zstd_skipped()).await,
            "/bomb-brotli-window" => self.coded("br", &bombs::brotli_window()).await,
            "/bomb-bare" => self.coded("deflate", &bombs::deflate_bare()).await,
            "/bomb-members" => self.coded("gzip", &bombs::gzip_members()).await,
            "/bomb-name" => self.coded("gzip", &bombs::gzip_name()).await,
            "/bomb-two" => self.coded("gzip, br", &bombs::gzip()).await,
            "/bomb-nested" => self.coded("gzip, gzip", &bombs::gzip_in_gzip()).await,
            "/redirect-circle" => self.redirect("/redirect-circle/back").await,
            "/redirect-circle/back" => self.redirect("/redirect-circle").await,
            "/redirect-self" => self.redirect("/redirect-self").await,
            "/redirect-many" => self.redirect("/redirect-many/1").await,
            "/redirect-many/7" => self.html(b"<p>too far</p>").await,
            "/redirect-loopback" => self.redirect(&format!("http://{trap}/")).await,
            "/redirect-spelled" => self.redirect(&format!("http://0x7f000001:{port}/")).await,
            "/redirect-mapped" => self.redirect(&format!("http://[::ffff:127.0.0.1]:{port}/")).await,
            "/redirect-metadata" => self.redirect("http://169.254.169.254/latest/meta-data/").await,
            "/redirect-port" => self.redirect(&format!("http://{host}:{port}/")).await,
            "/redirect-file" => self.redirect("file:///etc/passwd").await,
            "/redirect-userinfo" => self.redirect(&format!("http://ada:pw@{host}:{port}/")).await,
            "/redirect-nowhere" => self.answer("302 Found", "", b"").await,
            "/refresh-meta" => {
                let body = format!("<meta http-equiv=refresh content=\"0; url=http://{trap}/\"><p>moving");
                self.html(body.as_bytes()).await
            }
            "/refresh-header" => {
                let headers = format!("Content-Type: text/html\r\nRefresh: 0; url=http://{trap}/\r\n");
                self.answer("200 OK", &headers, b"<p>moving").await
            }
            _ => match path.strip_prefix("/redirect-many/").and_then(|at| at.parse::<u32>().ok()) {
                Some(at) => self.redirect(&format!("/redirect-many/{}", at + 1)).await,
                None => self.malformed(path).await,
            },
        }
    }
}

mod malformed;
mod robots;

#[cfg(test)]
mod tests;
