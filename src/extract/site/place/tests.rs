//! Places of whole sites: footers as studios of many countries write them, maps, numbers, hosts, and what is meant to mislead.

use crate::extract::{Basis, ParseBudget, ParseLimits, SiteFacts, SiteLimits, SiteReader, Styles, read_page};
use std::time::Duration;
use url::Url;

/// A studio's page with something in its footer.
fn site(host: &str, lang: &str, footer: &str) -> SiteFacts {
    let clock = || Duration::ZERO;
    let (styles, budget) = (Styles::standard(), ParseBudget::new(ParseLimits::default(), &clock));
    let html = format!(
        "<!doctype html><html lang='{lang}'><head><title>Copper Fox Tattoo</title></head><body><h1>Copper Fox Tattoo</h1>\
         <p>We are a tattoo studio. Our artists tattoo blackwork and fine line. Book your tattoo with us.</p>\
         <a href='https://instagram.com/copperfoxtattoo'>Instagram</a><footer>{footer}</footer></body></html>"
    );
    let entry = Url::parse(&format!("https://{host}/")).unwrap();
    let mut reader = SiteReader::new(entry, SiteLimits::default());
    while let Some(url) = reader.next_page() {
        reader.page_read(&url, read_page(&url, &html, &styles, &budget).unwrap());
    }
    reader.finish(&styles)
}

fn parts(facts: &SiteFacts) -> (&str, &str) {
    (facts.city.as_deref().unwrap_or_default(), facts.country.as_deref().unwrap_or_default())
}

/// 002-R10: the place as printed, with country and coordinates.
#[test]
fn footers_of_many_countries_are_read() {
    let mut wrong = Vec::new();
    for (lang, footer, city, country, north) in [
        ("en", "<p>1420 NW Lovejoy St<br>Portland, OR 97209</p><p>(503) 555-0142</p>", "Portland", "US", 45.5),
        ("en", "<p>1420 Congress Street, Portland, Maine 04101</p>", "Portland", "US", 43.7),
        ("en", "<p>88 Mulberry St #2, Brooklyn, NY 11211</p>", "Brooklyn", "US", 40.6),
        ("en", "<address>210 Elm Ave, Springfield, Illinois 62701</address>", "Springfield", "US", 39.8),
        ("en", "<p>12 Dundas Street, London, ON N6A 1B3</p>", "London", "CA", 43.0),
        ("en", "<p>4 Brick Yard, London E1 6QR</p>", "London", "GB", 51.5),
        ("en", "<p>Unit 3, 9 Week Street, Maidstone, Kent, ME14 1QS</p>", "Maidstone", "GB", 51.3),
        ("en", "<p>First Floor, 22 Oldham Rd, Manchester M4 5EB, UK</p>", "Manchester", "GB", 53.5),
        ("en", "<p>Shop 2/114 Smith St, Fitzroy VIC 3065</p>", "Fitzroy", "AU", -37.8),
        ("de", "<p>Copper Fox Tattoo<br>Oranienstraße 12<br>10997 Berlin</p>", "Berlin", "DE", 52.5),
        ("de", "<p>Sendlinger Str. 4, D-80331 München</p>", "München", "DE", 48.1),
        ("de", "<p>Neubaugasse 21/3, A-1070 Wien</p>", "Wien", "AT", 48.2),
        ("de", "<p>Langstrasse 90, 8004 Zürich, Schweiz</p>", "Zürich", "CH", 47.4),
        ("fr", "<p>14 rue des Dames, 75017 Paris</p>", "Paris", "FR", 48.9),
        ("fr", "<p>3 quai de la Fosse<br>44000 NANTES</p>", "Nantes", "FR", 47.2),
        ("es", "<p>C/ de la Palma, 31, 28004 Madrid</p>", "Madrid", "ES", 40.4),
        ("es", "<p>Carrer de Verdi 18, 08012 Barcelona, España</p>", "Barcelona", "ES", 41.4),
        ("it", "<p>Via Savona 11, 20144 Milano (MI)</p>", "Milano", "IT", 45.5),
        ("nl", "<p>Witte de Withstraat 40, 3012 BR Rotterdam</p>", "Rotterdam", "NL", 51.9),
        ("pl", "<p>ul. Piotrkowska 80/4, 90-102 Łódź</p>", "Łódź", "PL", 51.8),
        ("cs", "<p>Bělehradská 77, 120 00 Praha 2</p>", "Praha", "CZ", 50.1),
        ("uk", "<p>м. Київ, вул. Хрещатик 22</p>", "Київ", "UA", 50.5),
        ("uk", "<p>вул. Городоцька 15, 79016, м. Львів</p>", "Львів", "UA", 49.8),
        ("ru", "<p>г. Москва, ул. Покровка, 17</p>", "Москва", "RU", 55.8),
        ("pt-BR", "<p>Rua Augusta, 1500 - Consolação, São Paulo - SP, 01304-001</p>", "São Paulo", "BR", -23.5),
        ("pt-BR", "<p>Av. Bento 90, Porto Alegre/RS</p>", "Porto Alegre", "BR", -30.0),
        ("pt", "<p>Rua do Almada 120, 4050-031 Porto</p>", "Porto", "PT", 41.1),
        ("es-MX", "<p>Álvaro Obregón 45, Col. Roma Norte, 06700 Ciudad de México, CDMX</p>", "Ciudad de México", "MX", 19.4),
        ("es-AR", "<p>Thames 1780, C1414DDN Buenos Aires</p>", "Buenos Aires", "AR", -34.6),
        ("es", "<p>Calle 10 #43-20, Medellín, Antioquia</p>", "Medellín", "CO", 6.2),
        ("ja", "<p>〒150-0001 東京都渋谷区神宮前4-5-6</p>", "東京", "JP", 35.7),
        ("en", "<p>4-5-6 Jingumae, Shibuya-ku, Tokyo 150-0001, Japan</p>", "Tokyo", "JP", 35.7),
        ("ko", "<p>서울특별시 마포구 와우산로 21</p>", "서울", "KR", 37.6),
        ("da", "<p>Ravnsborggade 8, 2200 København N</p>", "København", "DK", 55.7),
        ("sv", "<p>Götgatan 31, 116 21 Stockholm</p>", "Stockholm", "SE", 59.3),
        ("en", "<p>Based in Lisbon, Portugal</p>", "Lisbon", "PT", 38.7),
        ("it", "<p>Corso Italia 5, Lecce, Puglia</p>", "Lecce", "IT", 40.4),
    ] {
        let facts = site("copperfox.test", lang, footer);
        let point = facts.implied.coordinates;
        if parts(&facts) != (city, country) || point.is_none_or(|point| (point.lat - north).abs() > 0.5) {
            wrong.push(format!("{footer}: {:?} {point:?}", parts(&facts)));
        } else {
            assert_eq!(facts.implied.basis, Some(Basis::Inferred), "{footer}");
        }
    }
    assert!(wrong.is_empty(), "{} of them are read wrongly:\n{}", wrong.len(), wrong.join("\n"));
}

