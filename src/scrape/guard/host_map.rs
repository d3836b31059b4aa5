//! The only exception of the guard (rule 13): exact hosts, or all hosts below a suffix, that the configuration sends to one
//! address and port. Never a network. For made-up webs on loopback; warned about at every start.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Where a mapped host is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MappedHost {
    /// The address to connect to, whatever it is.
    pub address: IpAddr,
    /// The port to connect to, for http and https URLs alike.
    pub port: u16,
    /// Time between two requests, milliseconds; nothing else spaces the requests of a mapped host.
    pub spacing_ms: u64,
}

impl MappedHost {
    /// Address and port.
    pub fn socket(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.port)
    }

    /// Time between two requests.
    pub fn spacing(&self) -> Duration {
        Duration::from_millis(self.spacing_ms)
    }
}

/// Why a pattern names no host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{pattern}` names no host: {why}; write a host name, or `*.` and a suffix for all hosts below it")]
pub struct BadPattern {
    /// What was written.
    pub pattern: String,
    /// What is wrong with it.
    pub why: &'static str,
}

/// Hosts sent elsewhere, by exact name or by `*.suffix`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, MappedHost>", into = "BTreeMap<String, MappedHost>")]
pub struct HostMap {
    exact: BTreeMap<String, MappedHost>,
    /// By suffix with its leading dot.
    below: BTreeMap<String, MappedHost>,
}

impl HostMap {
    /// No exceptions: what production runs with.
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds a host (`studio.example`) or all hosts below a suffix (`*.example`).
    ///
    /// # Errors
    /// [`BadPattern`] if the pattern is an address, a bare `*`, or no host name.
    pub fn add(&mut self, pattern: &str, to: MappedHost) -> Result<(), BadPattern> {
        let refuse = |why| Err(BadPattern { pattern: pattern.to_owned(), why });
        let (name, below) = match pattern.strip_prefix("*.") {
            Some(suffix) => (suffix, true),
            None => (pattern, false),
        };
        match url::Host::parse(name) {
            Ok(url::Host::Domain(domain)) if domain == name && !domain.is_empty() => {}
            Ok(url::Host::Domain(_)) => return refuse("it is not in its normal form (lower case, ASCII)"),
            Ok(_) => return refuse("it is an address"),
            Err(_) => return refuse("it is no host name"),
        }
        if name.starts_with('.') || name.ends_with('.') || name.contains("..") || name.contains('*') {
            return refuse("it has an empty label or a star inside");
        }
        if below {
            self.below.insert(format!(".{name}"), to);
        } else {
            self.exact.insert(name.to_owned(), to);
        }
        Ok(())
    }

    /// Where a host (lower case, without trailing dot) is sent; the exact name wins, then the longest suffix.
    pub fn get(&self, host: &str) -> Option<&MappedHost> {
        self.exact.get(host).or_else(|| {
            let longest = self.below.iter().filter(|(suffix, _)| host.ends_with(suffix.as_str())).max_by_key(|(suffix, _)| suffix.len());
            longest.map(|(_, to)| to)
        })
    }

    /// Whether there is no exception.
    pub fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.below.is_empty()
    }

    /// What is mapped, as `pattern -> address:port`, for the warning at start.
    pub fn lines(&self) -> Vec<String> {
        let all: BTreeMap<String, MappedHost> = self.clone().into();
        all.iter().map(|(pattern, to)| format!("{pattern} -> {}", to.socket())).collect()
    }
}

impl TryFrom<BTreeMap<String, MappedHost>> for HostMap {
    type Error = BadPattern;

    fn try_from(entries: BTreeMap<String, MappedHost>) -> Result<Self, BadPattern> {
        let mut map = Self::none();
        for (pattern, to) in entries {
            map.add(&pattern, to)?;
        }
        Ok(map)
    }
}

impl From<HostMap> for BTreeMap<String, MappedHost> {
    fn from(map: HostMap) -> Self {
        let below = map.below.into_iter().map(|(suffix, to)| (format!("*{suffix}"), to));
        map.exact.into_iter().chain(below).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(port: u16) -> MappedHost {
        MappedHost { address: IpAddr::from([127, 0, 0, 1]), port, spacing_ms: 5 }
    }

    #[test]
    fn the_exact_name_wins_then_the_longest_suffix() {
        let mut map = HostMap::none();
        for (pattern, port) in [("*.example", 1), ("*.north.example", 2), ("ana.north.example", 3)] {
            map.add(pattern, to(port)).unwrap();
        }
        let port = |host: &str| map.get(host).map(|found| found.port);
        assert_eq!(port("ana.north.example"), Some(3));
        assert_eq!(port("bo.north.example"), Some(2));
        assert_eq!(port("north.example"), Some(1));
        assert_eq!(port("example"), None, "a suffix does not cover itself");
        assert_eq!(port("notexample"), None);
        assert_eq!(port("ana.north.example.com"), None);
        assert_eq!(map.lines(), ["*.example -> 127.0.0.1:1", "*.north.example -> 127.0.0.1:2", "ana.north.example -> 127.0.0.1:3"]);
    }

    #[test]
    fn a_map_is_never_a_network() {
        for pattern in [
            "127.0.0.1",
            "10.0.0.0/8",
            "0x7f.1",
            "2130706433",
            "[::1]",
            "*",
            "*.",
            "",
            "*.127.0.0.1",
            "a..example",
            "A.example",
            "a.*.example",
            "a.example.",
        ] {
            assert!(HostMap::none().add(pattern, to(80)).is_err(), "{pattern} is accepted");
        }
        let read: Result<HostMap, _> = toml::from_str("[\"127.0.0.1\"]\naddress = \"127.0.0.1\"\nport = 80\nspacing_ms = 1\n");
        assert!(read.unwrap_err().to_string().contains("it is an address"));
        let read: HostMap = toml::from_str("[\"*.example\"]\naddress = \"127.0.0.1\"\nport = 8080\nspacing_ms = 1\n").unwrap();
        assert_eq!(read.get("a.example").map(MappedHost::socket), Some(SocketAddr::from(([127, 0, 0, 1], 8080))));
    }
}
