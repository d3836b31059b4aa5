//! Serves a made-up web on 127.0.0.1, choosing the site by the Host header. It runs on a thread of its own, so
//! callers on any runtime, or another process altogether, may hold it.

use std::collections::HashSet;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;

use actix_web::dev::ServerHandle;
use actix_web::http::{Method, StatusCode, header};
use actix_web::middleware::Compress;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};

use super::respond;
use super::{DemoResponse, DemoWeb};
use crate::domain::artist::hex;
use sha2::{Digest, Sha256};

/// Milliseconds on the caller's clock; the demo reads no clock of its own.
pub type NowMs = Arc<dyn Fn() -> i64 + Send + Sync>;

/// How to serve a made-up web.
#[derive(Clone)]
pub struct DemoServerOptions {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Factor on the delays of slow sites; 0 answers at once.
    pub delay_scale: f64,
    /// Whether pages carry an ETag, and are not sent again to whoever has them.
    pub validators: bool,
    /// Whether each answer of a page has a token and a time of its own, as those of many content systems have.
    pub nonces: bool,
    /// How many requests the log keeps; the oldest half goes when it is full.
    pub log_capacity: usize,
    /// Gives the time of a request.
    pub now_ms: NowMs,
}

impl DemoServerOptions {
    /// A free port, delays as they are, pages with an ETag, a log of 100,000 requests.
    pub fn new(now_ms: NowMs) -> Self {
        Self { port: 0, delay_scale: 1.0, validators: true, nonces: false, log_capacity: 100_000, now_ms }
    }
}

impl fmt::Debug for DemoServerOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("DemoServerOptions")
            .field("port", &self.port)
            .field("delay_scale", &self.delay_scale)
            .field("validators", &self.validators)
            .field("nonces", &self.nonces)
            .field("log_capacity", &self.log_capacity)
            .finish_non_exhaustive()
    }
}

/// One request that reached the made-up web.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestLog {
    /// Host asked, lower case, without port.
    pub host: String,
    /// Path without query.
    pub path: String,
    /// Status answered.
    pub status: u16,
    /// Bytes of the body answered, before any content coding.
    pub bytes: u64,
    /// When it arrived, on the caller's clock.
    pub at_ms: i64,
}

struct Shared {
    web: RwLock<Arc<DemoWeb>>,
    /// Hosts that have given their one 429.
    limited: Mutex<HashSet<String>>,
    log: Mutex<Vec<RequestLog>>,
    /// Pages answered with a token so far.
    tokens: AtomicU64,
    options: DemoServerOptions,
}

