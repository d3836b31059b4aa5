//! A handle that a studio shows as the shop's names nobody in it, whoever was read first (rule 9).

use crate::support::folder_web::FolderWeb;
use crate::support::world::{World, run};
use inkdex::demo::DemoWeb;
use inkdex::domain::artist::ArtistRow;
use inkdex::domain::identity::{IdentityKey, KeyState};
use inkdex::jobs::tell_apart::{ConflictKind, conflicts, give};

const SEED: u64 = 11;

fn page(title: &str, body: &str) -> String {
    format!("<!doctype html><title>{title}</title><h1>{title}</h1>{body}")
}

/// Somebody's own site shows the handle of the shop, and is read before the studio: they lose it, the conflict is listed, and
/// an operator may give it back for good.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_was_read_before_the_studio_loses_the_handle_of_the_shop() {
    let mut world = World::of(DemoWeb::generate_sized(SEED, 2, 1)).await;
    let web = FolderWeb::instead_of(&mut world).await;
    let host = |page: &str| page.trim_start_matches("http://").split('/').next().unwrap_or_default().to_owned();
    let hosts: Vec<String> = world.web.artists().iter().map(|artist| host(&artist.page)).collect();
    let (shop, own) = (hosts[0].clone(), hosts[1].clone());
    assert_ne!(shop, own);
    // The first night the shop has no list, and the artist's own site is all that names the handle.
    web.put(&shop, "index.html", &page("Grey Heron Tattoo", "<p>A tattoo studio in Porto, Portugal. We open soon.</p>"));
    let of_ana = "<p>I am Ana Quillfeather, a tattoo artist in Porto, Portugal. I tattoo fine line and blackwork.</p>\
                  <p><a href='https://instagram.com/greyheron.tattoo'>Instagram</a></p><img src=/work1.jpg alt='fine line tattoo'>";
    web.put(&own, "index.html", &page("Ana Quillfeather", of_ana));
    let app = world.start().await;
    run(&app).await;
    let store = app.ports.store.as_ref();
    let handle = IdentityKey::instagram("greyheron.tattoo").unwrap();
    let Some(KeyState::Held(ana)) = store.identity(&handle).await.unwrap() else { panic!("the handle is Ana's at first") };
    let handle_of_ana = async || {
        let row = store.artist(&ana).await.unwrap();
        row.as_ref().and_then(ArtistRow::live).unwrap().instagram.as_ref().map(|handle| handle.value.clone())
    };
    assert_eq!(handle_of_ana().await.as_deref(), Some("greyheron.tattoo"));

    let member = |name: &str, handle: &str| {
        format!(
            "<div class=artist><img src=/{handle}.jpg><h3>{name}</h3><p>Tattoo artist, blackwork</p><a href='https://instagram.com/{handle}'>@{handle}</a></div>"
        )
    };
    let crew = format!(
        "<p>Our tattoo studio in Porto, Portugal.</p><h2>Our artists</h2>{}{}<footer><a href='https://instagram.com/greyheron.tattoo'>Instagram</a></footer>",
        member("Bo Marchbank", "bo.marchbank"),
        member("Cleo Tidewater", "cleo.tidewater")
    );
    web.put(&shop, "index.html", &page("Grey Heron Tattoo", &crew));
    run(&app).await;
    assert_eq!(store.identity(&handle).await.unwrap(), Some(KeyState::Shared));
    assert_eq!(handle_of_ana().await, None, "she was read again, and has it no more");
    let listed = conflicts(store, 10).await.unwrap();
    assert_eq!(listed.iter().map(|one| (one.kind, &one.holder, &one.claimant)).collect::<Vec<_>>(), [(ConflictKind::Shared, &ana, &None)]);

    give(&app.ports, &listed[0].id, &ana, ("test", None)).await.unwrap();
    run(&app).await;
    assert_eq!(store.identity(&handle).await.unwrap(), Some(KeyState::Held(ana.clone())), "what an operator decided stands");
    assert_eq!(handle_of_ana().await.as_deref(), Some("greyheron.tattoo"));
    assert_eq!(conflicts(store, 10).await.unwrap(), []);
    app.stop().await;
}
