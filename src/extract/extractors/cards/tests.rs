//! Cards of pages written for these tests, in the forms that sites use.

use super::*;

/// Names, handles and reasons to leave somebody out, of the cards of a page headed "Our artists".
fn people(body: &str) -> Vec<(String, Vec<String>, bool)> {
    let clock = || std::time::Duration::ZERO;
    let budget = crate::extract::ParseBudget::new(crate::extract::ParseLimits::default(), &clock);
    let text = format!("<title>Ink House Tattoo</title><h1>Our artists</h1>{body}");
    let url = url::Url::parse("http://house.example/crew").expect("address");
    let page = crate::extract::read_page(&url, &text, &Styles::standard(), &budget).expect("page");
    page.cards.into_iter().map(|card| (card.name.unwrap_or_default(), card.instagram, card.not_artist.is_some())).collect()
}

#[test]
fn bold_names_open_cards_in_rows_in_running_text_and_in_definition_lists() {
    let mila = ("Mila Vento".to_owned(), vec!["mila.v".to_owned()], false);
    let jan = ("Jan Holt".to_owned(), vec!["janholt".to_owned()], false);
    let ida = ("Ida Berg".to_owned(), vec!["ida.b".to_owned()], true);
    for body in [
        "<table><tr><td><img src=m.jpg><td><b>Mila Vento</b><td>Instagram: @mila.v<tr><td><img src=j.jpg><td><b>Jan Holt</b><td>Instagram: @janholt\
         <tr><td><img src=i.jpg><td><b>Ida Berg</b><td>Piercer<td>Instagram: @ida.b</table>",
        "<p><strong>Mila Vento</strong></p><p>Realism</p><p>Instagram @mila.v</p><p><strong>Jan Holt</strong></p><p>Instagram @janholt</p>\
         <p><strong>Ida Berg</strong></p><p>Piercer</p><p>Instagram @ida.b</p>",
        "<dl><dt>Mila Vento<dd>Realism<dd>Instagram @mila.v<dt>Jan Holt<dd>Instagram @janholt<dt>Ida Berg<dd>Piercer<dd>Instagram @ida.b</dl>",
    ] {
        assert_eq!(people(body), [mila.clone(), jan.clone(), ida.clone()], "{body}");
    }
}

#[test]
fn bold_labels_and_columns_of_links_are_nobody() {
    let labels = "<p><b>Rates</b></p><p>90 an hour @ink.house</p><p><b>Walk-Ins</b></p><p>On Fridays <a href=/x>more</a></p>";
    let menu = "<table><tr><td><b>Ink House</b><td><a href=/a>Roses</a><br><a href=/b>Panthers</a><br><a href=/c>Anchors</a></table>";
    let repeated = "<dl><dt>Panther<dd>a <a href=/1>b</a><dt>Panther<dd>a <a href=/2>b</a></dl>";
    for body in [labels, menu, repeated] {
        assert_eq!(people(body), [], "{body}");
    }
}

#[test]
fn names_are_told_from_headings() {
    let styles = Styles::standard();
    for text in
        ["Mila Vento", "Lola.ink", "shezi_tattoo", "Ana de la Cruz", "JOHN O'NEILL", "Олена Коваль", "Big Tony", "Kasper Brandt Tattoo"]
    {
        assert!(name_like(text, &styles), "{text}");
    }
    for text in [
        "Our Services",
        "Custom Tattoos",
        "Blackwork",
        "Book now",
        "Opening hours",
        "Fine Line Tattoo",
        "What to expect",
        "Contact",
        "Professional Piercer",
        "12:00",
        "Get in touch",
    ] {
        assert!(!name_like(text, &styles), "{text}");
    }
    assert_eq!(name_in("Mila Vento – Tattoo Artist", &styles).as_deref(), Some("Mila Vento"));
    assert_eq!(name_in("Mila Vento (@mila.ink)", &styles).as_deref(), Some("Mila Vento"));
    assert_eq!(name_in("Design – from idea to skin", &styles), None);
}