/// What stands beside a name decides which place is meant; nothing else does.
#[test]
fn an_ambiguous_city_is_decided_by_what_stands_beside_it_or_not_at_all() {
    let based = "<p>Based in Cambridge</p>";
    assert_eq!(parts(&site("fox.test", "", based)), ("Cambridge", ""));
    assert_eq!(site("fox.test", "", based).implied.coordinates, None);
    assert_eq!(parts(&site("fox.co.uk", "", based)), ("Cambridge", "GB"));
    assert_eq!(parts(&site("fox.test", "", &format!("{based}<a href='tel:+441223550100'>+44 1223 550100</a>"))), ("Cambridge", "GB"));
    assert_eq!(parts(&site("fox.test", "", &format!("{based}<p>hello@fox.ca</p>"))), ("Cambridge", "CA"));
    let map = "<a href='https://www.google.com/maps/@42.3736,-71.1097,17z'>Map</a>";
    let facts = site("fox.test", "", &format!("{based}{map}"));
    assert_eq!(parts(&facts), ("Cambridge", "US"));
    assert_eq!((facts.country_basis, facts.implied.basis), (Some(Basis::Inferred), Some(Basis::Printed)));
    assert_eq!(facts.implied.region.as_deref(), Some("Massachusetts"));
}

#[test]
fn a_dialling_code_or_a_host_alone_gives_a_country_and_no_city() {
    for (host, footer, country) in [
        ("fox.test", "<a href='tel:+48531000111'>+48 531 000 111</a>", "PL"),
        ("fox.test", "<a href='tel:+5511974302216'>+55 11 97430-2216</a>", "BR"),
        ("fox.nl", "<p>Tattoos</p>", "NL"),
        ("fox.com", "<p>Tattoos</p>", ""),
        ("fox.ink", "<p>Tattoos</p>", ""),
    ] {
        let facts = site(host, "en", footer);
        assert_eq!(parts(&facts), ("", country), "{host} {footer}");
        assert_eq!(facts.implied.coordinates, None);
        assert_eq!(facts.country_basis, (!country.is_empty()).then_some(Basis::Inferred));
    }
}

