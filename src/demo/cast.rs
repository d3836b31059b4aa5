//! The studios of the made-up web: a fixed cast for the demo, and any number of generated ones for tests.

use super::Layout;
use super::places::{PLACES, Place};

/// What is fixed about a studio before its people are drawn.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub name: String,
    pub host: String,
    pub layout: Layout,
    pub place: &'static Place,
    pub street: String,
    /// City with post code and state as the country writes it.
    pub locality: String,
    pub phone: Option<String>,
    pub residents: usize,
    /// Delay before every answer of the site.
    pub delay_ms: u64,
    /// The first page request is answered 429.
    pub limits_once: bool,
    /// The last resident's page lies under the part that robots.txt forbids.
    pub last_refused: bool,
    /// The last resident's page is beyond the parse budget.
    pub last_oversized: bool,
}

/// Host, name and place of the one entry of the studio file that is no tattoo studio.
pub(super) const ROASTER_HOST: &str = "kettle-and-grain.example";
pub(super) const ROASTER_NAME: &str = "Kettle & Grain Coffee Roasters";

fn plan(index: usize, name: &str, host: &str, layout: Layout, residents: usize) -> Plan {
    Plan {
        name: name.to_owned(),
        host: host.to_owned(),
        layout,
        place: &PLACES[index % PLACES.len()],
        street: String::new(),
        locality: String::new(),
        phone: None,
        residents,
        delay_ms: 0,
        limits_once: false,
        last_refused: false,
        last_oversized: false,
    }
}

fn addressed(mut plan: Plan, street: &str, locality: &str, phone: Option<&str>) -> Plan {
    plan.street = street.to_owned();
    plan.locality = locality.to_owned();
    plan.phone = phone.map(str::to_owned);
    plan
}

/// The eight studios of the demo with 33 artists. Telephone numbers are from the ranges that the countries
/// keep free for fiction; where a country has none, none is printed.
pub(super) fn cast() -> Vec<Plan> {
    let black_harbour = addressed(
        plan(0, "Black Harbour Tattoo", "black-harbour.example", Layout::JsonLd, 5),
        "14 Chandler's Yard",
        "London E2 8QX",
        Some("+44 20 7946 0318"),
    );
    let mut copper_finch = addressed(
        plan(1, "Copper Finch Tattoo", "copper-finch.example", Layout::Cards, 5),
        "2207 SE Alder Loop",
        "Portland, OR 97214",
        Some("(503) 555-0147"),
    );
    copper_finch.delay_ms = 400;
    let mut marrow_and_oak =
        addressed(plan(2, "Marrow & Oak Tattoo", "marrow-and-oak.example", Layout::Pages, 6), "5 Cooper's Row", "Dublin D08 X2Y4", None);
    marrow_and_oak.last_refused = true;
    let juniper_lane = addressed(
        plan(3, "Juniper Lane Tattoo", "juniper-lane.example", Layout::Solo, 1),
        "Studio 3, 88 Juniper Lane",
        "Melbourne VIC 3065",
        Some("(03) 5550 0192"),
    );
    let casa_mare = addressed(
        plan(4, "Casa Maré Tatuagem", "casa-mare.example", Layout::OwnSites, 4),
        "Rua das Gaivotas, 271",
        "São Paulo, SP 05417-020",
        None,
    );
    let roter_anker = addressed(
        plan(5, "Tätowierstube Roter Anker", "roter-anker.example", Layout::Table, 4),
        "Kleine Takelgasse 9",
        "20359 Hamburg",
        Some("040 66969 214"),
    );
    let mut tinta_alameda = addressed(
        plan(6, "Tinta Alameda", "tinta-alameda.example", Layout::OnePage, 4),
        "Calle del Almendro, 31, bajo",
        "46006 Valencia",
        None,
    );
    tinta_alameda.limits_once = true;
    let mut lantern_and_thistle = addressed(
        plan(7, "Lantern & Thistle Tattoo", "lantern-and-thistle.example", Layout::Microdata, 4),
        "1190 Queen's Quarry Road",
        "Toronto, ON M6J 1G1",
        Some("416-555-0186"),
    );
    lantern_and_thistle.last_oversized = true;
    vec![black_harbour, copper_finch, marrow_and_oak, juniper_lane, casa_mare, roter_anker, tinta_alameda, lantern_and_thistle]
}

const ADJECTIVES: [&str; 20] = [
    "Amber",
    "Bitter",
    "Brass",
    "Crooked",
    "Drowned",
    "Feral",
    "Gilded",
    "Hollow",
    "Idle",
    "Ivory",
    "Lucky",
    "Midnight",
    "Northern",
    "Painted",
    "Quiet",
    "Rusty",
    "Salted",
    "Velvet",
    "Wandering",
    "Wild",
];
const NOUNS: [&str; 20] = [
    "Anvil", "Badger", "Compass", "Crow", "Ember", "Fern", "Gull", "Heron", "Iris", "Kiln", "Ladder", "Magpie", "Needle", "Otter", "Pearl",
    "Raven", "Sparrow", "Tide", "Willow", "Wren",
];

/// `studios` generated studios of `residents` each, every answer prompt and every artist to be found.
pub(super) fn generated(studios: usize, residents: usize) -> Vec<Plan> {
    const CYCLE: [Layout; 7] =
        [Layout::JsonLd, Layout::Cards, Layout::Pages, Layout::Microdata, Layout::OnePage, Layout::Table, Layout::OwnSites];
    (0..studios)
        .map(|index| {
            let adjective = ADJECTIVES[index % ADJECTIVES.len()];
            let noun = NOUNS[(index / ADJECTIVES.len()) % NOUNS.len()];
            let round = index / (ADJECTIVES.len() * NOUNS.len());
            let (name, host) = match round {
                0 => (format!("{adjective} {noun} Tattoo"), format!("{adjective}-{noun}")),
                _ => (format!("{adjective} {noun} Tattoo No. {}", round + 1), format!("{adjective}-{noun}-{}", round + 1)),
            };
            let layout = if residents == 1 { Layout::Solo } else { CYCLE[index % CYCLE.len()] };
            let host = format!("{}.example", host.to_lowercase());
            let bare = plan(index, &name, &host, layout, residents);
            let locality = bare.place.city.to_owned();
            addressed(bare, &format!("{} {noun} Street", index % 180 + 1), &locality, None)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn generated_studios_have_names_and_hosts_of_their_own() {
        let plans = generated(1_000, 5);
        let names: HashSet<_> = plans.iter().map(|plan| &plan.name).collect();
        let hosts: HashSet<_> = plans.iter().map(|plan| &plan.host).collect();
        assert_eq!((names.len(), hosts.len()), (1_000, 1_000));
    }

    #[test]
    fn the_cast_has_each_layout_and_each_oddity_once() {
        let cast = cast();
        let layouts: HashSet<_> = cast.iter().map(|plan| plan.layout).collect();
        assert_eq!(layouts.len(), cast.len(), "two studios of the demo look alike");
        let count = |test: fn(&Plan) -> bool| cast.iter().filter(|plan| test(plan)).count();
        assert_eq!(count(|plan| plan.delay_ms > 0), 1);
        assert_eq!(count(|plan| plan.limits_once), 1);
        assert_eq!(count(|plan| plan.last_refused), 1);
        assert_eq!(count(|plan| plan.last_oversized), 1);
    }
}
