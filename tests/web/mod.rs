//! The web: API, admin API, pages, and what a browser makes of them.

mod browser;
