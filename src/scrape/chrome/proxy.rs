//! The proxy through which a browser reaches the web, and nothing else: CONNECT and plain HTTP, each host judged by the guard and
//! connected to at exactly the addresses the guard approved. Listens on loopback and serves only while a page is drawn; it leads
//! nowhere that whoever finds its port could not go by themselves.

use crate::scrape::guard::Guard;
use crate::scrape::visit::UrlDenial;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use url::{Position, Url};

/// Longest request head, bytes.
const HEAD_MAX: usize = 32 * 1024;
/// Time for a request's head, and for a connection to be made.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes moved at once.
const PIECE: usize = 16 * 1024;

/// Where Chromium itself calls home whatever it is told; no portfolio is drawn from there.
const ERRANDS: &[&str] = &[
    "accounts.google.com",
    "clients2.google.com",
    "update.googleapis.com",
    "optimizationguide-pa.googleapis.com",
    "content-autofill.googleapis.com",
    "safebrowsing.googleapis.com",
    "safebrowsingohttpgateway.googleapis.com",
    "start.duckduckgo.com",
];

/// What one page may ask for.
#[derive(Debug)]
pub(super) struct Allowance {
    connections: AtomicU32,
    bytes_left: AtomicU64,
    received: AtomicU64,
    /// Hosts that were refused, for logs.
    refused: AtomicU32,
}

impl Allowance {
    /// So many connections, so many bytes in both directions.
    pub fn new(connections: u32, bytes: u64) -> Self {
        Self {
            connections: AtomicU32::new(connections),
            bytes_left: AtomicU64::new(bytes),
            received: AtomicU64::new(0),
            refused: AtomicU32::new(0),
        }
    }

    /// Bytes that came back so far.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Connections that were refused so far.
    pub fn refused(&self) -> u32 {
        self.refused.load(Ordering::Relaxed)
    }

    fn take_connection(&self) -> bool {
        self.connections.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }

    fn take_bytes(&self, count: usize) -> bool {
        self.bytes_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(count as u64)).is_ok()
    }
}

/// The page being drawn, and the connections made for it.
#[derive(Debug)]
struct Errand {
    allowance: Arc<Allowance>,
    connections: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    guard: Arc<Guard>,
    denial: Weak<dyn UrlDenial>,
    errand: Mutex<Option<Errand>>,
}

impl Shared {
    fn errand(&self) -> MutexGuard<'_, Option<Errand>> {
        self.errand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A listening proxy; it ends when dropped.
#[derive(Debug)]
pub(super) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    listening: tokio::task::JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
        self.shared.errand().take();
    }
}

impl Proxy {
    /// Listens on a port of its own.
    ///
    /// # Errors
    /// Loopback has no port left.
    pub async fn start(guard: Arc<Guard>, denial: Weak<dyn UrlDenial>) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { guard, denial, errand: Mutex::new(None) });
        let serving = Arc::clone(&shared);
        let listening = tokio::spawn(async move {
            loop {
                let Ok((client, _)) = listener.accept().await else { continue };
                let served = Arc::clone(&serving);
                // Between two pages nobody is served: the connection is dropped.
                if let Some(errand) = serving.errand().as_mut() {
                    while errand.connections.try_join_next().is_some() {}
                    let allowance = Arc::clone(&errand.allowance);
                    errand.connections.spawn(async move { serve(&served, &allowance, client).await });
                }
            }
        });
        Ok(Self { address, shared, listening })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves a page from now on.
    pub fn open(&self, allowance: Arc<Allowance>) {
        *self.shared.errand() = Some(Errand { allowance, connections: JoinSet::new() });
    }

    /// Serves nobody any more, and cuts every connection.
    pub fn close(&self) {
        self.shared.errand().take();
    }
}

/// What a client asks for.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    /// Where to; the guard judges it.
    url: Url,
    /// Whether bytes are passed on as they come.
    tunnel: bool,
    /// What is sent on in place of the head.
    head: Vec<u8>,
    /// Bytes of the body that follows.
    body: u64,
}

