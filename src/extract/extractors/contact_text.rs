//! Contacts printed in text: e-mail addresses, phone numbers, Instagram handles.

use super::super::finding::{Field, Place};
use super::super::outline::Block;
use super::super::text::{clean, cut, fold};
use super::contact_links::is_credit;
use super::handles::normal_handle;
use super::{At, PageView, Sink};
use regex::Regex;
use std::sync::LazyLock;

/// Longest block searched by expressions, in characters.
const MAX_SEARCHED: usize = 4_000;

fn expression(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the expression is a constant of this file")
}

static EMAIL: LazyLock<Regex> = LazyLock::new(|| expression(r"(?i)[a-z0-9][a-z0-9._%+-]{0,63}@[a-z0-9][a-z0-9.-]{0,190}\.[a-z]{2,24}\b"));
static SPOKEN_EMAIL: LazyLock<Regex> = LazyLock::new(|| {
    expression(
        r"(?i)\b([a-z0-9][a-z0-9._-]{1,40})\s*[\[\(\{]\s*(?:at|@|arroba|chiocciola)\s*[\]\)\}]\s*([a-z0-9-]{2,40})\s*(?:[\[\(\{]\s*(?:dot|punto|punkt|point|\.)\s*[\]\)\}]|\.)\s*([a-z]{2,10}(?:\.[a-z]{2})?)\b",
    )
});
static PHONE: LazyLock<Regex> = LazyLock::new(|| expression(r"(?:\+|00)?\(?\d[\d\s().\-–/\u{a0}]{5,22}\d"));
static AT_HANDLE: LazyLock<Regex> = LazyLock::new(|| expression(r"(?:^|[\s(:/|,>·•—–-])@([A-Za-z0-9_][A-Za-z0-9_.]{1,29})"));

/// An address as it is stored: lower case, plausible, no placeholder.
pub(crate) fn normal_email(text: &str) -> Option<String> {
    let text = clean(text, 200).to_lowercase();
    let text = text.trim().trim_matches(['<', '>', '"', '\'', '.', ',', ';']);
    let found = EMAIL.find(text)?;
    if found.start() != 0 || found.end() != text.len() {
        return None;
    }
    let (name, host) = text.split_once('@')?;
    let ending = host.rsplit('.').next().unwrap_or_default();
    let picture = ["png", "jpg", "jpeg", "webp", "gif", "svg", "js", "css"].contains(&ending);
    let placeholder_host = [
        "example",
        "ejemplo",
        "exemplo",
        "exemple",
        "beispiel",
        "esempio",
        "yourdomain",
        "your-domain",
        "domain.com",
        "mysite",
        "yoursite",
        "yourwebsite",
        "sentry",
        "wixpress",
        "tudominio",
        "seudominio",
        "email.com",
        "site.com",
        "test.com",
        "correo.com",
        "mail.example",
        "company.com",
        "website.com",
        "voorbeeld",
        "przyklad",
        "tuemail",
        "yourstudio",
        "yourcompany",
        "sitename",
        "mydomain",
        "dominio.com",
        "untitledui",
        "template",
    ]
    .iter()
    .any(|mark| host.contains(mark) && !host.ends_with(".example"));
    let placeholder_name = [
        "your",
        "you",
        "name",
        "youremail",
        "your.email",
        "your-email",
        "yourname",
        "tu",
        "tucorreo",
        "tuemail",
        "user",
        "username",
        "nombre",
        "seuemail",
        "email",
        "mail",
        "john.doe",
        "jane.doe",
        "johndoe",
        "jane",
        "voornaam",
        "vorname",
        "votre",
        "nome",
        "ivan",
        "name.surname",
        "test",
        "firstname",
        "abc",
        "xyz",
    ]
    .contains(&name);
    let invented_host =
        ["email.com", "mail.com", "tattoo.com", "gmail.com", "company.com", "domain.com", "ejemplo.com", "correo.com"].contains(&host);
    let reserved = host == "tattoo.com"
        || ending == "test"
        || ending == "invalid"
        || (host == "example.com" || host == "example.org" || host == "example.net");
    (!picture && !placeholder_host && !reserved && !(placeholder_name && invented_host)).then(|| text.to_owned())
}

/// Could this be a phone number somebody answers? Digits enough, not one digit repeated, not counted up, not reserved.
pub(crate) fn is_phone(text: &str) -> bool {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_digit).collect();
    if !(7..=15).contains(&digits.len()) || text.chars().filter(|letter| letter.is_alphabetic()).count() > 3 {
        return false;
    }
    let tail = &digits[digits.len() - 7..];
    let same = tail.iter().all(|digit| *digit == tail[0]);
    let distinct = tail.iter().collect::<std::collections::HashSet<_>>().len();
    let up = tail.windows(2).all(|pair| (pair[0] + 1 - b'0') % 10 == pair[1] - b'0');
    // 555-01xx is kept for films in North America; themes use 555 throughout.
    let american = digits.len() == 10 || (digits.len() == 11 && digits[0] == b'1');
    let ten = &digits[digits.len().saturating_sub(10)..];
    let fiction = american && (&ten[3..6] == b"555" || &ten[..3] == b"555");
    let zeros = tail.iter().filter(|digit| **digit == b'0').count() >= 6;
    !same && distinct > 1 && !up && !fiction && !zeros && !text.to_uppercase().contains("XX")
}

