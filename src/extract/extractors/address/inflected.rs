//! Names of cities as Slavic languages bend them after "in": `Krakowie` is `Kraków`. An ending is only undone if a large city is
//! called so.

use crate::extract::places;

/// Endings of the case that says where, and those of the name itself; longer ones first.
const ENDINGS: &[(&str, &[&str])] = &[
    // Polish
    ("owie", &["ów"]),
    ("awiu", &["aw"]),
    ("cach", &["ce"]),
    ("cie", &["t", "ta"]),
    ("dzie", &["da", "d"]),
    ("rze", &["r", "ra"]),
    ("niu", &["ń"]),
    ("iu", &["", "io"]),
    ("ie", &["a", "", "o"]),
    ("ni", &["nia", "ň", "eň"]),
    ("dzi", &["dź"]),
    ("czy", &["cz"]),
    ("ku", &["k"]),
    // Czech
    ("ze", &["ha", "z"]),
    ("cích", &["ce"]),
    ("ci", &["c", "ec"]),
    ("ně", &["no", "n"]),
    ("vě", &["va", "v"]),
    ("u", &[""]),
    ("e", &["a", ""]),
    ("i", &["ia", ""]),
    // Russian
    ("е", &["а", "", "о"]),
    ("и", &["ь", "и", "я"]),
    ("ах", &["ы", "и"]),
    // Ukrainian
    ("єві", &["їв"]),
    ("ові", &["ів"]),
    ("ці", &["ця", "ка"]),
    ("ях", &["і"]),
    ("і", &["", "а", "о", "ь"]),
    ("у", &[""]),
    ("ю", &["ь"]),
];

/// The name of the large city that a bent name means, and its country; nothing if the name is one as it stands.
pub(super) fn nominative(name: &str) -> Option<(String, &'static str)> {
    const LETTERS_MIN: usize = 4;
    let name = name.split([',', '.', '(']).next().unwrap_or_default().trim();
    // Only the last word is looked at: "Nowym Sączu" bends both, and is left.
    if name.chars().count() < LETTERS_MIN || places::country_of_city(name).is_some() {
        return None;
    }
    let first = name.split(' ').next().unwrap_or_default();
    [name, first].into_iter().find_map(|name| {
        ENDINGS.iter().find_map(|(bent, straight)| {
            let stem = name.strip_suffix(bent).filter(|stem| stem.chars().count() >= 2)?;
            straight.iter().map(|end| format!("{stem}{end}")).find_map(|city| {
                let country = places::country_of_city(&city)?;
                Some((city, country))
            })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bent_names_are_straightened() {
        for (bent, city) in [
            ("Krakowie", "Kraków"),
            ("Warszawie", "Warszawa"),
            ("Poznaniu", "Poznań"),
            ("Wrocławiu", "Wrocław"),
            ("Gdańsku", "Gdańsk"),
            ("Katowicach", "Katowice"),
            ("Praze", "Praha"),
            ("Brně", "Brno"),
            ("Ostravě", "Ostrava"),
            ("Москве", "Москва"),
            ("Екатеринбурге", "Екатеринбург"),
            ("Казани", "Казань"),
            ("Києві", "Київ"),
            ("Львові", "Львів"),
            ("Одесі", "Одеса"),
            ("Харкові", "Харків"),
        ] {
            assert_eq!(nominative(bent).map(|(city, _)| city).as_deref(), Some(city), "{bent}");
        }
    }

    #[test]
    fn other_words_are_no_cities() {
        for word in ["Berlin", "Praha", "Studiu", "Instagramie", "Salonie", "Центре", "Кабінеті", "Domu"] {
            assert_eq!(nominative(word), None, "{word}");
        }
    }
}
