//! [`HttpFetch`]: pages over HTTP, under the guard and every limit. The one module that builds HTTP clients.
//!
//! A mapped host is asked over plain HTTP at its mapped address and port, for http and https URLs alike (made-up webs have no
//! certificates); `Host` and the page's URL keep the made-up name.

mod answers;
pub mod api;
mod body;
pub(crate) mod charset;
mod headers;

use crate::domain::clock::{Clock, Timestamp};
use crate::scrape::evidence::Exchange;
use crate::scrape::guard::{Guard, GuardedResolver, read_url, shown};
use crate::scrape::limits::FetchLimits;
use crate::scrape::refresh::moves_to;
use crate::scrape::{Ask, Fetch, FetchError, FetchedPage, Hop, Limit, NotModified, TextHop, Validators, Wanted};
use answers::{status_error, transport_error};
use async_trait::async_trait;
use body::{BodyError, BodySink};
use headers::{PAGE_TYPES, SITEMAP_TYPES, header, is_of_type, is_tdm_reserved, media_type, robots_tags, validators};
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH, LOCATION,
    REFRESH,
};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use url::{Position, Url};

/// The codings offered; each is decompressed here.
const CODINGS: &str = "gzip, br, zstd, deflate";

/// How a gzip file begins (RFC 1952, section 2.3.1).
const GZIP_START: &[u8] = b"\x1f\x8b";

/// How files begin that are sometimes sent as HTML: PNG, JPEG, GIF, PDF, ZIP, RIFF, gzip, ISO media.
const BINARY_STARTS: &[&[u8]] = &[b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"%PDF-", b"PK\x03\x04", b"RIFF", GZIP_START, b"\0\0\0"];

/// Why there is no HTTP client.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client cannot be built: {0}; check `fetch.user_agent` and the system's certificates")]
pub struct ClientError(String);

/// Pages over HTTP.
#[derive(Debug, Clone)]
pub struct HttpFetch {
    client: Client,
    guard: Arc<Guard>,
    limits: FetchLimits,
    user_agent: String,
    clock: Arc<dyn Clock>,
}

/// What a response is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Want {
    /// A page or a sitemap: over a limit it is refused.
    Whole(Wanted),
    /// A text: over a limit it is cut.
    Text,
}

/// A body taken in.
struct Body {
    bytes: Vec<u8>,
    wire_bytes: u64,
}

#[expect(clippy::disallowed_methods, reason = "the one place that builds the client, behind the guard")]
fn build_client(guard: &Arc<Guard>, limits: &FetchLimits, user_agent: &str) -> Result<Client, ClientError> {
    Client::builder()
        .user_agent(user_agent)
        .dns_resolver(GuardedResolver(Arc::clone(guard)))
        .no_proxy()
        .referer(false)
        .redirect(reqwest::redirect::Policy::none())
        // A request repeated inside the client would escape the spacing.
        .retry(reqwest::retry::never())
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
        .connect_timeout(limits.connect())
        .http2_max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
        .pool_max_idle_per_host(1)
        .pool_idle_timeout(Duration::from_secs(40))
        .build()
        .map_err(|error| ClientError(error.to_string()))
}

impl HttpFetch {
    /// A fetcher with its own connections. `user_agent` is honest: product token, version and the page that explains the bot.
    ///
    /// # Errors
    /// [`ClientError`] if the user agent is no header value or TLS cannot be set up.
    pub fn new(guard: Arc<Guard>, limits: FetchLimits, user_agent: &str, clock: Arc<dyn Clock>) -> Result<Self, ClientError> {
        let client = build_client(&guard, &limits, user_agent)?;
        Ok(Self { client, guard, limits, user_agent: user_agent.to_owned(), clock })
    }

    fn over(&self, url: &Url, limit: Limit) -> FetchError {
        FetchError::OverLimit { url: shown(url), limit }
    }

    /// Where a request for `url` goes, and the `Host` it names if that is another.
    fn target(&self, url: &Url) -> Result<(Url, Option<String>), FetchError> {
        self.guard.check_url(url)?;
        let mut target = url.clone();
        target.set_fragment(None);
        let Some(to) = self.guard.mapped(url) else { return Ok((target, None)) };
        let host = url[Position::BeforeHost..Position::AfterPort].to_owned();
        let mapped = Url::parse(&format!("http://{}{}", to.socket(), &target[Position::BeforePath..]));
        Ok((mapped.map_err(|error| FetchError::BadResponse { url: shown(url), why: error.to_string() })?, Some(host)))
    }

