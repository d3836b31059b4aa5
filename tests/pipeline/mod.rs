//! The whole path over the made-up web: discover, find, scrape, write, feed, search, in one process.

mod content_signals;
mod corrections;
mod courier;
mod dead_sites;
mod discovery;
mod evidence;
mod later_days;
mod letter_index;
mod letters;
#[cfg(all(feature = "cql", feature = "sqs", feature = "opensearch", feature = "s3"))]
mod outages;
mod politeness;
mod recrawl;
mod removal;
mod removal_copies;
mod removal_races;
mod removal_requests;
mod removal_studio;
mod replay;
mod schedule;
mod shop_handles;
mod sitemaps;
mod stopping;
mod sync;
mod too_many_artists;
mod whole_path;
mod writing;