/// A map link alone: the city is where it points, and says that it is inferred; the point itself is printed.
#[test]
fn a_map_alone_gives_an_inferred_city() {
    for link in [
        "https://www.google.com/maps/place/Copper+Fox/@41.1480,-8.6110,17z/data=!3m1!4b1!4m5!3m4!1s0x0:0x0!8m2!3d41.1481!4d-8.6112",
        "https://maps.google.com/?q=41.1481,-8.6112",
        "https://www.google.com/maps/search/?api=1&query=41.1481%2C-8.6112",
        "https://maps.apple.com/?ll=41.1481,-8.6112",
        "https://www.openstreetmap.org/?mlat=41.1481&mlon=-8.6112#map=18/41.1481/-8.6112",
        "https://yandex.ru/maps/?ll=-8.6112%2C41.1481&z=17",
    ] {
        let facts = site("fox.test", "en", &format!("<a href='{link}'>Find us</a>"));
        assert_eq!(parts(&facts), ("Porto", "PT"), "{link}");
        let point = facts.implied.coordinates.unwrap();
        assert!((point.lat - 41.148).abs() < 0.001 && (point.lon + 8.611).abs() < 0.001, "{link}: {point:?}");
        assert_eq!((facts.implied.city, facts.country_basis, facts.implied.basis), (true, Some(Basis::Inferred), Some(Basis::Printed)));
    }
    let frame = "<iframe src='https://www.google.com/maps/embed?pb=!1m18!1m12!1m3!1d3004.4!2d-8.6112!3d41.1481!2m3!1f0!2f0!3f0'></iframe>";
    assert_eq!(parts(&site("fox.test", "en", frame)), ("Porto", "PT"));
    // Two shops, two cities: which one is meant is not known.
    let two = "<a href='https://maps.google.com/?q=41.1481,-8.6112'>A</a><a href='https://maps.google.com/?q=38.7169,-9.1399'>B</a>";
    assert_eq!(parts(&site("fox.test", "en", two)), ("", ""));
    for link in ["https://maps.google.com/?q=0,0", "https://maps.google.com/?q=0.00,0.00", "https://maps.google.com/?q=91.55,200.55"] {
        assert_eq!(parts(&site("fox.test", "en", &format!("<a href='{link}'>A</a>"))), ("", ""), "{link}");
    }
}

/// The country that is printed is not overruled by a host, a number or a city elsewhere.
#[test]
fn what_is_printed_outranks_what_is_inferred() {
    let facts = site("fox.it", "en", "<p>London, Canada</p><a href='tel:+442079460000'>+44 20 7946 0000</a>");
    assert_eq!((parts(&facts), facts.country_basis), (("London", "CA"), Some(Basis::Printed)));
    assert!(facts.implied.coordinates.is_some_and(|point| (point.lat - 43.0).abs() < 0.5));
}

#[test]
fn what_is_meant_to_mislead_neither_panics_nor_invents() {
    let long = "Springfield, ".repeat(800);
    for footer in [
        format!("<p>{long}</p>"),
        format!("<p>{}</p>", "〒".repeat(10_000)),
        format!("<p>{}</p>", "市区".repeat(5_000)),
        format!("<p>{}</p>", "12345 ".repeat(2_000)),
        format!("<a href='https://maps.google.com/?q={}'>Map</a>", "41.1481,".repeat(2_000)),
        "<p>\u{202e}nilreB 79901 ,21 eßartsneinarO\u{202c}</p>".to_owned(),
        "<p>\u{202e}\u{200f}\u{2066}</p>".to_owned(),
    ] {
        let facts = site("fox.test", "en", &footer);
        assert_eq!(facts.country, None, "{}", footer.chars().take(60).collect::<String>());
    }
    // Marks of direction inside an address, and letters of full width: the same address.
    let facts = site("fox.test", "de", "<p>Oranienstraße 12, \u{200f}10997\u{200e} Ber\u{200b}lin, Deutschland</p>");
    assert_eq!(parts(&facts), ("Berlin", "DE"));
    // Cyrillic letters that look Latin are no city of that name.
    let facts = site("fox.test", "en", "<p>Based in Веrlіn</p>");
    assert_eq!(facts.country, None);
}

/// Words and names of people that are also names of large cities.
#[test]
fn words_and_people_are_no_cities() {
    for text in [
        "Charlotte",
        "Victoria Stone",
        "Nice tattoos!",
        "Reading list",
        "Orange is the new black",
        "Santos",
        "Madison",
        "Perfect Split",
        "Mia",
    ] {
        let facts = site("fox.test", "en", &format!("<h2>{text}</h2><p>{text}</p>"));
        assert_eq!(parts(&facts), ("", ""), "{text}");
    }
}