/// Reads a head as it came. `None` for what no browser sends.
fn parse(head: &str) -> Option<Request> {
    let mut lines = head.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    if words.next().is_some() || !version.starts_with("HTTP/1.") {
        return None;
    }
    if method == "CONNECT" {
        let scheme = if target.ends_with(":80") { "http" } else { "https" };
        let url = Url::parse(&format!("{scheme}://{target}/")).ok()?;
        return Some(Request { url, tunnel: true, head: Vec::new(), body: 0 });
    }
    let url = Url::parse(target).ok().filter(|url| url.scheme() == "http")?;
    let (mut body, mut kept) = (0, String::new());
    for line in lines.take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':')?;
        match name.to_ascii_lowercase().as_str() {
            "transfer-encoding" => return None,
            "content-length" => body = value.trim().parse().ok()?,
            // One request a connection: the next may be for another host.
            "connection" | "proxy-connection" | "proxy-authorization" | "keep-alive" | "upgrade" => continue,
            _ => {}
        }
        kept.push_str(line);
        kept.push_str("\r\n");
    }
    let path = &url[Position::BeforePath..Position::AfterQuery];
    let head = format!("{method} {path} HTTP/1.1\r\n{kept}Connection: close\r\n\r\n").into_bytes();
    Some(Request { url, tunnel: false, head, body })
}

async fn serve(shared: &Shared, allowance: &Allowance, mut client: TcpStream) {
    let Ok(Some((head, rest))) = timeout(PATIENCE, read_head(&mut client)).await else { return };
    let Some(request) = parse(&head) else {
        return answer(&mut client, "400 Bad Request").await;
    };
    let host = request.url.host_str().unwrap_or_default().to_owned();
    match admit(shared, allowance, &request.url).await {
        Ok(mut server) => {
            if request.tunnel {
                if client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.is_ok() {
                    tunnel(allowance, client, server, rest).await;
                }
            } else if server.write_all(&request.head).await.is_ok() {
                exchange(allowance, client, server, rest, request.body).await;
            }
        }
        Err(why) => {
            allowance.refused.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(site.host = %host, "a page in a browser asked for {host} and did not get there: {why}");
            // A tunnel is told; without one a page would take any answer for that of the host it asked.
            if request.tunnel {
                answer(&mut client, "403 Forbidden").await;
            }
        }
    }
}

async fn answer(client: &mut TcpStream, status: &str) {
    let text = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    // A client that has gone needs no answer.
    let _gone = client.write_all(text.as_bytes()).await;
}

/// The head, and what came after it.
async fn read_head(client: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = bytes.split_off(at + 4);
            return Some((String::from_utf8(bytes).ok()?, rest));
        }
        if bytes.len() > HEAD_MAX || client.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

/// Connects to where the guard lets a page go; why not otherwise.
async fn admit(shared: &Shared, allowance: &Allowance, url: &Url) -> Result<TcpStream, String> {
    let host = url.host_str().unwrap_or_default();
    if ERRANDS.contains(&host) {
        return Err("it is an errand of the browser's own".to_owned());
    }
    shared.guard.check_url(url).map_err(|error| error.to_string())?;
    let denial = shared.denial.upgrade().ok_or("whoever knows the denylist is gone")?;
    if denial.is_denied(url).await.map_err(|error| error.to_string())? {
        return Err("it is on the denylist".to_owned());
    }
    if !allowance.take_connection() {
        return Err("the page has made its share of connections".to_owned());
    }
    let port = url.port_or_known_default().unwrap_or(443);
    let addresses: Vec<SocketAddr> = match (shared.guard.mapped(url), url.host()) {
        (Some(to), _) => vec![to.socket()],
        (None, Some(url::Host::Ipv4(address))) => vec![SocketAddr::new(address.into(), port)],
        (None, Some(url::Host::Ipv6(address))) => vec![SocketAddr::new(address.into(), port)],
        (None, _) => {
            let found = timeout(PATIENCE, shared.guard.resolve(host)).await.map_err(|_| "it resolves too slowly".to_owned())?;
            found.map_err(|error| error.to_string())?.into_iter().map(|address| SocketAddr::new(address, port)).collect()
        }
    };
    let server = timeout(PATIENCE, TcpStream::connect(addresses.as_slice())).await.map_err(|_| "it does not connect in time".to_owned())?;
    let server = server.map_err(|error| error.to_string())?;
    shared.guard.check_peer(url, server.peer_addr().ok()).map_err(|error| error.to_string())?;
    Ok(server)
}

