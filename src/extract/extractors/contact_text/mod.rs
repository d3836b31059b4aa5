//! Contacts printed in text: e-mail addresses, phone numbers, Instagram handles.

mod email;
mod phone;

pub(crate) use email::normal_email;
use email::{EMAIL, SPOKEN_EMAIL};
pub(crate) use phone::is_phone;
use phone::phones;

use crate::extract::extractors::contact_links::is_credit;
use crate::extract::extractors::handles::normal_handle;
use crate::extract::extractors::{At, PageView, Sink};
use crate::extract::finding::{Field, PageRole, Place};
use crate::extract::outline::Outline;
use crate::extract::text::{cut, fold};
use regex::Regex;
use std::collections::HashMap;
use std::sync::LazyLock;

/// Longest block searched by expressions, in characters.
const MAX_SEARCHED: usize = 4_000;

fn expression(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the expression is a constant of this file")
}

static AT_HANDLE: LazyLock<Regex> = LazyLock::new(|| expression(r"(?:^|[\s(:/|,>·•—–-])@([A-Za-z0-9_][A-Za-z0-9_.]{1,29})"));

pub(super) fn read(view: &PageView<'_>, sink: &mut Sink<'_>) {
    let page = view.outline;
    let icons = icons(page);
    for (index, block) in page.blocks.iter().enumerate() {
        let text = cut(&block.text, MAX_SEARCHED);
        if !text.contains(|letter: char| letter == '@' || letter.is_ascii_digit())
            && !text.contains(['[', '(', '{'])
            && !text.contains(" arroba ")
            && !text.contains(" at ")
        {
            continue;
        }
        let at = |confidence: f32, context: &str| {
            let credit = (block.place == Place::Footer || matches!(view.role, PageRole::Imprint | PageRole::Legal)) && is_credit(text);
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
        let icon = icons.get(&(index as u32)).and_then(|networks| match networks.as_slice() {
            [only] => Some(*only),
            _ => None,
        });
        handles(view, index, text, icon, sink, &at);
        if icon == Some("facebook") {
            // The sign says which network the printed name belongs to.
            for found in AT_HANDLE.captures_iter(text).take(1) {
                sink.text(Field::Social, &format!("https://www.facebook.com/{}", found[1].trim_end_matches('.')), at(0.6, text));
            }
        }
    }
}

const NETWORKS: &[&str] = &[
    "instagram",
    "facebook",
    "tiktok",
    "twitter",
    "youtube",
    "threads",
    "telegram",
    "linkedin",
    "snapchat",
    "pinterest",
    "whatsapp",
    "vk",
];

/// The networks whose icons stand in or right before a block: `<i class="fa-instagram">`, `<img src="facebook.png">`.
fn icons(page: &Outline) -> HashMap<u32, Vec<&'static str>> {
    let mut out: HashMap<u32, Vec<&'static str>> = HashMap::new();
    let mut add = |block: u32, text: &str| {
        for network in NETWORKS {
            let list = out.entry(block).or_default();
            if text.split(|letter: char| !letter.is_ascii_alphanumeric()).any(|word| word == *network) && !list.contains(network) {
                list.push(network);
            }
        }
    };
    for element in page.elements.iter().filter(|element| element.blocks.is_empty() && element.hint.len() > 4) {
        add(element.blocks.start, &element.hint);
    }
    for image in &page.images {
        let name = image.urls[0].path().rsplit('/').next().unwrap_or_default().to_lowercase();
        add(image.block, &format!("{name} {}", image.alt.to_lowercase()));
    }
    out
}

fn emails(text: &str, sink: &mut Sink<'_>, at: &dyn Fn(f32, &str) -> At) {
    for found in EMAIL.find_iter(text).take(20) {
        if let Some(email) = normal_email(found.as_str()) {
            sink.text(Field::Email, &email, at(0.8, text));
        }
    }
    for found in SPOKEN_EMAIL.captures_iter(text).take(5) {
        let host = found.get(2).or_else(|| found.get(3)).map_or("", |host| host.as_str());
        if let Some(email) = normal_email(&format!(
            "{}@{host}.{}{}",
            &found[1],
            &found[4],
            found.get(5).map(|end| format!(".{}", end.as_str())).unwrap_or_default()
        )) {
            sink.text(Field::Email, &email, at(0.6, text));
        }
    }
}

fn handles(view: &PageView<'_>, index: usize, text: &str, icon: Option<&str>, sink: &mut Sink<'_>, at: &dyn Fn(f32, &str) -> At) {
    if !text.contains('@') || icon.is_some_and(|icon| icon != "instagram") {
        return;
    }
    let page = view.outline;
    let holder = page.blocks[index].element;
    let near = page.lineage(holder).take(3).take_while(|above| above.blocks.len() <= 2).last();
    let range = near.map_or(0..0, |above| above.links.clone());
    let mut links = page.links_of(&range).iter();
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
        let Some(handle) = normal_handle(&found[1]) else {
            continue;
        };
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
        let named = icon == Some("instagram")
            || context.contains("insta")
            || context.contains("ig") && context.split(' ').any(|word| word.trim_end_matches(':') == "ig");
        sink.text(Field::Instagram, &handle, at(if named { 0.7 } else { 0.45 }, &format!("{} | {}", cut(text, 80), previous)));
    }
}

#[cfg(test)]
mod tests {
    use super::phone::looks_dialled;
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
        for text in ["+49 30 2345987", "(218) 730-4416", "06 71 20 48 15"] {
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
