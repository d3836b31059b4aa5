//! The people of the made-up web: names, Instagram handles, styles and short texts about themselves, drawn from
//! a seed. A handle always carries `inkdemo`, so that none is likely to be a living person's.

use std::collections::HashSet;

use super::Fate;
use super::dice::Dice;
use super::styles::{STYLES, Style};
use super::words::Lang;

/// What somebody on a studio's site does there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Resident,
    Piercer,
    Guest,
    Former,
}

/// Somebody named on a made-up site.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Person {
    pub name: String,
    /// The name as it stands in paths and hosts: ASCII, lower case, hyphens.
    pub slug: String,
    pub handle: Option<String>,
    pub styles: Vec<&'static Style>,
    pub bio: String,
    pub pictures: usize,
    /// Host of a portfolio site of their own.
    pub own_host: Option<String>,
    pub role: Role,
    pub fate: Fate,
    /// The page answers 404 although the list still links to it.
    pub page_gone: bool,
}

/// Draws people and never the same name or handle twice.
#[derive(Debug, Default)]
pub(super) struct Register {
    slugs: HashSet<String>,
    /// First names and surnames in use.
    parts: HashSet<String>,
    handles: HashSet<String>,
}

impl Register {
    /// A new person whose bio is written in `lang`.
    pub(super) fn draw(&mut self, dice: &mut Dice, lang: Lang, role: Role) -> Person {
        let (first, name, slug) = self.draw_name(dice, lang);
        // One artist in six has no Instagram; a register without them would hide that the field is optional.
        let handle = (!dice.chance(16)).then(|| self.draw_handle(dice, &slug));
        let styles = draw_styles(dice);
        let bio = write_bio(dice, lang, &first, &styles);
        Person {
            name,
            slug,
            handle,
            styles,
            bio,
            pictures: 4 + dice.below(5),
            own_host: None,
            role,
            fate: Fate::Searchable,
            page_gone: false,
        }
    }

    /// Marks name and handle of somebody as taken.
    pub(super) fn take(&mut self, person: &Person) {
        self.slugs.insert(person.slug.clone());
        self.handles.extend(person.handle.clone());
    }

    /// Gives a person a handle who must have one.
    pub(super) fn ensure_handle(&mut self, dice: &mut Dice, person: &mut Person) {
        if person.handle.is_none() {
            person.handle = Some(self.draw_handle(dice, &person.slug));
        }
    }

    fn draw_name(&mut self, dice: &mut Dice, lang: Lang) -> (String, String, String) {
        let (firsts, lasts) = names(lang);
        let mut surnames = 1;
        loop {
            // First names and surnames nobody has yet come first, as namesakes make a small web look made up;
            // then any new pair; a full pool is widened by one more surname.
            for throw in 0..128 {
                let first = *dice.pick(firsts);
                let last: Vec<&str> = (0..surnames).map(|_| *dice.pick(lasts)).collect();
                let last = last.join("-");
                let fresh = !self.parts.contains(first) && !self.parts.contains(&last);
                if throw < 96 && !fresh {
                    continue;
                }
                let name = format!("{first} {last}");
                let slug = slug_of(&name);
                if self.slugs.insert(slug.clone()) {
                    self.parts.extend([first.to_owned(), last]);
                    return (first.to_owned(), name, slug);
                }
            }
            surnames += 1;
        }
    }

    fn draw_handle(&mut self, dice: &mut Dice, slug: &str) -> String {
        let first = slug.split('-').next().unwrap_or(slug);
        let last = slug.split('-').next_back().unwrap_or(slug);
        let shape = match dice.below(4) {
            0 => format!("{first}.{last}.inkdemo"),
            1 => format!("{first}_inkdemo"),
            2 => format!("inkdemo.{last}"),
            _ => format!("{first}{last}_inkdemo"),
        };
        let mut handle = shape.clone();
        let mut number = 2;
        while handle.len() > 30 || !self.handles.insert(handle.clone()) {
            handle = format!("{}_inkdemo{number}", &first[..first.len().min(12)]);
            number += 1;
        }
        handle
    }
}

/// A name in ASCII, lower case, with hyphens.
pub(super) fn slug_of(name: &str) -> String {
    let ascii = deunicode::deunicode(name).to_lowercase();
    let parts: Vec<&str> = ascii.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty()).collect();
    parts.join("-")
}

