//! People whom no link leads to are found by the sitemap that robots.txt names, and once a night is enough.

use crate::support::folder_web::FolderWeb;
use crate::support::ledger::{report_of, searchable};
use crate::support::world::{World, run_night};
use inkdex::demo::DemoWeb;

const SEED: u64 = 12;

fn page(title: &str, body: &str) -> String {
    format!("<!doctype html><title>{title}</title><h1>{title}</h1>{body}")
}

fn crew(names: &[&str]) -> String {
    let card = |name: &&str| format!("<div class=artist><img src=/{}.jpg><h3>{name}</h3><p>Tattoo artist, blackwork</p></div>", name.len());
    page("Our artists", &names.iter().map(card).collect::<String>())
}

/// C: a list that only the sitemap names is read every night; while the sitemap fails nobody retires, and who leaves the list does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_only_the_sitemap_names_is_read() {
    let mut world = World::of(DemoWeb::generate_sized(SEED, 1, 1)).await;
    let web = FolderWeb::instead_of(&mut world).await;
    let host = world.web.sites()[0].host.clone();
    web.take_down(&host);
    let map = |path: &str| format!("<urlset><url><loc>http://{host}{path}</loc></url></urlset>");
    web.put(
        &host,
        "index.html",
        &page("Grey Heron Tattoo Studio", "<p>Our tattoo studio in Porto, Portugal.</p><p>Enter with your eyes.</p>"),
    );
    web.put(&host, "hidden/our-artists.html", &crew(&["Bo Marchbank", "Cleo Tidewater"]));
    web.put(&host, "robots.txt", &format!("User-agent: *\nAllow: /\nSitemap: http://{host}/map.xml\n"));
    web.put(&host, "map.xml", &map("/hidden/our-artists.html"));
    let app = world.start().await;
    let first = run_night(&app, &world, 1).await;
    assert_eq!(searchable(&app.ports).await, ["Bo Marchbank", "Cleo Tidewater"]);
    let requests = report_of(&app.ports, &first.id).await.requests;
    assert_eq!(requests, 4, "robots.txt, the first page, the sitemap, the list");

    // Whatever the site answers in its place is no list without people.
    for (night, broken) in [(2, ""), (3, "<urlset>"), (4, "<html>")] {
        web.put(&host, "map.xml", broken);
        run_night(&app, &world, night).await;
        assert_eq!(searchable(&app.ports).await, ["Bo Marchbank", "Cleo Tidewater"], "night {night}");
    }
    web.put(&host, "map.xml", &map("/hidden/our-artists.html"));
    web.put(&host, "hidden/our-artists.html", &crew(&["Cleo Tidewater"]));
    for night in 5..=7 {
        run_night(&app, &world, night).await;
    }
    assert_eq!(searchable(&app.ports).await, ["Cleo Tidewater"]);
    app.stop().await;
}
