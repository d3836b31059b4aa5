//! What a page says, in a few bytes: two readings of one signature lead to the same records, whatever else of the page changed.

use super::finding::{Card, Field, Finding, PageFindings, Value};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use url::Url;

/// One thing that a page says, without where and how it was found.
#[derive(Serialize)]
enum Said<'a> {
    Value(Field, &'a Value),
    /// A picture, without what makes browsers fetch it anew.
    Picture(Url),
    Person(Box<Card>),
}

fn without_query(url: &Url) -> Url {
    let mut plain = url.clone();
    plain.set_query(None);
    plain.set_fragment(None);
    plain
}

fn said(finding: &Finding) -> Said<'_> {
    let picture = finding.value.text().filter(|_| finding.field == Field::Image).and_then(|text| Url::parse(text).ok());
    picture.map_or(Said::Value(finding.field, &finding.value), |url| Said::Picture(without_query(&url)))
}

fn person(card: &Card) -> Said<'_> {
    let mut card = card.clone();
    card.page = card.page.as_ref().map(without_query);
    card.own_site = card.own_site.as_ref().map(without_query);
    card.images = card.images.iter().map(without_query).collect();
    Said::Person(Box::new(card))
}

impl PageFindings {
    /// The signature: of facts, of the people presented, and of what the page asks of robots. Their order, links, counts of words
    /// and the texts beside them are not in it, so that a token in a form or a time in the footer is no change.
    #[must_use]
    pub fn signature(&self) -> String {
        // A set: pages that shuffle their people or pictures say the same each time.
        let things: BTreeSet<String> = self
            .findings
            .iter()
            .map(said)
            .chain(self.cards.iter().map(person))
            .filter_map(|thing| serde_json::to_string(&thing).ok())
            .collect();
        let asked = (self.noindex, self.nofollow, self.signals.drawn_by_script, self.signals.denies_tattooing);
        let mut hasher = Sha256::new();
        hasher.update(format!("{:?} {asked:?}", self.role));
        for thing in &things {
            hasher.update((thing.len() as u64).to_le_bytes());
            hasher.update(thing);
        }
        crate::domain::artist::hex(&hasher.finalize()[..16])
    }
}

#[cfg(test)]
mod tests {
    use crate::extract::{ParseBudget, ParseLimits, Styles, read_page};
    use std::time::Duration;
    use url::Url;

    fn signature(text: &str) -> String {
        let clock = || Duration::ZERO;
        let budget = ParseBudget::new(ParseLimits::default(), &clock);
        read_page(&Url::parse("https://studio.example/team").unwrap(), text, &Styles::standard(), &budget).unwrap().signature()
    }

    /// A page of a studio with what changes at each request, and with its people.
    fn page(nonce: &str, people: &[&str]) -> String {
        let cards: String = people
            .iter()
            .map(|name| {
                format!("<div class=artist><img src='/{}.jpg?v={nonce}'><h3>{name}</h3><p>Resident tattoo artist</p></div>", name.len())
            })
            .collect();
        format!(
            "<!doctype html><title>Harbour Tattoo</title><meta name=csrf-token content={nonce}><link rel=stylesheet href=/s.css?{nonce}>\
             <script nonce={nonce}>var t='{nonce}'</script><h1>Harbour Tattoo</h1><p>Our tattoo studio in Porto, Portugal.</p><h2>Our artists</h2>{cards}\
             <form action=/newsletter><input type=hidden name=token value={nonce}></form><a href='/book?sid={nonce}'>Book</a>\
             <footer>Generated in 0.{nonce} s</footer><!-- {nonce} -->"
        )
    }

    #[test]
    fn tokens_and_times_are_no_change_and_people_are() {
        let all = ["Mila Vento", "Odo Finch", "Maren Quill"];
        let first = signature(&page("4711", &all));
        assert_eq!(signature(&page("815", &all)), first);
        assert_eq!(signature(&page("815", &["Mila Vento", "Maren Quill", "Odo Finch"])), first, "in another order");
        assert_ne!(signature(&page("815", &all[..2])), first);
        assert_ne!(signature(&page("815", &["Mila Vento", "Odo Finch", "Mara Vento"])), first);
        let text = page("815", &all);
        assert_ne!(signature(&text.replace("Porto", "Braga")), first);
        assert_ne!(signature(&text.replace("<title>", "<meta name=robots content=noindex><title>")), first);
    }
}
