//! What a text says is *not* done: "no cover-ups", "Je ne fais ni couleur, ni tribal", "Cover-Ups mache ich nicht", or a list
//! under "What we don't do". Works on folded words, so commas are gone and a denial reaches to the next turn of the sentence.

use std::ops::Range;

/// Denies the verb of its clause.
const VERBAL: &[&str] = &[
    "not", "dont", "doesnt", "never", "wont", "cannot", "cant", "isnt", "arent", "no", "nao", "ne", "non", "nicht", "niet", "nie", "не",
    "nunca", "jamais", "mai", "nooit", "nigdy", "nikdy",
];

/// English words that say, beside one of [`VERBAL`], that something is not offered.
const DOING_ENGLISH: &[&str] = &[
    "do",
    "does",
    "doing",
    "offer",
    "offering",
    "make",
    "take",
    "taking",
    "tattoo",
    "tattooing",
    "accept",
    "accepting",
    "right",
    "my",
    "our",
];

/// Those of other languages.
const DOING_ELSEWHERE: &[&str] = &[
    "hago",
    "hacemos",
    "hace",
    "realizo",
    "realizamos",
    "trabajo",
    "trabajamos",
    "tatuo",
    "tatuamos",
    "acepto",
    "ofrezco",
    "faco",
    "fazemos",
    "faz",
    "trabalho",
    "trabalhamos",
    "aceito",
    "fais",
    "faisons",
    "fait",
    "propose",
    "proposons",
    "prends",
    "prenons",
    "realise",
    "realisons",
    "tatoue",
    "tatouons",
    "mache",
    "machen",
    "macht",
    "steche",
    "stechen",
    "biete",
    "bieten",
    "nehme",
    "nehmen",
    "tatowiere",
    "tatowieren",
    "faccio",
    "facciamo",
    "eseguo",
    "eseguiamo",
    "tatuiamo",
    "accetto",
    "doe",
    "doen",
    "doet",
    "maak",
    "maken",
    "zet",
    "zetten",
    "tatoeeer",
    "tatoeeren",
    "robie",
    "robimy",
    "wykonuje",
    "wykonujemy",
    "tatuuje",
    "tatuujemy",
    "delam",
    "delame",
    "tetuji",
    "tetujeme",
    "nedelam",
    "nedelame",
    "netetuji",
    "делаю",
    "делаем",
    "бью",
    "бьем",
    "беру",
    "роблю",
    "робимо",
    "беремо",
    "татуирую",
    "татуюю",
];

/// One word that says it all.
const WHOLE: &[&str] = &["nedelam", "nedelame", "nedela", "netetuji", "netetujeme"];

/// Denies the things named next.
const NOMINAL: &[&str] = &[
    "no",
    "not",
    "sin",
    "sans",
    "without",
    "except",
    "ohne",
    "kein",
    "keine",
    "keinen",
    "keinerlei",
    "geen",
    "zonder",
    "bez",
    "без",
    "nessun",
    "nessuna",
    "senza",
    "sem",
    "ni",
    "nor",
    "neither",
    "zadnych",
    "zadne",
    "никаких",
    "ніяких",
];

/// Where a text turns to what is done after all.
const TURN: &[&str] = &[
    "but",
    "only",
    "instead",
    "pero",
    "sino",
    "solo",
    "mas",
    "apenas",
    "mais",
    "seulement",
    "uniquement",
    "aber",
    "sondern",
    "nur",
    "ma",
    "soltanto",
    "maar",
    "alleen",
    "wel",
    "ale",
    "lecz",
    "tylko",
    "pouze",
    "но",
    "только",
    "але",
    "лише",
    "тільки",
];

/// After a denial these take it back: "not only realism".
const TAKEN_BACK: &[&str] = &[
    "only",
    "just",
    "solo",
    "solamente",
    "so",
    "apenas",
    "seulement",
    "nur",
    "soltanto",
    "alleen",
    "tylko",
    "jen",
    "только",
    "лише",
    "тільки",
];

/// Words of Portuguese, in which `no` is "in the".
const PORTUGUESE: &[&str] =
    &["em", "com", "na", "nas", "dos", "das", "uma", "tatuagem", "tatuagens", "sou", "tambem", "especialista", "foco"];

/// Words after a denial of things that it still reaches.
const REACH: usize = 3;
/// Words between a denial and the verb it denies.
const TO_VERB: usize = 4;

