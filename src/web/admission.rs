//! Who may use the admin API: this machine, by name, and no page of another origin. Keys and roles come later; until then
//! whatever this does not admit is refused.

use crate::web::errors::{Code, WebError};
use actix_web::dev::Payload;
use actix_web::http::{Method, header};
use actix_web::{FromRequest, HttpRequest};
use std::future::{Ready, ready};
use std::net::{IpAddr, Ipv6Addr};
use tracing::warn;

const SEC_FETCH_SITE: header::HeaderName = header::HeaderName::from_static("sec-fetch-site");

/// What is known of a request before anything is done for it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    /// The address at the other end of the connection.
    pub peer: Option<IpAddr>,
    /// The `Host` header, if there is exactly one.
    pub host: Option<&'a str>,
    /// Whether it says to be forwarded by a proxy.
    pub forwarded: bool,
    /// Whether it may change something: anything but GET, HEAD and OPTIONS.
    pub mutates: bool,
    /// `Sec-Fetch-Site`.
    pub fetch_site: Option<&'a str>,
    /// `Origin`.
    pub origin: Option<&'a str>,
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It comes from elsewhere.
    #[error("it can only be used from the machine it runs on")]
    Peer,
    /// A proxy in front of it would make everybody look like this machine.
    #[error("it can not be used through a proxy; connect to it directly")]
    Forwarded,
    /// A name that somebody else may point here (DNS rebinding).
    #[error("address it as 127.0.0.1, [::1] or localhost; other names are refused, since anybody can point a name here")]
    Host,
    /// A page of another origin asks a browser to do it.
    #[error("the request was made by a page of another site")]
    Origin,
}

/// Decides about a request to the admin API.
///
/// # Errors
/// [`Refusal`].
pub fn admit(asked: Asked<'_>) -> Result<(), Refusal> {
    if !asked.peer.is_some_and(|peer| peer.to_canonical().is_loopback()) {
        return Err(Refusal::Peer);
    }
    if asked.forwarded {
        return Err(Refusal::Forwarded);
    }
    let Some(host) = asked.host.filter(|host| is_loopback_name(host)) else { return Err(Refusal::Host) };
    if !asked.mutates {
        return Ok(());
    }
    if asked.fetch_site.is_some_and(|site| site != "same-origin") {
        return Err(Refusal::Origin);
    }
    match asked.origin {
        Some(origin) if origin.strip_prefix("http://").is_none_or(|authority| !authority.eq_ignore_ascii_case(host)) => {
            Err(Refusal::Origin)
        }
        _ => Ok(()),
    }
}

/// Whether a `Host` header names this machine: `localhost`, or a literal loopback address, with or without a port.
fn is_loopback_name(host: &str) -> bool {
    if let Some(rest) = host.strip_prefix('[') {
        let Some((address, port)) = rest.split_once(']') else { return false };
        let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        return is_port && address.parse::<Ipv6Addr>().is_ok_and(|address| IpAddr::V6(address).to_canonical().is_loopback());
    }
    let (name, port) = host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port)));
    if port.is_some_and(|port| !is_port(port)) {
        return false;
    }
    name.eq_ignore_ascii_case("localhost") || name.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}

fn is_port(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

/// Proof in a handler's type that its caller may use the admin API. It must be the first argument, so that nothing else of
/// the request is read before.
#[derive(Debug, Clone, Copy)]
pub struct Operator;

impl Operator {
    /// Checks a request.
    ///
    /// # Errors
    /// [`Code::Forbidden`] with the reason.
    pub fn check(request: &HttpRequest) -> Result<Self, WebError> {
        let headers = request.headers();
        let text = |name: &header::HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
        let mut hosts = headers.get_all(header::HOST);
        let host = hosts.next().and_then(|host| host.to_str().ok()).filter(|_| hosts.next().is_none());
        // An absolute request target outranks the header, so both must say the same.
        let host = match request.uri().authority() {
            Some(authority) if host != Some(authority.as_str()) => None,
            _ => host,
        };
        let forwarded = [&header::FORWARDED, &header::X_FORWARDED_FOR, &header::X_FORWARDED_HOST, &header::VIA];
        let asked = Asked {
            peer: request.peer_addr().map(|peer| peer.ip()),
            host,
            forwarded: forwarded.iter().any(|name| headers.contains_key(*name)),
            mutates: !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS),
            fetch_site: text(&SEC_FETCH_SITE),
            origin: text(&header::ORIGIN),
        };
        admit(asked).map(|()| Self).map_err(|refusal| {
            warn!(peer = ?asked.peer, method = %request.method(), "a request to the admin API was refused: {refusal}");
            WebError::new(Code::Forbidden, format!("the admin API refuses this request: {refusal}"))
        })
    }
}

