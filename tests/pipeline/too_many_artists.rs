//! A studio whose list of artists a script made: nobody of it is believed, and an operator reads why.

use crate::support::folder_web::FolderWeb;
use crate::support::ledger::{jobs_of, report_of, searchable, subject};
use crate::support::world::{World, run};
use inkdex::demo::DemoWeb;
use inkdex::domain::job::JobKind;
use inkdex::domain::outcome::Category;
use inkdex::extract::MAX_MEMBERS;

const SEED: u64 = 5;

/// A heading and this many cards.
fn list(people: usize) -> String {
    let letter = |at: usize| char::from(b'a' + u8::try_from(at % 26).unwrap());
    let card = |at: usize| {
        let name = format!("Mila V{}{}{}", letter(at), letter(at / 26), letter(at / 676));
        format!("<div class=artist><img src=/{at}.jpg><h3>{name}</h3><p>Resident tattoo artist, fine line</p></div>")
    };
    format!("<h2>Our artists</h2>{}", (0..people).map(card).collect::<String>())
}

/// Hundreds of artists made by a script, and one more than a shop may have, are dead letters that name the
/// rule; the studios beside them are read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_generated_list_is_a_dead_letter_that_says_so() {
    let mut world = World::of(DemoWeb::generate_sized(SEED, 3, 2)).await;
    let web = FolderWeb::instead_of(&mut world).await;
    let artists = world.web.artists();
    let host = |page: &str| page.trim_start_matches("http://").split('/').next().unwrap_or_default().to_owned();
    let hosts: Vec<String> = artists.iter().step_by(2).map(|artist| host(&artist.page)).collect();
    for (host, people) in hosts.iter().zip([400, MAX_MEMBERS + 1]) {
        web.put(
            host,
            "index.html",
            &format!(
                "<!doctype html><title>Harbour Tattoo Studio</title><h1>Harbour Tattoo Studio</h1><p>Our tattoo studio in Porto, Portugal.</p>{}",
                list(people)
            ),
        );
    }
    let app = world.start().await;
    let session = run(&app).await;
    let jobs = jobs_of(app.ports.store.as_ref(), &session.id).await;
    for host in &hosts[..2] {
        let job = jobs.iter().find(|job| job.kind() == JobKind::FindArtists && job.new.host.as_ref() == Some(host)).unwrap();
        let reason = job.death().unwrap_or_else(|| panic!("{host} is no dead letter: {job:?}"));
        assert_eq!((reason.category, reason.code.as_str()), (Category::Data, "too_many_artists"));
        assert!(reason.message.contains("MAX_MEMBERS") && reason.message.contains(host.as_str()), "{}", reason.message);
    }
    let mut expected: Vec<String> =
        artists.iter().filter(|artist| host(&artist.page) == hosts[2]).map(|artist| artist.name.clone()).collect();
    expected.sort();
    assert_eq!(searchable(&app.ports).await, expected);
    assert!(jobs.iter().filter_map(subject).all(|name| !name.starts_with("Mila V")), "nobody of the lists was queued");
    assert_eq!(report_of(&app.ports, &session.id).await.dead_by_reason.get("too_many_artists"), Some(&2));
    app.stop().await;
}
