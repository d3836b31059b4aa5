//! Requests to the Writer as a scrape makes them: what an invented artist's own site says.

use inkdex::domain::clock::Timestamp;
use inkdex::domain::facts::{Evidence, Fact, Source, SourceFacts};
use inkdex::domain::identity::canonical_site;
use inkdex::domain::ids::{JobId, SessionId};
use inkdex::domain::job::{Attempt, Stage, Usage};
use inkdex::domain::place::Basis;
use inkdex::jobs::write_artist::{SourceReading, WriteArtist};
use url::Url;

const CITIES: [(&str, &str); 5] = [("Berlin", "DE"), ("London", "GB"), ("Lisbon", "PT"), ("Osaka", "JP"), ("Portland", "US")];
const STYLES: [&str; 6] = ["blackwork", "fine-line", "traditional", "realism", "japanese", "dotwork"];

/// A request that writes the artist `number` as they are at their `edition`th change.
pub fn request(number: usize, edition: usize, now: Timestamp) -> WriteArtist {
    let site = Url::parse(&format!("https://artist-{number}.example/")).expect("a URL of ours");
    let evidence =
        || Evidence { page: site.clone(), extractor: "figures".to_owned(), confidence: 0.9, observed_at: now, basis: Basis::Printed };
    let fact = |value: String| Fact { value, evidence: evidence() };
    let (city, country) = CITIES[number % CITIES.len()];
    let facts = SourceFacts {
        name: Some(fact(format!("Figure {} {number}", STYLES[number % STYLES.len()]))),
        city: Some(fact(city.to_owned())),
        country: Some(fact(country.to_owned())),
        instagram: Some(fact(format!("figure.{number}"))),
        styles: vec![fact(STYLES[number % STYLES.len()].to_owned()), fact(STYLES[(number + 1) % STYLES.len()].to_owned())],
        bio: Some(fact(format!("Drawn by hand, changed {edition} times. One needle, no hurry, and a day a week for what others began."))),
        pages: vec![site.clone()],
        own_site: Some(site.clone()),
        ..SourceFacts::default()
    };
    let job_id = JobId::new(format!("figure-{number}-{edition}"));
    let attempt = Attempt {
        job_id: job_id.clone(),
        generation: 1,
        number: 1,
        fence: now,
        owner: "figures".to_owned(),
        build: "figures".to_owned(),
        stage: Stage::Started,
        artist_ids: Vec::new(),
        ended_at: None,
        outcome: None,
        usage: Usage::default(),
    };
    let source = SourceReading { source: Source::OwnSite(canonical_site(&site)), facts, own_page: true, answered: vec![site] };
    WriteArtist { job_id, session_id: SessionId::new("figures"), attempt, sources: vec![source] }
}
