//! `Content-Signal` (contentsignals.org): for what a site lets its pages be used, told in the robots.txt by group, or by a header
//! of a page. Pure.
//!
//! Inkdex is a search index, so `search` speaks of it: `no` refuses, `yes` allows whatever else is said. Inkdex feeds no model
//! with pages, yet it takes `noai` for a wish to be left alone; so does it `ai-train=no` and `ai-input=no` where nothing is said
//! of search.

use crate::scrape::robots::parse;
use crate::scrape::robots_line::lines;
use robotxt::Rule;

/// The key of a line, and the name of the header.
pub const NAME: &str = "content-signal";

/// What is said of the uses that matter here; `None` where nothing is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Wish {
    search: Option<bool>,
    input: Option<bool>,
    train: Option<bool>,
}

impl Wish {
    /// As written: `search=yes, ai-train=no`. What is said twice is refused if one of the two refuses.
    fn of(value: &str) -> Self {
        let mut wish = Self::default();
        for (use_, answer) in value.split([',', ';']).filter_map(|pair| pair.split_once('=')) {
            let said = match answer.trim().to_ascii_lowercase().as_str() {
                "yes" | "y" => true,
                "no" | "n" => false,
                _ => continue,
            };
            let slot = match use_.trim().to_ascii_lowercase().as_str() {
                "search" => &mut wish.search,
                "ai-input" => &mut wish.input,
                "ai-train" => &mut wish.train,
                _ => continue,
            };
            *slot = Some(said && slot.unwrap_or(true));
        }
        wish
    }

    /// What it says of the feeding of models.
    fn models(self) -> Option<bool> {
        [self.input, self.train].into_iter().flatten().reduce(|one, other| one && other)
    }
}

/// A line of a robots.txt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signal {
    /// Where it stands, from 1.
    pub line: usize,
    wish: Wish,
    /// Which paths it is about; none is all.
    paths: Option<Box<Rule>>,
}

impl Signal {
    /// A line, if it is one that says something.
    fn of(line: usize, text: &str) -> Option<Self> {
        let (key, value) = text.split('#').next()?.split_once(':')?;
        if !key.trim_matches(['\u{feff}', ' ', '\t']).eq_ignore_ascii_case(NAME) {
            return None;
        }
        let value = value.trim();
        let (paths, value) = match value.split_once([' ', '\t']) {
            Some((path, value)) if path.starts_with(['/', '*']) => (Some(path), value),
            _ => (None, value),
        };
        let wish = Wish::of(value);
        let paths = paths.and_then(|path| parse(&format!("user-agent: *\ndisallow: {path}"), "*").rules().first().cloned()).map(Box::new);
        (wish != Wish::default()).then_some(Self { line, wish, paths })
    }

    fn speaks_of(&self, path: &str) -> bool {
        self.paths.as_ref().is_none_or(|rule| rule.is_match(path))
    }

    /// The refusal as a rule: `Content-Signal: search=no`.
    pub fn rule(&self) -> String {
        let said = match self.wish {
            Wish { search: Some(false), .. } => "search=no",
            Wish { input: Some(false), .. } => "ai-input=no",
            _ => "ai-train=no",
        };
        let path = self.paths.as_ref().map(|rule| format!("{} ", rule.pattern())).unwrap_or_default();
        format!("Content-Signal: {path}{said}")
    }
}

/// Whether a line is a signal.
pub fn is_one(line: &str) -> bool {
    Signal::of(0, line).is_some()
}

/// A rule that stands for a line of signals: which group that line belongs to is left to the parser of groups.
fn stand_in(line: usize) -> String {
    format!("/inkdex-signal-{line}")
}

/// An agent that no file has, and its rule.
const HEAD: &str = "user-agent: inkdex-probe\ndisallow: /inkdex-probe\n";

/// The signals of a robots.txt that speak to a product token: those of its group, else those that stand before any group, which
/// many sites take for words to all.
pub fn signals(text: &str, product_token: &str) -> Vec<Signal> {
    let all: Vec<Signal> = lines(text).enumerate().filter_map(|(at, line)| Signal::of(at + 1, line)).collect();
    if all.is_empty() {
        return all;
    }
    let mut marked = String::with_capacity(text.len());
    let mut next = all.iter().peekable();
    for (at, line) in lines(text).enumerate() {
        match next.next_if(|signal| signal.line == at + 1) {
            Some(signal) => marked.push_str(&format!("disallow: {}", stand_in(signal.line))),
            None => marked.push_str(line),
        }
        marked.push('\n');
    }
    let of = |text: &str, agent: &str| -> Vec<Signal> {
        let robots = parse(text, agent);
        let rules: std::collections::HashSet<&str> = robots.rules().iter().map(Rule::pattern).collect();
        all.iter().filter(|signal| rules.contains(stand_in(signal.line).as_str())).cloned().collect()
    };
    let ours = of(&marked, product_token);
    if ours.is_empty() { of(&format!("{HEAD}{marked}"), "inkdex-probe") } else { ours }
}

