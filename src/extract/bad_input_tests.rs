//! What a page may hold that nobody should ever see stored: each is put right or refused, by a rule that has a name.

use super::{MAX_MEMBERS, Miss, ParseBudget, ParseLimits, SiteFacts, SiteKind, SiteLimits, SiteReader, Styles, read_page};
use serde_json::json;
use std::time::Duration;
use url::Url;

/// A site of one page.
fn site(text: &str) -> SiteFacts {
    let styles = Styles::standard();
    let clock = || Duration::ZERO;
    let budget = ParseBudget::new(ParseLimits::default(), &clock);
    let mut reader = SiteReader::new(Url::parse("http://ink.test/").unwrap(), SiteLimits::default());
    while let Some(url) = reader.next_page() {
        match url.path() {
            "/" => reader.page_read(&url, read_page(&url, text, &styles, &budget).unwrap()),
            _ => reader.page_missed(&url, Miss::Gone),
        }
    }
    reader.finish(&styles)
}

/// The one artist's site that names are put into.
fn artist(name: &str) -> SiteFacts {
    site(&format!(
        "<title>{name} | Tattoo artist</title><h1>{name}</h1><p>I am a tattoo artist in Lisbon, Portugal. I tattoo fine line and blackwork.</p>"
    ))
}

fn team(cards: &str) -> SiteFacts {
    site(&format!(
        "<title>Harbour Tattoo Studio</title><h1>Harbour Tattoo Studio</h1><p>Our tattoo studio in Porto, Portugal.</p><h2>Our artists</h2>{cards}"
    ))
}

fn card(name: &str) -> String {
    format!("<div class=artist><img src=a.jpg><h3>{name}</h3><p>Resident tattoo artist, fine line</p></div>")
}

fn names(facts: &SiteFacts) -> Vec<&str> {
    facts.artists.iter().map(|artist| artist.name.as_str()).collect()
}

/// Rules `mojibake`, `styled letters`, `look-alike letters` and `invisible characters`: a name is stored as it was meant.
#[test]
fn disguised_names_are_stored_as_they_were_meant() {
    for (printed, meant) in [
        ("JosÃ© GarcÃ\u{ad}a", "José García"),
        ("ZoÃƒÂ« Quill", "Zoë Quill"),
        ("ÐœÐ°ÑˆÐ° Ð‘ÐµÐ»Ð¾Ð²Ð°", "Маша Белова"),
        ("𝓜𝓲𝓵𝓪 𝓥𝓮𝓷𝓽𝓸", "Mila Vento"),
        ("Мilа Vеnto", "Mila Vento"),
        ("\u{202e}Mila\u{202c} \u{200f}Ven\u{ad}to\u{200b}", "Mila Vento"),
    ] {
        assert_eq!(artist(printed).name.as_deref(), Some(meant), "{printed}");
        let studio = team(&(card(printed) + &card("Odo Finch")));
        assert_eq!(names(&studio), [meant, "Odo Finch"], "{printed}");
        let person = json!({ "@type": "Person", "name": printed, "jobTitle": "Tattoo artist" });
        let text = format!("<script type=application/ld+json>{person}</script>{}", card("Odo Finch"));
        assert!(names(&team(&text)).contains(&meant), "{printed} in JSON-LD: {:?}", names(&team(&text)));
    }
}

/// Rule `lost letters`: a name of which letters were lost in decoding is not guessed.
#[test]
fn a_name_with_lost_letters_is_no_name() {
    let broken = "Jos\u{fffd} Garc\u{fffd}a";
    assert_eq!(artist(broken).name, None);
    assert_eq!(names(&team(&(card(broken) + &card("Odo Finch") + &card("Mara Quill")))), ["Odo Finch", "Mara Quill"]);
}

/// Rule `plausible name`: what is longer than a name is none, wherever it stands.
#[test]
fn a_heading_of_ten_thousand_characters_names_nobody() {
    for long in ["Mila Vento ".repeat(910), "M".repeat(10_000)] {
        let facts = site(&format!("<title>{long}</title><h1>{long}</h1><p>I am a tattoo artist in Lisbon. I tattoo fine line.</p>"));
        assert_eq!(facts.name, None);
        let person = json!({ "@type": "TattooParlor", "name": long, "employee": [{ "@type": "Person", "name": long }] });
        let facts = team(
            &(card(&long) + &card("Odo Finch") + &card("Mara Quill") + &format!("<script type=application/ld+json>{person}</script>")),
        );
        assert_eq!((facts.name.as_deref(), names(&facts)), (Some("Harbour Tattoo Studio"), vec!["Odo Finch", "Mara Quill"]));
        assert!(facts.bio.is_none_or(|bio| bio.chars().count() <= 4_000));
    }
}

