//! Counts words that tell what kind of page this is: the craft, other trades, who speaks.

use super::super::finding::{PageSignals, Place};
use super::super::lexicon::{PLURAL, SINGULAR};
use super::super::outline::Outline;
use super::super::text::{cut, fold, is_filler, tokens};

/// Trades that are easily taken for tattooing, with the words of each (folded; prefixes of words or phrases).
const TRADES: &[(&str, &[&str])] = &[
    (
        "pmu",
        &[
            "permanent makeup",
            "permanent make up",
            "pmu",
            "microblading",
            "powder brow",
            "powder brows",
            "lip blush",
            "brows",
            "eyebrow",
            "eyeliner",
            "microneedling",
            "micropigmentation",
            "micropigmentacion",
            "maquillage permanent",
            "dermopigmentation",
            "permanente make up",
            "makijaz permanentny",
            "trucco permanente",
            "maquillaje permanente",
            "перманентный макияж",
            "перманент",
            "ombre brows",
            "cosmetic tattoo",
            "cosmetic tattoos",
            "scalp micropigmentation",
            "areola",
            "permanent lips",
            "nano brows",
            "lash",
        ],
    ),
    (
        "removal",
        &[
            "tattoo removal",
            "laser removal",
            "laser tattoo removal",
            "remove tattoos",
            "tattooentfernung",
            "tattoo entfernung",
            "laserentfernung",
            "detatouage",
            "eliminacion de tatuajes",
            "remocao de tatuagem",
            "rimozione tatuaggi",
            "usuwanie tatuazu",
            "удаление тату",
            "picosure",
            "q switched",
            "picosecond",
            "laser clinic",
            "eliminar tatuajes",
            "borrado de tatuajes",
        ],
    ),
    (
        "supply",
        &[
            "tattoo supply",
            "tattoo supplies",
            "add to cart",
            "wholesale",
            "cartridges",
            "tattoo needles",
            "tattoo machine",
            "tattoo machines",
            "tattoo equipment",
            "power supply",
            "free shipping",
            "add to basket",
            "distributor",
            "tattoo inks",
            "tattoobedarf",
            "tattoo kit",
            "grips",
            "rotary machine",
            "in stock",
            "our products",
            "product catalog",
            "transfer paper",
            "distribuidor",
            "insumos",
        ],
    ),
    (
        "piercing",
        &[
            "piercing",
            "piercings",
            "piercer",
            "body jewelry",
            "body jewellery",
            "body piercing",
            "septum",
            "helix",
            "perforaciones",
            "perforacion",
            "cartilage",
            "ear curation",
        ],
    ),
    (
        "photo",
        &[
            "photographer",
            "photography",
            "photoshoot",
            "photo shoot",
            "wedding photo",
            "fotograf",
            "fotografia",
            "fotografo",
            "photographe",
            "фотограф",
            "weddings",
            "photo session",
            "fotoshooting",
            "headshots",
        ],
    ),
    (
        "beauty",
        &[
            "beauty salon",
            "manicure",
            "pedicure",
            "nails",
            "waxing",
            "facial",
            "facials",
            "hairdresser",
            "haircut",
            "hair salon",
            "spa",
            "eyelash extensions",
            "lash extensions",
            "makeup artist",
            "skincare",
            "massage",
            "kosmetik",
            "kosmetikstudio",
            "salon de belleza",
            "unas",
            "esthetician",
            "barbershop",
            "nail art",
            "beauty treatments",
            "botox",
            "tanning",
            "centro estetico",
            "depilacion",
            "маникюр",
            "косметолог",
        ],
    ),
    (
        "theme",
        &[
            "html template",
            "website template",
            "wordpress theme",
            "webflow",
            "themeforest",
            "template for tattoo",
            "style guide",
            "changelog",
            "licenses",
            "licensing",
            "free template",
            "buy template",
            "landing page template",
            "elementor",
            "demo content",
            "templatemo",
            "colorlib",
            "html5 up",
            "your logo",
            "bootstrap template",
            "powered by webflow",
            "templates by",
            "theme by",
        ],
    ),
    (
        "blog",
        &[
            "read more",
            "tattoo ideas",
            "tattoo designs",
            "best tattoos",
            "tattoo meaning",
            "meanings",
            "affiliate",
            "posted by",
            "posted on",
            "leave a comment",
            "related posts",
            "recent posts",
            "categories",
            "archives",
            "uncategorized",
            "comments",
            "casino",
            "min read",
            "guest post",
            "write for us",
            "tattoo ideas for",
            "temporary tattoos",
            "slot",
            "betting",
            "sponsored",
        ],
    ),
];

const CRAFT: &[&str] = &[
    "tattoo",
    "tattoos",
    "tattooing",
    "tattooist",
    "tattooer",
    "tatuaje",
    "tatuajes",
    "tatuador",
    "tatuadora",
    "tatuagem",
    "tatuagens",
    "tatouage",
    "tatouages",
    "tatoueur",
    "tatoueuse",
    "tatowierer",
    "tatowierung",
    "tattoostudio",
    "tattooshop",
    "tatuaggio",
    "tatuaggi",
    "tatuatore",
    "tatuatrice",
    "tatoeage",
    "tatoeages",
    "tatuaz",
    "tatuaze",
    "tatuazu",
    "tatuowania",
    "tetovani",
    "тату",
    "татуировка",
    "татуировки",
    "татуировкой",
    "татуювання",
    "タトゥー",
    "ink",
];

