//! Invented artists, written as the Writer writes: decided, put, fed to the index.

use inkdex::domain::artist::Artist;
use inkdex::domain::facts::{Evidence, EvidenceRow, Fact, Source, SourceFacts};
use inkdex::domain::fields::MissedFields;
use inkdex::domain::identity::{IdentityKey, KeyState};
use inkdex::domain::ids::{ArtistId, JobId, StudioId};
use inkdex::domain::place::{Basis, Coordinates};
use inkdex::domain::write::{Intent, WriteDecision, Writer, decide_write};
use inkdex::jobs::Ports;
use inkdex::jobs::deny::identity_keys;
use inkdex::store::PutAnswer;
use std::collections::BTreeSet;
use std::time::Duration;
use url::Url;

/// Name, studio, city, country, coordinates, styles, handle, bio, number of pictures.
type Cast =
    (&'static str, &'static str, &'static str, &'static str, (f64, f64), &'static [&'static str], &'static str, &'static str, usize);

const BERLIN: (f64, f64) = (52.52, 13.405);
const LONDON: (f64, f64) = (51.5072, -0.1276);
const LISBON: (f64, f64) = (38.7223, -9.1393);
const SAO_PAULO: (f64, f64) = (-23.5505, -46.6333);
const PORTLAND: (f64, f64) = (45.5152, -122.6784);
const OSAKA: (f64, f64) = (34.6937, 135.5023);
const KRAKOW: (f64, f64) = (50.0647, 19.945);

const CAST: &[Cast] = &[
    (
        "Ana Lima",
        "Quiet Needle",
        "Lisbon",
        "PT",
        LISBON,
        &["fine-line", "floral"],
        "ana.lima.ink",
        "Thin lines and plants that grow around you. I draw each piece from the living plant where I can, and I keep one day a week for cover-ups of what somebody else began.",
        14,
    ),
    (
        "Jonas Wirth",
        "Kupferstich",
        "Berlin",
        "DE",
        BERLIN,
        &["blackwork", "dotwork"],
        "jonas.kupferstich",
        "Woodcut textures, heavy blacks, nothing grey.",
        22,
    ),
    ("Marta Kowalczyk", "Pod Wawelem", "Kraków", "PL", KRAKOW, &["traditional"], "marta.flash", "Bold will hold.", 9),
    (
        "Theo Ashworth",
        "Anchor & Lamp",
        "London",
        "GB",
        LONDON,
        &["traditional", "neo-traditional", "lettering"],
        "theoashworth",
        "Sign painter first, tattooer since 2009.",
        31,
    ),
    ("Yuki Tanabe", "Nagi", "Osaka", "JP", OSAKA, &["japanese"], "yuki.nagi", "Full sleeves and back pieces by appointment.", 18),
    (
        "Bruna Teixeira",
        "Ateliê Vermelho",
        "São Paulo",
        "BR",
        SAO_PAULO,
        &["realism", "portrait", "blackwork"],
        "bruna.vermelho",
        "Retratos em preto e cinza.",
        12,
    ),
    ("Caleb Norris", "Rosewater", "Portland", "US", PORTLAND, &["illustrative", "floral"], "calebnorris.tattoo", "", 6),
    (
        "Ingrid Solheim",
        "Kupferstich",
        "Berlin",
        "DE",
        BERLIN,
        &["geometric", "dotwork", "ornamental"],
        "ingrid.dots",
        "Mandalas, maps and measured things.",
        20,
    ),
    ("Sam Okafor", "Anchor & Lamp", "London", "GB", LONDON, &["realism"], "samokafor.ink", "Colour realism; animals above all.", 16),
    ("Lucía Ferrer", "Quiet Needle", "Lisbon", "PT", LISBON, &["watercolor", "abstract"], "lucia.agua", "Washes without outlines.", 8),
    ("Dmitri Volkov", "Kupferstich", "Berlin", "DE", BERLIN, &["lettering"], "", "", 0),
    ("Hana Seo", "Nagi", "Osaka", "JP", OSAKA, &["fine-line", "minimalist"], "hanaseo.line", "Small, quiet, one needle.", 25),
    ("Piotr Zając", "Pod Wawelem", "Kraków", "PL", KRAKOW, &["blackwork"], "piotr.zajac", "", 3),
    (
        "Rosalind Achterberg-Featherstonehaugh",
        "Anchor & Lamp",
        "London",
        "GB",
        LONDON,
        &["ornamental", "dotwork", "geometric", "blackwork", "tribal"],
        "rosalind.af",
        "Pattern, from Borneo to Birmingham.",
        11,
    ),
    (
        "Diego Prado",
        "Ateliê Vermelho",
        "São Paulo",
        "BR",
        SAO_PAULO,
        &["traditional", "neo-traditional"],
        "diegoprado",
        "Old school com sotaque.",
        10,
    ),
    ("June Halloran", "Rosewater", "Portland", "US", PORTLAND, &["handpoke", "minimalist"], "june.pokes", "No machine, no hurry.", 7),
    ("Felix Brandt", "Kupferstich", "Berlin", "DE", BERLIN, &["trash-polka", "realism"], "felixbrandt", "", 13),
    ("Aiko Mori", "Nagi", "Osaka", "JP", OSAKA, &["japanese", "blackwork"], "aiko.mori", "Waves, masks, peonies.", 15),
    ("Beatriz Nogueira", "Quiet Needle", "Lisbon", "PT", LISBON, &["dotwork", "ornamental"], "bea.pontos", "Azulejo patterns in dots.", 17),
    ("Owen Marsh", "Rosewater", "Portland", "US", PORTLAND, &["biomechanical", "realism"], "owenmarsh", "", 5),
    ("Zofia Lis", "Pod Wawelem", "Kraków", "PL", KRAKOW, &["fine-line", "floral"], "zofia.lis", "Herbaria on skin.", 19),
    (
        "Kwame Mensah",
        "Anchor & Lamp",
        "London",
        "GB",
        LONDON,
        &["lettering", "blackwork"],
        "kwame.letters",
        "Script drawn for you, never from a font.",
        21,
    ),
    ("Renata Alves", "Ateliê Vermelho", "São Paulo", "BR", SAO_PAULO, &["watercolor"], "renata.aquarela", "", 4),
    ("Noor van Dijk", "Kupferstich", "Berlin", "DE", BERLIN, &["minimalist", "fine-line"], "noor.vd", "", 2),
    (
        "Mateo Rivas",
        "Rosewater",
        "Portland",
        "US",
        PORTLAND,
        &["chicano", "lettering"],
        "mateorivas",
        "Black and grey, as my uncles did it.",
        26,
    ),
    ("Elsie Grant", "Anchor & Lamp", "London", "GB", LONDON, &["illustrative"], "elsie.grant", "Storybook animals.", 9),
    ("Haruto Inoue", "Nagi", "Osaka", "JP", OSAKA, &["geometric"], "haruto.inoue", "", 8),
    ("Clara Weiss", "Kupferstich", "Berlin", "DE", BERLIN, &["floral", "illustrative"], "claraweiss", "Mushrooms, mostly.", 12),
    ("Tomás Queiroz", "Quiet Needle", "Lisbon", "PT", LISBON, &[], "", "", 0),
    (
        "Wren Castellano",
        "Rosewater",
        "Portland",
        "US",
        PORTLAND,
        &["traditional", "illustrative"],
        "wren.castellano",
        "Flash on Fridays.",
        14,
    ),
];

