//! Cities of the made-up studios, several countries and four languages.

use super::words::Lang::{self, English, German, Portuguese, Spanish};

/// A city with what an address and a studio file say of it.
#[derive(Debug, PartialEq)]
pub(super) struct Place {
    pub city: &'static str,
    pub country: &'static str,
    pub country_name: &'static str,
    /// The country as the place column of the studio file writes it.
    pub country_written: &'static str,
    pub latitude: f64,
    pub longitude: f64,
    pub lang: Lang,
}

const fn place(
    city: &'static str,
    country: &'static str,
    country_name: &'static str,
    country_written: &'static str,
    (latitude, longitude): (f64, f64),
    lang: Lang,
) -> Place {
    Place { city, country, country_name, country_written, latitude, longitude, lang }
}

/// The first eight are the demo's own, in the order of `cast`.
pub(super) static PLACES: [Place; 16] = [
    place("London", "GB", "United Kingdom", "UK", (51.5290, -0.0700), English),
    place("Portland", "US", "United States", "Oregon, USA", (45.5231, -122.6765), English),
    place("Dublin", "IE", "Ireland", "Ireland", (53.3438, -6.2674), English),
    place("Melbourne", "AU", "Australia", "Australia", (-37.7995, 144.9784), English),
    place("São Paulo", "BR", "Brasil", "Brazil", (-23.5558, -46.6896), Portuguese),
    place("Hamburg", "DE", "Deutschland", "Germany", (53.5503, 9.9653), German),
    place("Valencia", "ES", "España", "Spain", (39.4623, -0.3745), Spanish),
    place("Toronto", "CA", "Canada", "Canada", (43.6465, -79.4197), English),
    place("Porto", "PT", "Portugal", "Portugal", (41.1496, -8.6110), Portuguese),
    place("Wien", "AT", "Österreich", "Austria", (48.2082, 16.3738), German),
    place("Ciudad de México", "MX", "México", "Mexico", (19.4194, -99.1656), Spanish),
    place("Edinburgh", "GB", "United Kingdom", "UK", (55.9533, -3.1883), English),
    place("Zürich", "CH", "Schweiz", "Switzerland", (47.3769, 8.5417), German),
    place("Bogotá", "CO", "Colombia", "Colombia", (4.6533, -74.0836), Spanish),
    place("Wellington", "NZ", "New Zealand", "New Zealand", (-41.2866, 174.7756), English),
    place("Chicago", "US", "United States", "Illinois, USA", (41.8781, -87.6298), English),
];
