//! Words that tell what a page, a heading or a person is, in the languages of the directory; all entries are folded.

use super::finding::PageRole;
use super::text::{cut, holds_words, tokens};

/// Class and id words of reviews and quotations.
pub(crate) const QUOTE_HINTS: &[&str] = &[
    "testimonial", "testimonials", "testimonio", "testimonios", "review", "reviews", "resena", "resenas", "reseñas",
    "opinion", "opiniones", "opinie", "avis", "bewertung", "bewertungen", "kundenstimmen", "recensioni", "depoimentos",
    "otzyvy", "feedback", "blockquote", "rezensionen",
];

const QUOTE_HEADINGS: &[&str] = &[
    "testimonials", "testimonial", "reviews", "client reviews", "google reviews", "what clients say", "what our clients say",
    "what people say", "what they say", "what customers say", "kind words", "client love", "happy clients", "client stories",
    "testimonios", "resenas", "opiniones", "lo que dicen", "que dicen", "depoimentos", "avaliacoes", "o que dizem",
    "temoignages", "avis", "avis clients", "ils parlent", "kundenstimmen", "bewertungen", "rezensionen", "was kunden sagen",
    "was andere sagen", "kundenmeinungen", "recensioni", "dicono di", "cosa dicono", "testimonianze", "beoordelingen",
    "wat klanten zeggen", "ervaringen", "opinie", "co mowia", "recenzje", "recenze", "hodnoceni", "отзывы", "отзывы клиентов",
    "відгуки", "відгуки клієнтів",
];

/// Does this heading open a part where clients speak?
pub(crate) fn is_quote_heading(text: &str) -> bool {
    text.chars().count() < 80 && holds_any(&tokens(text), QUOTE_HEADINGS)
}

/// Does a list of folded words hold one of the phrases?
pub(crate) fn holds_any(words: &[String], phrases: &[&str]) -> bool {
    phrases.iter().any(|phrase| match phrase.split_once(' ') {
        None => words.iter().any(|word| word == phrase),
        Some(_) => holds_words(words, &tokens(phrase)),
    })
}

