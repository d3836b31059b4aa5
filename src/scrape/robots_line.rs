//! Which line of a robots.txt decides about a URL, for people who ask why. The decision itself is the parser's
//! ([`robotxt`], RFC 9309) or a `Content-Signal`'s; only the line is looked for here.

use crate::scrape::content_signal;
use crate::scrape::robots::{parse, plain_line};
use robotxt::Robots;
use serde::Serialize;
use url::{Position, Url};

/// What a file says about one URL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RobotsAnswer {
    /// Whether the URL may be fetched.
    pub allowed: bool,
    /// The group that speaks to us, in lower case; `*` for everybody's, which also stands where there is none.
    pub group: String,
    /// The rule that decides; none allows.
    pub rule: Option<RuleLine>,
}

/// A rule and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleLine {
    /// As `Disallow: /private`.
    pub text: String,
    /// Its line, from 1.
    pub line: usize,
    /// The line that opens its group, from 1; a `Content-Signal` before any group has none.
    pub group_line: Option<usize>,
}

/// Longest rule that is shown, characters.
const RULE_MAX_CHARS: usize = 300;

impl std::fmt::Display for RobotsAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let verdict = if self.allowed { "allowed" } else { "refused" };
        match &self.rule {
            Some(RuleLine { text, line, group_line: Some(begins) }) => {
                write!(f, "{verdict} by line {line}, `{text}`, in the group of {} that begins at line {begins}", self.group)
            }
            Some(RuleLine { text, line, group_line: None }) => write!(f, "{verdict} by line {line}, `{text}`, before any group"),
            None => write!(f, "{verdict}: no rule for {} matches", self.group),
        }
    }
}

/// What the text of a robots.txt says to `agent` about `url`.
pub fn answer(text: &str, agent: &str, url: &Url) -> RobotsAnswer {
    let robots = parse(text, agent);
    let path = &url[Position::BeforePath..Position::AfterQuery];
    let group = robots.user_agent().to_owned();
    let allowed = robots.is_url_allowed(url);
    let signals = content_signal::signals(text, agent);
    if let Some(signal) = content_signal::refusal(&signals, path).filter(|_| allowed) {
        return RobotsAnswer { allowed: false, rule: line_of(text, &group, &Wanted::Line(signal.line)), group };
    }
    let rule = robots.matching_rule(path).and_then(|rule| line_of(text, &group, &Wanted::Rule(rule)));
    RobotsAnswer { allowed, group, rule }
}

/// What one line is to the parser, whose tolerance for spelling is not repeated here: it is asked about the line alone.
enum Line {
    /// Names an agent.
    Agent,
    /// Is a rule, or several to the parser.
    Rules(Vec<robotxt::Rule>),
    /// An empty rule or a delay: no rule, but the list of agents ends.
    EndsAgents,
    /// Means nothing.
    Other,
}

/// An agent and rules that no file has.
const PROBE: &str = "inkdex-probe";
const ABOVE: &str = "/inkdex-probe-above";
const BELOW: &str = "/inkdex-probe-below";

fn read(line: &str) -> Line {
    let probe = Robots::parse(format!("user-agent: {PROBE}\ndisallow: {ABOVE}\n{line}\ndisallow: {BELOW}").as_bytes(), PROBE);
    // A line that names an agent takes the rule below it away from the probe.
    if probe.rules().iter().all(|rule| rule.pattern() != BELOW) {
        return Line::Agent;
    }
    let rules: Vec<_> = probe.rules().iter().filter(|rule| !matches!(rule.pattern(), ABOVE | BELOW)).cloned().collect();
    if !rules.is_empty() {
        return Line::Rules(rules);
    }
    let parted = Robots::parse(format!("user-agent: {PROBE}\n{line}\nuser-agent: other\ndisallow: {BELOW}").as_bytes(), PROBE);
    if parted.rules().is_empty() { Line::EndsAgents } else { Line::Other }
}

/// Whether a line that names an agent names `group`.
fn names(line: &str, group: &str) -> bool {
    let robots = Robots::parse(format!("{line}\ndisallow: /").as_bytes(), group);
    robots.user_agent() == group && !robots.rules().is_empty()
}

/// What is looked for.
enum Wanted<'a> {
    /// The first rule of this kind in a group of ours.
    Rule(&'a robotxt::Rule),
    /// The line with this number.
    Line(usize),
}

/// Where what is wanted stands.
fn line_of(text: &str, group: &str, wanted: &Wanted<'_>) -> Option<RuleLine> {
    let (mut in_agents, mut ours, mut opened) = (false, false, None);
    for (at, line) in lines(text.trim_start_matches('\u{feff}')).enumerate() {
        let found = || {
            let text = crate::domain::text::clean_line(line.split('#').next().unwrap_or_default().trim(), RULE_MAX_CHARS);
            Some(RuleLine { text, line: at + 1, group_line: opened })
        };
        match wanted {
            Wanted::Line(number) if *number == at + 1 => return found(),
            // Among signals, one ends the list of agents as a rule does.
            Wanted::Line(_) if content_signal::is_one(line) => {
                in_agents = false;
                continue;
            }
            _ => {}
        }
        let plain = plain_line(line, group);
        let plain = plain.as_deref().unwrap_or(line);
        match read(plain) {
            Line::Agent => {
                if !in_agents {
                    (in_agents, ours, opened) = (true, false, Some(at + 1));
                }
                ours |= names(plain, group);
            }
            Line::Rules(rules) => {
                in_agents = false;
                if ours && matches!(wanted, Wanted::Rule(rule) if rules.contains(rule)) {
                    return found();
                }
            }
            Line::EndsAgents => in_agents = false,
            Line::Other => {}
        }
    }
    None
}

