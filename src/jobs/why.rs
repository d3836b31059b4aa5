//! Use case: what would happen to a URL, and which rule says so. Asked in the order in which a visit asks; nothing but a
//! robots.txt is ever fetched, politely, and only if no copy of the day is known.

use crate::domain::clock::{Clock, Timestamp};
use crate::jobs::single_visit::{NotRead, SingleVisit};
use crate::scrape::FetchError;
use crate::scrape::guard::{Guard, MappedHost, host_key, read_url};
use crate::scrape::robots::{FRESH_FOR, PRODUCT_TOKEN, RobotsFile, RobotsFiles, origin};
use crate::scrape::robots_line::{self, RobotsAnswer};
use crate::scrape::visit::UrlDenial;
use serde::Serialize;
use std::sync::Arc;
use url::Url;

/// What would be done with a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It would be fetched.
    Fetch,
    /// It would be fetched later.
    Wait,
    /// It would not be fetched.
    Refuse,
    /// A part of the answer is missing, so that it would be tried again.
    Unknown,
}

/// The answer about one URL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Why {
    /// As asked.
    pub url: String,
    /// Whether nothing forbids it, now or later.
    pub allowed: bool,
    /// What would be done.
    pub decision: Decision,
    /// The part that decides: `url`, `denylist`, `guard`, `robots`, `slot`.
    pub decided_by: &'static str,
    /// The form in which it would be fetched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canonical: Option<String>,
    /// What each part that was asked says, in the order of asking.
    pub parts: Vec<Part>,
    /// What robots.txt says, by group and line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub robots: Option<RobotsAnswer>,
}

/// What one part says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// Which.
    pub name: &'static str,
    /// Whether it lets the URL pass.
    pub passes: bool,
    /// In words.
    pub says: String,
}

impl Why {
    fn about(url: &str) -> Self {
        Self {
            url: crate::domain::text::clean_line(url, 2_048),
            allowed: true,
            decision: Decision::Fetch,
            decided_by: "slot",
            canonical: None,
            parts: Vec::new(),
            robots: None,
        }
    }

    fn say(&mut self, name: &'static str, says: impl Into<String>) {
        self.parts.push(Part { name, passes: true, says: says.into() });
    }

    fn stop(&mut self, name: &'static str, decision: Decision, says: impl Into<String>) {
        self.parts.push(Part { name, passes: false, says: says.into() });
        (self.decided_by, self.decision, self.allowed) = (name, decision, decision == Decision::Wait);
    }

    /// Takes note of what a robots.txt says; answers whether it allows.
    fn hear(&mut self, file: &str, robots: RobotsAnswer) -> bool {
        let (says, allowed) = (format!("{file}: {robots}"), robots.allowed);
        self.robots = Some(robots);
        if allowed {
            self.say("robots", says)
        } else {
            self.stop("robots", Decision::Refuse, says)
        }
        allowed
    }

    /// What was asked for in the form in which it would be fetched, if its form lets it pass. It is read as it was written, and
    /// not as it is shown: what is not shown may be what it is refused for.
    fn form(&mut self, text: &str, guard: &Guard) -> Option<Url> {
        let mut url = match read_url(text, None) {
            Ok(url) => url,
            Err(error) => {
                self.stop("url", Decision::Refuse, error.to_string());
                return None;
            }
        };
        url.set_fragment(None);
        self.canonical = Some(url.to_string());
        match guard.check_url(&url) {
            Ok(()) => Some(url),
            Err(error) => {
                self.stop("guard", Decision::Refuse, error.to_string());
                None
            }
        }
    }
}

/// Judges by the form of the URL and a robots.txt at hand alone: nothing is asked of the network.
pub fn offline(text: &str, guard: &Guard, robots: &str, agent: &str) -> Why {
    let mut why = Why::about(text);
    if let Some(url) = why.form(text, guard)
        && why.hear("the robots.txt given", robots_line::answer(robots, agent, &url))
    {
        why.decided_by = "robots";
    }
    why
}

/// What answers beside the daemon.
#[derive(Debug)]
pub struct Inquiry {
    /// Fetches a robots.txt that is not known, and knows the guard, the denylist and the spacing.
    pub visit: SingleVisit,
    /// The guard.
    pub guard: Arc<Guard>,
    /// The denylist.
    pub denial: Arc<dyn UrlDenial>,
    /// The robots files that the directory knows, if there is one.
    pub known: Option<RobotsFiles>,
    /// Hosts that asked to be left alone, and until when.
    pub back_offs: Vec<(String, Timestamp)>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

impl Inquiry {
    /// Judges one URL as a job would meet it now.
    ///
    /// # Errors
    /// The store or the objects of the directory cannot be read.
    pub async fn ask(&self, text: &str) -> anyhow::Result<Why> {
        let mut why = Why::about(text);
        let Some(url) = why.form(text, &self.guard) else { return Ok(why) };
        if self.denial.is_denied(&url).await? {
            why.stop("denylist", Decision::Refuse, "its owner was removed from the directory and is never visited again");
            return Ok(why);
        }
        why.say("denylist", "not listed");
        let back_off = self.back_offs.iter().find(|(host, _)| *host == host_key(&url)).map(|(_, until)| *until);
        if self.resolves(&mut why, &url).await && self.robots_allow(&mut why, &url, back_off).await? {
            match back_off {
                Some(until) => why.stop("slot", Decision::Wait, left_alone(&url, until)),
                None => why.say("slot", self.spacing(&url)),
            }
        }
        Ok(why)
    }