const ROLES: &[(PageRole, &[&str])] = &[
    (PageRole::Guests, &[
        "guests", "guest artists", "guest spots", "guest spot", "events", "eventos", "event", "invitados", "artistas invitados", "convidados",
        "guest artist", "gastkunstler", "gaste", "ospiti", "gasten", "goscie", "гости", "гості", "conventions", "workshops",
    ]),
    (PageRole::Aftercare, &[
        "aftercare", "after care", "tattoo care", "tattoo aftercare", "care", "healing", "cuidados", "cuidado", "pflege", "nachsorge",
        "tattoopflege", "soins", "soin", "cura", "cure", "nazorg", "pielegnacja", "pece", "уход", "догляд",
    ]),
    (PageRole::Legal, &[
        "privacy", "privacy policy", "terms", "terms of service", "terms and conditions", "cookies", "cookie policy", "legal",
        "disclaimer", "policy", "aviso legal", "politica de privacidad", "politica de cookies", "terminos", "privacidad",
        "termos", "politica de privacidade", "mentions legales", "confidentialite", "cgv", "datenschutz", "datenschutzerklarung",
        "agb", "privacybeleid", "cookiebeleid", "algemene voorwaarden", "voorwaarden", "polityka prywatnosci", "regulamin",
        "ochrana osobnich udaju", "политика", "privacy e cookie", "informativa", "consent", "release form", "waiver",
    ]),
    (PageRole::Imprint, &["impressum", "imprint", "legal notice", "site notice"]),
    (PageRole::Shop, &[
        "shop", "store", "merch", "merchandise", "gift cards", "gift card", "gift vouchers", "vouchers", "cart", "basket",
        "checkout", "tienda", "carrito", "loja", "boutique", "panier", "warenkorb", "gutschein", "gutscheine", "negozio",
        "carrello", "winkel", "winkelwagen", "cadeaubon", "sklep", "koszyk", "obchod", "магазин", "prints", "products", "buy",
    ]),
    (PageRole::Blog, &[
        "blog", "news", "articles", "journal", "noticias", "tendencias", "tendencia", "actualites", "chroniques", "aktuelles",
        "neuigkeiten", "notizie", "nieuws", "aktualnosci", "novinky", "новости", "статьи", "блог", "новини", "press", "magazine",
    ]),
    (PageRole::Faq, &[
        "faq", "faqs", "f a q", "questions", "frequently asked questions", "preguntas frecuentes", "perguntas frequentes",
        "questions frequentes", "haufige fragen", "domande frequenti", "veelgestelde vragen", "pytania", "casto kladene",
        "вопросы", "питання", "info", "infos", "information", "policies",
    ]),
    (PageRole::Team, &[
        "artists", "our artists", "the artists", "tattoo artists", "tattooists", "tattooers", "meet the artists", "the team",
        "team", "our team", "meet the team", "crew", "the crew", "our crew", "residents", "resident artists", "artist",
        "staff", "artistas", "nuestros artistas", "tatuadores", "nuestros tatuadores", "tatuadoras", "equipo", "el equipo",
        "nossos artistas", "equipe", "nossa equipe", "artistes", "nos artistes", "les artistes", "tatoueurs",
        "nos tatoueurs", "l equipe", "lequipe", "kunstler", "unsere kunstler", "die kunstler", "tatowierer", "unser team",
        "das team", "artisti", "i nostri artisti", "gli artisti", "tatuatori", "i tatuatori", "il team", "lo staff", "artiesten",
        "onze artiesten", "de artiesten", "tatoeeerders", "ons team", "artysci", "nasi artysci", "tatuatorzy", "nasi tatuatorzy",
        "zespol", "nasz zespol", "ekipa", "umelci", "tateri", "nasi tateri", "nas tym", "tym", "мастера", "наши мастера", "команда",
        "наша команда", "художники", "татуировщики", "майстри", "наші майстри", "наши художники", "アーティスト",
    ]),
    (PageRole::Contact, &[
        "contact", "contact us", "contact me", "contacts", "find us", "visit us", "visit", "location", "locations", "get in touch",
        "where to find us", "hours", "hours location", "directions", "contacto", "contactanos", "contactame", "ubicacion",
        "donde estamos", "contato", "fale conosco", "localizacao", "contactez nous", "nous trouver", "nous contacter", "kontakt",
        "anfahrt", "contatti", "contattaci", "dove siamo", "contatto", "kontakty", "контакты", "контакти", "связаться",
        "お問い合わせ", "アクセス",
    ]),
    (PageRole::About, &[
        "about", "about me", "about us", "about the artist", "about the studio", "about the shop", "bio", "biography", "the artist",
        "my story", "our story", "who i am", "who we are", "meet the artist", "the studio", "studio", "the shop", "our studio", "me",
        "sobre mi", "sobre nosotros", "sobre", "acerca", "acerca de", "acerca de mi", "quien soy", "quienes somos", "yo", "nosotros",
        "el estudio", "conoceme", "sobre mim", "sobre nos", "quem sou", "quem somos", "o estudio", "a propos", "apropos", "qui suis je",
        "qui sommes nous", "le salon", "l artiste", "lartiste", "le studio", "uber mich", "uber uns", "uber", "das studio", "wer wir sind", "chi sono",
        "chi siamo", "lo studio", "il tatuatore", "over", "over mij", "over ons", "over de shop", "de studio", "wie zijn wij", "o mnie", "o nas", "o studiu",
        "o mne", "обо мне", "о мастере", "о нас", "о студии", "о себе", "про мене", "про нас", "про студію", "про майстра",
    ]),
    (PageRole::Portfolio, &[
        "portfolio", "gallery", "galleries", "work", "works", "my work", "our work", "the work", "recent work", "selected work",
        "tattoos", "tattoo", "flash", "portafolio", "galeria", "trabajos", "mis trabajos", "tatuajes", "obras", "trabalhos", "tatuagens",
        "galerie", "realisations", "tatouages", "mes tatouages", "oeuvres", "creations", "arbeiten", "werke", "meine arbeiten",
        "ausgewahlte werke", "bilder", "galleria", "lavori", "i miei lavori", "tatuaggi", "opere", "galerij", "werk", "tatoeages", "prace", "moje prace",
        "tatuaze", "realizacje", "tetovani", "галерея", "портфолио", "работы", "мои работы", "тату", "татуировки", "роботи", "портфоліо",
        "couleurs", "noir et blanc", "dessins", "作品",
    ]),
    (PageRole::Services, &[
        "styles", "tattoo styles", "services", "our services", "specialties", "specialities", "what i do", "what we do", "estilos",
        "servicios", "especialidades", "servicos", "prestations", "stile", "leistungen", "angebot", "stili", "servizi",
        "stijlen", "diensten", "oferta", "uslugi", "style", "sluzby", "styly", "стили", "услуги", "стилі", "послуги", "creation", "process",
    ]),
    (PageRole::Booking, &[
        "book", "book now", "booking", "bookings", "book online", "appointments", "appointment", "enquiries", "inquiry", "request",
        "reservas", "reservar", "agendar", "cita", "citas", "agendamento", "orcamento", "reservation", "rendez vous", "rdv", "termin",
        "termine", "anfrage", "termin buchen", "prenota", "prenotazioni", "appuntamento", "afspraak", "boeken", "rezerwacja", "umow wizyte",
        "rezervace", "objednat", "запись", "записаться", "запис", "login", "log in", "sign in", "account", "logout", "availability",
    ]),
];