/// A running server of a made-up web; dropping it stops it without waiting for answers under way.
pub struct DemoServer {
    /// Where it listens.
    pub addr: SocketAddr,
    shared: Arc<Shared>,
    handle: ServerHandle,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl DemoServer {
    /// Binds and serves. An error is that of binding or of starting the thread.
    pub async fn start(web: Arc<DemoWeb>, options: DemoServerOptions) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))?;
        let addr = listener.local_addr()?;
        let shared = Arc::new(Shared {
            web: RwLock::new(web),
            limited: Mutex::default(),
            log: Mutex::default(),
            tokens: AtomicU64::new(0),
            options,
        });
        let (started, handle) = tokio::sync::oneshot::channel();
        let data = web::Data::from(Arc::clone(&shared));
        let thread = std::thread::Builder::new().name("demo-web".to_owned()).spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let server =
                    HttpServer::new(move || App::new().app_data(data.clone()).wrap(Compress::default()).default_service(web::to(answer)))
                        .workers(1)
                        .disable_signals()
                        .shutdown_timeout(1)
                        .listen(listener)?
                        .run();
                // The receiver is gone only if the caller gave up on starting.
                let _ = started.send(server.handle());
                server.await
            })
        })?;
        match handle.await {
            Ok(handle) => Ok(Self { addr, shared, handle, thread: Some(thread) }),
            Err(_) => Err(io::Error::other("the made-up web's server ended before it served")),
        }
    }

    /// Every request so far, oldest first, as far as the log reaches.
    pub fn requests(&self) -> Vec<RequestLog> {
        lock(&self.shared.log).clone()
    }

    /// Serves another state of the web from the next request on; see [`DemoWeb::with_changes`].
    pub fn replace(&self, web: Arc<DemoWeb>) {
        *self.shared.web.write().unwrap_or_else(PoisonError::into_inner) = web;
    }

    /// Stops, after at most a second for answers under way, and frees the port.
    pub async fn stop(mut self) {
        self.handle.stop(true).await;
        if let Some(thread) = self.thread.take() {
            // How the server's loop ended no longer matters to anyone.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

impl Drop for DemoServer {
    fn drop(&mut self) {
        // The command is sent when the future is made; nobody waits for its end here.
        drop(self.handle.stop(false));
    }
}

/// A panic of another holder leaves a log or a set that is still good.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer(request: HttpRequest, shared: web::Data<Shared>) -> HttpResponse {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return HttpResponse::MethodNotAllowed().insert_header((header::ALLOW, "GET, HEAD")).finish();
    }
    let host = request.headers().get(header::HOST).and_then(|value| value.to_str().ok());
    let host = host.unwrap_or_default().split(':').next().unwrap_or_default().to_ascii_lowercase();
    let path = request.path().to_owned();
    let arrived_ms = (shared.options.now_ms)();
    let made_up = shared.web.read().unwrap_or_else(PoisonError::into_inner).clone();
    let mut response = choose(&shared, &made_up, &host, &path);
    if shared.options.nonces && response.status == 200 {
        add_nonce(&mut response, shared.tokens.fetch_add(1, Ordering::Relaxed));
    }
    if shared.options.validators && response.status == 200 {
        let known = request.headers().get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
        validate(&mut response, known);
    }
    let entry = RequestLog { host, path, status: response.status, bytes: response.body.len() as u64, at_ms: arrived_ms };
    record(&shared, entry);
    let delay = response.delay.mul_f64(shared.options.delay_scale.clamp(0.0, 100.0));
    if !delay.is_zero() {
        actix_web::rt::time::sleep(delay).await;
    }
    // Every status the made-up web gives is a valid one; 500 stands for a slip of ours.
    let status = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut builder = HttpResponse::build(status);
    for (name, value) in response.headers {
        builder.insert_header((name, value));
    }
    builder.body(response.body)
}

/// Puts what no two answers share into a page: a token in its head and in a form, a cache buster, how long it took.
fn add_nonce(response: &mut DemoResponse, number: u64) {
    if !response.headers.iter().any(|(name, value)| *name == "content-type" && value.starts_with("text/html")) {
        return;
    }
    let token = hex(&Sha256::digest(number.to_le_bytes())[..8]);
    let head = format!("<meta name=\"csrf-token\" content=\"{token}\"><link rel=\"stylesheet\" href=\"/style.css?v={token}\">");
    let foot = format!(
        "<form action=\"/newsletter\" method=\"post\"><input type=\"hidden\" name=\"token\" value=\"{token}\"></form>\
         <script nonce=\"{token}\">window.started = \"{token}\"</script><!-- generated in 0.{number:03} s -->"
    );
    for (mark, text) in [("</head>", head), ("</body>", foot)] {
        let at = response.body.windows(mark.len()).position(|window| window.eq_ignore_ascii_case(mark.as_bytes()));
        let at = at.unwrap_or(response.body.len());
        response.body.splice(at..at, text.into_bytes());
    }
}

/// Adds the ETag of the body, or leaves the body out if the asker has it.
fn validate(response: &mut DemoResponse, known: Option<&str>) {
    let digest = Sha256::digest(&response.body);
    // Weak: the body may be compressed on its way.
    let etag = format!("W/\"{}\"", hex(&digest[..8]));
    if known == Some(etag.as_str()) {
        response.status = 304;
        response.body.clear();
        response.headers.retain(|(name, _)| *name != "content-type");
    }
    response.headers.push(("etag", etag));
}

fn choose(shared: &Shared, made_up: &DemoWeb, host: &str, path: &str) -> DemoResponse {
    if let Some(site) = made_up.site(host)
        && site.rate_limits_once
        && path != "/robots.txt"
        && lock(&shared.limited).insert(host.to_owned())
    {
        return respond::too_many_requests(site.delay);
    }
    made_up.respond(host, path)
}

