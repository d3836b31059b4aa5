//! The pages of a studio that name no artist: aftercare, booking, questions, shop, journal. Finders of artists
//! must not stumble over them, so they speak of skin, prices and styles as real ones do.

use super::words::Lang;

/// A distractor page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Topic {
    Aftercare,
    Booking,
    Questions,
    Shop,
    Journal,
}

/// Title, path name and paragraphs of one distractor page.
#[derive(Debug)]
pub(super) struct Prose {
    pub title: &'static str,
    pub path: &'static str,
    pub paragraphs: &'static [&'static str],
}

const fn prose(title: &'static str, path: &'static str, paragraphs: &'static [&'static str]) -> Prose {
    Prose { title, path, paragraphs }
}

impl Topic {
    pub(super) fn prose(self, lang: Lang) -> &'static Prose {
        let pages = match lang {
            Lang::English => &ENGLISH,
            Lang::Spanish => &SPANISH,
            Lang::German => &GERMAN,
            Lang::Portuguese => &PORTUGUESE,
        };
        match self {
            Topic::Aftercare => &pages[0],
            Topic::Booking => &pages[1],
            Topic::Questions => &pages[2],
            Topic::Shop => &pages[3],
            Topic::Journal => &pages[4],
        }
    }
}

static ENGLISH: [Prose; 5] = [
    prose(
        "Aftercare",
        "aftercare",
        &[
            "Leave the film on for as long as your artist told you, then wash with lukewarm water and plain soap.",
            "Dry with a paper towel, never with the bathroom one. A thin layer of unscented balm twice a day is enough.",
            "No sun, no pool, no scratching for three weeks. If it turns hot and swollen, see a doctor and tell us.",
        ],
    ),
    prose(
        "Booking",
        "booking",
        &[
            "Send us the idea, the size in centimetres and the place on the body. We answer within three working days.",
            "A deposit holds the date and comes off the price. Moving an appointment is free up to 72 hours before.",
            "You need to be 18 and to bring a photo ID.",
        ],
    ),
    prose(
        "Questions",
        "faq",
        &[
            "Does it hurt? Yes, mostly less than people expect.",
            "What does it cost? The minimum is 90, a full day is agreed on beforehand.",
            "Do you tattoo hands? Yes, if there is already a tattoo or two elsewhere.",
        ],
    ),
    prose(
        "Shop",
        "shop",
        &[
            "Prints, patches, tote bags and gift vouchers, posted every Friday.",
            "Healing balm, 30 ml. Tote bag, heavy cotton. Gift voucher, from 50.",
        ],
    ),
    prose(
        "Journal",
        "journal",
        &[
            "We repainted the back room and the plants survived it.",
            "Our favourite questions from the counter this month: no, we do not tattoo dogs.",
        ],
    ),
];

static SPANISH: [Prose; 5] = [
    prose(
        "Cuidados",
        "cuidados",
        &[
            "Deja el film el tiempo que te hayamos dicho y lava después con agua tibia y jabón neutro.",
            "Seca con papel, nunca con la toalla del baño. Una capa fina de crema sin perfume dos veces al día.",
            "Nada de sol, piscina ni rascarse durante tres semanas.",
        ],
    ),
    prose(
        "Reservas",
        "reservas",
        &[
            "Cuéntanos la idea, el tamaño en centímetros y la zona. Respondemos en tres días laborables.",
            "Una señal reserva la fecha y se descuenta del precio final.",
            "Hay que ser mayor de edad y traer el documento de identidad.",
        ],
    ),
    prose(
        "Preguntas",
        "preguntas",
        &["¿Duele? Sí, casi siempre menos de lo que se espera.", "¿Cuánto cuesta? El mínimo es 70; una jornada completa se acuerda antes."],
    ),
    prose("Tienda", "tienda", &["Láminas, parches y bonos regalo. Enviamos los viernes."]),
    prose("Diario", "diario", &["Hemos pintado la sala del fondo y las plantas han sobrevivido."]),
];

static GERMAN: [Prose; 5] = [
    prose(
        "Pflege",
        "pflege",
        &[
            "Die Folie bleibt so lange drauf, wie wir es gesagt haben. Danach mit lauwarmem Wasser und Seife waschen.",
            "Mit Küchenpapier abtupfen, zweimal am Tag dünn eincremen.",
            "Drei Wochen keine Sonne, kein Schwimmbad, nicht kratzen.",
        ],
    ),
    prose(
        "Termine",
        "termine",
        &[
            "Schick uns Idee, Größe in Zentimetern und Körperstelle. Wir antworten innerhalb von drei Werktagen.",
            "Eine Anzahlung hält den Termin und wird auf den Preis angerechnet.",
            "Ab 18 Jahren, bitte den Ausweis mitbringen.",
        ],
    ),
    prose(
        "Fragen",
        "fragen",
        &["Tut es weh? Ja, aber meistens weniger als gedacht.", "Was kostet es? Mindestens 80; ein ganzer Tag wird vorher vereinbart."],
    ),
    prose("Laden", "laden", &["Drucke, Aufnäher und Gutscheine. Versand immer freitags."]),
    prose("Neuigkeiten", "neuigkeiten", &["Das Hinterzimmer ist frisch gestrichen, die Pflanzen haben es überlebt."]),
];

static PORTUGUESE: [Prose; 5] = [
    prose(
        "Cuidados",
        "cuidados",
        &[
            "Deixe o filme pelo tempo combinado e depois lave com água morna e sabonete neutro.",
            "Seque com papel toalha e passe uma camada fina de pomada duas vezes ao dia.",
            "Nada de sol, piscina ou coçar por três semanas.",
        ],
    ),
    prose(
        "Agendamento",
        "agendamento",
        &[
            "Conte a ideia, o tamanho em centímetros e o lugar do corpo. Respondemos em três dias úteis.",
            "Um sinal garante a data e é descontado do valor final.",
            "É preciso ter 18 anos e trazer documento com foto.",
        ],
    ),
    prose(
        "Perguntas",
        "perguntas",
        &["Dói? Sim, quase sempre menos do que se imagina.", "Quanto custa? O mínimo é 300; um dia inteiro é combinado antes."],
    ),
    prose("Loja", "loja", &["Pôsteres, adesivos e vales-presente. Enviamos às sextas."]),
    prose("Diário", "diario", &["Pintamos a sala dos fundos e as plantas sobreviveram."]),
];
