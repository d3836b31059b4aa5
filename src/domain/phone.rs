//! Telephone numbers as ITU-T E.164 writes them, so that one number printed in several ways is one. Numbering plans are those of
//! libphonenumber.

use phonenumber::country::Id;
use phonenumber::{Mode, PhoneNumber};

/// Characters of the longest number that E.164 allows, with an international prefix and an area code's `(0)`.
const DIGITS_MAX: usize = 20;

/// A printed number in E.164 (`+442079460001`): by the country code that it begins with, else as it is dialled within `country`
/// (ISO 3166 alpha-2). `None` if no numbering plan has it, or its country is not known: then what is printed is all there is.
pub fn e164(printed: &str, country: Option<&str>) -> Option<String> {
    Some(plan(printed, country)?.format().mode(Mode::E164).to_string())
}

/// A number in E.164 with the spaces that its country writes (`+44 20 7946 0001`); any other text as it is.
pub fn spaced(number: &str) -> String {
    match number.starts_with('+').then(|| plan(number, None)).flatten() {
        Some(known) => known.format().mode(Mode::International).to_string(),
        None => number.to_owned(),
    }
}

fn plan(printed: &str, country: Option<&str>) -> Option<PhoneNumber> {
    // What comes from a page is cut down to what a number is made of; letters begin an extension or another text.
    let number = printed.trim_start();
    let number = &number[..number.find(char::is_alphabetic).unwrap_or(number.len())];
    let country: Option<Id> = country.and_then(|code| code.parse().ok());
    let of = |number: &str| {
        let digits: String = number.chars().filter(char::is_ascii_digit).take(DIGITS_MAX + 1).collect();
        let text = if number.starts_with(['+', '＋']) { format!("+{digits}") } else { digits };
        let known = (text.len() <= DIGITS_MAX).then(|| phonenumber::parse(country, text).ok());
        known.flatten().filter(PhoneNumber::is_valid)
    };
    // "+44 (0)20 …": the zero is dialled within the country alone, except where it is part of the number.
    of(number).or_else(|| number.contains("(0)").then(|| of(&number.replace("(0)", ""))).flatten())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 002-R19: one number, however it is printed.
    #[test]
    fn one_number_is_written_in_one_way() {
        for (printed, country, whole) in [
            ("020 7946 0018", Some("GB"), Some("+442079460018")),
            ("+44 (0)20 7946 0018", Some("PT"), Some("+442079460018")),
            ("+39 (0)6 4567 8901", None, Some("+390645678901")),
            ("0044 20 7946 0018", Some("GB"), Some("+442079460018")),
            ("+44 20 7946 0018", None, Some("+442079460018")),
            ("(030) 2345-6789", Some("DE"), Some("+493023456789")),
            ("06 4567 8901", Some("IT"), Some("+390645678901")),
            ("011 15 2345-6789", Some("AR"), Some("+5491123456789")),
            ("(619) 555-0147 ext. 3", Some("US"), Some("+16195550147")),
            ("8 (912) 345-67-89", Some("RU"), Some("+79123456789")),
            ("020 7946 0018", None, None),
            ("12", Some("GB"), None),
            ("2019-2024", Some("GB"), None),
            ("+0 000 000", Some("GB"), None),
        ] {
            assert_eq!(e164(printed, country).as_deref(), whole, "{printed} in {country:?}");
        }
    }

    #[test]
    fn a_number_is_shown_as_its_country_spaces_it() {
        assert_eq!(spaced("+442079460018"), "+44 20 7946 0018");
        assert_eq!(spaced("020 7946 0018"), "020 7946 0018");
        assert_eq!(spaced("+1 or ask"), "+1 or ask");
    }

    proptest! {
        /// Whatever a page prints is no panic, and what is a number stays the same number.
        #[test]
        fn any_text_is_read(printed in "\\PC{0,40}|[+0-9 ()./-]{0,30}", country in proptest::option::of("[A-Z]{2}")) {
            if let Some(number) = e164(&printed, country.as_deref()) {
                prop_assert!(number.starts_with('+') && number[1..].bytes().all(|byte| byte.is_ascii_digit()) && number.len() <= 16);
                prop_assert_eq!(e164(&number, None), Some(number.clone()));
                prop_assert_eq!(e164(&spaced(&number), None), Some(number));
            }
        }
    }
}