/// Words before a number that is no phone.
const NOT_PHONE: &[&str] = &[
    "siret",
    "siren",
    "p.iva",
    "p. iva",
    "piva",
    "partita iva",
    "vat",
    "ust",
    "steuer",
    "tax",
    "iban",
    "bic",
    "kvk",
    "btw",
    "nip",
    "regon",
    "ico",
    "dic",
    "cif",
    "nif",
    "cnpj",
    "cpf",
    "rfc",
    "cuit",
    "nit",
    "ein",
    "abn",
    "acn",
    "ogrn",
    "огрн",
    "инн",
    "инд",
    "edrpou",
    "rut",
    "tarjeta",
    "card",
    "karte",
    "cuenta",
    "account",
    "isbn",
    "license",
    "licence",
    "lic.",
    "registration",
    "rcs",
    "naf",
    "ape",
    "hrb",
    "handelsregister",
    "codice fiscale",
    "c.f.",
    "cod. fisc",
    "rea",
    "id:",
    "numero de registro",
    "nr. rej",
    "krs",
    "company no",
    "company number",
    "registered",
    "eori",
    "transfer",
    "€",
    "$",
    "£",
    "postal",
    "zip",
    "sort code",
    "numer konta",
    "св-во",
];

pub(super) fn read(view: &PageView<'_>, sink: &mut Sink<'_>) {
    let page = view.outline;
    for (index, block) in page.blocks.iter().enumerate() {
        let text = cut(&block.text, MAX_SEARCHED);
        if !text.contains(|letter: char| letter == '@' || letter.is_ascii_digit()) && !text.contains(['[', '(', '{']) {
            continue;
        }
        let at = |confidence: f32, context: &str| {
            let credit = block.place == Place::Footer && is_credit(text);
            let place = if credit { Place::Credit } else { block.place };
            let weight = if credit {
                0.05
            } else if matches!(place, Place::Form | Place::Quote) {
                confidence * 0.3
            } else {
                confidence
            };
            At::new(place, weight).card(view.card_of_block(index as u32)).context(context)
        };
        emails(text, sink, &at);
        phones(view, index, block, text, sink, &at);
        handles(view, index, block, text, sink, &at);
    }
}

fn emails(text: &str, sink: &mut Sink<'_>, at: &dyn Fn(f32, &str) -> At) {
    for found in EMAIL.find_iter(text).take(20) {
        if let Some(email) = normal_email(found.as_str()) {
            sink.text(Field::Email, &email, at(0.8, text));
        }
    }
    for found in SPOKEN_EMAIL.captures_iter(text).take(5) {
        if let Some(email) = normal_email(&format!("{}@{}.{}", &found[1], &found[2], &found[3])) {
            sink.text(Field::Email, &email, at(0.6, text));
        }
    }
}

fn phones(view: &PageView<'_>, index: usize, block: &Block, text: &str, sink: &mut Sink<'_>, at: &dyn Fn(f32, &str) -> At) {
    for found in PHONE.find_iter(text).take(12) {
        let printed = found.as_str().trim();
        if !is_phone(printed) || !looks_dialled(printed) {
            continue;
        }
        let before = fold(&text[..found.start()].chars().rev().take(40).collect::<Vec<_>>().into_iter().rev().collect::<String>());
        let previous = index.checked_sub(1).map(|above| fold(cut(&view.outline.blocks[above].text, 40))).unwrap_or_default();
        let label = if before.trim().is_empty() { previous } else { before };
        if NOT_PHONE.iter().any(|word| label.contains(word)) {
            continue;
        }
        let next = text[found.end()..].chars().next();
        let previous_letter = text[..found.start()].chars().next_back();
        if next.is_some_and(|letter| letter.is_alphanumeric() || letter == '%' || letter == '@')
            || previous_letter.is_some_and(|letter| letter.is_alphanumeric() || matches!(letter, '#' | '@' | '_' | '='))
        {
            continue;
        }
        let labelled = [
            "tel",
            "phone",
            "call",
            "whatsapp",
            "mobil",
            "movil",
            "cell",
            "cel",
            "fon",
            "handy",
            "llama",
            "ligue",
            "тел",
            "телефон",
            "text",
            "sms",
            "ruf",
            "bel",
            "t:",
            "m:",
            "p:",
            "📞",
            "☎",
            "zadzwon",
            "numer",
            "fax",
            "contact",
        ]
        .iter()
        .any(|word| label.contains(word));
        let digits = printed.chars().filter(char::is_ascii_digit).count();
        let shaped = printed.starts_with(['+', '('])
            || (digits >= 9 && printed.contains([' ', '-', '.', '/']) && printed.starts_with('0'))
            || (digits == 10 && printed.matches(['-', '.', ' ']).count() == 2);
        let lone = block.text.chars().count() < printed.chars().count() + 12;
        if labelled || shaped || (lone && digits >= 9) {
            sink.text(Field::Phone, printed, at(if labelled || printed.starts_with('+') { 0.8 } else { 0.6 }, &label));
        }
    }
}

