//! Puts a web together: people into studios, studios into sites, changes into a later state.

use std::collections::HashMap;

use super::cast::{self, Plan};
use super::dice::Dice;
use super::people::{Person, Register, Role};
use super::site::{self, Layout};
use super::words::{Lang, Words};
use super::{DemoArtist, DemoChanges, DemoWeb, Fate};

/// A studio with its people.
#[derive(Debug, Clone)]
pub(super) struct Studio {
    pub plan: Plan,
    /// Instagram handle of the shop.
    pub handle: String,
    /// Residents in the order of the team page, then piercer, guest or former resident.
    pub people: Vec<Person>,
}

impl Studio {
    pub(super) fn words(&self) -> &'static Words {
        self.plan.place.lang.words()
    }

    pub(super) fn residents(&self) -> impl Iterator<Item = &Person> {
        self.people.iter().filter(|person| person.role == Role::Resident)
    }

    pub(super) fn with_role(&self, role: Role) -> impl Iterator<Item = &Person> {
        self.people.iter().filter(move |person| person.role == role)
    }
}

/// A web of these studios; `roaster` adds the site that is no studio.
pub(super) fn web(plans: Vec<Plan>, seed: u64, roaster: bool) -> DemoWeb {
    let mut dice = Dice::new(seed);
    let mut register = Register::default();
    let studios = plans.into_iter().map(|plan| staffed(plan, &mut register, &mut dice)).collect();
    let roasters = if roaster { (0..3).map(|_| register.draw(&mut dice, Lang::English, Role::Guest)).collect() } else { Vec::new() };
    assemble(seed, studios, roasters, DemoChanges::default())
}

fn staffed(plan: Plan, register: &mut Register, dice: &mut Dice) -> Studio {
    let lang = plan.place.lang;
    let mut people: Vec<Person> = (0..plan.residents).map(|_| register.draw(dice, lang, Role::Resident)).collect();
    if plan.layout == Layout::OwnSites {
        for person in &mut people {
            person.own_host = Some(format!("{}.example", person.slug));
        }
    }
    if let Some(last) = people.last_mut() {
        if plan.last_refused {
            last.fate = Fate::RefusedByRobots;
        } else if plan.last_oversized {
            last.fate = Fate::DeadLetter;
        }
    }
    let mut handle = plan.host.trim_end_matches(".example").replace('-', "");
    handle.push_str(".inkdemo");
    if plan.layout == Layout::Solo {
        // A shop of one person has one account, and it is that person's.
        for person in &mut people {
            person.handle = Some(handle.clone());
        }
    }
    let extra = match plan.layout {
        Layout::JsonLd | Layout::Cards => Some(Role::Piercer),
        Layout::Pages => Some(Role::Guest),
        Layout::OnePage | Layout::Table => Some(Role::Former),
        _ => None,
    };
    people.extend(extra.map(|role| {
        let mut person = register.draw(dice, lang, role);
        register.ensure_handle(dice, &mut person);
        person
    }));
    Studio { plan, handle, people }
}

fn assemble(seed: u64, studios: Vec<Studio>, roasters: Vec<Person>, changes: DemoChanges) -> DemoWeb {
    let mut sites: Vec<_> = studios.iter().enumerate().flat_map(|(index, studio)| site::sites_of(index, studio)).collect();
    if !roasters.is_empty() {
        sites.push(site::roaster(cast::ROASTER_HOST, cast::ROASTER_NAME));
    }
    let by_host: HashMap<String, usize> = sites.iter().enumerate().map(|(index, site)| (site.host.clone(), index)).collect();
    let artists = studios.iter().flat_map(artists_of).collect();
    DemoWeb { seed, studios, roasters, sites, by_host, artists, changes }
}

fn artists_of(studio: &Studio) -> Vec<DemoArtist> {
    studio
        .residents()
        .filter(|person| !person.page_gone)
        .map(|person| DemoArtist {
            name: person.name.clone(),
            studio: studio.plan.name.clone(),
            instagram: person.handle.clone(),
            city: studio.plan.place.city.to_owned(),
            country: studio.plan.place.country.to_owned(),
            styles: person.styles.iter().map(|style| style.canonical.to_owned()).collect(),
            bio: person.bio.clone(),
            page: page_of(studio, person),
            fate: person.fate,
        })
        .collect()
}

