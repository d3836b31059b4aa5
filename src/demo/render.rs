//! From the model of a site to HTML: one askama template a layout, all fed by the same [`Page`].

use askama::Template;
use serde_json::{Value, json};

use super::build::Studio;
use super::people::{Person, Role};
use super::prose::Prose;
use super::site::{self, Content, DemoSite, Layout};
use super::words::{Lang, Words};
use super::{DemoWeb, Fate};

/// One style sheet for all: looks are in the markup, as only machines read these pages.
pub(super) const STYLE_SHEET: &str = include_str!("templates/style.css");

/// Old sites have a guest book that has long been gone; the tables' menu links to it.
pub(super) const GUESTBOOK_PATH: &str = "/guestbook.htm";

/// How many times a page builder's two wrappers stand inside each other on the page beyond the budget:
/// 2,400 levels, where 512 are allowed.
const OVERSIZED_WRAPPERS: usize = 1_200;

/// What templates see of a page.
struct Page<'a> {
    t: &'static Words,
    content: Content,
    site_name: &'a str,
    studio_name: &'a str,
    studio_url: String,
    studio_handle: &'a str,
    email: String,
    street: &'a str,
    locality: &'a str,
    city: &'a str,
    country: &'a str,
    phone: &'a Option<String>,
    url: String,
    nav: Vec<Link>,
    /// Residents; on a portfolio site or a page of one person only that person.
    cards: Vec<Card<'a>>,
    piercers: Vec<Card<'a>>,
    guests: Vec<Card<'a>>,
    formers: Vec<Card<'a>>,
    prose: Option<&'static Prose>,
    /// All style words the booking form offers.
    form_styles: Vec<&'static str>,
    json_ld: String,
    team_href: String,
    wrappers_open: String,
    wrappers_close: String,
}

impl Page<'_> {
    fn home(&self) -> bool {
        self.content == Content::Home
    }

    fn team(&self) -> bool {
        self.content == Content::Team
    }

    fn person(&self) -> bool {
        matches!(self.content, Content::Person(_))
    }

    fn guest_list(&self) -> bool {
        self.content == Content::Guests
    }

    fn works(&self) -> bool {
        self.content == Content::Works
    }

    fn contact(&self) -> bool {
        self.content == Content::Contact
    }
}

struct Link {
    href: String,
    label: &'static str,
}

/// What templates see of a person.
struct Card<'a> {
    name: &'a str,
    first: &'a str,
    slug: &'a str,
    handle: &'a Option<String>,
    styles: Vec<&'static str>,
    styles_line: String,
    bio: &'a str,
    /// Page of their own, on this site or another; empty if there is none.
    href: String,
    portrait: String,
    pictures: Vec<String>,
}

macro_rules! layouts {
    ($($name:ident = $path:literal,)*) => {
        $(
            #[derive(Template)]
            #[template(path = $path, config = "src/demo/askama.toml")]
            struct $name<'a> {
                p: &'a Page<'a>,
            }
        )*

        fn fill(layout: Layout, page: &Page<'_>) -> askama::Result<String> {
            match layout {
                $(Layout::$name => $name { p: page }.render(),)*
            }
        }
    };
}

layouts! {
    JsonLd = "json_ld.html",
    Cards = "cards.html",
    Pages = "pages.html",
    Solo = "solo.html",
    OwnSites = "own_sites.html",
    Table = "table.html",
    OnePage = "one_page.html",
    Microdata = "microdata.html",
    Portfolio = "portfolio.html",
    Roaster = "roaster.html",
}

/// The HTML of one page of a site.
pub(super) fn page(web: &DemoWeb, site: &DemoSite, content: Content, path: &str) -> askama::Result<String> {
    let view = match site.studio.map(|index| &web.studios[index]) {
        Some(studio) => studio_page(site, studio, content, path),
        None => roaster_page(web, site, content, path),
    };
    fill(site.layout, &view)
}

fn studio_page<'a>(site: &'a DemoSite, studio: &'a Studio, content: Content, path: &str) -> Page<'a> {
    let words = studio.words();
    let shown = match content {
        Content::Person(at) => Some(at),
        _ => site.person,
    };
    let residents: Vec<&Person> = match shown {
        Some(at) => vec![&studio.people[at]],
        None => studio.residents().collect(),
    };
    let cards: Vec<Card<'_>> = residents.into_iter().map(|person| card(studio, person)).collect();
    let others = |role| studio.with_role(role).map(|person| card(studio, person)).collect();
    let plan = &studio.plan;
    let mut page = Page {
        t: words,
        content,
        site_name: &site.name,
        studio_name: &plan.name,
        studio_url: format!("http://{}/", plan.host),
        studio_handle: &studio.handle,
        email: format!("hello@{}", site.host),
        street: &plan.street,
        locality: &plan.locality,
        city: plan.place.city,
        country: plan.place.country_name,
        phone: &plan.phone,
        url: format!("http://{}{path}", site.host),
        nav: nav(site, words, plan.place.lang),
        cards,
        piercers: others(Role::Piercer),
        guests: others(Role::Guest),
        formers: others(Role::Former),
        prose: match content {
            Content::Prose(topic) => Some(topic.prose(plan.place.lang)),
            _ => None,
        },
        form_styles: form_styles(plan.place.lang),
        json_ld: String::new(),
        team_href: site::plain_path(site.layout, studio, Content::Team),
        wrappers_open: String::new(),
        wrappers_close: String::new(),
    };
    if let Content::Person(at) = content
        && studio.people[at].fate == Fate::DeadLetter
    {
        page.wrappers_open = "<div class=\"pb-row\"><div class=\"pb-col\">\n".repeat(OVERSIZED_WRAPPERS);
        page.wrappers_close = "</div></div>\n".repeat(OVERSIZED_WRAPPERS);
    }
    if site.layout == Layout::JsonLd {
        page.json_ld = json_ld(studio, &page);
    }
    page
}

