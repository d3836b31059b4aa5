//! The guard that every outgoing request passes (rule 13): form of the URL, kind of the host, every resolved address, and
//! the peer of the connection. The one resolver that the HTTP client is given is here.

pub mod addresses;
mod host_map;

pub use host_map::{BadPattern, HostMap, MappedHost};

use crate::domain::clock::{Clock, SystemClock};
use crate::scrape::FetchError;
use async_trait::async_trait;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use url::{Host, Url};

/// How long resolved addresses are used, so that the limit by address and the connector see the same answer.
const ANSWER_LIFE: Duration = Duration::from_secs(60);

/// Most hosts whose answer is kept.
const ANSWERS_MAX: usize = 10_000;

/// The ports that are fetched; a mapped host has its own besides.
const PORTS: [u16; 2] = [80, 443];

/// Names that lead inwards wherever they resolve to.
const INWARD_SUFFIXES: &[&str] =
    &["local", "internal", "localhost", "localdomain", "intranet", "lan", "home", "corp", "private", "home.arpa", "onion", "alt"];

/// Turns a host name into addresses.
#[async_trait]
pub trait NameLookup: std::fmt::Debug + Send + Sync {
    /// All addresses of a host name; what failed otherwise.
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, String>;
}

/// The operating system's resolver.
#[derive(Debug)]
pub struct SystemLookup;

#[async_trait]
impl NameLookup for SystemLookup {
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, String> {
        let found = tokio::net::lookup_host((host, 0)).await.map_err(|error| error.to_string())?;
        Ok(found.map(|socket| socket.ip()).collect())
    }
}

/// Decides where a request may go.
#[derive(Debug)]
pub struct Guard {
    map: HostMap,
    lookup: Arc<dyn NameLookup>,
    clock: Arc<dyn Clock>,
    answers: Mutex<HashMap<String, (Duration, Vec<IpAddr>)>>,
    /// Refuse every host that is not mapped: nothing leaves the machine.
    only_mapped: bool,
    ports: Vec<u16>,
}

fn refuse(url: &Url, why: impl std::fmt::Display) -> FetchError {
    FetchError::Guarded(format!("{} {why}", shown(url)))
}

/// A URL as shown in errors: without user, password and query, which may hold secrets.
pub fn shown(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let text = format!("{}://{host}{port}{}", url.scheme(), url.path());
    crate::domain::text::clean_line(&text, 200)
}

/// Reads a URL that a site, a file or a person wrote, against the page it stood on. Refuses what two parsers may read in two
/// ways: backslashes and control characters.
///
/// # Errors
/// [`FetchError::Guarded`] for such characters, [`FetchError::BadResponse`] if it is no URL.
pub fn read_url(text: &str, base: Option<&Url>) -> Result<Url, FetchError> {
    let text = text.trim_matches([' ', '\t', '\r', '\n']);
    let named = || crate::domain::text::clean_line(text, 200);
    if text.chars().any(|c| c == '\\' || c.is_control()) {
        return Err(FetchError::Guarded(format!("{} holds a backslash or a control character", named())));
    }
    let read = match base {
        Some(base) => base.join(text),
        None => Url::parse(text),
    };
    read.map_err(|error| FetchError::BadResponse { url: named(), why: format!("it is no URL: {error}") })
}

/// The host a hold is taken on: the name without trailing dot, with the port if it is neither 80 nor 443, so that http and
/// https of one site are one host.
pub fn host_key(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default().trim_end_matches('.');
    match url.port_or_known_default() {
        None | Some(80 | 443) => host.to_owned(),
        Some(port) => format!("{host}:{port}"),
    }
}

impl Guard {
    /// A guard over the operating system's resolver, with the exceptions of `map`.
    pub fn new(map: HostMap) -> Self {
        Self::with_lookup(map, Arc::new(SystemLookup), Arc::new(SystemClock::new()))
    }

    /// A guard over another resolver.
    pub fn with_lookup(map: HostMap, lookup: Arc<dyn NameLookup>, clock: Arc<dyn Clock>) -> Self {
        Self { map, lookup, clock, answers: Mutex::new(HashMap::new()), only_mapped: false, ports: PORTS.to_vec() }
    }

    /// The guard, refusing every host that is not in its map if `only_mapped`: for rehearsals, which leave no machine.
    #[must_use]
    pub fn only_mapped(self, only_mapped: bool) -> Self {
        Self { only_mapped, ..self }
    }

    /// The guard, fetching from this port too. No configuration leads here: it is for tests whose listeners wait for a guard
    /// that lets them be reached, where the port must not be what saves it.
    #[must_use]
    pub fn and_port(mut self, port: u16) -> Self {
        self.ports.push(port);
        self
    }

    /// Where the host of `url` is mapped to, if the configuration says so.
    pub fn mapped(&self, url: &Url) -> Option<&MappedHost> {
        match url.host() {
            Some(Host::Domain(domain)) => self.map.get(domain.strip_suffix('.').unwrap_or(domain)),
            _ => None,
        }
    }

