//! What is confirmed or corrected outranks all that is read, survives the nights, and says whose word it is.

use crate::support::folder_web::FolderWeb;
use crate::support::ledger::{row_of, rows, searchable};
use crate::support::world::{World, in_step, run_night};
use inkdex::app::App;
use inkdex::demo::DemoWeb;
use inkdex::domain::artist::{Artist, ArtistRow};
use inkdex::domain::facts::Confirmer;
use inkdex::domain::fields::Field;
use inkdex::domain::ids::ArtistId;
use inkdex::domain::keys::instagram_partition;
use inkdex::domain::place::Basis;
use inkdex::domain::removal_request::{About, AskedCorrection, NewRequest, RequestState, Wish};
use inkdex::jobs::correct_artist::{CorrectError, Saying, correct};
use inkdex::jobs::prove_request::Look;
use inkdex::jobs::removal_requests::{check, receive};

const SEED: u64 = 31;

async fn record(app: &App, id: &ArtistId) -> Artist {
    let row = app.ports.store.artist(id).await.unwrap();
    row.as_ref().and_then(ArtistRow::live).expect("a live row").clone()
}

async fn say(app: &App, id: &ArtistId, field: Field, saying: Saying) -> Result<(), CorrectError> {
    correct(&app.ports, id, Confirmer::Operator, field, &saying, ("test", None)).await
}

fn value(text: &str) -> Saying {
    Saying::Value(text.to_owned())
}

fn styles(record: &Artist) -> Vec<&str> {
    record.styles.iter().map(|style| style.value.as_str()).collect()
}

/// 006-7: a corrected field beats every page for as many nights as come, in row, keys and index; a set is one set; another name does not
/// make another person; and what is withdrawn follows the pages again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_operator_says_outranks_pages() {
    let world = World::of(DemoWeb::generate_sized(SEED, 2, 3)).await;
    let app = world.start().await;
    let ports = &app.ports;
    run_night(&app, &world, 1).await;
    let artist = world.web.artists().iter().find(|artist| artist.instagram.is_some()).unwrap();
    let row = row_of(ports.store.as_ref(), &artist.name).await;
    let (id, before) = (row.id.clone(), row.live().unwrap().clone());
    let everybody = searchable(ports).await.len();

    say(&app, &id, Field::Name, value("Quite Another")).await.unwrap();
    say(&app, &id, Field::Place, value("Porto, Portugal")).await.unwrap();
    say(&app, &id, Field::Styles, value("trash polka")).await.unwrap();
    say(&app, &id, Field::Instagram, value("@quite.another")).await.unwrap();
    say(&app, &id, Field::Bio, value("")).await.unwrap();
    say(&app, &id, Field::Studio, Saying::AsItIs).await.unwrap();
    in_step(&app).await;
    for number in 2..6 {
        let now = record(&app, &id).await;
        assert_eq!((now.name.value.as_str(), styles(&now)), ("Quite Another", vec!["trash-polka"]), "before night {number}");
        let place = (now.city.as_ref().map(|city| city.value.as_str()), now.country.as_ref().map(|country| country.value.as_str()));
        assert_eq!(place, (Some("Porto"), Some("PT")));
        assert_eq!((now.bio.as_ref(), now.studio.as_ref().map(|studio| &studio.value)), (None, before.studio.as_ref().map(|s| &s.value)));
        for evidence in [&now.name.evidence, &now.styles[0].evidence, &now.studio.as_ref().unwrap().evidence] {
            assert_eq!((evidence.extractor.as_str(), evidence.basis, evidence.confidence), ("operator", Basis::Confirmed, 1.0));
        }
        let said: Vec<Field> = now.confirmed.keys().copied().collect();
        assert_eq!(said, [Field::Name, Field::Studio, Field::Place, Field::Instagram, Field::Styles, Field::Bio]);
        assert!(now.confirmed.values().all(|by| *by == Confirmer::Operator));
        // What was not said is still read.
        assert_eq!(now.pages, before.pages);
        let by_handle = ports.store.by_instagram(&instagram_partition("quite.another")).await.unwrap();
        assert_eq!(by_handle.map(|row| row.id), Some(id.clone()));
        assert!(ports.store.by_instagram(&instagram_partition(artist.instagram.as_deref().unwrap())).await.unwrap().is_none());
        let names = searchable(ports).await;
        assert_eq!((names.len(), names.contains(&"Quite Another".to_owned()), names.contains(&artist.name)), (everybody, true, false));
        assert_eq!(rows(ports.store.as_ref()).await.len(), everybody, "nobody was split in two");
        run_night(&app, &world, number).await;
    }
    for field in [Field::Name, Field::Studio, Field::Place, Field::Instagram, Field::Styles, Field::Bio] {
        say(&app, &id, field, Saying::Withdrawn).await.unwrap();
    }
    let after = record(&app, &id).await;
    assert_eq!(after.content_hash(), before.content_hash());
    assert!(matches!(say(&app, &id, Field::Bio, Saying::Withdrawn).await, Err(CorrectError::NothingSaid("bio"))));
    run_night(&app, &world, 6).await;
    in_step(&app).await;
    assert!(searchable(ports).await.contains(&artist.name));
    app.stop().await;
}

