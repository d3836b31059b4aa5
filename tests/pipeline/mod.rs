//! The whole path over the made-up web: discover, find, scrape, write, feed, search, in one process.

mod whole_path;