fn record(shared: &Shared, entry: RequestLog) {
    let mut log = lock(&shared.log);
    if log.len() >= shared.options.log_capacity.max(2) {
        let half = log.len() / 2;
        log.drain(..half);
    }
    log.push(entry);
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use url::Url;

    use super::*;

    /// A clock that ticks once a look.
    fn ticking() -> NowMs {
        let ticks = AtomicI64::new(0);
        Arc::new(move || ticks.fetch_add(1, Ordering::Relaxed))
    }

    /// Status, head and body of one GET over a connection of its own.
    async fn get(addr: SocketAddr, host: &str, path: &str, extra: &str) -> (u16, String, Vec<u8>) {
        let mut stream = tokio::net::TcpStream::connect(addr).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{extra}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer);
        tokio::time::timeout(Duration::from_secs(20), read).await.unwrap().unwrap();
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(answer[..end].to_vec()).unwrap().to_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head, answer[end + 4..].to_vec())
    }

    /// The server runs on its own thread: a current-thread runtime of the caller's suffices.
    #[tokio::test]
    async fn the_server_chooses_by_host_limits_once_and_logs() {
        let web = Arc::new(DemoWeb::generate(1));
        let options = DemoServerOptions { delay_scale: 0.0, ..DemoServerOptions::new(ticking()) };
        let server = DemoServer::start(Arc::clone(&web), options).await.unwrap();
        let at = server.addr;
        let status = async |host: &str, path: &str| get(at, host, path, "").await.0;

        assert_eq!(status("tinta-alameda.example", "/robots.txt").await, 200);
        let (limited, head, _) = get(at, "tinta-alameda.example:80", "/", "").await;
        assert_eq!(limited, 429);
        assert!(head.contains("retry-after: 1"), "{head}");
        assert_eq!(status("tinta-alameda.example", "/").await, 200);

        for site in web.sites() {
            let (answered, _, body) = get(at, &site.host, "/?utm_source=x", "").await;
            assert_eq!(answered, 200, "{}", site.host);
            assert!(body == web.respond(&site.host, "/").body, "{}", site.host);
        }
        let later = Arc::new(web.with_changes(1));
        let (_, gone) = later.changes().page_gone.clone().unwrap();
        let gone = Url::parse(&gone).unwrap();
        assert_eq!(status(gone.host_str().unwrap(), gone.path()).await, 200);
        server.replace(later);
        assert_eq!(status(gone.host_str().unwrap(), gone.path()).await, 404);

        let (_, head, _) = get(at, "black-harbour.example", "/", "accept-encoding: gzip\r\n").await;
        assert!(head.contains("content-encoding: gzip"), "{head}");

        let (_, head, body) = get(at, "black-harbour.example", "/", "").await;
        let etag = head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap().replace("w/", "W/");
        assert!(!body.is_empty());
        let (unmodified, head, body) = get(at, "black-harbour.example", "/", &format!("if-none-match: {etag}\r\n")).await;
        assert_eq!((unmodified, body.len()), (304, 0), "{head}");
        assert_eq!(status("black-harbour.example", "/").await, 200);

        let log = server.requests();
        assert_eq!(log.len(), 3 + web.sites().len() + 2 + 1 + 3);
        assert_eq!(log[log.len() - 2].bytes, 0);
        assert_eq!(log[log.len() - 1].bytes, web.respond("black-harbour.example", "/").body.len() as u64);
        assert_eq!(log[1].status, 429);
        assert_eq!((log[1].host.as_str(), log[1].path.as_str()), ("tinta-alameda.example", "/"));
        assert!(log.windows(2).all(|pair| pair[0].at_ms < pair[1].at_ms));

        server.stop().await;
        assert!(tokio::net::TcpStream::connect(at).await.is_err(), "the port is still served");
    }

    #[tokio::test]
    async fn dropping_the_server_frees_its_port() {
        let web = Arc::new(DemoWeb::generate(1));
        let mut server = DemoServer::start(web, DemoServerOptions::new(ticking())).await.unwrap();
        let (addr, thread) = (server.addr, server.thread.take().unwrap());
        drop(server);
        let ended = tokio::task::spawn_blocking(move || thread.join().unwrap().unwrap());
        tokio::time::timeout(Duration::from_secs(60), ended).await.expect("still served after a minute").unwrap();
        assert!(tokio::net::TcpStream::connect(addr).await.is_err(), "the port is still served");
    }
}