fn page_of(studio: &Studio, person: &Person) -> String {
    let plan = &studio.plan;
    if let Some(host) = &person.own_host {
        return format!("http://{host}/");
    }
    let path = site::person_path(studio, person).unwrap_or_else(|| match plan.layout {
        Layout::Solo | Layout::OnePage => "/".to_owned(),
        layout => site::plain_path(layout, studio, site::Content::Team),
    });
    format!("http://{}{path}", plan.host)
}

/// See [`DemoWeb::with_changes`].
pub(super) fn changed(web: &DemoWeb, day: u32) -> DemoWeb {
    const BACK_ON_DAY: u32 = 10;
    let mut studios = web.studios.clone();
    let mut changes = DemoChanges::default();
    if day == 0 {
        return web.clone();
    }
    if day < BACK_ON_DAY
        && let Some(studio) = first_with(&mut studios, Layout::Cards)
        && !studio.people.is_empty()
    {
        changes.left = Some(studio.people.remove(0).name);
    }
    if let Some(studio) = first_with(&mut studios, Layout::JsonLd)
        && let Some(person) = studio.people.first_mut()
    {
        let sentence = "New this spring: two open days every month.".to_owned();
        person.bio = format!("{} {sentence}", person.bio);
        changes.bio_changed = Some((person.name.clone(), sentence));
    }
    if let Some(studio) = first_with(&mut studios, Layout::JsonLd)
        && let Some(person) = studio.people.iter_mut().skip(1).find(|person| person.handle.is_some() && person.own_host.is_none())
    {
        changes.handle_gone = person.handle.take().map(|handle| (person.name.clone(), handle));
    }
    if let Some(studio) = first_with(&mut studios, Layout::Pages)
        && let Some(mut person) = studio.people.first().cloned()
    {
        changes.page_gone = Some((person.name.clone(), page_of(studio, &person)));
        person.page_gone = true;
        studio.people[0] = person;
    }
    if let Some(studio) = first_with(&mut studios, Layout::OnePage) {
        let joined = newcomer(web, studio.plan.place.lang);
        changes.joined = Some(joined.name.clone());
        let end = studio.residents().count();
        studio.people.insert(end, joined);
    }
    assemble(web.seed, studios, web.roasters.clone(), changes)
}

fn first_with(studios: &mut [Studio], layout: Layout) -> Option<&mut Studio> {
    studios.iter_mut().find(|studio| studio.plan.layout == layout)
}

/// Somebody whose name and handle nobody in the web has.
fn newcomer(web: &DemoWeb, lang: Lang) -> Person {
    let mut register = Register::default();
    for person in web.studios.iter().flat_map(|studio| &studio.people).chain(&web.roasters) {
        register.take(person);
    }
    let mut dice = Dice::new(web.seed ^ 0x6a6f_696e_6564);
    let mut person = register.draw(&mut dice, lang, Role::Resident);
    register.ensure_handle(&mut dice, &mut person);
    person
}

/// See [`DemoWeb::studio_file`].
pub(super) fn studio_file(web: &DemoWeb) -> String {
    use std::fmt::Write;
    let mut file = String::from("# Studios of the made-up web.\n");
    let mut entry = |name: &str, host: &str, place: &str, extra: &str| {
        // Writing into a String cannot fail.
        let _ = write!(file, "- name: \"{name}\"\n  website: http://{host}/\n  place: \"{place}\"\n{extra}");
    };
    for (index, studio) in web.studios.iter().enumerate() {
        let plan = &studio.plan;
        let place = format!("{}, {}", plan.place.city, plan.place.country_written);
        // Not every source knows coordinates or a place id, so every third studio has neither.
        let extra = match index % 3 {
            0 => {
                format!("  lat: {:.4}\n  lon: {:.4}\n  place_id: demo-place-{:04}\n", plan.place.latitude, plan.place.longitude, index + 1)
            }
            1 => format!("  lat: {:.4}\n  lon: {:.4}\n", plan.place.latitude, plan.place.longitude),
            _ => String::new(),
        };
        entry(&plan.name, &plan.host, &place, &extra);
    }
    if !web.roasters.is_empty() {
        entry(cast::ROASTER_NAME, cast::ROASTER_HOST, "Bristol, UK", "");
    }
    file
}