/// Rule `is_phone`: a number of one digit, one counted up, or one kept for films is nobody's, linked, printed or in JSON-LD.
#[test]
fn numbers_that_nobody_answers_are_refused() {
    for number in ["000 000 0000", "+1 111 111 1111", "9999999999", "+351 999 999 999", "123456789", "(212) 555-0123", "+7 777 777 77 77"] {
        let shop = json!({ "@type": "TattooParlor", "name": "Harbour Tattoo", "telephone": number });
        let text = format!(
            "<a href='tel:{number}'>call</a><a href='https://wa.me/{number}'>WhatsApp</a><p>Phone: {number}</p><script type=application/ld+json>{shop}</script>"
        );
        assert_eq!(team(&text).phones, Vec::<String>::new(), "{number}");
    }
    assert_eq!(team("<a href='tel:+351222085555'>call</a>").phones, ["+351222085555"], "repeated digits alone do not refuse");
}

/// Rule `one place, not a line of them`: an address in a script without blanks is never stored whole as a city.
#[test]
fn an_address_without_blanks_is_no_city() {
    for (printed, cities) in [
        ("東京都渋谷区神宮前1-2-3", ["Tokyo", "東京", "渋谷区"]),
        ("〒150-0001東京都渋谷区神宮前一丁目二番三号", ["Tokyo", "東京", "渋谷区"]),
        ("上海市静安区南京西路1266号", ["Shanghai", "上海", "上海市"]),
        ("กรุงเทพมหานครเขตวัฒนาถนนสุขุมวิท55", ["Bangkok", "กรุงเทพมหานคร", "กรุงเทพ"]),
    ] {
        let shop = json!({ "@type": "TattooParlor", "name": "Harbour Tattoo", "address": { "addressLocality": printed } });
        let line = json!({ "@type": "TattooParlor", "name": "Harbour Tattoo", "address": printed });
        for text in [
            format!("<address>{printed}</address>"),
            format!("<script type=application/ld+json>{shop}</script>"),
            format!("<script type=application/ld+json>{line}</script>"),
        ] {
            let facts = site(&format!("<title>Harbour Tattoo</title><h1>Harbour Tattoo</h1><p>Our tattoo studio.</p>{text}"));
            let city = facts.city.as_deref();
            assert!(city.is_none_or(|city| cities.contains(&city)), "{printed} gives the city {city:?}");
            assert!(facts.region.as_deref() != Some(printed), "{printed} is no region");
        }
    }
}

/// Rules `MAX_PEOPLE` and `MAX_MEMBERS`: thousands of persons in JSON-LD, or hundreds of cards, are a dump, and none is believed.
#[test]
fn dumps_of_people_are_refused_whole() {
    let name = |number: usize| {
        let letter = |at: usize| char::from(b'a' + u8::try_from(at % 26).unwrap());
        format!("Mila V{}{}{}", letter(number), letter(number / 26), letter(number / 676))
    };
    let persons: Vec<_> = (0..5_000).map(|at| json!({ "@type": "Person", "name": name(at), "jobTitle": "Tattoo artist" })).collect();
    let graph = json!({ "@graph": persons });
    assert_eq!(names(&team(&format!("<script type=application/ld+json>{graph}</script>"))), Vec::<&str>::new());
    let employees = json!({ "@type": "TattooParlor", "name": "Harbour Tattoo Studio", "employee": persons });
    assert_eq!(names(&team(&format!("<script type=application/ld+json>{employees}</script>"))), Vec::<&str>::new());
    let cards: String = (0..400).map(|at| card(&name(at))).collect();
    let refused = team(&cards);
    assert_eq!((names(&refused), refused.kind), (Vec::new(), SiteKind::Studio), "and it is a studio all the same");
    assert!(refused.too_many_artists.is_some_and(|listed| listed > MAX_MEMBERS), "{:?}", refused.too_many_artists);
    for (listed, believed) in [(MAX_MEMBERS, true), (MAX_MEMBERS + 1, false)] {
        let cards: String = (0..listed).map(|at| card(&name(at))).collect();
        let facts = team(&cards);
        let expected = if believed { (listed, None) } else { (0, Some(listed)) };
        assert_eq!((facts.artists.len(), facts.too_many_artists), expected);
    }
    let few: String = (0..12).map(|at| card(&name(at))).collect();
    assert_eq!(team(&few).artists.len(), 12, "a dozen is a studio");
}
