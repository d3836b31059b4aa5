//! From pages to a site: which page to read next, and what all pages say together.

mod bio;
mod contacts;
pub mod facts;
mod kind;
pub mod member;
mod members;
mod names;
mod place;
pub mod reader;
mod resolve;
mod styles;

pub use members::MAX_MEMBERS;
