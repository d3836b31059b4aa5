//! The invented directory that the search contract is shown on: nobody in it exists.

use inkdex::domain::ids::ArtistId;
use inkdex::domain::place::{Coordinates, key_part};
use inkdex::domain::text::tokens;
use inkdex::search::{IndexDocument, IndexOperation};

/// The version of everybody in the directory when it is new.
pub const FIRST_VERSION: i64 = 1_000;

/// `id | name | studio | styles | country | city | lat,lon | handle | bio | completeness in eighths`, blank if unknown.
const DIRECTORY: &str = "
01 | Alma Reyes        | Quiet Needle    | fine-line,botanical      | GB | London        | 51.5155,-0.0922  | alma.reyes     | Small flowers and quiet lines | 8
02 | Alma Reyes Duarte | Cobalt Room     | fine-line                | ES | Madrid        | 40.4168,-3.7038  | almaduarte     |                               | 7
03 | Almas Farouk      | Cobalt Room     | lettering                | ES | Madrid        | 40.4200,-3.7000  | almas_script   | Arabic and Latin letters      | 6
04 | Bruno Alman       | Iron Swallow    | traditional              | GB | London        | 51.5090,-0.1180  | brunoalman     | Bold will hold                | 6
05 | José Núñez        | Casa Tinta      | realism,portrait         | MX | Guadalajara   | 20.6597,-103.349 | jose.nunez     | Portraits in black and grey   | 8
06 | Jose Ibarra       | Casa Tinta      | chicano                  | MX | Guadalajara   | 20.6600,-103.350 |                |                               | 5
07 | Jörg Straßer      | Werkraum Nord   | blackwork,dotwork        | DE | Hamburg       | 53.5511,9.9937   | joergstrasser  | Dots, patience, geometry      | 8
08 | Łucja Żak         | Pracownia Igła  | watercolor               | PL | Kraków        | 50.0647,19.9450  | lucjazak       | Akwarela na skórze            | 7
09 | Oksana Hnat       | Хмара           | ornamental               | UA | Київ          | 50.4501,30.5234  | oksanahnat     | Орнаменти та рослини          | 6
10 | Олена Білик       | Хмара           | fine-line                | UA | Київ          | 50.4500,30.5200  | bilyk.ink      |                               | 5
11 | Kenji Arata       | Red Crane       | japanese                 | JP | Osaka         | 34.6937,135.5023 | kenjiarata     | Full backs by hand            | 8
12 | Kenya Brooks      | Iron Swallow    | traditional,lettering    | GB | London        | 51.5080,-0.1200  | kenyabrooks    | Flash on Fridays              | 7
13 | Kendra Vale       | Salt & Thorn    | neo-traditional          | GB | Brighton      | 50.8225,-0.1372  | kendravale     | Foxes, moths, moons           | 7
14 | Tomás Leal        | Mar Tattoo      | traditional              | PT | Lisboa        | 38.7223,-9.1393  | tomasleal      | Ships and swallows            | 7
15 | Thomas Leal       |                 | traditional              | PT | Porto         |                  | thomasleal     |                               | 4
16 | Tom Ash           | Salt & Thorn    | blackwork                | GB | Brighton      | 50.8230,-0.1400  | tom.ash        | Heavy black                   | 6
17 | Ash Thomson       | Night Parlour   | blackwork                | US | Portland      | 45.5152,-122.678 | ashthomson     | Woodcut and engraving         | 7
18 | Mira Okafor       | Night Parlour   | realism                  | US | Portland      | 45.5160,-122.680 | miraokafor     | Colour realism, animals       | 8
19 | Mira Okonkwo      | Gold Coast Ink  | realism                  | GH | Accra         | 5.6037,-0.1870   | miraokonkwo    |                               | 5
20 | Miriam Sandoval   | Casa Tinta      | botanical                | MX | Guadalajara   | 20.6590,-103.348 | miriam.s       | Agave and cactus              | 6
21 | Sora Ito          | Red Crane       | japanese,blackwork       | JP | Osaka         | 34.6940,135.5030 | soraito        | Waves and wind bars           | 7
22 | Sören Lindqvist   | Fjord Fjord     | nordic                   | SE | Göteborg      | 57.7089,11.9746  | sorenlind      | Runes and knots               | 7
23 | Soren Dahl        | Nål             | nordic,dotwork           | DK | København     | 55.6761,12.5683  | sorendahl      |                               | 6
24 | Ana Lima          | Estúdio Vila    | fine-line                | BR | São Paulo     | -23.5505,-46.633 | analima        | Linhas finas                  | 8
25 | Ana Costa         | Estúdio Vila    | watercolor               | BR | São Paulo     | -23.5510,-46.634 | anacosta       |                               | 6
26 | Anna Lindt        | Werkraum Nord   | fine-line                | DE | Hamburg       | 53.5500,9.9900   | annalindt      |                               | 6
27 | Hanna Ray         | Corner Shop     | traditional              | US | London        | 37.1290,-84.0833 | hannaray       | The other London              | 6
28 | Ray Hannah        | Corner Shop     | traditional              | US | London        | 37.1300,-84.0840 | rayhannah      |                               | 5
29 | Ilir Kola         | Bora            | realism                  | AL | Tirana        | 41.3275,19.8187  | ilirkola       | Faces                         | 6
30 | Yusuf Demirci     | Galata Ink      | geometric                | TR | İstanbul      | 41.0082,28.9784  | yusufdemirci   | Tiles and stars               | 7
31 | Ines Ferreira     | Mar Tattoo      | botanical,fine-line      | PT | Lisboa        | 38.7200,-9.1400  | ines.f         |                               | 6
32 | Noor de Wit       | Kade Negen      | dotwork                  | NL | Amsterdam     | 52.3676,4.9041   | noordewit      | Mandala                       | 7
33 | Wit Noordam       | Kade Negen      | lettering                | NL | Amsterdam     | 52.3680,4.9050   | witnoordam     |                               | 5
34 | Petra Novák       | Sklep           | blackwork                | CZ | Praha         | 50.0755,14.4378  | petranovak     | Linocut                       | 7
35 | Peter Novak       | Sklep           | traditional              | CZ | Praha         | 50.0760,14.4380  | peternovak     |                               | 6
36 | Lani Keone        | Reef            | polynesian               | FJ | Suva          | -18.1248,178.450 | lanikeone      | Hand tapped                   | 6
37 | Sefo Tuala        | Reef East       | polynesian               | FJ | Taveuni       | -16.8000,-179.98 | sefotuala      |                               | 5
38 | Quill             | Alma Court      | lettering                | IE | Dublin        | 53.3498,-6.2603  | quill          | Only letters                  | 6
39 | Vera Moss         |                 | botanical                |    |               |                  | veramoss       | Ferns                         | 3
40 | X Ash             | Night Parlour   |                          | US | Portland      |                  |                |                               | 2
";