/// How many artists [`seed`] writes.
pub const CAST_SIZE: usize = CAST.len();

fn site_of(studio: &str) -> Url {
    let host: String = studio.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
    Url::parse(&format!("https://{host}.example/")).expect("a URL of ours")
}

/// A fact read `age` ago.
pub fn fact<T>(ports: &Ports, value: T, page: &Url, extractor: &str, confidence: f32, age: Duration) -> Fact<T> {
    let observed_at = ports.clock.now().minus(age);
    Fact {
        value,
        evidence: Evidence { page: page.clone(), extractor: extractor.to_owned(), confidence, observed_at, basis: Basis::Printed },
    }
}

/// Somebody of the cast under another name, with a bio of their own.
pub fn somebody(ports: &Ports, number: usize, name: &str, bio: &str) -> Artist {
    let mut artist = artist_of(ports, &CAST[number % CAST.len()], number);
    artist.name.value = name.to_owned();
    artist.instagram = None;
    artist.bio = artist.bio.map(|known| Fact { value: bio.to_owned(), ..known });
    artist
}

fn artist_of(ports: &Ports, cast: &Cast, number: usize) -> Artist {
    let (name, studio, city, country, (lat, lon), styles, handle, bio, pictures) = *cast;
    let site = site_of(studio);
    let slug: String = inkdex::domain::text::folded_name(name).replace(' ', "-");
    let page = site.join(&format!("artists/{slug}")).expect("a URL of ours");
    let hours = |hours: u64| Duration::from_secs(hours * 3_600 + 300);
    let text = |value: &str, extractor: &str, confidence: f32| fact(ports, value.to_owned(), &page, extractor, confidence, hours(4));
    // Spread around the city's centre, so that circles of different sizes hold different people.
    let shift = number as f64 * 0.004;
    let coordinates = Coordinates::new(lat + shift, lon - shift).expect("on the earth");
    Artist {
        name: text(name, "headings", 0.95),
        studio: Some(fact(ports, studio.to_owned(), &site, "json_ld", 0.98, hours(4))),
        studio_ids: vec![StudioId::derived_from(site.as_str())],
        country: Some(fact(ports, country.to_owned(), &site, "address", 0.9, hours(4))),
        region: None,
        city: Some(fact(ports, city.to_owned(), &site, "address", 0.9, hours(4))),
        coordinates: Some(fact(ports, coordinates, &site, "json_ld", 0.8, hours(4))),
        instagram: (!handle.is_empty()).then(|| text(handle, "contact_links", 0.97)),
        socials: Vec::new(),
        emails: if number.is_multiple_of(3) { vec![text(&format!("hello@{slug}.example"), "contact_links", 0.99)] } else { Vec::new() },
        phones: if number.is_multiple_of(4) {
            vec![text(&format!("+44 20 7946 0{:03}", 100 + number), "contact_text", 0.7)]
        } else {
            Vec::new()
        },
        styles: styles.iter().enumerate().map(|(at, style)| text(style, "style_words", 0.9 - 0.12 * at as f32)).collect(),
        images: (1..=pictures)
            .map(|at| fact(ports, site.join(&format!("media/{slug}-{at:02}.jpg")).expect("a URL of ours"), &page, "images", 0.85, hours(4)))
            .collect(),
        bio: (!bio.is_empty()).then(|| text(bio, "bio", 0.75)),
        pages: vec![page],
        own_site: number.is_multiple_of(5).then(|| Url::parse(&format!("https://{slug}.example/")).expect("a URL of ours")),
        confirmed: std::collections::BTreeMap::new(),
    }
}

