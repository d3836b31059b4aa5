//! Phone numbers: what somebody may answer, and what is a date, a tax number or an example.

use super::expression;
use crate::extract::extractors::{At, PageView, Sink};
use crate::extract::finding::Field;
use crate::extract::outline::Block;
use crate::extract::text::{cut, fold};
use regex::Regex;
use std::sync::LazyLock;

pub(super) static PHONE: LazyLock<Regex> = LazyLock::new(|| expression(r"(?:\+|00)?\(?\d[\d\s().\-–/\u{a0}]{5,22}\d"));

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
pub(super) const NOT_PHONE: &[&str] = &[
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

pub(super) fn phones(view: &PageView<'_>, index: usize, block: &Block, text: &str, sink: &mut Sink<'_>, at: &dyn Fn(f32, &str) -> At) {
    for found in PHONE.find_iter(text).take(12) {
        let printed = found.as_str().trim();
        if !is_phone(printed) || !looks_dialled(printed) {
            continue;
        }
        let before = fold(&text[..found.start()].chars().rev().take(40).collect::<Vec<_>>().into_iter().rev().collect::<String>());
        let previous = index.checked_sub(1).map(|above| fold(cut(&view.outline.blocks[above].text, 40))).unwrap_or_default();
        let label = if before.trim().is_empty() { previous } else { before };
        if NOT_PHONE.iter().any(|word| names(&label, word)) {
            continue;
        }
        if follows_tax_prefix(&text[..found.start()]) {
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

/// Whether a label names one of the words: at the beginning of a word of its own, a short one whole. "ape" is not in "paper".
fn names(label: &str, word: &str) -> bool {
    const SHORT: usize = 4;
    label.match_indices(word).any(|(at, _)| {
        let begins = !word.starts_with(char::is_alphanumeric) || !label[..at].ends_with(char::is_alphanumeric);
        let ends =
            word.len() > SHORT || !word.ends_with(char::is_alphanumeric) || !label[at + word.len()..].starts_with(char::is_alphanumeric);
        begins && ends
    })
}

/// "BE 0712.489.336", "ATU 1234": the number of a company in the European tax register begins with its country.
fn follows_tax_prefix(before: &str) -> bool {
    const PREFIXES: &[&str] =
        &["BE", "ATU", "CHE", "DE", "NL", "LU", "DK", "FI", "SE", "HU", "SK", "CZ", "PL", "IT", "ES", "PT", "FR", "IE"];
    let word = before.trim_end().rsplit(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default();
    PREFIXES.contains(&word)
}

/// Not a date, an hour, a year range, a price list or coordinates.
pub(super) fn looks_dialled(printed: &str) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_words_and_no_parts_of_them() {
        for (label, word) in [("ust-idnr.:", "ust"), ("p.iva", "p.iva"), ("steuernummer", "steuer"), ("siret 123", "siret"), ("€", "€")]
        {
            assert!(names(label, word), "{word} in {label}");
        }
        for (label, word) in [("info@paperwasp.example", "ape"), ("augusta", "ust"), ("cardiff", "card"), ("indica", "dic")] {
            assert!(!names(label, word), "{word} in {label}");
        }
    }

    #[test]
    fn numbers_of_the_tax_register_are_no_phones() {
        assert!(follows_tax_prefix("Le Merle SRL – BE "));
        assert!(!follows_tax_prefix("Telefon "));
    }
}