fn roaster_page<'a>(web: &'a DemoWeb, site: &'a DemoSite, content: Content, path: &str) -> Page<'a> {
    let people = web.roasters.iter().map(|person| Card {
        name: &person.name,
        first: first_name(&person.name),
        slug: &person.slug,
        handle: &person.handle,
        styles: Vec::new(),
        styles_line: String::new(),
        bio: "",
        href: String::new(),
        portrait: format!("/img/{}.jpg", person.slug),
        pictures: Vec::new(),
    });
    Page {
        t: Lang::English.words(),
        content,
        site_name: &site.name,
        studio_name: &site.name,
        studio_url: site.entry(),
        studio_handle: "kettleandgrain.inkdemo",
        email: format!("hello@{}", site.host),
        street: "Unit 6, Sugar Wharf",
        locality: "Bristol BS1 9ZZ",
        city: "Bristol",
        country: "United Kingdom",
        phone: &None,
        url: format!("http://{}{path}", site.host),
        nav: Vec::new(),
        cards: people.collect(),
        piercers: Vec::new(),
        guests: Vec::new(),
        formers: Vec::new(),
        prose: None,
        form_styles: Vec::new(),
        json_ld: String::new(),
        team_href: String::new(),
        wrappers_open: String::new(),
        wrappers_close: String::new(),
    }
}

fn first_name(name: &str) -> &str {
    name.split(' ').next().unwrap_or(name)
}

fn card<'a>(studio: &'a Studio, person: &'a Person) -> Card<'a> {
    let lang = studio.plan.place.lang;
    let styles: Vec<&'static str> = person.styles.iter().map(|style| style.wording(lang)).collect();
    let href = match &person.own_host {
        Some(host) => format!("http://{host}/"),
        None => site::person_path(studio, person).unwrap_or_default(),
    };
    Card {
        name: &person.name,
        first: first_name(&person.name),
        slug: &person.slug,
        handle: &person.handle,
        styles_line: styles.join(", "),
        styles,
        bio: &person.bio,
        href,
        portrait: format!("/img/team/{}.jpg", person.slug),
        pictures: (1..=person.pictures).map(|at| format!("/img/{}/{at:02}.jpg", person.slug)).collect(),
    }
}

fn nav(site: &DemoSite, words: &'static Words, lang: Lang) -> Vec<Link> {
    let label = |content| match content {
        Content::Home => Some(words.home),
        Content::Team => Some(words.artists),
        Content::Guests => Some(words.guests),
        Content::Works => Some(words.works),
        Content::Contact => Some(words.contact),
        Content::Prose(topic) => Some(topic.prose(lang).title),
        Content::Person(_) => None,
    };
    site.pages.iter().filter_map(|page| Some(Link { href: page.path.clone(), label: label(page.content)? })).collect()
}

fn form_styles(lang: Lang) -> Vec<&'static str> {
    super::styles::STYLES.iter().step_by(3).map(|style| style.wording(lang)).collect()
}

fn json_ld(studio: &Studio, page: &Page<'_>) -> String {
    let plan = &studio.plan;
    let shop = json!({
        "@type": "TattooParlor",
        "@id": format!("{}#shop", page.studio_url),
        "name": plan.name,
        "url": page.studio_url,
        "telephone": plan.phone,
        "sameAs": [format!("https://www.instagram.com/{}/", studio.handle)],
        "address": {
            "@type": "PostalAddress",
            "streetAddress": plan.street,
            "addressLocality": plan.place.city,
            "addressCountry": plan.place.country,
        },
        "geo": {
            "@type": "GeoCoordinates",
            "latitude": plan.place.latitude,
            "longitude": plan.place.longitude,
        },
    });
    let mut graph = vec![shop];
    if page.team() || page.person() {
        graph.extend(page.cards.iter().map(|card| person_ld(page, card, page.t.tattooer)));
    }
    if page.team() {
        graph.extend(page.piercers.iter().map(|card| person_ld(page, card, page.t.piercer)));
    }
    let text = json!({"@context": "https://schema.org", "@graph": graph}).to_string();
    // `</script>` inside a string would end the element.
    text.replace("</", "<\\/")
}

fn person_ld(page: &Page<'_>, card: &Card<'_>, job_title: &str) -> Value {
    let host = page.studio_url.trim_end_matches('/');
    let mut person = json!({
        "@type": "Person",
        "name": card.name,
        "jobTitle": job_title,
        "image": format!("{host}{}", card.portrait),
        "worksFor": {"@id": format!("{}#shop", page.studio_url)},
    });
    if job_title == page.t.tattooer {
        person["description"] = json!(card.bio);
        person["url"] = json!(format!("{host}{}", card.href));
        person["knowsAbout"] = json!(card.styles);
    }
    if let Some(handle) = card.handle {
        person["sameAs"] = json!([format!("https://www.instagram.com/{handle}/")]);
    }
    person
}