/// The role of a text that is nothing but the name of a role, such as a part of a title.
pub(crate) fn role_exact(text: &str) -> PageRole {
    let words: Vec<String> = tokens(cut(text, 80)).into_iter().filter(|word| word != "&").collect();
    let whole = words.join(" ");
    ROLES.iter().find(|(_, phrases)| phrases.contains(&whole.as_str())).map_or(PageRole::Other, |(role, _)| *role)
}

/// What a short text (link, heading, title part) says about the page it names.
pub(crate) fn role_of(text: &str) -> PageRole {
    let words = tokens(cut(text, 80));
    let words: Vec<String> = words.into_iter().filter(|word| word != "&").collect();
    if words.is_empty() || words.len() > 6 {
        return PageRole::Other;
    }
    let exact = role_exact(text);
    if exact != PageRole::Other || words.len() > 4 {
        return exact;
    }
    for (role, phrases) in ROLES {
        if phrases.iter().any(|phrase| phrase.len() > 4 && holds_any(&words, &[phrase])) {
            return *role;
        }
    }
    PageRole::Other
}

/// Words for a person who tattoos.
pub(crate) const TATTOOER: &[&str] = &[
    "tattoo artist", "tattooist", "tattooer", "tattoo artista", "tattoo art", "tattooing", "artist", "tatuador", "tatuadora", "artista", "tatoueur",
    "tatoueuse", "artiste", "tatowierer", "tatowiererin", "tattoo kunstler", "tattoo kunstlerin", "kunstler", "kunstlerin", "tattookunstlerin",
    "tattookunstler", "tatuatore", "tatuatrice", "tattooartist", "tatoeeerder", "tattoo artiest", "artiest", "tatoeerder", "tatuator", "tatuatorka",
    "tatuażysta", "tatuazysta", "artysta", "artystka", "tater", "taterka", "тату мастер", "тату мастера", "татуировщик", "татуировщица", "мастер", "тату художник",
    "майстер", "майстриня", "tattoo master", "handpoke artist", "タトゥーアーティスト", "彫師", "apprentice", "resident",
];

/// Roles beside tattooing, and people who are not there any more.
pub(crate) const NOT_ARTIST: &[(&str, &[&str])] = &[
    ("former", &[
        "in memoriam", "rest in peace", "rip", "former artist", "former", "alumni", "ex artist", "past artists", "past artist", "retired", "no longer", "ehemalige", "anciens",
        "previous artists", "en memoria", "in gedenken", "in memory", "in loving memory", "бывшие",
    ]),
    ("guest", &[
        "guest", "guests", "guest artist", "guest artists", "guest spot", "invitado", "invitada", "artista invitado", "artista invitada", "convidado", "convidada",
        "gast", "gastkunstler", "gastkunstlerin", "gastartiest", "guest tattooer", "ospite", "gosc", "guest artystka", "гость", "гостевой", "guest spots", "guesting",
        "host", "invite", "artiste invite",
    ]),
    ("piercer", &[
        "piercer", "piercers", "body piercer", "piercing", "piercings", "perforador", "perforadora", "perforaciones", "pierceur", "pierceuse", "perceur", "perceuse",
        "piercerin", "piercingi", "piercerka", "пирсер", "пірсер", "пирсинг", "body piercing", "anillador", "anilladora",
    ]),
    ("staff", &[
        "manager", "shop manager", "studio manager", "receptionist", "reception", "front desk", "counter", "gerente", "encargado", "recepcionista", "recepcao",
        "administrador", "administradora", "event manager", "eventos", "evento", "photographer", "fotografo", "videographer", "marketing", "social media", "empfang", "studioleitung", "laser",
        "laser technician", "permanent make up", "permanent makeup", "pmu", "microblading", "hairdresser", "barber", "barbero", "nail artist", "accueil", "gestionnaire", "manicure", "kosmetolog",
        "администратор", "адміністратор", "менеджер", "web developer", "developer", "cosmetologist", "shop dog", "studio dog", "mascot", "assistant", "advisor", "concierge",
        "bookkeeper", "accountant", "coordinator", "supervisor", "directora comercial", "cleaner", "shop assistant", "social media manager", "menedzer", "recepcja", "sekretariat",
    ]),
];

