//! An offline gazetteer: places of at least 1,000 people from GeoNames (CC BY 4.0), found by any of their names in any script.
//! `scripts/gazetteer.sh` makes the embedded table; `config/gazetteer/LICENCE.txt` says whose data it is.

mod locate;
mod table;

pub use locate::{Evidence, Found, key_city};
pub use table::{City, Country, Gazetteer, Named, get};

/// Whose data it is and on which terms; the pages credit them in their footer.
pub const CREDIT: &str = "GeoNames, CC BY 4.0";

#[cfg(test)]
mod tests;