    /// Asks for a page or a text. Answers the exchange so far as well, if it is to be kept.
    async fn ask(&self, url: &Url, want: Want, ask: &Ask<'_>) -> Result<(Response, Option<Exchange>), FetchError> {
        let (target, host) = self.target(url)?;
        let accept = match want {
            Want::Whole(Wanted::Sitemap) => "application/xml,text/xml;q=0.9,text/plain;q=0.5,*/*;q=0.1",
            Want::Whole(Wanted::Page) => "text/html,application/xhtml+xml;q=0.9,text/plain;q=0.5",
            Want::Text => "text/plain,*/*;q=0.1",
        };
        let mut headers = vec![(ACCEPT, accept)];
        if let Some(Validators { etag, last_modified }) = ask.before.map(|before| &before.validators) {
            headers.extend(etag.as_deref().map(|etag| (IF_NONE_MATCH, etag)));
            headers.extend(last_modified.as_deref().map(|moment| (IF_MODIFIED_SINCE, moment)));
        }
        let request = headers.iter().fold(self.client.get(target), |request, (name, value)| request.header(name, *value));
        let asked_at = self.clock.now();
        let response = self.send(url, request, host).await?;
        let exchange = ask.evidence.map(|_| self.exchange(url, &headers, asked_at, &response, ask));
        Ok((response, exchange))
    }

    /// What an answer's head says of its exchange; the body is still to come.
    fn exchange(&self, url: &Url, asked: &[(HeaderName, &str)], at: Timestamp, response: &Response, ask: &Ask<'_>) -> Exchange {
        let [path, host] = [&url[Position::BeforePath..Position::AfterQuery], &url[Position::BeforeHost..Position::AfterPort]];
        let fixed = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nuser-agent: {}\r\naccept-encoding: {CODINGS}\r\n", self.user_agent);
        let lines = asked.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
        let (status, headers) = (response.status().as_u16(), response.headers());
        Exchange {
            url: url.clone(),
            at,
            took: Duration::ZERO,
            peer: response.remote_addr().map(|peer| peer.ip()),
            request: [fixed].into_iter().chain(lines).chain(["\r\n".to_owned()]).collect(),
            status,
            headers: headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect(),
            body: Vec::new(),
            // Until it is taken in, only an answer without a body is whole.
            whole: status == 304 || header(headers, CONTENT_LENGTH) == Some("0"),
            copy_from: ask.before.map(|before| before.at),
            outcome: "",
        }
    }

    /// Hands over an exchange to whoever keeps it.
    fn note(&self, ask: &Ask<'_>, exchange: Option<Exchange>, outcome: &'static str) {
        if let Some((evidence, exchange)) = ask.evidence.zip(exchange) {
            evidence.note(&Exchange { took: self.clock.now().since(exchange.at), outcome, ..exchange });
        }
    }

    /// Sends a request, and checks who answered and how long the head is.
    async fn send(&self, url: &Url, request: RequestBuilder, host: Option<String>) -> Result<Response, FetchError> {
        let mut request = request.header(ACCEPT_ENCODING, CODINGS);
        if let Some(host) = host {
            request = request.header(HOST, host);
        }
        let sent = timeout(self.limits.head(), request.send()).await.map_err(|_| self.over(url, Limit::Head))?;
        let response = sent.map_err(|error| transport_error(url, &error))?;
        self.guard.check_peer(url, response.remote_addr())?;
        let head: usize = response.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
        if head > self.limits.header_bytes {
            return Err(self.over(url, Limit::HeaderBytes));
        }
        Ok(response)
    }

    /// The target of a redirect, if the response is one.
    fn redirect(url: &Url, response: &Response) -> Option<Result<(u16, Url), FetchError>> {
        let status = response.status().as_u16();
        if !matches!(status, 301 | 302 | 303 | 307 | 308) {
            return None;
        }
        let target = match response.headers().get(LOCATION).map(|value| std::str::from_utf8(value.as_bytes())) {
            Some(Ok(location)) => read_url(location, Some(url)).map(|to| (status, to)),
            _ => Err(FetchError::BadResponse { url: shown(url), why: format!("status {status} without a readable Location") }),
        };
        Some(target)
    }