/// The record of somebody of the cast.
pub fn record_of(ports: &Ports, number: usize) -> Artist {
    artist_of(ports, &CAST[number], number)
}

/// Writes a record under an id made of `key`, with its identity keys; the feed knows of it, the index not yet.
pub async fn write(ports: &Ports, key: &str, artist: Artist) -> ArtistId {
    let id = ArtistId::proposed(key);
    let now = ports.clock.now();
    let current = ports.store.artist(&id).await.expect("the store");
    let writer = Writer { job_id: JobId::new(format!("seed {key} {}", now.0)), generation: 1, fence: now };
    let keys: Vec<IdentityKey> = identity_keys(&artist);
    let WriteDecision::Put(put) = decide_write(&id, current.as_ref(), &Intent::Record(Box::new(artist)), &writer, now) else {
        panic!("{key} cannot be written");
    };
    assert_eq!(ports.store.put_artist(&put).await.expect("the store"), PutAnswer::Committed);
    for key in keys {
        let held = KeyState::Held(id.clone());
        ports.store.point_identity(&key, None, &held).await.expect("the store");
    }
    id
}

/// Writes thirty invented artists and indexes them; answers their ids in the order of the cast.
pub async fn seed(ports: &Ports) -> Vec<ArtistId> {
    let mut ids = Vec::new();
    for (number, cast) in CAST.iter().enumerate() {
        ids.push(write(ports, cast.0, artist_of(ports, cast, number)).await);
    }
    super::ports::sync_index(ports).await;
    ids
}

/// Writes the evidence that the record of somebody of the cast adds up from, as a scrape of their studio's site leaves it.
pub async fn evidence_of(ports: &Ports, id: &str) {
    let id = ArtistId::new(id);
    let row = ports.store.artist(&id).await.expect("the store").expect("a row");
    let record = row.live().expect("a record").clone();
    let facts = SourceFacts {
        name: Some(record.name),
        studio: record.studio,
        country: record.country,
        region: record.region,
        city: record.city,
        coordinates: record.coordinates,
        instagram: record.instagram,
        socials: record.socials,
        emails: record.emails,
        phones: record.phones,
        styles: record.styles,
        images: record.images,
        bio: record.bio,
        pages: record.pages,
        own_site: record.own_site,
    };
    let evidence = EvidenceRow {
        artist_id: id,
        source: Source::Studio(record.studio_ids.first().expect("a studio").clone()),
        job_id: JobId::new("seed evidence"),
        fence: row.fence,
        facts,
        missed: MissedFields::new(),
        settled: BTreeSet::new(),
    };
    assert!(ports.store.put_evidence(&evidence).await.expect("the store"));
}
