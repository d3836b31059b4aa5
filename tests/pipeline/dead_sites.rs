//! Artists whose own sites are gone, refused or broken: they are written from the pages of the studio that names them.

use crate::support::ledger::{row_of, scrape_of, searchable};
use crate::support::world::{World, run, run_night};
use inkdex::demo::{DemoWeb, SiteKind};
use inkdex::domain::facts::Source;
use inkdex::domain::outcome::Done;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const SEED: u64 = 41;

/// A server that answers every request with `answer` and hangs up; it ends with the test's runtime.
async fn answering(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 4_096];
                // Whoever hangs up first is answered nothing.
                if stream.read(&mut request).await.is_ok() {
                    let _ = stream.write_all(answer.as_bytes()).await;
                }
            });
        }
    });
    address
}

const GONE: &str = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const BROKEN: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/pdf\r\ncontent-length: 4\r\nconnection: close\r\n\r\n%PDF";
const ALL_REFUSED: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 25\r\nconnection: close\r\n\r\nUser-agent: *\nDisallow: /";

/// The hosts and names of artists with sites of their own.
fn with_own_sites(web: &DemoWeb) -> Vec<(String, String)> {
    let portfolio = |host: &str| web.sites().iter().any(|site| site.kind == SiteKind::Portfolio && site.host == host);
    let own = web.artists().iter().filter_map(|artist| {
        let host = artist.page.trim_start_matches("http://").split('/').next().unwrap_or_default();
        portfolio(host).then(|| (host.to_owned(), artist.name.clone()))
    });
    own.collect()
}

fn send_to(world: &mut World, host: &str, address: SocketAddr) {
    let mapped = world.config.fetch.hosts.iter_mut().find(|mapped| mapped.host == host).unwrap();
    (mapped.address, mapped.port) = (address.ip(), address.port());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_site_of_their_own_keeps_nobody_out() {
    let mut world = World::of(DemoWeb::generate(SEED)).await;
    let artists = with_own_sites(&world.web);
    // The empty answer is a connection that breaks: tried again as often as any transient failure, then given up.
    let answers = [("", 4), (GONE, 0), (BROKEN, 0), (ALL_REFUSED, 0)];
    let cases: Vec<_> = artists.iter().zip(answers.iter().cycle()).collect();
    assert!(cases.len() >= 2, "{artists:?}");
    for ((host, _), (answer, _)) in &cases {
        let address = answering(answer).await;
        send_to(&mut world, host, address);
    }
    let app = world.start().await;
    let session = run(&app).await;
    for ((host, name), (answer, counted)) in cases {
        let job = scrape_of(app.ports.store.as_ref(), &session.id, name).await;
        let site = format!("{name}, whose site answers {answer:?}");
        // On a loaded machine an attempt may lose its lease after it wrote; the next one finds that written.
        let expected = if job.attempts > *counted + 1 { vec![Done::Written, Done::Unchanged] } else { vec![Done::Written] };
        assert!(job.done().is_some_and(|how| expected.contains(&how)), "{site}: {job:?}");
        assert_eq!(job.counted, *counted, "{site}: {job:?}");
        let record = row_of(app.ports.store.as_ref(), name).await;
        let site = record.live().unwrap().own_site.as_ref().and_then(|site| site.host_str());
        assert_eq!(site, Some(host.as_str()), "the studio's link to it is still known");
        assert!(searchable(&app.ports).await.contains(name), "{name}");
    }
    app.stop().await;
}

/// Rule 11: night after night the site is missed, and the studio still names the artist: they stay, without what the site said.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_lost_a_site_of_their_own_stays_while_the_studio_names_them() {
    let mut world = World::of(DemoWeb::generate(SEED)).await;
    let (host, name) = with_own_sites(&world.web).remove(0);
    let app = world.start().await;
    run_night(&app, &world, 1).await;
    let met = row_of(app.ports.store.as_ref(), &name).await;
    app.stop().await;

    let address = answering(GONE).await;
    send_to(&mut world, &host, address);
    let app = world.start().await;
    for night in 2..=4 {
        run_night(&app, &world, night).await;
        let row = row_of(app.ports.store.as_ref(), &name).await;
        assert_eq!(row.id, met.id);
        let sightings = app.ports.store.sightings_of(&row.id).await.unwrap();
        let gone: Vec<(bool, u32)> = sightings.iter().map(|seen| (matches!(seen.source, Source::OwnSite(_)), seen.gone)).collect();
        assert!(gone.contains(&(true, night - 1)) && gone.contains(&(false, 0)), "night {night}: {gone:?}");
        assert!(searchable(&app.ports).await.contains(&name), "night {night}");
        // What the site said stays until it was gone twice; then only the studio's word counts.
        let evidence = app.ports.store.evidence_of(&row.id).await.unwrap();
        let from_site = evidence.iter().any(|row| matches!(row.source, Source::OwnSite(_)));
        let shown = row.live().unwrap().pages.iter().any(|page| page.host_str() == Some(&host));
        assert_eq!((from_site, shown), (night < 3, night < 3), "night {night}");
    }
    app.stop().await;
}