/// What cannot be said is refused by name, and changes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_said_is_refused() {
    let world = World::of(DemoWeb::generate_sized(SEED, 1, 3)).await;
    let app = world.start().await;
    run_night(&app, &world, 1).await;
    let people: Vec<_> = world.web.artists().iter().filter(|artist| artist.instagram.is_some()).collect();
    let [one, other, ..] = people.as_slice() else { panic!("two people with handles") };
    let store = app.ports.store.as_ref();
    let (one, other_row) = (row_of(store, &one.name).await, row_of(store, &other.name).await);
    let taken = say(&app, &one.id, Field::Instagram, value(other.instagram.as_deref().unwrap())).await;
    assert!(matches!(&taken, Err(CorrectError::Taken { holder, .. }) if *holder == other_row.id), "{taken:?}");
    assert!(matches!(say(&app, &one.id, Field::Styles, value("glitter")).await, Err(CorrectError::Bad(_))));
    assert!(matches!(say(&app, &one.id, Field::Images, Saying::AsItIs).await, Err(CorrectError::Bad(_))));
    assert!(matches!(say(&app, &one.id, Field::OwnSite, Saying::AsItIs).await, Err(CorrectError::NothingKnown("site"))));
    let nobody = ArtistId::new("artist-nobody");
    assert!(matches!(say(&app, &nobody, Field::Name, value("Ana")).await, Err(CorrectError::Unknown(_))));
    assert_eq!(store.artist(&one.id).await.unwrap().unwrap(), one, "nothing was written");
    // A shared handle is nobody's to say.
    let key = inkdex::domain::identity::IdentityKey::instagram("shop.handle").unwrap();
    store.point_identity(&key, None, &inkdex::domain::identity::KeyState::Shared).await.unwrap();
    assert!(matches!(say(&app, &one.id, Field::Instagram, value("shop.handle")).await, Err(CorrectError::Shared("instagram"))));
    app.stop().await;
}

/// 006-7: the artist corrects a field by the proof that removes: a token on their own site, and nobody's word.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_artist_corrects_a_field_by_proof() {
    let mut world = World::of(DemoWeb::generate_sized(SEED, 7, 2)).await;
    let files = FolderWeb::instead_of(&mut world).await;
    let app = world.start().await;
    let ports = &app.ports;
    run_night(&app, &world, 1).await;
    let host = |page: &str| page.trim_start_matches("http://").split('/').next().unwrap().to_owned();
    let own = |artist: &&inkdex::demo::DemoArtist| {
        world.web.sites().iter().any(|site| site.host == host(&artist.page) && site.name == artist.name)
    };
    let artist = world.web.artists().iter().find(own).unwrap();
    let (id, site) = (row_of(ports.store.as_ref(), &artist.name).await.id, host(&artist.page));
    let correction = Some(AskedCorrection { field: Field::Place, value: "Porto, Portugal".to_owned() });
    let about = About::site(&format!("http://{site}/")).unwrap();
    let new = NewRequest { about, contact: "ana@post.example".to_owned(), correction };
    let (_, request) = receive(ports, new).await.unwrap();
    files.put(&site, ".well-known/inkdex-proof.txt", &request.id.proof_token());
    let (look, ended) = check(ports, &request.id).await.unwrap();
    assert_eq!((look, ended.state, ended.wish), (Look::Found, RequestState::Done, Wish::Correction));
    assert!(ended.correction.is_none() && ended.contact.is_none());
    run_night(&app, &world, 2).await;
    let now = record(&app, &id).await;
    assert_eq!(now.city.as_ref().map(|city| (city.value.as_str(), city.evidence.extractor.as_str())), Some(("Porto", "artist")));
    assert_eq!(now.confirmed.get(&Field::Place), Some(&Confirmer::Artist));
    app.stop().await;
}
