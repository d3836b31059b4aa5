//! What we make of robots.txt, beside Google's own matcher, over the 4,231 files of Protego's test data: the same answer, or a
//! difference of a kind that is told here. A kind is proved by leaving its lines out: on what is left both answer alike.

use inkdex::domain::clock::Timestamp;
use inkdex::scrape::robots::{RobotsFile, RobotsRules, RobotsVerdict};
use robotstxt::matcher::{RobotsMatchStrategy, RobotsMatcher};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;
use url::Url;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/robots-corpus.sh");

/// Files there are at least.
const FILES_MIN: usize = 4_000;

/// Rules of one file whose paths are asked for.
const RULES_ASKED: usize = 6;

/// How much of a file is read, bytes.
const TEXT_READ_BYTES: usize = 500 * 1024;

/// How much of a line Google reads, bytes.
const LINE_READ_BYTES: usize = 16_000;

/// Where the files lie; the script fetches them if they are not there.
fn corpus() -> PathBuf {
    let output = Command::new(SCRIPT).output().unwrap_or_else(|error| panic!("{SCRIPT} cannot be run: {error}"));
    assert!(output.status.success(), "{SCRIPT} failed:\n{}", String::from_utf8_lossy(&output.stderr));
    PathBuf::from(String::from_utf8(output.stdout).expect("a path").trim())
}

/// A kind of lines that the two read differently.
struct Kind {
    name: &'static str,
    is: fn(&str) -> bool,
}

/// A line's key, and its value without a comment.
fn pair(line: &str) -> Option<(&str, &str)> {
    let line = line.split('#').next().unwrap_or_default();
    let (key, value) = line.split_once(':')?;
    Some((key.trim_matches(['\u{feff}', ' ', '\t']), value.trim()))
}

fn is_rule(key: &str) -> bool {
    ["allow", "disallow"].iter().any(|rule| rule.eq_ignore_ascii_case(key))
}

fn is_agent(key: &str) -> bool {
    ["user-agent", "useragent", "user agent"].iter().any(|agent| agent.eq_ignore_ascii_case(key))
}

/// The value of a rule.
fn rule(line: &str) -> Option<&str> {
    pair(line).filter(|(key, value)| is_rule(key) && !value.is_empty()).map(|(_, value)| value)
}

/// Which of the two is right is no question for most of them: RFC 9309 leaves them open.
const KINDS: &[Kind] = &[
    // Between the agents of one group a line that is no rule ends nothing for us, as RFC 9309 (2.2.4) asks (but for a
    // Crawl-delay, which is then those agents'); to Google it ends the list, and the agents before it have no rules.
    Kind { name: "other lines between agents", is: |line| pair(line).is_some_and(|(key, _)| !is_rule(key) && !is_agent(key)) },
    // We read `Disallow: private` as `/private`, the careful way; to Google it matches nothing.
    Kind { name: "no slash before the path", is: |line| rule(line).is_some_and(|path| !path.starts_with(['/', '*'])) },
    // We compare both in one percent-encoded form, as RFC 9309 (2.2.2) asks; Google compares the URL as it is.
    Kind {
        name: "percent-encoding",
        is: |line| {
            rule(line).is_some_and(|path| path.contains(['%', '"', '<', '>', '`', '{', '}', '\'', ' ', '|', '^', '\\']) || !path.is_ascii())
        },
    },
    // Google reads `Allow: /x/index.html` as `/x/` besides.
    Kind { name: "index.html", is: |line| rule(line).is_some_and(|path| path.contains("/index.htm")) },
];

/// The file without the lines of some kinds.
fn without(text: &str, kinds: &[&Kind]) -> String {
    text.split(['\n', '\r']).filter(|line| !kinds.iter().any(|kind| (kind.is)(line))).collect::<Vec<_>>().join("\n")
}

/// URLs that the file's own rules are about, and some that they are not.
fn urls(text: &str) -> BTreeSet<Url> {
    let origin = Url::parse("https://site.example/").unwrap();
    let all: Vec<&str> = text.split(['\n', '\r']).filter_map(rule).collect();
    let step = all.len().div_ceil(RULES_ASKED).max(1);
    let mut paths = vec!["/index.html".to_owned(), "/artists/ana?page=2".to_owned()];
    for (at, value) in all.iter().step_by(step).enumerate() {
        let plain = value.trim_end_matches('$').replace('*', "x");
        let slash = if plain.starts_with('/') { "" } else { "/" };
        let more = if at % 2 == 0 { "" } else { "y" };
        paths.push(format!("{slash}{plain}{more}"));
    }
    // robots.txt itself may always be asked for (RFC 9309, section 2.2.2); Google leaves that to its callers.
    let is_asked = |url: &Url| url.host() == origin.host() && url.path() != "/robots.txt";
    paths.iter().filter_map(|path| origin.join(path).ok()).filter(is_asked).collect()
}

