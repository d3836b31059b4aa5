//! From pages to a site: which page to read next, and what all pages say together.

pub mod facts;
pub mod member;
pub mod reader;
mod bio;
mod contacts;
mod kind;
mod members;
mod names;
mod place;
mod resolve;
mod styles;