/// Lines as an editor counts them: `\r\n`, `\n` and a lone `\r` end one.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# ours\nUser-agent: other\nDisallow: /\n\nuser agent: Inkdex\nuseragent: third\nDisalow: /private # not this\n\
                        Disallow:\nAllow: /private/ok\nCrawl-delay: 2\n\nUser-agent: *\nDisallow: /y\nDisallow: /z\n";

    fn ask(text: &str, agent: &str, path: &str) -> (bool, Option<(usize, usize)>) {
        let found = answer(text, agent, &Url::parse("https://studio.example/").unwrap().join(path).unwrap());
        (found.allowed, found.rule.map(|rule| (rule.line, rule.group_line.unwrap_or_default())))
    }

    #[test]
    fn the_deciding_line_is_named() {
        assert_eq!(ask(FILE, "Inkdex", "/private/x"), (false, Some((7, 5))));
        assert_eq!(ask(FILE, "Inkdex", "/private/ok/x"), (true, Some((9, 5))));
        assert_eq!(ask(FILE, "third", "/private/x"), (false, Some((7, 5))));
        assert_eq!(ask(FILE, "Inkdex", "/y"), (true, None));
        assert_eq!(ask(FILE, "nobody", "/y"), (false, Some((13, 12))));
        assert_eq!(ask(FILE, "nobody", "/z"), (false, Some((14, 12))));
        assert_eq!(ask(FILE, "other", "/"), (false, Some((3, 2))));
        assert_eq!(ask("", "Inkdex", "/"), (true, None));
        assert_eq!(ask("User-agent: *\rDisallow: /a\r\rDisallow: /b", "x", "/b"), (false, Some((4, 1))));
        let versioned = "User-agent: *\nDisallow: /\n\nUser-agent: Inkdex/0.1 (+https://x.example)\nDisallow: */feed";
        for (path, expected) in [("/feed", (false, Some((5, 4)))), ("/a/feed", (false, Some((5, 4)))), ("/", (true, None))] {
            assert_eq!(ask(versioned, "Inkdex", path), expected, "{path}");
        }
    }

    #[test]
    fn the_line_of_a_content_signal_is_named() {
        let text = "Content-Signal: ai-train=no\nUser-agent: other\nDisallow: /\n\nUser-agent: *\nDisallow: /x\nAllow: /\n\
                    Content-Signal: search=no # none\n";
        assert_eq!(ask(text, "Inkdex", "/team"), (false, Some((8, 5))));
        assert_eq!(ask(text, "Inkdex", "/x"), (false, Some((6, 5))));
        assert_eq!(ask(text, "other", "/"), (false, Some((3, 2))));
        let url = Url::parse("https://studio.example/team").unwrap();
        let sentence = "refused by line 8, `Content-Signal: search=no`, in the group of * that begins at line 5";
        assert_eq!(answer(text, "Inkdex", &url).to_string(), sentence);
        let one_group_to_the_parser =
            "User-agent: *\nContent-Signal: search=yes\n\nUser-agent: Inkdex\nAllow: /\nContent-Signal: search=no";
        assert_eq!(ask(one_group_to_the_parser, "Inkdex", "/"), (false, Some((6, 4))));
        assert_eq!(ask(one_group_to_the_parser, "other", "/"), (true, Some((5, 1))));
        let to_all = answer("Content-Signal: search=no\n\nUser-agent: *\nAllow: /", "Inkdex", &url);
        assert_eq!(to_all.to_string(), "refused by line 1, `Content-Signal: search=no`, before any group");
    }

    #[test]
    fn a_sentence_says_so() {
        let url = Url::parse("https://studio.example/private/x").unwrap();
        let sentence = answer(FILE, "Inkdex", &url).to_string();
        assert_eq!(sentence, "refused by line 7, `Disalow: /private`, in the group of inkdex that begins at line 5");
        let open = Url::parse("https://studio.example/").unwrap();
        assert_eq!(answer(FILE, "Inkdex", &open).to_string(), "allowed: no rule for inkdex matches");
    }

    proptest::proptest! {
        /// Whatever the file, a rule that decides stands on the line that is named, and says what was decided.
        #[test]
        fn every_deciding_rule_has_its_line(
            parts in proptest::collection::vec(proptest::sample::select(vec![
                "User-agent: *", "User-agent: inkdex", "User-agent: other", "Disallow: /", "Disallow: /a", "Allow: /a/b", "Allow: /",
                "Disallow: /y", "Disallow: /z", "Disallow:", "Crawl-delay: 1", "Sitemap: https://x.example/s.xml", "", "noise", "# words",
            ]), 0..14),
            path in proptest::sample::select(vec!["/", "/a", "/a/b", "/y", "/z/x"]),
        ) {
            let text = parts.join("\n");
            let url = Url::parse("https://studio.example/").unwrap().join(path).unwrap();
            let found = answer(&text, "Inkdex", &url);
            let decides = Robots::parse(text.as_bytes(), "Inkdex").matching_rule(path).map(robotxt::Rule::is_allow);
            proptest::prop_assert_eq!(found.rule.is_some(), decides.is_some(), "{}", text);
            if let (Some(rule), Some(allows)) = (&found.rule, decides) {
                proptest::prop_assert_eq!(parts[rule.line - 1], rule.text.as_str());
                proptest::prop_assert_eq!(rule.text.starts_with("Allow"), allows);
                proptest::prop_assert_eq!(found.allowed, allows);
                proptest::prop_assert!(parts[rule.group_line.unwrap() - 1].starts_with("User-agent"));
            }
        }
    }
}