    /// Takes the body in, decompressing it, under the limits of size and idle time.
    async fn body(
        &self,
        url: &Url,
        mut response: Response,
        limit: usize,
        want: Want,
        mut exchange: Option<&mut Exchange>,
    ) -> Result<Body, FetchError> {
        let body_error = |error: BodyError| self.body_error(url, &error);
        let announced = header(response.headers(), CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
        if want != Want::Text && announced.is_some_and(|length| length > self.limits.wire_bytes) {
            return Err(self.over(url, Limit::WireBytes));
        }
        let codings: Vec<&str> = response.headers().get_all(CONTENT_ENCODING).iter().filter_map(|value| value.to_str().ok()).collect();
        let coding = codings.join(", ");
        let mut sink = BodySink::new(Some(coding.as_str()), limit).map_err(body_error)?;
        let mut wire_bytes = 0_u64;
        loop {
            let piece = timeout(self.limits.idle(), response.chunk()).await.map_err(|_| self.over(url, Limit::Idle))?;
            let Some(piece) = piece.map_err(|error| transport_error(url, &error))? else { break };
            wire_bytes = wire_bytes.saturating_add(piece.len() as u64);
            if let Some(exchange) = exchange.as_deref_mut() {
                exchange.body.extend_from_slice(&piece);
            }
            if wire_bytes > self.limits.wire_bytes {
                if want == Want::Text {
                    return Ok(Body { bytes: sink.cut(), wire_bytes });
                }
                return Err(self.over(url, Limit::WireBytes));
            }
            match sink.write(&piece) {
                Ok(()) => {}
                Err(BodyError::TooLarge) if want == Want::Text => return Ok(Body { bytes: sink.cut(), wire_bytes }),
                Err(error) => return Err(body_error(error)),
            }
        }
        if let Some(exchange) = exchange {
            exchange.whole = true;
        }
        Ok(Body { bytes: sink.finish().map_err(body_error)?, wire_bytes })
    }

    async fn page(&self, url: &Url, ask: &Ask<'_>) -> Result<Hop, FetchError> {
        let (response, mut exchange) = self.ask(url, Want::Whole(ask.wanted), ask).await?;
        let hop = self.read_page(url, response, ask, exchange.as_mut()).await;
        let outcome = match &hop {
            Ok(Hop::Page(_)) => "page",
            Ok(Hop::Redirect { .. }) => "moved",
            Ok(Hop::NotModified { .. }) => "unmodified",
            Err(error) => error.code(),
        };
        self.note(ask, exchange, outcome);
        hop
    }

    async fn read_page(&self, url: &Url, response: Response, ask: &Ask<'_>, exchange: Option<&mut Exchange>) -> Result<Hop, FetchError> {
        if let Some(redirect) = Self::redirect(url, &response) {
            let (status, to) = redirect?;
            return Ok(Hop::Redirect { status, to });
        }
        let (status, headers) = (response.status(), response.headers().clone());
        if status == StatusCode::NOT_MODIFIED && ask.before.is_some() {
            let (validators, robots_tags, tdm_reserved) = (validators(&headers), robots_tags(&headers), is_tdm_reserved(&headers));
            return Ok(Hop::NotModified { fresh: NotModified { validators, robots_tags, tdm_reserved } });
        }
        if !status.is_success() {
            return Err(status_error(url, status, &headers, self.clock.now()));
        }
        let content_type = header(&headers, CONTENT_TYPE);
        let accepted = match ask.wanted {
            Wanted::Page => &PAGE_TYPES[..],
            Wanted::Sitemap => &SITEMAP_TYPES[..],
        };
        if !is_of_type(content_type, accepted) {
            return Err(FetchError::WrongType { url: shown(url), content_type: media_type(content_type) });
        }
        if let Some(to) = header(&headers, REFRESH).and_then(|value| moves_to(value, url, self.limits.refresh())) {
            return Ok(Hop::Redirect { status: status.as_u16(), to });
        }
        let mut body = self.body(url, response, self.limits.decoded_bytes, Want::Whole(ask.wanted), exchange).await?;
        if ask.wanted == Wanted::Sitemap && body.bytes.starts_with(GZIP_START) {
            body.bytes = self.unpacked(url, &body.bytes)?;
        }
        if BINARY_STARTS.iter().any(|start| body.bytes.starts_with(start)) {
            let content_type = format!("binary data sent as {}", media_type(content_type));
            return Err(FetchError::WrongType { url: shown(url), content_type });
        }
        let text = charset::decode_page(&body.bytes, content_type, url.host_str());
        Ok(Hop::Page(FetchedPage {
            requested: url.clone(),
            url: url.clone(),
            status: status.as_u16(),
            text,
            robots_tags: robots_tags(&headers),
            tdm_reserved: is_tdm_reserved(&headers),
            validators: validators(&headers),
            wire_bytes: body.wire_bytes,
        }))
    }

    /// A file that is a gzip member, whatever the coding it was sent in: under the limit of any body.
    fn unpacked(&self, url: &Url, bytes: &[u8]) -> Result<Vec<u8>, FetchError> {
        let unpacked = BodySink::new(Some("gzip"), self.limits.decoded_bytes).and_then(|mut sink| {
            sink.write(bytes)?;
            sink.finish()
        });
        unpacked.map_err(|error| self.body_error(url, &error))
    }

    fn body_error(&self, url: &Url, error: &BodyError) -> FetchError {
        match error {
            BodyError::TooLarge => self.over(url, Limit::DecodedBytes),
            other => FetchError::BadResponse { url: shown(url), why: other.to_string() },
        }
    }

    async fn text(&self, url: &Url, ask: &Ask<'_>) -> Result<TextHop, FetchError> {
        let (response, mut exchange) = self.ask(url, Want::Text, ask).await?;
        let hop = self.read_text(url, response, exchange.as_mut()).await;
        let outcome = match &hop {
            Ok(TextHop::Text { .. }) => "text",
            Ok(TextHop::Redirect { .. }) => "moved",
            Err(error) => error.code(),
        };
        self.note(ask, exchange, outcome);
        hop
    }

    async fn read_text(&self, url: &Url, response: Response, exchange: Option<&mut Exchange>) -> Result<TextHop, FetchError> {
        if let Some(redirect) = Self::redirect(url, &response) {
            let (status, to) = redirect?;
            return Ok(TextHop::Redirect { status, to });
        }
        let status = response.status();
        if status.is_client_error() && status.as_u16() != 429 {
            return Ok(TextHop::Text { status: status.as_u16(), text: String::new(), wire_bytes: 0 });
        }
        if !status.is_success() {
            return Err(status_error(url, status, response.headers(), self.clock.now()));
        }
        let content_type = header(response.headers(), CONTENT_TYPE).map(str::to_owned);
        let body = self.body(url, response, self.limits.robots_bytes, Want::Text, exchange).await?;
        let text = charset::decode_text(&body.bytes, content_type.as_deref());
        Ok(TextHop::Text { status: status.as_u16(), text, wire_bytes: body.wire_bytes })
    }
}

#[async_trait]
impl Fetch for HttpFetch {
    async fn fetch(&self, url: &Url, ask: &Ask<'_>) -> Result<Hop, FetchError> {
        timeout(self.limits.total(), self.page(url, ask)).await.unwrap_or_else(|_| Err(self.over(url, Limit::Total)))
    }

    async fn fetch_text(&self, url: &Url, ask: &Ask<'_>) -> Result<TextHop, FetchError> {
        timeout(self.limits.total(), self.text(url, ask)).await.unwrap_or_else(|_| Err(self.over(url, Limit::Total)))
    }

    async fn addresses(&self, url: &Url) -> Result<Vec<IpAddr>, FetchError> {
        self.guard.check_url(url)?;
        match url.host() {
            _ if self.guard.mapped(url).is_some() => Ok(Vec::new()),
            Some(url::Host::Ipv4(address)) => Ok(vec![address.into()]),
            Some(url::Host::Ipv6(address)) => Ok(vec![address.into()]),
            Some(url::Host::Domain(name)) => {
                timeout(self.limits.connect(), self.guard.resolve(name)).await.unwrap_or_else(|_| Err(FetchError::Dns(name.to_owned())))
            }
            None => Ok(Vec::new()),
        }
    }
}

#[cfg(test)]
mod tests;
