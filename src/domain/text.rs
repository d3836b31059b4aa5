//! Folding and splitting of text, done once and here: both search engines index these tokens by white space.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Longest token that is kept, in characters; what is longer is noise and is cut.
const TOKEN_MAX_CHARS: usize = 64;

/// Case, accents and compatibility forms made equal (NFKD without marks, lower case); letters of other scripts stay.
pub fn fold(text: &str) -> String {
    // Lower-casing may compose or expand (İ), so decomposition comes after it and again marks are dropped.
    let lowered = text.nfkc().flat_map(char::to_lowercase).collect::<String>();
    lowered.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(fold_letter).collect()
}

/// Letters that decompose into nothing by Unicode but that people type as plain ones.
fn fold_letter(c: char) -> impl Iterator<Item = char> {
    let replaced: &[char] = match c {
        'ß' => &['s', 's'],
        'ø' => &['o'],
        'ł' => &['l'],
        'đ' | 'ð' => &['d'],
        'æ' => &['a', 'e'],
        'œ' => &['o', 'e'],
        'ı' => &['i'],
        'þ' => &['t', 'h'],
        _ => {
            return FoldedLetter { single: Some(c), rest: [].iter() };
        }
    };
    FoldedLetter { single: None, rest: replaced.iter() }
}

struct FoldedLetter {
    single: Option<char>,
    rest: std::slice::Iter<'static, char>,
}

impl Iterator for FoldedLetter {
    type Item = char;
    fn next(&mut self) -> Option<char> {
        self.single.take().or_else(|| self.rest.next().copied())
    }
}

/// The folded words of a text, in order: runs of letters and digits, at most 64 characters each.
pub fn tokens(text: &str) -> Vec<String> {
    fold(text)
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(|word| word.chars().take(TOKEN_MAX_CHARS).collect())
        .collect()
}

/// A name as an identity: its tokens joined by one blank.
pub fn folded_name(name: &str) -> String {
    tokens(name).join(" ")
}

/// Whether two printed names can be one person: equal after folding, or all words of one stand in the other.
///
/// "Ana" agrees with "Ana Lima"; "Ana Lima" does not agree with "Ana Costa". An empty name agrees with nothing.
pub fn names_agree(one: &str, other: &str) -> bool {
    let (one, other) = (tokens(one), tokens(other));
    if one.is_empty() || other.is_empty() {
        return false;
    }
    let (short, long) = if one.len() <= other.len() { (one, other) } else { (other, one) };
    short.iter().all(|word| long.contains(word))
}

/// Text from a page as one line: NFC, without control, bidirectional and zero-width characters, at most `max` characters.
pub fn clean_line(text: &str, max: usize) -> String {
    let mut line = String::new();
    let mut count = 0;
    let mut blank_owed = false;
    // What is invisible goes first: between two marks it would hide that they are out of order.
    for c in text.chars().filter(|c| !is_invisible(*c)).nfc() {
        if c.is_whitespace() || c.is_control() {
            blank_owed = !line.is_empty();
            continue;
        }
        if count >= max {
            break;
        }
        if blank_owed {
            line.push(' ');
            count += 1;
            blank_owed = false;
        }
        line.push(c);
        count += 1;
    }
    line
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{ad}')
}

/// What a deserialiser says of a value, without the names of types: `invalid type: string "x", expected u64` as `a text "x" was
/// given, and a whole number is expected`.
pub fn in_plain_words(message: &str) -> String {
    const TYPES: [(&str, &str); 16] = [
        ("string", "a text"),
        ("map", "a table"),
        ("sequence", "a list"),
        ("integer", "a whole number"),
        ("floating point", "a number"),
        ("boolean", "true or false:"),
        ("unit value", "nothing"),
        ("null", "nothing"),
        ("u16", "a whole number"),
        ("u32", "a whole number"),
        ("u64", "a whole number"),
        ("usize", "a whole number"),
        ("i64", "a whole number"),
        ("f64", "a number"),
        ("f32", "a number"),
        ("a boolean", "true or false"),
    ];
    let plain = |said: &str| {
        TYPES.iter().find_map(|(name, words)| {
            said.strip_prefix(name).filter(|rest| !rest.starts_with(char::is_alphanumeric)).map(|rest| format!("{words}{rest}"))
        })
    };
    let given = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "));
    let Some((given, expected)) = given.and_then(|rest| rest.rsplit_once(", expected ")) else { return message.to_owned() };
    let given = plain(given).unwrap_or_else(|| given.to_owned());
    let expected = plain(expected).or_else(|| plain(expected.strip_prefix("a ")?)).unwrap_or_else(|| expected.to_owned());
    format!("{} was given, and {expected} is expected", given.replace('`', ""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn accents_case_and_wide_letters_fold() {
        assert_eq!(fold("São Paulo"), "sao paulo");
        assert_eq!(fold("NÚÑEZ"), "nunez");
        assert_eq!(fold("ＡＬＥＸ"), "alex");
        assert_eq!(fold("Łódź Straße Ørsted"), "lodz strasse orsted");
        assert_eq!(fold("Саша"), "саша");
    }

    #[test]
    fn tokens_split_at_everything_but_letters_and_digits() {
        assert_eq!(tokens("Fine-line & black/grey  (2nd)"), ["fine", "line", "black", "grey", "2nd"]);
    }

    #[test]
    fn names_agree_by_whole_words() {
        assert!(names_agree("Ana", "Ana Lima"));
        assert!(names_agree("LIMA, Ána", "Ana Lima"));
        assert!(!names_agree("Ana Lima", "Ana Costa"));
        assert!(!names_agree("", "Ana"));
    }

    #[test]
    fn lines_lose_tricks_and_keep_words() {
        assert_eq!(clean_line("  Al\u{202e}ex\u{200b}\n\t Ink \u{0} ", 100), "Alex Ink");
        assert_eq!(clean_line("abcdef", 3), "abc");
    }

    proptest! {
        #[test]
        fn folding_twice_changes_nothing(text in ".{0,40}") {
            let once = tokens(&text);
            prop_assert_eq!(tokens(&once.join(" ")), once);
        }
    }

    #[test]
    fn what_a_deserialiser_says_is_said_in_plain_words() {
        let plain = in_plain_words;
        assert_eq!(plain("invalid type: string \"long\", expected u64"), "a text \"long\" was given, and a whole number is expected");
        assert_eq!(plain("invalid type: map, expected a string"), "a table was given, and a text is expected");
        assert_eq!(plain("invalid type: integer `5`, expected a boolean"), "a whole number 5 was given, and true or false is expected");
        assert_eq!(plain("invalid type: sequence, expected f64"), "a list was given, and a number is expected");
        assert_eq!(plain("unknown field `x`, expected `name`"), "unknown field `x`, expected `name`");
    }
}