    async fn resolves(&self, why: &mut Why, url: &Url) -> bool {
        if let Some(mapped) = self.guard.mapped(url) {
            why.say("guard", format!("passes: fetch.hosts maps it to {}", mapped.socket()));
            return true;
        }
        let Some(url::Host::Domain(name)) = url.host() else {
            why.say("guard", "passes: a globally routable address");
            return true;
        };
        match self.guard.resolve(name).await {
            Ok(addresses) => {
                let shown: Vec<String> = addresses.iter().map(ToString::to_string).collect();
                why.say("guard", format!("passes: {name} is {}", shown.join(", ")));
                true
            }
            Err(error) => {
                let decision = if matches!(error, FetchError::Guarded(_)) { Decision::Refuse } else { Decision::Unknown };
                why.stop("guard", decision, error.to_string());
                false
            }
        }
    }

    async fn robots_allow(&self, why: &mut Why, url: &Url, back_off: Option<Timestamp>) -> anyhow::Result<bool> {
        let file = match (self.known_file(url).await?, back_off) {
            (Some(known), _) => known,
            (None, Some(until)) => {
                // Not even for its robots.txt is it asked before.
                why.stop("slot", Decision::Wait, left_alone(url, until));
                return Ok(false);
            }
            (None, None) => match self.visit.robots_file(url).await {
                Ok(file) => file,
                Err(NotRead { stop, .. }) => {
                    why.stop("robots", Decision::Unknown, format!("robots.txt cannot be had, so nothing is read: {stop}"));
                    return Ok(false);
                }
            },
        };
        let age = self.clock.now().since(file.fetched_at).as_secs();
        let read = if age < 60 { "read now".to_owned() } else { format!("read {} min ago", age / 60) };
        let named = format!("{}/robots.txt, status {}, {read}", file.origin, file.status);
        let text = if (200..300).contains(&file.status) { file.text.as_str() } else { "" };
        Ok(why.hear(&named, robots_line::answer(text, PRODUCT_TOKEN, url)))
    }

    fn spacing(&self, url: &Url) -> String {
        match self.guard.mapped(url).map(MappedHost::spacing) {
            Some(spacing) => format!("free; requests are {} ms apart by fetch.hosts", spacing.as_millis()),
            None => "free, as far as is known beside the daemon".to_owned(),
        }
    }

    async fn known_file(&self, url: &Url) -> anyhow::Result<Option<RobotsFile>> {
        let Some(known) = &self.known else { return Ok(None) };
        let file = known.stored(&origin(url)).await?;
        Ok(file.filter(|file| self.clock.now().since(file.fetched_at) < FRESH_FOR))
    }
}

fn left_alone(url: &Url, until: Timestamp) -> String {
    format!("{} asked to be left alone until {}", host_key(url), until.rfc3339())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scrape::guard::HostMap;

    fn judged(url: &str, robots: &str) -> (bool, &'static str, Option<usize>) {
        let why = offline(url, &Guard::new(HostMap::none()), robots, "Inkdex");
        (why.allowed, why.decided_by, why.robots.and_then(|robots| robots.rule).map(|rule| rule.line))
    }

    #[test]
    fn the_part_that_decides_is_named() {
        let file = "User-agent: *\nDisallow: /private\nAllow: /private/ok";
        assert_eq!(judged("https://studio.example/a#b", file), (true, "robots", None));
        assert_eq!(judged("https://studio.example/private", file), (false, "robots", Some(2)));
        assert_eq!(judged("https://studio.example/private/ok", file), (true, "robots", Some(3)));
        assert_eq!(judged("http://127.1/", file), (false, "guard", None));
        assert_eq!(judged("file:///etc/passwd", file), (false, "guard", None));
        assert_eq!(judged("no url", file), (false, "url", None));
        let why = offline("HTTPS://Studio.Example:443/a/../b?q=1#c", &Guard::new(HostMap::none()), "", "Inkdex");
        assert_eq!(why.canonical.as_deref(), Some("https://studio.example/b?q=1"));
    }
}