/// Not a date, an hour, a year range, a price list or coordinates.
fn looks_dialled(printed: &str) -> bool {
    let groups: Vec<&str> = printed.split(|letter: char| !letter.is_ascii_digit()).filter(|group| !group.is_empty()).collect();
    let digits: usize = groups.iter().map(|group| group.len()).sum();
    let date = groups.len() == 3
        && printed.matches(['.', '/', '-', '–']).count() >= 2
        && digits == 8
        && (groups[2].len() == 4 || groups[0].len() == 4);
    let years = groups.len() == 2 && groups.iter().all(|group| group.len() == 4 && (group.starts_with("19") || group.starts_with("20")));
    let hours = groups.iter().filter(|group| **group == "00" || **group == "30").count() >= 2;
    let coordinates =
        groups.len() >= 2 && printed.contains('.') && groups.iter().any(|group| group.len() >= 6) && !printed.starts_with('+');
    let card = groups.len() >= 4 && groups.iter().all(|group| group.len() == 4);
    let many_signs = printed.chars().filter(|letter| matches!(letter, '/' | '(')).count() > 3;
    !date && !years && !hours && !coordinates && !card && !many_signs
}

fn handles(view: &PageView<'_>, index: usize, block: &Block, text: &str, sink: &mut Sink<'_>, at: &dyn Fn(f32, &str) -> At) {
    if !text.contains('@') {
        return;
    }
    let page = view.outline;
    let mut links = page.links.iter().filter(|link| {
        link.block as usize == index
            || page.lineage(link.element).take(3).any(|above| above.blocks.len() <= 2 && above.blocks.contains(&(index as u32)))
    });
    let elsewhere = links.any(|link| {
        link.text.contains('@')
            && text.contains(link.text.as_str())
            && link.url.as_ref().is_some_and(|url| {
                !url.host_str().unwrap_or_default().contains("instagram") && url.scheme().starts_with("http") && link.href != "#"
            })
    });
    if elsewhere {
        return;
    }
    for found in AT_HANDLE.captures_iter(text).take(12) {
        let Some(handle) = normal_handle(&found[1]) else { continue };
        let before = &text[..found.get(0).map_or(0, |whole| whole.start())];
        let previous = index.checked_sub(1).map(|above| cut(&page.blocks[above].text, 40).to_owned()).unwrap_or_default();
        let context =
            fold(&format!("{previous} {}", before.chars().rev().take(60).collect::<Vec<_>>().into_iter().rev().collect::<String>()));
        if ["facebook", "tiktok", "twitter", "youtube", "threads", "telegram", "linkedin", "snapchat", "pinterest"]
            .iter()
            .any(|other| context.ends_with(other) || before.to_lowercase().trim_end().ends_with(&format!("{other}:")))
        {
            continue;
        }
        let named =
            context.contains("insta") || context.contains("ig") && context.split(' ').any(|word| word.trim_end_matches(':') == "ig");
        sink.text(Field::Instagram, &handle, at(if named { 0.7 } else { 0.45 }, &format!("{} | {}", cut(&block.text, 80), previous)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn placeholders_are_no_addresses() {
        assert_eq!(normal_email("Studio@Mila-Ink.DE"), Some("studio@mila-ink.de".into()));
        for text in
            ["your@email.com", "email@ejemplo.com", "info@tattoo.com", "a@b", "pic@2x.png", "you@yourdomain.com", "name@example.com"]
        {
            assert_eq!(normal_email(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_that_nobody_answers_are_no_phones() {
        for text in ["+49 30 2345987", "(518) 203-7730", "06 65 03 28 15"] {
            assert!(is_phone(text), "{text}");
        }
        for text in ["111 111 1111", "1234567890", "(720) 555-0123", "+81-XX-XXXX-XXXX", "000 000 0000", "12345"] {
            assert!(!is_phone(text), "{text}");
        }
        for text in ["12.05.2024", "2019-2024", "10:00-18:00", "52.4730 4.816612", "9205 0000 1234 5678"] {
            assert!(!looks_dialled(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn checks_never_panic(text in "\\PC{0,200}") {
            let _ = (normal_email(&text), is_phone(&text), looks_dialled(&text));
        }
    }
}
