//! Letters that are not what they seem: text that was decoded wrongly, styled letters that only look like plain ones, and words
//! that borrow look-alikes from another script. What can be told is put right; nothing else is touched.

use unicode_normalization::UnicodeNormalization;

/// The bytes that windows-1252 shows as other characters than Latin-1 does.
const CP1252: [(char, u8); 27] = [
    ('€', 0x80),
    ('‚', 0x82),
    ('ƒ', 0x83),
    ('„', 0x84),
    ('…', 0x85),
    ('†', 0x86),
    ('‡', 0x87),
    ('ˆ', 0x88),
    ('‰', 0x89),
    ('Š', 0x8a),
    ('‹', 0x8b),
    ('Œ', 0x8c),
    ('Ž', 0x8e),
    ('‘', 0x91),
    ('’', 0x92),
    ('“', 0x93),
    ('”', 0x94),
    ('•', 0x95),
    ('–', 0x96),
    ('—', 0x97),
    ('˜', 0x98),
    ('™', 0x99),
    ('š', 0x9a),
    ('›', 0x9b),
    ('œ', 0x9c),
    ('ž', 0x9e),
    ('Ÿ', 0x9f),
];

/// Small capitals that people write names in, beside the letters they stand for.
const SMALL_CAPITALS: &str = "ᴀaʙbᴄcᴅdᴇeꜰfɢgʜhɪiᴊjᴋkʟlᴍmɴnᴏoᴘpʀrꜱsᴛtᴜuᴠvᴡwʏyᴢz";

/// Letters of other scripts that cannot be told from Latin ones, beside those.
const LOOK_ALIKES: &str = "аaеeоoрpсcуyхxіiјjѕsԁdһhԛqԝwАAВBЕEКKМMНHОOРPСCТTУYХXІIЈJЅSΑAΒBΕEΖZΗHΙIΚKΜMΝNΟOΡPΤTΥYΧXοoαaνvιi";

fn byte_of(letter: char) -> Option<u8> {
    match u32::from(letter) {
        code @ 0x80..=0xff => u8::try_from(code).ok(),
        _ => CP1252.iter().find(|(shown, _)| *shown == letter).map(|(_, byte)| *byte),
    }
}

/// What wrongly decoded UTF-8 is made of: letters of Europe and the marks that editors put; and, where it happened twice, whatever a
/// byte is shown as.
fn is_expected(letter: char) -> bool {
    let european = matches!(letter, '\u{a0}'..='\u{17f}' | '\u{400}'..='\u{45f}' | '\u{490}' | '\u{491}' | '\u{2010}'..='\u{2026}');
    european || byte_of(letter).is_some()
}

/// The character that the beginning of `text` is in UTF-8, had its bytes been read so, and how many characters that takes.
fn misread(text: &[char], before: Option<char>) -> Option<(char, usize)> {
    let first = byte_of(*text.first()?)?;
    let count = match first {
        0xc2..=0xc6 | 0xcb | 0xd0 | 0xd1 => 2,
        0xe2 => 3,
        _ => return None,
    };
    let bytes: Vec<u8> = text.get(..count)?.iter().map_while(|letter| byte_of(*letter)).collect();
    // A capital word may end in such a letter, and a mark or a fixed blank may follow it.
    let follows = matches!(text[1], '\u{a0}' | '«' | '»' | '·' | '´' | '°' | '”' | '’' | '…' | '–' | '—' | '™');
    if follows && matches!(first, 0xc3 | 0xc6) && before.is_some_and(char::is_uppercase) {
        return None;
    }
    let mut letters = std::str::from_utf8(&bytes).ok()?.chars();
    let letter = letters.next().filter(|letter| is_expected(*letter))?;
    (bytes.len() == count && letters.next().is_none()).then_some((letter, count))
}

/// Rule `mojibake`: UTF-8 that was taken for Latin-1 or windows-1252 is what it was before, however often that happened.
pub(crate) fn without_mojibake(text: &str) -> Option<String> {
    let mut letters: Vec<char> = text.chars().collect();
    let mut mended = false;
    loop {
        let (mut out, mut at) = (Vec::with_capacity(letters.len()), 0);
        while let Some(letter) = letters.get(at) {
            let (letter, count) = misread(&letters[at..], out.last().copied()).unwrap_or((*letter, 1));
            out.push(letter);
            at += count;
        }
        if out.len() == letters.len() {
            return mended.then(|| letters.into_iter().collect());
        }
        (letters, mended) = (out, true);
    }
}