/// Passes bytes on in both directions until one side ends or the allowance is used up.
async fn tunnel(allowance: &Allowance, client: TcpStream, server: TcpStream, early: Vec<u8>) {
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) = (client.into_split(), server.into_split());
    if to_server.write_all(&early).await.is_err() {
        return;
    }
    tokio::select! {
        () = pass(allowance, &mut from_client, &mut to_server, false) => {}
        () = pass(allowance, &mut from_server, &mut to_client, true) => {}
    }
}

/// Sends one body on and brings one answer back.
async fn exchange(allowance: &Allowance, client: TcpStream, server: TcpStream, early: Vec<u8>, body: u64) {
    let ((from_client, mut to_client), (mut from_server, mut to_server)) = (client.into_split(), server.into_split());
    let early_len = (early.len() as u64).min(body);
    let (mut early, mut later) = ((&early[..]).take(early_len), from_client.take(body - early_len));
    let asking = async {
        pass(allowance, &mut early, &mut to_server, false).await;
        pass(allowance, &mut later, &mut to_server, false).await;
    };
    tokio::join!(asking, pass(allowance, &mut from_server, &mut to_client, true));
}

async fn pass<R, W>(allowance: &Allowance, from: &mut R, to: &mut W, inward: bool)
where
    R: AsyncReadExt + Unpin,
    W: AsyncWriteExt + Unpin,
{
    let mut piece = vec![0; PIECE];
    while let Ok(count) = from.read(&mut piece).await {
        if count == 0 || !allowance.take_bytes(count) || to.write_all(&piece[..count]).await.is_err() {
            return;
        }
        if inward {
            allowance.received.fetch_add(count as u64, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_goes_on_alone_and_without_what_is_the_proxys() {
        let head = "POST http://studio.example/a?b#c HTTP/1.1\r\nHost: studio.example\r\nProxy-Connection: keep-alive\r\n\
                    Connection: keep-alive\r\nContent-Length: 3\r\n\r\n";
        let request = parse(head).unwrap();
        assert_eq!((request.tunnel, request.body, request.url.as_str()), (false, 3, "http://studio.example/a?b#c"));
        let sent = String::from_utf8(request.head).unwrap();
        assert_eq!(sent, "POST /a?b HTTP/1.1\r\nHost: studio.example\r\nContent-Length: 3\r\nConnection: close\r\n\r\n");
    }

    #[test]
    fn what_no_browser_sends_is_refused() {
        let tunnel = parse("CONNECT studio.example:443 HTTP/1.1\r\nHost: studio.example:443\r\n\r\n").unwrap();
        assert_eq!((tunnel.tunnel, tunnel.url.as_str()), (true, "https://studio.example/"));
        assert_eq!(parse("CONNECT studio.example:80 HTTP/1.1\r\n\r\n").unwrap().url.as_str(), "http://studio.example/");
        for head in [
            "GET /origin HTTP/1.1\r\n\r\n",
            "GET file:///etc/passwd HTTP/1.1\r\n\r\n",
            "GET https://studio.example/ HTTP/1.1\r\n\r\n",
            "GET http://studio.example/ HTTP/2\r\n\r\n",
            "POST http://studio.example/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "GET http://studio.example/ HTTP/1.1\r\nno header\r\n\r\n",
            "",
        ] {
            assert_eq!(parse(head), None, "{head}");
        }
    }

    #[test]
    fn an_allowance_ends() {
        let allowance = Allowance::new(2, 10);
        assert_eq!([allowance.take_connection(), allowance.take_connection(), allowance.take_connection()], [true, true, false]);
        assert_eq!([allowance.take_bytes(6), allowance.take_bytes(6), allowance.take_bytes(4)], [true, false, true]);
    }
}