/// The id of an artist of the directory by number.
pub fn id(number: &str) -> ArtistId {
    ArtistId::new(format!("artist-{number}"))
}

/// The document of an artist of the directory.
pub fn document(number: &str) -> IndexDocument {
    let line = DIRECTORY.lines().find(|line| line.starts_with(&format!("{number} "))).expect("a number of the directory");
    parse(line).1
}

/// Everybody, as operations of [`FIRST_VERSION`].
pub fn everybody() -> Vec<IndexOperation> {
    DIRECTORY
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(parse)
        .map(|(artist_id, document)| IndexOperation { artist_id, version: FIRST_VERSION, document: Some(document) })
        .collect()
}

/// A document that only has a name and a completeness.
pub fn named(name: &str, completeness: f32) -> IndexDocument {
    IndexDocument {
        name: name.to_owned(),
        name_tokens: tokens(name),
        studio: None,
        styles: Vec::new(),
        country: None,
        city: None,
        city_key: None,
        coordinates: None,
        instagram: None,
        text_tokens: Vec::new(),
        completeness,
    }
}

fn parse(line: &str) -> (ArtistId, IndexDocument) {
    let column: Vec<&str> = line.split('|').map(str::trim).collect();
    let [number, name, studio, styles, country, city, point, handle, bio, eighths] = column[..] else { panic!("ten columns in `{line}`") };
    let known = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let coordinates = point.split_once(',').map(|(lat, lon)| Coordinates { lat: lat.parse().unwrap(), lon: lon.parse().unwrap() });
    let document = IndexDocument {
        studio: known(studio),
        styles: styles.split(',').filter_map(known).collect(),
        country: known(country),
        city: known(city),
        city_key: key_part(city),
        coordinates,
        instagram: known(handle),
        text_tokens: tokens(&[styles, studio, city, handle, bio].join(" ")),
        ..named(name, eighths.parse::<f32>().unwrap() / 8.0)
    };
    (id(number), document)
}