/// The signal that refuses a path, if one does: of those about it the one with the longest pattern counts, as among rules.
pub fn refusal<'a>(signals: &'a [Signal], path: &str) -> Option<&'a Signal> {
    if path == "/robots.txt" {
        return None;
    }
    let strongest = |says: fn(Wish) -> Option<bool>| {
        let said = signals.iter().rev().filter(|signal| signal.speaks_of(path)).filter_map(|signal| Some((signal, says(signal.wish)?)));
        said.max_by_key(|(signal, allows)| (signal.paths.as_ref().map_or(0, |rule| rule.pattern().len()), !allows))
    };
    let decides = strongest(|wish| wish.search).or_else(|| strongest(Wish::models));
    decides.filter(|(_, allows)| !allows).map(|(signal, _)| signal)
}

/// What the headers of a page refuse, in the words of `X-Robots-Tag`.
pub fn as_robots_tag<'a>(values: impl Iterator<Item = &'a [u8]>) -> Option<&'static str> {
    let wish = Wish::of(&values.map(String::from_utf8_lossy).collect::<Vec<_>>().join(","));
    match (wish.search, wish.models()) {
        (Some(false), _) => Some("noindex"),
        (None, Some(false)) => Some("noai"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The line that refuses a path to us, with what it is called.
    fn refused(text: &str, path: &str) -> Option<(usize, String)> {
        let signals = signals(text, "Inkdex");
        refusal(&signals, path).map(|signal| (signal.line, signal.rule()))
    }

    fn by(line: usize, said: &str) -> Option<(usize, String)> {
        Some((line, format!("Content-Signal: {said}")))
    }

    #[test]
    fn search_decides_and_models_only_where_it_is_silent() {
        let cases = [
            ("search=no", by(2, "search=no")),
            ("search=yes", None),
            ("search=yes, ai-train=no", None),
            ("search=yes,ai-train=no,use=reference", None),
            ("search=no, ai-input=yes, ai-train=yes", by(2, "search=no")),
            ("ai-train=no", by(2, "ai-train=no")),
            ("ai-input=no, ai-train=no", by(2, "ai-input=no")),
            ("ai-input=yes, ai-train=yes", None),
            ("SEARCH = No # not us", by(2, "search=no")),
            ("search=no, search=yes", by(2, "search=no")),
            ("search=maybe", None),
            ("use=full", None),
            ("", None),
        ];
        for (said, expected) in cases {
            assert_eq!(refused(&format!("User-agent: *\nContent-Signal: {said}\nAllow: /"), "/a"), expected, "{said}");
        }
        let apart = "User-agent: *\nContent-Signal: ai-train=no\nContent-Signal: search=yes";
        assert_eq!(refused(apart, "/"), None, "what is said in two lines is said together");
    }

    #[test]
    fn signals_belong_to_the_group_in_which_they_stand() {
        let cases = [
            ("User-agent: other\nContent-Signal: search=no\n\nUser-agent: *\nAllow: /", None),
            ("User-agent: *\nContent-Signal: search=no\n\nUser-agent: inkdex\nAllow: /", None),
            ("User-agent: *\nAllow: /\n\nuser-agent: INKDEX/1.0\nDisallow: /x\ncontent-signal: search=no", by(6, "search=no")),
            ("User-agent: other\r\nUser-agent: Inkdex\r\n\r\nContent-Signal: search=no\r\n", by(4, "search=no")),
            (
                "User-agent: inkdex\nAllow: /\n\nUser-agent: x\nAllow: /\n\nUser-agent: inkdex\nContent-Signal: search=no",
                by(8, "search=no"),
            ),
            ("\u{feff}Content-Signal: search=no\n\nUser-agent: *\nAllow: /", by(1, "search=no")),
            ("Content-Signal: search=no\nUser-agent: *\nContent-Signal: search=yes", None),
            ("Content-Signal: search=no", by(1, "search=no")),
            ("User-agent: *\n# Content-Signal: search=no\nAllow: /", None),
        ];
        for (text, expected) in cases {
            assert_eq!(refused(text, "/"), expected, "{text}");
        }
    }

    #[test]
    fn a_signal_may_be_about_a_path() {
        let text = "User-agent: *\nContent-Signal: search=yes\nContent-Signal: /private search=no\nContent-Signal: /private/ok search=yes";
        assert_eq!(refused(text, "/team"), None);
        assert_eq!(refused(text, "/private/ana"), by(3, "/private search=no"));
        assert_eq!(refused(text, "/private/ok"), None);
        let all = "User-agent: *\nContent-Signal: search=no\nContent-Signal: */blog/ search=yes";
        assert_eq!(refused(all, "/"), by(2, "search=no"));
        assert_eq!(refused(all, "/en/blog/1"), None);
        assert_eq!(refused(all, "/robots.txt"), None, "the file itself may always be asked for");
    }

    #[test]
    fn a_header_says_it_of_a_page() {
        let of = |values: &[&str]| as_robots_tag(values.iter().map(|value| value.as_bytes()));
        assert_eq!(of(&[]), None);
        assert_eq!(of(&["search=no"]), Some("noindex"));
        assert_eq!(of(&["ai-train=no"]), Some("noai"));
        assert_eq!(of(&["ai-train=no", "search=yes"]), None);
    }
}