impl FromRequest for Operator {
    type Error = WebError;
    type Future = Ready<Result<Self, WebError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::check(request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::Ipv4Addr;

    fn local(host: &str) -> Asked<'_> {
        Asked { peer: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)), host: Some(host), ..Asked::default() }
    }

    #[test]
    fn this_machine_is_admitted_by_its_loopback_names() {
        for host in
            ["127.0.0.1:8600", "127.0.0.1", "127.9.9.9:1", "localhost:8600", "LocalHost", "[::1]:8600", "[::1]", "[::ffff:127.0.0.1]:1"]
        {
            assert_eq!(admit(local(host)), Ok(()), "{host}");
        }
    }

    /// 002-C7: the admin API is no business of other machines, nor of names that others point here.
    #[test]
    fn other_peers_and_names_are_refused() {
        for peer in [None, Some("192.168.1.5"), Some("10.0.0.1"), Some("203.0.113.9"), Some("::ffff:10.0.0.1"), Some("fe80::1"), Some("::")]
        {
            let peer = peer.map(|peer| peer.parse().unwrap());
            assert_eq!(admit(Asked { peer, ..local("127.0.0.1:8600") }), Err(Refusal::Peer), "{peer:?}");
        }
        let hosts = [
            "evil.example",
            "evil.example:8600",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "127.0.0.1@evil.example",
            "0.0.0.0:8600",
            "127.1:8600",
            "2130706433",
            "10.0.0.1",
            "[::]:8600",
            "[fe80::1]:8600",
            "[::1",
            "[::1]x",
            "::1",
            "localhost:",
            "localhost:99999",
            "localhost:80:80",
            "localhost.",
            "",
        ];
        for host in hosts {
            assert_eq!(admit(local(host)), Err(Refusal::Host), "{host}");
        }
        assert_eq!(admit(Asked { host: None, ..local("") }), Err(Refusal::Host));
        assert_eq!(admit(Asked { forwarded: true, ..local("localhost") }), Err(Refusal::Forwarded));
    }

    #[test]
    fn pages_of_other_origins_change_nothing() {
        let post = |fetch_site, origin| admit(Asked { mutates: true, fetch_site, origin, ..local("localhost:8600") });
        assert_eq!(post(None, None), Ok(()));
        assert_eq!(post(Some("same-origin"), Some("http://localhost:8600")), Ok(()));
        for site in ["cross-site", "same-site", "none", "Same-Origin", ""] {
            assert_eq!(post(Some(site), None), Err(Refusal::Origin), "{site}");
        }
        for origin in [
            "null",
            "http://evil.example",
            "http://localhost:8601",
            "https://localhost:8600",
            "http://127.0.0.1:8600",
            "localhost:8600",
            "",
        ] {
            assert_eq!(post(None, Some(origin)), Err(Refusal::Origin), "{origin}");
        }
        // Reading is not changing: a browser shows the answer to its own origin only.
        assert_eq!(admit(Asked { fetch_site: Some("cross-site"), ..local("localhost:8600") }), Ok(()));
    }

    proptest! {
        #[test]
        fn only_loopback_peers_are_ever_admitted(bits in any::<u32>(), v6 in any::<u128>(), mutates in any::<bool>()) {
            for peer in [IpAddr::V4(Ipv4Addr::from_bits(bits)), IpAddr::V6(Ipv6Addr::from_bits(v6))] {
                let admitted = admit(Asked { peer: Some(peer), mutates, ..local("localhost") }).is_ok();
                prop_assert_eq!(admitted, peer.to_canonical().is_loopback());
            }
        }

        #[test]
        fn a_name_that_is_admitted_is_one_of_ours(host in "[a-z0-9.:\\[\\]-]{0,24}") {
            if admit(local(&host)).is_ok() {
                prop_assert!(host.starts_with("localhost") || host.starts_with("127.") || host.starts_with('['), "{}", host);
            }
        }
    }
}