#[test]
fn captions_and_accordions_are_cards() {
    let mila = ("Mila Vento".to_owned(), vec!["mila.v".to_owned()], false);
    let jan = ("Jan “Kruk” Holt".to_owned(), vec!["janholt".to_owned()], false);
    let ida = ("Ida".to_owned(), vec!["ida.b".to_owned()], true);
    for body in [
        "<div><figure><img src=m.jpg><figcaption><strong>Mila Vento</strong> – realism – insta: @mila.v</figcaption></figure></div>\
         <div><div><figure><img src=j.jpg><figcaption><b>Jan “Kruk” Holt</b>, dotwork, @janholt</figcaption></figure></div></div>\
         <figure><img src=i.jpg><figcaption><b>Ida</b>: piercer, @ida.b</figcaption></figure>",
        "<details><summary>Mila Vento</summary><p>Instagram: @mila.v</p></details><details><summary>Jan “Kruk” Holt</summary><p>@janholt</p></details>\
         <h2>Apprentice</h2><details><summary>Ida</summary><p>Draws and is not tattooing yet. @ida.b</p></details>",
    ] {
        assert_eq!(people(body), [mila.clone(), jan.clone(), ida.clone()], "{body}");
    }
    assert_eq!(people("<p><b>Mila</b> answers the phone @mila.v</p><p><b>Jan</b> brews the coffee @jan.h</p>"), []);
}

#[test]
fn headings_above_cards_are_nobody_and_say_who_is_a_guest() {
    let card = |name: &str, handle: &str| {
        format!("<div><img src={handle}.jpg><h4>{name}</h4><p>Florals</p><a href=https://instagram.com/{handle}>@{handle}</a></div>")
    };
    let body = format!(
        "<section><h3>Lisbon</h3><div>{}{}</div></section><section><h3>Visiting</h3><div>{}</div></section>",
        card("Mila Vento", "mila.v"),
        card("Jan Holt", "janholt"),
        card("Ida Berg", "ida.b")
    );
    let names: Vec<(String, bool)> = people(&body).into_iter().map(|(name, _, other)| (name, other)).collect();
    assert_eq!(names, [("Mila Vento".into(), false), ("Jan Holt".into(), false), ("Ida Berg".into(), true)]);
}

#[test]
fn people_a_theme_came_with_are_nobody() {
    let card = |name: &str, link: &str| {
        format!("<div class=team-item><img src=x.jpg><h4>{name}</h4><p>Tattoo Artist</p><a href='{link}'><i class=ig></i></a></div>")
    };
    let theme = format!(
        "<h2>Team Members</h2><div>{}{}{}</div>",
        card("Full Name", "#"),
        card("Jonathan Doe", "#"),
        card("Emily Stone Carter", "https://www.instagram.com/")
    );
    assert_eq!(people(&theme), []);
    let kept = format!("{theme}{}", card("Mila Vento", "https://instagram.com/mila.v"));
    assert_eq!(people(&kept), [("Mila Vento".to_owned(), vec!["mila.v".to_owned()], false)]);
}

#[test]
fn the_title_of_a_site_is_nobody() {
    let head = "<header><p class=site-title><a href=/>Inkwright</a></p></header><p>Custom tattooing</p><p>@ink.wright</p>";
    assert_eq!(people(head), []);
}

#[test]
fn nicknames_are_told_from_quotations() {
    for (text, bare) in [
        ("Guadalupe \"Lupe\" Reyes", Some("Guadalupe Reyes")),
        ("Halina „Sowa” Brzoza", Some("Halina Brzoza")),
        ("Ana «La Rubia» Gil", Some("Ana Gil")),
        ("Fenna (Fen) Oster", Some("Fenna Oster")),
        ("Fenna Oster (she/her)", None),
        ("“Best shop in town”", None),
        ("Sean O'Neill", None),
        ("He said “never again” and left", None),
    ] {
        assert_eq!(without_nickname(text).as_deref(), bare, "{text}");
    }
}
