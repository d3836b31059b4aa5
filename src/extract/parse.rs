//! Parses HTML under a budget of time, nodes and depth; a hostile page stops with a typed reason.

use html5ever::ParseOpts;
use html5ever::tendril::{StrTendril, TendrilSink};
use html5ever::tree_builder::TreeBuilderOpts;
use scraper::{Html, HtmlTreeSink};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Bytes fed to the parser between two looks at the budget.
const PIECE_BYTES: usize = 4_096;

/// The limits of one parse.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct ParseLimits {
    /// Milliseconds of processor time for parsing and reading one page.
    pub time_ms: u64,
    /// Nodes of the tree, text and comments included.
    pub nodes: usize,
    /// Elements inside elements; browsers cap at the same number.
    pub depth: usize,
}

impl Default for ParseLimits {
    fn default() -> Self {
        Self { time_ms: 500, nodes: 60_000, depth: 512 }
    }
}

/// Limits together with the time spent so far, which comes from outside so that tests use virtual time.
#[derive(Clone, Copy)]
pub struct ParseBudget<'clock> {
    /// What is allowed.
    pub limits: ParseLimits,
    elapsed: &'clock dyn Fn() -> Duration,
}

impl std::fmt::Debug for ParseBudget<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ParseBudget").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl<'clock> ParseBudget<'clock> {
    /// `elapsed` tells the time since the page was begun.
    pub fn new(limits: ParseLimits, elapsed: &'clock dyn Fn() -> Duration) -> Self {
        Self { limits, elapsed }
    }

    pub(crate) fn check_time(&self) -> Result<(), ParseStop> {
        if (self.elapsed)() > Duration::from_millis(self.limits.time_ms) {
            return Err(ParseStop::OverTime { limit_ms: self.limits.time_ms });
        }
        Ok(())
    }

    fn check_size(&self, html: &Html) -> Result<(), ParseStop> {
        let mut nodes = html.tree.nodes();
        if nodes.len() > self.limits.nodes {
            return Err(ParseStop::TooManyNodes { limit: self.limits.nodes });
        }
        // The newest node of a nesting bomb is its deepest; the outline pass checks every node exactly.
        let depth = nodes.next_back().map_or(0, |node| node.ancestors().take(self.limits.depth + 1).count());
        self.check_depth(depth)
    }

    pub(crate) fn check_depth(&self, depth: usize) -> Result<(), ParseStop> {
        if depth > self.limits.depth { Err(ParseStop::TooDeep { limit: self.limits.depth }) } else { Ok(()) }
    }
}

/// Why a page was given up.
#[derive(thiserror::Error, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(tag = "stop", rename_all = "snake_case")]
pub enum ParseStop {
    /// Parsing or reading took too long.
    #[error("page took more than {limit_ms} ms of processor time to read; raise the parse time only if the page is known to be honest")]
    OverTime {
        /// The limit in milliseconds.
        limit_ms: u64,
    },
    /// The tree grew too large.
    #[error("page has more than {limit} nodes; raise the node limit only if the page is known to be honest")]
    TooManyNodes {
        /// The limit.
        limit: usize,
    },
    /// Elements are nested too deep.
    #[error("page nests elements deeper than {limit}; browsers refuse it as well")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
}

/// Parses decoded text; time, nodes and depth are checked every few kilobytes.
pub(crate) fn parse(text: &str, budget: &ParseBudget<'_>) -> Result<Html, ParseStop> {
    // Scripts never run here, so what pages offer instead (`<noscript>`) is read as content.
    let tree_builder = TreeBuilderOpts { scripting_enabled: false, ..TreeBuilderOpts::default() };
    let options = ParseOpts { tree_builder, ..ParseOpts::default() };
    let mut parser = html5ever::driver::parse_document(HtmlTreeSink::new(Html::new_document()), options);
    let mut at = 0;
    while at < text.len() {
        let mut end = (at + PIECE_BYTES).min(text.len());
        while !text.is_char_boundary(end) {
            end += 1;
        }
        parser.process(StrTendril::from_slice(&text[at..end]));
        at = end;
        budget.check_time()?;
        budget.check_size(&parser.tokenizer.sink.sink.0.borrow())?;
    }
    Ok(parser.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    fn no_time() -> Duration {
        Duration::ZERO
    }

    #[test]
    fn nesting_stops_at_the_depth_limit_long_before_the_end() {
        let budget = ParseBudget::new(ParseLimits::default(), &no_time);
        for tag in ["<div>", "<ul><li>", "<svg><g>", "<table><td>"] {
            let stop = parse(&tag.repeat(100_000), &budget).expect_err(tag);
            assert_eq!(stop, ParseStop::TooDeep { limit: 512 }, "{tag}");
        }
    }

    #[test]
    fn formatting_that_multiplies_itself_stops() {
        // Each unclosed pair makes the parser copy what is open into the next paragraph.
        let budget = ParseBudget::new(ParseLimits::default(), &no_time);
        assert!(parse(&"<b><p>".repeat(100_000), &budget).is_err());
    }

    #[test]
    fn too_many_nodes_stop() {
        let limits = ParseLimits { nodes: 5_000, ..ParseLimits::default() };
        let stop = parse(&"<p>x".repeat(100_000), &ParseBudget::new(limits, &no_time)).expect_err("too many nodes");
        assert_eq!(stop, ParseStop::TooManyNodes { limit: 5_000 });
    }

    #[test]
    fn time_is_looked_at_while_one_tag_swallows_attributes() {
        let ticks = Cell::new(0_u64);
        let clock = || {
            ticks.set(ticks.get() + 1);
            Duration::from_millis(ticks.get() * 100)
        };
        let attributes: String = (0..50_000).map(|n| format!(" a{n}=1")).collect();
        let stop = parse(&format!("<p{attributes}>"), &ParseBudget::new(ParseLimits::default(), &clock)).expect_err("slow");
        assert_eq!(stop, ParseStop::OverTime { limit_ms: 500 });
        assert_eq!(ticks.get(), 6, "stopped at the first look past the limit");
    }

    #[test]
    fn pieces_never_split_a_letter() {
        let text = format!("<p>{}</p>", "ż".repeat(10_000));
        let html = parse(&text, &ParseBudget::new(ParseLimits::default(), &no_time)).expect("harmless page");
        assert_eq!(html.root_element().text().collect::<String>().chars().count(), 10_000);
    }
}