const OFFER: &[&str] = &[
    "tattoo artist",
    "tattooist",
    "tattooer",
    "tattoo studio",
    "tattoo shop",
    "tattoo parlor",
    "tattoo parlour",
    "custom tattoo",
    "custom tattoos",
    "tattoo artists",
    "tatuador",
    "tatuadora",
    "tatuadores",
    "estudio de tatuajes",
    "estudio de tatuaje",
    "estudio de tatuagem",
    "tatoueur",
    "tatoueuse",
    "salon de tatouage",
    "studio de tatouage",
    "tattoostudio",
    "tattoo kunstlerin",
    "tattoo kunstler",
    "tatowierer",
    "tatowiererin",
    "tatuatore",
    "tatuatrice",
    "studio di tatuaggi",
    "tattooshop",
    "tatoeeerder",
    "studio tatuazu",
    "tatuator",
    "tatuatorka",
    "tetovaci studio",
    "тату мастер",
    "тату студия",
    "тату салон",
    "художественная татуировка",
    "tattoo art",
    "tattoos by",
    "my tattoos",
    "flash",
    "walk ins",
    "cover up",
    "private studio",
    "художественной татуировкой",
    "студия татуировки",
    "book a tattoo",
    "tattoo appointment",
    "tattoo appointments",
    "tattoo booking",
    "tattooing since",
    "blackwork",
    "fine line",
    "fineline",
    "black and grey",
    "realism",
    "traditional tattoo",
    "neo traditional",
    "dotwork",
    "get tattooed",
];

const DENIALS: &[&str] = &[
    "do not offer body tattoo",
    "don't offer body tattoo",
    "not offer traditional tattoo",
    "do not do body tattoo",
    "not do traditional tattoo",
    "we do not tattoo",
    "not a tattoo studio",
    "no body tattoo",
    "not offer regular tattoo",
    "does not offer body tattoo",
    "do not offer regular tattoo",
    "not offer traditional body tattoo",
    "do not offer tattoos",
    "don't do tattoos",
    "not a tattoo shop",
    "not tattoo artists",
    "no hacemos tatuajes",
    "keine tattoos",
    "wir tatowieren nicht",
    "no tatuamos",
    "does not offer traditional",
    "do not offer traditional body",
    "don't offer traditional body",
];

fn count(words: &str, phrase: &str) -> f32 {
    // Words are joined with single spaces and padded, so a phrase matches whole words.
    words.matches(&format!(" {phrase} ")).count() as f32
}

/// Weighs the words of a page; strong places count more than running text.
pub(crate) fn read(page: &Outline) -> PageSignals {
    let mut strong = format!(" {} ", tokens(&page.title).join(" "));
    for name in ["description", "og:title", "og:description", "og:site_name", "keywords"] {
        if let Some(text) = page.meta(&[name]) {
            strong.push_str(&tokens(cut(text, 600)).join(" "));
            strong.push(' ');
        }
    }
    let mut body = String::from(" ");
    let mut signals = PageSignals::default();
    let mut folded = String::new();
    let mut filler = 0.0;
    for block in &page.blocks {
        let length = block.text.chars().count();
        if block.place != Place::Nav {
            signals.text_len += length as u32;
        }
        if is_filler(&block.text) {
            filler += 1.0;
            continue;
        }
        if body.len() > 120_000 {
            break;
        }
        let words = tokens(cut(&block.text, 3_000));
        if !matches!(block.place, Place::Quote | Place::Form | Place::Nav) {
            signals.first_person += words.iter().filter(|word| SINGULAR.contains(&word.as_str())).count() as u32;
            signals.first_plural += words.iter().filter(|word| PLURAL.contains(&word.as_str())).count() as u32;
        }
        let joined = words.join(" ");
        if matches!(block.level, 1 | 2) {
            strong.push_str(&joined);
            strong.push(' ');
        }
        body.push_str(&joined);
        body.push(' ');
        if folded.len() < 200_000 {
            folded.push_str(&fold(cut(&block.text, 3_000)));
            folded.push(' ');
        }
    }
    let weigh = |phrases: &[&str]| phrases.iter().map(|phrase| count(&strong, phrase) * 4.0 + count(&body, phrase).min(12.0)).sum::<f32>();
    signals.tattoo = weigh(CRAFT) * 0.5 + weigh(OFFER) * 2.0;
    for (trade, phrases) in TRADES {
        let mut weight = weigh(phrases);
        if *trade == "theme" {
            weight += filler * 2.0;
        }
        if weight > 0.0 {
            signals.other.push(((*trade).to_owned(), weight));
        }
    }
    signals.denies_tattooing = DENIALS.iter().any(|denial| folded.contains(denial));
    signals.drawn_by_script = page.has_scripts && signals.text_len < 120;
    signals
}
