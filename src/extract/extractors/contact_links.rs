//! Links that lead to people: mail, phone, messengers, Instagram and other profiles, protected addresses.

use super::super::finding::{Field, Place};
use super::super::lexicon::words;
use super::super::outline::Link;
use super::super::text::{cut, fold};
use super::contact_text::{is_phone, normal_email};
use super::handles::{Profile, percent_decoded, profile_of};
use super::{At, PageView, Sink};

/// Does a short line tell who built the site, rather than whose it is?
pub(crate) fn is_credit(text: &str) -> bool {
    let folded = fold(cut(text, 300));
    folded.chars().count() < 220 && words().credit.iter().any(|mark| folded.contains(mark.as_str()))
}

/// The part of a line that tells who built the site: what stands before the sign of copyright is no part of it.
fn credit_in(line: &str) -> &str {
    line.find('©').filter(|at| !is_credit(&line[..*at])).map_or(line, |at| &line[at..])
}

/// What stands around a link: its own text, the line it is in, the heading above.
pub(crate) fn surroundings(view: &PageView<'_>, link: &Link) -> String {
    let page = view.outline;
    let line = page.blocks.get(link.block as usize).filter(|_| {
        let element = page.element(link.element);
        element.blocks.contains(&link.block)
            || page.lineage(link.element).take(4).any(|above| above.blocks.contains(&link.block) && above.blocks.len() <= 2)
    });
    let before = link
        .block
        .checked_sub(1)
        .and_then(|at| page.blocks.get(at as usize))
        .map(|block| cut(&block.text, 60).to_owned())
        .unwrap_or_default();
    let line = line.map(|block| cut(&block.text, 120).to_owned()).unwrap_or_default();
    format!("{} | {} | {} | {}", cut(&link.text, 60), line, before, cut(&page.heading_text(link.heading), 60)).replace('\n', " ")
}

pub(super) fn read(view: &PageView<'_>, sink: &mut Sink<'_>) {
    let page = view.outline;
    for (index, link) in page.links.iter().enumerate() {
        let card = view.card_of_link(index as u32);
        let block = page.blocks.get(link.block as usize);
        let credited = matches!(link.place, Place::Footer | Place::Main | Place::Aside)
            && block.is_some_and(|block| {
                is_credit(&block.text) && credit_in(&block.text).contains(link.text.as_str()) && block.level == 0 && link.visible
            });
        let place = if credited || is_credit(&link.text) { Place::Credit } else { link.place };
        let at = || At::new(place, if place == Place::Credit { 0.05 } else { 0.9 }).card(card).context(&surroundings(view, link));
        let lower = link.href.to_lowercase();
        if let Some(address) = lower.strip_prefix("mailto:") {
            for part in percent_decoded(address.split('?').next().unwrap_or_default()).split([',', ';']) {
                if let Some(email) = normal_email(part) {
                    sink.text(Field::Email, &email, at());
                }
            }
            continue;
        }
        if let Some(number) = ["tel:", "callto:", "sms:"].iter().find_map(|scheme| lower.strip_prefix(scheme)) {
            let number = percent_decoded(&number.replace('+', "%2B"));
            let number = number.split([';', '?']).next().unwrap_or_default().trim_start_matches("//");
            // The printed form is kept when it is the same number.
            let printed = if link.visible && is_phone(&link.text) && same_tail(&link.text, number) { link.text.as_str() } else { number };
            if is_phone(printed) {
                sink.text(Field::Phone, printed, at());
            }
            continue;
        }
        if let Some(hidden) = lower.split_once("/cdn-cgi/l/email-protection#").and_then(|(_, code)| unprotect(code)) {
            sink.text(Field::Email, &hidden, at());
            continue;
        }
        let Some(url) = &link.url else { continue };
        match profile_of(url) {
            Some(Profile::Instagram(handle)) => sink.text(Field::Instagram, &handle, at()),
            Some(Profile::Social(social)) => sink.text(Field::Social, &social, at()),
            Some(Profile::Phone(number)) => {
                let printed =
                    if link.visible && is_phone(&link.text) && same_tail(&link.text, &number) { link.text.clone() } else { number };
                if is_phone(&printed) {
                    sink.text(Field::Phone, &printed, at());
                }
            }
            Some(Profile::Nothing) | None => {}
        }
    }
    for action in &page.actions {
        // Form services carry the owner's address in the path.
        if let Some(email) = action.rsplit('/').next().and_then(normal_email) {
            sink.text(Field::Email, &email, At::new(Place::Form, 0.7).context("form"));
        }
    }
}

fn same_tail(left: &str, right: &str) -> bool {
    let tail = |text: &str| text.chars().rev().filter(char::is_ascii_digit).take(6).collect::<String>();
    tail(left).len() == 6 && tail(left) == tail(right)
}

/// Cloudflare's e-mail protection: the first byte is the key of the others.
fn unprotect(code: &str) -> Option<String> {
    let code = code.as_bytes().get(..code.len().min(400))?;
    let bytes: Vec<u8> = code
        .chunks(2)
        .map(|pair| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()))
        .collect::<Option<_>>()?;
    let (key, rest) = bytes.split_first()?;
    normal_email(&String::from_utf8(rest.iter().map(|byte| byte ^ key).collect()).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protected_addresses_are_read() {
        let key = 0x42_u8;
        let code: String =
            std::iter::once(key).chain("mila@ink.example".bytes().map(|byte| byte ^ key)).map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(unprotect(&code), Some("mila@ink.example".to_owned()));
        assert_eq!(unprotect("zz"), None);
    }

    #[test]
    fn credits_are_told_from_owners() {
        assert!(is_credit("Website by Pixel Works"));
        assert!(is_credit("Diseño y desarrollo: Ana"));
        assert!(!is_credit("© 2025 Mila Vento Tattoo"));
        assert_eq!(credit_in("Instagram © 2025 Mila Vento, powered by Pixel Works"), "© 2025 Mila Vento, powered by Pixel Works");
        assert_eq!(credit_in("Website by Pixel Works © 2025"), "Website by Pixel Works © 2025");
    }
}