    /// Whether the form of `url` and its host allow a request. A name must still be resolved, which the connector does.
    ///
    /// # Errors
    /// [`FetchError::Guarded`] with the rule that refuses it.
    pub fn check_url(&self, url: &Url) -> Result<(), FetchError> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refuse(url, "is neither http nor https"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse(url, "carries a user name or password"));
        }
        let port = url.port_or_known_default().unwrap_or(0);
        let mapped = self.mapped(url);
        if !self.ports.contains(&port) && mapped.is_none_or(|to| to.port != port) {
            return Err(refuse(url, format_args!("asks for port {port}; only 80 and 443 are fetched")));
        }
        if mapped.is_some() {
            return Ok(());
        }
        if self.only_mapped {
            return Err(refuse(url, "names a host that is not mapped, and fetch.only_mapped is set"));
        }
        match url.host() {
            None => Err(refuse(url, "names no host")),
            Some(Host::Ipv4(address)) => Self::check_address(url, IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Self::check_address(url, IpAddr::V6(address)),
            Some(Host::Domain(domain)) => Self::check_name(url, domain.strip_suffix('.').unwrap_or(domain)),
        }
    }

    fn check_address(url: &Url, address: IpAddr) -> Result<(), FetchError> {
        match addresses::refused(address) {
            Some(why) => Err(refuse(url, format_args!("is not globally routable: {why}"))),
            None => Ok(()),
        }
    }

    fn check_name(url: &Url, name: &str) -> Result<(), FetchError> {
        if name.split('.').any(str::is_empty) {
            return Err(refuse(url, "names a host with an empty label"));
        }
        if !name.contains('.') {
            return Err(refuse(url, "names a host without a dot"));
        }
        let inward = |suffix: &&str| name.strip_suffix(*suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        match INWARD_SUFFIXES.iter().find(|suffix| inward(suffix)) {
            Some(suffix) => Err(refuse(url, format_args!("names a host in .{suffix}, which leads inwards"))),
            None => Ok(()),
        }
    }

    /// Resolves a name once and checks every answer: one that is not globally routable refuses the name.
    ///
    /// # Errors
    /// [`FetchError::Dns`] without an answer, [`FetchError::Guarded`] with a refused one.
    pub async fn resolve(&self, host: &str) -> Result<Vec<IpAddr>, FetchError> {
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let now = self.clock.monotonic();
        if let Some((at, known)) = self.answers.lock().unwrap_or_else(PoisonError::into_inner).get(&host)
            && now.saturating_sub(*at) < ANSWER_LIFE
        {
            return Ok(known.clone());
        }
        let mut found = self.lookup.addresses(&host).await.map_err(|why| {
            tracing::debug!(site.host = %host, "name lookup failed: {why}");
            FetchError::Dns(host.clone())
        })?;
        if let Some((address, why)) = found.iter().find_map(|address| addresses::refused(*address).map(|why| (address, why))) {
            return Err(FetchError::Guarded(format!("{host} resolves to {address}, which is not globally routable: {why}")));
        }
        if found.is_empty() {
            return Err(FetchError::Dns(host));
        }
        found.sort_unstable();
        found.dedup();
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.len() >= ANSWERS_MAX {
            answers.retain(|_, (at, _)| now.saturating_sub(*at) < ANSWER_LIFE);
        }
        if answers.len() < ANSWERS_MAX {
            answers.insert(host, (now, found.clone()));
        }
        Ok(found)
    }

    /// Whether an answer for `url` may come from `peer`: asked once more after connecting.
    ///
    /// # Errors
    /// [`FetchError::Guarded`] if the connection leads elsewhere.
    pub fn check_peer(&self, url: &Url, peer: Option<SocketAddr>) -> Result<(), FetchError> {
        let Some(peer) = peer else {
            return Err(refuse(url, "was answered by an unknown address"));
        };
        match self.mapped(url) {
            Some(to) if to.socket() == peer => Ok(()),
            Some(to) => Err(refuse(url, format_args!("was answered by {peer} instead of {}", to.socket()))),
            None => match addresses::refused(peer.ip()) {
                Some(why) => Err(refuse(url, format_args!("was answered by {peer}, which is not globally routable: {why}"))),
                None => Ok(()),
            },
        }
    }
}

/// The resolver the HTTP client is given. It is never asked for literal addresses: [`Guard::check_url`] sees to those.
#[derive(Debug, Clone)]
pub struct GuardedResolver(pub Arc<Guard>);

impl reqwest::dns::Resolve for GuardedResolver {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let guard = Arc::clone(&self.0);
        Box::pin(async move {
            match guard.resolve(name.as_str()).await {
                Ok(found) => Ok(Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0))) as reqwest::dns::Addrs),
                Err(error) => Err(error.into()),
            }
        })
    }
}

#[cfg(test)]
mod tests;
