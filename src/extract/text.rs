//! Cleaning and folding of text found on pages; every length is capped before anything else looks at it.

use super::disguise;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Characters that carry no text of their own and are used to disguise names: controls, zero-width, bidi marks.
fn is_invisible(letter: char) -> bool {
    matches!(letter,
        '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffc}' | '\u{e0000}'..='\u{e0fff}')
        || (letter.is_control() && !letter.is_whitespace())
}

/// The text in NFC without invisible characters, decoded as it was meant and in plain letters, white space collapsed, at most
/// `cap` characters.
pub(crate) fn clean(text: &str, cap: usize) -> String {
    let text = cut(text, cap.saturating_mul(4));
    let mended = if text.is_ascii() { None } else { disguise::without_mojibake(text) };
    let text = mended.as_deref().unwrap_or(text);
    let mut out = String::with_capacity(text.len().min(cap * 4));
    let (mut gap, mut count) = (false, 0);
    // What is invisible goes first: between two marks it would hide that they are out of order.
    for letter in text.chars().filter(|letter| !is_invisible(*letter)).nfc().map(disguise::plain) {
        if letter.is_whitespace() {
            gap = true;
            continue;
        }
        let spaced = gap && count > 0;
        gap = false;
        if count + usize::from(spaced) >= cap {
            break;
        }
        if spaced {
            out.push(' ');
            count += 1;
        }
        out.push(letter);
        count += 1;
    }
    out
}

/// Case, accents, look-alike letters and white space made equal; the form in which values are compared.
pub(crate) fn fold(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut gap = false;
    for letter in text.nfkc().flat_map(char::to_lowercase).nfkd() {
        if is_combining_mark(letter) || is_invisible(letter) {
            continue;
        }
        if letter.is_whitespace() {
            gap = true;
            continue;
        }
        if gap && !out.is_empty() {
            out.push(' ');
        }
        gap = false;
        match letter {
            'ß' => out.push_str("ss"),
            'ς' => out.push('σ'),
            'ł' => out.push('l'),
            'ø' => out.push('o'),
            'đ' => out.push('d'),
            '’' | '‘' | '´' | '`' => out.push('\''),
            '–' | '—' | '‐' | '‑' | '−' => out.push('-'),
            letter => out.push(letter),
        }
    }
    out
}

/// The letters and digits of a text, folded: what is left of a name when spacing and signs do not matter.
pub(crate) fn squash(text: &str) -> String {
    fold(text).chars().filter(|letter| letter.is_alphanumeric()).collect()
}

/// The folded words of a text; `&` and `+` are words of their own.
pub(crate) fn tokens(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut word = String::new();
    for letter in fold(text).chars() {
        if letter.is_alphanumeric() {
            word.push(letter);
            continue;
        }
        if letter == '\'' && !word.is_empty() {
            continue;
        }
        if !word.is_empty() {
            out.push(std::mem::take(&mut word));
        }
        if matches!(letter, '&' | '+') {
            out.push("&".to_owned());
        }
    }
    if !word.is_empty() {
        out.push(word);
    }
    out
}

/// The first `cap` characters of a text.
pub(crate) fn cut(text: &str, cap: usize) -> &str {
    match text.char_indices().nth(cap) {
        Some((at, _)) => &text[..at],
        None => text,
    }
}

/// Sentences of a text, split after `.`, `!`, `?` and line ends; good enough to tell which words stand together.
pub(crate) fn sentences(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut start = 0;
    let bytes: Vec<(usize, char)> = text.char_indices().collect();
    for (position, (at, letter)) in bytes.iter().enumerate() {
        let next = bytes.get(position + 1).map(|(_, next)| *next);
        let ends = match letter {
            '\n' | '!' | '?' | '。' | '！' | '？' => true,
            '.' => next.is_none_or(char::is_whitespace),
            _ => false,
        };
        if ends {
            let end = at + letter.len_utf8();
            if !text[start..end].trim().is_empty() {
                out.push(text[start..end].trim());
            }
            start = end;
        }
    }
    if !text[start..].trim().is_empty() {
        out.push(text[start..].trim());
    }
    out
}

/// Longest name of a place in a script without blanks, letters.
const UNSPACED_PLACE: usize = 8;

/// Rule `one place, not a line of them`: in scripts that set no blanks between words a whole address looks like one word. One
/// with numbers, or longer than places are, is no name of a city or region.
pub(crate) fn is_one_place(text: &str) -> bool {
    let unspaced = |letter: &char| matches!(letter, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3005}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}');
    let count = text.chars().filter(unspaced).count();
    let thai = text.chars().any(|letter| matches!(letter, '\u{e00}'..='\u{eff}'));
    // Thai writes vowels and tones as letters of their own.
    let most = if thai { UNSPACED_PLACE * 2 } else { UNSPACED_PLACE };
    count == 0 || (count <= most && !text.chars().any(char::is_numeric))
}

/// Placeholder Latin of unfinished pages and themes.
pub(crate) fn is_filler(text: &str) -> bool {
    let folded = fold(cut(text, 2_000));
    [
        "lorem ipsum",
        "dolor sit amet",
        "consectetur adipisc",
        "sed do eiusmod",
        "vestibulum",
        "pellentesque",
        "duis aute",
        "ullamco laboris",
        "excepteur sint",
        "ut enim ad minim",
        "labore et dolore",
        "voluptate velit",
        "necessitatibus",
        "consequuntur",
        "quae legam",
    ]
    .iter()
    .any(|mark| folded.contains(mark))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn cleaning_strips_disguises_and_caps() {
        assert_eq!(clean(" A\u{202e}n\u{200b}na \n\t Ve\u{301}ga ", 100), "Anna Véga");
        assert_eq!(clean(&"x".repeat(10_000), 50).chars().count(), 50);
    }

    #[test]
    fn folding_makes_look_alikes_equal() {
        assert_eq!(fold("ＭØＲＫ  Straße"), "mork strasse");
        assert_eq!(fold("Łódź"), "lodz");
        assert_eq!(tokens("Black & Grey, fine-line"), ["black", "&", "grey", "fine", "line"]);
    }

    #[test]
    fn a_line_of_places_is_no_place() {
        for place in ["東京", "東京都", "上海市", "กรุงเทพมหานคร", "Paris 11e", "São Paulo", "서울특별시"]
        {
            assert!(is_one_place(place), "{place}");
        }
        for line in
            ["東京都渋谷区神宮前1-2-3", "東京都渋谷区神宮前一丁目二番三号", "上海市静安区南京西路1266号", "กรุงเทพมหานครเขตวัฒนาถนนสุขุมวิท"]
        {
            assert!(!is_one_place(line), "{line}");
        }
    }

    #[test]
    fn sentences_end_at_marks_but_not_inside_numbers_or_hosts() {
        assert_eq!(sentences("I tattoo. Since 4.5 years at ink.example!"), ["I tattoo.", "Since 4.5 years at ink.example!"]);
    }

    proptest! {
        #[test]
        fn cleaning_and_folding_are_idempotent(text in "\\PC{0,200}") {
            let once = clean(&text, 80);
            prop_assert_eq!(clean(&once, 80), once.clone());
            let folded = fold(&once);
            prop_assert_eq!(fold(&folded), folded);
        }
    }
}
