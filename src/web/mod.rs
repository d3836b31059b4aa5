//! HTTP: the search pages, the public API, the admin API. [`start`] binds and serves; everything is registered in `routes`.

mod admin;
mod admission;
mod api;
mod body;
mod errors;
mod layers;
mod openapi;
mod pages;
mod params;
mod rates;
mod routes;
mod state;

pub use admission::{Asked, Refusal, admit};
pub use errors::{Code, ProblemDetails};
pub use state::{Contact, WebState, start};