/// The parts of a sentence that say what is not done.
pub(crate) fn denied(words: &[String]) -> Vec<Range<usize>> {
    let is = |list: &[&str], at: usize| words.get(at).is_some_and(|word| list.contains(&word.as_str()));
    let portuguese = words.iter().any(|word| PORTUGUESE.contains(&word.as_str()));
    let mut out = Vec::new();
    for at in 0..words.len() {
        if (words[at] == "no" && portuguese) || is(TAKEN_BACK, at + 1) {
            continue;
        }
        // "je ne fais que du noir" is what is done.
        if words[at] == "ne" && words[at..].iter().take(TO_VERB).any(|word| word == "que") {
            continue;
        }
        // In English `no` denies things: "no limits tattoo" says nothing of what is done.
        let is_doing = |at: usize| is(DOING_ENGLISH, at) || is(DOING_ELSEWHERE, at);
        let english_no = |next: usize| words[at] == "no" && is(DOING_ENGLISH, next);
        let verb = is(WHOLE, at) || is(VERBAL, at) && (at + 1..=at + TO_VERB).any(|next| is_doing(next) && !english_no(next));
        // "mache ich nicht": the verb stands before.
        let trailing = matches!(words[at].as_str(), "nicht" | "niet") && (at.saturating_sub(TO_VERB)..at).any(is_doing);
        if verb || trailing {
            let turn = (at + 1..words.len()).find(|next| is(TURN, *next)).unwrap_or(words.len());
            out.push(at..turn);
        }
        // "portraits I don't do": nothing follows the verb.
        let ends = verb && (is(WHOLE, at) || is_doing(words.len() - 1) && words.len() - at <= TO_VERB);
        if trailing || ends {
            let from = (0..at).rev().find(|before| is(TURN, *before)).unwrap_or(0);
            out.push(from..at);
        }
        // "pas de couleur"; "pas" alone is half of a denied verb.
        let pas = words[at] == "pas" && words.get(at + 1).is_some_and(|word| word == "de" || word.starts_with('d'));
        if is(NOMINAL, at) || pas {
            let end = (at + 1 + REACH + usize::from(pas)).min(words.len());
            let turn = (at + 1..end).find(|next| is(TURN, *next)).unwrap_or(end);
            out.push(at..turn);
        }
    }
    out
}

/// Whether words at a place of a sentence are among what is not done.
pub(crate) fn is_denied(denied: &[Range<usize>], at: usize) -> bool {
    denied.iter().any(|range| range.contains(&at))
}

/// Whether a heading stands above what is not done: "What I don't do", "O que não faço".
pub(crate) fn heads_denials(heading: &[String]) -> bool {
    const HEADING_WORDS: usize = 9;
    let among = |word: &String, lists: &[&[&str]]| lists.iter().any(|list| list.contains(&word.as_str()));
    let elsewhere = heading.iter().any(|word| among(word, &[DOING_ELSEWHERE, WHOLE]));
    let english_no = !elsewhere && heading.iter().any(|word| word == "no");
    let done = |word: &String| among(word, &[DOING_ENGLISH, DOING_ELSEWHERE, WHOLE]);
    heading.len() <= HEADING_WORDS && !english_no && denied(heading).iter().any(|range| heading[range.clone()].iter().any(done))
        || heading.windows(2).any(|pair| pair[0] == "mache" && pair[1] == "nicht")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::text::tokens;

    /// The words of a text that are denied.
    fn not_done(text: &str) -> String {
        let words = tokens(text);
        let parts = denied(&words);
        let left: Vec<&str> = words.iter().enumerate().filter(|(at, _)| is_denied(&parts, *at)).map(|(_, word)| word.as_str()).collect();
        left.join(" ")
    }

    #[test]
    fn what_is_not_done_is_found_in_many_languages() {
        for (text, denied, kept) in [
            ("I don't do realism, tribal or lettering", "realism tribal lettering", ""),
            ("Black ink only, no cover-ups", "cover", "black ink"),
            ("Dotwork and bands. We do not tattoo hands, but dotwork we love", "hands", "dotwork love"),
            ("I am not the right person for portraits or Japanese work", "portraits japanese", ""),
            ("Je ne fais ni couleur, ni tribal, et pas de recouvrement", "couleur tribal recouvrement", ""),
            ("No hago tatuajes tribales ni de color; hago realismo", "tribales color", ""),
            ("Não faço aquarela nem old school, mas adoro blackwork", "aquarela old school", "blackwork"),
            ("Cover-Ups und Tribals mache ich nicht", "cover tribals", ""),
            ("Keine Cover-Ups, kein Realismus", "cover realismus", ""),
            ("Doe geen kleur, wel fineline", "kleur", "fineline"),
            ("Nie robię realizmu, tylko linearne", "realizmu", "linearne"),
            ("Nedělám portréty", "portrety", ""),
            ("Майже завжди без кольору", "кольору", "маиже"),
            ("Портреты не делаю", "портреты", ""),
            ("Non faccio tribali, ma solo ornamentale", "tribali", "ornamentale"),
        ] {
            let found = not_done(text);
            for word in denied.split_whitespace() {
                assert!(found.split(' ').any(|one| one == word), "{word} is denied in: {text}; found: {found}");
            }
            for word in kept.split_whitespace() {
                assert!(found.split(' ').all(|one| one != word), "{word} is not denied in: {text}; found: {found}");
            }
        }
    }

    #[test]
    fn what_is_done_is_left_alone() {
        for text in [
            "Not only realism, also tribal",
            "Especialista no realismo e no tribal",
            "Nicht nur Blackwork",
            "I do fine line and colour",
            "Un estilo propio con color",
            "Je ne fais que du dotwork",
        ] {
            assert_eq!(not_done(text), "", "{text}");
        }
    }

    #[test]
    fn headings_above_denials_are_known() {
        for heading in
            ["What I don’t do", "O que não faço", "¿Qué no hago?", "Чого я не роблю", "Was ich nicht mache", "Ce que je ne fais pas"]
        {
            assert!(heads_denials(&tokens(heading)), "{heading}");
        }
        for heading in ["What I do", "Qué hago", "No limits tattoo", "Was ich mache"] {
            assert!(!heads_denials(&tokens(heading)), "{heading}");
        }
    }
}