fn draw_styles(dice: &mut Dice) -> Vec<&'static Style> {
    let wanted = 2 + dice.below(2);
    let mut styles: Vec<&'static Style> = Vec::new();
    while styles.len() < wanted {
        let style = dice.pick(STYLES);
        if !styles.contains(&style) {
            styles.push(style);
        }
    }
    styles
}

/// "a, b and c" in the language of the site.
pub(super) fn listed(words: &[&str], lang: Lang) -> String {
    match words {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [head @ .., last] => format!("{} {} {last}", head.join(", "), lang.words().and),
    }
}

fn write_bio(dice: &mut Dice, lang: Lang, first: &str, styles: &[&Style]) -> String {
    let year = (2008 + dice.below(14)).to_string();
    let wordings: Vec<&str> = styles.iter().map(|style| style.wording(lang)).collect();
    let texts = texts(lang);
    let sentences = [dice.pick(&texts.starts), dice.pick(&texts.styles), dice.pick(&texts.ends)];
    sentences
        .map(|sentence| sentence.replace("{first}", first).replace("{year}", &year).replace("{styles}", &listed(&wordings, lang)))
        .join(" ")
}

struct Texts {
    starts: [&'static str; 4],
    styles: [&'static str; 3],
    ends: [&'static str; 4],
}

fn texts(lang: Lang) -> &'static Texts {
    match lang {
        Lang::English => &Texts {
            starts: [
                "{first} picked up a machine in {year} and has not really put it down since.",
                "After art school, {first} started tattooing in {year}, first at night, then full time.",
                "Tattooing since {year}, {first} takes on a handful of larger projects every month.",
                "{first} learned the trade from {year} on in a two-chair shop by the canal.",
            ],
            styles: [
                "Known for {styles} work, and happy to start from your own idea.",
                "Most weeks are spent on {styles} tattoos.",
                "Ask {first} about {styles} pieces.",
            ],
            ends: [
                "On days off you will find {first} repairing old bicycles.",
                "Coffee, patience and a good playlist are part of every session.",
                "Consultations are free and begin with a conversation.",
                "Dogs are welcome to say hello.",
            ],
        },
        Lang::Spanish => &Texts {
            starts: [
                "{first} empezó a tatuar en {year} y desde entonces no ha soltado la máquina.",
                "Después de Bellas Artes, {first} tatúa a tiempo completo desde {year}.",
                "{first} aprendió el oficio en {year} en un local de dos sillas.",
                "Con la máquina en la mano desde {year}, {first} acepta pocos proyectos al mes.",
            ],
            styles: ["Trabaja sobre todo {styles}.", "Sus estilos son {styles}.", "Quien busca {styles} suele acabar en su silla."],
            ends: [
                "En sus días libres arregla bicicletas viejas.",
                "El café y la paciencia van incluidos en cada sesión.",
                "La primera consulta es gratis.",
                "Los perros pueden pasar a saludar.",
            ],
        },
        Lang::German => &Texts {
            starts: [
                "{first} tätowiert seit {year} und hat die Maschine seitdem kaum weggelegt.",
                "Nach dem Kunststudium kam {first} {year} zum Tätowieren.",
                "{first} hat das Handwerk ab {year} in einem kleinen Laden am Kanal gelernt.",
                "Seit {year} an der Maschine, nimmt {first} nur wenige große Projekte im Monat an.",
            ],
            styles: ["Bekannt für {styles}.", "Die meisten Wochen gehören {styles}.", "Schwerpunkte sind {styles}."],
            ends: [
                "An freien Tagen werden alte Fahrräder repariert.",
                "Kaffee und Geduld gehören zu jeder Sitzung.",
                "Die Beratung ist kostenlos.",
                "Hunde dürfen gern guten Tag sagen.",
            ],
        },
        Lang::Portuguese => &Texts {
            starts: [
                "{first} começou a tatuar em {year} e não largou mais a máquina.",
                "Depois da faculdade de artes, {first} tatua em tempo integral desde {year}.",
                "{first} aprendeu o ofício em {year}, num estúdio de duas cadeiras.",
                "Na máquina desde {year}, {first} aceita poucos projetos por mês.",
            ],
            styles: ["Trabalha principalmente com {styles}.", "Seus estilos são {styles}.", "Quem procura {styles} costuma chegar aqui."],
            ends: [
                "Nos dias livres conserta bicicletas antigas.",
                "Café e paciência fazem parte de cada sessão.",
                "A primeira conversa é gratuita.",
                "Cachorros são bem-vindos.",
            ],
        },
    }
}

/// First names and surnames of a language.
fn names(lang: Lang) -> (&'static [&'static str], &'static [&'static str]) {
    match lang {
        Lang::English => (
            &[
                "Mara", "Rowan", "Tess", "Callum", "Imogen", "Jago", "Priya", "Soren", "Wren", "Dexter", "Niamh", "Ottilie", "Hari",
                "Blythe", "Corin", "Maeve", "Idris", "Linnea", "Tobias", "Anwen", "Zadie", "Lorcan", "Freya", "Bram", "Saoirse",
                "Dashiell", "Meriel", "Osric", "Yuki", "Ravi", "Thea", "Gideon", "Nell", "Casper",
            ],
            &[
                "Quillfeather",
                "Ashdown",
                "Verrall",
                "Okonjo",
                "Tarrant",
                "Penhallow",
                "Achterberg",
                "Castellan",
                "Hargrove",
                "Nakagawa",
                "Brannock",
                "Fairweather",
                "Winterbourne",
                "Rusk",
                "Osei",
                "Thorncastle",
                "Lindqvist",
                "Hollowell",
                "Marchbanks",
                "Tolliver",
            ],
        ),
        Lang::Spanish => (
            &[
                "Lucía", "Íñigo", "Nerea", "Joaquín", "Aitana", "Rubén", "Xiomara", "Álvaro", "Candela", "Leandro", "Marisol", "Gael",
                "Noelia", "Ibai", "Ximena", "Tomás",
            ],
            &[
                "Saldaña",
                "Quiroga",
                "Belmonte",
                "Iriarte",
                "Peñalver",
                "Zubiri",
                "Montoro",
                "Cárdenas",
                "Lozoya",
                "Escudero",
                "Ochando",
                "Arizmendi",
                "Calatrava",
                "Núñez",
            ],
        ),
        Lang::German => (
            &[
                "Jörg", "Frieda", "Henrik", "Wiebke", "Lennart", "Annegret", "Björn", "Käthe", "Malte", "Svenja", "Ruprecht", "Imke",
                "Till", "Dörte", "Arvid", "Liesel",
            ],
            &[
                "Brandstetter",
                "Möhring",
                "Kühnast",
                "Lüders",
                "Hagedorn",
                "Wiechmann",
                "Tiedemann",
                "Vogelsang",
                "Rehbein",
                "Schöning",
                "Ahlers",
                "Dreyer",
                "Großkopf",
                "Petersohn",
            ],
        ),
        Lang::Portuguese => (
            &[
                "Inês",
                "Caio",
                "Thaís",
                "Rafael",
                "Luana",
                "João",
                "Iara",
                "Murilo",
                "Helena",
                "Davi",
                "Beatriz",
                "Ícaro",
                "Yasmin",
                "Otávio",
                "Lívia",
                "Vinícius",
            ],
            &[
                "Duarte",
                "Monteiro",
                "Assunção",
                "Prado",
                "Figueira",
                "Leão",
                "Sampaio",
                "Taveira",
                "Bragança",
                "Nóbrega",
                "Salgado",
                "Araújo",
                "Pimenta",
                "Valadão",
            ],
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_thousand_people_have_names_and_handles_of_their_own() {
        let mut register = Register::default();
        let mut dice = Dice::new(3);
        let people: Vec<Person> = (0..4_000).map(|_| register.draw(&mut dice, Lang::German, Role::Resident)).collect();
        let names: HashSet<_> = people.iter().map(|person| &person.name).collect();
        let handles: Vec<_> = people.iter().filter_map(|person| person.handle.as_ref()).collect();
        assert_eq!(names.len(), 4_000);
        assert_eq!(handles.iter().collect::<HashSet<_>>().len(), handles.len());
        assert!(handles.iter().all(|handle| handle.len() <= 30 && handle.contains("inkdemo")));
        assert!(handles.len() < 4_000, "nobody is without Instagram");
        assert!(people.iter().all(|person| !person.bio.contains('{')));
    }

    #[test]
    fn slugs_are_ascii() {
        assert_eq!(slug_of("Íñigo Peñalver"), "inigo-penalver");
        assert_eq!(slug_of("Björn Großkopf-Lüders"), "bjorn-grosskopf-luders");
    }

    #[test]
    fn lists_read_like_sentences() {
        assert_eq!(listed(&["a"], Lang::German), "a");
        assert_eq!(listed(&["a", "b", "c"], Lang::Portuguese), "a, b e c");
    }
}