fn paired(pairs: &str, letter: char) -> Option<char> {
    let mut letters = pairs.chars();
    while let (Some(seeming), Some(plain)) = (letters.next(), letters.next()) {
        if seeming == letter {
            return Some(plain);
        }
    }
    None
}

/// Rule `styled letters`: 𝓐, Ａ, Ⓐ and ᴀ are letters of an alphabet.
pub(crate) fn plain(letter: char) -> char {
    match letter {
        '\u{1d400}'..='\u{1d7ff}' | '\u{ff01}'..='\u{ff5e}' | '\u{24b6}'..='\u{24e9}' => letter.nfkc().next().unwrap_or(letter),
        '\u{1f130}'..='\u{1f149}' | '\u{1f150}'..='\u{1f169}' | '\u{1f170}'..='\u{1f189}' => {
            let at = (u32::from(letter) - 0x1f130) % 0x20;
            char::from_u32(u32::from('A') + at).unwrap_or(letter)
        }
        _ if letter.is_ascii() => letter,
        _ => paired(SMALL_CAPITALS, letter).unwrap_or(letter),
    }
}

fn is_latin(letter: char) -> bool {
    letter.is_ascii_alphabetic() || matches!(letter, '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}') && letter.is_alphabetic()
}

/// Rule `look-alike letters`: a Latin word holds Latin letters. A word whose foreign letters cannot be told from Latin ones is
/// written with those; a word that is foreign throughout, or holds what Latin has not, stays as it is.
pub(crate) fn without_look_alikes(text: &str) -> String {
    let word = |word: &str| {
        let foreign = |letter: &char| letter.is_alphabetic() && !is_latin(*letter);
        let borrowed = word.chars().filter(foreign).count();
        if borrowed == 0 || !word.chars().any(is_latin) || word.chars().filter(foreign).any(|letter| paired(LOOK_ALIKES, letter).is_none())
        {
            return word.to_owned();
        }
        word.chars().map(|letter| paired(LOOK_ALIKES, letter).unwrap_or(letter)).collect()
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a page says whose UTF-8 was taken for windows-1252.
    fn garbled(text: &str) -> String {
        let shown = |byte: &u8| CP1252.iter().find(|(_, known)| known == byte).map_or(char::from(*byte), |(letter, _)| *letter);
        text.as_bytes().iter().map(shown).collect()
    }

    #[test]
    fn wrongly_decoded_names_are_put_right() {
        for name in ["José García", "Łukasz Żółć", "Zoë Brûlé", "Маша Иванова", "Jørgen Ås", "Ana – “Íris” …", "Müller & Söhne"]
        {
            let once = garbled(name);
            assert_ne!(once, name);
            assert_eq!(without_mojibake(&once).as_deref(), Some(name), "{once}");
            assert_eq!(without_mojibake(&garbled(&once)).as_deref(), Some(name), "twice: {once}");
        }
    }

    #[test]
    fn what_is_right_stays() {
        for name in ["José", "CAFÉ»", "AMANHÃ\u{a0}É", "«Ñandú»", "São João", "Маша", "À Â Ã", "½ 5°C", "Ç»"] {
            assert_eq!(without_mojibake(name), None, "{name}");
        }
    }

    #[test]
    fn letters_that_only_look_plain_are_plain() {
        let plained = |text: &str| text.chars().map(plain).collect::<String>();
        assert_eq!(plained("𝓐𝓷𝓪 Ｌｉｍａ Ⓘⓝⓚ ᴍɪʟᴀ 🅰🅽🅰 🄼"), "Ana Lima Ink mila ANA M");
        assert_eq!(plained("Łukasz™ ½ 東京 Ð"), "Łukasz™ ½ 東京 Ð");
        for (text, is) in [
            ("Аnnа Lіma", "Anna Lima"),
            ("Αnna", "Anna"),
            ("Анна Lima", "Анна Lima"),
            ("Ольга", "Ольга"),
            ("Tattooж", "Tattooж"),
            ("東京Tattoo", "東京Tattoo"),
            ("оса", "оса"),
        ] {
            assert_eq!(without_look_alikes(text), is, "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics_and_twice_is_once(text in "[ÃÂÐâ€™©±ƒa-c А-г\u{80}-\u{a5}]{0,24}") {
            let once = without_mojibake(&text).unwrap_or_else(|| text.clone());
            prop_assert_eq!(without_mojibake(&once), None);
            let plain = without_look_alikes(&once);
            prop_assert_eq!(without_look_alikes(&plain), plain.clone());
        }
    }
}