/// Why a role line speaks of somebody who is not a present tattooer; words of tattooing save those who do both.
pub(crate) fn not_artist(text: &str) -> Option<&'static str> {
    let words = tokens(text);
    let tattoos = holds_any(&words, &[
        "tattoo", "tattoos", "tattooer", "tattooist", "tattooing", "tatuador", "tatuadora", "tatuajes", "tatouage", "tatoueur", "tatoueuse", "tatowierer", "tatowiererin",
        "tatuatore", "tatuatrice", "tatuator", "tatuatorka", "tatuaze", "тату", "татуировщик", "тату мастер", "owner", "tater", "taterka", "tatuagem", "tatuagens",
    ]);
    for (why, phrases) in NOT_ARTIST {
        let strong = matches!(*why, "former" | "guest");
        if (strong || !tattoos) && holds_any(&words, phrases) {
            return Some(why);
        }
    }
    None
}

/// First person singular and plural in the languages of the directory; only words that mean nothing else.
pub(crate) const SINGULAR: &[&str] = &[
    "i", "my", "me", "myself", "im", "mi", "mis", "soy", "conmigo", "trabajo", "meu", "meus", "minha", "minhas", "sou", "comigo", "je", "mon", "mes", "moi", "suis",
    "ich", "mein", "meine", "meinen", "meiner", "mir", "mich", "io", "mio", "miei", "mia", "sono", "ik", "mijn", "mij", "moje", "moja", "moj", "mnie", "jestem", "jsem",
    "moji", "я", "меня", "мне", "мои", "мой", "моя", "мене", "мені", "мої",
];
pub(crate) const PLURAL: &[&str] = &[
    "we", "our", "us", "ours", "nosotros", "nuestro", "nuestra", "nuestros", "nuestras", "somos", "nosso", "nossa", "nossos", "nossas", "nous", "notre", "nos", "wir",
    "unser", "unsere", "unserem", "unseren", "uns", "noi", "nostro", "nostra", "nostri", "nostre", "siamo", "wij", "ons", "onze", "nasz", "nasze", "nasza", "naszym",
    "naszej", "jestesmy", "nas", "nase", "jsme", "мы", "наш", "наша", "наши", "нашей", "нас", "ми", "наші",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_tell_the_role_of_their_target() {
        assert_eq!(role_of("Meet the Artists"), PageRole::Team);
        assert_eq!(role_of("Über mich"), PageRole::About);
        assert_eq!(role_of("КОНТАКТЫ"), PageRole::Contact);
        assert_eq!(role_of("Hours & Location"), PageRole::Contact);
        assert_eq!(role_of("Gift Vouchers"), PageRole::Shop);
        assert_eq!(role_of("Polityka prywatności"), PageRole::Legal);
        assert_eq!(role_of("A long sentence that merely mentions the gallery somewhere"), PageRole::Other);
    }

    #[test]
    fn roles_beside_tattooing_are_told_but_not_for_those_who_do_both() {
        assert_eq!(not_artist("Professional Piercer"), Some("piercer"));
        assert_eq!(not_artist("Tattoo artist & piercer"), None);
        assert_eq!(not_artist("Guest tattoo artist"), Some("guest"));
        assert_eq!(not_artist("Blackwork"), None);
    }
}