/// Whom the file addresses first, beside us and everybody.
fn agents(text: &str) -> Vec<String> {
    let named = text.split(['\n', '\r']).filter_map(pair).filter(|(key, _)| key.eq_ignore_ascii_case("user-agent"));
    let token = |value: &str| value.chars().take_while(|c| c.is_ascii_alphabetic() || matches!(c, '-' | '_')).collect::<String>();
    let first = named.map(|(_, value)| token(value)).find(|token| !token.is_empty());
    std::iter::once("Inkdex".to_owned()).chain(first).collect()
}

fn rules(text: &str, agent: &str) -> RobotsRules {
    let file = RobotsFile { origin: "https://site.example".to_owned(), fetched_at: Timestamp(0), status: 200, text: text.to_owned() };
    RobotsRules::of(&file, agent)
}

fn ours(rules: &RobotsRules, url: &Url) -> bool {
    rules.verdict(url) == RobotsVerdict::Allowed
}

/// A file as far as it is read: 500 KiB of whole lines (RFC 9309, section 2.5), and of a line the 16 kB that Google reads; its
/// port to Rust panics if a letter lies across that border.
fn cut(text: &str) -> String {
    let mut end = text.len().min(TEXT_READ_BYTES);
    while end < text.len() && !text.is_char_boundary(end) {
        end -= 1;
    }
    let end = if end < text.len() { text[..end].rfind('\n').unwrap_or(0) } else { end };
    let line = |line: &str| {
        let mut end = line.len().min(LINE_READ_BYTES);
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        line[..end].to_owned()
    };
    text[..end].split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// Google's rule: the longest pattern that matches. The port's own matching loses places behind a star where several fit
/// (`*/feed` does not match `/x/feed`), so this is its algorithm once more: all places where the pattern so far may end.
#[derive(Default)]
struct Longest;

impl Longest {
    fn priority(path: &str, pattern: &str) -> i32 {
        let path = path.as_bytes();
        let mut ends = vec![0];
        for (at, byte) in pattern.bytes().enumerate() {
            ends = match byte {
                b'$' if at + 1 == pattern.len() => ends.into_iter().filter(|end| *end == path.len()).collect(),
                b'*' => (ends[0]..=path.len()).collect(),
                _ => ends.into_iter().filter(|end| path.get(*end) == Some(&byte)).map(|end| end + 1).collect(),
            };
            if ends.is_empty() {
                return -1;
            }
        }
        i32::try_from(pattern.len()).unwrap()
    }
}

impl RobotsMatchStrategy for Longest {
    fn match_allow(&self, path: &str, pattern: &str) -> i32 {
        Self::priority(path, pattern)
    }

    fn match_disallow(&self, path: &str, pattern: &str) -> i32 {
        Self::priority(path, pattern)
    }
}

/// Google leaves a byte order mark out; the port looks for its bytes among letters, and does not.
fn googles(text: &str, agent: &str, url: &Url) -> bool {
    let text = text.trim_start_matches('\u{feff}');
    RobotsMatcher::<Longest>::default().one_agent_allowed_by_robots(text, agent, url.as_str())
}

/// What the comparison came to.
#[derive(Debug, Default)]
pub struct Comparison {
    files: usize,
    asked: usize,
    refused: usize,
    differences: BTreeMap<&'static str, usize>,
}

impl std::fmt::Display for Comparison {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { files, asked, refused, differences } = self;
        write!(f, "{files} files, {asked} questions, {refused} refusals, differences by kind {differences:?}")
    }
}

/// S10, RFC 9309.
pub fn read_as_google_reads_them() -> Comparison {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(corpus()).expect("the corpus is a folder").flatten().map(|entry| entry.path()).collect();
    files.sort();
    assert!(files.len() >= FILES_MIN, "{} files", files.len());
    let mut found = Comparison::default();
    let mut unexplained = Vec::new();
    let all: Vec<&Kind> = KINDS.iter().collect();
    for file in &files {
        found.files += 1;
        let text = cut(&String::from_utf8_lossy(&std::fs::read(file).expect("a file")));
        for agent in agents(&text) {
            let rules_of_file = rules(&text, &agent);
            for url in urls(&text) {
                found.asked += 1;
                let (we, they) = (ours(&rules_of_file, &url), googles(&text, &agent, &url));
                found.refused += usize::from(!we);
                if we == they {
                    continue;
                }
                let agree = |kinds: &[&Kind]| {
                    let text = without(&text, kinds);
                    ours(&rules(&text, &agent), &url) == googles(&text, &agent, &url)
                };
                match KINDS.iter().find(|kind| agree(&[kind])) {
                    Some(kind) => *found.differences.entry(kind.name).or_default() += 1,
                    None if agree(&all) => *found.differences.entry("several of these").or_default() += 1,
                    None => unexplained.push(format!("{}: {agent} {url}: we {we}, Google {they}", file.display())),
                }
            }
        }
    }
    assert!(unexplained.is_empty(), "{found}\n{} unexplained:\n{}", unexplained.len(), unexplained.join("\n"));
    let unmet: Vec<&str> = KINDS.iter().map(|kind| kind.name).filter(|name| !found.differences.contains_key(name)).collect();
    assert!(unmet.is_empty(), "kinds that nothing is of: {unmet:?} in {found}");
    assert!(found.refused > found.asked / 10, "{found}");
    found
}
