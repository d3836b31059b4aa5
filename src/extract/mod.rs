//! From the text of pages to evidenced facts; pure, one extractor a file.
//!
//! The way of a page: text → budgeted parse (`parse`) → flat outline (`outline`) → extractors (`EXTRACTORS`) →
//! [`PageFindings`]. The way of a site: [`SiteReader`] chooses pages, and [`SiteReader::finish`] weighs all findings.

mod disguise;
mod extractors;
mod finding;
mod lexicon;
mod negation;
mod outline;
mod parse;
mod places;
mod read;
mod signature;
mod site;
mod sitemap;
mod styles;
mod text;

pub use extractors::handles::{Profile, normal_handle, profile_of};
pub use extractors::{EXTRACTORS, Extractor, PageView};
pub use finding::{Basis, Card, Field, Finding, PageFindings, PageLink, PageRole, PageSignals, Place, PostalAddress, TradeSignal, Value};
pub use parse::{ParseBudget, ParseLimits, ParseStop};
pub use read::read_page;
pub use site::MAX_MEMBERS;
pub use site::facts::{ArtistFacts, Evidence, Implied, Located, Member, SiteFacts, SiteKind};
pub use site::member::{MemberHint, member_facts};
pub use site::reader::{Miss, SiteLimits, SiteReader};
pub use sitemap::{NamedPage, Sitemap, SitemapError};
pub use styles::{Style, Styles, VocabularyError};

#[cfg(test)]
mod bad_input_tests;
#[cfg(test)]
mod demo_web_tests;
