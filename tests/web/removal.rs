//! Removal for good, as seen from outside (002-X7, rule 15).

use crate::support::http::TestWeb;
use crate::support::ports::sync_index;
use inkdex::domain::identity::IdentityKey;
use inkdex::domain::ids::ArtistId;

fn total(web: &TestWeb, query: &str) -> u64 {
    web.get(&format!("/v1/artists?{query}")).json()["total"].as_u64().expect("a count")
}

/// 002-X7: a removed person is returned by no interface, reads by id and handle at once.
#[test]
fn a_removed_artist_is_in_no_interface() {
    let web = TestWeb::seeded();
    let id = web.get("/v1/artists?instagram=ana.lima.ink").json()["artists"][0]["id"].as_str().expect("an id").to_owned();
    let target = format!("/admin/v1/artists/{id}:remove");
    assert_eq!(web.page(&format!("/artists/{id}")).status, 200);
    let removed = web.post(&target, r#"{"reason":"asked by letter"}"#);
    assert_eq!((removed.status, &removed.json()["removed"]), (200, &true.into()), "{}", removed.body);

    // By id and handle before the index knows.
    assert_eq!(web.get(&format!("/v1/artists/{id}")).json()["code"], "unknown_artist");
    assert_eq!(total(&web, "instagram=ana.lima.ink"), 0);
    let page = web.page(&format!("/artists/{id}"));
    assert_eq!((page.status, page.body.contains("Ana Lima")), (404, false));

    web.run(sync_index(&web.ports));
    assert_eq!(total(&web, "query=ana+lima"), 0);
    assert_eq!(total(&web, ""), 29);
    for answer in [web.page("/?limit=50"), web.get("/v1/artists?limit=50"), web.page("/?query=ana+lima"), web.get("/admin/v1/audit")] {
        assert!(
            !answer.body.contains(">Ana Lima<") && !answer.body.contains("ana.lima.ink") && !answer.body.contains("ana-lima"),
            "{}",
            answer.body
        );
    }
    let audit = web.get("/admin/v1/audit").json()["entries"][0].clone();
    assert_eq!(
        (&audit["verb"], &audit["target"], &audit["reason"]),
        (&"artist.remove".into(), &id.clone().into(), &"asked by letter".into())
    );
    assert_eq!(web.post(&target, "{}").status, 200, "repeating it is harmless");
    assert_eq!(web.post("/admin/v1/artists/artist-nobody:remove", "{}").json()["code"], "unknown_artist");
}

/// Rule 15: the denylist alone hides a row that still stands, whichever of its keys is listed.
#[test]
fn a_denied_key_hides_a_row_that_stands() {
    let web = TestWeb::seeded();
    let listed = |handle: &str| web.get(&format!("/v1/artists?instagram={handle}")).json()["artists"][0]["id"].as_str().unwrap().to_owned();
    let (by_handle, by_id) = (listed("yuki.nagi"), listed("hanaseo.line"));
    let handle = IdentityKey::instagram("yuki.nagi").expect("a handle");
    let hashes = [web.ports.deny.of_key(&handle), web.ports.deny.of_artist(&ArtistId::new(&by_id))];
    web.run(web.ports.store.deny(&hashes, web.ports.clock.now())).unwrap();
    for id in [by_handle, by_id] {
        assert_eq!(web.get(&format!("/v1/artists/{id}")).status, 404);
        assert_eq!(web.page(&format!("/artists/{id}")).status, 404);
    }
    assert_eq!(total(&web, "instagram=yuki.nagi"), 0);
    assert!(!web.page("/?instagram=yuki.nagi").body.contains("Yuki Tanabe"));
}
